//! How much memory a run takes, before it takes it.

use consilience_data::free_memory;

use crate::config::Config;
use crate::error::RunError;
use crate::wording::bytes;

/// The program, and what a run of any size needs.
const BASE: u64 = 80 << 20;
/// Neighbours of each sample, twice while they are sought, as a number and a distance.
const NEIGHBOURS: u64 = 30 * 2 * 8;
/// Edges of a sample in the graph that one voter of communities draws, with the search among them.
const EDGES: u64 = 800;
/// Up to so many features, neighbours of many samples are sought in lists that have the features once more; with more, in so many directions.
const DIRECTIONS: u64 = 256;
/// Copies of a network's weights: values, gradients, two moments, and the state before a round, in a decoder as in an encoder.
const WEIGHTS: u64 = 2 * 5;
/// Matrices of the size of a layer's activations that a step has at a time, over all views of a batch.
const ACTIVATIONS: u64 = 40;

/// About as many bytes as a run of `n_samples` samples of `n_features` features takes at most at a time, those of the features themselves not
/// counted; a little more rather than less.
///
/// Data are kept as they came, scaled, and while neighbours are sought once more; every model keeps a probability of each cluster for every
/// sample; and every network its weights several times.
#[must_use]
pub fn estimated_memory(
    n_samples: usize,
    n_features: usize,
    config: &Config,
    threads: usize,
) -> u64 {
    let [n, width, k, threads] = [n_samples, n_features, config.n_clusters, threads].map(wide);
    let seen = wide(config.preparation.seen(n_features));
    let floats = |rows: u64, columns: u64| rows.saturating_mul(columns).saturating_mul(4);
    let scaled = floats(n, width);
    let projected = if seen < width { floats(n, seen) } else { 0 };
    let searched = floats(n, width.max(width.min(DIRECTIONS)));
    let graph = n.saturating_mul(NEIGHBOURS);
    let voters = if config.communities > 0 { n.saturating_mul(EDGES * threads) } else { 0 };
    let prepared = scaled + projected + searched + graph;

    let networks = config.members.iter().filter(|kind| kind.is_network()).count();
    let trained = if networks > 0 { wide(networks.max(config.candidates)) } else { 0 };
    let mut widths = vec![seen];
    widths.extend(config.network.hidden.iter().copied().map(wide));
    widths.push(k);
    let weights: u64 = widths.windows(2).map(|pair| floats(pair[0], pair[1])).sum();
    let batch = wide(config.network.batch_size);
    let layers: u64 = widths.iter().map(|&width| floats(batch, width)).sum();
    let training =
        trained * WEIGHTS * weights + if trained > 0 { threads * ACTIVATIONS * layers } else { 0 };

    let models = wide(config.members.len()).max(trained) + wide(config.communities);
    let votes = floats(n, k).saturating_mul(models + 4) + n.saturating_mul(models * 8);
    let pairs = k.saturating_mul(k).saturating_mul(8 * 8);
    let later = scaled.max(projected) + graph / 2 + voters + training + votes + pairs;
    BASE.saturating_add(prepared.max(later))
}

/// Refuses a run that needs more memory than there is, or than `max_memory`, before any work is done.
///
/// # Errors
///
/// [`RunError::Memory`].
pub fn check_memory(
    n_samples: usize,
    n_features: usize,
    config: &Config,
    threads: usize,
    max_memory: Option<u64>,
) -> Result<(), RunError> {
    let need = estimated_memory(n_samples, n_features, config, threads);
    let features = wide(n_samples).saturating_mul(wide(n_features)).saturating_mul(4);
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

fn wide(number: usize) -> u64 {
    number as u64
}
