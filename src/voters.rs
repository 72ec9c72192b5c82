//! Voters of another kind than networks: communities of the neighbour graph.
//!
//! All networks share one objective, one prior over the sizes of clusters and one view of the data, so they err together.
//! Communities are told neither sizes nor what samples look like, only which are near which. What both kinds agree on has evidence
//! of two kinds.

use consilience_data::{Assignments, ClusterId, Contingency, ModelIdx, SampleIdx, Votes};
use consilience_ensembles::{Communities, CommunityParams, Ensemble, Phase, Prepared};

use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::linked::{MIN_SHARE, Shares};
use crate::progress::{Apart, Observer};

/// Communities of two neighbouring granularities agree at least so far (adjusted Rand index), or the neighbour graph is noise. Seen:
/// 0.43 on sparse texts, where communities were useless, 0.74 to 0.86 elsewhere.
const COHERENT: f64 = 0.6;

/// Voters that are told clusters.
pub(crate) const TOLD: usize = 3;
/// Neighbours that vote, of each of these: from as few to as many as the others draw.
const NEIGHBOURS: [usize; TOLD] = [8, 11, 15];

/// How voters found their communities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Search {
    /// Each of them about so many: from half of K to half more.
    Every,
    /// Of these, those that look for at least K.
    Fine,
    /// The K branches that stay whole longest over all granularities, so that a small cluster may be looked for at another than a large one.
    Branches,
    /// Many of them, in a layout of the samples, joined until K are left.
    Joined,
}

impl Search {
    /// Whether clusters were looked for without an idea of how large they are.
    pub(crate) fn is_of_any_size(self) -> bool {
        matches!(self, Self::Branches | Self::Joined)
    }
}

/// Communities, found once a run, in the order of their granularity.
pub struct Voters {
    /// How they were found.
    pub search: Search,
    /// The models.
    pub ensemble: Ensemble,
    /// What they say of all samples, those included that nothing can be learnt from.
    pub votes: Votes,
    /// How far two of neighbouring granularity agree, on average: adjusted Rand index. Each leaves out other edges, so communities
    /// of a graph that is noise agree little.
    pub coherence: f64,
    /// Whether they can be evidence: if they tell more of neighbours than they leave open ([`Evidence::net`](crate::evidence::Evidence::net)) and, unless
    /// they were told branches, are coherent; or if voters that see half of the samples find them again.
    pub is_evidence: bool,
    /// Samples in the smallest cluster of their consensus, if branches have it, too: then it is no island of the graph by chance.
    pub smallest: Option<usize>,
    /// Indices of those that look for at least K communities.
    fine: Vec<usize>,
}

impl Voters {
    /// Finds `count` of them; `None` if there are to be none, or fewer than two remain.
    ///
    /// # Errors
    ///
    /// [`RunError::Ensemble`].
    pub(crate) fn find(
        data: &Prepared,
        k: usize,
        count: usize,
        threads: usize,
        observer: &dyn Observer,
    ) -> Result<Option<Self>, RunError> {
        if count < 2 {
            return Ok(None);
        }
        let model = |at: usize| {
            let granularity = granularity(at, count);
            let params = CommunityParams { granularity, ..CommunityParams::default() };
            Communities::new(ModelIdx::from_index(at), k, params)
        };
        let mut ensemble = Ensemble::of_communities((0..count).map(model).collect(), threads)?;
        // Their numbers are those of candidates, so they keep out of their checkpoints.
        let progress = Apart::unhurried_and_unkept(observer);
        let once = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
        ensemble.train(data, &once, &[], &progress)?;
        let votes = Votes::from_answers(&ensemble.vote(data, 0, &progress)?)?;
        if votes.n_models() < 2 {
            return Ok(None);
        }
        let coherence = coherence(&votes, data.trainable());
        let is_fine = |&(_, &number): &(usize, &usize)| granularity(number, count).0 >= 1.0;
        let numbers = ensemble.numbers();
        let fine = numbers.iter().enumerate().filter(is_fine).map(|(index, _)| index).collect();
        let (search, smallest) = (Search::Every, None);
        let is_evidence = coherence >= COHERENT;
        Ok(Some(Self { search, ensemble, votes, coherence, is_evidence, smallest, fine }))
    }

