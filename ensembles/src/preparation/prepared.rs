//! Data as models see it: scaled, with what is near each sample.

use std::sync::{Arc, OnceLock};

use consilience_data::{Features, Seed, SparseRows, Stream};
use ndarray::Axis;

use crate::error::EnsembleError;
use crate::preparation::directions::Directions;
use crate::preparation::layout;
use crate::preparation::moments::moments;
use crate::preparation::neighbour_graph::NeighbourGraph;
use crate::preparation::rows::Rows;
use crate::preparation::sparse_reduction::{gathered, sparse_directions};
use crate::preparation::transform::{Preparation, Scaling, Transform, finite};
use crate::preparation::wide_reduction::directions_of_sparse;
use crate::progress::{Progress, go_on};

/// The neighbour whose distance is a sample's scale (Hu et al., IMSAT, 2017), and how many are near.
const NEIGHBOUR: usize = 10;
/// Neighbours that are sought: those who look for communities may look at more than are near.
const GRAPH: usize = 30;

/// Features on a common scale, and what is known of their geometry. Shared by all models.
#[derive(Debug, Clone)]
pub struct Prepared {
    features: Features,
    transform: Transform,
    /// Samples that were pulled in, ascending.
    far_off: Vec<usize>,
    /// Features before they were projected, if they were: there neighbours are sought.
    unprojected: Option<Unprojected>,
    /// Samples with something in them, ascending.
    trainable: Vec<u32>,
    distances: Option<Vec<f32>>,
    graph: Option<NeighbourGraph>,
    /// In which voters compare samples of many features, once one of them has asked.
    leading: OnceLock<Directions>,
    spread: f32,
    seed: Seed,
}

impl Preparation {
    /// Whether so many samples and features are so much that, projected, no scaled copy of them is kept beside what came.
    #[must_use]
    pub fn is_lean(&self, n_samples: usize, n_features: usize) -> bool {
        self.projects(n_features) && n_samples.saturating_mul(n_features) >= Features::LARGE
    }
}

/// Features before they were projected.
#[derive(Debug, Clone)]
enum Unprojected {
    Scaled(Features),
    /// As they came, to be scaled again.
    AsTheyCame(Features),
    /// Scaled, and sparse.
    Sparse(Arc<SparseRows>),
}

impl Prepared {
    /// Scales `features`, and projects them. O(n d), and eight products of O(n d components).
    ///
    /// Of data of 1 GiB and more that are projected no scaled copy is kept. If they are mostly zeros, directions are found from the other values alone: the
    /// same, but for how sums are rounded. Sparse features stay so where [`Preparation::keeps_sparse`] says it; else they are made dense.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if scaled values don't fit into 32-bit floats, [`EnsembleError::Data`] if sparse features that have to be made dense don't
    /// fit into memory.
    pub fn new(
        features: &Features,
        preparation: impl Into<Preparation>,
        seed: Seed,
        threads: usize,
    ) -> Result<Self, EnsembleError> {
        Self::new_watched(features, preparation, seed, threads, &())
    }

    /// As [`Prepared::new`], given up if `progress` says so.
    ///
    /// # Errors
    ///
    /// As [`Prepared::new`], and [`EnsembleError::Cancelled`].
    pub fn new_watched(
        features: &Features,
        preparation: impl Into<Preparation>,
        seed: Seed,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        Self::prepare(features, preparation.into(), seed, (threads, Features::LARGE), progress)
    }

