//! Samples on a plane: principal directions, then t-SNE (van der Maaten, 2014).
//!
//! Nothing in it is random but the choice of samples and where the search for directions starts, both of the run's seed: the map
//! starts from the first two directions and is computed on one thread, whose sums have one order.

use bhtsne::{Neighbor, tSNE};
use consilience_data::{Features, Seed, Stream};
use consilience_ensembles::{Scaling, principal_directions, sparse_components};
use ndarray::{Array2, Axis};
use rayon::ThreadPoolBuilder;

/// Samples on a map, at most: as many as can be told apart, in a few seconds.
const MOST: usize = 2000;
/// Directions from which t-SNE starts.
const DIRECTIONS: usize = 50;
/// How many neighbours count, in effect; three times as many are looked at.
const PERPLEXITY: usize = 30;
/// Fewer distinct samples are shown along their principal directions.
const FEWEST: usize = 20;
const EPOCHS: usize = 750;
/// Spread of the first places: small, so that neighbours can sort themselves.
const SPREAD: f32 = 1e-4;

/// Where samples lie.
pub(super) struct Embedding {
    /// Rows of the samples shown, ascending.
    pub(super) samples: Vec<usize>,
    /// Their places, in the same order.
    pub(super) places: Vec<[f32; 2]>,
    /// Whether neighbours on the map are neighbours in the features; else it is the first two directions.
    pub(super) is_tsne: bool,
}

impl Embedding {
    /// Some of the samples, scaled as the run scaled them.
    pub(super) fn of(features: &Features, scaling: Scaling, seed: Seed) -> Self {
        let n = features.n_samples();
        let mut samples = seed.rng(Stream::Report { part: 0 }).permutation(n);
        samples.truncate(MOST);
        samples.sort_unstable();
        let shown = features.select(&samples);
        let values = projected(scaled(&shown, scaling, seed), seed);
        let start = start(&values);
        let n_distinct = shown.distinct_rows_up_to(FEWEST);
        let neighboured = if n_distinct < FEWEST { None } else { tsne(&values, &start) };
        let is_tsne = neighboured.is_some();
        Self { samples, places: neighboured.unwrap_or(start), is_tsne }
    }
}

/// Samples in a common scale, their mean at zero, shape (n, d); sparse ones along their first directions, in as many as there are.
fn scaled(shown: &Features, scaling: Scaling, seed: Seed) -> Array2<f32> {
    if shown.as_sparse().is_some() {
        let mut rng = seed.rng(Stream::Report { part: 0 });
        // One more than is shown: that of their mean, which is taken off.
        let mut values = sparse_components(shown, scaling, DIRECTIONS + 1, &mut rng);
        centre(&mut values);
        return values;
    }
    let mut values = shown.view().to_owned();
    // Numbers up to the largest there are: what follows squares them and adds them up.
    let most = values.iter().fold(0f32, |most, value| most.max(value.abs()));
    if most > 0.0 {
        values.mapv_inplace(|value| value / most);
    }
    let lengths = |values: &mut Array2<f32>| {
        for mut row in values.rows_mut() {
            let length = row.dot(&row).sqrt();
            row.mapv_inplace(|value| if length > 0.0 { value / length } else { 0.0 });
        }
    };
    if scaling == Scaling::Rows {
        lengths(&mut values);
    }
    centre(&mut values);
    match scaling {
        Scaling::CentredRows => {
            lengths(&mut values);
            centre(&mut values);
        }
        Scaling::Standardise => {
            for mut column in values.columns_mut() {
                let norm = column.dot(&column).sqrt();
                column.mapv_inplace(|value| if norm > 0.0 { value / norm } else { 0.0 });
            }
        }
        Scaling::None | Scaling::Range | Scaling::Rows => {}
    }
    values
}

fn centre(values: &mut Array2<f32>) {
    if let Some(mean) = values.mean_axis(Axis(0)) {
        *values -= &mean;
    }
}

/// Along the first directions, shape (n, at most 50, at least 2).
fn projected(values: Array2<f32>, seed: Seed) -> Array2<f32> {
    let mut rng = seed.rng(Stream::Report { part: 0 });
    let directions = principal_directions(&values.view(), DIRECTIONS, &mut rng, 1);
    let mut projected = values.dot(&directions);
    if projected.ncols() < 2 {
        let zeros = Array2::zeros((projected.nrows(), 1));
        projected.append(Axis(1), zeros.view()).expect("as many rows");
    }
    projected
}

fn start(values: &Array2<f32>) -> Vec<[f32; 2]> {
    values.rows().into_iter().map(|row| [row[0], row[1]]).collect()
}