    /// Indices of those that look for at least K communities, if they are some of several.
    pub(crate) fn fine(&self) -> Option<&[usize]> {
        (2..self.votes.n_models()).contains(&self.fine.len()).then_some(&self.fine)
    }

    /// What is no island in a consensus with them: where branches count or what was joined, sizes may be unequal, and clusters as small as they can be.
    pub(crate) fn shares(&self, least: f64) -> Shares {
        let usual = if self.search.is_of_any_size() { least } else { MIN_SHARE };
        Shares { usual, least }
    }

    /// Without those that look for fewer.
    pub(crate) fn without_coarse(mut self) -> Self {
        self.ensemble.keep(&self.fine);
        self.votes = self.votes.of_models(&self.fine);
        self.fine = (0..self.votes.n_models()).collect();
        self.search = Search::Fine;
        self
    }

    /// In place of these, voters that were told clusters of some samples: each by the nearest of these, the last of them by the most.
    ///
    /// # Arguments
    ///
    /// * `told`: samples, ascending, and what each of the voters knows of their clusters.
    ///
    /// # Errors
    ///
    /// [`RunError::Ensemble`].
    pub(crate) fn told(
        &self,
        data: &Prepared,
        search: Search,
        (samples, told): (&[u32], [&[usize]; TOLD]),
        threads: usize,
        observer: &dyn Observer,
    ) -> Result<Self, RunError> {
        let model = |(at, (clusters, neighbours))| {
            let (labels, model) = ((samples, clusters), ModelIdx::from_index(at));
            Communities::of_labels(model, data, labels, neighbours, observer)
        };
        let models = told.into_iter().zip(NEIGHBOURS).enumerate().map(model);
        let models = models.collect::<Result<Vec<_>, _>>()?;
        let mut ensemble = Ensemble::of_communities(models, threads)?;
        let progress = Apart::unhurried_and_unkept(observer);
        let votes = Votes::from_answers(&ensemble.vote(data, 0, &progress)?)?;
        let fine = (0..votes.n_models()).collect();
        let Self { coherence, is_evidence, .. } = *self;
        Ok(Self { search, ensemble, votes, coherence, is_evidence, smallest: None, fine })
    }
}

/// Of the voter `at`, as a multiple of K: evenly from half to one and a half. Coarse communities keep together what belongs together
/// where sizes are unequal, fine ones keep apart what differs.
#[expect(clippy::cast_precision_loss, reason = "a handful")]
fn granularity(at: usize, count: usize) -> (f64, f64) {
    let granularity = 0.5 + at as f64 / (count - 1) as f64;
    (granularity, granularity)
}

#[expect(clippy::cast_precision_loss, reason = "a mean of a handful")]
fn coherence(votes: &Votes, trainable: &[u32]) -> f64 {
    let clusters = |model| {
        let votes = votes.of_model(ModelIdx::from_index(model));
        let of = trainable.iter().map(|&sample| ClusterId(votes[sample as usize]));
        Assignments::new(of.collect(), usize::from(Votes::MISSING))
    };
    let ari = |model| clusters(model).contingency(&clusters(model + 1)).adjusted_rand_index();
    let pairs = votes.n_models() - 1;
    (0..pairs).map(ari).sum::<f64>() / pairs as f64
}

/// Which voters stand behind a sample's cluster.
///
/// A voter does if most samples of its own cluster are in that cluster, or most of that cluster's samples in its own: what a coarse
/// voter joins, or a fine one splits, is no contradiction.
pub(crate) struct Backing {
    /// By voter: the cluster in which most samples of each of its own are, and its own cluster in which most samples of each are.
    voters: Vec<(Vec<usize>, Vec<usize>)>,
}

