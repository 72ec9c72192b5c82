//! The ladder network's denoising cost of one layer (Rasmus et al., 2015, equation 3).

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::{Statistics, slice, tensor, with_slices};

struct DenoisingCost {
    statistics: Option<Arc<Statistics>>,
}

/// Mean over samples and units of (`clean` - normalised `guess`)^2, a scalar. Shapes (n, width). O(n width).
///
/// `guess` is normalised with the clean layer's batch `statistics`, which are held constant; `None` where the layer isn't
/// normalised.
pub(crate) fn denoising_cost(
    clean: &Tensor,
    guess: &Tensor,
    statistics: Option<&Arc<Statistics>>,
) -> Result<Tensor> {
    clean.apply_op2(guess, DenoisingCost { statistics: statistics.cloned() })
}

impl DenoisingCost {
    /// Calls `visit(index, clean - normalised guess, slope of the normalised guess)` for every value.
    fn errors(
        &self,
        clean: &[f32],
        guess: &[f32],
        width: usize,
        mut visit: impl FnMut(usize, f32, f32),
    ) {
        let rows = clean.chunks_exact(width).zip(guess.chunks_exact(width));
        for (row, (clean, guess)) in rows.enumerate() {
            for unit in 0..width {
                let (mean, slope) = match &self.statistics {
                    Some(statistics) => (statistics.mean[unit], statistics.inverse_std[unit]),
                    None => (0.0, 1.0),
                };
                let error = clean[unit] - (guess[unit] - mean) * slope;
                visit(row * width + unit, error, slope);
            }
        }
    }
}

impl CustomOp2 for DenoisingCost {
    fn name(&self) -> &'static str {
        "denoising_cost"
    }

    fn cpu_fwd(
        &self,
        clean: &CpuStorage,
        clean_layout: &Layout,
        guess: &CpuStorage,
        guess_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = clean_layout.shape().dims2()?;
        let (clean, guess) = (slice(clean, clean_layout)?, slice(guess, guess_layout)?);
        let mut sum = 0.0;
        self.errors(clean, guess, width, |_, error, _| sum += f64::from(error * error));
        #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a mean")]
        let mean = (sum / clean.len() as f64) as f32;
        Ok((CpuStorage::F32(vec![mean]), Shape::from(())))
    }

    fn bwd(
        &self,
        clean: &Tensor,
        guess: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (_, width) = clean.dims2()?;
        #[expect(clippy::cast_precision_loss, reason = "a mean")]
        let scale = 2.0 * gradient.to_scalar::<f32>()? / clean.elem_count() as f32;
        let (of_clean, of_guess) = with_slices([clean, guess], |[clean, guess]| {
            let (mut of_clean, mut of_guess) = (vec![0.0; clean.len()], vec![0.0; clean.len()]);
            self.errors(clean, guess, width, |index, error, slope| {
                of_clean[index] = scale * error;
                of_guess[index] = -scale * error * slope;
            });
            (of_clean, of_guess)
        })?;
        Ok((Some(tensor(of_clean, clean.shape())?), Some(tensor(of_guess, guess.shape())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{assert_close, assert_gradients, random};

    fn statistics() -> Arc<Statistics> {
        Arc::new(Statistics::new(vec![0.5, -1.0, 2.0], &[1.0, 0.25, 4.0]))
    }

    #[test]
    fn equals_candles_own() {
        let (clean, guess) = (random(1, (5, 3)), random(2, (5, 3)));
        let statistics = statistics();
        let mean = tensor(statistics.mean.clone(), 3).unwrap();
        let inverse = tensor(statistics.inverse_std.clone(), 3).unwrap();
        let normalised = guess.broadcast_sub(&mean).unwrap().broadcast_mul(&inverse).unwrap();
        let composed = (&clean - normalised).unwrap().sqr().unwrap().mean_all().unwrap();
        let fused = denoising_cost(&clean, &guess, Some(&statistics)).unwrap();
        assert_close(&fused, &composed, 1e-5);
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let inputs = [random(3, (5, 3)), random(4, (5, 3))];
        let statistics = statistics();
        assert_gradients(&inputs, |t| denoising_cost(&t[0], &t[1], Some(&statistics)));
        assert_gradients(&inputs, |t| denoising_cost(&t[0], &t[1], None));
    }
}
