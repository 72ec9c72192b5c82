//! What is known of some samples before a run: that two are in one cluster or in two, or which class they are of.
//!
//! One mechanism for both ([`Constraints`]): labels link the samples of a class, and keep classes apart. In every round votes are held to what is
//! known before they become the agreement graph, so are the consensus, the pseudo-labels that networks learn from, and the answer in the end.
//! Models stay what they are: what they say of a new sample depends on the sample alone.

mod conflict;

use std::borrow::Cow;
use std::ops::RangeInclusive;

use consilience_data::{
    Assignments, ClusterId, GivenLabels, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx, Votes,
};
use consilience_ensembles::Prepared;
use consilience_graph::{Constraints, Settled};
use serde::Serialize;

pub use self::conflict::{Conflict, Origin, Words};
use crate::error::RunError;
use crate::few_labels::{Taught, contradictions, spread};
use crate::from_votes::VotesOutcome;
use crate::granularity::DEFAULT;
use crate::judge::Answer;
use crate::wording::count;

/// Classes that a message names, at most.
const TOLD: usize = 6;

/// What is known of some samples.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    constraints: Constraints,
    given: Option<GivenLabels>,
    /// Pairs that are in one cluster, then those that are in two.
    pairs: [Vec<[SampleIdx; 2]>; 2],
}

/// What became of what was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Samples of which something is known.
    pub samples: usize,
    /// Groups of them that are together, those of one sample included.
    pub groups: usize,
    /// Samples that are in another cluster than without it.
    pub moved: usize,
}

impl Knowledge {
    /// Takes labels of some samples, pairs that are in one cluster, and pairs that are in two.
    ///
    /// # Errors
    ///
    /// The first [`Conflict`].
    pub fn new(
        given: Option<GivenLabels>,
        must: &[[SampleIdx; 2]],
        cannot: &[[SampleIdx; 2]],
    ) -> Result<Self, Conflict> {
        let (mut linked, mut apart) = (must.to_vec(), cannot.to_vec());
        if let Some(given) = &given {
            let mut first = vec![None; given.n_classes()];
            for (sample, class) in given.labelled() {
                linked.push([*first[class.index()].get_or_insert(sample), sample]);
            }
            let first: Vec<SampleIdx> = first.into_iter().flatten().collect();
            for (at, &sample) in first.iter().enumerate() {
                apart.extend(first[..at].iter().map(|&other| [other, sample]));
            }
        }
        let origin = |pairs: &[[SampleIdx; 2]], n_pairs: usize, at: usize| match at < n_pairs {
            true => Origin::Pair(at),
            false => Origin::Labels(pairs[at]),
        };
        let constraints = Constraints::new(&linked, &apart).map_err(|wrong| Conflict {
            apart: origin(&apart, cannot.len(), wrong.cannot),
            linked: wrong.chain.iter().map(|&at| origin(&linked, must.len(), at)).collect(),
        })?;
        Ok(Self { constraints, given, pairs: [must.to_vec(), cannot.to_vec()] })
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.constraints.is_empty()
    }

    /// Numbers of clusters to look for among `n_samples` samples: of `ks`, those that can keep apart what has to be. Empty if none can.
    #[must_use]
    pub fn enough(&self, ks: RangeInclusive<usize>, n_samples: usize) -> RangeInclusive<usize> {
        let least = self.constraints.least_clusters();
        if least <= *ks.start() {
            return ks;
        }
        let end = if ks == DEFAULT { (*ks.end()).min(n_samples).max(least) } else { *ks.end() };
        least..=end
    }

    /// What is linked and what is apart.
    #[must_use]
    pub fn constraints(&self) -> &Constraints {
        &self.constraints
    }

    /// The labels of some samples, if there are any.
    #[must_use]
    pub fn given(&self) -> Option<&GivenLabels> {
        self.given.as_ref()
    }

    /// The pairs that are in one cluster, and those that are in two, as they were given.
    #[must_use]
    pub fn pairs(&self) -> [&[[SampleIdx; 2]]; 2] {
        self.pairs.each_ref().map(Vec::as_slice)
    }

