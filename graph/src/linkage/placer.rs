//! From the votes on a sample to its cluster: what is kept of a tree that was cut.

use std::collections::BTreeMap;

use consilience_data::ClusterId;
use serde::{Deserialize, Serialize};

use super::leaves::{MISSING, UNKNOWN, narrow};
use super::means::Means;
use super::weights::VoteWeights;
use crate::GraphError;

/// A cluster for the votes of any sample, old or new. See [`Partition::placer`](super::Partition::placer).
#[derive(Debug, Clone)]
pub struct Placer {
    weights: VoteWeights,
    /// Distinct votes of the tree, in their order, shape (n_leaves, n_models).
    votes: Vec<u32>,
    /// Samples with each, length n_leaves.
    samples: Vec<u64>,
    /// Their cluster, length n_leaves.
    clusters: Vec<ClusterId>,
    means: Means,
}

/// Where a sample's votes put it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Its cluster.
    pub cluster: ClusterId,
    /// The confidence: mean co-association with the samples of its cluster that are in the tree, 0..=1.
    pub similarity: f32,
    /// The highest mean co-association with those of another cluster, 0..=1; 0 if there is no other.
    pub runner_up: f32,
}

/// A [`Placer`] in plain arrays, to be written and read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlacerParts {
    /// Weight of each model, length n_models.
    pub models: Vec<f64>,
    /// Number of clusters of each model, length n_models.
    pub n_clusters: Vec<u32>,
    /// Weight of each cluster of all models, model after model.
    pub clusters: Vec<f64>,
    /// Distinct votes of the tree, as numbers of clusters among those of all models, in their order, shape (n_leaves, n_models), row by row;
    /// `u32::MAX`: no vote.
    pub votes: Vec<u32>,
    /// Samples with each of these votes, length n_leaves.
    pub samples: Vec<u64>,
    /// Their cluster, length n_leaves.
    pub assigned: Vec<u16>,
}

impl Placer {
    /// `leaves`: distinct votes, the number of their samples and their cluster, in any order.
    pub(super) fn new<'a>(
        weights: VoteWeights,
        leaves: impl Iterator<Item = (&'a [u32], u64, ClusterId)>,
        n_clusters: usize,
    ) -> Self {
        let mut leaves: Vec<_> = leaves.collect();
        leaves.sort_unstable_by_key(|&(votes, _, _)| votes);
        let of_clusters =
            leaves.iter().map(|&(votes, samples, cluster)| (votes, samples, Some(cluster.0)));
        Self {
            means: Means::new(of_clusters, n_clusters),
            votes: leaves.iter().flat_map(|leaf| leaf.0).copied().collect(),
            samples: leaves.iter().map(|leaf| leaf.1).collect(),
            clusters: leaves.iter().map(|leaf| leaf.2).collect(),
            weights,
        }
    }

    /// Number of models whose votes are asked for.
    #[must_use]
    pub fn n_models(&self) -> usize {
        self.weights.models.len()
    }

