//! Samples laid out in a few dimensions, so that neighbours are near each other and all others far: UMAP (L. McInnes, J. Healy and J. Melville,
//! *UMAP: Uniform Manifold Approximation and Projection for Dimension Reduction*, 2018, arXiv:1802.03426, algorithms 1 to 5).
//!
//! Where many features are noise, some of a sample's nearest are of another crowd. In a layout they can't all be near: what has many neighbours in common is pulled
//! together from all sides, and single ones give way. So crowds are further apart than in the features, and their neighbours are fewer who are wrong.

use consilience_data::{Rng, Seed, Stream};
use ndarray::Array2;

use crate::error::EnsembleError;
use crate::preparation::directions::Directions;
use crate::preparation::neighbour_graph::NeighbourGraph;
use crate::preparation::rows::Rows;
use crate::progress::{Progress, go_on};

/// Neighbours of a sample that pull it, as umap-learn has it by default.
const NEIGHBOURS: usize = 15;
/// Dimensions; umap-learn's documentation advises so many for clustering.
const DIMENSIONS: usize = 10;
/// How often every edge of the largest weight pulls; others do in proportion. umap-learn takes 200 and more, for a picture; communities are the same after half of them.
const EPOCHS: u16 = 100;
/// Samples that push a sample away, for each time that it is pulled.
const PUSHES: f32 = 5.0;
/// Nearness at distance d is 1 / (1 + A d^2B), the nearest such curve to exp(-d): so that what is near may coincide.
const A: f32 = 1.932_808;
const B: f32 = 0.790_495;
/// No step is longer than this in any dimension.
const LONGEST: f32 = 4.0;
/// The farthest sample from the middle at the start, in any dimension; and the noise that keeps duplicates apart.
const EXTENT: f32 = 10.0;
const NOISE: f32 = 1e-4;

/// Places of all samples of a neighbour graph, shape (n_samples, 10), or fewer columns where there are fewer features.
///
/// `rows` are the samples' features, where they start. The same on any number of threads: steps follow one another on one thread. O(n) epochs.
pub(crate) fn laid_out(
    graph: &NeighbourGraph,
    rows: Rows<'_>,
    (seed, threads): (Seed, usize),
    progress: &dyn Progress,
) -> Result<Array2<f32>, EnsembleError> {
    let mut rng = seed.rng(Stream::Layout);
    let mut places = start(graph, rows, &mut rng, threads, progress)?;
    let edges = Edges::of(graph);
    let width = places.ncols();
    let flat = places.as_slice_mut().expect("it was just made");
    Steps { edges: &edges, width, n: graph.n_samples() }.take(flat, &mut rng, progress)?;
    Ok(places)
}

/// Principal directions, as far from the middle as [`EXTENT`].
fn start(
    graph: &NeighbourGraph,
    rows: Rows<'_>,
    rng: &mut Rng,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Array2<f32>, EnsembleError> {
    let width = DIMENSIONS.min(rows.n_features());
    let directions = Directions::fit(rows.view(), graph.among(), width, rng, threads, progress)?;
    let mut places = directions.of(rows);
    let farthest = places.iter().fold(0.0_f32, |farthest, value| farthest.max(value.abs()));
    let scale = if farthest > 0.0 { EXTENT / farthest } else { 0.0 };
    let noise = rng.normal(places.len());
    places.iter_mut().zip(noise).for_each(|(value, noise)| *value = *value * scale + NOISE * noise);
    Ok(places)
}

/// Who pulls whom, in both directions, by sample.
struct Edges {
    /// From, to, and the number of epochs from one pull to the next, at least 1.
    pulls: Vec<(u32, u32, f32)>,
}

impl Edges {
    /// Of the fuzzy union of all samples' neighbourhoods: each is as sure as how far the neighbour is beyond the nearest, on a scale on which
    /// log2 k neighbours are sure in all.
    fn of(graph: &NeighbourGraph) -> Self {
        let k = NEIGHBOURS.min(graph.k());
        let mut halves: Vec<(u32, u32, f32)> = Vec::with_capacity(2 * k * graph.n_samples());
        for &sample in graph.among() {
            let (near, far) = (graph.of(sample as usize), graph.distances(sample as usize));
            let sure = memberships(&far[..k]);
            for (&other, sure) in near[..k].iter().zip(sure) {
                halves.push((sample.min(other), sample.max(other), sure));
            }
        }
        halves.sort_unstable_by_key(|&(a, b, _)| (a, b));
        // At most two of each, of which the union is p + q - p q, in either order.
        let unions = halves.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1));
        let unions: Vec<_> = unions
            .map(|pair| {
                let rest = pair.iter().map(|half| 1.0 - half.2).product::<f32>();
                (pair[0].0, pair[0].1, 1.0 - rest)
            })
            .collect();
        let largest = unions.iter().fold(0.0_f32, |largest, edge| largest.max(edge.2));
        let often = unions.iter().filter(|edge| edge.2 * f32::from(EPOCHS) >= largest);
        let both = often.flat_map(|&(a, b, sure)| [(a, b, largest / sure), (b, a, largest / sure)]);
        let mut pulls: Vec<_> = both.collect();
        pulls.sort_unstable_by_key(|&(from, to, _)| (from, to));
        Self { pulls }
    }
}

