//! How large a run folder is going to be, before there is one.

use consilience_data::Features;

use crate::ValidConfig;

/// About as many bytes as a run takes on the disk, a little more rather than less. Its checkpoints aren't counted: a run goes on
/// without them.
#[must_use]
pub fn estimated_bytes(features: &Features, config: &ValidConfig) -> u64 {
    /// A sample's lines in tables of text, and its numbers in arrays.
    const SAMPLE: usize = 150;
    /// A page with pictures, and the rest.
    const REST: usize = 4 << 20;
    /// Samples that each model of communities keeps, and features of each: at most.
    const KEPT: usize = 20_000;
    const KEPT_WIDTH: usize = 128;
    let (n, k, models) = (features.n_samples(), config.n_clusters, config.members.len());
    let communities = config.n_communities();
    // Votes and confidences, twice, and probabilities.
    let votes = n.saturating_mul(models).saturating_mul(2 * (2 + 4) + 4 * k);
    let seen = config.preparation.seen(features.n_features());
    let mut widths = vec![seen];
    widths.extend(&config.network.hidden);
    widths.push(k);
    let weights: usize = widths.windows(2).map(|pair| pair[0].saturating_mul(pair[1])).sum();
    let directions = if seen < features.n_features() { 4 * seen } else { 0 };
    let directions = features.n_features().saturating_mul(directions);
    // An encoder and a decoder.
    let weights = weights.saturating_mul(2 * 4 * models);
    // Each view beside the data has communities of its own, of whatever width.
    let kept = seen.min(KEPT_WIDTH).saturating_add(config.views.len() * KEPT_WIDTH);
    let kept = communities.saturating_mul(4 * n.min(KEPT)).saturating_mul(kept);
    let bytes = votes.saturating_add(weights).saturating_add(n.saturating_mul(SAMPLE));
    let bytes = bytes.saturating_add(kept).saturating_add(directions);
    bytes.saturating_add(REST) as u64
}