    /// `large`: as [`Features::LARGE`].
    fn prepare(
        features: &Features,
        preparation: Preparation,
        seed: Seed,
        (threads, large): (usize, usize),
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        if features.as_sparse().is_some() && preparation.keeps_sparse(features.n_features()) {
            return Self::of_sparse(features, preparation, seed, threads, progress);
        }
        let features = &features.unpacked(None)?;
        if preparation.projects(features.n_features()) && features.as_slice().len() >= large {
            return Self::of_large(features, preparation, seed, threads, progress);
        }
        let (mut transform, far_off) = Transform::of_scaling(features, preparation.scaling);
        let scaled = finite(transform.scaled(&features.view()))?;
        let empty = |sample: &u32| scaled.row(*sample as usize).iter().all(|&value| value == 0.0);
        #[expect(clippy::cast_possible_truncation, reason = "samples are counted in u32")]
        let mut trainable: Vec<u32> = (0..scaled.n_samples() as u32).collect();
        if transform.rows {
            trainable.retain(|sample| !empty(sample));
        }
        let (mut features, mut unprojected) = (scaled, None);
        if preparation.projects(features.n_features()) {
            let mut rng = seed.rng(Stream::Projection);
            let pool = crate::threads::pool(threads)?;
            let projected = pool.install(|| {
                let components = preparation.components;
                transform.project(&features.view(), components, &mut rng, threads, progress)
            });
            let scaled = std::mem::replace(&mut features, finite(projected?)?);
            unprojected = Some(Unprojected::Scaled(scaled));
        }
        go_on(progress)?;
        Ok(Self::of_seen(features, (transform, far_off), unprojected, trainable, seed))
    }

    /// Of data too large to be scaled beside what they are.
    fn of_large(
        features: &Features,
        preparation: Preparation,
        seed: Seed,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let (mut transform, far_off) = Transform::of_scaling(features, preparation.scaling);
        let rows = Rows::Scaled(features, &transform);
        let mut trainable = Vec::with_capacity(features.n_samples());
        for samples in rows.chunks() {
            go_on(progress)?;
            let chunk = finite(rows.chunk(samples.clone()).into_owned())?;
            for (index, sample) in samples.enumerate() {
                if !transform.rows || chunk.row(index).iter().any(|&value| value != 0.0) {
                    #[expect(clippy::cast_possible_truncation, reason = "counted in u32")]
                    trainable.push(sample as u32);
                }
            }
        }
        let sparse = match transform.keeps_zeros() {
            true => gathered(&rows, progress)?,
            false => None,
        };
        let components = preparation.components;
        let mut rng = seed.rng(Stream::Projection);
        let seen = crate::threads::pool(threads)?.install(|| match sparse {
            Some(sparse) => {
                let projection = sparse_directions(&sparse, components, &mut rng, progress)?;
                drop(sparse);
                transform.project_rows(features, projection, progress)
            }
            None => {
                let scaled = transform.scaled(&features.view());
                transform.project(&scaled.view(), components, &mut rng, threads, progress)
            }
        });
        let (seen, unprojected) = (finite(seen?)?, Unprojected::AsTheyCame(features.clone()));
        go_on(progress)?;
        Ok(Self::of_seen(seen, (transform, far_off), Some(unprojected), trainable, seed))
    }

    /// Of sparse data, which stay so until they are projected.
    fn of_sparse(
        features: &Features,
        preparation: Preparation,
        seed: Seed,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let (mut transform, far_off) = Transform::of_scaling(features, preparation.scaling);
        transform.sparse = true;
        let rows = transform.scaled_sparse(features);
        #[expect(clippy::cast_possible_truncation, reason = "samples are counted in u32")]
        let mut trainable: Vec<u32> = (0..rows.n_samples() as u32).collect();
        trainable.retain(|&it| !transform.rows || !rows.row(it as usize).0.is_empty());
        let mut rng = seed.rng(Stream::Projection);
        let seen = crate::threads::pool(threads)?.install(|| {
            let components = preparation.components;
            let projection = directions_of_sparse(&rows, components, &mut rng, progress)?;
            let seen = transform.projected_sparse(&rows, &projection, progress)?;
            transform.projection = Some(projection);
            Ok::<_, EnsembleError>(seen)
        });
        let (seen, unprojected) = (finite(seen?)?, Unprojected::Sparse(rows.into()));
        go_on(progress)?;
        Ok(Self::of_seen(seen, (transform, far_off), Some(unprojected), trainable, seed))
    }

