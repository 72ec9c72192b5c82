//! Votes as an ensemble gives them, for benches and examples.

use consilience_data::Votes;
use ndarray::Array2;

/// SplitMix64 (Steele, Lea and Flood, 2014): the `index`-th number of a stream.
fn random(index: u64) -> u64 {
    let mut z = index.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Votes of `n_models` on samples from `k` true clusters of about equal size, with ids of each model's own; a
/// share `noise` of the votes names a random cluster. All are sure.
///
/// # Returns
///
/// Shape (n_models, n_samples).
#[expect(clippy::cast_possible_truncation, reason = "ids are below k")]
pub(crate) fn noisy_votes(n_models: usize, n_samples: usize, k: u16, noise: f64) -> Votes {
    let share = (noise * 2f64.powi(32)) as u64;
    let clusters = Array2::from_shape_fn((n_models, n_samples), |(model, sample)| {
        let truth = random(sample as u64) % u64::from(k);
        let bits = random(((model as u64 + 1) << 40) + sample as u64);
        let is_noise = (bits & 0xffff_ffff) < share;
        let cluster = if is_noise { bits >> 32 } else { truth };
        ((cluster + model as u64) % u64::from(k)) as u16
    });
    let confidences = Array2::ones((n_models, n_samples));
    Votes::new(clusters, confidences).expect("there are votes")
}