/// `None` if samples can't be told apart.
#[expect(clippy::cast_precision_loss, reason = "a number of samples")]
fn tsne(values: &Array2<f32>, start: &[[f32; 2]]) -> Option<Vec<[f32; 2]>> {
    let n = values.nrows();
    let perplexity = PERPLEXITY.min((n - 1) / 4);
    let neighbours = neighbours(values, 3 * perplexity);
    let spread = start.iter().flatten().map(|place| place * place).sum::<f32>() / n as f32;
    if !(spread.is_finite() && spread > 0.0) {
        return None;
    }
    let scale = SPREAD / spread.sqrt();
    let first: Vec<f32> = start.iter().flatten().map(|place| place * scale).collect();
    let samples = vec![(); n];
    let pool = ThreadPoolBuilder::new().num_threads(1).build().ok()?;
    let places = pool.install(|| {
        let mut tsne: tSNE<'_, f32, ()> = tSNE::new(&samples);
        tsne.perplexity(perplexity as f32).epochs(EPOCHS).initial_embedding(first);
        tsne.barnes_hut_with_neighbors(0.5, &neighbours);
        tsne.embedding()
    });
    let places: Vec<[f32; 2]> = places.chunks_exact(2).map(|place| [place[0], place[1]]).collect();
    places.iter().flatten().all(|place| place.is_finite()).then_some(places)
}

/// The `most` nearest of every sample, nearest first; ties by row. O(n² d).
fn neighbours(values: &Array2<f32>, most: usize) -> Vec<Vec<Neighbor<f32>>> {
    let squares: Vec<f32> = values.rows().into_iter().map(|row| row.dot(&row)).collect();
    let products = values.dot(&values.t());
    let of = |sample: usize| {
        let distance = |other: usize| {
            let square = squares[sample] + squares[other] - 2.0 * products[(sample, other)];
            Neighbor { index: other, distance: square.max(0.0).sqrt() }
        };
        let mut all: Vec<_> =
            (0..values.nrows()).filter(|&other| other != sample).map(distance).collect();
        let nearer = |a: &Neighbor<f32>, b: &Neighbor<f32>| {
            a.distance.total_cmp(&b.distance).then(a.index.cmp(&b.index))
        };
        if most < all.len() {
            all.select_nth_unstable_by(most, nearer);
            all.truncate(most);
        }
        all.sort_unstable_by(nearer);
        all
    };
    (0..values.nrows()).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three far groups of fifty in six features.
    fn groups() -> Features {
        let noise = Seed(3).rng(Stream::Subset).normal(150 * 6);
        let value = |(sample, feature): (usize, usize)| {
            let centre = if sample / 50 == feature { 30.0 } else { 0.0 };
            centre + noise[sample * 6 + feature]
        };
        Features::new(Array2::from_shape_fn((150, 6), value), "x").unwrap()
    }

    #[test]
    fn neighbours_stay_neighbours_and_the_map_repeats() {
        let features = groups();
        let map = Embedding::of(&features, Scaling::Standardise, Seed(1));
        assert!(map.is_tsne && map.samples == (0..150).collect::<Vec<_>>());
        let apart = |a: usize, b: usize| {
            let (a, b) = (map.places[a], map.places[b]);
            (a[0] - b[0]).hypot(a[1] - b[1])
        };
        for sample in 0..150 {
            let nearest = (0..150).filter(|&other| other != sample);
            let nearest = nearest.min_by(|&a, &b| apart(sample, a).total_cmp(&apart(sample, b)));
            assert_eq!(nearest.unwrap() / 50, sample / 50, "sample {sample}");
        }
        let pool = ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let again = pool.install(|| Embedding::of(&features, Scaling::Standardise, Seed(1)));
        assert_eq!(again.places, map.places);
    }

    #[test]
    fn few_equal_and_huge_samples_have_places() {
        let of = |values: Array2<f32>, scaling| {
            Embedding::of(&Features::new(values, "x").unwrap(), scaling, Seed(1))
        };
        for scaling in [Scaling::None, Scaling::Rows, Scaling::Standardise, Scaling::CentredRows] {
            for values in [
                Array2::zeros((1, 1)),
                Array2::ones((40, 3)),
                Array2::from_shape_fn(
                    (25, 4),
                    |(i, j)| if (i + j) % 2 == 0 { f32::MAX } else { -f32::MAX },
                ),
                Array2::from_shape_fn((30, 1), |(i, _)| f32::from(u8::try_from(i).unwrap())),
            ] {
                let n = values.nrows();
                let map = of(values, scaling);
                assert_eq!((map.places.len(), map.samples.len()), (n, n));
                assert!(map.places.iter().flatten().all(|place| place.is_finite()), "{scaling:?}");
            }
        }
    }

    #[test]
    fn neighbours_are_those_of_all_distances() {
        let values = groups().view().to_owned();
        for (sample, found) in neighbours(&values, 7).iter().enumerate() {
            let squared = |other: usize| {
                let difference = &values.row(sample) - &values.row(other);
                difference.dot(&difference)
            };
            let mut all: Vec<usize> = (0..150).filter(|&other| other != sample).collect();
            all.sort_by(|&a, &b| squared(a).total_cmp(&squared(b)));
            let found: Vec<usize> = found.iter().map(|neighbour| neighbour.index).collect();
            assert_eq!(found, all[..7]);
        }
    }
}
