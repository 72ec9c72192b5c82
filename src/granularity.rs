//! How many clusters there are, where nobody says it.
//!
//! Networks are told K, and show it: they can't be the witnesses. Communities of the neighbour graph know none. Voters at resolutions from coarse
//! to fine, half of which see one half of the samples and half the other, make a tree: how similar two samples are says up to which resolution they
//! stay together. A branch of the tree is a cluster if both halves have it, and clusters are the branches that stay whole longest
//! ([`Kinds`]).

use std::ops::RangeInclusive;

use consilience_data::{Assignments, ModelIdx, SampleIdx, Stream};
use consilience_ensembles::{Halves, Prepared};
use consilience_graph::{
    AgreementParams, Kinds, Layer, Linkage, NullModel, Placer, Signatures, Threads, Tree,
    VoteWeights,
};
use serde::Serialize;

use crate::RunError;
use crate::consensus::MAX_SIGNATURES;
use crate::linked::placed;
use crate::progress::Observer;

/// Numbers of clusters that are looked at where no range is given.
pub const DEFAULT: RangeInclusive<usize> = 2..=100;

/// Voters of each half.
const VOTERS: usize = 16;
/// Coarser ones, where K isn't known: they tell groups that nothing joins from those that little joins. With K known there is no such question, and with them the
/// branches of digits were worse in three of six seeds, and better in one.
const COARSE_VOTERS: usize = 4;
/// In how many ways samples are halved; the second with more than [`MANY`] samples, where voters take longer and err less.
const SPLITS: usize = 4;
const FEWER_SPLITS: usize = 2;
const MANY: usize = 20_000;
/// Samples in the tree, at most.
const SAMPLES: usize = 3000;
/// Samples that voters see where K is known, at most: the branches are a voter among others then, and have to be found in seconds.
const BRANCHED: usize = 10_000;
/// A branch with fewer than one in so many samples of the tree is none, nor is one of fewer than [`FEWEST`].
const SHARE: u64 = 200;
const FEWEST: u64 = 5;
/// A crowd without structure falls into two communities, and these again when the resolution is 2^(1 + 1/d) times as high in d dimensions: a half has half of the
/// edges, and 2^(-1/d) of the border. So what is no cluster stays whole over a doubling ([`crowd`]), on a line over two of them, and in the plane over half a doubling
/// more (`WHOLE`): data whose clusters don't stay whole longer than that have no structure.
const WHOLE: f64 = std::f64::consts::SQRT_2;
/// The same of votes that were given, whose granularities are not known: a share of the voters.
const WHOLE_OF_GIVEN: f64 = 0.19;
/// Of numbers of clusters in a range, the smallest is taken whose clusters stay whole nearly as long as those of the best: this share.
const NEARLY: f64 = 0.95;
/// Layers beside the chosen one, at most.
const MORE_LAYERS: usize = 4;

/// What speaks for a number of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KEvidence {
    /// Number of clusters, K.
    pub k: usize,
    /// The share of the granularities over which a sample's cluster stays whole, beyond what a crowd without structure would, 0..=1: see [`Layer::persistence`].
    pub persistence: f64,
    /// How far the cluster that is found again least is found again by the other half, 0..=1: Jaccard index.
    pub found_again: f64,
    /// Share of the tree's samples in the smallest cluster, before samples that are in none join it, 0..=1.
    pub smallest: f64,
}

/// A clustering that the tree shows.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerFound {
    /// What speaks for it.
    pub evidence: KEvidence,
    /// A cluster for every sample; the first for those without votes.
    pub assignments: Assignments,
}

/// How many clusters were found, and why.
#[derive(Debug, Clone)]
pub struct Granularity {
    /// The number to go on with.
    pub k: usize,
    /// Numbers that were asked for.
    pub ks: RangeInclusive<usize>,
    /// The number that the tree shows, whatever was asked for; 1 if it shows no structure.
    pub shown: usize,
    /// What speaks for 1, 2, ... clusters, as far as the tree has so many.
    pub candidates: Vec<KEvidence>,
    /// The clustering with `k` clusters, if the tree has one, then others that stay whole longer than those with one cluster more or less,
    /// strongest first.
    pub layers: Vec<LayerFound>,
    /// The tree of votes.
    pub tree: Tree,
    /// Wall-clock seconds that it took, the neighbour graph excluded.
    pub seconds: f64,
}

