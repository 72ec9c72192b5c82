//! A dense network for a task of a few samples, with its gradient written out.
//!
//! Hidden layers are those of the engines' encoder ([`EncoderLayer`](crate::members::weights::EncoderLayer)): product, batch normalisation, shift,
//! rectifier. So what is learnt here fits there.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip};

use crate::members::weights::{Weights, inverse_std};
use crate::numerics::matrix::{Write, multiply};

/// A layer's parameters.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Layer {
    /// (in, out)
    pub(crate) weight: Array2<f32>,
    /// (out)
    pub(crate) shift: Array1<f32>,
}

impl Layer {
    pub(crate) fn zeros(input: usize, output: usize) -> Self {
        Self { weight: Array2::zeros((input, output)), shift: Array1::zeros(output) }
    }

    /// Adds `factor` times `other`.
    pub(crate) fn add_scaled(&mut self, factor: f32, other: &Self) {
        self.weight.scaled_add(factor, &other.weight);
        self.shift.scaled_add(factor, &other.shift);
    }
}

/// The hidden layers of an engine's network.
pub(crate) fn hidden_of(weights: &Weights) -> Vec<Layer> {
    let (_, hidden) = weights.encoder.split_last().expect("at least one layer");
    let layer = hidden.iter().map(|layer| Layer {
        weight: layer.weight.matrix().to_owned(),
        shift: Array1::from(layer.shift.value.clone()),
    });
    layer.collect()
}

/// Hidden layers, at least one, and a linear head of one output a class.
#[derive(Debug, Clone)]
pub(crate) struct Net {
    pub(crate) hidden: Vec<Layer>,
    pub(crate) head: Layer,
}

/// What a hidden layer made of a batch, shape (n, width) each.
struct Activation {
    normalised: Array2<f32>,
    /// 1 / standard deviation of each unit.
    inverse_std: Vec<f32>,
    rectified: Array2<f32>,
}

impl Net {
    /// With a head of zeros.
    ///
    /// So the number of classes and their numbering mean nothing to what is learnt, and the first step makes the head of the differences
    /// between the classes' mean activations, as prototypes would. C.-H. Kao, W.-C. Chiu, P.-Y. Chen, *MAML is a Noisy
    /// Contrastive Learner in Classification*, ICLR 2022, find that heads of zeros serve MAML better than random or learnt ones.
    pub(crate) fn new(hidden: &[Layer], n_classes: usize) -> Self {
        let width = hidden.last().map_or(0, |layer| layer.shift.len());
        Self { hidden: hidden.to_vec(), head: Layer::zeros(width, n_classes) }
    }

    /// Logits, shape (n, n_classes), of samples that are normalised together.
    pub(crate) fn logits(&self, rows: ArrayView2<'_, f32>) -> Array2<f32> {
        self.forward(rows).1
    }

    /// One step down `gradient`.
    pub(crate) fn descend(&mut self, rate: f32, gradient: &Self) {
        let own = self.hidden.iter_mut().chain([&mut self.head]);
        let theirs = gradient.hidden.iter().chain([&gradient.head]);
        own.zip(theirs).for_each(|(own, theirs)| own.add_scaled(-rate, theirs));
    }

    /// Mean cross-entropy of the rows that have a target, and its gradient. All rows, shape (n, n_features), are normalised
    /// together. O(n parameters).
    pub(crate) fn loss(&self, rows: ArrayView2<'_, f32>, targets: &[Option<usize>]) -> (f64, Self) {
        let (activations, logits) = self.forward(rows);
        let (loss, slope) = cross_entropy(&logits, targets);
        let below = |layer: usize| match layer.checked_sub(1) {
            Some(below) => activations[below].rectified.view(),
            None => rows.view(),
        };
        let head = gradient_of(below(self.hidden.len()), &slope);
        let mut slope = through(&slope, &self.head.weight);
        let mut hidden = Vec::with_capacity(self.hidden.len());
        for (index, (layer, activation)) in self.hidden.iter().zip(&activations).enumerate().rev() {
            Zip::from(&mut slope).and(&activation.rectified).for_each(|slope, &output| {
                if output <= 0.0 {
                    *slope = 0.0;
                }
            });
            let shift = column_sums(&slope);
            unnormalise(&mut slope, activation);
            let weight = gradient_of(below(index), &slope).weight;
            hidden.push(Layer { weight, shift });
            if index > 0 {
                slope = through(&slope, &layer.weight);
            }
        }
        hidden.reverse();
        (loss, Self { hidden, head })
    }

