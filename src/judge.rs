//! Which answer a run ends with, judged without the truth.
//!
//! Answers on the table: the networks' consensus; that of communities; that of both kinds, by average linkage; and k-means. What is
//! known of each is how it lies on the neighbour graph. That alone doesn't choose: communities were found on this graph, and cut through fewer of its
//! edges than anything else by their nature. So both kinds count, unless one shows that it is out of its depth, and an
//! answer that tells less of neighbours than that of both kinds, or both clearly less than networks alone, isn't taken.

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
use crate::voters::{Backing, COHERENT, Voters};

/// Networks are out of their depth if they separate neighbours so many times as often as communities do: they take clusters to
/// be of equal size, and then cut through the large ones. Seen: 1.7 to 5.6 where sizes or scales were unequal, 1.3 to 1.9 where
/// networks were right.
const CUT_THROUGH: f64 = 2.0;
/// What an answer tells of neighbours' clusters differs by up to this share of ln K by chance. From round to round it was seen to change
/// by up to 1.5 % where rounds neither gained nor lost, and to fall by 3 to 6 % where they lost.
pub(crate) const CHANCE: f64 = 0.02;
/// k-means is taken if it tells more of neighbours' clusters by this share of ln K. A failed ensemble was a third of ln K behind;
/// with 400 images of digits, one that was right more often by 0.06 was a twentieth behind.
const K_MEANS_MARGIN: f64 = 0.1;
/// The share of each kind's voters that has to stand behind a label.
pub(crate) const BACKED: f64 = 0.8;
/// Where networks count, clusters are taken to be of like sizes, and a branch with less than this share of n / K samples is no
/// cluster but an island of the neighbour graph.
const MIN_SHARE: f64 = 0.2;

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
    /// Neighbours in two clusters, as a share of those that chance would put there: see [`Prepared::neighbours_separated`].
    pub neighbours_separated: f64,
}

impl Evidence {
    pub(crate) fn of(assignments: &Assignments, data: &Prepared) -> Self {
        Self {
            neighbour_information: data.neighbour_information(assignments).unwrap_or(0.0),
            neighbours_separated: data.neighbours_separated(assignments).unwrap_or(0.0),
        }
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
            candidates.extend(self.linked(Chosen::AcrossKinds, &both, &kinds, MIN_SHARE)?);
        }
        let (model, k_means) = self.k_means(threads)?;
        let coherence = self.voters.map(|voters| voters.coherence);
        let chosen = choose(&candidates, coherence, &k_means, self.k);
        candidates.push(k_means);
        Ok(self.answer(candidates, chosen, Some(model)))
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
        let Some((tree, placer)) =
            linked(votes, kinds, (self.k, min_share), self.data, self.threads)?
        else {
            return Ok(None);
        };
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
        let (pseudo_labels, kinds) = self.labels(chosen, &assignments, &confidence);
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

    /// The mini-clusters, as far as the answer puts their samples together too, and communities stand behind them unless their graph is
    /// noise. Where communities alone were chosen, all samples on which they, and networks, stand behind the answer.
    fn labels(
        &self,
        chosen: Chosen,
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
        let voters = self.voters.filter(|voters| voters.is_coherent() && chosen != Chosen::KMeans);
        let Some(voters) = voters else {
            let labels = PseudoLabels::new(confirmed.collect(), self.k, clusters.len());
            return (labels, vec!["networks"]);
        };
        let answer: Vec<_> = clusters.iter().copied().map(Some).collect();
        let theirs = Backing::new(&voters.votes, &answer, self.k);
        let enough = |count: usize, all: usize| count as f64 >= BACKED * all as f64;
        let backed = |sample| {
            let count = theirs.count(&voters.votes, sample, cluster_of(sample));
            enough(count, voters.votes.n_models())
        };
        let labels: Vec<PseudoLabel> = if chosen != Chosen::Communities {
            confirmed.filter(|label| backed(label.sample)).collect()
        } else {
            let ours = Backing::new(self.votes, &answer, self.k);
            let trainable = self.data.trainable().iter().map(|&sample| SampleIdx(sample));
            let label = |sample: SampleIdx| {
                let count = ours.count(self.votes, sample, cluster_of(sample));
                let all = self.votes.n_models();
                let agreement = u16::try_from(count).unwrap_or(u16::MAX);
                let margin = 2 * i32::from(agreement) - i32::try_from(all).unwrap_or(i32::MAX);
                (enough(count, all) && backed(sample)).then(|| PseudoLabel {
                    sample,
                    label: cluster_of(sample),
                    agreement,
                    margin,
                    confidence: confidence[sample.index()],
                })
            };
            trainable.filter_map(label).collect()
        };
        let labels = PseudoLabels::new(labels, self.k, clusters.len());
        (labels, vec!["networks", "communities"])
    }
}

