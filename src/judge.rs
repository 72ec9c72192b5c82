//! Which answer a run ends with, judged without the truth.
//!
//! Answers on the table: the networks' consensus; that of communities; that of both kinds, by average linkage; and k-means. What is
//! known of each is how it lies on the neighbour graph ([`Evidence::net`]). That alone doesn't choose: communities were found on this graph, and have
//! fewer of its edges across than anything else by their nature. So both kinds count, unless neighbours speak clearly more for communities alone, or
//! more for networks alone.
//!
//! Where there are other views of the samples, all that vote on one of them are a kind more, and neighbours speak in all views: an answer's evidence is the mean.

use consilience_data::{
    Assignments, ClusterId, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx, Votes,
};
use consilience_ensembles::{KMeansModel, Prepared, Progress};
use consilience_graph::{Alignment, GraphError, Placer, Threads, Tree, consensus};
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::evidence::{Evidence, by_chance, clearly};
use crate::labelling::LabelRule;
use crate::linked::{MIN_SHARE, Shares, Told, cut_where_told};
use crate::renumber::renumber;
use crate::round::Round;
use crate::views::{Ballot, Panel, Part};
use crate::voters::Backing;

/// The share of each kind's voters that has to stand behind a label.
pub(crate) const BACKED: f64 = 0.8;

/// Which clustering a run ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// The networks' consensus: their aligned probabilities, averaged.
    Ensemble,
    /// The communities' consensus, by average linkage.
    Communities,
    /// That of all kinds, by average linkage, each kind with the same weight; every other view is one.
    AcrossKinds,
    /// k-means on the same features.
    KMeans,
}

/// A clustering that a run may end with.
#[derive(Clone)]
pub struct Candidate {
    /// Which it is.
    pub of: Chosen,
    /// A cluster for every sample.
    pub assignments: Assignments,
    /// Of the ensemble the mean probability, of k-means its probability, else the mean co-association with the samples of the cluster.
    pub confidence: Vec<f32>,
    /// What speaks for it.
    pub evidence: Evidence,
    /// Where it was cut from a tree: the tree, and how votes become its clusters.
    pub cut: Option<(Tree, Placer)>,
    /// Where it was cut from a tree: whose votes it is of, in order.
    pub parts: Vec<Part>,
}

/// What a run ends with.
pub struct Answer {
    /// Which was chosen.
    pub chosen: Chosen,
    /// A cluster for every sample.
    pub assignments: Assignments,
    /// See [`Candidate::confidence`].
    pub confidence: Vec<f32>,
    /// Labels with evidence, numbered as the assignments are: mini-clusters that the answer confirms and, where both kinds count, each kind
    /// stands behind.
    pub pseudo_labels: PseudoLabels,
    /// What these come from.
    pub rule: LabelRule,
    /// Kinds of models that stand behind every pseudo-label.
    pub kinds: Vec<&'static str>,
    /// All answers that were on the table, the networks' first.
    pub candidates: Vec<Candidate>,
    /// See [`Voters::coherence`](crate::voters::Voters::coherence).
    pub coherence: Option<f64>,
    /// k-means, if it was tried.
    pub k_means: Option<KMeansModel>,
    /// Where it was cut from a tree: the tree, and how votes become clusters.
    pub cut: Option<(Tree, Placer)>,
    /// Where it was cut from a tree: whose votes it is of, in order.
    pub parts: Vec<Part>,
}

/// What an answer is judged by.
pub(crate) struct Case<'a> {
    pub(crate) round: &'a Round,
    /// The networks' votes in that round, on all samples, and what votes beside them.
    pub(crate) panel: Panel<'a>,
    pub(crate) data: &'a Prepared,
    pub(crate) k: usize,
    pub(crate) threads: &'a Threads<'a>,
    pub(crate) progress: &'a dyn Progress,
}

impl Answer {
    /// Whether every cluster has pseudo-labels.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let labelled = self.pseudo_labels.sizes();
        labelled.len() == self.assignments.n_clusters() && !labelled.contains(&0)
    }
}

