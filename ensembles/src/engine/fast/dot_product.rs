//! What LADDER-DOT minimises in place of information maximisation (Gupta et al., 2020), and its gradient.

use ndarray::{Array2, ArrayView2};

use super::losses::Answers;
use crate::numerics::matrix::{Write, multiply, row, row_mut};

/// Clean and corrupted answers of a batch, each scaled to Euclidean length 1: U and V, shape (n, n_clusters). Their products
/// G = U V^T are held against the identity: one sample's two answers are to be the same cluster, those of two samples
/// different ones.
///
/// Nothing of shape (n, n) is made: ||G||^2 is the sum of the products of U^T U and V^T V, place by place, and the trace of G
/// that of U and V. O(n K^2).
#[derive(Debug)]
pub(super) struct DotProduct([Side; 2]);

#[derive(Debug)]
struct Side {
    /// Shape (n, n_clusters), rows of length 1.
    unit: Array2<f32>,
    /// 1 / length that rows had.
    inverse_lengths: Vec<f32>,
    /// `unit`^T `unit`.
    gram: Array2<f32>,
    /// The gradient by `unit`, then by what it was scaled from.
    gradient: Array2<f32>,
}

impl DotProduct {
    /// For answers of shape (n, n_clusters).
    pub(super) fn new((n, n_clusters): (usize, usize)) -> Self {
        let side = || Side {
            unit: Array2::zeros((n, n_clusters)),
            inverse_lengths: vec![0.0; n],
            gram: Array2::zeros((n_clusters, n_clusters)),
            gradient: Array2::zeros((n, n_clusters)),
        };
        Self([side(), side()])
    }

    /// ||G - I||^2 / n, times `weight`. Gradients flow to both sides: see [`DotProduct::of_probabilities`].
    pub(super) fn loss(&mut self, answers: [&Answers; 2], weight: f64) -> f64 {
        let Self([clean, corrupted]) = self;
        clean.scale(answers[0]);
        corrupted.scale(answers[1]);
        let n = clean.unit.nrows() as f64;
        let products = |a: &Array2<f32>, b: &Array2<f32>| -> f64 {
            a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
        };
        let squares = products(&clean.gram, &corrupted.gram);
        let trace = products(&clean.unit, &corrupted.unit);
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let scale = (2.0 * weight / n) as f32;
        clean.backward(corrupted, scale);
        corrupted.backward(clean, scale);
        weight * (squares - 2.0 * trace + n) / n
    }

    /// The gradient of the latest loss by clean and corrupted probabilities.
    pub(super) fn of_probabilities(&self) -> [ArrayView2<'_, f32>; 2] {
        self.0.each_ref().map(|side| side.gradient.view())
    }
}

impl Side {
    fn scale(&mut self, answers: &Answers) {
        let mut unit = self.unit.view_mut();
        for (index, inverse) in self.inverse_lengths.iter_mut().enumerate() {
            // Probabilities have a length of 1 / sqrt(K) at least.
            let p = row(&answers.p, index);
            *inverse = p.iter().map(|p| p * p).sum::<f32>().sqrt().recip();
            row_mut(&mut unit, index).iter_mut().zip(p).for_each(|(unit, p)| *unit = p * *inverse);
        }
        multiply(self.unit.t(), self.unit.view(), self.gram.view_mut(), Write::Replace, 1);
    }

    /// By U it is 2 (U V^T V - V), and what goes along a row is lost in the scaling.
    fn backward(&mut self, other: &Self, scale: f32) {
        let mut gradient = self.gradient.view_mut();
        multiply(self.unit.view(), other.gram.view(), gradient.view_mut(), Write::Replace, 1);
        for (index, inverse) in self.inverse_lengths.iter().enumerate() {
            let (unit, other) = (row(&self.unit, index), row(&other.unit, index));
            let gradient = row_mut(&mut gradient, index);
            gradient.iter_mut().zip(other).for_each(|(gradient, other)| *gradient -= other);
            let along: f32 =
                gradient.iter().zip(unit).map(|(gradient, unit)| gradient * unit).sum();
            let factor = scale * inverse;
            for (gradient, unit) in gradient.iter_mut().zip(unit) {
                *gradient = factor * (*gradient - along * unit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numerics::testing::random;

    /// Straight from the definition.
    fn dense([u, v]: [&Array2<f32>; 2]) -> f64 {
        let unit = |p: &Array2<f32>| {
            let p = p.mapv(f64::from);
            let lengths = p.mapv(|p| p * p).sum_axis(ndarray::Axis(1)).mapv(f64::sqrt);
            p / lengths.insert_axis(ndarray::Axis(1))
        };
        let gram = unit(u).dot(&unit(v).t());
        let n = gram.nrows();
        (&gram - Array2::<f64>::eye(n)).mapv(|error| error * error).sum() / n as f64
    }

    #[test]
    fn it_equals_the_n_by_n_form() {
        let answers = |seed| {
            let mut answers = Answers::default();
            answers.of(&random(seed, 60, 7).mapv(|logit| 3.0 * logit).view());
            answers
        };
        let [clean, corrupted] = [answers(1), answers(2)];
        let expected = dense([&clean.p, &corrupted.p]);
        let found = DotProduct::new((60, 7)).loss([&clean, &corrupted], 0.5);
        assert!((found - 0.5 * expected).abs() < 1e-5 * expected, "{found} {expected}");
    }

    /// Two clusters of four: every sample has a product of 1 with three others.
    #[test]
    fn sure_answers_of_even_clusters_have_a_known_loss() {
        let mut sure = Answers::default();
        sure.of(&Array2::from_shape_fn((8, 2), |(n, k)| if n % 2 == k { 90.0 } else { 0.0 }).view());
        let found = DotProduct::new((8, 2)).loss([&sure, &sure], 1.0);
        assert!((found - 3.0).abs() < 1e-6, "{found}");
    }
}
