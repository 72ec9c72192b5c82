//! Gives mini-clusters the ids of the clusters that they are in.

use consilience_data::{ClusterId, Contingency, PseudoLabel, PseudoLabels, SampleIdx};
use consilience_graph::maximum_matching;

/// `pseudo_labels` with each mini-cluster's id that of the cluster it overlaps with, one-to-one.
pub(crate) fn renumber(
    pseudo_labels: &PseudoLabels,
    cluster_of: impl Fn(SampleIdx) -> ClusterId,
    n_clusters: usize,
) -> PseudoLabels {
    let entries = pseudo_labels.entries();
    let pairs = entries.iter().map(|entry| (entry.label.index(), cluster_of(entry.sample).index()));
    let n_clusters = n_clusters.max(pseudo_labels.n_clusters());
    let overlap = Contingency::count(pairs, pseudo_labels.n_clusters(), n_clusters);
    let partners = maximum_matching(&overlap);
    let renumbered = entries.iter().map(|entry| {
        let partner = partners[entry.label.index()].expect("no more mini-clusters than clusters");
        PseudoLabel { label: ClusterId::from_index(partner), ..*entry }
    });
    PseudoLabels::new(renumbered.collect(), n_clusters, pseudo_labels.n_samples())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mini_clusters_take_the_ids_of_the_consensus() {
        let consensus = [2, 2, 0, 1, 0].map(ClusterId);
        let labelled = [(0, 0), (2, 1), (4, 1)].map(|(sample, label)| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(label),
            agreement: 3,
            margin: 1,
            confidence: 0.9,
        });
        let labels = PseudoLabels::new(labelled.to_vec(), 2, 5);
        let renumbered = renumber(&labels, |sample| consensus[sample.index()], 3);
        let found: Vec<_> = renumbered.entries().iter().map(|e| (e.sample.0, e.label.0)).collect();
        assert_eq!(found, [(0, 2), (2, 0), (4, 0)]);
        assert_eq!(renumbered.n_clusters(), 3);
    }
}
