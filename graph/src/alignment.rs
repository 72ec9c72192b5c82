//! Gives the clusters of all models common ids.

use std::cmp::Reverse;

use consilience_data::{ClusterId, Contingency, ModelIdx, PseudoLabel, PseudoLabels, Votes};

use crate::{GraphError, maximum_matching};

/// Which cluster of each model is which common cluster.
///
/// The common clusters are the mini-clusters, or, if there are none, the clusters of model 0. A cluster has at
/// most one partner; where a model has as many clusters as there are common ones, the matching is a
/// permutation, as clusters that overlap with nothing are paired too, in ascending order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alignment {
    n_common: usize,
    /// Shape (n_models, n_clusters of the model): common ids.
    to_common: Vec<Vec<Option<ClusterId>>>,
    /// Shape (n_models, n_common): the model's own ids.
    to_own: Vec<Vec<Option<ClusterId>>>,
}

impl Alignment {
    /// Matches the clusters of every model in `votes` to the mini-clusters of `pseudo_labels`, by the number of
    /// pseudo-labelled samples they share; without mini-clusters, to the clusters of model 0, by the number of
    /// samples on which both voted.
    ///
    /// # Errors
    ///
    /// [`GraphError::SampleCount`] if the numbers of samples differ.
    ///
    /// # Complexity
    ///
    /// O(n_models * n_samples), and a matching for each model: see [`maximum_matching`].
    pub fn new(votes: &Votes, pseudo_labels: &PseudoLabels) -> Result<Self, GraphError> {
        let (found, expected) = (pseudo_labels.n_samples(), votes.n_samples());
        if found != expected {
            return Err(GraphError::SampleCount { what: "pseudo-labels", found, expected });
        }
        if pseudo_labels.n_clusters() == 0 {
            return Ok(Self::to_first_model(votes));
        }
        let n_common = pseudo_labels.n_clusters();
        Ok(Self::by_overlap(votes, n_common, |model| {
            let votes_of = votes.of_model(model);
            let pairs = pseudo_labels.entries().iter().filter_map(|entry| {
                Some((entry.label.index(), voted(votes_of[entry.sample.index()])?))
            });
            Contingency::count(pairs, n_common, votes.n_clusters(model))
        }))
    }

    /// Matches the clusters of every model in `votes` to those of model 0.
    ///
    /// # Complexity
    ///
    /// As [`Alignment::new`].
    #[must_use]
    pub fn to_first_model(votes: &Votes) -> Self {
        let first = votes.of_model(ModelIdx(0));
        let n_common = votes.n_clusters(ModelIdx(0));
        Self::by_overlap(votes, n_common, |model| {
            let pairs = first.iter().zip(votes.of_model(model));
            let pairs = pairs.filter_map(|(&first, &own)| Some((voted(first)?, voted(own)?)));
            Contingency::count(pairs, n_common, votes.n_clusters(model))
        })
    }

    /// Matches the clusters of every model in `votes` to the `k` largest of one model (ties: the lowest id), in the order of their
    /// ids: of the model whose number of clusters is nearest to `k` (ties: the first). Its other clusters have no common id.
    ///
    /// # Complexity
    ///
    /// As [`Alignment::new`].
    #[must_use]
    pub fn to_largest(votes: &Votes, k: usize) -> Self {
        let models = (0..votes.n_models()).map(ModelIdx::from_index);
        let nearest = models.min_by_key(|&model| votes.n_clusters(model).abs_diff(k));
        let model = nearest.unwrap_or(ModelIdx(0));
        let mut sizes = vec![0_usize; votes.n_clusters(model)];
        votes.of_model(model).iter().filter_map(|&own| voted(own)).for_each(|own| sizes[own] += 1);
        let mut largest: Vec<usize> = (0..sizes.len()).collect();
        largest.sort_by_key(|&own| Reverse(sizes[own]));
        largest.truncate(k);
        largest.sort_unstable();
        let common = |own: u16| voted(own).and_then(|own| largest.binary_search(&own).ok());
        let first = votes.of_model(model);
        Self::by_overlap(votes, largest.len(), |model| {
            let pairs = first.iter().zip(votes.of_model(model));
            let pairs = pairs.filter_map(|(&first, &own)| Some((common(first)?, voted(own)?)));
            Contingency::count(pairs, largest.len(), votes.n_clusters(model))
        })
    }

