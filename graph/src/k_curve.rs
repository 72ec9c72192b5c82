//! The mini-clusters for every K up to a largest one: a help to choose K.

use consilience_data::PseudoLabel;
use rayon::prelude::*;
use serde::Serialize;

use crate::{AgreementGraph, Extraction, SignatureIdx, Threads};

/// The first `k` mini-clusters of an extraction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KPoint {
    /// Number of mini-clusters.
    pub k: usize,
    /// Share of all samples that they hold, 0..=1.
    pub coverage: f64,
    /// Number of samples in the smallest of them.
    pub smallest: usize,
    /// The lowest margin of their samples; see [`PseudoLabel::margin`].
    pub lowest_margin: i32,
    /// The mean margin of their samples.
    pub mean_margin: f64,
}

/// A labelled signature and its margin so far.
struct Labelled {
    signature: SignatureIdx,
    label: usize,
    agreement: u16,
    /// Agreement with the best other anchor.
    next: u16,
}

impl AgreementGraph<'_> {
    /// What an extraction with a smaller K would have found. As mini-clusters are taken one after the other, the
    /// first k of an extraction are what K = k gives: one extraction serves all.
    ///
    /// # Arguments
    ///
    /// * `extraction`: of this graph.
    ///
    /// # Returns
    ///
    /// A point for each k from 1 to the number of mini-clusters that were found.
    ///
    /// # Complexity
    ///
    /// O(labelled signatures * K).
    #[must_use]
    pub fn curve_over_k(&self, extraction: &Extraction, threads: &Threads<'_>) -> Vec<KPoint> {
        let signatures = self.signatures();
        let sizes = extraction.pseudo_labels.sizes();
        // A signature's samples are labelled alike; its first one stands for them.
        let entries = extraction.pseudo_labels.entries().iter();
        let mut labelled: Vec<Labelled> = entries
            .filter_map(|&PseudoLabel { sample, label, agreement, .. }| {
                let signature = signatures.of_sample(sample);
                let stands = signatures.first_sample(signature) == sample;
                stands.then(|| Labelled { signature, label: label.index(), agreement, next: 0 })
            })
            .collect();
        let mut samples = 0;
        let points = extraction.anchors.iter().enumerate().map(|(newest, &anchor)| {
            let anchor = signatures.of_sample(anchor);
            threads.run(|| self.add_anchor(&mut labelled, newest, anchor));
            samples += sizes[newest];
            let found = labelled.iter().filter(|entry| entry.label <= newest);
            self.point(newest + 1, samples, &sizes, found)
        });
        points.collect()
    }

    /// Compares everybody with a new anchor. Signatures of later mini-clusters, too: theirs will be asked later.
    fn add_anchor(&self, labelled: &mut [Labelled], newest: usize, anchor: SignatureIdx) {
        labelled.par_iter_mut().filter(|entry| entry.label != newest).for_each(|entry| {
            let agreement = self.signatures().agreement(anchor, entry.signature);
            entry.next = entry.next.max(agreement);
        });
    }

    #[expect(clippy::cast_precision_loss, reason = "shares and means")]
    fn point<'e>(
        &self,
        k: usize,
        samples: usize,
        sizes: &[usize],
        found: impl Iterator<Item = &'e Labelled>,
    ) -> KPoint {
        let (mut lowest_margin, mut sum) = (i32::MAX, 0);
        for entry in found {
            let margin = i32::from(entry.agreement) - i32::from(entry.next);
            lowest_margin = lowest_margin.min(margin);
            sum += i64::from(margin) * i64::from(self.signatures().multiplicity(entry.signature));
        }
        KPoint {
            k,
            coverage: samples as f64 / self.signatures().n_samples().max(1) as f64,
            smallest: sizes[..k].iter().copied().min().unwrap_or(0),
            lowest_margin,
            mean_margin: sum as f64 / samples.max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        Signatures,
        common::{fitting, params, votes},
    };

    proptest! {
        #[test]
        fn a_prefix_is_what_a_smaller_k_gives(votes in votes(), params in params()) {
            let agreement = fitting(&votes, &params).check(votes.n_models()).unwrap();
            let threads = Threads::new(2).unwrap();
            let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
            let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
            let largest = graph.extract(5, &threads).unwrap();
            let curve = graph.curve_over_k(&largest, &threads);
            prop_assert_eq!(curve.len(), largest.anchors.len());
            for point in curve {
                let found = graph.extract(point.k, &threads).unwrap();
                let margins = found.pseudo_labels.entries().iter().map(|entry| entry.margin);
                let mean = margins.clone().map(f64::from).sum::<f64>() / margins.len() as f64;
                prop_assert_eq!(point.coverage, found.pseudo_labels.coverage());
                prop_assert_eq!(point.smallest, found.smallest());
                prop_assert_eq!(Some(point.lowest_margin), margins.min());
                prop_assert!((point.mean_margin - mean).abs() < 1e-9);
            }
        }
    }
}
