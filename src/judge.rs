//! Which answer a run ends with, judged without the truth.
//!
//! Answers on the table: the networks' consensus; that of communities; that of both kinds, by average linkage; and k-means. What is
//! known of each is how it lies on the neighbour graph ([`Evidence::net`]). That alone doesn't choose: communities were found on this graph, and have
//! fewer of its edges across than anything else by their nature. So both kinds count, unless neighbours speak clearly more for communities alone, or
//! more for networks alone.

use consilience_data::{
    Assignments, ClusterId, ModelIdx, PseudoLabel, PseudoLabels, SampleIdx, Votes,
};
use consilience_ensembles::{KMeansModel, Prepared, Progress};
use consilience_graph::{
    AgreementParams, Alignment, GraphError, Linkage, Placer, Signatures, Threads, Tree,
    VoteWeights, consensus,
};
use serde::{Deserialize, Serialize};

use crate::consensus::MAX_SIGNATURES;
use crate::error::RunError;
use crate::renumber::renumber;
use crate::round::Round;
use crate::voters::{Backing, Search, Voters};

/// What an answer tells of neighbours' clusters differs by up to this share of ln K by chance. From round to round it was seen to change
/// by up to 1.5 % where rounds neither gained nor lost, and to fall by 3 to 6 % where they lost.
pub(crate) const CHANCE: f64 = 0.02;
/// Neighbours speak clearly more for one answer than for another if its [`Evidence::net`] is higher by this share of ln K. Communities were found on
/// the neighbour graph, so that it speaks a little more for them by nature. Seen: by up to 0.05 where both kinds together were better, and by 0.1 to 0.47
/// where communities were. A failed ensemble was a third behind
/// k-means; with 400 images of digits, one that was right more often by 0.06 was a twentieth behind.
const CLEARLY: f64 = 0.075;
/// See [`Evidence::net`]. A cut of a crowd in two halves, with a share s of its neighbours across, tells ln 2 - h(s) more and leaves h(s) open, h being the
/// entropy of s: that is ln 2 = (1 + OPEN) h(s) at s = 4 %. Seen: communities of one granularity, or branches, were better by what 2 to 6 times would show.
const OPEN: f64 = 3.0;
/// The share of each kind's voters that has to stand behind a label.
pub(crate) const BACKED: f64 = 0.8;
/// Where networks count, clusters are taken to be of like sizes, and a branch with less than this share of n / K samples is no
/// cluster but an island of the neighbour graph.
pub(crate) const MIN_SHARE: f64 = 0.2;

/// A kind of voters that decides only where all others tell nothing: it weighs so much.
pub(crate) const FAINT: usize = usize::MAX;
const FAINTLY: f64 = 0.05;

/// Which clustering a run ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// The networks' consensus: their aligned probabilities, averaged.
    Ensemble,
    /// The communities' consensus, by average linkage.
    Communities,
    /// That of both kinds, by average linkage, each kind with the same weight.
    AcrossKinds,
    /// k-means on the same features.
    KMeans,
}

/// What a clustering shows of itself on the neighbour graph, without the truth.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evidence {
    /// What a sample's cluster tells of its neighbours' clusters, in nats: see [`Prepared::neighbour_information`].
    pub neighbour_information: f64,
    /// What a sample's cluster leaves open of its neighbours' clusters, in nats: see [`Prepared::neighbour_uncertainty`].
    pub neighbour_uncertainty: f64,
}

impl Evidence {
    pub(crate) fn of(assignments: &Assignments, data: &Prepared) -> Self {
        Self {
            neighbour_information: data.neighbour_information(assignments).unwrap_or(0.0),
            neighbour_uncertainty: data.neighbour_uncertainty(assignments).unwrap_or(0.0),
        }
    }

    /// What is told less three times what is left open, in nats.
    ///
    /// Information alone speaks for clusters of equal size, which have the most to tell. With this, a crowd that is cut in two halves gains
    /// only if fewer than 4 % of its neighbours are then apart.
    #[must_use]
    pub fn net(&self) -> f64 {
        self.neighbour_information - OPEN * self.neighbour_uncertainty
    }
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
    /// Kinds of models that stand behind every pseudo-label.
    pub kinds: Vec<&'static str>,
    /// All answers that were on the table, the networks' first.
    pub candidates: Vec<Candidate>,
    /// See [`Voters::coherence`].
    pub coherence: Option<f64>,
    /// k-means, if it was tried.
    pub k_means: Option<KMeansModel>,
    /// Where it was cut from a tree: the tree, and how votes become clusters.
    pub cut: Option<(Tree, Placer)>,
}