    /// `overlap` counts the samples by their common cluster and by the model's own.
    fn by_overlap(
        votes: &Votes,
        n_common: usize,
        overlap: impl Fn(ModelIdx) -> Contingency,
    ) -> Self {
        let mut alignment = Self { n_common, to_common: Vec::new(), to_own: Vec::new() };
        for model in (0..votes.n_models()).map(ModelIdx::from_index) {
            let n_own = votes.n_clusters(model);
            let to_own = maximum_matching(&overlap(model));
            let mut to_common = vec![None; n_own];
            for (common, own) in to_own.iter().enumerate() {
                if let Some(own) = *own {
                    to_common[own] = Some(ClusterId::from_index(common));
                }
            }
            alignment.to_common.push(to_common);
            alignment
                .to_own
                .push(to_own.into_iter().map(|own| own.map(ClusterId::from_index)).collect());
        }
        alignment
    }

    /// From the common id of each of every model's clusters, shape (n_models, n_clusters of the model): what
    /// [`Alignment::from_model`] gives, written down and read back. O(n_models * K).
    ///
    /// # Errors
    ///
    /// [`GraphError::Alignment`] for a common id of `n_common` or more, and one that two of a model's clusters have.
    pub fn from_common(
        to_common: Vec<Vec<Option<ClusterId>>>,
        n_common: usize,
    ) -> Result<Self, GraphError> {
        let mut to_own = vec![vec![None; n_common]; to_common.len()];
        for (model, (to_common, to_own)) in to_common.iter().zip(&mut to_own).enumerate() {
            for (own, common) in to_common.iter().enumerate() {
                let Some(common) = *common else { continue };
                let place = to_own.get_mut(common.index()).filter(|place| place.is_none());
                let place = place.ok_or(GraphError::Alignment { model, common: common.0 })?;
                *place = Some(ClusterId::from_index(own));
            }
        }
        Ok(Self { n_common, to_common, to_own })
    }

    /// Number of models.
    #[must_use]
    pub fn n_models(&self) -> usize {
        self.to_own.len()
    }

    /// Number of common clusters.
    #[must_use]
    pub fn n_common(&self) -> usize {
        self.n_common
    }

    /// The common id of each of a model's clusters, length n_clusters of the model; `None` if the model has more
    /// clusters than there are common ones and this one is left over.
    #[must_use]
    pub fn from_model(&self, model: ModelIdx) -> &[Option<ClusterId>] {
        &self.to_common[model.index()]
    }

    /// Pseudo-labels in a model's own ids, so that it can train on them in its own numbering. Labels of common clusters
    /// without a partner in the model (it has fewer clusters) are left out.
    #[must_use]
    pub fn to_model(&self, model: ModelIdx, pseudo_labels: &PseudoLabels) -> PseudoLabels {
        let to_own = &self.to_own[model.index()];
        let renumber = |entry: &PseudoLabel| {
            let label = to_own.get(entry.label.index()).copied().flatten()?;
            Some(PseudoLabel { label, ..*entry })
        };
        let entries = pseudo_labels.entries().iter().filter_map(renumber).collect();
        let n_clusters = self.to_common[model.index()].len();
        let given = pseudo_labels.given().to_vec();
        PseudoLabels::new(entries, n_clusters, pseudo_labels.n_samples()).with_given(given)
    }
}

fn voted(cluster: u16) -> Option<usize> {
    (cluster != Votes::MISSING).then_some(usize::from(cluster))
}

#[cfg(test)]
mod tests {
    use consilience_data::SampleIdx;
    use ndarray::{Array2, array};

    use super::*;

    fn votes(clusters: Array2<u16>) -> Votes {
        let confidences = Array2::ones(clusters.raw_dim());
        Votes::new(clusters, confidences).unwrap()
    }

