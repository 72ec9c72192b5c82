//! How much memory a run takes, before it takes it.

use consilience_data::{Features, free_memory};
use consilience_ensembles::mostly_zeros;

use crate::config::Config;
use crate::error::RunError;
use crate::wording::bytes;

/// The program, and what a run of any size needs.
const BASE: u64 = 160 << 20;
/// Neighbours of each sample, twice while they are sought, as a number and a distance.
const NEIGHBOURS: u64 = 30 * 2 * 8;
/// Edges of a sample in the graph that one voter of communities draws, with the search among them.
const EDGES: u64 = 800;
/// Copies of a network's weights: values, gradients, two moments, and the state before a round, in a decoder as in an encoder.
const WEIGHTS: u64 = 2 * 5;
/// Copies of the features while clusters are described, drawn, and the data sketched: as measured.
const COPIES: u64 = 4;
/// Samples that are looked at meanwhile, at most, where data are too large for copies.
const LOOKED_AT: u64 = 10_000;
/// Samples, and directions, that are compared at a time while neighbours are sought.
const COMPARED: u64 = 2500;
const DIRECTIONS: u64 = 256;
/// Mixtures and k-means on a view beside the data.
const VIEW_MEMBERS: u64 = 4;
/// Of what is mostly zeros, the others take this part of all, with their places.
const NOT_ZERO: u64 = 10;
/// Bytes that a value of sparse rows takes beside itself: scaled, and in an index of columns, at worst in one that is kept dense.
const SPARSE_VALUE: u64 = 8 + 16;
/// Samples among which all neighbours are sought; among more, in directions.
const COMPARED_ALL: u64 = 20_000;
/// Samples in a part of that index, which has a list of each column.
const INDEXED: u64 = 8192;
/// Directions that are sought beside those asked for, and at a time.
const OVERSAMPLING: u64 = 20;
const SOUGHT: u64 = 32;
/// Directions that the report's map is drawn from, and random ones that a sketch is made of at a time.
const DRAWN: u64 = 51;
const SKETCHED: u64 = 64;
/// Matrices of the size of a layer's activations that a step has at a time, over all views of a batch.
const ACTIVATIONS: u64 = 40;

/// About as many bytes as a run of `n_samples` samples of `n_features` features takes at most at a time, those of the features themselves not
/// counted; a little more rather than less.
///
/// Data are kept as they came, scaled, and while neighbours are sought once more, but for large data that are projected
/// ([`Preparation::is_lean`](consilience_ensembles::Preparation::is_lean)), which are scaled to find directions, and, if they are `mostly_zeros`, never; every model keeps a probability of each
/// cluster for every sample; and every network its weights several times.
#[must_use]
pub fn estimated_memory(
    n_samples: usize,
    n_features: usize,
    config: &Config,
    threads: usize,
    mostly_zeros: bool,
) -> u64 {
    let is_lean = config.preparation.is_lean(n_samples, n_features);
    let [n, width, threads] = [n_samples, n_features, threads].map(wide);
    let seen = wide(config.preparation.seen(n_features));
    let floats = |rows: u64, columns: u64| product([rows, columns, 4]);
    let all = floats(n, width);
    let projected = if seen < width { floats(n, seen) } else { 0 };
    let (scaled, searched, described) = if is_lean {
        let scaled = if mostly_zeros { all / NOT_ZERO } else { all };
        let compared =
            sum([product([threads, floats(COMPARED, width)]), floats(n, 2 * DIRECTIONS)]);
        (scaled, compared, product([floats(n.min(LOOKED_AT), width), COPIES]))
    } else {
        // In lists, or with their mean taken off.
        (all, all, product([all, COPIES]))
    };
    let graph = product([n, NEIGHBOURS]);
    let later = sum([described, projected, graph / 2, voting(n_samples, seen, config, threads)]);
    sum([BASE, later.max(sum([scaled, projected, searched, graph]))])
}

