//! Mini-clusters around samples whose cluster is known.

use consilience_data::{ClusterId, PseudoLabel, PseudoLabels, SampleIdx};

use crate::{AgreementGraph, Extraction, SignatureIdx};

/// What a signature has to do with the seeds of a cluster.
#[derive(Clone, Copy, Default)]
struct Bond {
    /// Models that put it with the seed that it is closest to.
    agreement: u16,
    is_strong: bool,
}

impl AgreementGraph<'_> {
    /// The samples with a strong positive edge to a seed of one cluster and of no other, labelled with that cluster; the seeds
    /// themselves are not among them unless they pass the gate.
    ///
    /// Where the seeds are samples whose clusters are known, and all models' votes on them were made to say so, samples of the
    /// same known cluster are linked, and those of different ones aren't: must-link and cannot-link edges that no vote can undo.
    ///
    /// # Arguments
    ///
    /// * `seeds`: samples with their clusters, below `k`.
    ///
    /// # Complexity
    ///
    /// O(signatures x signatures of seeds x models).
    #[must_use]
    pub fn extract_around(&self, seeds: &[(SampleIdx, ClusterId)], k: usize) -> Extraction {
        let signatures = self.signatures();
        let seed =
            |&(sample, cluster): &(SampleIdx, ClusterId)| (signatures.of_sample(sample), cluster);
        let mut anchors: Vec<(SignatureIdx, ClusterId)> = seeds.iter().map(seed).collect();
        anchors.sort_unstable();
        anchors.dedup();
        let bonds: Vec<Option<(ClusterId, u16, i32)>> =
            signatures.iter().map(|signature| self.bond(signature, &anchors, k)).collect();
        let label = |sample: SampleIdx| {
            let (label, agreement, margin) = bonds[signatures.of_sample(sample).index()]?;
            let confidence = signatures.lowest_confidence(sample);
            Some(PseudoLabel { sample, label, agreement, margin, confidence })
        };
        let samples = (0..signatures.n_samples()).map(SampleIdx::from_index);
        let pseudo_labels =
            PseudoLabels::new(samples.filter_map(label).collect(), k, signatures.n_samples());
        let first =
            |cluster| seeds.iter().find(|seed| seed.1.index() == cluster).map(|seed| seed.0);
        Extraction {
            pseudo_labels,
            anchors: (0..k).filter_map(first).collect(),
            n_signatures: signatures.len(),
            n_without_votes: signatures.n_without_votes(),
        }
    }

    /// The one cluster that a signature belongs to, with the models that agree, and by how many they are ahead.
    fn bond(
        &self,
        signature: SignatureIdx,
        anchors: &[(SignatureIdx, ClusterId)],
        k: usize,
    ) -> Option<(ClusterId, u16, i32)> {
        let mut bonds = vec![Bond::default(); k];
        for &(anchor, cluster) in anchors {
            let bond = &mut bonds[cluster.index()];
            bond.agreement = bond.agreement.max(self.signatures().agreement(anchor, signature));
            bond.is_strong |= self.is_strong_positive(anchor, signature);
        }
        let mut strong = (0..k).filter(|&cluster| bonds[cluster].is_strong);
        let (cluster, other) = (strong.next()?, strong.next());
        if other.is_some() {
            return None;
        }
        let agreement = bonds[cluster].agreement;
        let others = (0..k).filter(|&other| other != cluster).map(|other| bonds[other].agreement);
        let margin = i32::from(agreement) - i32::from(others.max().unwrap_or(0));
        Some((ClusterId::from_index(cluster), agreement, margin))
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::Votes;
    use ndarray::{Array2, array};

    use crate::{AgreementParams, Signatures, Strictness, Threads};

    use super::*;

    #[test]
    fn samples_go_to_the_seeds_that_models_put_them_with() {
        // Samples 0 and 1 are the seeds; 2 goes with 0, 3 with 1, 4 with neither, and 5 is unsure.
        let clusters = array![[0, 1, 0, 1, 0, 0], [0, 1, 0, 1, 1, 0], [0, 1, 0, 1, 2, 0]];
        let mut sure = Array2::ones(clusters.raw_dim());
        sure[(1, 5)] = 0.1;
        let votes = Votes::new(clusters, sure).unwrap();
        let params = AgreementParams {
            min_agree: Strictness::Count(3),
            max_agree: Strictness::Count(1),
            ..AgreementParams::default()
        };
        let (agreement, threads) = (params.check(3).unwrap(), Threads::new(1).unwrap());
        let signatures = Signatures::group(&votes, &agreement, &threads).unwrap();
        let graph = AgreementGraph::new(&signatures, &agreement).unwrap();
        let seeds = [(SampleIdx(0), ClusterId(1)), (SampleIdx(1), ClusterId(0))];
        let found = graph.extract_around(&seeds, 3);
        let entries = found.pseudo_labels.entries().iter();
        let labels: Vec<_> =
            entries.map(|e| (e.sample.0, e.label.0, e.agreement, e.margin)).collect();
        assert_eq!(labels, [(0, 1, 3, 3), (1, 0, 3, 3), (2, 1, 3, 3), (3, 0, 3, 3)]);
        assert_eq!(found.anchors, [SampleIdx(1), SampleIdx(0)], "the third cluster has none");
    }
}
