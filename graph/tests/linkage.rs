//! Average linkage held against `kodama` on single samples, and against the definition written straight down.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use consilience_data::{ClusterId, SampleIdx, Votes};
use consilience_graph::{
    AgreementParams, GraphError, Linkage, Partition, Placer, PlacerParts, Signatures, Threads,
    Tree, VoteWeights,
};
use kodama::{Method, linkage};
use ndarray::{Array2, Axis, array};
use proptest::prelude::*;

use common::votes;

const MISSING: u16 = Votes::MISSING;

/// A set of leaves of a tree.
type Leaves = BTreeSet<usize>;

fn grouped(votes: &Votes) -> Signatures {
    let agreement = AgreementParams::default().check(votes.n_models()).unwrap();
    Signatures::group(votes, &agreement, &Threads::new(2).unwrap()).unwrap()
}

fn of(clusters: Array2<u16>) -> Votes {
    let confidences = Array2::ones(clusters.raw_dim());
    Votes::new(clusters, confidences).unwrap()
}

/// Weights that differ from model to model, and from cluster to cluster, or not.
fn weights(signatures: &Signatures, is_weighted: bool) -> VoteWeights {
    if !is_weighted {
        return VoteWeights::equal(signatures);
    }
    let kinds: Vec<usize> = (0..signatures.n_models()).map(|model| model * model % 3).collect();
    let threads = Threads::new(2).unwrap();
    let weights = VoteWeights::of_kinds(signatures, &kinds).unwrap();
    weights.by_certainty(signatures, 0.4, &threads).unwrap()
}

/// The co-association of two columns of votes, by its definition.
fn similarity(votes: &Votes, weights: &VoteWeights, first: usize, second: usize) -> f64 {
    let (mut agree, mut common) = (0.0, 0.0);
    for (model, row) in votes.clusters().rows().into_iter().enumerate() {
        let model = consilience_data::ModelIdx::from_index(model);
        if row[first] != MISSING && row[second] != MISSING {
            common += weights.of_model(model);
            if row[first] == row[second] {
                let own = usize::from(row[first]);
                agree += weights.of_model(model) * weights.of_clusters(model)[own];
            }
        }
    }
    if common > 0.0 { agree / common } else { 0.0 }
}

/// Samples with votes.
fn voted(votes: &Votes) -> Vec<usize> {
    let has_vote = |&sample: &usize| votes.clusters().column(sample).iter().any(|&c| c != MISSING);
    (0..votes.n_samples()).filter(has_vote).collect()
}

/// A clustering with names that depend on the samples alone: each cluster by its lowest sample.
fn canonical<T: Ord + Copy>(clusters: &[T]) -> Vec<usize> {
    let mut first = BTreeMap::new();
    let name = |(sample, &cluster)| *first.entry(cluster).or_insert(sample);
    clusters.iter().enumerate().map(name).collect()
}

/// UPGMA of single samples by kodama, with samples of equal votes joined before all others: dissimilarities in the order in which
/// they are joined, and the clusters at any K.
struct Kodama {
    n: usize,
    steps: Vec<(usize, usize, f64)>,
}

impl Kodama {
    fn new(votes: &Votes, weights: &VoteWeights) -> Self {
        let samples = voted(votes);
        let n = samples.len();
        let mut condensed = Vec::new();
        for first in 0..n {
            for second in first + 1..n {
                let (a, b) = (samples[first], samples[second]);
                let is_equal = votes.clusters().column(a) == votes.clusters().column(b);
                let own = similarity(votes, weights, a, b);
                condensed.push(if is_equal { -1.0 } else { 1.0 - own });
            }
        }
        let tree = linkage(&mut condensed, n, Method::Average);
        let steps = tree.steps().iter();
        let steps = steps.map(|step| (step.cluster1, step.cluster2, step.dissimilarity));
        Self { n, steps: steps.collect() }
    }