/// How sure each of a sample's neighbours is, by their distances, ascending: 0..=1.
fn memberships(distances: &[f32]) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "a few neighbours")]
    let wanted = (distances.len() as f32).log2();
    let nearest = distances.iter().copied().find(|&distance| distance > 0.0).unwrap_or(0.0);
    let sure = |scale: f32| {
        distances.iter().map(move |&distance| (-(distance - nearest).max(0.0) / scale).exp())
    };
    // Bisection of the scale's logarithm, from far below to far above.
    let unit = distances.last().map_or(1.0, |&last| last - nearest).max(f32::MIN_POSITIVE);
    let (mut low, mut high) = (-20.0_f32, 20.0_f32);
    for _ in 0..40 {
        let middle = f32::midpoint(low, high);
        if sure(unit * middle.exp2()).sum::<f32>() < wanted { low = middle } else { high = middle }
    }
    sure(unit * high.exp2()).collect()
}

/// By how much of their difference two samples that pull each other move, at this squared distance: twice the derivative by it of the logarithm of their
/// nearness.
fn pull(squared: f32) -> f32 {
    let power = squared.powf(B);
    -2.0 * A * B * power / squared / (A * power + 1.0)
}

/// The same for one that is pushed: of the logarithm of how far they are from near. The thousandth keeps it finite.
fn push(squared: f32) -> f32 {
    2.0 * B / ((0.001 + squared) * (A * squared.powf(B) + 1.0))
}

/// Stochastic gradient descent on the cross-entropy of edges and nearness.
struct Steps<'a> {
    edges: &'a Edges,
    width: usize,
    n: usize,
}