    /// Votes that don't contradict what is known.
    pub(crate) fn hold<'a>(&self, votes: &'a Votes) -> Cow<'a, Votes> {
        match self.is_empty() {
            true => Cow::Borrowed(votes),
            false => Cow::Owned(self.constraints.hold(votes)),
        }
    }

    /// The clusters of what is linked, in a clustering of all samples by `votes`; none if nothing is known.
    ///
    /// # Errors
    ///
    /// [`RunError::Graph`] if there are too few clusters.
    pub(crate) fn settle(
        &self,
        clusters: &Assignments,
        votes: &Votes,
    ) -> Result<Option<Settled>, RunError> {
        if self.is_empty() {
            return Ok(None);
        }
        let all: Vec<_> = clusters.clusters().iter().copied().map(Some).collect();
        let votes_of = |model: ModelIdx| {
            let row = votes.of_model(model);
            row.iter().map(|&vote| (vote != Votes::MISSING).then_some(ClusterId(vote))).collect()
        };
        let (n_models, k) = (votes.n_models(), clusters.n_clusters());
        Ok(Some(self.constraints.settle(&all, n_models, votes_of, k)?))
    }

    /// Labels that don't contradict what is known, numbered as `settled` is: the given ones, of samples that are `trainable`, and those of
    /// others, unless they say something else of a sample than is settled.
    pub(crate) fn labels<'a>(
        &self,
        labels: &'a PseudoLabels,
        settled: Option<&Settled>,
        (k, n_models): (usize, usize),
        trainable: &[u32],
    ) -> Cow<'a, PseudoLabels> {
        let Some(settled) = settled else { return Cow::Borrowed(labels) };
        let given = |sample: SampleIdx| self.given.as_ref().and_then(|given| given.of(sample));
        let mut entries = labels.entries().to_vec();
        entries.retain(|entry| match self.constraints.block_of(entry.sample) {
            Some(block) => {
                given(entry.sample).is_none() && settled.clusters[block] == Some(entry.label)
            }
            None => true,
        });
        let agreement = u16::try_from(n_models).unwrap_or(u16::MAX);
        let mut of_given = Vec::new();
        for (sample, _) in self.given.iter().flat_map(GivenLabels::labelled) {
            let block = self.constraints.block_of(sample);
            let Some(label) = block.and_then(|block| settled.clusters[block]) else { continue };
            if trainable.binary_search(&sample.0).is_ok() {
                let (margin, confidence) = (i32::from(agreement), 1.0);
                entries.push(PseudoLabel { sample, label, agreement, margin, confidence });
                of_given.push(sample);
            }
        }
        Cow::Owned(PseudoLabels::new(entries, k, labels.n_samples()).with_given(of_given))
    }

    /// Puts samples where they are settled. How many are elsewhere now.
    pub(crate) fn place(
        &self,
        settled: Option<&Settled>,
        clusters: &mut [Option<ClusterId>],
        confidences: &mut [f32],
    ) -> usize {
        let Some(settled) = settled else { return 0 };
        let mut moved = 0;
        for (block, samples) in self.constraints.blocks().iter().enumerate() {
            for sample in samples {
                let (own, sure) = (&mut clusters[sample.index()], &mut confidences[sample.index()]);
                if *own != settled.clusters[block] {
                    *own = settled.clusters[block];
                    *sure = settled.similarity[block];
                    moved += 1;
                }
                if self.given.as_ref().is_some_and(|given| given.of(*sample).is_some()) {
                    *sure = 1.0;
                }
            }
        }
        moved
    }

    /// As [`Knowledge::place`], of a cluster for every sample.
    pub(crate) fn place_all(
        &self,
        settled: Option<&Settled>,
        assignments: &mut Assignments,
        confidences: &mut [f32],
    ) -> usize {
        if settled.is_none() {
            return 0;
        }
        let mut clusters: Vec<_> = assignments.clusters().iter().copied().map(Some).collect();
        let moved = self.place(settled, &mut clusters, confidences);
        let clusters = clusters.into_iter().zip(assignments.clusters());
        let clusters = clusters.map(|(cluster, &own)| cluster.unwrap_or(own)).collect();
        *assignments = Assignments::new(clusters, assignments.n_clusters());
        moved
    }

    /// Holds what a run ends with to what is known, and says what became of that, and of labels.
    ///
    /// `votes`: of all models, on all samples.
    pub(crate) fn conclude(
        &self,
        answer: &mut Answer,
        votes: &Votes,
        data: &Prepared,
    ) -> Result<(Option<Held>, Option<Taught>), RunError> {
        let settled = self.settle(&answer.assignments, votes)?;
        let Some(found) = &settled else { return Ok((None, None)) };
        let taught = self.given.as_ref().map(|given| {
            let first_of = |class: usize| {
                let mut labelled = given.labelled();
                labelled.find(|(_, of)| of.index() == class).map(|(sample, _)| sample)
            };
            let cluster = |class: usize| {
                let block = self.constraints.block_of(first_of(class)?)?;
                found.clusters[block]
            };
            let clusters: Option<Vec<ClusterId>> = (0..given.n_classes()).map(cluster).collect();
            let clusters = clusters.expect("all samples have a cluster");
            let k = answer.assignments.n_clusters();
            let row = |sample: usize| {
                let cluster = answer.assignments.clusters()[sample];
                spread(Some(cluster), answer.confidence[sample], k)
            };
            let contradictions = contradictions(row, k, (given, &clusters), data);
            let mut moved = vec![0; given.n_classes()];
            for (sample, class) in given.labelled() {
                let own = answer.assignments.clusters()[sample.index()];
                moved[class.index()] += usize::from(own != clusters[class.index()]);
            }
            let (given, moved) = (given.clone(), Some(moved));
            Taught { given, clusters, probabilities: None, moved, contradictions }
        });
        let Answer { assignments, confidence, pseudo_labels, .. } = answer;
        let found = (assignments, &mut confidence[..], pseudo_labels);
        Ok((Some(self.hold_all(found, settled.as_ref(), votes, data.trainable())), taught))
    }

    /// Holds another clustering of a run, with a confidence for every sample and pseudo-labels, to what is known. `votes`: of all models, on all samples.
    pub(crate) fn conclude_cut(
        &self,
        found: (&mut Assignments, &mut [f32], &mut PseudoLabels),
        votes: &Votes,
        trainable: &[u32],
    ) -> Result<Option<Held>, RunError> {
        let settled = self.settle(found.0, votes)?;
        Ok(settled.is_some().then(|| self.hold_all(found, settled.as_ref(), votes, trainable)))
    }

    fn hold_all(
        &self,
        (assignments, confidence, labels): (&mut Assignments, &mut [f32], &mut PseudoLabels),
        settled: Option<&Settled>,
        votes: &Votes,
        trainable: &[u32],
    ) -> Held {
        let moved = self.place_all(settled, assignments, confidence);
        let sizes = (assignments.n_clusters(), votes.n_models());
        *labels = self.labels(labels, settled, sizes, trainable).into_owned();
        self.held(moved)
    }

    /// Holds the answer of votes that were given to what is known, as that of a run is: `votes_of` each model, length n_samples.
    ///
    /// # Errors
    ///
    /// [`RunError::Graph`] if there are too few clusters.
    pub fn conclude_votes(
        &self,
        outcome: &mut VotesOutcome,
        votes_of: impl Fn(ModelIdx) -> Vec<Option<ClusterId>>,
        n_models: usize,
    ) -> Result<Option<Held>, RunError> {
        if self.is_empty() {
            return Ok(None);
        }
        let consensus = &mut outcome.consensus;
        let k = consensus.n_clusters;
        let settled = self.constraints.settle(&consensus.clusters, n_models, votes_of, k)?;
        let settled = Some(&settled);
        let moved = self.place(settled, &mut consensus.clusters, &mut consensus.confidences);
        let labels = self.labels(&outcome.pseudo_labels, settled, (k, n_models), &[]);
        outcome.pseudo_labels = labels.into_owned();
        Ok(Some(self.held(moved)))
    }

    fn held(&self, moved: usize) -> Held {
        let blocks = self.constraints.blocks();
        Held { samples: blocks.iter().map(Vec::len).sum(), groups: blocks.len(), moved }
    }
}