    /// Number of clusters, K.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.means.n_clusters()
    }

    /// The cluster of a sample, by its votes alone: if they are in the tree, theirs; else the one with the highest mean co-association. `None`
    /// without votes. O(log n_leaves + n_models K).
    ///
    /// # Arguments
    ///
    /// * `votes`: length n_models; a model may name clusters that it never named before.
    ///
    /// # Errors
    ///
    /// [`GraphError::OtherModelCount`] if they are of another number of models.
    pub fn assign(&self, votes: &[Option<ClusterId>]) -> Result<Option<Placement>, GraphError> {
        let starts = &self.weights.starts;
        let (settings, n_votes) = (self.n_models(), votes.len());
        if settings != n_votes {
            return Err(GraphError::OtherModelCount { settings, votes: n_votes });
        }
        let numbered: Vec<u32> = votes
            .iter()
            .zip(starts.windows(2))
            .map(|(vote, clusters)| match vote {
                None => MISSING,
                Some(own) if own.index() < clusters[1] - clusters[0] => {
                    narrow(clusters[0] + own.index())
                }
                Some(_) => UNKNOWN,
            })
            .collect();
        let known = self.find(&numbered).map(|leaf| self.clusters[leaf]);
        Ok(self.place(&numbered, known, &mut vec![0.0; self.n_clusters()]))
    }

    /// The leaf with these votes.
    fn find(&self, votes: &[u32]) -> Option<usize> {
        let (mut low, mut high) = (0, self.samples.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let here = &self.votes[middle * votes.len()..][..votes.len()];
            match here.cmp(votes) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// `votes`: as numbers of clusters among those of all models. `known`: the cluster, if the votes are in the tree. `means`: for scratch, length K.
    #[expect(clippy::cast_possible_truncation, reason = "storage")]
    pub(super) fn place(
        &self,
        votes: &[u32],
        known: Option<ClusterId>,
        means: &mut [f64],
    ) -> Option<Placement> {
        if votes.iter().all(|&vote| vote == MISSING) {
            return None;
        }
        self.means.of(votes, &self.weights, means);
        let best = || self.means.best(means, |_| true).map(|best| ClusterId(best.cluster));
        let cluster = known.or_else(best)?;
        let runner_up = self.means.best(means, |other| other != cluster.0);
        Some(Placement {
            cluster,
            similarity: means[cluster.index()] as f32,
            runner_up: runner_up.map_or(0.0, |best| best.mean as f32),
        })
    }

    /// All of it in plain arrays.
    #[must_use]
    pub fn parts(&self) -> PlacerParts {
        let VoteWeights { models, starts, clusters } = &self.weights;
        PlacerParts {
            models: models.clone(),
            n_clusters: starts.windows(2).map(|pair| narrow(pair[1] - pair[0])).collect(),
            clusters: clusters.clone(),
            votes: self.votes.clone(),
            samples: self.samples.clone(),
            assigned: self.clusters.iter().map(|cluster| cluster.0).collect(),
        }
    }

    /// The same rule for the votes of the first `n_models`, at least one, if votes that are equal in these are in one cluster; `None` else.
    #[must_use]
    pub fn of_first(&self, n_models: usize) -> Option<Self> {
        let all = self.n_models();
        let PlacerParts { models, n_clusters, clusters, votes, samples, assigned } = self.parts();
        let n_own: usize = n_clusters.iter().take(n_models).map(|&own| own as usize).sum();
        let mut leaves: BTreeMap<&[u32], (u64, u16)> = BTreeMap::new();
        for ((votes, &samples), &cluster) in votes.chunks_exact(all).zip(&samples).zip(&assigned) {
            let (sum, known) = leaves.entry(&votes[..n_models]).or_insert((0, cluster));
            *sum += samples;
            if *known != cluster {
                return None;
            }
        }
        Self::from_parts(&PlacerParts {
            models: models[..n_models].to_vec(),
            n_clusters: n_clusters[..n_models].to_vec(),
            clusters: clusters[..n_own].to_vec(),
            votes: leaves.keys().copied().flatten().copied().collect(),
            samples: leaves.values().map(|leaf| leaf.0).collect(),
            assigned: leaves.values().map(|leaf| leaf.1).collect(),
        })
    }

    /// What [`Placer::parts`] gave; `None` if it isn't that.
    #[must_use]
    pub fn from_parts(parts: &PlacerParts) -> Option<Self> {
        let PlacerParts { models, n_clusters, clusters, votes, samples, assigned } = parts;
        let n_models = models.len();
        let mut starts = vec![0_usize];
        for &own in n_clusters {
            starts.push(starts.last()? + own as usize);
        }
        let n_all = *starts.last()?;
        let positive = |&weight: &f64| weight > 0.0 && weight.is_finite();
        let fits = n_models > 0
            && n_clusters.len() == n_models
            && clusters.len() == n_all
            && votes.len() == samples.len() * n_models
            && assigned.len() == samples.len()
            && models.iter().chain(clusters).all(positive)
            && samples.iter().all(|&samples| samples > 0);
        if !fits {
            return None;
        }
        let of_model = |(at, &vote): (usize, &u32)| {
            let own = starts[at % n_models]..starts[at % n_models + 1];
            vote == MISSING || own.contains(&(vote as usize))
        };
        // Every cluster has a leaf, or its mean is of nothing.
        let n_clusters = usize::from(*assigned.iter().max()?) + 1;
        let mut is_there = vec![false; n_clusters];
        assigned.iter().for_each(|&cluster| is_there[usize::from(cluster)] = true);
        if !votes.iter().enumerate().all(of_model) || is_there.contains(&false) {
            return None;
        }
        let weights = VoteWeights { models: models.clone(), starts, clusters: clusters.clone() };
        let leaves = votes.chunks_exact(n_models).zip(samples).zip(assigned);
        let leaves = leaves.map(|((votes, &samples), &id)| (votes, samples, ClusterId(id)));
        Some(Self::new(weights, leaves, n_clusters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_models_decide_alone_if_the_others_follow_from_them() {
        let parts = |assigned: [u16; 3]| PlacerParts {
            models: vec![1.0, 1.0, 0.05],
            n_clusters: vec![2; 3],
            clusters: vec![1.0; 6],
            votes: vec![0, 2, 4, 0, 3, 4, 1, 3, 5],
            samples: vec![3, 2, 4],
            assigned: assigned.to_vec(),
        };
        let of_first = |assigned, n| Placer::from_parts(&parts(assigned)).unwrap().of_first(n);
        let two = of_first([0, 0, 1], 2).unwrap();
        let place = |a, b| two.assign(&[Some(ClusterId(a)), Some(ClusterId(b))]).unwrap().unwrap();
        assert_eq!(
            (two.n_models(), place(0, 1).cluster, place(1, 1).cluster),
            (2, ClusterId(0), ClusterId(1))
        );
        assert_eq!(place(0, 0).similarity, (3.0 * 2.0 + 2.0) / 2.0 / 5.0);
        let one = of_first([0, 0, 1], 1).unwrap();
        assert_eq!(one.parts().samples, [5, 4]);
        assert!(of_first([0, 1, 1], 1).is_none(), "equal votes of the first are in two clusters");
    }
}