impl Steps<'_> {
    /// `places`: shape (n, width).
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few pushes")]
    fn take(
        &self,
        places: &mut [f32],
        rng: &mut Rng,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        let pulls = &self.edges.pulls;
        let mut next: Vec<f32> = pulls.iter().map(|pull| pull.2).collect();
        let mut next_push: Vec<f32> = pulls.iter().map(|pull| pull.2 / PUSHES).collect();
        for epoch in 0..EPOCHS {
            go_on(progress)?;
            let rate = 1.0 - f32::from(epoch) / f32::from(EPOCHS);
            let epoch = f32::from(epoch);
            for (at, &(from, to, every)) in pulls.iter().enumerate() {
                if next[at] > epoch {
                    continue;
                }
                next[at] += every;
                self.pull(places, from as usize, to as usize, rate);
                let pushes = ((epoch - next_push[at]) * PUSHES / every).max(0.0).floor();
                next_push[at] += pushes * every / PUSHES;
                for _ in 0..pushes as usize {
                    let other = (rng.bits() % self.n as u64) as usize;
                    self.push(places, from as usize, other, rate);
                }
            }
        }
        Ok(())
    }

    fn squared(&self, places: &[f32], a: usize, b: usize) -> f32 {
        let (a, b) =
            (&places[a * self.width..][..self.width], &places[b * self.width..][..self.width]);
        a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
    }

    /// Two samples move towards each other.
    fn pull(&self, places: &mut [f32], from: usize, to: usize, rate: f32) {
        let squared = self.squared(places, from, to);
        if squared <= 0.0 {
            return;
        }
        let strength = pull(squared);
        for (a, b) in (from * self.width..).zip(to * self.width..).take(self.width) {
            let step = (strength * (places[a] - places[b])).clamp(-LONGEST, LONGEST) * rate;
            places[a] += step;
            places[b] -= step;
        }
    }

    /// A sample moves away from another.
    fn push(&self, places: &mut [f32], from: usize, other: usize, rate: f32) {
        let squared = self.squared(places, from, other);
        if squared <= 0.0 {
            return;
        }
        let strength = push(squared);
        for (a, b) in (from * self.width..).zip(other * self.width..).take(self.width) {
            let step = (strength * (places[a] - places[b])).clamp(-LONGEST, LONGEST) * rate;
            places[a] += step;
        }
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::Features;

    use super::*;

    #[test]
    fn steps_go_down_the_cross_entropy() {
        let nearness = |squared: f64| 1.0 / (1.0 + f64::from(A) * squared.powf(f64::from(B)));
        let slope = |of: &dyn Fn(f64) -> f64, at: f64| (of(at + 1e-6) - of(at - 1e-6)) / 2e-6;
        for near in [0.5_f32, 1.0, 4.0, 30.0] {
            let squared = f64::from(near);
            let pulled = 2.0 * slope(&|at| nearness(at).ln(), squared);
            let pushed = 2.0 * slope(&|at| (1.0 - nearness(at)).ln(), squared);
            assert!((f64::from(pull(near)) / pulled - 1.0).abs() < 1e-3);
            assert!((f64::from(push(near)) / pushed - 1.0).abs() < 3e-3);
        }
        // As near as exp(-d), as far as such a curve can be.
        for distance in [0.0_f64, 0.5, 1.0, 2.0, 3.0] {
            assert!((nearness(distance * distance) - (-distance).exp()).abs() < 0.12, "{distance}");
        }
    }

    #[test]
    fn as_many_neighbours_are_sure_as_the_logarithm_says() {
        let distances: Vec<f32> = (0..15u8).map(|at| 2.0 + f32::from(at).sqrt()).collect();
        let sure = memberships(&distances);
        assert!((sure.iter().sum::<f32>() - 15f32.log2()).abs() < 1e-3, "{sure:?}");
        assert!((sure[0] - 1.0).abs() < 1e-6 && sure.is_sorted_by(|a, b| a >= b));
        let alike = memberships(&[0.0; 15]);
        assert!(alike.iter().all(|&sure| (sure - 1.0).abs() < 1e-6), "duplicates are all sure");
        assert!(memberships(&[3.0]).iter().all(|sure| sure.is_finite()));
    }

    /// Four crowds in four of 30 features, the others noise.
    fn crowds(n: usize) -> Features {
        let mut rng = Seed(5).rng(Stream::Subset);
        let noise = rng.normal(n * 30);
        let value =
            |(row, column)| noise[row * 30 + column] + if column == row % 4 { 4.0 } else { 0.0 };
        Features::new(Array2::from_shape_fn((n, 30), value), "x").unwrap()
    }

    fn graph(features: &Features) -> NeighbourGraph {
        let all: Vec<u32> = (0..u32::try_from(features.n_samples()).unwrap()).collect();
        NeighbourGraph::new(features, &all, 30, Seed(1), 1, &()).unwrap()
    }

    fn places(features: &Features, threads: usize) -> Array2<f32> {
        let rows = features.view().into();
        laid_out(&graph(features), rows, (Seed(1), threads), &()).unwrap()
    }

    /// The share of neighbours that are of another crowd.
    fn wrong(graph: &NeighbourGraph) -> f64 {
        let n = graph.n_samples();
        let of = |sample: usize| {
            graph.of(sample)[..10].iter().filter(move |&&other| other as usize % 4 != sample % 4)
        };
        (0..n).map(|sample| of(sample).count()).sum::<usize>() as f64 / (10 * n) as f64
    }

    #[test]
    fn crowds_are_further_apart_than_in_the_features() {
        let features = crowds(400);
        let found = places(&features, 1);
        assert_eq!(found.dim(), (400, DIMENSIONS));
        let laid_out = Features::new(found.clone(), "x").unwrap();
        let [before, after] = [&features, &laid_out].map(|features| wrong(&graph(features)));
        assert!(before > 0.05 && after < 0.5 * before, "{before} {after}");
        assert_eq!(places(&features, 2), found, "the same on two threads");
    }

    #[test]
    fn few_samples_features_and_duplicates_have_places() {
        for n in [2, 3, 7] {
            assert!(places(&crowds(n), 1).iter().all(|value| value.is_finite()));
        }
        let alike = Features::new(Array2::from_elem((40, 1), 3.0), "x").unwrap();
        let found = places(&alike, 1);
        assert!(found.dim() == (40, 1) && found.iter().all(|value| value.is_finite()));
    }
}