impl Case<'_> {
    /// The round's consensus, compared with nothing.
    pub(crate) fn unjudged(&self) -> Answer {
        self.answer(vec![self.networks()], Chosen::Ensemble, None)
    }

    /// The answer of all kinds that vote; `None` if there are no others than the members, or fewer distinct votes than K.
    ///
    /// # Errors
    ///
    /// [`RunError::Graph`].
    pub(crate) fn of_all_kinds(&self) -> Result<Option<Candidate>, RunError> {
        let Some(ballot) = self.panel.of_all()? else { return Ok(None) };
        self.linked(Chosen::AcrossKinds, ballot, self.panel.shares(self.least_share()))
    }

    /// What speaks for the answer of all kinds, if any other than the members can be evidence.
    pub(crate) fn counted(&self, of_all: Option<&Candidate>) -> Option<Evidence> {
        let is_evidence = !self.panel.evident().is_empty() || !self.panel.views.is_empty();
        of_all.filter(|_| is_evidence).map(|found| found.evidence)
    }

    /// The best of all, as far as can be seen. `of_all`: [`Case::of_all_kinds`].
    ///
    /// # Errors
    ///
    /// [`RunError::Ensemble`] and [`RunError::Graph`].
    pub(crate) fn judged(
        &self,
        of_all: Option<Candidate>,
        threads: usize,
    ) -> Result<Answer, RunError> {
        let panel = &self.panel;
        let mut candidates = vec![self.networks()];
        if let Some(ballot) = panel.of_communities()? {
            let shares = panel.shares(0.0);
            candidates.extend(self.linked(Chosen::Communities, ballot, shares)?);
        }
        candidates.extend(of_all);
        let (model, k_means) = self.k_means(threads)?;
        let known = Known {
            is_evidence: !panel.evident().is_empty(),
            has_views: !panel.views.is_empty(),
            no_islands: panel.smallest().is_some(),
        };
        let chosen = choose(&candidates, known, &k_means, self.k);
        candidates.push(k_means);
        Ok(self.answer(candidates, chosen, Some(model)))
    }

    /// The share of n / K samples that a cluster of both kinds can have at least: [`MIN_SHARE`], or half of what the smallest community has, if that is
    /// no island.
    #[expect(clippy::cast_precision_loss, reason = "samples are counted in u32")]
    fn least_share(&self) -> f64 {
        let n = self.panel.members.n_samples() as f64;
        let share = |size: usize| 0.5 * size as f64 * self.k as f64 / n;
        self.panel.smallest().map_or(MIN_SHARE, |size| MIN_SHARE.min(share(size)))
    }

    fn evidence(&self, assignments: &Assignments) -> Evidence {
        Evidence::of(assignments, &self.panel.seen(self.data))
    }

    fn networks(&self) -> Candidate {
        let assignments = self.round.consensus.clone();
        let evidence = self.evidence(&assignments);
        let confidence = self.round.confidence.clone();
        let (of, parts) = (Chosen::Ensemble, Vec::new());
        Candidate { of, assignments, confidence, evidence, cut: None, parts }
    }

    fn k_means(&self, threads: usize) -> Result<(KMeansModel, Candidate), RunError> {
        let own = ModelIdx(u16::MAX);
        let (model, answers) = KMeansModel::fitted(own, self.data, self.k, threads, self.progress)?;
        // As it will predict: alone, and by the way of an ensemble.
        let (assignments, confidence) = consensus(&[answers], &own_numbering(self.k)?)?.harden();
        let evidence = self.evidence(&assignments);
        let (of, parts) = (Chosen::KMeans, Vec::new());
        Ok((model, Candidate { of, assignments, confidence, evidence, cut: None, parts }))
    }

    /// The consensus of votes on all samples by average linkage, cut at K; `None` if there are fewer distinct votes than that.
    fn linked(
        &self,
        of: Chosen,
        Ballot { parts, votes, kinds }: Ballot,
        shares: Shares,
    ) -> Result<Option<Candidate>, RunError> {
        let views = self.panel.seen(self.data);
        let found = cut_where_told(&votes, &kinds, (self.k, shares), &views, self.threads)?;
        Ok(found.map(|found| {
            let Told { tree, placer, assignments, confidence, evidence } = found;
            Candidate { of, assignments, confidence, evidence, cut: Some((tree, placer)), parts }
        }))
    }

    fn answer(
        &self,
        candidates: Vec<Candidate>,
        chosen: Chosen,
        k_means: Option<KMeansModel>,
    ) -> Answer {
        let taken = candidates.iter().find(|candidate| candidate.of == chosen);
        let Candidate { assignments, confidence, cut, parts, .. } =
            taken.expect("it is on the table").clone();
        let lost = self.networks_lost(&candidates, chosen);
        let (pseudo_labels, kinds, rule) = self.labels((chosen, lost), &assignments, &confidence);
        Answer {
            coherence: self.panel.communities.map(|voters| voters.coherence),
            chosen,
            assignments,
            confidence,
            pseudo_labels,
            rule,
            kinds,
            candidates,
            k_means,
            cut,
            parts,
        }
    }

    /// Whether clusters are of so unequal size that networks, which expect like sizes, can't follow: communities of any size count, and neighbours speak
    /// clearly less for the networks' own answer. Then their mini-clusters leave small clusters out.
    fn networks_lost(&self, candidates: &[Candidate], chosen: Chosen) -> bool {
        let net = |of| {
            let candidate = candidates.iter().find(|candidate| candidate.of == of);
            candidate.map_or(0.0, |candidate| candidate.evidence.net())
        };
        self.panel.communities.is_some_and(|voters| voters.search.is_of_any_size())
            && net(chosen) > net(Chosen::Ensemble) + clearly(self.k)
    }

    /// The mini-clusters, as far as the answer puts their samples together too, and communities stand behind them unless their graph is
    /// noise. Where communities alone were chosen, or networks are lost, all samples on which both kinds stand behind the answer.
    fn labels(
        &self,
        (chosen, networks_are_lost): (Chosen, bool),
        answer: &Assignments,
        confidence: &[f32],
    ) -> (PseudoLabels, Vec<&'static str>, LabelRule) {
        let clusters = answer.clusters();
        let cluster_of = |sample: SampleIdx| clusters[sample.index()];
        let numbered = match chosen {
            Chosen::Ensemble => self.round.pseudo_labels.clone(),
            _ => renumber(&self.round.pseudo_labels, cluster_of, self.k),
        };
        let confirmed = numbered.entries().iter().copied();
        let confirmed = confirmed
            .filter(|label| chosen == Chosen::Ensemble || cluster_of(label.sample) == label.label);
        let voters = self.panel.evident();
        if voters.is_empty() || chosen == Chosen::KMeans {
            let labels = PseudoLabels::new(confirmed.collect(), self.k, clusters.len());
            return (labels, vec!["networks"], LabelRule::MiniClusters);
        }
        let mut kinds: Vec<_> = voters.iter().map(|(part, _)| part.kind()).collect();
        kinds.insert(0, Part::MEMBERS.kind());
        kinds.dedup();
        let theirs = voters.into_iter().map(|(_, voters)| &voters.votes);
        let (labels, rule) = if chosen != Chosen::Communities && !networks_are_lost {
            let theirs: Vec<_> = theirs.map(|votes| Behind::new(votes, answer)).collect();
            let all_stand = |sample| theirs.iter().all(|kind| kind.stand(sample));
            let backed = confirmed.filter(|label| all_stand(label.sample));
            let labels = PseudoLabels::new(backed.collect(), self.k, clusters.len());
            (labels, LabelRule::MiniClusters)
        } else {
            let all: Vec<&Votes> = std::iter::once(self.panel.members).chain(theirs).collect();
            (stood_behind((answer, confidence), &all, self.data.trainable()), LabelRule::Backed)
        };
        (labels, kinds, rule)
    }
}

