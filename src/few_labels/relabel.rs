//! What networks learn from in the next round, and what is put aside as it may be wrong.

use std::collections::BTreeSet;
use std::sync::Arc;

use consilience_data::{
    Assignments, ClusterId, GivenLabels, ModelAnswers, ModelIdx, PseudoLabels, SampleIdx,
    SoftAssignments, Votes,
};
use consilience_ensembles::Prepared;
use consilience_graph::{
    AgreementGraph, Alignment, Diversity, Extraction, Signatures, Threads, consensus,
};

use super::contradictions::contradictions;
use super::known::{certain, fixed};
use super::pseudo_labels::{Others, agreed, confident};
use super::settings::{FewLabels, Method};
use crate::config::ValidConfig;
use crate::error::RunError;

/// What stays the same from round to round.
pub(super) struct Relabelling<'a> {
    pub(super) few: &'a FewLabels,
    pub(super) config: &'a ValidConfig,
    pub(super) others: &'a Others<'a>,
    pub(super) given: &'a GivenLabels,
    pub(super) data: &'a Prepared,
    pub(super) threads: &'a Threads<'a>,
}

/// What models of a round say.
pub(super) struct Said<'a> {
    pub(super) round: usize,
    /// Votes on samples that can be trained on, in the models' numbering.
    pub(super) votes: &'a Votes,
    pub(super) answers: &'a [ModelAnswers],
    pub(super) alignment: &'a Alignment,
}

/// What comes of it.
pub(super) struct Relabelled {
    pub(super) extraction: Extraction,
    /// Probabilities, in which given labels are certain.
    pub(super) sure: SoftAssignments,
    pub(super) diversity: Option<f64>,
}

impl Relabelling<'_> {
    /// The labels of the next round, from what the models say: that on which they agree, or of which they are sure. Where labels that
    /// change are put aside: of those that networks said before, too.
    pub(super) fn labels(
        &self,
        said: &Said<'_>,
        found: &SoftAssignments,
        before: Option<&Assignments>,
    ) -> Result<Relabelled, RunError> {
        let (given, trainable, k) = (self.given, self.data.trainable(), self.config.n_clusters);
        let agreement = self.config.agreement_for(said.votes.n_models())?;
        let known = fixed(said.votes, said.alignment, given)?;
        let signatures = Signatures::group(&known, &agreement, self.threads)?;
        let graph = AgreementGraph::new(&signatures, &agreement)?;
        let sure = certain(found, given);
        let mut extraction = if self.few.has(Method::Agreement) {
            let classes: Vec<_> = sure.harden().0.clusters().iter().copied().map(Some).collect();
            agreed(&graph, &classes, self.others, (given, trainable), k)
        } else {
            let tau = self.few.tau_of(said.round, self.config.rounds);
            let bounds = self.few.bounds(tau, &sure);
            confident(&graph, &sure, &bounds, (given, trainable), k)
        };
        if let Some(before) = before.filter(|_| self.few.steady) {
            let is_same = |sample: SampleIdx, label: ClusterId| {
                given.of(sample).is_some() || before.clusters()[sample.index()] == label
            };
            extraction.pseudo_labels = kept(&extraction.pseudo_labels, is_same);
        }
        let diversity = Diversity::of(&signatures, self.threads).mean();
        Ok(Relabelled { extraction, sure, diversity })
    }

    /// What each model learns from next: `labels`, or what the others say without it; without given labels that the others contradict. With soft labels, as far
    /// as those who found them think them probable.
    pub(super) fn targets(
        &self,
        said: &Said<'_>,
        found: &SoftAssignments,
        (labels, before): (&PseudoLabels, Option<&Assignments>),
    ) -> Result<Vec<PseudoLabels>, RunError> {
        let models = said.votes.n_models();
        let doubted = if self.few.doubt { self.doubted(found) } else { BTreeSet::new() };
        let undoubted = |labels: &PseudoLabels| match doubted.is_empty() {
            true => labels.clone(),
            false => kept(labels, |sample, _| !doubted.contains(&sample)),
        };
        let soft = |labels: PseudoLabels, found: &SoftAssignments| match self.few.soft {
            true => labels.with_probabilities(Arc::new(found.clone())),
            false => labels,
        };
        if !self.few.co_teaching || models < 2 {
            return Ok(vec![soft(undoubted(labels), found); models]);
        }
        let of_others = |model: usize| {
            let others: Vec<usize> = (0..models).filter(|&other| other != model).collect();
            let common =
                |&other: &usize| said.alignment.from_model(ModelIdx::from_index(other)).to_vec();
            let alignment = Alignment::from_common(
                others.iter().map(common).collect(),
                self.config.n_clusters,
            )?;
            let votes = said.votes.of_models(&others);
            let answers: Vec<_> = others.iter().map(|&at| said.answers[at].clone()).collect();
            let found = consensus(&answers, &alignment)?;
            let (round, votes, answers) = (said.round, &votes, &answers[..]);
            let said = Said { round, votes, answers, alignment: &alignment };
            let relabelled = self.labels(&said, &found, before)?;
            Ok(soft(undoubted(&relabelled.extraction.pseudo_labels), &found))
        };
        (0..models).map(of_others).collect()
    }

    /// Samples whose given label the other samples contradict, but for one of a class that would have none left: the least contradicted.
    fn doubted(&self, found: &SoftAssignments) -> BTreeSet<SampleIdx> {
        let given = self.given;
        let clusters: Vec<_> = (0..given.n_classes()).map(ClusterId::from_index).collect();
        let row = |sample: usize| found.view().row(sample).to_vec();
        let k = found.n_clusters();
        let mut left = given.sizes();
        let mut doubted = BTreeSet::new();
        for wrong in contradictions(row, k, (given, &clusters), self.data) {
            let left = &mut left[wrong.given.index()];
            if *left > 1 {
                *left -= 1;
                doubted.insert(wrong.sample);
            }
        }
        doubted
    }
}

/// Those of `labels` for which `is_kept` holds.
fn kept(labels: &PseudoLabels, is_kept: impl Fn(SampleIdx, ClusterId) -> bool) -> PseudoLabels {
    let entries = labels.entries().iter().copied();
    let entries: Vec<_> = entries.filter(|entry| is_kept(entry.sample, entry.label)).collect();
    let is_there = |sample: &SampleIdx| entries.binary_search_by_key(sample, |e| e.sample).is_ok();
    let given = labels.given().iter().copied().filter(is_there).collect();
    PseudoLabels::new(entries, labels.n_clusters(), labels.n_samples()).with_given(given)
}

#[cfg(test)]
mod tests {
    use consilience_data::PseudoLabel;

    use super::*;

    #[test]
    fn what_is_put_aside_is_no_longer_given() {
        let label = |sample| PseudoLabel {
            sample: SampleIdx(sample),
            label: ClusterId(u16::from(sample > 2)),
            agreement: 1,
            margin: 1,
            confidence: 1.0,
        };
        let labels = PseudoLabels::new((0..5).map(label).collect(), 2, 6)
            .with_given(vec![SampleIdx(1), SampleIdx(4)]);
        let kept = kept(&labels, |sample, label| sample.0 != 1 && label.0 < 2);
        assert_eq!((kept.len(), kept.given()), (4, &[SampleIdx(4)][..]));
        assert_eq!((kept.n_clusters(), kept.n_samples()), (2, 6));
    }
}
