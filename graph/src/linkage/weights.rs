//! How much each vote counts.

use consilience_data::Contingency;
use rayon::prelude::*;

use crate::{GraphError, Signatures, Threads};

/// Weights of models and of their single clusters. All are above 0, and a vote counts for the product of the two.
#[derive(Debug, Clone, PartialEq)]
pub struct VoteWeights {
    /// Shape (n_models).
    pub(super) models: Vec<f64>,
    /// Where each model's clusters start among those of all models, length n_models + 1.
    pub(super) starts: Vec<usize>,
    /// By cluster of all models, at most 1.
    pub(super) clusters: Vec<f64>,
}

impl VoteWeights {
    /// Every vote counts for 1.
    #[must_use]
    pub fn equal(signatures: &Signatures) -> Self {
        let starts = signatures.cluster_starts();
        let n_models = signatures.n_models();
        Self { models: vec![1.0; n_models], clusters: vec![1.0; starts[n_models]], starts }
    }

    /// Every kind of models counts for 1, shared among its models: eight models of one kind don't outvote two of another.
    ///
    /// # Arguments
    ///
    /// * `kinds`: a number for the kind of each model, shape (n_models).
    ///
    /// # Errors
    ///
    /// [`GraphError::OtherModelCount`] if `kinds` has another length.
    pub fn of_kinds(signatures: &Signatures, kinds: &[usize]) -> Result<Self, GraphError> {
        let (settings, votes) = (kinds.len(), signatures.n_models());
        if settings != votes {
            return Err(GraphError::OtherModelCount { settings, votes });
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 65,535 models")]
        let share = |kind| 1.0 / kinds.iter().filter(|&&other| other == kind).count() as f64;
        let models = kinds.iter().map(|&kind| share(kind)).collect();
        Ok(Self { models, ..Self::equal(signatures) })
    }

    /// The same, with each cluster the less, the more the other models break it up: locally weighted evidence accumulation (Huang,
    /// Wang and Lai, *Locally weighted ensemble clustering*, IEEE Transactions on Cybernetics 48, 2018).
    ///
    /// A cluster's uncertainty is the entropy, in bits, of the other models' votes on its samples, averaged over these models by their
    /// weights; its weight is exp(-uncertainty / `theta`). Models that didn't vote on any of its samples don't count. With no other
    /// model's votes the uncertainty is 0.
    ///
    /// # Errors
    ///
    /// [`GraphError::Theta`] unless `theta` is above 0 and finite.
    ///
    /// # Complexity
    ///
    /// O(n_models² * n_signatures), in parallel over models.
    pub fn by_certainty(
        self,
        signatures: &Signatures,
        theta: f64,
        threads: &Threads<'_>,
    ) -> Result<Self, GraphError> {
        if !(theta.is_finite() && theta > 0.0) {
            return Err(GraphError::Theta { theta });
        }
        let of_model = |model| self.uncertainties(signatures, model);
        let models = (0..signatures.n_models()).into_par_iter();
        let uncertainties: Vec<Vec<f64>> = threads.run(|| models.map(of_model).collect());
        // What counts for nothing at all would leave samples without any evidence.
        let weight = |uncertainty: f64| (-uncertainty / theta).exp().max(f64::MIN_POSITIVE);
        let clusters = uncertainties.concat().into_iter().map(weight).collect();
        Ok(Self { clusters, ..self })
    }

    /// The same, with the weight of a model times `factor`, above 0.
    #[must_use]
    pub fn scaled(mut self, model: consilience_data::ModelIdx, factor: f64) -> Self {
        debug_assert!(factor > 0.0 && factor.is_finite());
        self.models[model.index()] *= factor;
        self
    }

    /// Weight of a model.
    #[must_use]
    pub fn of_model(&self, model: consilience_data::ModelIdx) -> f64 {
        self.models[model.index()]
    }

    /// Weights of a model's clusters, by id.
    #[must_use]
    pub fn of_clusters(&self, model: consilience_data::ModelIdx) -> &[f64] {
        &self.clusters[self.starts[model.index()]..self.starts[model.index() + 1]]
    }

    /// The uncertainty of each cluster of a model, in bits.
    fn uncertainties(&self, signatures: &Signatures, model: usize) -> Vec<f64> {
        let n_own = self.starts[model + 1] - self.starts[model];
        let (mut sums, mut totals) = (vec![0.0; n_own], vec![0.0; n_own]);
        for other in (0..signatures.n_models()).filter(|&other| other != model) {
            let n_others = self.starts[other + 1] - self.starts[other];
            let overlap = overlap(signatures, (model, n_own), (other, n_others));
            for (own, cells) in overlap.rows().enumerate().filter(|(_, cells)| !cells.is_empty()) {
                sums[own] += self.models[other] * entropy(cells.iter().map(|cell| cell.n_samples));
                totals[own] += self.models[other];
            }
        }
        let means = sums.into_iter().zip(totals);
        means.map(|(sum, total)| if total > 0.0 { sum / total } else { 0.0 }).collect()
    }
}

/// Two models' clusters on the samples on which both voted; each a model with its number of clusters.
fn overlap(
    signatures: &Signatures,
    (first, n_first): (usize, usize),
    (second, n_second): (usize, usize),
) -> Contingency {
    let layout = &signatures.layout;
    let voted = signatures.iter().filter_map(|node| {
        let words = signatures.words_of(node);
        let pair = (layout.get(words, first)?, layout.get(words, second)?);
        Some(((pair.0.into(), pair.1.into()), u64::from(signatures.multiplicity(node))))
    });
    Contingency::weigh(voted, n_first, n_second)
}

/// Of shares, in bits.
#[expect(clippy::cast_precision_loss, reason = "fewer than 2^53 samples")]
fn entropy(counts: impl Iterator<Item = u64> + Clone) -> f64 {
    let total = counts.clone().sum::<u64>() as f64;
    counts.map(|count| count as f64 / total).map(|share| -share * share.log2()).sum()
}
