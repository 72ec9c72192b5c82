//! The cluster of a sample by those of its nearest neighbours among some that are kept: a rule for new samples, and for those of the
//! run alike, where a model as such has clusters for the latter alone.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use consilience_data::{Assignments, ClusterId, Features, ModelAnswers, Stream};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::members::save::{Array, Arrays};
use crate::numerics::matrix::{CHUNK, row};
use crate::preparation::directions::Directions;
use crate::preparation::exact_search::{Found, Search, squared_distance};
use crate::preparation::prepared::Prepared;
use crate::progress::{Progress, go_on};

/// Samples that are kept, at most.
const KEPT: usize = 20_000;
/// With more than twice as many features, samples are kept, and compared, in so many principal directions.
const DIRECTIONS: usize = 64;

/// Thousands of rows whose votes wait to be put in order, at most.
const CHUNKS: usize = 64;

/// The names of tensors in a file. There is always the first.
pub(crate) const LABELS: &str = "neighbours.labels";
const ROWS: &str = "neighbours.rows";
const COUNTS: &str = "neighbours.counts";
const MEAN: &str = "neighbours.directions.mean";
const BASIS: &str = "neighbours.directions.basis";

/// Labels numbered by size, the largest first (ties: the one that comes first).
fn numbered(labels: &[usize]) -> Vec<usize> {
    let mut sizes: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (index, &label) in labels.iter().enumerate() {
        sizes.entry(label).or_insert((0, index)).0 += 1;
    }
    let mut order: Vec<(usize, (usize, usize))> = sizes.into_iter().collect();
    order.sort_by_key(|&(_, (size, first))| (Reverse(size), first));
    let number: BTreeMap<usize, usize> =
        order.into_iter().map(|(label, _)| label).zip(0..).collect();
    labels.iter().map(|label| number[label]).collect()
}

/// Indices of `n` samples that are kept, ascending.
fn kept(data: &Prepared, n: usize) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..n).collect();
    if kept.len() > KEPT {
        data.rng(Stream::References { part: 0 }).shuffle(&mut kept);
        kept.truncate(KEPT);
        kept.sort_unstable();
    }
    kept
}

/// Labelled samples, of which the nearest vote.
///
/// A vote weighs exp(-d^2 / r^2), d being the voter's distance and r that of the farthest that votes; the confidence is the
/// share of the weight that the cluster has.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NeighbourVote {
    /// Shape (n_kept, n_features or n_directions).
    rows: Array2<f32>,
    /// Cluster of each, length n_kept.
    labels: Vec<ClusterId>,
    n_clusters: usize,
    /// How many vote.
    count: usize,
    directions: Option<Directions>,
    /// Of samples before they are projected.
    n_features: usize,
}

impl NeighbourVote {
    /// Keeps up to 20,000 of the trainable samples in `data`, drawn from a stream of the run: the same for all models. `labels` are those
    /// of all trainable samples, and are numbered anew: by size, as far as any of their samples is kept.
    pub(crate) fn new(
        data: &Prepared,
        labels: &[usize],
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        Self::of(data, (data.trainable(), labels), count, progress)
    }

    /// Keeps up to 20,000 of these samples of `data`, drawn in the same way, with their labels, which are numbered anew, by size.
    pub(crate) fn of(
        data: &Prepared,
        (samples, labels): (&[u32], &[usize]),
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let kept = kept(data, samples.len());
        let labels: Vec<usize> = kept.iter().map(|&index| labels[index]).collect();
        let samples: Vec<u32> = kept.iter().map(|&index| samples[index]).collect();
        let labels = numbered(&labels).into_iter().map(ClusterId::from_index).collect::<Vec<_>>();
        let n_clusters = labels.iter().map(|label| label.index() + 1).max().unwrap_or(1);
        Self::of_kept(data, &samples, (labels, n_clusters), count, progress)
    }

