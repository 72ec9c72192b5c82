//! Voters that know no number of clusters: communities of the neighbour graph of half of the samples each, at many resolutions.

use consilience_data::{Assignments, Contingency, ModelIdx, Rng, Stream, Votes};
use ndarray::Array2;
use rayon::prelude::*;

use crate::error::EnsembleError;
use crate::members::drawn::{below, uniform};
use crate::members::leiden::communities_at;
use crate::preparation::neighbour_graph::NeighbourGraph;
use crate::preparation::prepared::Prepared;
use crate::progress::{Progress, apart, go_on};
use crate::side_by_side::side_by_side;

/// Least and largest number of neighbours of a sample, of those in its half.
const NEIGHBOURS: (usize, usize) = (8, 15);
/// The share of edges that each voter leaves out.
const DROPPED: f64 = 0.3;
/// The finest resolution: dozens of small communities where there is no structure. With 1, a community has more edges inside than chance would put there.
const FINEST: f64 = 8.0;

/// What voters of many granularities say.
///
/// Each sees one of two halves of the samples, drawn at random, and nothing of the other: its communities are those of the graph of
/// the nearest neighbours within the half. A sample of the other half has the vote of its own nearest neighbours in the voter's half. So what
/// both halves show isn't an accident of the sample.
#[derive(Debug, Clone)]
pub struct Halves {
    /// Votes, shape (2 `splits` `count`, n_samples): for each way to split the samples, those of both halves in turn, the coarsest first. Missing
    /// where no neighbour is in the voter's half, and on samples that nothing can be learnt from.
    pub votes: Votes,
    /// In how many ways the samples were split.
    pub splits: usize,
}

impl Halves {
    /// Each voter of a half has its resolution in a range of this factor, the next coarser one in the range below: 16 reach down to 0.03, where a handful of
    /// large communities remain if there is any structure, 20 to 0.007, where only those are left that hardly an edge joins.
    pub const STEP: f64 = 1.418;