    fn forward(&self, rows: ArrayView2<'_, f32>) -> (Vec<Activation>, Array2<f32>) {
        let mut activations: Vec<Activation> = Vec::with_capacity(self.hidden.len());
        for layer in &self.hidden {
            let below = activations.last().map_or(rows.view(), |below| below.rectified.view());
            let mut normalised = product(below, layer.weight.view());
            let inverse_std = normalise(&mut normalised);
            let mut rectified = &normalised + &layer.shift;
            rectified.mapv_inplace(|value| value.max(0.0));
            activations.push(Activation { normalised, inverse_std, rectified });
        }
        let top = activations.last().map_or(rows.view(), |top| top.rectified.view());
        let logits = product(top, self.head.weight.view()) + &self.head.shift;
        (activations, logits)
    }
}

fn product(a: ArrayView2<'_, f32>, b: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut product = Array2::zeros((a.nrows(), b.ncols()));
    multiply(a, b, product.view_mut(), Write::Replace, 1);
    product
}

/// Of a product's weight and shift, from its input and the loss's slope at its output.
fn gradient_of(input: ArrayView2<'_, f32>, slope: &Array2<f32>) -> Layer {
    Layer { weight: product(input.t(), slope.view()), shift: column_sums(slope) }
}

/// The slope below a product.
fn through(slope: &Array2<f32>, weight: &Array2<f32>) -> Array2<f32> {
    product(slope.view(), weight.t())
}

#[expect(clippy::cast_possible_truncation, reason = "f64 sums, f32 storage")]
fn column_sums(values: &Array2<f32>) -> Array1<f32> {
    values.mapv(f64::from).sum_axis(Axis(0)).mapv(|sum| sum as f32)
}

/// Gives each column mean 0 and variance 1, in place; 1 / standard deviation of each.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "f64 sums, f32 storage"
)]
fn normalise(values: &mut Array2<f32>) -> Vec<f32> {
    let n = values.nrows() as f64;
    let mut scales = Vec::with_capacity(values.ncols());
    let mean = values.mapv(f64::from).sum_axis(Axis(0)) / n;
    let mut squares = Array1::<f64>::zeros(values.ncols());
    for row in values.rows() {
        Zip::from(&mut squares).and(&row).and(&mean).for_each(|sum, &value, &mean| {
            *sum += (f64::from(value) - mean).powi(2);
        });
    }
    scales.extend(squares.iter().map(|sum| inverse_std((sum / n) as f32)));
    for mut row in values.rows_mut() {
        for ((value, mean), scale) in row.iter_mut().zip(&mean).zip(&scales) {
            *value = (*value - *mean as f32) * scale;
        }
    }
    scales
}

/// The slope below a normalisation, from that above it, in place (S. Ioffe, C. Szegedy, *Batch Normalization*, 2015, section 3).
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "f64 sums, f32 storage"
)]
fn unnormalise(slope: &mut Array2<f32>, activation: &Activation) {
    let n = slope.nrows() as f64;
    let mean = slope.mapv(f64::from).sum_axis(Axis(0)) / n;
    let mut along = Array1::<f64>::zeros(slope.ncols());
    for (slope, value) in slope.rows().into_iter().zip(activation.normalised.rows()) {
        Zip::from(&mut along).and(&slope).and(&value).for_each(|sum, &slope, &value| {
            *sum += f64::from(slope) * f64::from(value);
        });
    }
    along /= n;
    for (mut slope, value) in slope.rows_mut().into_iter().zip(activation.normalised.rows()) {
        for (unit, slope) in slope.iter_mut().enumerate() {
            let centred = *slope - mean[unit] as f32 - value[unit] * along[unit] as f32;
            *slope = centred * activation.inverse_std[unit];
        }
    }
}

/// Mean cross-entropy of the rows that have a target, and its slope at the logits; finite for any finite logits.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "f64 sums, f32 storage"
)]
fn cross_entropy(logits: &Array2<f32>, targets: &[Option<usize>]) -> (f64, Array2<f32>) {
    let n = targets.iter().flatten().count().max(1) as f64;
    let mut slope = Array2::zeros(logits.dim());
    let mut loss = 0.0;
    for ((row, target), mut slope) in logits.rows().into_iter().zip(targets).zip(slope.rows_mut()) {
        let Some(target) = *target else { continue };
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let powers: Vec<f64> = row.iter().map(|&x| f64::from(x - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        loss += sum.ln() - f64::from(row[target] - largest);
        for (class, (slope, power)) in slope.iter_mut().zip(&powers).enumerate() {
            let right = if class == target { 1.0 } else { 0.0 };
            *slope = ((power / sum - right) / n) as f32;
        }
    }
    (loss / n, slope)
}
