//! Labels of some samples propagated along the neighbour graph to all, and as a member of an ensemble.

use std::path::Path;

use consilience_data::{
    ClusterId, Features, ModelAnswers, ModelIdx, PseudoLabels, SoftAssignments,
};
use ndarray::Array2;
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::members::clusterer::{Clusterer, Phase};
use crate::members::neighbour_vote::NeighbourVote;
use crate::members::save::save_arrays;
use crate::preparation::prepared::Prepared;
use crate::progress::{Progress, go_on};

/// How labels are propagated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Propagation {
    /// Neighbours of each sample in the graph.
    pub neighbours: usize,
    /// The share of a sample's answer that is its neighbours', below 1; the rest is its own label's.
    pub alpha: f64,
}

impl Default for Propagation {
    fn default() -> Self {
        Self { neighbours: 10, alpha: 0.99 }
    }
}

/// The answer is exact to this share of its length.
const EXACT: f64 = 1e-7;
/// Steps at most; a few dozen are enough.
const STEPS: usize = 500;
/// Classes that are solved for together.
const TOGETHER: usize = 16;
/// Passes in which the sums of columns and rows are made equal in turn.
const PASSES: usize = 30;
/// Rows that a thread works on at a time.
const ROWS: usize = 2048;

impl Propagation {
    /// Probabilities of `n_classes` classes for all samples, shape (n_samples, n_classes): label spreading (D. Zhou, O. Bousquet,
    /// T. Lal, J. Weston and B. Schölkopf, *Learning with Local and Global Consistency*, 2004) on the graph whose edges weigh as much as
    /// neighbourhoods are alike, then each class with the same mass (X. Zhu, Z. Ghahramani and J. Lafferty, 2003), as with few labels
    /// the mass of a class says more of where its label lies than of how frequent it is. Masses are made equal once, or until also
    /// the probabilities have the same sum for each class (R. Sinkhorn, 1967): whichever cuts through fewer neighbours, as nothing says
    /// whether classes are equally frequent.
    ///
    /// The fixed point F = alpha S F + (1 - alpha) Y is found by conjugate gradients. Samples that no label reaches have equal
    /// probabilities. The same for any number of threads: those of the current pool. O(edges n_classes) a step, and some dozens of steps.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if neighbours weren't measured, [`EnsembleError::Cancelled`] if `progress` says so.
    pub fn spread(
        &self,
        data: &Prepared,
        labels: &PseudoLabels,
        n_classes: usize,
        progress: &dyn Progress,
    ) -> Result<SoftAssignments, EnsembleError> {
        let graph = data.neighbour_graph().ok_or_else(|| EnsembleError::Setting {
            name: "members",
            need: "data on which Prepared::measure_distances was called, to propagate labels",
            got: "none".into(),
        })?;
        let n = graph.n_samples();
        let weights = Weights::new(&graph.edges(self.neighbours), n);
        let mut sizes = vec![0_usize; n_classes];
        labels.entries().iter().for_each(|entry| sizes[entry.label.index()] += 1);
        let mut all = Array2::<f32>::zeros((n, n_classes));
        for first in (0..n_classes).step_by(TOGETHER) {
            let classes = first..(first + TOGETHER).min(n_classes);
            let width = classes.len();
            let mut sources = vec![0.0_f64; n * width];
            for entry in labels.entries() {
                let class = entry.label.index();
                if classes.contains(&class) {
                    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
                    let share = 1.0 / sizes[class] as f64;
                    sources[entry.sample.index() * width + class - first] = share;
                }
            }
            let found = weights.solve(&sources, width, self.alpha, progress)?;
            for (sample, row) in found.chunks_exact(width).enumerate() {
                for (class, &value) in classes.clone().zip(row) {
                    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
                    let value = value.max(0.0) as f32;
                    all[(sample, class)] = value;
                }
            }
        }
        let once = of_equal_mass(all);
        let mut balanced = once.clone();
        for _ in 0..PASSES {
            go_on(progress)?;
            balanced = of_equal_mass(balanced);
        }
        let [once, balanced] = [once, balanced].map(|found| SoftAssignments::new(filled(found)));
        let cut = |found: &SoftAssignments| data.neighbours_separated(&found.harden().0);
        Ok(if cut(&balanced) < cut(&once) { balanced } else { once })
    }
}

/// Columns of equal sums, then rows that sum to 1. Those of zeros, which no label reaches, stay as they are.
fn of_equal_mass(mut values: Array2<f32>) -> Array2<f32> {
    for mut column in values.columns_mut() {
        let mass: f64 = column.iter().map(|&value| f64::from(value)).sum();
        if mass > 0.0 {
            #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
            column.iter_mut().for_each(|value| *value = (f64::from(*value) / mass) as f32);
        }
    }
    for mut row in values.rows_mut() {
        let sum = row.sum();
        if sum > 0.0 {
            row.iter_mut().for_each(|value| *value /= sum);
        }
    }
    values
}

