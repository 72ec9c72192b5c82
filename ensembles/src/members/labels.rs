//! Pseudo-labelled samples in class-balanced batches.

use std::sync::Arc;

use consilience_data::{PseudoLabels, Rng, SampleIdx, SoftAssignments};

/// Of so many samples of a batch, the label of one was given, if some were: there are few of them, and they are right.
const ONE_GIVEN_IN: usize = 4;

/// Cycles through the samples of every mini-cluster, so that a small one counts as much as a large one.
#[derive(Debug)]
pub(crate) struct LabelCycle {
    clusters: Vec<(u32, Cycle, Cycle)>,
    per_cluster: usize,
    /// Batches so far.
    batch: usize,
    soft: Option<SoftLabels>,
}

/// Probabilities of labels, from which one is drawn every time that a sample is learnt from: the cross-entropy with it is, on average, that with the
/// probabilities.
#[derive(Debug)]
struct SoftLabels {
    probabilities: Arc<SoftAssignments>,
    /// Samples whose label is certain, ascending.
    given: Vec<SampleIdx>,
    rng: Rng,
}

impl SoftLabels {
    /// What `sample` is learnt as, which was found to be `label`.
    #[expect(clippy::cast_possible_truncation, reason = "a sample's index is 32 bits wide")]
    fn draw(&mut self, sample: usize, label: u32) -> u32 {
        if self.given.binary_search(&SampleIdx(sample as u32)).is_ok() {
            return label;
        }
        let row = self.probabilities.view();
        let mut left = self.rng.uniform();
        let drawn = (0..).zip(row.row(sample)).find(|&(_, &probability)| {
            left -= f64::from(probability);
            left < 0.0
        });
        drawn.map_or(label, |(drawn, _)| drawn)
    }
}

/// Samples, again and again.
#[derive(Debug)]
struct Cycle {
    samples: Vec<SampleIdx>,
    position: usize,
}

impl Cycle {
    fn new(mut samples: Vec<SampleIdx>, rng: &mut Rng) -> Self {
        rng.shuffle(&mut samples);
        Self { samples, position: 0 }
    }

    fn next(&mut self) -> usize {
        let sample = self.samples[self.position % self.samples.len()].index();
        self.position += 1;
        sample
    }
}

impl LabelCycle {
    /// `None` without labels. A batch has about `batch_size` samples, at least one of every mini-cluster. `draws`: labels, where they have probabilities.
    pub(crate) fn new(
        labels: &PseudoLabels,
        batch_size: usize,
        rng: &mut Rng,
        draws: Rng,
    ) -> Option<Self> {
        let mut clusters = Vec::new();
        for (label, samples) in (0..).zip(labels.by_cluster()) {
            if !samples.is_empty() {
                let given = samples.iter().copied().filter(|&sample| labels.is_given(sample));
                let given = given.collect();
                clusters.push((label, Cycle::new(samples, rng), given));
            }
        }
        // Drawn behind the others, so that those stay as they are where nothing was given.
        let cycled = |(label, all, given)| (label, all, Cycle::new(given, rng));
        let clusters: Vec<_> = clusters.into_iter().map(cycled).collect();
        let per_cluster = batch_size.div_ceil(clusters.len().max(1)).max(1);
        let given = || labels.given().to_vec();
        let soft = labels.probabilities().map(|probabilities| SoftLabels {
            probabilities: Arc::clone(probabilities),
            given: given(),
            rng: draws,
        });
        (!clusters.is_empty()).then_some(Self { clusters, per_cluster, batch: 0, soft })
    }

    /// Samples in every batch.
    pub(crate) fn batch_len(&self) -> usize {
        self.clusters.len() * self.per_cluster
    }