    /// Finds `count` voters for each half of each of `splits` ways to split the samples, on `threads` threads, whose number changes nothing.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if the data have no neighbour graph ([`Prepared::measure_distances`]), [`EnsembleError::Threads`],
    /// [`EnsembleError::Cancelled`].
    ///
    /// # Complexity
    ///
    /// O(splits count n) for the communities, which take most of the time, on n samples.
    pub fn find(
        data: &Prepared,
        (splits, count): (usize, usize),
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Self, EnsembleError> {
        let graph = data.neighbour_graph().ok_or_else(|| EnsembleError::Setting {
            name: "n_clusters",
            need: "data on which Prepared::measure_distances was called, to find it",
            got: "none".into(),
        })?;
        let n = data.trainable().len();
        let halved = |split: usize| {
            let mut is_second = vec![false; n];
            let order = data.rng(Stream::Halves { split: split as u64 }).permutation(n);
            order[n / 2..].iter().for_each(|&node| is_second[node] = true);
            [false, true].map(|half| Half::new(graph, data.trainable(), &is_second, half))
        };
        let halves: Vec<Half> = (0..splits).flat_map(halved).collect();
        let find = |voter: usize| {
            let rng = data.rng(Stream::Granularity { voter: voter as u64 });
            let (split, place) = (voter / (2 * count), voter % (2 * count));
            halves[2 * split + place % 2].voter((place / 2, count), rng, progress)
        };
        let found = side_by_side((0..2 * splits * count).collect(), threads, find)?;
        let mut clusters =
            Array2::from_elem((2 * splits * count, graph.n_samples()), Votes::MISSING);
        for (mut row, voter) in clusters.rows_mut().into_iter().zip(found) {
            let of_nodes = data.trainable().iter().zip(voter?);
            of_nodes.for_each(|(&sample, cluster)| row[sample as usize] = cluster);
        }
        let confidences = clusters.mapv(|cluster| f32::from(u8::from(cluster != Votes::MISSING)));
        let votes = Votes::new(clusters, confidences).expect("a confidence of 0 or 1 for each");
        Ok(Self { votes, splits })
    }

    /// Number of voters of each half, for each way to split the samples.
    #[must_use]
    pub fn n_voters(&self) -> usize {
        self.votes.n_models() / (2 * self.splits)
    }

    /// How far a clustering is found again by either half: of each cluster the Jaccard index with the most similar community of any granularity, in the half that
    /// has it less; mean over ways to split, and over samples, 0..=1.
    ///
    /// C. Hennig, *Cluster-wise assessment of cluster stability* (CSDA 52, 2007), does so with bootstrap samples.
    ///
    /// # Panics
    ///
    /// If it isn't of the same samples.
    ///
    /// # Complexity
    ///
    /// O(n_models n_samples).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "samples are counted in u32")]
    pub fn found_again(&self, clusters: &Assignments) -> f64 {
        let (n_voters, sizes) = (self.n_voters(), clusters.sizes());
        let of_half = |first: usize| {
            let mut best = vec![0.0_f64; sizes.len()];
            for voter in (0..n_voters).map(|at| first + 2 * at) {
                let voter = ModelIdx::from_index(voter);
                let votes = self.votes.of_model(voter);
                let votes = votes.iter().zip(clusters.clusters());
                let voted = votes.filter(|&(&vote, _)| vote != Votes::MISSING);
                let pairs = voted.map(|(&vote, cluster)| (cluster.index(), usize::from(vote)));
                let overlap = Contingency::count(pairs, sizes.len(), self.votes.n_clusters(voter));
                let (own, other) = (overlap.first_sizes(), overlap.second_sizes());
                for cell in overlap.rows().flatten() {
                    let all = own[cell.first] + other[cell.second] - cell.n_samples;
                    best[cell.first] = best[cell.first].max(cell.n_samples as f64 / all as f64);
                }
            }
            best
        };
        let mut sum = 0.0;
        for split in 0..self.splits {
            let halves = [0, 1].map(|half| of_half(2 * split * n_voters + half));
            let least = halves[0].iter().zip(&halves[1]).map(|(&a, &b)| a.min(b));
            sum += least.zip(&sizes).map(|(least, &size)| least * size as f64).sum::<f64>();
        }
        sum / (self.splits * clusters.n_samples().max(1)) as f64
    }
}

/// Half of the samples.
struct Half {
    /// By node of the whole graph, the nearest nodes in this half, nearest first, by their numbers in it.
    near: Vec<Vec<u32>>,
    /// By node of the whole graph, its number in this half, if it is in it.
    number: Vec<Option<u32>>,
    n_nodes: usize,
}

impl Half {
    /// Nodes are the samples that can be trained on, numbered from 0.
    fn new(graph: &NeighbourGraph, trainable: &[u32], is_second: &[bool], half: bool) -> Self {
        let mut n_nodes = 0;
        let number: Vec<Option<u32>> = is_second
            .iter()
            .map(|&is_second| {
                (is_second == half).then(|| {
                    n_nodes += 1;
                    n_nodes - 1
                })
            })
            .collect();
        let of_sample = |sample: &u32| {
            let node = trainable.binary_search(sample).ok()?;
            number[node]
        };
        let near = trainable.iter().map(|&sample| {
            let near = graph.of(sample as usize).iter().filter_map(of_sample);
            near.take(NEIGHBOURS.1).collect()
        });
        Self { near: near.collect(), number: number.clone(), n_nodes: n_nodes as usize }
    }