/// Rows of zeros with equal values.
fn filled(mut values: Array2<f32>) -> Array2<f32> {
    #[expect(clippy::cast_precision_loss, reason = "a number of classes")]
    let equal = 1.0 / values.ncols() as f32;
    for mut row in values.rows_mut() {
        if row.iter().all(|&value| value <= 0.0) {
            row.fill(equal);
        }
    }
    values
}

/// The graph's weights, normalised on both sides by the roots of degrees, by rows.
struct Weights {
    starts: Vec<usize>,
    columns: Vec<u32>,
    values: Vec<f32>,
}

impl Weights {
    fn new(edges: &[(u32, u32, f32)], n: usize) -> Self {
        let mut starts = vec![0_usize; n + 1];
        let mut degrees = vec![0.0_f64; n];
        for &(a, b, weight) in edges {
            for end in [a as usize, b as usize] {
                starts[end + 1] += 1;
                degrees[end] += f64::from(weight);
            }
        }
        for row in 0..n {
            starts[row + 1] += starts[row];
        }
        let mut next = starts.clone();
        let (mut columns, mut values) = (vec![0; 2 * edges.len()], vec![0.0; 2 * edges.len()]);
        for &(a, b, weight) in edges {
            let scale = (degrees[a as usize] * degrees[b as usize]).sqrt();
            #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
            let value = (f64::from(weight) / scale) as f32;
            for (row, column) in [(a, b), (b, a)] {
                let place = &mut next[row as usize];
                (columns[*place], values[*place]) = (column, value);
                *place += 1;
            }
        }
        Self { starts, columns, values }
    }

    /// (I - alpha S) x, shape (n, width).
    fn apply(&self, x: &[f64], width: usize, alpha: f64, out: &mut [f64]) {
        let of_rows = |(block, out): (usize, &mut [f64])| {
            for (row, out) in out.chunks_exact_mut(width).enumerate() {
                let row = block * ROWS + row;
                out.copy_from_slice(&x[row * width..(row + 1) * width]);
                for at in self.starts[row]..self.starts[row + 1] {
                    let weight = alpha * f64::from(self.values[at]);
                    let from = self.columns[at] as usize * width;
                    for (out, x) in out.iter_mut().zip(&x[from..from + width]) {
                        *out -= weight * x;
                    }
                }
            }
        };
        out.par_chunks_mut(ROWS * width).enumerate().for_each(of_rows);
    }

    /// The solution of (I - alpha S) x = (1 - alpha) `sources` for each column, by conjugate gradients.
    fn solve(
        &self,
        sources: &[f64],
        width: usize,
        alpha: f64,
        progress: &dyn Progress,
    ) -> Result<Vec<f64>, EnsembleError> {
        let mut residual: Vec<f64> = sources.iter().map(|value| (1.0 - alpha) * value).collect();
        let (mut x, mut direction) = (vec![0.0; residual.len()], residual.clone());
        let mut applied = vec![0.0; residual.len()];
        let mut squares = products(&residual, &residual, width);
        let enough: Vec<f64> = squares.iter().map(|square| square * EXACT * EXACT).collect();
        for _ in 0..STEPS {
            if squares.iter().zip(&enough).all(|(square, enough)| square <= enough) {
                break;
            }
            go_on(progress)?;
            self.apply(&direction, width, alpha, &mut applied);
            let curvature = products(&direction, &applied, width);
            let step: Vec<f64> = ratios(&squares, &curvature);
            add(&mut x, &direction, &step, 1.0);
            add(&mut residual, &applied, &step, -1.0);
            let now = products(&residual, &residual, width);
            let keep = ratios(&now, &squares);
            for (direction, residual) in
                direction.chunks_exact_mut(width).zip(residual.chunks_exact(width))
            {
                for ((direction, residual), keep) in direction.iter_mut().zip(residual).zip(&keep) {
                    *direction = residual + keep * *direction;
                }
            }
            squares = now;
        }
        Ok(x)
    }
}

/// Of each column.
fn products(a: &[f64], b: &[f64], width: usize) -> Vec<f64> {
    let mut sums = vec![0.0; width];
    for (a, b) in a.chunks_exact(width).zip(b.chunks_exact(width)) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums
}

/// 0 where there is nothing left to do.
fn ratios(above: &[f64], below: &[f64]) -> Vec<f64> {
    let ratio = |(&above, &below): (&f64, &f64)| if below > 0.0 { above / below } else { 0.0 };
    above.iter().zip(below).map(ratio).collect()
}

fn add(to: &mut [f64], what: &[f64], times: &[f64], sign: f64) {
    for (to, what) in to.chunks_exact_mut(times.len()).zip(what.chunks_exact(times.len())) {
        for ((to, what), times) in to.iter_mut().zip(what).zip(times) {
            *to += sign * times * what;
        }
    }
}

/// A member that propagates the labels that it is given, and answers for any sample by its nearest neighbours.
#[derive(Debug, Clone)]
pub struct Propagator {
    model: ModelIdx,
    n_classes: usize,
    how: Propagation,
    vote: Option<NeighbourVote>,
}

