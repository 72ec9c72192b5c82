//! Adam (Kingma and Ba, 2015), in one pass over a parameter.

use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::members::weights::Parameter;
use crate::numerics::elementary::{reciprocal, sqrt, vectorised};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// Values that one thread takes at a time.
const CHUNK: usize = 1 << 16;

/// Who takes gradients.
pub(super) trait Learn {
    /// The gradient of the loss by `parameter`, of its size.
    fn learn(&mut self, parameter: &mut Parameter, gradient: &[f32]);
}

/// The optimiser, for one step at one learning rate.
#[derive(Debug)]
pub(super) struct Adam {
    rate: f64,
    threads: usize,
    /// Time that it took.
    pub(super) spent: Duration,
}

impl Adam {
    pub(super) fn new(rate: f64, threads: usize) -> Self {
        Self { rate, threads, spent: Duration::ZERO }
    }
}

impl Learn for Adam {
    /// O(parameter).
    fn learn(&mut self, parameter: &mut Parameter, gradient: &[f32]) {
        let start = Instant::now();
        parameter.steps += 1;
        let correction1 = 1.0 - f64::from(BETA1).powi(parameter.steps);
        let correction2 = 1.0 - f64::from(BETA2).powi(parameter.steps);
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let (rate, correction2) = ((self.rate / correction1) as f32, correction2.recip() as f32);
        let step = |value: &mut [f32], first: &mut [f32], second: &mut [f32], gradient: &[f32]| {
            vectorised(
                #[inline(always)]
                || {
                    let moments = first.iter_mut().zip(second);
                    for ((value, (first, second)), g) in value.iter_mut().zip(moments).zip(gradient)
                    {
                        *first = BETA1 * *first + (1.0 - BETA1) * g;
                        *second = BETA2 * *second + (1.0 - BETA2) * g * g;
                        let root = sqrt(*second * correction2);
                        *value -= rate * *first * reciprocal(root + EPSILON);
                    }
                },
            );
        };
        let Parameter { value, first, second, .. } = parameter;
        if self.threads > 1 && value.len() > CHUNK {
            let moments = first.par_chunks_mut(CHUNK).zip(second.par_chunks_mut(CHUNK));
            let chunks = value.par_chunks_mut(CHUNK).zip(moments).zip(gradient.par_chunks(CHUNK));
            chunks.for_each(|((value, (first, second)), g)| step(value, first, second, g));
        } else {
            step(value, first, second, gradient);
        }
        self.spent += start.elapsed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loss `(w ** 2).sum()` from `w = [1, -3]`.
    #[test]
    fn equals_the_recurrence_in_f64() {
        let mut w = Parameter::new("w".into(), &[2], vec![1.0, -3.0]);
        let (mut exact, mut m, mut v) = ([1f64, -3.0], [0f64; 2], [0f64; 2]);
        for step in 1..=20 {
            let gradient: Vec<f32> = w.value.iter().map(|w| 2.0 * w).collect();
            Adam::new(0.1, 1).learn(&mut w, &gradient);
            for i in 0..2 {
                let g = 2.0 * exact[i];
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m_hat, v_hat) =
                    (m[i] / (1.0 - 0.9f64.powi(step)), v[i] / (1.0 - 0.999f64.powi(step)));
                exact[i] -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
            }
        }
        assert_eq!(w.steps, 20);
        for (found, exact) in w.value.into_iter().zip(exact) {
            assert!((f64::from(found) - exact).abs() < 1e-4, "{found} {exact}");
        }
    }

    #[test]
    fn threads_do_not_change_a_bit() {
        let start: Vec<f32> = (0..200_000).map(|i| (i as f32).sin()).collect();
        let trained = |threads| {
            let mut parameter = Parameter::new("w".into(), &[200_000], start.clone());
            for _ in 0..3 {
                let gradient = parameter.value.clone();
                Adam::new(0.1, threads).learn(&mut parameter, &gradient);
            }
            parameter
        };
        assert_eq!(trained(1), trained(3));
    }
}