    /// The votes of a voter on all nodes. `(at, count)`: its place among those of the half.
    fn voter(
        &self,
        (at, count): (usize, usize),
        mut rng: Rng,
        progress: &dyn Progress,
    ) -> Result<Vec<u16>, EnsembleError> {
        go_on(progress)?;
        let neighbours = NEIGHBOURS.0 + below(&mut rng, NEIGHBOURS.1 - NEIGHBOURS.0 + 1);
        // Anywhere in its range.
        let place = (count - at) as f64 - uniform(&mut rng);
        let resolution = FINEST * Halves::STEP.powf(-place);
        let seed = rng.bits();
        let mut edges = self.edges(neighbours);
        edges.retain(|_| uniform(&mut rng) >= DROPPED);
        let n_nodes = self.n_nodes;
        let find = move || communities_at(&edges, n_nodes, resolution, seed);
        let found = apart(progress, find)?;
        let lost = |reason: String| EnsembleError::Lost { model: 0, kind: "communities", reason };
        let found = found.map_err(|error| lost(error.to_string()))?;
        let vote = |(near, own): (&Vec<u32>, &Option<u32>)| {
            let cluster = match own {
                Some(own) => Some(found[*own as usize]),
                None => majority(near.iter().take(neighbours).map(|&other| found[other as usize])),
            };
            cluster.and_then(|cluster| u16::try_from(cluster).ok()).unwrap_or(Votes::MISSING)
        };
        Ok(self.near.par_iter().zip(&self.number).map(vote).collect())
    }

    /// Pairs of nodes of this half of which at least one is among the `k` nearest of the other, the lower first, with the Jaccard index of their
    /// neighbourhoods: as [`NeighbourGraph::edges`], within the half.
    fn edges(&self, k: usize) -> Vec<(u32, u32, f32)> {
        let own =
            self.near.iter().zip(&self.number).filter_map(|(near, own)| Some((near, (*own)?)));
        let mut sets: Vec<Vec<u32>> = vec![Vec::new(); self.n_nodes];
        for (near, own) in own {
            let set = &mut sets[own as usize];
            set.push(own);
            set.extend(near.iter().take(k));
            set.sort_unstable();
        }
        let mut edges = Vec::new();
        for (own, set) in (0..).zip(&sets) {
            for &other in set.iter().filter(|&&other| other != own) {
                let others = &sets[other as usize];
                // The other has this edge, too, if each is near the other; the lower one then keeps it.
                if other < own && others.binary_search(&own).is_ok() {
                    continue;
                }
                let shared = set.iter().filter(|node| others.binary_search(node).is_ok()).count();
                #[expect(clippy::cast_precision_loss, reason = "a few neighbours")]
                let similarity = shared as f32 / (set.len() + others.len() - shared) as f32;
                edges.push((own.min(other), own.max(other), similarity));
            }
        }
        edges
    }
}

/// The most frequent; of equals the lowest. `None` of none.
fn majority(clusters: impl Iterator<Item = usize>) -> Option<usize> {
    let mut clusters: Vec<usize> = clusters.collect();
    clusters.sort_unstable();
    let runs = clusters.chunk_by(|a, b| a == b);
    runs.fold(None, |best: Option<&[usize]>, run| {
        best.filter(|best| best.len() >= run.len()).or(Some(run))
    })
    .map(|run| run[0])
}

#[cfg(test)]
mod tests {
    use consilience_data::ClusterId;
    use ndarray::array;

    use super::*;

    #[test]
    fn the_half_that_has_a_cluster_less_counts() {
        // One way to split, two voters of each half, whose rows alternate. A voter of the first half has both clusters.
        let missing = Votes::MISSING;
        let clusters = array![
            [0, 0, 0, 0, 1, 1, 1, 1],
            [0, 0, 0, 0, 1, 1, 0, 2],
            [0, 1, 2, 3, 1, 1, 1, 1],
            [0, 0, 1, 1, 1, 1, 1, missing],
        ];
        let confidences = clusters.mapv(|cluster: u16| f32::from(u8::from(cluster != missing)));
        let halves = Halves { votes: Votes::new(clusters, confidences).unwrap(), splits: 1 };
        assert_eq!(halves.n_voters(), 2);
        let of = |ids: [u16; 8]| Assignments::new(ids.map(ClusterId).to_vec(), 2);
        // The second half has all four of the first cluster beside one other, and of the second the three that it votes on beside two others.
        let found = halves.found_again(&of([0, 0, 0, 0, 1, 1, 1, 1]));
        assert!((found - (4.0 / 5.0 + 3.0 / 5.0) / 2.0).abs() < 1e-12, "{found}");
        let mixed = halves.found_again(&of([0, 1, 0, 1, 0, 1, 0, 1]));
        assert!(mixed < found, "{mixed}");
    }
}