/// Clusters of some samples of the data.
pub(crate) struct Branches<'a> {
    /// Samples, ascending.
    pub(crate) samples: &'a [u32],
    /// The cluster of each.
    pub(crate) clusters: Vec<usize>,
}

/// What voters of many granularities say of up to 10,000 samples, where K is known.
pub(crate) struct Witnesses {
    some: Prepared,
    /// Samples, ascending.
    samples: Vec<u32>,
    halves: Halves,
}

impl Witnesses {
    /// `None` of a single sample.
    ///
    /// # Errors
    ///
    /// As [`Granularity`]'s own, of data with neighbours.
    pub(crate) fn find(
        data: &Prepared,
        n_threads: usize,
        observer: &dyn Observer,
    ) -> Result<Option<Self>, RunError> {
        let (some, samples) = data.sampled(BRANCHED, n_threads, observer)?;
        if samples.len() < 2 {
            return Ok(None);
        }
        let halves = Halves::find(&some, (SPLITS, VOTERS), n_threads, observer)?;
        Ok(Some(Self { some, samples, halves }))
    }

    /// The samples, with their neighbours among each other, and which they are, ascending.
    pub(crate) fn samples(&self) -> (&Prepared, &[u32]) {
        (&self.some, &self.samples)
    }

    /// The clustering into `k` that the tree shows; `None` if it has no so many branches.
    ///
    /// # Errors
    ///
    /// As [`Granularity`]'s own, of data with neighbours.
    pub(crate) fn branches(
        &self,
        k: usize,
        n_threads: usize,
        observer: &dyn Observer,
    ) -> Result<Option<Branches<'_>>, RunError> {
        // Each has a share of the samples at least, so that there can't be more.
        if k as u64 > SHARE || self.samples.len() < k {
            return Ok(None);
        }
        let found = Granularity::of_halves(&self.some, k..=k, &self.halves, n_threads, observer)?;
        let layer = found.layers.into_iter().find(|layer| layer.evidence.k == k);
        Ok(layer.map(|layer| {
            let of_some = layer.assignments.clusters().iter().map(|cluster| cluster.index());
            Branches { samples: &self.samples, clusters: of_some.collect() }
        }))
    }

    /// How far an answer on all samples is found again by voters that see half of them: see [`Halves::found_again`].
    pub(crate) fn found_again(&self, answer: &Assignments) -> f64 {
        let clusters = self.samples.iter().map(|&sample| answer.clusters()[sample as usize]);
        self.halves.found_again(&Assignments::new(clusters.collect(), answer.n_clusters()))
    }
}

impl Granularity {
    /// Of voters on data that neighbours were measured in.
    pub(crate) fn of_data(
        data: &Prepared,
        ks: RangeInclusive<usize>,
        n_threads: usize,
        observer: &dyn Observer,
    ) -> Result<Self, RunError> {
        let splits = if data.trainable().len() > MANY { FEWER_SPLITS } else { SPLITS };
        let counts = (splits, VOTERS + COARSE_VOTERS);
        let halves = Halves::find(data, counts, n_threads, observer)?;
        Self::of_halves(data, ks, &halves, n_threads, observer)
    }