/// Whether the models of a kind stand behind an answer.
struct Behind<'a> {
    votes: &'a Votes,
    answer: &'a Assignments,
    backing: Backing,
}

impl<'a> Behind<'a> {
    fn new(votes: &'a Votes, answer: &'a Assignments) -> Self {
        let clusters: Vec<_> = answer.clusters().iter().copied().map(Some).collect();
        let backing = Backing::new(votes, &clusters, answer.n_clusters());
        Self { votes, answer, backing }
    }

    /// How many of them do, for a sample.
    fn count(&self, sample: SampleIdx) -> usize {
        self.backing.count(self.votes, sample, self.answer.clusters()[sample.index()])
    }

    /// Whether enough of them do: [`BACKED`].
    fn stand(&self, sample: SampleIdx) -> bool {
        self.count(sample) as f64 >= BACKED * self.votes.n_models() as f64
    }
}

/// Labels for all of `samples` on which the models of each of the `kinds` stand behind the answer. The agreement is that of the first kind.
pub(crate) fn stood_behind(
    (answer, confidence): (&Assignments, &[f32]),
    kinds: &[&Votes],
    samples: &[u32],
) -> PseudoLabels {
    let kinds: Vec<_> = kinds.iter().map(|votes| Behind::new(votes, answer)).collect();
    let all = kinds.first().map_or(0, |first| first.votes.n_models());
    let label = |sample: SampleIdx| {
        if !kinds.iter().all(|kind| kind.stand(sample)) {
            return None;
        }
        let agreement = u16::try_from(kinds.first()?.count(sample)).unwrap_or(u16::MAX);
        let margin = 2 * i32::from(agreement) - i32::try_from(all).unwrap_or(i32::MAX);
        let (label, confidence) = (answer.clusters()[sample.index()], confidence[sample.index()]);
        Some(PseudoLabel { sample, label, agreement, margin, confidence })
    };
    let labels = samples.iter().filter_map(|&sample| label(SampleIdx(sample))).collect();
    PseudoLabels::new(labels, answer.n_clusters(), answer.n_samples())
}