    /// `features`: as models see them.
    fn of_seen(
        features: Features,
        (transform, far_off): (Transform, Vec<usize>),
        unprojected: Option<Unprojected>,
        trainable: Vec<u32>,
        seed: Seed,
    ) -> Self {
        let (_, variance) = moments(&features.view());
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let spread = variance.iter().sum::<f64>().sqrt() as f32;
        let (distances, graph) = (None, None);
        Self {
            features,
            transform,
            far_off,
            unprojected,
            trainable,
            distances,
            graph,
            leading: OnceLock::new(),
            spread,
            seed,
        }
    }

    /// Finds every sample's thirty nearest neighbours, by the scaled features before they are projected, and its distance to the
    /// tenth after that, on `threads` threads; the result doesn't depend on their number. Complexity: see [`NeighbourGraph`].
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn measure_distances(&mut self, threads: usize) -> Result<(), EnsembleError> {
        self.measure_distances_watched(threads, &())
    }

    /// As [`Prepared::measure_distances`], given up if `progress` says so.
    ///
    /// # Errors
    ///
    /// As [`Prepared::measure_distances`], and [`EnsembleError::Cancelled`].
    pub fn measure_distances_watched(
        &mut self,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        let graph = |rows, k| {
            NeighbourGraph::of_rows(rows, &self.trainable, k, self.seed, threads, progress)
        };
        let (near, distances) = match self.unprojected.take() {
            Some(unprojected) => {
                let projected = graph(self.features.view().into(), NEIGHBOUR)?;
                let near = match &unprojected {
                    Unprojected::Scaled(scaled) => graph(scaled.view().into(), GRAPH)?,
                    Unprojected::AsTheyCame(features) => {
                        graph(Rows::Scaled(features, &self.transform), GRAPH)?
                    }
                    Unprojected::Sparse(rows) => {
                        let among = &self.trainable;
                        NeighbourGraph::of_sparse(rows, among, GRAPH, self.seed, threads, progress)?
                    }
                };
                (near, scales(&projected))
            }
            None => {
                let near = graph(self.features.view().into(), GRAPH)?;
                let distances = scales(&near);
                (near, distances)
            }
        };
        (self.graph, self.distances) = (Some(near), Some(distances));
        Ok(())
    }