/// What an answer is judged by.
pub(crate) struct Case<'a> {
    pub(crate) round: &'a Round,
    /// The networks' votes in that round, on all samples.
    pub(crate) votes: &'a Votes,
    pub(crate) voters: Option<&'a Voters>,
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

    /// The best of all, as far as can be seen.
    ///
    /// # Errors
    ///
    /// [`RunError::Ensemble`] and [`RunError::Graph`].
    pub(crate) fn judged(&self, threads: usize) -> Result<Answer, RunError> {
        let mut candidates = vec![self.networks()];
        if let Some(voters) = self.voters {
            let kinds: Vec<usize> = vec![0; voters.votes.n_models()];
            candidates.extend(self.linked(Chosen::Communities, &voters.votes, &kinds, 0.0)?);
            let both = self.votes.stacked(&voters.votes)?;
            let kinds = |at| usize::from(at >= self.votes.n_models());
            let kinds: Vec<usize> = (0..both.n_models()).map(kinds).collect();
            candidates.extend(self.linked(Chosen::AcrossKinds, &both, &kinds, self.min_share())?);
        }
        let (model, k_means) = self.k_means(threads)?;
        let known = self.voters.map(|voters| Known {
            is_evidence: voters.is_evidence,
            no_islands: voters.smallest.is_some(),
        });
        let chosen = choose(&candidates, known, &k_means, self.k);
        candidates.push(k_means);
        Ok(self.answer(candidates, chosen, Some(model)))
    }

    /// The share of n / K samples that a cluster of both kinds has at least: [`MIN_SHARE`], or half of what the smallest community has, if that is
    /// no island.
    #[expect(clippy::cast_precision_loss, reason = "samples are counted in u32")]
    fn min_share(&self) -> f64 {
        let smallest = self.voters.and_then(|voters| voters.smallest);
        let share = |size: usize| 0.5 * size as f64 * self.k as f64 / self.votes.n_samples() as f64;
        smallest.map_or(MIN_SHARE, |size| MIN_SHARE.min(share(size)))
    }

    fn networks(&self) -> Candidate {
        let assignments = self.round.consensus.clone();
        let evidence = Evidence::of(&assignments, self.data);
        let confidence = self.round.confidence.clone();
        Candidate { of: Chosen::Ensemble, assignments, confidence, evidence, cut: None }
    }

    fn k_means(&self, threads: usize) -> Result<(KMeansModel, Candidate), RunError> {
        let own = ModelIdx(u16::MAX);
        let (model, answers) = KMeansModel::fitted(own, self.data, self.k, threads, self.progress)?;
        // As it will predict: alone, and by the way of an ensemble.
        let (assignments, confidence) = consensus(&[answers], &own_numbering(self.k)?)?.harden();
        let evidence = Evidence::of(&assignments, self.data);
        let of = Chosen::KMeans;
        Ok((model, Candidate { of, assignments, confidence, evidence, cut: None }))
    }

    /// The consensus of `votes` on all samples by average linkage, cut at K; `None` if there are fewer distinct votes than that.
    fn linked(
        &self,
        of: Chosen,
        votes: &Votes,
        kinds: &[usize],
        min_share: f64,
    ) -> Result<Option<Candidate>, RunError> {
        let samples = self.data.trainable();
        let found = linked(votes, kinds, (self.k, min_share), samples, self.threads)?;
        let Some((tree, placer)) = found else { return Ok(None) };
        let (assignments, confidence) = placed(&placer, votes)?;
        let evidence = Evidence::of(&assignments, self.data);
        let cut = Some((tree, placer));
        Ok(Some(Candidate { of, assignments, confidence, evidence, cut }))
    }

    fn answer(
        &self,
        candidates: Vec<Candidate>,
        chosen: Chosen,
        k_means: Option<KMeansModel>,
    ) -> Answer {
        let taken = candidates.iter().find(|candidate| candidate.of == chosen);
        let Candidate { assignments, confidence, cut, .. } =
            taken.expect("it is on the table").clone();
        let lost = self.networks_lost(&candidates, chosen);
        let (pseudo_labels, kinds) = self.labels((chosen, lost), &assignments, &confidence);
        Answer {
            coherence: self.voters.map(|voters| voters.coherence),
            chosen,
            assignments,
            confidence,
            pseudo_labels,
            kinds,
            candidates,
            k_means,
            cut,
        }
    }

    /// Whether clusters are of so unequal size that networks, which expect like sizes, can't follow: branches count, and neighbours speak
    /// clearly less for the networks' own answer. Then their mini-clusters leave small clusters out.
    fn networks_lost(&self, candidates: &[Candidate], chosen: Chosen) -> bool {
        let net = |of| {
            let candidate = candidates.iter().find(|candidate| candidate.of == of);
            candidate.map_or(0.0, |candidate| candidate.evidence.net())
        };
        #[expect(clippy::cast_precision_loss, reason = "a number of clusters")]
        let clearly = CLEARLY * (self.k as f64).ln();
        self.voters.is_some_and(|voters| voters.search == Search::Branches)
            && net(chosen) > net(Chosen::Ensemble) + clearly
    }

    /// The mini-clusters, as far as the answer puts their samples together too, and communities stand behind them unless their graph is
    /// noise. Where communities alone were chosen, or networks are lost, all samples on which both kinds stand behind the answer.
    fn labels(
        &self,
        (chosen, networks_are_lost): (Chosen, bool),
        answer: &Assignments,
        confidence: &[f32],
    ) -> (PseudoLabels, Vec<&'static str>) {
        let clusters = answer.clusters();
        let cluster_of = |sample: SampleIdx| clusters[sample.index()];
        let numbered = match chosen {
            Chosen::Ensemble => self.round.pseudo_labels.clone(),
            _ => renumber(&self.round.pseudo_labels, cluster_of, self.k),
        };
        let confirmed = numbered.entries().iter().copied();
        let confirmed = confirmed
            .filter(|label| chosen == Chosen::Ensemble || cluster_of(label.sample) == label.label);
        let voters = self.voters.filter(|voters| voters.is_evidence && chosen != Chosen::KMeans);
        let Some(voters) = voters else {
            let labels = PseudoLabels::new(confirmed.collect(), self.k, clusters.len());
            return (labels, vec!["networks"]);
        };
        let labels = if chosen != Chosen::Communities && !networks_are_lost {
            let theirs = Behind::new(&voters.votes, answer);
            let backed = confirmed.filter(|label| theirs.stand(label.sample));
            PseudoLabels::new(backed.collect(), self.k, clusters.len())
        } else {
            let kinds = [self.votes, &voters.votes];
            stood_behind((answer, confidence), &kinds, self.data.trainable())
        };
        (labels, vec!["networks", "communities"])
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

/// What is known of communities beside their answer.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// See [`Voters::is_evidence`].
    is_evidence: bool,
    /// Whether the smallest is no island: see [`Voters::smallest`].
    no_islands: bool,
}

