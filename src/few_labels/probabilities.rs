//! Probabilities of an answer that has none but its own.

use consilience_data::ClusterId;

/// A probability for each of `k` clusters: the sample's own has its confidence, and the others share what is left; without a cluster all have the same.
pub(crate) fn spread(cluster: Option<ClusterId>, confidence: f32, k: usize) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "at most 65,535 clusters")]
    let (equal, others) = (1.0 / k as f32, k.saturating_sub(1).max(1) as f32);
    match cluster {
        Some(cluster) if k > 1 => {
            let mut row = vec![(1.0 - confidence) / others; k];
            row[cluster.index()] = confidence;
            row
        }
        _ => vec![equal; k],
    }
}
