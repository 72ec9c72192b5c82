//! Which samples without a label are learnt from, and as what.

use consilience_data::{
    ClusterId, GivenLabels, PseudoLabel, PseudoLabels, SampleIdx, SoftAssignments, Votes,
};
use consilience_graph::{AgreementGraph, Extraction};

use super::known::seeds;
use crate::judge::BACKED;
use crate::voters::{Backing, Voters};

/// Models of other kinds than networks, which stand behind a label or don't.
pub(super) struct Others<'a> {
    /// Given labels along the neighbour graph: the votes of one model, whose clusters are the classes.
    pub(super) propagated: Option<&'a Votes>,
    /// Communities, whose clusters are their own.
    pub(super) communities: Option<&'a Voters>,
}

impl Others<'_> {
    /// Kinds that stand behind a label.
    pub(super) fn kinds(&self) -> Vec<&'static str> {
        let propagated = self.propagated.map(|_| "propagation");
        let communities = self.communities.map(|_| "communities");
        ["networks"].into_iter().chain(propagated).chain(communities).collect()
    }

    /// Of labels that networks agree on, those that another kind stands behind, if there is any.
    ///
    /// One is enough: where a misleading label leads one kind astray, networks and the other kind still teach each other. ACC on
    /// optdigits with a label a class, three draws: 0.986, 0.979, 0.954, where all kinds had to 0.970, 0.967, 0.955.
    fn backed(
        &self,
        labels: &PseudoLabels,
        answer: &[Option<ClusterId>],
        k: usize,
    ) -> Vec<PseudoLabel> {
        let backing =
            self.communities.map(|voters| (voters, Backing::new(&voters.votes, answer, k)));
        let is_alone = self.propagated.is_none() && backing.is_none();
        let is_backed = |label: &PseudoLabel| {
            let sample = label.sample;
            let by_propagation = self
                .propagated
                .is_some_and(|votes| votes.clusters()[(0, sample.index())] == label.label.0);
            let by_communities = backing.as_ref().is_some_and(|(voters, backing)| {
                let count = backing.count(&voters.votes, sample, label.label);
                count as f64 >= BACKED * voters.votes.n_models() as f64
            });
            is_alone || by_propagation || by_communities
        };
        labels.entries().iter().filter(|label| is_backed(label)).copied().collect()
    }
}

/// What is learnt from before any network has an answer: the given labels, and their nearest samples along the neighbour graph,
/// where most of a sample's neighbours have the same class.
///
/// With a label a class, networks that start from labels alone may give a class to another's crowd, and no agreement brings them back.
/// Accuracy of the first round on optdigits, a label a class, three draws: 0.986, 0.978, 0.958; from the given labels alone 0.863, 0.966, 0.954. A label that lies in
/// another class's crowd leads astray all the same: three draws that were looked at later came to 0.964, 0.913, 0.922 in the end.
pub(super) fn first(
    others: &Others<'_>,
    (given, trainable): (&GivenLabels, &[u32]),
    k: usize,
) -> PseudoLabels {
    let seeds = seeds(given, trainable);
    let label = |votes: &Votes, sample: u32| {
        let at = (0, sample as usize);
        let (label, confidence) = (ClusterId(votes.clusters()[at]), votes.confidences()[at]);
        let sample = SampleIdx(sample);
        let label = PseudoLabel { sample, label, agreement: 1, margin: 1, confidence };
        (f64::from(confidence) > BACKED).then_some(label)
    };
    let found = others.propagated.map_or_else(Vec::new, |votes| {
        trainable.iter().filter_map(|&sample| label(votes, sample)).collect()
    });
    with_given(found, &seeds, 1, k, given.n_samples())
}

/// What models of all kinds agree on around the given labels, these included.
///
/// # Arguments
///
/// * `graph`: of the networks' votes, in which samples with a label have their class from all.
/// * `answer`: the networks' class of every sample.
pub(super) fn agreed(
    graph: &AgreementGraph<'_>,
    answer: &[Option<ClusterId>],
    others: &Others<'_>,
    (given, trainable): (&GivenLabels, &[u32]),
    k: usize,
) -> Extraction {
    let seeds = seeds(given, trainable);
    let mut extraction = graph.extract_around(&seeds, k);
    let found = others.backed(&extraction.pseudo_labels, answer, k);
    let sure = u16::try_from(graph.signatures().n_models()).unwrap_or(u16::MAX);
    extraction.pseudo_labels = with_given(found, &seeds, sure, k, given.n_samples());
    extraction
}

/// What the networks' mean probability is sure of by more than the bound of its class, length n_clusters, and the given labels.
pub(super) fn confident(
    graph: &AgreementGraph<'_>,
    answer: &SoftAssignments,
    bounds: &[f32],
    (given, trainable): (&GivenLabels, &[u32]),
    k: usize,
) -> Extraction {
    let seeds = seeds(given, trainable);
    let (assignments, sure) = answer.harden();
    let label = |&sample: &u32| {
        let (label, confidence) = (assignments.clusters()[sample as usize], sure[sample as usize]);
        let label =
            PseudoLabel { sample: SampleIdx(sample), label, agreement: 1, margin: 1, confidence };
        (confidence > bounds[label.label.index()]).then_some(label)
    };
    let found = trainable.iter().filter_map(label).collect();
    let signatures = graph.signatures();
    Extraction {
        pseudo_labels: with_given(found, &seeds, 1, k, given.n_samples()),
        anchors: seeds.iter().map(|seed| seed.0).take(k).collect(),
        n_signatures: signatures.len(),
        n_without_votes: signatures.n_without_votes(),
    }
}

/// `found` labels, and the given ones in place of what was found of their samples.
fn with_given(
    mut found: Vec<PseudoLabel>,
    seeds: &[(SampleIdx, ClusterId)],
    agreement: u16,
    k: usize,
    n_samples: usize,
) -> PseudoLabels {
    let is_given = |sample: SampleIdx| seeds.binary_search_by_key(&sample, |seed| seed.0).is_ok();
    found.retain(|label| !is_given(label.sample));
    let margin = i32::from(agreement);
    let given = |&(sample, label): &(SampleIdx, ClusterId)| PseudoLabel {
        sample,
        label,
        agreement,
        margin,
        confidence: 1.0,
    };
    found.extend(seeds.iter().map(given));
    PseudoLabels::new(found, k, n_samples).with_given(seeds.iter().map(|seed| seed.0).collect())
}
