//! Signatures that were counted elsewhere give what their samples would, whatever the parts in which they were counted.

mod common;

use std::collections::BTreeMap;

use common::{fitting, params, votes};
use consilience_data::{SampleIdx, Votes};
use consilience_graph::{
    AgreementGraph, Counted, GraphError, Linkage, Signatures, Threads, VoteWeights,
};
use ndarray::{Array2, array};
use proptest::prelude::*;

fn threads() -> Threads<'static> {
    Threads::new(2).expect("two threads")
}

/// A table as another engine would make it: of each part of the samples, how many have each of the votes, and the first of them.
/// Rows come in the order of first samples.
struct Table {
    votes: Array2<u16>,
    gates: Vec<bool>,
    counts: Vec<u64>,
    firsts: Vec<usize>,
}

impl Table {
    fn count(votes: &Votes, min_confidence: f32, part_of: impl Fn(usize) -> usize) -> Self {
        let mut groups: BTreeMap<(usize, Vec<u16>, bool), (usize, u64)> = BTreeMap::new();
        for sample in 0..votes.n_samples() {
            let column = votes.clusters().column(sample).to_vec();
            let confidences = votes.confidences().column(sample).to_vec();
            let mut voted = column.iter().zip(&confidences);
            let sure = voted.all(|(&vote, &sure)| vote == Votes::MISSING || sure > min_confidence);
            let has_vote = column.iter().any(|&vote| vote != Votes::MISSING);
            let group = groups.entry((part_of(sample), column, sure && has_vote));
            group.or_insert((sample, 0)).1 += 1;
        }
        let mut rows: Vec<_> = groups.into_iter().collect();
        rows.sort_by_key(|&(_, (first, _))| first);
        Self {
            votes: Array2::from_shape_fn((votes.n_models(), rows.len()), |(model, row)| {
                rows[row].0.1[model]
            }),
            gates: rows.iter().map(|((_, _, gate), _)| *gate).collect(),
            counts: rows.iter().map(|&(_, (_, count))| count).collect(),
            firsts: rows.iter().map(|&(_, (first, _))| first).collect(),
        }
    }

    fn counted(&self) -> Counted<'_> {
        Counted { votes: self.votes.view(), gates: &self.gates, counts: &self.counts }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn counts_give_what_their_samples_give(
        votes in votes(),
        params in params(),
        k in 1..6usize,
        parts in 1..4usize,
    ) {
        let params = fitting(&votes, &params);
        let agreement = params.check(votes.n_models()).unwrap();
        let of_samples = Signatures::group(&votes, &agreement, &threads()).unwrap();
        let table = Table::count(&votes, params.min_confidence, |sample| sample % parts);
        let of_counts = Signatures::of_counts(&table.counted(), &agreement).unwrap();

        prop_assert_eq!((of_counts.len(), of_counts.n_samples()), (of_samples.len(), 0));
        prop_assert_eq!(of_counts.is_complete(), of_samples.is_complete());
        prop_assert_eq!(of_counts.n_passing_gate(), of_samples.n_passing_gate());
        prop_assert_eq!(of_counts.n_without_votes(), of_samples.n_without_votes());
        for node in of_samples.iter() {
            prop_assert_eq!(of_counts.votes(node), of_samples.votes(node));
            prop_assert_eq!(of_counts.passes_gate(node), of_samples.passes_gate(node));
            prop_assert_eq!(of_counts.multiplicity(node), of_samples.multiplicity(node));
            let first = table.firsts[of_counts.first_sample(node).index()];
            prop_assert_eq!(first, of_samples.first_sample(node).index());
        }

        let graphs = [&of_samples, &of_counts].map(|all| AgreementGraph::new(all, &agreement).unwrap());
        let [samples, counts] = graphs.each_ref().map(|graph| graph.extract_signatures(k, &threads()).unwrap());
        prop_assert_eq!(&samples, &counts);
        // And the samples' labels are those of their signatures.
        let extraction = graphs[0].extract(k, &threads()).unwrap();
        let labels = extraction.pseudo_labels.entries().iter();
        let labels: BTreeMap<SampleIdx, _> =
            labels.map(|entry| (entry.sample, (entry.label, entry.agreement, entry.margin))).collect();
        for sample in (0..votes.n_samples()).map(SampleIdx::from_index) {
            let label = counts.labels[of_samples.of_sample(sample).index()];
            let label = label.map(|label| (label.label, label.agreement, label.margin));
            prop_assert_eq!(label.as_ref(), labels.get(&sample));
        }
    }

    /// The consensus by average linkage is one of signatures, too.
    #[test]
    fn linkage_of_counts_is_that_of_samples(votes in votes(), k in 1..5usize) {
        let agreement = fitting(&votes, &Default::default()).check(votes.n_models()).unwrap();
        let of_samples = Signatures::group(&votes, &agreement, &threads()).unwrap();
        let table = Table::count(&votes, agreement.min_confidence(), |_| 0);
        let of_counts = Signatures::of_counts(&table.counted(), &agreement).unwrap();
        let placed = |all: &Signatures| {
            let linkage = Linkage::new(all, VoteWeights::equal(all), 100, &threads()).ok()?;
            let places = linkage.cut(k, 0.05).ok()?.placements(&threads());
            Some(places.into_iter().map(|place| place.map(|place| (place.cluster, place.similarity.to_bits()))).collect::<Vec<_>>())
        };
        prop_assert_eq!(placed(&of_samples), placed(&of_counts));
    }
}

#[test]
fn rows_of_no_samples_are_none_and_what_does_not_fit_is_refused() {
    let agreement = consilience_graph::AgreementParams::default().check(2).unwrap();
    let votes = array![[0, 1, 0], [0, 1, 0]];
    let of = |gates: &[bool], counts: &[u64]| {
        Signatures::of_counts(&Counted { votes: votes.view(), gates, counts }, &agreement)
    };
    let signatures = of(&[true; 3], &[0, 2, 3]).unwrap();
    let multiplicities: Vec<u32> =
        signatures.iter().map(|node| signatures.multiplicity(node)).collect();
    assert_eq!(multiplicities, [2, 3], "the first has no samples");
    let short = GraphError::SampleCount { what: "counts", found: 2, expected: 3 };
    assert_eq!(of(&[true; 3], &[1, 1]).unwrap_err(), short);
    assert!(of(&[true], &[1; 3]).is_err());
    let many = of(&[true; 3], &[1 << 32, 1, 1]).unwrap_err();
    assert!(many.to_string().contains("4294967297 samples of one signature"), "{many}");
    let other = consilience_graph::AgreementParams::default().check(3).unwrap();
    let counted = Counted { votes: votes.view(), gates: &[true; 3], counts: &[1; 3] };
    assert!(Signatures::of_counts(&counted, &other).is_err());
}
