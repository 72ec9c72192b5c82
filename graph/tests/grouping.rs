//! Grouping equals the definition, however the votes come in and however many threads there are.

mod common;

use std::collections::HashMap;

use common::votes;
use consilience_data::{SampleIdx, Votes};
use consilience_graph::{AgreementParams, GraphError, Signatures, SignaturesBuilder, Threads};
use ndarray::{Array2, s};
use proptest::prelude::*;

/// Everything there is to know of signatures.
fn all(signatures: &Signatures) -> impl PartialEq + std::fmt::Debug + use<> {
    let samples = (0..signatures.n_samples()).map(SampleIdx::from_index);
    let of_sample: Vec<_> = samples
        .map(|sample| (signatures.of_sample(sample), signatures.lowest_confidence(sample)))
        .collect();
    let nodes: Vec<_> = signatures
        .iter()
        .map(|node| {
            let first = signatures.first_sample(node);
            (
                signatures.votes(node),
                signatures.passes_gate(node),
                signatures.multiplicity(node),
                first,
            )
        })
        .collect();
    (of_sample, nodes)
}

fn cuts() -> impl Strategy<Value = Vec<prop::sample::Index>> {
    prop::collection::vec(any::<prop::sample::Index>(), 0..4)
}

proptest! {
    #[test]
    fn samples_meet_if_votes_and_gate_are_equal(votes in votes()) {
        let params = AgreementParams::default();
        let agreement = params.check(votes.n_models()).unwrap();
        let signatures = Signatures::group(&votes, &agreement, &Threads::new(1).unwrap()).unwrap();
        let mut numbers: HashMap<(Vec<u16>, bool), usize> = HashMap::new();
        let mut counts = Vec::new();
        for i in 0..votes.n_samples() {
            let column = votes.clusters().column(i).to_vec();
            let lowest = column.iter().zip(votes.confidences().column(i))
                .filter(|(vote, _)| **vote != Votes::MISSING)
                .map(|(_, &confidence)| confidence)
                .reduce(f32::min);
            let passes = lowest.is_some_and(|lowest| lowest > params.min_confidence);
            let next = numbers.len();
            let number = *numbers.entry((column.clone(), passes)).or_insert(next);
            let node = signatures.of_sample(SampleIdx::from_index(i));
            prop_assert_eq!(node.index(), number);
            if number == counts.len() {
                counts.push(0);
                prop_assert_eq!(signatures.first_sample(node).index(), i);
            }
            counts[number] += 1;
            let unpacked: Vec<u16> = signatures.votes(node).iter()
                .map(|vote| vote.map_or(Votes::MISSING, |cluster| cluster.0))
                .collect();
            prop_assert_eq!(unpacked, column);
            prop_assert_eq!(signatures.passes_gate(node), passes);
            prop_assert_eq!(signatures.lowest_confidence(SampleIdx::from_index(i)), lowest.unwrap_or(0.0));
        }
        let found: Vec<u32> = signatures.iter().map(|node| signatures.multiplicity(node)).collect();
        prop_assert_eq!(found, counts);
    }

    #[test]
    fn chunks_give_the_same(votes in votes(), shift in 0..3u16, cuts in cuts()) {
        // Ids that grow on the way make the fields grow.
        let n = votes.n_samples();
        let mut clusters = votes.clusters().to_owned();
        for ((_, sample), cluster) in clusters.indexed_iter_mut() {
            if *cluster != Votes::MISSING && sample > n / 2 {
                *cluster += shift * 300;
            }
        }
        let votes = Votes::new(clusters, votes.confidences().to_owned()).unwrap();
        let agreement = AgreementParams::default().check(votes.n_models()).unwrap();
        let threads = Threads::new(2).unwrap();
        let whole = Signatures::group(&votes, &agreement, &threads).unwrap();
        let mut builder = SignaturesBuilder::new(&agreement);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(n + 1)).chain([0, n]).collect();
        cuts.sort_unstable();
        for part in cuts.windows(2) {
            let part = s![.., part[0]..part[1]];
            let confidences = votes.confidences();
            builder.push(votes.clusters().slice(part), Some(confidences.slice(part)), &threads).unwrap();
        }
        prop_assert_eq!(all(&builder.finish()), all(&whole));
    }
}

#[test]
fn any_number_of_threads_gives_the_same() {
    let clusters = Array2::from_shape_fn((6, 30_000), |(model, sample)| {
        let mixed = (sample * 2_654_435_761 + model * 40_503) % 1009;
        u16::try_from(if mixed < 100 { mixed % 7 } else { sample % 7 }).unwrap()
    });
    let votes = Votes::new(clusters, Array2::ones((6, 30_000))).unwrap();
    let agreement = AgreementParams::default().check(6).unwrap();
    let group =
        |threads| Signatures::group(&votes, &agreement, &Threads::new(threads).unwrap()).unwrap();
    let one = group(1);
    assert!(one.len() > 100);
    assert_eq!(all(&one), all(&group(2)));
    assert_eq!(all(&one), all(&group(5)));
}

#[test]
fn the_largest_ids_fit() {
    let clusters = ndarray::array![[0, 65_534, Votes::MISSING], [65_534, 65_534, 65_534]];
    let votes = Votes::new(clusters, Array2::ones((2, 3))).unwrap();
    let agreement = AgreementParams::default().check(2).unwrap();
    let signatures = Signatures::group(&votes, &agreement, &Threads::new(1).unwrap()).unwrap();
    let columns: Vec<_> = signatures.iter().map(|node| signatures.votes(node)).collect();
    assert_eq!(columns[1][0].unwrap().0, 65_534);
    assert_eq!(columns[2][0], None);
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    let agreement = AgreementParams::default().check(2).unwrap();
    let threads = Threads::new(1).unwrap();
    let mut builder = SignaturesBuilder::new(&agreement);
    let clusters = Array2::zeros((3, 4));
    let error = builder.push(clusters.view(), None, &threads).unwrap_err();
    assert_eq!(error, GraphError::OtherModelCount { settings: 2, votes: 3 });
    let (clusters, confidences) = (Array2::zeros((2, 4)), Array2::ones((2, 5)));
    assert!(builder.push(clusters.view(), Some(confidences.view()), &threads).is_err());
}
