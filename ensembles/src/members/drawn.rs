//! Numbers that voters draw.

use consilience_data::Rng;

/// From 0 up to 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits")]
pub(crate) fn uniform(rng: &mut Rng) -> f64 {
    (rng.bits() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A whole number below `limit`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a small number"
)]
pub(crate) fn below(rng: &mut Rng, limit: usize) -> usize {
    (uniform(rng) * limit as f64) as usize
}