    /// As [`NeighbourVote::new`], of `n_clusters` clusters that keep their numbers. Samples without one don't vote.
    pub(crate) fn of_classes(
        data: &Prepared,
        labels: &[Option<ClusterId>],
        n_clusters: usize,
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let mut kept = kept(data, data.trainable().len());
        kept.retain(|&index| labels[index].is_some());
        let labels = kept.iter().filter_map(|&index| labels[index]).collect();
        let samples: Vec<u32> = kept.iter().map(|&index| data.trainable()[index]).collect();
        Self::of_kept(data, &samples, (labels, n_clusters), count, progress)
    }

    /// `samples`: those that are kept, ascending, with their labels.
    fn of_kept(
        data: &Prepared,
        samples: &[u32],
        (labels, n_clusters): (Vec<ClusterId>, usize),
        count: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let samples: Vec<usize> = samples.iter().map(|&sample| sample as usize).collect();
        let view = data.features().view();
        let has_many = view.ncols() > 2 * DIRECTIONS;
        let directions =
            has_many.then(|| data.leading(DIRECTIONS, progress).cloned()).transpose()?;
        let rows = view.select(Axis(0), &samples);
        let rows = match &directions {
            Some(directions) => directions.of(rows.view()),
            None => rows,
        };
        let count = count.clamp(1, rows.nrows());
        Ok(Self { rows, labels, n_clusters, count, directions, n_features: view.ncols() })
    }

    pub(crate) fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    pub(crate) fn n_features(&self) -> usize {
        self.n_features
    }

    /// Whether both keep the same samples, so that these can be searched once for both.
    pub(crate) fn keeps_the_same(&self, other: &Self) -> bool {
        self.rows == other.rows && self.directions == other.directions
    }