/// What is known of those who vote beside the networks, but for their answer.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// Whether any communities can be evidence: see [`Voters::is_evidence`](crate::voters::Voters::is_evidence).
    is_evidence: bool,
    /// Whether there are others than communities.
    has_views: bool,
    /// Whether the smallest is no island: see [`Voters::smallest`](crate::voters::Voters::smallest).
    no_islands: bool,
}

/// The rule. `candidates`: the networks' answer first, and those of communities and of both, if there are any.
fn choose(candidates: &[Candidate], known: Known, k_means: &Candidate, k: usize) -> Chosen {
    let of = |chosen| candidates.iter().find(|candidate| candidate.of == chosen);
    let networks = &candidates[0];
    let net = |candidate: &Candidate| candidate.evidence.net();
    let Known { is_evidence, has_views, no_islands } = known;
    let both = of(Chosen::AcrossKinds);
    let clearly = clearly(k);
    let told = |candidate: &Candidate| candidate.evidence.neighbour_information;
    let tells_enough = |one: &Candidate, other: &Candidate| told(one) > told(other) - by_chance(k);
    // With a crowd and some islands little is left open, and little told.
    let is_better = |alone: &Candidate, both: &Candidate| {
        net(alone) > net(both) + clearly && (no_islands || tells_enough(alone, both))
    };
    let communities = of(Chosen::Communities)
        .filter(|alone| is_evidence && both.is_none_or(|both| is_better(alone, both)));
    // Less by no more than rounds differ by chance is no less.
    let is_less = |both: &Candidate| net(both) < net(networks) - by_chance(k);
    let both = both.filter(|both| (is_evidence || has_views) && !is_less(both));
    let best = communities.or(both).unwrap_or(networks);
    // Where all leave more open than they tell, those leave the least that have a few large clusters.
    let is_k_means =
        net(k_means) > net(best) + clearly && (net(k_means) > 0.0 || tells_enough(k_means, best));
    if is_k_means { Chosen::KMeans } else { best.of }
}