/// The rule. `candidates`: the networks' answer first, and those of communities and of both, if there are any.
fn choose(candidates: &[Candidate], known: Option<Known>, k_means: &Candidate, k: usize) -> Chosen {
    let of = |chosen| candidates.iter().find(|candidate| candidate.of == chosen);
    let networks = &candidates[0];
    #[expect(clippy::cast_precision_loss, reason = "a number of clusters")]
    let log_k = (k as f64).ln();
    let net = |candidate: &Candidate| candidate.evidence.net();
    let is_noise = known.is_none_or(|known| !known.is_evidence);
    let no_islands = known.is_some_and(|known| known.no_islands);
    let both = of(Chosen::AcrossKinds);
    let clearly = CLEARLY * log_k;
    let told = |candidate: &Candidate| candidate.evidence.neighbour_information;
    // With a crowd and some islands little is left open, and little told.
    let is_better = |alone: &Candidate, both: &Candidate| {
        let tells_enough = no_islands || told(alone) > told(both) - CHANCE * log_k;
        net(alone) > net(both) + clearly && tells_enough
    };
    let communities =
        of(Chosen::Communities).filter(|alone| both.is_none_or(|both| is_better(alone, both)));
    let best = if is_noise {
        networks
    } else {
        // Less by no more than rounds differ by chance is no less.
        let is_less = |both: &&Candidate| net(both) < net(networks) - CHANCE * log_k;
        communities.or(both.filter(|both| !is_less(both))).unwrap_or(networks)
    };
    if net(k_means) > net(best) + clearly { Chosen::KMeans } else { best.of }
}