impl Backing {
    /// `k`: number of clusters of the answer.
    pub(crate) fn new(votes: &Votes, answer: &[Option<ClusterId>], k: usize) -> Self {
        let of_voter = |model: usize| {
            let model = ModelIdx::from_index(model);
            let (own, n_own) = (votes.of_model(model), votes.n_clusters(model));
            let met = own.iter().zip(answer).filter_map(|(&own, cluster)| {
                (own != Votes::MISSING).then_some((usize::from(own), cluster.as_ref()?.index()))
            });
            let overlap = Contingency::count(met, n_own, k);
            let (mut majority, mut home) = (vec![0; n_own], vec![0; k]);
            let (mut of_own, mut of_cluster) = (vec![0; n_own], vec![0; k]);
            // The first of equals: cells are in order.
            for cell in overlap.rows().flatten() {
                if cell.n_samples > of_own[cell.first] {
                    (of_own[cell.first], majority[cell.first]) = (cell.n_samples, cell.second);
                }
                if cell.n_samples > of_cluster[cell.second] {
                    (of_cluster[cell.second], home[cell.second]) = (cell.n_samples, cell.first);
                }
            }
            (majority, home)
        };
        Self { voters: (0..votes.n_models()).map(of_voter).collect() }
    }

    /// How many voters stand behind `cluster` for a sample.
    pub(crate) fn count(&self, votes: &Votes, sample: SampleIdx, cluster: ClusterId) -> usize {
        let clusters = votes.clusters();
        let stands = |(model, (majority, home)): (usize, &(Vec<usize>, Vec<usize>))| {
            let own = clusters[(model, sample.index())];
            let own = (own != Votes::MISSING).then_some(usize::from(own));
            own.is_some_and(|own| majority[own] == cluster.index() || home[cluster.index()] == own)
        };
        self.voters.iter().enumerate().filter(|&voter| stands(voter)).count()
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn granularity_goes_evenly_from_half_to_half_more() {
        assert_eq!(granularity(0, 11), (0.5, 0.5));
        assert_eq!(granularity(5, 11), (1.0, 1.0));
        assert_eq!(granularity(1, 2), (1.5, 1.5));
    }

    #[test]
    fn who_joins_or_splits_does_not_contradict_and_who_mixes_does() {
        // One voter joins clusters 0 and 1, one splits 2, one puts the last sample with 0, and one doesn't vote on it.
        let clusters = array![
            [0, 0, 0, 0, 1, 1, 1],
            [0, 0, 1, 1, 2, 2, 3],
            [0, 0, 1, 1, 2, 2, 0],
            [0, 0, 1, 1, 2, 2, Votes::MISSING],
        ];
        let votes = Votes::new(clusters.clone(), Array2::ones(clusters.raw_dim())).unwrap();
        let answer: Vec<_> = [0, 0, 1, 1, 2, 2, 2].map(|id| Some(ClusterId(id))).to_vec();
        let backing = Backing::new(&votes, &answer, 3);
        let count = |sample, cluster| backing.count(&votes, SampleIdx(sample), ClusterId(cluster));
        assert_eq!((count(0, 0), count(2, 1), count(4, 2)), (4, 4, 4));
        assert_eq!(count(6, 2), 2, "the first joins nothing here, the second splits");
        assert_eq!(count(6, 0), 1, "the third");
    }

    #[test]
    fn coherence_is_that_of_neighbours_in_granularity() {
        let clusters = array![[0, 0, 1, 1, 0], [0, 0, 1, 1, 1], [0, 1, 2, 2, 0]];
        let votes = Votes::new(clusters.clone(), Array2::ones(clusters.raw_dim())).unwrap();
        let ari = |a: [u16; 4], b: [u16; 4]| {
            let of = |ids: [u16; 4]| Assignments::new(ids.map(ClusterId).to_vec(), 3);
            of(a).contingency(&of(b)).adjusted_rand_index()
        };
        let expected = (1.0 + ari([0, 0, 1, 1], [0, 1, 2, 2])) / 2.0;
        assert!((coherence(&votes, &[0, 1, 2, 3]) - expected).abs() < 1e-12);
    }
}