/// As [`estimated_memory`], of sparse features with so many values that stay so ([`keeps_sparse`]).
///
/// Values are kept as they came, and, until neighbours are found, scaled and in an index. Directions of the features that models see are dense, of all features.
#[must_use]
pub fn estimated_sparse_memory(
    n_samples: usize,
    n_features: usize,
    n_values: usize,
    config: &Config,
    threads: usize,
) -> u64 {
    let [n, width, k] = [n_samples, n_features, config.n_clusters].map(wide);
    let (threads, components) = (wide(threads), wide(config.preparation.components));
    // A basis of the smaller space, in 32 bits and three times in 64; what it is in the space of features; a block of that for each thread.
    let directions = |components: u64| {
        let sought = components + OVERSAMPLING;
        let basis = product([n.min(width), sought, 4 + 8 + 8 + 8]);
        let in_features = product([width, sought, 4]);
        sum([basis, in_features, product([width, SOUGHT, 8 + 4, threads])])
    };
    let kept = product([width, components, 4]);
    let seen = product([n, components, 4]);
    let lists = product([width, n.div_ceil(INDEXED), 2 * 4]);
    let candidates = if n > COMPARED_ALL { product([n, DIRECTIONS, 2 * 4]) } else { 0 };
    let searched = sum([lists, candidates, product([n, NEIGHBOURS]), seen]);
    let values = product([wide(n_values), SPARSE_VALUE]);
    let prepared = sum([values, directions(components).max(sum([kept, seen, searched]))]);
    // What a cluster's features are, and those in which it differs.
    let described = product([width, 8 * 2 * k + 64]);
    let sketched = product([width, SKETCHED, 4 * 3]);
    let described = described.max(sketched).max(directions(DRAWN));
    let graph = product([n, NEIGHBOURS]) / 2;
    let later = sum([described, graph, voting(n_samples, components, config, threads)]);
    sum([BASE, sum([kept, seen, later]).max(prepared)])
}

/// What models that see `seen` features take at a time, with their votes.
fn voting(n_samples: usize, seen: u64, config: &Config, threads: u64) -> u64 {
    let [n, k] = [n_samples, config.n_clusters].map(wide);
    let floats = |rows: u64, columns: u64| product([rows, columns, 4]);
    let voters = if config.communities > 0 { product([n, EDGES, threads]) } else { 0 };

    let networks = config.members.iter().filter(|kind| kind.is_network()).count();
    let trained = if networks > 0 { wide(networks.max(config.candidates)) } else { 0 };
    let mut widths = vec![seen];
    widths.extend(config.network.hidden.iter().copied().map(wide));
    widths.push(k);
    let weights = sum(widths.windows(2).map(|pair| floats(pair[0], pair[1])));
    let layers = sum(widths.iter().map(|&width| floats(wide(config.network.batch_size), width)));
    let at_a_time = if trained > 0 { threads } else { 0 };
    let training =
        [product([trained, WEIGHTS, weights]), product([at_a_time, ACTIVATIONS, layers])];

    let models = wide(config.members.len()).max(trained) + wide(config.communities);
    let votes = [product([floats(n, k), models + 4]), product([n, models, 8])];
    let pairs = product([k, k, 8 * 8]);
    sum([voters, pairs].into_iter().chain(training).chain(votes))
}

/// Whether a run leaves sparse data of so many features as they are; else it makes them dense.
#[must_use]
pub fn keeps_sparse(config: &Config, n_features: usize) -> bool {
    config.preparation.keeps_sparse(n_features)
        && config.views.iter().all(|view| view.pretext.is_none())
}

fn product<const N: usize>(factors: [u64; N]) -> u64 {
    factors.into_iter().fold(1, u64::saturating_mul)
}

fn sum(parts: impl IntoIterator<Item = u64>) -> u64 {
    parts.into_iter().fold(0, u64::saturating_add)
}

/// Refuses a run that needs more memory than there is, or than `max_memory`, before any work is done.
///
/// # Errors
///
/// [`RunError::Memory`].
///
/// # Arguments
///
/// * `given`: numbers of features of views that aren't learnt.
pub fn check_memory(
    (features, given): (&Features, &[usize]),
    config: &Config,
    threads: usize,
    max_memory: Option<u64>,
) -> Result<(), RunError> {
    let (n_samples, n_features) = (features.n_samples(), features.n_features());
    let all = product([wide(n_samples), wide(n_features), 4]);
    let stays_sparse = features.as_sparse().is_some() && keeps_sparse(config, n_features);
    let need = if stays_sparse {
        let n_values = features.n_values();
        estimated_sparse_memory(n_samples, n_features, n_values, config, threads)
    } else {
        let zeros = || mostly_zeros(features, config.preparation.scaling);
        let zeros = config.preparation.is_lean(n_samples, n_features) && zeros();
        let need = estimated_memory(n_samples, n_features, config, threads, zeros);
        // Before they are dense, they are there twice.
        need.saturating_add(if features.as_sparse().is_some() { all } else { 0 })
    };
    let learnt = config.views.iter().filter_map(|view| Some(view.pretext.as_ref()?.width));
    let of_view = |width| of_view(wide(n_samples), wide(width), config);
    let need = sum(std::iter::once(need).chain(given.iter().copied().chain(learnt).map(of_view)));
    let features = features.n_bytes();
    // What a person allows counts the features, which are there already; what is free doesn't.
    let (need, have) = match max_memory {
        Some(allowed) => (need.saturating_add(features), allowed),
        None => (need, free_memory().unwrap_or(u64::MAX)),
    };
    if need <= have {
        return Ok(());
    }
    Err(RunError::Memory { need: bytes(need), have: bytes(have) })
}