/// Which classes clusters don't show, in a line: more than half of their labelled samples would be elsewhere without their labels.
#[must_use]
pub fn not_shown(taught: &Taught) -> Option<String> {
    let (names, sizes) = (taught.given.names(), taught.given.sizes());
    let of = |(at, &moved): (usize, &usize)| {
        let told = || format!("{} ({} of {})", names[at], count(moved), count(sizes[at]));
        (2 * moved > sizes[at]).then(told)
    };
    let all: Vec<String> = taught.moved.iter().flatten().enumerate().filter_map(of).collect();
    if all.is_empty() {
        return None;
    }
    let more = match all.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!(" and {} more", count(more)),
    };
    let some = all[..all.len().min(TOLD)].join(", ");
    Some(format!(
        "clusters don't show some classes, most of whose labelled samples would be elsewhere without their labels: {some}{more}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(u32, u32)]) -> Vec<[SampleIdx; 2]> {
        pairs.iter().map(|&(a, b)| [SampleIdx(a), SampleIdx(b)]).collect()
    }

    /// Samples 1 and 4 are cats, 2 is a dog.
    fn given() -> GivenLabels {
        let classes = vec![None, Some(0), Some(1), None, Some(0), None];
        GivenLabels::new("x", classes, vec!["cat".into(), "dog".into()]).unwrap()
    }

    #[test]
    fn labels_and_pairs_are_one_thing() {
        let known = Knowledge::new(Some(given()), &pairs(&[(4, 5)]), &pairs(&[(3, 2)])).unwrap();
        let blocks: Vec<Vec<u32>> = (known.constraints().blocks().iter())
            .map(|block| block.iter().map(|sample| sample.0).collect())
            .collect();
        assert_eq!(blocks, [vec![1, 4, 5], vec![2], vec![3]]);
        let wrong = Knowledge::new(Some(given()), &pairs(&[(0, 3), (4, 5), (5, 2)]), &[]);
        let samples = |a, b| Origin::Labels([SampleIdx(a), SampleIdx(b)]);
        let linked = vec![samples(1, 4), Origin::Pair(1), Origin::Pair(2)];
        assert_eq!(wrong.unwrap_err(), Conflict { apart: samples(1, 2), linked });
        let wrong = Knowledge::new(Some(given()), &[], &pairs(&[(4, 1)])).unwrap_err();
        assert_eq!(wrong.apart, Origin::Pair(0));
    }

    #[test]
    fn numbers_of_clusters_are_enough() {
        let known = Knowledge::new(None, &[], &pairs(&[(0, 1), (0, 2), (1, 2)])).unwrap();
        assert_eq!(known.enough(2..=9, 100), 3..=9);
        assert_eq!(known.enough(4..=9, 100), 4..=9);
        assert_eq!(known.enough(DEFAULT, 50), 3..=50);
        assert!(known.enough(2..=2, 100).is_empty());
        assert_eq!(Knowledge::default().enough(2..=9, 100), 2..=9);
    }

    #[test]
    fn what_is_settled_is_kept_and_the_rest_stays() {
        let known = Knowledge::new(Some(given()), &pairs(&[(0, 3)]), &[]).unwrap();
        let votes = Votes::new(
            ndarray::array![[0, 0, 0, 1, 0, 1], [0, 0, 1, 1, 0, 1]],
            ndarray::Array2::from_elem((2, 6), 0.9),
        )
        .unwrap();
        let clusters = [0, 0, 0, 1, 0, 1].map(ClusterId).to_vec();
        let mut found = Assignments::new(clusters, 2);
        let settled = known.settle(&found, &votes).unwrap();
        let mut sure = vec![0.5; 6];
        let moved = known.place_all(settled.as_ref(), &mut found, &mut sure);
        let clusters: Vec<u16> = found.clusters().iter().map(|id| id.0).collect();
        assert_eq!(clusters[1..3], [0, 1], "the dog is in the other cluster");
        assert_eq!(clusters[0], clusters[3]);
        assert_eq!((clusters[4], clusters[5], moved), (0, 1, 2));
        assert_eq!((sure[1], sure[2], sure[5]), (1.0, 1.0, 0.5));
        let label = |sample, label| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(label),
            agreement: 2,
            margin: 1,
            confidence: 0.9,
        };
        let wrong = PseudoLabels::new(vec![label(2, 0), label(5, 1)], 2, 6);
        let all: Vec<u32> = (0..5).collect();
        let labels = known.labels(&wrong, settled.as_ref(), (2, 2), &all);
        let labels: Vec<_> = labels.entries().iter().map(|e| (e.sample.0, e.label.0)).collect();
        assert_eq!(labels, [(1, 0), (2, 1), (4, 0), (5, 1)]);
        assert!(Knowledge::default().settle(&found, &votes).unwrap().is_none());
    }
}