/// The rule. `candidates`: the networks' answer first, and those of communities and of both, if there are any.
fn choose(
    candidates: &[Candidate],
    coherence: Option<f64>,
    k_means: &Candidate,
    k: usize,
) -> Chosen {
    let of = |chosen| candidates.iter().find(|candidate| candidate.of == chosen);
    let separated = |candidate: &Candidate| candidate.evidence.neighbours_separated;
    let networks = &candidates[0];
    #[expect(clippy::cast_precision_loss, reason = "a number of clusters")]
    let log_k = (k as f64).ln();
    let told = |candidate: &Candidate| candidate.evidence.neighbour_information;
    let is_noise = coherence.is_none_or(|coherence| coherence < COHERENT);
    let both = of(Chosen::AcrossKinds);
    let tells_most = |candidate: &Candidate| both.is_none_or(|both| told(candidate) >= told(both));
    let out_of_depth =
        |by: &&Candidate| separated(networks) > CUT_THROUGH * separated(by) && tells_most(by);
    let communities = of(Chosen::Communities).filter(out_of_depth);
    let best = if is_noise {
        networks
    } else {
        // Less by no more than rounds differ by chance is no less.
        let tells_less = |both: &&Candidate| told(both) < told(networks) - CHANCE * log_k;
        communities.or(both.filter(|both| !tells_less(both))).unwrap_or(networks)
    };
    if told(k_means) > told(best) + K_MEANS_MARGIN * log_k { Chosen::KMeans } else { best.of }
}

/// The tree of `votes` by average linkage, and how votes become its clusters when it is cut at K; `None` if there are fewer distinct votes
/// than that. `kinds`: of every model; each kind has the same weight.
pub(crate) fn linked(
    votes: &Votes,
    kinds: &[usize],
    (k, min_share): (usize, f64),
    data: &Prepared,
    threads: &Threads<'_>,
) -> Result<Option<(Tree, Placer)>, RunError> {
    let learnt = votes.clone().of_samples(data.trainable());
    let no_gate = AgreementParams { min_confidence: 0.0, ..AgreementParams::default() };
    let signatures = Signatures::group(&learnt, &no_gate.check(votes.n_models())?, threads)?;
    let weights = VoteWeights::of_kinds(&signatures, kinds)?;
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

    fn candidate(of: Chosen, neighbour_information: f64, neighbours_separated: f64) -> Candidate {
        let evidence = Evidence { neighbour_information, neighbours_separated };
        let assignments = Assignments::new(vec![ClusterId(0)], 10);
        Candidate { of, assignments, confidence: vec![1.0], evidence, cut: None }
    }

    #[test]
    fn both_kinds_count_unless_one_is_out_of_its_depth() {
        use Chosen::{AcrossKinds, Communities, Ensemble, KMeans};
        let chosen = |separated: f64, coherence: Option<f64>, k_means: f64| {
            let mut all = vec![candidate(Ensemble, 2.0, separated)];
            if coherence.is_some() {
                all.push(candidate(Communities, 2.02, 0.02));
                all.push(candidate(AcrossKinds, 2.01, 0.025));
            }
            choose(&all, coherence, &candidate(KMeans, k_means, 0.1), 10)
        };
        assert_eq!(chosen(0.03, Some(0.8), 1.5), AcrossKinds);
        assert_eq!(chosen(0.05, Some(0.8), 1.5), Communities, "more than twice as often");
        assert_eq!(chosen(0.04, Some(0.4), 1.5), Ensemble, "the graph is noise");
        assert_eq!(chosen(0.04, None, 1.5), Ensemble, "there are no communities");
        assert_eq!(chosen(0.03, Some(0.8), 2.1), AcrossKinds, "not far enough ahead");
        assert_eq!(chosen(0.03, Some(0.8), 2.3), KMeans);
    }

    #[test]
    fn communities_that_tell_less_of_neighbours_do_not_count_alone() {
        let all = [
            candidate(Chosen::Ensemble, 2.0, 0.05),
            candidate(Chosen::Communities, 1.9, 0.02),
            candidate(Chosen::AcrossKinds, 2.01, 0.045),
        ];
        let k_means = candidate(Chosen::KMeans, 1.8, 0.1);
        assert_eq!(choose(&all, Some(0.8), &k_means, 10), Chosen::AcrossKinds);
    }

    #[test]
    fn what_tells_less_of_neighbours_together_does_not_count() {
        let all = [
            candidate(Chosen::Ensemble, 2.0, 0.03),
            candidate(Chosen::Communities, 1.9, 0.02),
            candidate(Chosen::AcrossKinds, 1.94, 0.025),
        ];
        let k_means = candidate(Chosen::KMeans, 1.8, 0.1);
        assert_eq!(choose(&all, Some(0.8), &k_means, 10), Chosen::Ensemble);
    }

    #[test]
    fn without_borders_between_neighbours_both_count() {
        let all = [
            candidate(Chosen::Ensemble, 2.0, 0.0),
            candidate(Chosen::Communities, 2.0, 0.0),
            candidate(Chosen::AcrossKinds, 2.0, 0.0),
        ];
        let k_means = candidate(Chosen::KMeans, 2.0, 0.0);
        assert_eq!(choose(&all, Some(1.0), &k_means, 10), Chosen::AcrossKinds);
    }
}