    fn labels(labels: &[(u32, u16)], n_clusters: usize, n_samples: usize) -> PseudoLabels {
        let entry = |&(sample, label)| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(label),
            agreement: 1,
            margin: 1,
            confidence: 1.0,
        };
        PseudoLabels::new(labels.iter().map(entry).collect(), n_clusters, n_samples)
    }

    fn ids(ids: &[u16]) -> Vec<Option<ClusterId>> {
        ids.iter().map(|&id| Some(ClusterId(id))).collect()
    }

    #[test]
    fn models_meet_in_the_mini_clusters() {
        let votes = votes(array![[0, 0, 1, 1, 2, 2], [2, 2, 0, 0, 1, 1]]);
        let labelled = labels(&[(0, 1), (2, 0), (3, 0), (4, 2)], 3, 6);
        let alignment = Alignment::new(&votes, &labelled).unwrap();
        assert_eq!(alignment.from_model(ModelIdx(0)), ids(&[1, 0, 2]));
        assert_eq!(alignment.from_model(ModelIdx(1)), ids(&[0, 2, 1]));
        let own = alignment.to_model(ModelIdx(1), &labelled);
        assert_eq!(
            own.entries().iter().map(|entry| entry.label.0).collect::<Vec<_>>(),
            [2, 0, 0, 1]
        );
    }

    #[test]
    fn without_mini_clusters_models_meet_in_the_first() {
        let votes = votes(array![[0, 0, 1, 1], [1, 1, 0, Votes::MISSING]]);
        let alignment = Alignment::new(&votes, &labels(&[], 0, 4)).unwrap();
        assert_eq!((alignment.n_common(), alignment.n_models()), (2, 2));
        assert_eq!(alignment.from_model(ModelIdx(0)), ids(&[0, 1]));
        assert_eq!(alignment.from_model(ModelIdx(1)), ids(&[1, 0]));
    }

    #[test]
    fn no_more_clusters_are_common_than_asked_for() {
        let votes = votes(array![[0, 1, 1, 2, 2, 3], [2, 1, 1, 0, 0, 0]]);
        let alignment = Alignment::to_largest(&votes, 2);
        assert_eq!(alignment.n_common(), 2, "those of the second model");
        let [zero, one] = [0, 1].map(|id| Some(ClusterId(id)));
        assert_eq!(alignment.from_model(ModelIdx(1)), [zero, one, None]);
        assert_eq!(alignment.from_model(ModelIdx(0)), [None, one, zero, None]);
        assert_eq!(Alignment::to_largest(&votes, 4), Alignment::to_first_model(&votes));
    }

    #[test]
    fn numbers_of_clusters_may_differ() {
        let votes = votes(array![[0, 1, 2, 2], [0, 0, 0, 0], [Votes::MISSING; 4]]);
        let labelled = labels(&[(0, 1), (2, 0), (3, 0)], 2, 4);
        let alignment = Alignment::new(&votes, &labelled).unwrap();
        let [one, zero] = [1, 0].map(|id| Some(ClusterId(id)));
        assert_eq!(alignment.from_model(ModelIdx(0)), [one, None, zero]);
        assert_eq!(alignment.from_model(ModelIdx(1)), [zero]);
        assert_eq!(alignment.from_model(ModelIdx(2)), []);
        assert_eq!(alignment.to_model(ModelIdx(1), &labelled).len(), 2);
        assert!(alignment.to_model(ModelIdx(2), &labelled).is_empty());
    }

    #[test]
    fn an_alignment_is_read_back() {
        let votes = votes(array![[0, 1, 2, 2], [0, 0, 0, 0]]);
        let alignment = Alignment::new(&votes, &labels(&[(0, 1), (2, 0)], 2, 4)).unwrap();
        let written = |model| alignment.from_model(ModelIdx(model)).to_vec();
        let read = Alignment::from_common(vec![written(0), written(1)], 2).unwrap();
        assert_eq!(read, alignment);
        let twice = Alignment::from_common(vec![ids(&[0, 1]), ids(&[1, 1])], 2).unwrap_err();
        assert_eq!(twice.to_string(), "alignment: model 1 has no place for common cluster 1");
        assert!(Alignment::from_common(vec![ids(&[2])], 2).is_err());
    }

    #[test]
    fn clusters_without_overlap_are_paired_in_ascending_order() {
        let votes = votes(array![[0, 1, 2, 3]]);
        let alignment = Alignment::new(&votes, &labels(&[(2, 1)], 4, 4)).unwrap();
        assert_eq!(alignment.from_model(ModelIdx(0)), ids(&[0, 2, 1, 3]));
    }

    #[test]
    fn another_number_of_samples_is_an_error() {
        let error = Alignment::new(&votes(array![[0, 1]]), &labels(&[], 1, 3)).unwrap_err();
        assert_eq!(error.to_string(), "pseudo-labels: 3 samples, expected 2");
    }
}
