//! How similar a sample is to clusters, on average.

use std::collections::BTreeMap;

use super::chain::count;
use super::leaves::{MISSING, UNKNOWN};
use super::weights::VoteWeights;

/// What is needed to find the mean co-association of any votes with the samples of each cluster.
///
/// No pair is looked at: of samples on which the same models voted, it is enough to know how many voted for what.
#[derive(Debug, Clone)]
pub(super) struct Means {
    patterns: Vec<Pattern>,
    /// Number of samples in each cluster.
    samples: Vec<u64>,
}

/// Samples on which the same models voted.
#[derive(Debug, Clone)]
struct Pattern {
    has_voted: Vec<bool>,
    /// Clusters of models that have samples, ascending.
    votes: Vec<u32>,
    /// Where each one's cells start, length of `votes` + 1.
    starts: Vec<usize>,
    cells: Vec<Cell>,
}

/// Samples of a cluster that are in one cluster of a model.
#[derive(Debug, Clone, Copy)]
struct Cell {
    cluster: u16,
    samples: f64,
}

impl Pattern {
    fn new(has_voted: Vec<bool>, counts: BTreeMap<(u32, u16), f64>) -> Self {
        let mut pattern =
            Self { has_voted, votes: Vec::new(), starts: Vec::new(), cells: Vec::new() };
        for ((vote, cluster), samples) in counts {
            if pattern.votes.last() != Some(&vote) {
                pattern.votes.push(vote);
                pattern.starts.push(pattern.cells.len());
            }
            pattern.cells.push(Cell { cluster, samples });
        }
        pattern.starts.push(pattern.cells.len());
        pattern
    }

    fn cells_of(&self, vote: u32) -> &[Cell] {
        match self.votes.binary_search(&vote) {
            Ok(at) => &self.cells[self.starts[at]..self.starts[at + 1]],
            Err(_) => &[],
        }
    }
}

/// The cluster with the highest mean, and the next one's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Best {
    pub(super) cluster: u16,
    pub(super) mean: f64,
}

impl Means {
    /// `leaves`: distinct votes, their samples, and their cluster, below `n_clusters`, if they have one. Every cluster has a leaf.
    pub(super) fn new<'a>(
        leaves: impl Iterator<Item = (&'a [u32], u64, Option<u16>)>,
        n_clusters: usize,
    ) -> Self {
        let mut counts: BTreeMap<Vec<bool>, BTreeMap<(u32, u16), f64>> = BTreeMap::new();
        let mut of_clusters = vec![0; n_clusters];
        for (votes, samples, cluster) in leaves {
            let Some(cluster) = cluster else { continue };
            of_clusters[usize::from(cluster)] += samples;
            let pattern = counts.entry(votes.iter().map(|&vote| vote != MISSING).collect());
            let pattern = pattern.or_default();
            for &vote in votes.iter().filter(|&&vote| vote != MISSING) {
                *pattern.entry((vote, cluster)).or_default() += count(samples);
            }
        }
        let patterns = counts.into_iter().map(|(models, counts)| Pattern::new(models, counts));
        Self { patterns: patterns.collect(), samples: of_clusters }
    }

    pub(super) fn n_clusters(&self) -> usize {
        self.samples.len()
    }

    /// The mean co-association of a sample with those of each cluster, into `means`, length n_clusters.
    ///
    /// `votes`: by cluster of all models, [`MISSING`] or [`UNKNOWN`], length n_models.
    pub(super) fn of(&self, votes: &[u32], weights: &VoteWeights, means: &mut [f64]) {
        means.fill(0.0);
        for pattern in &self.patterns {
            let both = || {
                let models = votes.iter().zip(&pattern.has_voted).enumerate();
                models.filter(|&(_, (&vote, &has_voted))| has_voted && vote != MISSING)
            };
            let common: f64 = both().map(|(model, _)| weights.models[model]).sum();
            for (model, (&vote, _)) in both().filter(|&(_, (&vote, _))| vote != UNKNOWN) {
                let share = weights.models[model] * weights.clusters[vote as usize] / common;
                for cell in pattern.cells_of(vote) {
                    means[usize::from(cell.cluster)] += share * cell.samples;
                }
            }
        }
        for (mean, &samples) in means.iter_mut().zip(&self.samples) {
            *mean /= count(samples);
        }
    }

    /// The cluster with the highest mean among those that `is_open`; ties go to the one with more samples, then to the lowest.
    pub(super) fn best(&self, means: &[f64], is_open: impl Fn(u16) -> bool) -> Option<Best> {
        let clusters = (0..).zip(means).filter(|&(cluster, _)| is_open(cluster));
        clusters.fold(None, |best: Option<Best>, (cluster, &mean)| {
            let is_better = best.is_none_or(|best| {
                let samples = |cluster: u16| self.samples[usize::from(cluster)];
                (mean, samples(cluster)) > (best.mean, samples(best.cluster))
            });
            if is_better { Some(Best { cluster, mean }) } else { best }
        })
    }
}
