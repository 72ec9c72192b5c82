//! Communities of the neighbour graph as a voter: crowds of any shape and size, however many there are.

use std::path::Path;

use consilience_data::{Features, ModelAnswers, ModelIdx, PseudoLabels, Rng, Stream};

use crate::error::EnsembleError;
use crate::members::clusterer::{Clusterer, Phase};
use crate::members::drawn::{below, uniform};
use crate::members::leiden::communities;
use crate::members::neighbour_vote::NeighbourVote;
use crate::members::params::MemberKind;
use crate::members::save::save_arrays;
use crate::preparation::prepared::Prepared;
use crate::progress::{Progress, apart};

/// The name of this kind.
const NAME: &str = MemberKind::Communities.name();

/// A community with a smaller share of the samples than one in so many, for each cluster that is asked for, doesn't count as one.
const SMALLEST: usize = 50;

/// What voters by communities draw, each for itself: so they err differently.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CommunityParams {
    /// Least and largest number of neighbours of a sample.
    pub neighbours: (usize, usize),
    /// The share of edges that is left out.
    pub dropped: f64,
    /// Least and largest number of communities, as a multiple of the number of clusters: what is split can be joined by a
    /// consensus, and what was never apart can't be split.
    pub granularity: (f64, f64),
}

impl Default for CommunityParams {
    fn default() -> Self {
        Self { neighbours: (8, 15), dropped: 0.2, granularity: (1.0, 1.5) }
    }
}

/// Communities of the neighbour graph, whose edges weigh as much as neighbourhoods are alike, by the Leiden algorithm. They are found in
/// the first phase; pseudo-labels don't move them.
///
/// Its number of clusters is its own. A sample's vote is that of its nearest neighbours among up to 20,000 samples, by their
/// communities. So it is a function of the sample alone, for the run's own samples and others.
#[derive(Debug, Clone)]
pub struct Communities {
    model: ModelIdx,
    n_clusters: usize,
    params: CommunityParams,
    vote: Option<NeighbourVote>,
}

impl Communities {
    /// For data of about `n_clusters` clusters.
    #[must_use]
    pub fn new(model: ModelIdx, n_clusters: usize, params: CommunityParams) -> Self {
        Self { model, n_clusters, params, vote: None }
    }

    pub(crate) fn of_vote(model: ModelIdx, vote: NeighbourVote) -> Self {
        let (n_clusters, params) = (vote.n_clusters(), CommunityParams::default());
        Self { model, n_clusters, params, vote: Some(vote) }
    }

    /// A voter that was told communities of some samples: the `neighbours` nearest of them vote.
    ///
    /// # Arguments
    ///
    /// * `labels`: samples, and the community of each.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Cancelled`].
    pub fn of_labels(
        model: ModelIdx,
        data: &Prepared,
        labels: (&[u32], &[usize]),
        neighbours: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        Ok(Self::of_vote(model, NeighbourVote::of(data, labels, neighbours, progress)?))
    }

    pub(crate) fn vote(&self) -> Result<&NeighbourVote, EnsembleError> {
        self.vote.as_ref().ok_or(EnsembleError::Untrained { model: self.model.0 })
    }

    /// Number of neighbours, the wanted number of communities, and the seed of the search.
    #[expect(clippy::cast_precision_loss, reason = "a number of clusters")]
    fn drawn(&self, rng: &mut Rng) -> (usize, f64, u64) {
        let ((fewest, most), (least, largest)) = (self.params.neighbours, self.params.granularity);
        let span = most.saturating_sub(fewest) + 1;
        let neighbours = fewest + below(rng, span);
        let granularity = least + (largest - least) * uniform(rng);
        (neighbours, granularity * self.n_clusters as f64, rng.bits())
    }
}

impl Clusterer for Communities {
    fn kind(&self) -> &'static str {
        NAME
    }

    fn train(
        &mut self,
        data: &Prepared,
        _phase: &Phase,
        _labels: &PseudoLabels,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        if self.vote.is_some() {
            return Ok(());
        }
        let graph = data.neighbour_graph().ok_or_else(|| EnsembleError::Setting {
            name: "members",
            need: "data on which Prepared::measure_distances was called, for communities",
            got: "none".into(),
        })?;
        let mut rng = data.rng(Stream::Communities { model: self.model.0.into() });
        let (neighbours, wanted, seed) = self.drawn(&mut rng);
        let mut edges = graph.edges(neighbours);
        edges.retain(|_| uniform(&mut rng) >= self.params.dropped);
        // Nodes are the samples that can be trained on, numbered from 0.
        let trainable = data.trainable();
        let node = |sample: u32| match trainable.binary_search(&sample) {
            #[expect(clippy::cast_possible_truncation, reason = "samples are counted in u32")]
            Ok(node) => node as u32,
            Err(_) => unreachable!("edges join samples that can be trained on"),
        };
        if trainable.len() < graph.n_samples() {
            for (a, b, _) in &mut edges {
                (*a, *b) = (node(*a), node(*b));
            }
        }
        let smallest = trainable.len().div_ceil(SMALLEST * self.n_clusters.max(1));
        let lost = |reason: String| EnsembleError::Lost { model: self.model.0, kind: NAME, reason };
        let n_nodes = trainable.len();
        let find = move || communities(&edges, n_nodes, wanted, smallest, seed);
        let found = apart(progress, find)?.map_err(|error| lost(error.to_string()))?;
        self.vote = Some(NeighbourVote::new(data, &found, neighbours, progress)?);
        Ok(())
    }

    fn predict(&self, features: &Features) -> Result<ModelAnswers, EnsembleError> {
        self.predict_watched(features, &())
    }

    fn predict_watched(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<ModelAnswers, EnsembleError> {
        self.vote()?.answers(features, progress)
    }

    fn votes_once(&self) -> bool {
        true
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        save_arrays(&self.vote()?.arrays(), path)
    }
}