/// The tree of `votes` by average linkage, and how votes become its clusters when it is cut at K; `None` if there are fewer distinct votes
/// than that. `kinds`: of every model; each kind has the same weight, but for [`FAINT`]. `samples`: those that the tree is of, ascending.
pub(crate) fn linked(
    votes: &Votes,
    kinds: &[usize],
    (k, min_share): (usize, f64),
    samples: &[u32],
    threads: &Threads<'_>,
) -> Result<Option<(Tree, Placer)>, RunError> {
    let learnt = votes.clone().of_samples(samples);
    let no_gate = AgreementParams { min_confidence: 0.0, ..AgreementParams::default() };
    let signatures = Signatures::group(&learnt, &no_gate.check(votes.n_models())?, threads)?;
    let mut weights = VoteWeights::of_kinds(&signatures, kinds)?;
    let faint = kinds.iter().enumerate().filter(|&(_, &kind)| kind == FAINT);
    for (model, _) in faint {
        weights = weights.scaled(ModelIdx::from_index(model), FAINTLY);
    }
    let linkage = Linkage::new(&signatures, weights, MAX_SIGNATURES, threads)?;
    if linkage.tree().n_leaves() < k {
        return Ok(None);
    }
    let placer = linkage.cut(k, min_share)?.placer().clone();
    Ok(Some((linkage.tree().clone(), placer)))
}

/// The cluster of every sample by its votes, and its confidence. Samples without votes are in the first, with confidence 0.
pub(crate) fn placed(placer: &Placer, votes: &Votes) -> Result<(Assignments, Vec<f32>), RunError> {
    let clusters = votes.clusters();
    let mut row = vec![None; votes.n_models()];
    let mut assigned = Vec::with_capacity(votes.n_samples());
    let mut confidences = Vec::with_capacity(votes.n_samples());
    for column in clusters.columns() {
        for (vote, &own) in row.iter_mut().zip(column) {
            *vote = (own != Votes::MISSING).then_some(ClusterId(own));
        }
        let place = placer.assign(&row)?;
        assigned.push(place.map_or(ClusterId(0), |place| place.cluster));
        confidences.push(place.map_or(0.0, |place| place.similarity));
    }
    Ok((Assignments::new(assigned, placer.n_clusters()), confidences))
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
        Candidate { of, assignments, confidence: vec![1.0], evidence, cut: None }
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
            let known = is_evidence.map(|is_evidence| Known { is_evidence, no_islands: false });
            choose(&all, known, &candidate(KMeans, k_means), 10)
        };
        assert_eq!(chosen([1.6, 1.7, 1.65, 0.5], Some(true)), AcrossKinds);
        assert_eq!(chosen([1.0, 1.7, 1.2, 0.5], Some(true)), Communities, "by far");
        assert_eq!(chosen([1.0, 1.7, 1.2, 0.5], Some(false)), Ensemble, "the graph is noise");
        assert_eq!(chosen([1.6, 1.7, 1.65, 0.5], None), Ensemble, "there are no communities");
        assert_eq!(chosen([1.7, 1.62, 1.6, 0.5], Some(true)), Ensemble, "both are less");
        assert_eq!(chosen([1.6, 1.7, 1.59, 0.5], Some(true)), AcrossKinds, "less by chance");
        assert_eq!(chosen([1.6, 1.7, 1.65, 1.8], Some(true)), AcrossKinds, "not far enough ahead");
        assert_eq!(chosen([1.6, 1.7, 1.65, 1.9], Some(true)), KMeans);
        assert_eq!(chosen([0.0; 4], Some(true)), AcrossKinds);
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
            let known = Known { is_evidence: true, no_islands };
            choose(&all, Some(known), &candidate(Chosen::KMeans, 0.2), 3)
        };
        assert_eq!(chosen(0.78, false), Chosen::AcrossKinds);
        assert_eq!(chosen(0.78, true), Chosen::Communities, "branches have its clusters, too");
        assert_eq!(chosen(0.88, false), Chosen::Communities);
    }

    #[test]
    fn a_cut_through_a_crowd_gains_if_few_neighbours_are_apart() {
        let entropy = |s: f64| -s * s.ln() - (1.0 - s) * (1.0 - s).ln();
        let net = |across: f64| {
            let open = entropy(across);
            let (neighbour_information, neighbour_uncertainty) = (2f64.ln() - open, open);
            Evidence { neighbour_information, neighbour_uncertainty }.net()
        };
        assert!(net(0.03) > 0.0 && net(0.05) < 0.0);
    }
}
