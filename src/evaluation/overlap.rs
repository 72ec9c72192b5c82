//! How classes and clusters overlap.
//!
//! **Architecture Invariant:** this is the one place that reads labels of a [`Truth`]. Everything else in `evaluation` is
//! computed from what is counted here. Samples that a truth leaves out aren't counted.
#![expect(clippy::disallowed_methods, reason = "the reader of the truth")]

use consilience_data::{
    Assignments, ClusterId, Contingency, DataError, PseudoLabels, SampleIdx, Truth,
};
use consilience_truth::classes;

/// Classes against the clusters of all samples.
pub(super) fn of_assignments(truth: &Truth, found: &Assignments) -> Result<Contingency, DataError> {
    check(truth, found.n_samples())?;
    let clusters = found.clusters().iter().map(|cluster| cluster.index());
    let pairs = scored(truth, class_indices(truth).zip(clusters));
    Ok(Contingency::count(pairs, truth.n_classes(), found.n_clusters()))
}

/// Classes against mini-clusters, over the pseudo-labelled samples alone.
pub(super) fn of_pseudo_labels(
    truth: &Truth,
    found: &PseudoLabels,
) -> Result<Contingency, DataError> {
    check(truth, found.n_samples())?;
    let classes = classes(truth);
    let pair =
        |sample: SampleIdx, label: ClusterId| (classes[sample.index()] as usize, label.index());
    let entries = found.entries().iter().filter(|entry| !truth.is_left_out(entry.sample.index()));
    let pairs = entries.map(|entry| pair(entry.sample, entry.label));
    Ok(Contingency::count(pairs, truth.n_classes(), found.n_clusters()))
}

/// Classes against those of another labelling.
pub(super) fn of_labels(truth: &Truth, found: &Truth) -> Result<Contingency, DataError> {
    check(truth, found.n_samples())?;
    let pairs = scored(truth, class_indices(truth).zip(class_indices(found)));
    Ok(Contingency::count(pairs, truth.n_classes(), found.n_classes()))
}

/// The first `limit` samples of `order` that are of class `class` and in cluster `cluster`: examples of what a pair of the
/// two is made of.
pub(super) fn examples(
    truth: &Truth,
    found: &[Option<ClusterId>],
    (class, cluster): (usize, ClusterId),
    order: &[SampleIdx],
    limit: usize,
) -> Result<Vec<SampleIdx>, DataError> {
    check(truth, found.len())?;
    let classes = classes(truth);
    let is_one = |sample: &SampleIdx| {
        let sample = sample.index();
        !truth.is_left_out(sample)
            && classes[sample] as usize == class
            && found[sample] == Some(cluster)
    };
    Ok(order.iter().copied().filter(is_one).take(limit).collect())
}

/// What belongs to samples that scores don't leave out, of all in their order.
fn scored<'a, T: 'a>(
    truth: &'a Truth,
    of_samples: impl Iterator<Item = T> + 'a,
) -> impl Iterator<Item = T> + 'a {
    let kept = |(sample, of_sample)| (!truth.is_left_out(sample)).then_some(of_sample);
    of_samples.enumerate().filter_map(kept)
}

fn class_indices(truth: &Truth) -> impl Iterator<Item = usize> {
    classes(truth).iter().map(|&class| class as usize)
}

fn check(truth: &Truth, samples: usize) -> Result<(), DataError> {
    let labels = truth.n_samples();
    if labels == samples {
        return Ok(());
    }
    Err(DataError::LabelCount { source_name: "truth".into(), labels, samples })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_number_of_samples_is_an_error() {
        let truth = Truth::from_integers(&[0, 1]).unwrap();
        let found = Assignments::new(vec![ClusterId(0)], 1);
        assert!(of_assignments(&truth, &found).is_err());
        assert!(examples(&truth, &[None], (0, ClusterId(0)), &[], 1).is_err());
    }

    #[test]
    fn what_is_left_out_does_not_count() {
        let truth = Truth::from_integers(&[7, 8, 8]).unwrap().leaving_out([1]);
        let found = Assignments::new([1, 0, 0].map(ClusterId).to_vec(), 2);
        let table = of_assignments(&truth, &found).unwrap();
        assert_eq!((table.n_samples(), table.get(0, 1), table.get(1, 0)), (2, 1, 1));
    }

    #[test]
    fn examples_are_of_the_class_and_in_the_cluster_in_the_order_given() {
        let truth = Truth::from_integers(&[7, 8, 8, 8, 8]).unwrap();
        let found = [Some(0), Some(0), Some(0), None, Some(1)].map(|id| id.map(ClusterId));
        let order = [4, 3, 2, 1, 0].map(SampleIdx);
        let eights = |limit| examples(&truth, &found, (1, ClusterId(0)), &order, limit).unwrap();
        assert_eq!((eights(5), eights(1)), (vec![SampleIdx(2), SampleIdx(1)], vec![SampleIdx(2)]));
    }
}