/// What is kept of a view beside the data: its features as they came and scaled, neighbours, and what voters say.
fn of_view(n_samples: u64, width: u64, config: &Config) -> u64 {
    let models = VIEW_MEMBERS + wide(config.communities);
    let votes = product([n_samples, wide(config.n_clusters), 4, models]);
    sum([product([n_samples, width, 4, 2]), product([n_samples, NEIGHBOURS / 2]), votes])
}

fn wide(number: usize) -> u64 {
    number as u64
}

#[cfg(test)]
mod tests {
    use consilience_data::{Recipe, SparseRows};
    use consilience_ensembles::{Preparation, Scaling};
    use ndarray::Array2;

    use super::*;

    #[test]
    fn more_of_anything_takes_more_and_nothing_overflows() {
        let features = Features::new(
            Array2::from_shape_fn((50, 8), |(row, column)| (row * column) as f32),
            "x",
        );
        let mut config =
            Config::preset_for("tabular", &features.unwrap(), &Recipe::default(), 5).unwrap();
        let of = |n, width, config: &Config| estimated_memory(n, width, config, 2, false);
        let least = of(50, 8, &config);
        assert!(least < 1 << 28, "{least}");
        assert!(of(100_000, 8, &config) > least && of(50, 80_000, &config) > least);
        config.n_clusters = 60_000;
        assert!(of(70_000, 8, &config) > 1 << 37, "a probability of each cluster, of each model");
        assert!(of(usize::MAX, usize::MAX, &config) > 1 << 60);
    }

    #[test]
    fn what_there_is_not_is_refused_with_how_much() {
        let config = Config { n_clusters: 5, ..Config::default() };
        let features = Features::new(Array2::zeros((1000, 10)), "x").unwrap();
        let checked =
            |given: &[usize], most| check_memory((&features, given), &config, 2, Some(most));
        let error = checked(&[], 1 << 20).unwrap_err().to_string();
        assert!(
            error.contains("there are 1.00 MiB") && error.contains("use fewer rows"),
            "{error}"
        );
        assert!(checked(&[], 1 << 40).is_ok() && checked(&[1 << 20], 1 << 30).is_err());
    }

    #[test]
    fn large_data_that_are_projected_are_there_once() {
        let preparation = Preparation { scaling: Scaling::Rows, components: 200 };
        let config = Config { preparation, n_clusters: 10, candidates: 0, ..Config::default() };
        let features = 4 * 200_000 * 2_000;
        let of = |zeros| estimated_memory(200_000, 2_000, &config, 2, zeros);
        assert!(of(true) < features && of(true) < of(false) && of(false) < 2 * features);
    }

    #[test]
    fn sparse_data_take_what_their_values_take_unless_they_are_made_dense() {
        let preparation = Preparation { scaling: Scaling::Rows, components: 200 };
        let config = Config { preparation, n_clusters: 20, candidates: 0, ..Config::default() };
        let of = |n, width, values| estimated_sparse_memory(n, width, values, &config, 2);
        let least = of(18_000, 130_000, 2_000_000);
        assert!(least < 18_000 * 130_000 * 4 / 6, "{least}");
        assert!(of(18_000, 130_000, 20_000_000) > least && of(18_000, 200_000, 2_000_000) > least);
        assert!(of(usize::MAX, usize::MAX, usize::MAX) > 1 << 60);
        let mut rows = SparseRows::with_capacity(1000, 1000, 100_000);
        (0..1000).for_each(|column| rows.push([(column, 1.0)]));
        let features = Features::sparse(rows, "x").unwrap();
        let checked = |config: &Config, most| check_memory((&features, &[]), config, 2, Some(most));
        assert!(checked(&config, 700 << 20).is_ok() && checked(&config, 100 << 20).is_err());
        let standardised = Preparation { scaling: Scaling::Standardise, components: 0 };
        let dense = Config { preparation: standardised, ..config.clone() };
        assert!(checked(&dense, 700 << 20).is_err() && checked(&dense, 1 << 40).is_ok());
    }
}