    fn cut(&self, k: usize) -> Vec<usize> {
        let joined = self.n - k;
        let mut cluster: Vec<usize> = (0..self.n + joined).collect();
        for (step, &(a, b, _)) in self.steps[..joined].iter().enumerate().rev() {
            let whole = cluster[self.n + step];
            (cluster[a], cluster[b]) = (whole, whole);
        }
        cluster[..self.n].to_vec()
    }
}

/// Whether a search for the most similar pair of groups, by the definition, never meets a tie: then there is one tree.
fn has_one_tree(votes: &Votes, weights: &VoteWeights) -> bool {
    let mut groups: BTreeMap<Vec<u16>, Vec<usize>> = BTreeMap::new();
    for sample in voted(votes) {
        groups.entry(votes.clusters().column(sample).to_vec()).or_default().push(sample);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    let mean = |first: &[usize], second: &[usize]| {
        let pairs = first.iter().flat_map(|&a| second.iter().map(move |&b| (a, b)));
        let sum: f64 = pairs.map(|(a, b)| similarity(votes, weights, a, b)).sum();
        sum / (first.len() * second.len()) as f64
    };
    while groups.len() > 1 {
        let pairs = (0..groups.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
        let mut pairs: Vec<_> = pairs.map(|(a, b)| (mean(&groups[a], &groups[b]), a, b)).collect();
        pairs.sort_by(|x, y| y.0.total_cmp(&x.0));
        let (best, a, b) = pairs[0];
        if pairs.get(1).is_some_and(|next| best - next.0 < 1e-9) {
            return false;
        }
        let joined = groups.remove(b);
        groups[a].extend(joined);
    }
    true
}

/// Votes of models whose clusters are many, so that few similarities are equal.
fn many_clusters() -> impl Strategy<Value = Votes> {
    let shape = (2..9usize, 2..22usize);
    let missing = prop_oneof![Just(0.0), 0.0..0.5f64];
    (shape, missing).prop_flat_map(|((n_models, n_samples), missing)| {
        let sizes = prop::collection::vec(1..7u16, n_models);
        let vote = (any::<u16>(), prop::bool::weighted(missing));
        let votes = prop::collection::vec(vote, n_models * n_samples);
        (sizes, votes).prop_map(move |(sizes, votes)| {
            of(Array2::from_shape_fn((n_models, n_samples), |(model, sample)| {
                let (cluster, is_missing) = votes[model * n_samples + sample];
                if is_missing { MISSING } else { cluster % sizes[model] }
            }))
        })
    })
}

fn clusters_of(partition: &Partition<'_>, votes: &Votes, threads: &Threads) -> Vec<ClusterId> {
    let consensus = partition.consensus(threads);
    voted(votes).into_iter().map(|sample| consensus.clusters[sample].unwrap()).collect()
}

proptest! {
    #[test]
    fn cuts_equal_those_of_single_samples(
        votes in prop_oneof![votes(), many_clusters()],
        is_weighted: bool,
    ) {
        let signatures = grouped(&votes);
        let weights = weights(&signatures, is_weighted);
        let threads = Threads::new(2).unwrap();
        let Ok(found) = Linkage::new(&signatures, weights.clone(), 1000, &threads) else {
            prop_assert!(voted(&votes).is_empty());
            return Ok(());
        };
        let tree = found.tree();
        prop_assert!(tree.similarity().is_sorted_by(|a, b| a >= b), "heights are monotone");
        prop_assert_eq!(*tree.samples().last().unwrap_or(&tree.leaf_samples()[0]), voted(&votes).len() as u64);
        let mut order = tree.order();
        order.sort_unstable();
        prop_assert!(order.into_iter().eq(0..u32::try_from(tree.n_leaves()).unwrap()));

        let oracle = Kodama::new(&votes, &weights);
        let heights: Vec<f64> = oracle.steps.iter().map(|step| 1.0 - step.2).filter(|&s| s < 1.5).collect();
        prop_assert_eq!(heights.len(), tree.similarity().len());
        if !has_one_tree(&votes, &weights) {
            return Ok(());
        }
        for (&ours, theirs) in tree.similarity().iter().zip(heights) {
            prop_assert!((f64::from(ours) - theirs).abs() < 1e-6, "{ours} {theirs}");
        }
        for k in 1..=tree.n_leaves() {
            let partition = found.cut(k, 0.0).unwrap();
            let ours = clusters_of(&partition, &votes, &threads);
            prop_assert_eq!(canonical(&ours), canonical(&oracle.cut(k)));
        }
    }

    /// Also with ties, as leaves are ordered by their votes.
    #[test]
    fn the_order_of_samples_changes_nothing(
        (votes, order) in votes().prop_flat_map(|votes| {
            let order: Vec<usize> = (0..votes.n_samples()).collect();
            (Just(votes), Just(order).prop_shuffle())
        }),
        is_weighted: bool,
        min_share in 0.0..1.0f64,
        max_signatures in 1..12usize,
    ) {
        let permuted = votes.clusters().select(Axis(1), &order);
        let permuted = Votes::new(permuted, votes.confidences().select(Axis(1), &order)).unwrap();
        let threads = [Threads::new(1).unwrap(), Threads::new(3).unwrap()];
        let both = [&votes, &permuted].map(grouped);
        let [first, second] = [0, 1].map(|at| {
            Linkage::new(&both[at], weights(&both[at], is_weighted), max_signatures, &threads[at])
        });
        let (Ok(first), Ok(second)) = (first, second) else { return Ok(()) };
        prop_assert_eq!(first.tree(), second.tree());
        for k in 1..=first.tree().n_leaves() {
            let first = first.cut(k, min_share).unwrap().consensus(&threads[0]);
            let second = second.cut(k, min_share).unwrap().consensus(&threads[1]);
            for (to, &from) in order.iter().enumerate() {
                prop_assert_eq!(second.clusters[to], first.clusters[from]);
                prop_assert_eq!(second.confidences[to], first.confidences[from]);
            }
        }
    }

    /// Whatever joins does so where its mean over single samples is highest, and new samples are treated as old ones.
    #[test]
    fn rarer_votes_join_by_their_mean(
        votes in prop_oneof![votes(), many_clusters()],
        is_weighted: bool,
        min_share in prop_oneof![Just(0.0), 0.0..1.0f64],
        max_signatures in 1..12usize,
        k in 1..5usize,
    ) {
        let signatures = grouped(&votes);
        let weights = weights(&signatures, is_weighted);
        let threads = Threads::new(2).unwrap();
        let Ok(linkage) = Linkage::new(&signatures, weights.clone(), max_signatures, &threads) else {
            return Ok(());
        };
        let k = k.min(linkage.tree().n_leaves());
        let partition = linkage.cut(k, min_share).unwrap();
        let again = Placer::from_parts(&partition.placer().parts()).unwrap();
        let found = partition.consensus(&threads);
        let leaf = |sample: usize| linkage.leaf_of(signatures.of_sample(SampleIdx::from_index(sample)));
        let inside: Vec<usize> = voted(&votes).into_iter().filter(|&sample| leaf(sample).is_some()).collect();
        let mean = |sample: usize, cluster: usize| {
            let members = inside.iter().filter(|&&other| found.clusters[other].unwrap().index() == cluster);
            let similar: Vec<f64> = members.map(|&other| similarity(&votes, &weights, sample, other)).collect();
            similar.iter().sum::<f64>() / similar.len() as f64
        };
        for sample in 0..votes.n_samples() {
            let column = votes.clusters().column(sample).to_owned();
            let column: Vec<_> = column.iter().map(|&c| (c != MISSING).then_some(ClusterId(c))).collect();
            let placed = partition.assign(&column).unwrap();
            prop_assert_eq!(again.assign(&column).unwrap(), placed);
            let Some(cluster) = found.clusters[sample] else {
                prop_assert_eq!(placed, None);
                continue;
            };
            let placed = placed.unwrap();
            prop_assert_eq!((placed.cluster, placed.similarity), (cluster, found.confidences[sample]));
            let means: Vec<f64> = (0..k).map(|cluster| mean(sample, cluster)).collect();
            let own = means[cluster.index()];
            prop_assert!((f64::from(placed.similarity) - own).abs() < 1e-6);
            let others = means.iter().enumerate().filter(|&(other, _)| other != cluster.index());
            let runner_up = others.map(|(_, &mean)| mean).fold(0.0, f64::max);
            prop_assert!((f64::from(placed.runner_up) - runner_up).abs() < 1e-6);
            if leaf(sample).is_none() {
                prop_assert!(own > runner_up - 1e-9, "{own} {runner_up}");
            }
        }
    }

    #[test]
    fn counts_are_repeated_samples(votes in votes(), is_weighted: bool, times in 2..4usize) {
        let repeated = vec![votes.clusters(); times];
        let repeated = of(ndarray::concatenate(Axis(1), &repeated).unwrap());
        let both = [of(votes.clusters().to_owned()), repeated].map(|votes| grouped(&votes));
        let threads = Threads::new(2).unwrap();
        let [once, more] = [&both[0], &both[1]].map(|signatures| {
            Linkage::new(signatures, weights(signatures, is_weighted), 1000, &threads)
        });
        let (Ok(once), Ok(more)) = (once, more) else { return Ok(()) };
        if !has_one_tree(&votes, &weights(&both[0], is_weighted)) {
            return Ok(());
        }
        prop_assert_eq!(once.tree().left(), more.tree().left());
        prop_assert_eq!(once.tree().right(), more.tree().right());
        for (&one, &many) in once.tree().samples().iter().zip(more.tree().samples()) {
            prop_assert_eq!(one * times as u64, many);
        }
        for (&one, &many) in once.tree().similarity().iter().zip(more.tree().similarity()) {
            prop_assert!((one - many).abs() < 1e-6);
        }
    }
}

/// The clusters' leaves in the words of the definition: which groups fall apart in plain cuts, from the root down, and which of
/// these are large enough. Clusters are the parts that don't fall apart any more.
fn cut_by_definition(tree: &Tree, k: usize, min_samples: u64) -> (BTreeSet<Leaves>, u64) {
    let plain = |k: usize| {
        let cut = tree.cut(k, 1).unwrap();
        let mut groups = vec![Leaves::new(); k];
        for (leaf, cluster) in cut.of_leaf.into_iter().enumerate() {
            groups[usize::from(cluster.unwrap())].insert(leaf);
        }
        groups.into_iter().collect::<BTreeSet<_>>()
    };
    let falls_apart: Vec<(Leaves, Vec<Leaves>)> = (1..tree.n_leaves())
        .map(|k| {
            let (before, after) = (plain(k), plain(k + 1));
            let whole = before.difference(&after).next().unwrap().clone();
            (whole, after.difference(&before).cloned().collect())
        })
        .collect();
    let n_samples =
        |leaves: &Leaves| leaves.iter().map(|&leaf| tree.leaf_samples()[leaf]).sum::<u64>();
    let mut splits: Vec<&(Leaves, Vec<Leaves>)> = Vec::new();
    let mut least = min_samples.max(1);
    loop {
        for split in &falls_apart {
            let is_enough = split.1.iter().all(|part| n_samples(part) >= least);
            if splits.len() + 1 < k && is_enough && !splits.contains(&split) {
                splits.push(split);
            }
        }
        if splits.len() + 1 == k {
            break;
        }
        least /= 2;
    }
    if k == 1 {
        return (BTreeSet::from([(0..tree.n_leaves()).collect()]), least);
    }
    let parts = splits.iter().flat_map(|split| &split.1);
    let stays = |part: &&Leaves| splits.iter().all(|split| !split.0.is_subset(part));
    (parts.filter(stays).cloned().collect(), least)
}

proptest! {
    #[test]
    fn clusters_have_enough_samples(votes in votes(), k in 1..8usize, min_samples in 0..12u64) {
        let signatures = grouped(&votes);
        let threads = Threads::new(1).unwrap();
        let Ok(linkage) = Linkage::new(&signatures, VoteWeights::equal(&signatures), 1000, &threads) else {
            return Ok(());
        };
        let tree = linkage.tree();
        let k = k.min(tree.n_leaves());
        let cut = tree.cut(k, min_samples).unwrap();
        let mut groups = vec![Leaves::new(); k];
        for (leaf, cluster) in cut.of_leaf.iter().enumerate() {
            if let Some(cluster) = cluster {
                groups[usize::from(*cluster)].insert(leaf);
            }
        }
        let left_to_right: Vec<u16> = tree.order().iter().filter_map(|&leaf| cut.of_leaf[leaf as usize]).collect();
        prop_assert!(left_to_right.is_sorted(), "numbered as in the dendrogram");
        let (expected, least) = cut_by_definition(tree, k, min_samples);
        prop_assert_eq!(groups.into_iter().collect::<BTreeSet<_>>(), expected);
        prop_assert_eq!((cut.n_clusters, cut.min_samples), (k, least));
    }
}

/// Three clusters of 20 samples, and an island of two that no model puts with any other.
fn with_island() -> Votes {
    of(Array2::from_shape_fn((4, 62), |(model, sample)| {
        let cluster = u16::try_from(sample / 20).unwrap();
        match sample {
            60.. => {
                if model == 3 {
                    2
                } else {
                    9
                }
            }
            // Clusters 0 and 1 are joined by two models of four, 2 and 0 by one.
            _ if model < 2 && cluster == 1 => 0,
            _ if model == 2 && cluster == 2 => 0,
            _ => cluster,
        }
    }))
}

#[test]
fn islands_are_no_clusters() {
    let votes = with_island();
    let signatures = grouped(&votes);
    let threads = Threads::new(1).unwrap();
    let linkage =
        Linkage::new(&signatures, VoteWeights::equal(&signatures), 1000, &threads).unwrap();
    let plain = linkage.cut(3, 0.0).unwrap();
    let sizes = |partition: &Partition<'_>| {
        let mut sizes = partition.consensus(&threads).sizes();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes(&plain), [2, 20, 40], "the plain cut takes the island for a cluster");
    let partition = linkage.cut(3, 0.2).unwrap();
    assert_eq!((sizes(&partition), partition.min_samples()), (vec![20, 20, 22], 4));
    let consensus = partition.consensus(&threads);
    assert_eq!(consensus.clusters[61], consensus.clusters[59], "one model puts them there");
    // For four clusters, the island has to be one.
    let partition = linkage.cut(4, 0.2).unwrap();
    assert_eq!((sizes(&partition), partition.min_samples()), (vec![2, 20, 20, 20], 1));
}

#[test]
fn uncertainty_is_entropy_among_the_others() {
    // Model 1 breaks model 0's first cluster into halves, and leaves its second whole; model 2 says nothing on it.
    let votes = of(array![[0, 0, 0, 0, 1, 1], [0, 0, 1, 1, 2, 2], [0, 0, 0, 0, MISSING, MISSING]]);
    let signatures = grouped(&votes);
    let threads = Threads::new(1).unwrap();
    let weights = VoteWeights::of_kinds(&signatures, &[0, 1, 1]).unwrap();
    let model = consilience_data::ModelIdx;
    assert_eq!([0, 1, 2].map(|at| weights.of_model(model(at))), [1.0, 0.5, 0.5]);
    let weights = weights.by_certainty(&signatures, 0.4, &threads).unwrap();
    let half = (-0.5f64 / 0.4).exp();
    assert_eq!(weights.of_clusters(model(0)), [half, 1.0]);
    assert_eq!(weights.of_clusters(model(1)), [1.0, 1.0, 1.0]);
    // Of weights 1 and 0.5, the latter sees two halves: a third of a bit.
    let third = (-1.0f64 / 3.0 / 0.4).exp();
    assert!((weights.of_clusters(model(2))[0] - third).abs() < 1e-12);
}

#[test]
fn what_cannot_be_is_refused() {
    let votes = of(array![[0, 0, 1, 1], [0, 1, 0, 1]]);
    let signatures = grouped(&votes);
    let threads = Threads::new(1).unwrap();
    let equal = || VoteWeights::equal(&signatures);
    let theta = equal().by_certainty(&signatures, 0.0, &threads).unwrap_err();
    assert_eq!(theta, GraphError::Theta { theta: 0.0 });
    let kinds = VoteWeights::of_kinds(&signatures, &[0]).unwrap_err();
    assert_eq!(kinds, GraphError::OtherModelCount { settings: 1, votes: 2 });
    let linkage = Linkage::new(&signatures, equal(), 3, &threads).unwrap();
    let refused = |k, share| linkage.cut(k, share).map(|_| ()).unwrap_err();
    assert_eq!(refused(0, 0.0), GraphError::ClusterCount { k: 0 });
    assert_eq!(refused(4, 0.0), GraphError::LinkageSize { k: 4, max_signatures: 3 });
    assert_eq!(refused(2, 1.5), GraphError::MinShare { min_share: 1.5 });
    let whole = Linkage::new(&signatures, equal(), 1000, &threads).unwrap();
    let refused = whole.cut(5, 0.0).map(|_| ()).unwrap_err();
    assert_eq!(refused, GraphError::TooManyClusters { k: 5, n_signatures: 4 });
    let partition = linkage.cut(2, 0.0).unwrap();
    assert!(partition.assign(&[None]).is_err());
    assert_eq!(partition.assign(&[None, None]).unwrap(), None);
    let strange = partition.assign(&[Some(ClusterId(7)), Some(ClusterId(9))]).unwrap().unwrap();
    assert_eq!((strange.similarity, strange.runner_up), (0.0, 0.0));

    let parts = partition.placer().parts();
    let damaged = |change: fn(&mut PlacerParts)| {
        let mut parts = parts.clone();
        change(&mut parts);
        Placer::from_parts(&parts).is_none()
    };
    assert!(damaged(|parts| parts.votes[0] = 9), "no cluster of that model");
    assert!(damaged(|parts| parts.assigned[0] = 5), "clusters between have no votes");
    assert!(damaged(|parts| parts.models[0] = 0.0) && damaged(|parts| parts.samples[0] = 0));
    assert!(damaged(|parts| parts.n_clusters[0] += 1) && damaged(|parts| parts.votes.clear()));

    let silent = grouped(&of(array![[MISSING, MISSING]]));
    let error = Linkage::new(&silent, VoteWeights::equal(&silent), 3, &threads).unwrap_err();
    assert_eq!(error, GraphError::NoVotes);
}

/// Gates are no votes.
#[test]
fn signatures_that_differ_in_their_gate_are_one_leaf() {
    let confidences = array![[0.9, 0.1, 0.9, 0.9], [0.9, 0.9, 0.9, 0.1]];
    let votes = Votes::new(array![[0, 0, 1, 1], [0, 0, 1, 1]], confidences).unwrap();
    let params = AgreementParams { min_confidence: 0.5, ..Default::default() };
    let threads = Threads::new(1).unwrap();
    let signatures = Signatures::group(&votes, &params.check(2).unwrap(), &threads).unwrap();
    assert_eq!(signatures.len(), 4);
    let linkage =
        Linkage::new(&signatures, VoteWeights::equal(&signatures), 1000, &threads).unwrap();
    assert_eq!(linkage.tree().leaf_samples(), [2, 2]);
    let ids = linkage.cut(2, 0.0).unwrap().consensus(&threads).clusters;
    assert_eq!((ids[0], ids[2]), (ids[1], ids[3]));
}
