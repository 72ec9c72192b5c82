//! Which pseudo-labels the ensemble learns from next.

use consilience_data::PseudoLabels;
use consilience_graph::Extraction;

/// Remembers the best complete set of mini-clusters, for rounds that find fewer than asked for.
#[derive(Debug)]
pub(crate) struct Choice {
    /// Of the round whose smallest mini-cluster was largest; empty until all K have been found once.
    best: PseudoLabels,
    smallest: usize,
}

impl Choice {
    pub(crate) fn new(n_samples: usize) -> Self {
        Self { best: PseudoLabels::new(Vec::new(), 0, n_samples), smallest: 0 }
    }

    /// This round's mini-clusters if all `k` were found, else the best of the rounds before, else none.
    pub(crate) fn of<'a>(&'a mut self, extraction: &'a Extraction, k: usize) -> &'a PseudoLabels {
        if !extraction.is_complete(k) {
            return &self.best;
        }
        if extraction.smallest() > self.smallest {
            self.smallest = extraction.smallest();
            self.best.clone_from(&extraction.pseudo_labels);
        }
        &extraction.pseudo_labels
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{ClusterId, PseudoLabel, SampleIdx};

    use super::*;

    /// Mini-clusters of the given sizes.
    fn extraction(sizes: &[usize]) -> Extraction {
        let of = |(label, &size): (usize, &usize)| vec![ClusterId::from_index(label); size];
        let labels: Vec<ClusterId> = sizes.iter().enumerate().flat_map(of).collect();
        let entries = labels.into_iter().zip(0..).map(|(label, sample)| PseudoLabel {
            sample: SampleIdx(sample),
            label,
            agreement: 1,
            margin: 1,
            confidence: 1.0,
        });
        Extraction {
            pseudo_labels: PseudoLabels::new(entries.collect(), sizes.len(), 100),
            anchors: vec![SampleIdx(0); sizes.len()],
            n_signatures: sizes.len(),
            n_without_votes: 0,
        }
    }

    #[test]
    fn a_complete_set_is_learnt_from_and_the_best_stands_in_for_an_incomplete_one() {
        let mut choice = Choice::new(100);
        assert_eq!(choice.of(&extraction(&[5]), 2).len(), 0, "none found yet");
        assert_eq!(choice.of(&extraction(&[9, 4]), 2).sizes(), [9, 4]);
        assert_eq!(choice.of(&extraction(&[6, 5]), 2).sizes(), [6, 5]);
        assert_eq!(
            choice.of(&extraction(&[20, 3]), 2).sizes(),
            [20, 3],
            "the latest, as it is complete"
        );
        assert_eq!(choice.of(&extraction(&[9]), 2).sizes(), [6, 5], "the best in its place");
    }
}