    /// The next batch: samples and their labels.
    pub(crate) fn next_batch(&mut self) -> (Vec<usize>, Vec<u32>) {
        let (mut batch, mut labels) = (Vec::new(), Vec::new());
        // With fewer samples of a class than that, every so many batches have a given one: the others have to be learnt from, too.
        let every = (ONE_GIVEN_IN / self.per_cluster).max(1);
        let is_turn = self.batch.is_multiple_of(every);
        let of_given = if is_turn { self.per_cluster.div_ceil(ONE_GIVEN_IN) } else { 0 };
        self.batch += 1;
        for (label, all, given) in &mut self.clusters {
            for place in 0..self.per_cluster {
                let is_of_given = place < of_given && !given.samples.is_empty();
                let sample = if is_of_given { given.next() } else { all.next() };
                batch.push(sample);
                let soft = self.soft.as_mut();
                labels.push(soft.map_or(*label, |soft| soft.draw(sample, *label)));
            }
        }
        (batch, labels)
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{ClusterId, PseudoLabel, Seed, Stream};

    use super::*;

    fn new(labels: &PseudoLabels, batch_size: usize) -> Option<LabelCycle> {
        let stream = |seed: u64| Seed(seed).rng(Stream::Labels { model: 0, epoch: 0 });
        LabelCycle::new(labels, batch_size, &mut stream(1), stream(2))
    }

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
        let mut cycle = new(&labels, 6).unwrap();
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
    fn what_was_given_is_in_every_batch() {
        let entries = (0..100).map(|sample| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(0),
            agreement: 1,
            confidence: 1.0,
            margin: 1,
        });
        let labels = PseudoLabels::new(entries.collect(), 1, 100).with_given(vec![SampleIdx(7)]);
        let mut cycle = new(&labels, 8).unwrap();
        for _ in 0..5 {
            let (samples, _) = cycle.next_batch();
            assert_eq!((samples.len(), &samples[..2]), (8, &[7, 7][..]));
        }
    }

    #[test]
    fn with_many_classes_the_found_labels_are_learnt_from_too() {
        let entries = (0..40).map(|sample| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(u16::try_from(sample % 10).unwrap()),
            agreement: 1,
            confidence: 1.0,
            margin: 1,
        });
        let given = (0..10).map(SampleIdx).collect();
        let labels = PseudoLabels::new(entries.collect(), 10, 40).with_given(given);
        let mut cycle = new(&labels, 10).unwrap();
        let batches: Vec<_> = (0..8).map(|_| cycle.next_batch().0).collect();
        let are_given = |batch: &Vec<usize>| batch.iter().all(|&sample| sample < 10);
        assert!(are_given(&batches[0]) && are_given(&batches[4]), "one in four");
        assert!(batches[1..4].concat().iter().any(|&sample| sample >= 10));
    }

    /// Half of the samples are found to be of each cluster, the first is given, and the others are of the second with 0.75.
    #[test]
    fn labels_are_drawn_as_they_are_probable() {
        let entries = (0..100).map(|sample| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(u16::from(sample >= 50)),
            agreement: 1,
            confidence: 1.0,
            margin: 1,
        });
        let hard = PseudoLabels::new(entries.collect(), 2, 100).with_given(vec![SampleIdx(0)]);
        let rows = ndarray::Array2::from_shape_fn((100, 2), |(_, label)| [0.25, 0.75][label]);
        let soft = hard.clone().with_probabilities(Arc::new(SoftAssignments::new(rows)));
        let batches = |labels: &PseudoLabels| {
            let mut cycle = new(labels, 10).unwrap();
            (0..400).map(|_| cycle.next_batch()).collect::<Vec<_>>()
        };
        let (hard, soft) = (batches(&hard), batches(&soft));
        let (mut second, mut all) = (0, 0);
        for ((samples, _), (same, labels)) in hard.iter().zip(&soft) {
            assert_eq!(samples, same, "only labels are drawn");
            for (&sample, &label) in same.iter().zip(labels) {
                if sample == 0 {
                    assert_eq!(label, 0, "it is certain");
                } else {
                    (second, all) = (second + label, all + 1);
                }
            }
        }
        let share = f64::from(second) / f64::from(all);
        assert!((share - 0.75).abs() < 0.03, "{share}");
    }

    #[test]
    fn no_labels_no_cycle() {
        assert!(new(&PseudoLabels::default(), 6).is_none());
    }
}