    /// Voters beyond [`VOTERS`] are the coarse ones.
    #[expect(clippy::cast_precision_loss, reason = "a handful")]
    fn of_halves(
        data: &Prepared,
        ks: RangeInclusive<usize>,
        halves: &Halves,
        n_threads: usize,
        observer: &dyn Observer,
    ) -> Result<Self, RunError> {
        let (votes, splits) = (&halves.votes, halves.splits);
        let n_voters = halves.n_voters();
        let coarse = n_voters - VOTERS;
        // As a share of the logarithms that voters look at.
        let share = |factor: f64| factor.ln() / (n_voters as f64 * Halves::STEP.ln());
        let null = NullModel {
            crowd: share(crowd(data.features().n_features())),
            coarse: coarse as f64 / n_voters as f64,
        };
        let mut samples = data.trainable().to_vec();
        data.seed().rng(Stream::Halves { split: u64::MAX }).shuffle(&mut samples);
        samples.truncate(SAMPLES);
        samples.sort_unstable();
        let cancelled = || observer.cancelled();
        let threads = Threads::watched(n_threads, &cancelled)?;
        let no_gate = AgreementParams { min_confidence: 0.0, ..AgreementParams::default() };
        let of_some = votes.clone().of_samples(&samples);
        let signatures = Signatures::group(&of_some, &no_gate.check(votes.n_models())?, &threads)?;
        let halves = (0..splits).map(|split| {
            let voters = |half| (0..n_voters).map(move |at| 2 * (split * n_voters + at) + half);
            [voters(0).collect(), voters(1).collect()]
        });
        let halves: Vec<_> = halves.collect();
        let shown = Shown::new(&signatures, &halves, null, &threads)?;
        shown.within(ks, share(WHOLE), |placer| Ok(placed(placer, votes)?.0))
    }

    /// Of votes that were given. Models that were told a number of clusters show that. Every other model is in the other half.
    ///
    /// # Errors
    ///
    /// [`RunError::Graph`] without votes.
    pub fn of_votes(
        signatures: &Signatures,
        ks: RangeInclusive<usize>,
        threads: &Threads<'_>,
    ) -> Result<Self, RunError> {
        let of_all = |placer: &Placer| {
            let of_signature = signatures.iter().map(|signature| {
                let votes = signatures.votes(signature);
                Ok::<_, RunError>(
                    placer.assign(&votes)?.map_or_else(Default::default, |p| p.cluster),
                )
            });
            let of_signature = of_signature.collect::<Result<Vec<_>, _>>()?;
            let of_sample = (0..signatures.n_samples())
                .map(|s| of_signature[signatures.of_sample(SampleIdx::from_index(s)).index()]);
            Ok(Assignments::new(of_sample.collect(), placer.n_clusters()))
        };
        let n_models = signatures.n_models();
        // A single voter has no half.
        let second = if n_models < 2 { 0 } else { 1 };
        let halves = [(0..n_models).step_by(2).collect(), (second..n_models).step_by(2).collect()];
        let shown = Shown::new(signatures, &[halves], NullModel::default(), threads)?;
        shown.within(ks, WHOLE_OF_GIVEN, of_all)
    }

    /// Whether there is any structure: more than one cluster that both halves of the voters have.
    #[must_use]
    pub fn is_structured(&self) -> bool {
        self.shown > 1
    }

    /// What speaks for the number that was taken; `None` if the tree has no so many clusters.
    #[must_use]
    pub fn evidence(&self) -> Option<&KEvidence> {
        self.candidates.get(self.k - 1)
    }
}

/// What the tree of votes shows.
struct Shown<'a> {
    linkage: Linkage<'a>,
    kinds: Kinds,
}

impl<'a> Shown<'a> {
    /// `halves`: the models of both halves, for each way to split them.
    fn new(
        signatures: &'a Signatures,
        halves: &[[Vec<usize>; 2]],
        null: NullModel,
        threads: &Threads<'_>,
    ) -> Result<Self, RunError> {
        let weights = VoteWeights::equal(signatures);
        let linkage = Linkage::new(signatures, weights, MAX_SIGNATURES, threads)?;
        let n: u64 = linkage.tree().leaf_samples().iter().sum();
        let least = (n / SHARE).max(FEWEST);
        let of_half = |models: &Vec<usize>| {
            let models: Vec<_> = models.iter().map(|&model| ModelIdx::from_index(model)).collect();
            signatures.of_models(&models)
        };
        let voted: Vec<Signatures> = halves.iter().flatten().map(of_half).collect();
        let tree = |half| Linkage::new(half, VoteWeights::equal(half), MAX_SIGNATURES, threads);
        let trees = voted.iter().map(tree).collect::<Result<Vec<_>, _>>()?;
        let pairs: Vec<_> = trees.iter().zip(&voted).collect();
        let splits: Vec<_> = pairs.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect();
        let kinds = Kinds::new((&linkage, signatures), &splits, least, null)?;
        Ok(Self { linkage, kinds })
    }

