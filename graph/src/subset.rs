//! Signatures of some of the models.

use consilience_data::ModelIdx;

use crate::{
    Signatures,
    packing::Layout,
    word_table::{WordTable, hash},
};

impl Signatures {
    /// The samples grouped by the votes of some models only, to choose among models or to compare them.
    ///
    /// A sample passes the gate if it does so with all models' confidences, and has a vote of `models`;
    /// [`Signatures::lowest_confidence`] stays that of all models, as no model's own is kept.
    ///
    /// # Arguments
    ///
    /// * `models`: each once, in the order in which they are to be numbered.
    ///
    /// # Panics
    ///
    /// If one of `models` is not below [`Signatures::n_models`].
    ///
    /// # Complexity
    ///
    /// O(`n_samples` + `n_signatures` * number of models).
    ///
    /// # Example
    ///
    /// ```
    /// use consilience_data::{ModelIdx, Votes};
    /// use consilience_graph::{AgreementParams, Signatures, Threads};
    /// use ndarray::{Array2, array};
    ///
    /// let clusters = array![[0, 0, 1, 1], [0, 1, 2, 3], [1, 1, 0, 0]];
    /// let votes = Votes::new(clusters, Array2::ones((3, 4)))?;
    /// let agreement = AgreementParams::default().check(3)?;
    /// let threads = Threads::new(1)?;
    /// let signatures = Signatures::group(&votes, &agreement, &threads)?;
    /// assert_eq!((signatures.len(), signatures.n_clusters(ModelIdx(1))), (4, 4));
    /// let coarse = signatures.of_models(&[ModelIdx(0), ModelIdx(2)]);
    /// assert_eq!(coarse.len(), 2);
    /// assert_eq!(coarse.pair_counts(&threads).by_agreement(), [4, 0, 2]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of_models(&self, models: &[ModelIdx]) -> Self {
        let room: Vec<usize> =
            models.iter().map(|model| self.layout.capacity(model.index())).collect();
        let layout = Layout::new(&room);
        let mut table = WordTable::new(layout.n_words());
        let mut key = vec![0; layout.n_words()];
        let (mut multiplicities, mut first_samples) = (Vec::new(), Vec::new());
        let numbers: Vec<u32> = self
            .iter()
            .map(|node| {
                key.fill(0);
                let words = self.words_of(node);
                for (to, model) in models.iter().enumerate() {
                    layout.set(&mut key, to, self.layout.get(words, model.index()));
                }
                if self.passes_gate(node) && key.iter().any(|&word| word != 0) {
                    Layout::set_gate(&mut key);
                }
                let number = table.intern(&key, hash(&key));
                if number as usize == multiplicities.len() {
                    multiplicities.push(0);
                    first_samples.push(self.first_sample(node));
                }
                multiplicities[number as usize] += self.multiplicity(node);
                number
            })
            .collect();
        let mut seen = Self {
            layout,
            words: table.into_keys(),
            multiplicities,
            first_samples,
            of_sample: self.of_sample.iter().map(|&node| numbers[node as usize]).collect(),
            lowest_confidences: self.lowest_confidences.clone(),
            min_confidence: self.min_confidence,
            is_complete: false,
        };
        seen.is_complete = seen.has_all_votes();
        seen
    }

    /// Number of distinct clusters that a model names.
    ///
    /// # Panics
    ///
    /// If `model` is not below [`Signatures::n_models`].
    ///
    /// # Complexity
    ///
    /// O(`n_signatures`).
    #[must_use]
    pub fn n_clusters(&self, model: ModelIdx) -> usize {
        let mut is_named = vec![false; self.layout.capacity(model.index())];
        for node in self.iter() {
            if let Some(cluster) = self.layout.get(self.words_of(node), model.index()) {
                is_named[usize::from(cluster)] = true;
            }
        }
        is_named.into_iter().filter(|&is_named| is_named).count()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use consilience_data::{SampleIdx, Votes};
    use ndarray::Axis;
    use proptest::prelude::*;

    use super::*;
    use crate::{AgreementParams, Threads, common::votes};

    fn grouped(votes: &Votes, threads: &Threads<'_>) -> Signatures {
        let agreement = AgreementParams::default().check(votes.n_models()).unwrap();
        Signatures::group(votes, &agreement, threads).unwrap()
    }

    proptest! {
        #[test]
        fn some_models_see_what_their_votes_alone_say(
            (votes, picked) in votes().prop_flat_map(|votes| {
                let models: Vec<usize> = (0..votes.n_models()).collect();
                let n_models = models.len();
                (Just(votes), prop::sample::subsequence(models, 1..=n_models).prop_shuffle())
            }),
        ) {
            let threads = Threads::new(2).unwrap();
            let all = grouped(&votes, &threads);
            let alone = Votes::new(
                votes.clusters().select(Axis(0), &picked),
                votes.confidences().select(Axis(0), &picked),
            ).unwrap();
            let models: Vec<ModelIdx> = picked.iter().map(|&at| ModelIdx::from_index(at)).collect();
            let seen = all.of_models(&models);
            let expected = grouped(&alone, &threads);
            prop_assert_eq!(seen.is_complete(), expected.is_complete());
            prop_assert_eq!(seen.n_without_votes(), expected.n_without_votes());
            prop_assert_eq!(seen.pair_counts(&threads), expected.pair_counts(&threads));
            let mut multiplicity = 0;
            for sample in (0..votes.n_samples()).map(SampleIdx::from_index) {
                let node = seen.of_sample(sample);
                prop_assert_eq!(seen.votes(node), expected.votes(expected.of_sample(sample)));
                let was_sure = all.passes_gate(all.of_sample(sample));
                let has_vote = seen.votes(node).iter().any(Option::is_some);
                prop_assert_eq!(seen.passes_gate(node), was_sure && has_vote);
                prop_assert!(seen.first_sample(node) <= sample);
                if seen.first_sample(node) == sample {
                    multiplicity += seen.multiplicity(node) as usize;
                }
            }
            prop_assert_eq!(multiplicity, votes.n_samples());
            prop_assert!(seen.first_samples.is_sorted());
            for (at, &model) in picked.iter().enumerate() {
                let ids = votes.clusters().row(model).to_owned();
                let ids: BTreeSet<u16> = ids.into_iter().filter(|&id| id != Votes::MISSING).collect();
                prop_assert_eq!(seen.n_clusters(ModelIdx::from_index(at)), ids.len());
            }
        }
    }
}
