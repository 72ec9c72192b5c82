//! Pseudo-labelled samples in class-balanced batches.

use consilience_data::{PseudoLabels, Rng, SampleIdx};

/// Cycles through the samples of every mini-cluster, so that a small one counts as much as a large one.
#[derive(Debug)]
pub(crate) struct LabelCycle {
    clusters: Vec<(u32, Vec<SampleIdx>)>,
    positions: Vec<usize>,
    per_cluster: usize,
}

impl LabelCycle {
    /// `None` without labels. A batch has about `batch_size` samples, at least one of every mini-cluster.
    pub(crate) fn new(labels: &PseudoLabels, batch_size: usize, rng: &mut Rng) -> Option<Self> {
        let mut clusters: Vec<(u32, Vec<SampleIdx>)> =
            (0..).zip(labels.by_cluster()).filter(|(_, samples)| !samples.is_empty()).collect();
        for (_, samples) in &mut clusters {
            rng.shuffle(samples);
        }
        let per_cluster = batch_size.div_ceil(clusters.len().max(1)).max(1);
        let positions = vec![0; clusters.len()];
        (!clusters.is_empty()).then_some(Self { clusters, positions, per_cluster })
    }

    /// Samples in every batch.
    pub(crate) fn batch_len(&self) -> usize {
        self.clusters.len() * self.per_cluster
    }

    /// The next batch: samples and their labels.
    pub(crate) fn next_batch(&mut self) -> (Vec<usize>, Vec<u32>) {
        let (mut batch, mut labels) = (Vec::new(), Vec::new());
        for ((label, samples), position) in self.clusters.iter().zip(&mut self.positions) {
            for _ in 0..self.per_cluster {
                batch.push(samples[*position % samples.len()].index());
                labels.push(*label);
                *position += 1;
            }
        }
        (batch, labels)
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{ClusterId, PseudoLabel, Seed, Stream};

    use super::*;

    #[test]
    fn a_small_mini_cluster_counts_as_much_as_a_large_one() {
        let entries = (0..10).map(|sample| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(u16::from(sample >= 9)),
            agreement: 1,
            confidence: 1.0,
            margin: 1,
        });
        let labels = PseudoLabels::new(entries.collect(), 2, 10);
        let mut rng = Seed(1).rng(Stream::Labels { model: 0, epoch: 0 });
        let mut cycle = LabelCycle::new(&labels, 6, &mut rng).unwrap();
        let mut seen = Vec::new();
        for _ in 0..3 {
            let (samples, labels) = cycle.next_batch();
            assert_eq!(labels, [0, 0, 0, 1, 1, 1]);
            assert_eq!(samples[3..], [9, 9, 9]);
            seen.extend_from_slice(&samples[..3]);
        }
        seen.sort_unstable();
        assert_eq!(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn no_labels_no_cycle() {
        let mut rng = Seed(1).rng(Stream::Labels { model: 0, epoch: 0 });
        assert!(LabelCycle::new(&PseudoLabels::default(), 6, &mut rng).is_none());
    }
}