/// The alignment of one model of `k` clusters, which keep their numbers.
pub(crate) fn own_numbering(k: usize) -> Result<Alignment, GraphError> {
    let same = (0..k).map(|id| Some(ClusterId::from_index(id))).collect();
    Alignment::from_common(vec![same], k)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(of: Chosen, neighbour_information: f64) -> Candidate {
        let evidence = Evidence { neighbour_information, neighbour_uncertainty: 0.0 };
        let assignments = Assignments::new(vec![ClusterId(0)], 10);
        let (confidence, parts) = (vec![1.0], Vec::new());
        Candidate { of, assignments, confidence, evidence, cut: None, parts }
    }

    #[test]
    fn both_kinds_count_unless_one_is_out_of_its_depth() {
        use Chosen::{AcrossKinds, Communities, Ensemble, KMeans};
        let chosen = |[networks, communities, both, k_means]: [f64; 4],
                      is_evidence: Option<bool>| {
            let mut all = vec![candidate(Ensemble, networks)];
            if is_evidence.is_some() {
                all.extend([candidate(Communities, communities), candidate(AcrossKinds, both)]);
            }
            let is_evidence = is_evidence.unwrap_or(false);
            let known = Known { is_evidence, has_views: false, no_islands: false };
            let chosen = choose(&all, known, &candidate(KMeans, k_means), 10);
            let with_views = Known { has_views: true, ..known };
            let others = choose(&all, with_views, &candidate(KMeans, k_means), 10);
            assert!(others == chosen || !is_evidence, "views alone can't speak for communities");
            chosen
        };
        assert_eq!(chosen([1.6, 1.7, 1.65, 0.5], Some(true)), AcrossKinds);
        assert_eq!(chosen([1.0, 1.7, 1.2, 0.5], Some(true)), Communities, "by far");
        assert_eq!(chosen([1.0, 1.7, 1.2, 0.5], Some(false)), Ensemble, "the graph is noise");
        assert_eq!(chosen([1.6, 1.7, 1.65, 0.5], None), Ensemble, "there are no communities");
        assert_eq!(chosen([1.7, 1.62, 1.6, 0.5], Some(true)), Ensemble, "both are less");
        assert_eq!(chosen([1.6, 1.7, 1.59, 0.5], Some(true)), AcrossKinds, "less by chance");
        assert_eq!(chosen([1.6, 1.7, 1.65, 1.8], Some(true)), AcrossKinds, "not far enough ahead");
        assert_eq!(chosen([1.6, 1.7, 1.65, 2.0], Some(true)), KMeans);
        assert_eq!(chosen([0.0; 4], Some(true)), AcrossKinds);
    }

    #[test]
    fn views_count_where_communities_are_noise() {
        use Chosen::{AcrossKinds, Communities, Ensemble, KMeans};
        let chosen = |both| {
            let all = [(Ensemble, 1.0), (Communities, 1.7), (AcrossKinds, both)];
            let all = all.map(|(of, net)| candidate(of, net));
            let known = Known { is_evidence: false, has_views: true, no_islands: false };
            choose(&all, known, &candidate(KMeans, 0.5), 10)
        };
        assert_eq!([chosen(1.1), chosen(0.9)], [AcrossKinds, Ensemble]);
    }

    #[test]
    fn k_means_that_tells_less_does_not_count_where_all_is_open() {
        let of = |of, neighbour_information, neighbour_uncertainty| {
            let evidence = Evidence { neighbour_information, neighbour_uncertainty };
            Candidate { evidence, ..candidate(of, 0.0) }
        };
        let chosen = |networks: [f64; 2], k_means: [f64; 2]| {
            let networks = of(Chosen::Ensemble, networks[0], networks[1]);
            let k_means = of(Chosen::KMeans, k_means[0], k_means[1]);
            let known = Known { is_evidence: false, has_views: false, no_islands: false };
            choose(&[networks], known, &k_means, 20)
        };
        assert_eq!(chosen([1.0, 1.9], [0.9, 1.7]), Chosen::Ensemble);
        assert_eq!(chosen([1.0, 1.9], [1.0, 1.7]), Chosen::KMeans);
        assert_eq!(chosen([1.0, 0.3], [0.8, 0.1]), Chosen::KMeans, "it tells more than it leaves");
    }

    #[test]
    fn communities_that_tell_less_do_not_count_alone() {
        let of = |of, neighbour_information, neighbour_uncertainty| {
            let evidence = Evidence { neighbour_information, neighbour_uncertainty };
            Candidate { evidence, ..candidate(of, 0.0) }
        };
        let chosen = |told: f64, no_islands: bool| {
            let both = of(Chosen::AcrossKinds, 0.86, 0.22);
            let communities = of(Chosen::Communities, told, 0.06);
            let all = [of(Chosen::Ensemble, 0.87, 0.22), communities, both];
            let known = Known { is_evidence: true, has_views: false, no_islands };
            choose(&all, known, &candidate(Chosen::KMeans, 0.2), 3)
        };
        assert_eq!(chosen(0.78, false), Chosen::AcrossKinds);
        assert_eq!(chosen(0.78, true), Chosen::Communities, "branches have its clusters, too");
        assert_eq!(chosen(0.88, false), Chosen::Communities);
    }
}
