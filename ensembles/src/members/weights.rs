//! What a network has learnt: its parameters with their optimiser's moments, in host memory, whatever trains them.

use consilience_data::Rng;
use ndarray::{ArrayView2, aview1};

use crate::NetworkParams;

/// Parameters of a combinator for every unit: a1..a5 make the mean, a6..a10 the weight of the lateral signal.
pub(crate) const N_COMBINATOR: usize = 10;

/// Added to variances, so that a unit that never changes is 0 and not a division by zero.
pub(crate) const EPSILON: f32 = 1e-5;

/// A parameter and what Adam remembers of its gradients.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// One or two dimensions.
    pub(crate) shape: Vec<usize>,
    pub(crate) value: Vec<f32>,
    /// Running mean of gradients.
    pub(crate) first: Vec<f32>,
    /// Running mean of their squares.
    pub(crate) second: Vec<f32>,
    /// Steps that it has been trained for.
    pub(crate) steps: i32,
}

impl Parameter {
    pub(crate) fn new(name: String, shape: &[usize], value: Vec<f32>) -> Self {
        debug_assert_eq!(shape.iter().product::<usize>(), value.len());
        let zeros = vec![0.0; value.len()];
        Self { name, shape: shape.into(), value, first: zeros.clone(), second: zeros, steps: 0 }
    }

    /// A weight of shape (input, output), normal with variance `gain` / `input`.
    fn random(name: String, input: usize, output: usize, gain: f32, rng: &mut Rng) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a width")]
        let std = (gain / input as f32).sqrt();
        let value = rng.normal(input * output).into_iter().map(|value| value * std).collect();
        Self::new(name, &[input, output], value)
    }

    /// As a matrix; a vector is one row.
    pub(crate) fn matrix(&self) -> ArrayView2<'_, f32> {
        match self.shape[..] {
            [rows, columns] => ArrayView2::from_shape((rows, columns), &self.value)
                .expect("a value for every place"),
            _ => aview1(&self.value).insert_axis(ndarray::Axis(0)),
        }
    }
}

/// Mean and 1 / standard deviation of every unit, length width each: of a batch, or of the population.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Statistics {
    pub(crate) mean: Vec<f32>,
    pub(crate) inverse_std: Vec<f32>,
}

impl Statistics {
    /// From means and (biased) variances.
    pub(crate) fn new(mean: Vec<f32>, variance: &[f32]) -> Self {
        let inverse_std = variance.iter().map(|&variance| inverse_std(variance)).collect();
        Self { mean, inverse_std }
    }
}

/// 1 / standard deviation.
#[inline(always)]
pub(crate) fn inverse_std(variance: f32) -> f32 {
    (variance + EPSILON).sqrt().recip()
}

/// One fully connected layer: product, batch normalisation, shift, rectifier. The last has no rectifier.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct EncoderLayer {
    /// (in, out)
    pub(crate) weight: Parameter,
    /// (out)
    pub(crate) shift: Parameter,
    /// (out); only of a normalised last layer: elsewhere the next product takes its place.
    pub(crate) scale: Option<Parameter>,
    pub(crate) normalised: bool,
    /// Once a phase of training has ended.
    pub(crate) population: Option<Statistics>,
}

/// The ladder's way down.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DecoderWeights {
    /// From each layer down to the one below, (width above, width); that to the input is the first.
    pub(crate) downward: Vec<Parameter>,
    /// Of each layer, ([`N_COMBINATOR`], width), the input's first.
    pub(crate) combinators: Vec<Parameter>,
    /// Weight of each layer's denoising cost, the input's first.
    pub(crate) costs: Vec<f64>,
}

/// All of a network. Layer 0 is the input, where layers are counted with it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights {
    pub(crate) encoder: Vec<EncoderLayer>,
    pub(crate) decoder: Option<DecoderWeights>,
}