    /// `whole`: clusters that don't stay whole longer show no structure; `all`: a cluster for every sample.
    fn within(
        self,
        ks: RangeInclusive<usize>,
        whole: f64,
        all: impl Fn(&Placer) -> Result<Assignments, RunError>,
    ) -> Result<Granularity, RunError> {
        let Self { linkage, kinds } = self;
        let chosen = kinds.chosen();
        let layers = kinds.layers(*ks.end());
        let evidence = |layer: &Layer| KEvidence {
            k: layer.branches.len(),
            persistence: layer.persistence,
            found_again: layer.found_again,
            smallest: kinds.smallest(layer),
        };
        let mut candidates: Vec<KEvidence> = layers.iter().map(evidence).collect();
        let shown = if chosen.persistence < whole { 1 } else { chosen.branches.len() };
        let k = match shown {
            1 => *ks.start(),
            shown if ks.contains(&shown) => shown,
            _ => best_within(&candidates, &ks),
        };
        let found = |layer: &Layer| {
            let assignments = all(linkage.split(&kinds, layer).placer())?;
            Ok::<_, RunError>(LayerFound { evidence: evidence(layer), assignments })
        };
        let mut taken: Vec<&Layer> = Vec::new();
        if k == shown {
            taken.push(&chosen);
            candidates[k - 1] = evidence(&chosen);
        } else {
            taken.extend(layers.get(k - 1));
        }
        taken.extend(
            peaks(&candidates).into_iter().filter(|&other| other != k).map(|k| &layers[k - 1]),
        );
        taken.truncate(1 + MORE_LAYERS);
        let layers = taken.into_iter().map(found).collect::<Result<_, _>>()?;
        let tree = linkage.tree().clone();
        Ok(Granularity { k, ks, shown, candidates, layers, tree, seconds: 0.0 })
    }
}

/// Over which factor of the resolution parts of a crowd stay whole at least. Nobody knows in how many dimensions data of several features lie, but one feature is a
/// line, where the border of a half is that of the whole.
fn crowd(n_features: usize) -> f64 {
    if n_features == 1 { 4.0 } else { 2.0 }
}

/// The smallest number of clusters in the range that persist nearly as long as those of the best.
fn best_within(candidates: &[KEvidence], ks: &RangeInclusive<usize>) -> usize {
    let inside = || candidates.iter().filter(|candidate| ks.contains(&candidate.k));
    let most = inside().map(|candidate| candidate.persistence).fold(0.0, f64::max);
    let nearly = |candidate: &&KEvidence| candidate.persistence >= NEARLY * most;
    inside().find(nearly).map_or(*ks.start(), |candidate| candidate.k)
}

/// Numbers of clusters, from 2 on, that persist longer than one less and at least as long as one more, the strongest first.
fn peaks(candidates: &[KEvidence]) -> Vec<usize> {
    let at = |index: usize| candidates.get(index).map_or(0.0, |candidate| candidate.persistence);
    let is_peak = |&index: &usize| at(index) > at(index - 1) && at(index) >= at(index + 1);
    let mut peaks: Vec<usize> = (1..candidates.len()).filter(is_peak).collect();
    peaks.sort_by(|&a, &b| at(b).total_cmp(&at(a)).then(a.cmp(&b)));
    peaks.into_iter().map(|index| candidates[index].k).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(persistence: &[f64]) -> Vec<KEvidence> {
        let of = |(k, &persistence)| KEvidence { k, persistence, found_again: 1.0, smallest: 0.1 };
        (1..).zip(persistence).map(of).collect()
    }

    #[test]
    fn in_a_range_the_smallest_of_the_best_is_taken() {
        let all = candidates(&[0.0, 0.3, 0.5, 0.49, 0.52, 0.4, 0.41]);
        assert_eq!(best_within(&all, &(2..=7)), 3);
        assert_eq!(best_within(&all, &(4..=7)), 5);
        assert_eq!(best_within(&all, &(6..=7)), 6, "0.40 is nearly 0.41");
        assert_eq!(best_within(&all, &(9..=12)), 9, "the tree has no so many");
        assert_eq!(peaks(&all), [5, 3, 7]);
    }
}
