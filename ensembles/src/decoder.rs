//! The ladder network's decoder: guesses every clean layer from the corrupted one and from the layer above
//! (Rasmus et al., 2015).

use std::sync::Arc;

use candle_core::{Result, Tensor};
use consilience_data::Rng;

use crate::encoder::{Parameters, Pass};
use crate::losses::softmax;
use crate::ops::{N_PARAMETERS, Statistics, combine, denoising_cost, linear, normalise};

#[derive(Debug)]
pub(crate) struct Decoder {
    /// From each layer down to the one below, (width above, width), the topmost first.
    downward: Vec<Tensor>,
    /// Of each layer, ([`N_PARAMETERS`], width), the topmost first.
    combinators: Vec<Tensor>,
    /// Weight of each layer's cost, the input's first.
    costs: Vec<f64>,
}

impl Decoder {
    /// The decoder of an encoder of `widths` (features, hidden..., clusters), with a cost for each.
    pub(crate) fn new(
        widths: &[usize],
        costs: &[f64],
        rng: &mut Rng,
        parameters: &mut Parameters,
    ) -> Result<Self> {
        debug_assert_eq!(widths.len(), costs.len());
        let (mut downward, mut combinators) = (Vec::new(), Vec::new());
        for (index, &width) in widths.iter().enumerate().rev() {
            if let Some(&above) = widths.get(index + 1) {
                let name = format!("decoder.{index}.weight");
                downward.push(parameters.add_random(name, above, width, 1.0, rng)?);
            }
            // As its authors start it: a sigmoid's slope is 1, all else 0.
            let mut start = vec![0.0; N_PARAMETERS * width];
            start[width..2 * width].fill(1.0);
            start[6 * width..7 * width].fill(1.0);
            let name = format!("decoder.{index}.combinator");
            combinators.push(parameters.add(name, start, &[N_PARAMETERS, width])?);
        }
        Ok(Self { downward, combinators, costs: costs.to_vec() })
    }

    /// Weighted sum over layers of the mean squared denoising error, a scalar.
    pub(crate) fn cost(&self, clean: &Pass, corrupted: &Pass) -> Result<Tensor> {
        let top = clean.activations.len() - 1;
        let mut signal = softmax(&corrupted.logits)?;
        let mut total: Option<Tensor> = None;
        for (step, combinator) in self.combinators.iter().enumerate() {
            let layer = top - step;
            let vertical = normalise(&signal, &Arc::new(Statistics::of(&signal)?))?;
            let guess = combine(&corrupted.activations[layer], &vertical, combinator)?;
            let statistics = clean.statistics[layer].as_ref();
            // The target learns too, as in the authors' code. Of a last layer that isn't normalised, this keeps the
            // logits from growing: with the target held constant, retraining was seen to fall apart.
            let cost = denoising_cost(&clean.activations[layer], &guess, statistics)?;
            let cost = (cost * self.costs[layer])?;
            total = Some(match total {
                Some(total) => (total + cost)?,
                None => cost,
            });
            if let Some(weight) = self.downward.get(step) {
                signal = linear(&guess, weight)?;
            }
        }
        Ok(total.expect("an encoder has at least an input and an output"))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use consilience_data::{Seed, Stream};

    use super::*;
    use crate::encoder::{Encoder, Mode};
    use crate::ops::testing::random;

    /// The gradient of the whole cost with respect to every decoder parameter, by finite differences.
    #[test]
    fn gradients_equal_finite_differences() {
        let widths = [3, 5, 2];
        let mut rng = Seed(1).rng(Stream::Weights { model: 0 });
        let encoder = Encoder::new(&widths, false, &mut rng, &mut Parameters::default()).unwrap();
        let mut parameters = Parameters::default();
        let decoder = Decoder::new(&widths, &[10.0, 1.0, 0.1], &mut rng, &mut parameters).unwrap();
        // Away from the start, where most slopes are 0.
        for (index, variable) in parameters.variables().iter().enumerate() {
            variable.set(&(random(index as u64, variable.shape()) * 0.5).unwrap()).unwrap();
        }
        let input = random(7, (8, 3));
        let clean = encoder.frozen().forward(&input, Mode::Batch).unwrap();
        let mut noise = Seed(1).rng(Stream::Noise { model: 0, epoch: 0 });
        let mode = Mode::Corrupted { std: 0.3, rng: &mut noise };
        let corrupted = encoder.frozen().forward(&input, mode).unwrap();
        let cost = || decoder.cost(&clean, &corrupted).unwrap();
        let gradients = cost().backward().unwrap();
        for variable in parameters.variables() {
            let found =
                gradients.get(&variable).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let start = variable.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            for index in 0..start.len() {
                let at = |step: f32| {
                    let mut moved = start.clone();
                    moved[index] += step;
                    variable
                        .set(&Tensor::from_vec(moved, variable.shape(), &Device::Cpu).unwrap())
                        .unwrap();
                    f64::from(cost().to_scalar::<f32>().unwrap())
                };
                let numeric = (at(1e-2) - at(-1e-2)) / 2e-2;
                at(0.0);
                let error = (f64::from(found[index]) - numeric).abs();
                assert!(error <= 1e-2 + 2e-2 * numeric.abs(), "{} {numeric}", found[index]);
            }
        }
    }
}