impl Weights {
    /// Random ones, after He et al. (2015), from features to clusters.
    pub(crate) fn new(
        params: &NetworkParams,
        n_features: usize,
        n_clusters: usize,
        rng: &mut Rng,
    ) -> Self {
        let mut widths = vec![n_features];
        widths.extend(&params.hidden);
        widths.push(n_clusters);
        let last = widths.len() - 2;
        let layer = |(index, pair): (usize, &[usize])| {
            let (input, output) = (pair[0], pair[1]);
            let gain = if index == last { 1.0 } else { 2.0 };
            let normalised = index < last || params.normalise_last;
            let name = |part: &str| format!("encoder.{index}.{part}");
            let constant = |part, value| Parameter::new(name(part), &[output], vec![value; output]);
            EncoderLayer {
                weight: Parameter::random(name("weight"), input, output, gain, rng),
                shift: constant("shift", 0.0),
                scale: (normalised && index == last).then(|| constant("scale", 1.0)),
                normalised,
                population: None,
            }
        };
        let encoder = widths.windows(2).enumerate().map(layer).collect();
        let costs = denoising_costs(&params.denoising, widths.len());
        let decoder = costs.map(|costs| DecoderWeights::new(&widths, costs, rng));
        Self { encoder, decoder }
    }

    /// Features, hidden layers, clusters.
    pub(crate) fn widths(&self) -> Vec<usize> {
        let inputs = self.encoder.iter().map(|layer| layer.weight.shape[0]);
        inputs.chain([self.n_clusters()]).collect()
    }

    /// Whether a phase of training has ended, so that answers don't depend on a batch.
    pub(crate) fn is_fitted(&self) -> bool {
        self.encoder.iter().all(|layer| !layer.normalised || layer.population.is_some())
    }

    pub(crate) fn n_clusters(&self) -> usize {
        self.encoder.last().expect("at least one layer").shift.value.len()
    }

    /// All that is learnt, always in the same order.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &Parameter> {
        let encoder = self
            .encoder
            .iter()
            .flat_map(|layer| [&layer.weight, &layer.shift].into_iter().chain(&layer.scale));
        let decoder = self.decoder.iter().flat_map(|d| d.downward.iter().chain(&d.combinators));
        encoder.chain(decoder)
    }

    /// As [`Weights::parameters`].
    pub(crate) fn parameters_mut(&mut self) -> impl Iterator<Item = &mut Parameter> {
        let encoder = self.encoder.iter_mut().flat_map(|layer| {
            [&mut layer.weight, &mut layer.shift].into_iter().chain(&mut layer.scale)
        });
        let decoder =
            self.decoder.iter_mut().flat_map(|d| d.downward.iter_mut().chain(&mut d.combinators));
        encoder.chain(decoder)
    }
}

impl DecoderWeights {
    fn new(widths: &[usize], costs: Vec<f64>, rng: &mut Rng) -> Self {
        let downward = widths.windows(2).enumerate().map(|(layer, pair)| {
            let name = format!("decoder.{layer}.weight");
            Parameter::random(name, pair[1], pair[0], 1.0, rng)
        });
        let downward = downward.collect();
        let combinators = widths.iter().enumerate().map(|(layer, &width)| {
            // As its authors start it: a sigmoid's slope is 1, all else 0.
            let mut start = vec![0.0; N_COMBINATOR * width];
            start[width..2 * width].fill(1.0);
            start[6 * width..7 * width].fill(1.0);
            let name = format!("decoder.{layer}.combinator");
            Parameter::new(name, &[N_COMBINATOR, width], start)
        });
        Self { downward, combinators: combinators.collect(), costs }
    }
}

/// One cost a layer, the last repeated; `None` if there is no decoder.
fn denoising_costs(costs: &[f64], layers: usize) -> Option<Vec<f64>> {
    let last = *costs.last()?;
    Some(costs.iter().copied().chain(std::iter::repeat(last)).take(layers).collect())
}