    /// Votes on samples, on the threads of the current pool; given up if `progress` says so. O(n n_kept n_features).
    pub(crate) fn answers(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<ModelAnswers, EnsembleError> {
        Self::answers_of_all(&[self], features, progress).map(|mut answers| answers.remove(0))
    }

    /// The answers of each of `all`, one at least, who keep the same samples: these are searched once, a thousand rows at a time.
    pub(crate) fn answers_of_all(
        all: &[&Self],
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<Vec<ModelAnswers>, EnsembleError> {
        let Self { rows: kept, directions, .. } = all[0];
        let most = all.iter().map(|one| one.count).max().unwrap_or(1);
        #[expect(clippy::cast_possible_truncation, reason = "at most 20,000 are kept")]
        let ids: Vec<u32> = (0..kept.nrows() as u32).collect();
        let search = Search::new(kept.view(), &ids);
        let answer = |rows: ArrayView2<'_, f32>| {
            go_on(progress)?;
            let projected = directions.as_ref().map(|directions| directions.of(rows.view()));
            let rows = projected.as_ref().map_or(rows.view(), |rows| rows.view());
            let nearest = search.of_rows(&rows, most);
            Ok(all.iter().map(|one| one.of_rows(&rows, &nearest)).collect())
        };
        let view = features.view();
        let chunks: Vec<_> = view.axis_chunks_iter(Axis(0), CHUNK).collect();
        let mut answers = vec![(Vec::new(), Vec::new()); all.len()];
        for some in chunks.chunks(CHUNKS) {
            let some: Result<Vec<Vec<_>>, EnsembleError> =
                some.par_iter().map(|&rows| answer(rows)).collect();
            for chunk in some? {
                for (answers, of_chunk) in answers.iter_mut().zip(chunk) {
                    answers.extend(of_chunk);
                }
            }
        }
        let hard = |(one, (clusters, confidences)): (&&Self, _)| ModelAnswers::Hard {
            assignments: Assignments::new(clusters, one.n_clusters),
            confidences,
        };
        Ok(all.iter().zip(answers).map(hard).collect())
    }

    /// `nearest`: of each of `rows` at least as many as vote, nearest first.
    fn of_rows(&self, rows: &ArrayView2<'_, f32>, nearest: &[Vec<Found>]) -> Vec<(ClusterId, f32)> {
        let mut weights = vec![0.0_f64; self.n_clusters];
        let vote = |(index, nearest): (usize, &Vec<Found>)| {
            // By differences, as those of equal rows are 0 then, and nothing is rounded by the block that a row is in.
            let mut near: Vec<Found> = nearest[..self.count]
                .iter()
                .map(|&(_, kept)| {
                    (squared_distance(row(rows, index), row(&self.rows, kept as usize)), kept)
                })
                .collect();
            near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
            let farthest = f64::from(near.last().map_or(0.0, |&(squared, _)| squared));
            weights.fill(0.0);
            for &(squared, kept) in &near {
                let share = if farthest > 0.0 { f64::from(squared) / farthest } else { 0.0 };
                let weight = if share.is_finite() { (-share).exp() } else { 1.0 };
                weights[self.labels[kept as usize].index()] += weight;
            }
            let total: f64 = weights.iter().sum();
            let mut best = 0;
            for cluster in 1..weights.len() {
                if weights[cluster] > weights[best] {
                    best = cluster;
                }
            }
            #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
            let confidence = (weights[best] / total) as f32;
            (ClusterId::from_index(best), confidence)
        };
        nearest.iter().enumerate().map(vote).collect()
    }

    /// As tensors of a file: 4 bytes for each number of each sample that is kept.
    pub(crate) fn arrays(&self) -> Vec<Array> {
        let values = |matrix: &Array2<f32>| matrix.iter().copied().collect::<Vec<f32>>();
        let shape = |matrix: &Array2<f32>| vec![matrix.nrows(), matrix.ncols()];
        let labels: Vec<f32> = self.labels.iter().map(|label| f32::from(label.0)).collect();
        #[expect(clippy::cast_precision_loss, reason = "at most 65,535 and 20,000")]
        let counts = vec![self.n_clusters as f32, self.count as f32];
        let mut arrays = vec![
            (LABELS.into(), vec![labels.len()], labels),
            (ROWS.into(), shape(&self.rows), values(&self.rows)),
            (COUNTS.into(), vec![2], counts),
        ];
        if let Some(Directions { mean, basis }) = &self.directions {
            arrays.push((MEAN.into(), vec![mean.len()], mean.clone()));
            arrays.push((BASIS.into(), shape(basis), values(basis)));
        }
        arrays
    }

    /// From the tensors of a file.
    pub(crate) fn read(arrays: &mut Arrays) -> Result<Self, EnsembleError> {
        let rows = arrays.take_matrix(ROWS)?;
        let labels = arrays.take_vector(LABELS, rows.nrows())?;
        let counts = arrays.take_vector(COUNTS, 2)?;
        let whole = |value: f32, limit: usize| {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "compared with what it came from"
            )]
            let number = value as usize;
            #[expect(clippy::cast_precision_loss, reason = "small numbers")]
            let exact = number as f32 == value && number < limit;
            exact.then_some(number)
        };
        let n_clusters = whole(counts[0], 65_536).filter(|&count| count > 0);
        let count = whole(counts[1], rows.nrows() + 1).filter(|&count| count > 0);
        let (Some(n_clusters), Some(count)) = (n_clusters, count) else {
            return Err(arrays.damaged(&format!("{COUNTS} holds {counts:?}")));
        };
        let label = |&label: &f32| whole(label, n_clusters).map(ClusterId::from_index);
        let labels: Option<Vec<ClusterId>> = labels.iter().map(label).collect();
        let Some(labels) = labels else {
            return Err(arrays.damaged(&format!("{LABELS} isn't of {n_clusters} clusters")));
        };
        let directions = if arrays.has(BASIS) {
            let basis = arrays.take_matrix(BASIS)?;
            if basis.ncols() != rows.ncols() {
                return Err(arrays.damaged(&format!("{BASIS} doesn't fit {ROWS}")));
            }
            Some(Directions { mean: arrays.take_vector(MEAN, basis.nrows())?, basis })
        } else {
            None
        };
        let n_features = directions.as_ref().map_or(rows.ncols(), |found| found.mean.len());
        Ok(Self { rows, labels, n_clusters, count, directions, n_features })
    }
}