    /// Some of the samples that can be trained on, at most `most`, with their neighbours among each other, and which they are, ascending. Neighbours
    /// are by the features as models see them, projected if they are. The same for any number of `threads`.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`], [`EnsembleError::Cancelled`].
    pub fn sampled(
        &self,
        most: usize,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<(Self, Vec<u32>), EnsembleError> {
        let mut samples = self.trainable.clone();
        if samples.len() > most {
            self.rng(Stream::References { part: 2 }).shuffle(&mut samples);
            samples.truncate(most);
            samples.sort_unstable();
        }
        if self.is_all_of(most) {
            return Ok((Self { far_off: Vec::new(), ..self.clone() }, samples));
        }
        let rows: Vec<usize> = samples.iter().map(|&sample| sample as usize).collect();
        let features = finite(self.features.view().select(Axis(0), &rows))?;
        #[expect(clippy::cast_possible_truncation, reason = "samples are counted in u32")]
        let trainable: Vec<u32> = (0..samples.len() as u32).collect();
        let graph =
            NeighbourGraph::new(&features, &trainable, GRAPH, self.seed, threads, progress)?;
        let distances = Some(scales(&graph));
        let (transform, spread, seed) = (self.transform.clone(), self.spread, self.seed);
        let some = Self {
            features,
            transform,
            far_off: Vec::new(),
            unprojected: None,
            trainable,
            distances,
            graph: Some(graph),
            leading: OnceLock::new(),
            spread,
            seed,
        };
        Ok((some, samples))
    }

    /// These samples, all of which can be trained on, laid out in a few dimensions so that neighbours are near each other and others far (UMAP), with their neighbours
    /// there: shape (n_samples, 10), or fewer columns where there are fewer features. The same for any number of `threads`; the layout itself takes one. O(n) for the layout, then as
    /// [`NeighbourGraph`].
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if neighbours weren't measured; [`EnsembleError::Threads`], [`EnsembleError::Cancelled`].
    pub fn laid_out(&self, threads: usize, progress: &dyn Progress) -> Result<Self, EnsembleError> {
        let graph = self.graph.as_ref().ok_or_else(|| EnsembleError::Setting {
            name: "layout",
            need: "data on which Prepared::measure_distances was called",
            got: "none".into(),
        })?;
        let places = crate::threads::pool(threads)?.install(|| {
            layout::laid_out(graph, self.features.view().into(), (self.seed, threads), progress)
        })?;
        let (places, as_they_are) = (finite(places)?, Scaling::None);
        let mut laid_out = Self::new_watched(&places, as_they_are, self.seed, threads, progress)?;
        laid_out.measure_distances_watched(threads, progress)?;
        Ok(laid_out)
    }

    /// The `width` leading principal directions, found once: all who ask want as many.
    pub(crate) fn leading(
        &self,
        width: usize,
        progress: &dyn Progress,
    ) -> Result<&Directions, EnsembleError> {
        if let Some(found) = self.leading.get() {
            debug_assert_eq!(found.basis.ncols(), width.min(found.basis.nrows()));
            return Ok(found);
        }
        // Two who ask at once find the same.
        let (view, threads) = (self.features.view(), rayon::current_num_threads());
        let mut rng = self.rng(Stream::References { part: 1 });
        let found = Directions::fit(view, &self.trainable, width, &mut rng, threads, progress)?;
        Ok(self.leading.get_or_init(|| found))
    }

    /// Whether [`Prepared::sampled`], of at most `most` samples, has all samples and the same neighbours.
    fn is_all_of(&self, most: usize) -> bool {
        let n = self.features.n_samples();
        let is_whole = self.trainable.len() == n && n <= most;
        is_whole && self.graph.is_some() && self.transform.projection.is_none()
    }

    /// Scaled features, shape (n_samples, n_features).
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Samples to train on, ascending: all, but for samples of zeros where only directions count. Those have none.
    #[must_use]
    pub fn trainable(&self) -> &[u32] {
        &self.trainable
    }

    /// Every sample's distance to its 10th neighbour, length n_samples, in units of the scaled features, if measured.
    #[must_use]
    pub fn neighbour_distances(&self) -> Option<&[f32]> {
        self.distances.as_deref()
    }

    /// What is near what, if measured: by the scaled features before they were projected.
    #[must_use]
    pub fn neighbour_graph(&self) -> Option<&NeighbourGraph> {
        self.graph.as_ref()
    }

    /// The ten nearest other samples of `sample`, nearest first, if measured.
    pub(crate) fn neighbours(&self, sample: usize) -> Option<&[u32]> {
        self.graph.as_ref().map(|graph| &graph.of(sample)[..NEIGHBOUR.min(graph.k())])
    }

    /// The root of the total variance of the scaled features: the root mean square distance of samples to their mean.
    #[must_use]
    pub fn spread(&self) -> f32 {
        self.spread
    }

    /// What was done to the features.
    #[must_use]
    pub fn transform(&self) -> &Transform {
        &self.transform
    }

    /// Samples so far from all others that these would be one point beside them, ascending: scales are those of the others, and these are
    /// pulled in to the farthest of the others.
    #[must_use]
    pub fn far_off(&self) -> &[usize] {
        &self.far_off
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// A generator of one of the run's streams.
    pub(crate) fn rng(&self, stream: Stream) -> consilience_data::Rng {
        self.seed.rng(stream)
    }
}

/// Every sample's distance to its 10th neighbour (the farthest, if there are fewer), length n_samples; 0 without neighbours.
fn scales(graph: &NeighbourGraph) -> Vec<f32> {
    let scale = |sample| {
        let distances = graph.distances(sample);
        distances.get(NEIGHBOUR - 1).or(distances.last()).copied().unwrap_or(0.0)
    };
    (0..graph.n_samples()).map(scale).collect()
}

#[cfg(test)]
mod tests;