impl Propagator {
    /// For `n_classes` classes.
    #[must_use]
    pub fn new(model: ModelIdx, n_classes: usize, how: Propagation) -> Self {
        Self { model, n_classes, how, vote: None }
    }

    fn vote(&self) -> Result<&NeighbourVote, EnsembleError> {
        self.vote.as_ref().ok_or(EnsembleError::Untrained { model: self.model.0 })
    }
}

impl Clusterer for Propagator {
    fn kind(&self) -> &'static str {
        "propagation"
    }

    fn train(
        &mut self,
        data: &Prepared,
        _phase: &Phase,
        labels: &PseudoLabels,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        if self.vote.is_some() {
            return Ok(());
        }
        let found = self.how.spread(data, labels, self.n_classes, progress)?;
        let (classes, rows) = (found.harden().0, found.view());
        // Whom no label reaches has the same probability for each class, and says nothing.
        let class = |&sample: &u32| {
            let row = rows.row(sample as usize);
            let is_reached = row.len() < 2 || row.iter().any(|&value| value != row[0]);
            is_reached.then(|| classes.clusters()[sample as usize])
        };
        let classes: Vec<Option<ClusterId>> = data.trainable().iter().map(class).collect();
        let count = self.how.neighbours;
        self.vote =
            Some(NeighbourVote::of_classes(data, &classes, self.n_classes, count, progress)?);
        Ok(())
    }

    fn predict(&self, features: &Features) -> Result<ModelAnswers, EnsembleError> {
        self.predict_watched(features, &())
    }

    fn predict_watched(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<ModelAnswers, EnsembleError> {
        self.vote()?.answers(features, progress)
    }

    fn votes_once(&self) -> bool {
        true
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        save_arrays(&self.vote()?.arrays(), path)
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{PseudoLabel, SampleIdx, Seed};
    use ndarray::Array2;

    use super::*;
    use crate::preparation::transform::Scaling;

    /// Two crowds of twenty.
    fn crowds() -> Prepared {
        let mut rng = Seed(3).rng(consilience_data::Stream::Subset);
        let noise = rng.normal(80);
        let values = Array2::from_shape_fn((40, 2), |(row, column)| {
            noise[row * 2 + column] + if row % 2 == 0 { 4.0 } else { -4.0 }
        });
        let features = Features::new(values, "x").unwrap();
        let mut data = Prepared::new(&features, Scaling::None, Seed(1), 1).unwrap();
        data.measure_distances(1).unwrap();
        data
    }

    fn labels(of: &[(u32, u16)]) -> PseudoLabels {
        let entry = |&(sample, label): &(u32, u16)| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(label),
            agreement: 1,
            margin: 1,
            confidence: 1.0,
        };
        PseudoLabels::new(of.iter().map(entry).collect(), 2, 40)
    }

    #[test]
    fn a_label_reaches_its_crowd() {
        let (data, how) = (crowds(), Propagation::default());
        let found = how.spread(&data, &labels(&[(0, 1), (1, 0)]), 2, &()).unwrap().harden().0;
        assert!(
            (0..40).all(|sample| found.clusters()[sample].index() == usize::from(sample % 2 == 0))
        );
        let mut member = Propagator::new(ModelIdx(0), 2, how);
        assert!(member.predict(data.features()).is_err(), "not trained");
        let phase = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
        member.train(&data, &phase, &labels(&[(0, 1), (1, 0)]), &()).unwrap();
        assert_eq!(member.predict(data.features()).unwrap().harden().0, found);
    }

    #[test]
    fn a_crowd_without_a_label_is_nobodys() {
        let (data, how) = (crowds(), Propagation::default());
        let found = how.spread(&data, &labels(&[(0, 1)]), 2, &()).unwrap();
        for sample in 0..40 {
            let row = found.view().row(sample).to_vec();
            let expected = if sample % 2 == 0 { [0.0, 1.0] } else { [0.5, 0.5] };
            assert_eq!(row, expected, "{sample}");
        }
    }

    /// The fixed point, written from its definition: iterated until it stands.
    #[test]
    fn the_fixed_point_is_that_of_its_definition() {
        let data = crowds();
        let graph = data.neighbour_graph().unwrap();
        let weights = Weights::new(&graph.edges(6), 40);
        let mut sources = vec![0.0; 80];
        (sources[0], sources[3]) = (1.0, 1.0);
        let found = weights.solve(&sources, 2, 0.9, &()).unwrap();
        let mut expected = sources.clone();
        for _ in 0..500 {
            let mut kept = vec![0.0; 80];
            weights.apply(&expected, 2, 0.9, &mut kept);
            for (at, value) in expected.iter_mut().enumerate() {
                // I - alpha S gives back what isn't the neighbours'.
                *value = *value - kept[at] + 0.1 * sources[at];
            }
        }
        let far = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(far < 1e-6, "{far}");
    }
}
