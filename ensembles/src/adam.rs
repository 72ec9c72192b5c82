//! Adam (Kingma and Ba, 2015), in place: candle's own makes new tensors of every parameter at every step.

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, InplaceOp3, Layout, Result, Tensor, Var, bail};

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// The moments of one parameter, and the number of steps it has had.
#[derive(Debug)]
struct Moments {
    first: Tensor,
    second: Tensor,
    steps: i32,
}

/// An optimiser and its state, which outlives training phases.
#[derive(Debug)]
pub(crate) struct Adam {
    parameters: Vec<Var>,
    moments: Vec<Moments>,
}

impl Adam {
    pub(crate) fn new(parameters: Vec<Var>) -> Result<Self> {
        let moments = parameters
            .iter()
            .map(|parameter| {
                let first = parameter.zeros_like()?;
                Ok(Moments { first, second: parameter.zeros_like()?, steps: 0 })
            })
            .collect::<Result<_>>()?;
        Ok(Self { parameters, moments })
    }

    /// Moves every parameter that has a gradient. O(parameters).
    pub(crate) fn step(&mut self, gradients: &GradStore, rate: f64) -> Result<()> {
        for (parameter, moments) in self.parameters.iter().zip(&mut self.moments) {
            let Some(gradient) = gradients.get(parameter) else { continue };
            let gradient = gradient.contiguous()?;
            moments.steps += 1;
            moments.first.inplace_op2(&gradient, &Average { decay: BETA1, squared: false })?;
            moments.second.inplace_op2(&gradient, &Average { decay: BETA2, squared: true })?;
            let correction1 = 1.0 - f64::from(BETA1).powi(moments.steps);
            let correction2 = 1.0 - f64::from(BETA2).powi(moments.steps);
            #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
            let update = Update {
                rate: (rate / correction1) as f32,
                inverse_correction2: correction2.recip() as f32,
            };
            parameter.inplace_op3(&moments.first, &moments.second, &update)?;
        }
        Ok(())
    }
}

fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&values[start..end]),
        _ => bail!("expected a contiguous f32 tensor"),
    }
}

fn values_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    match (storage, layout.contiguous_offsets()) {
        (CpuStorage::F32(values), Some((start, end))) => Ok(&mut values[start..end]),
        _ => bail!("expected a contiguous f32 tensor"),
    }
}

/// A running average of a gradient or of its square.
struct Average {
    decay: f32,
    squared: bool,
}

impl InplaceOp2 for Average {
    fn name(&self) -> &'static str {
        "adam_average"
    }

    fn cpu_fwd(
        &self,
        average: &mut CpuStorage,
        l1: &Layout,
        gradient: &CpuStorage,
        l2: &Layout,
    ) -> Result<()> {
        let pairs = values_mut(average, l1)?.iter_mut().zip(values(gradient, l2)?);
        let (keep, add) = (self.decay, 1.0 - self.decay);
        if self.squared {
            pairs.for_each(|(average, g)| *average = keep * *average + add * g * g);
        } else {
            pairs.for_each(|(average, g)| *average = keep * *average + add * g);
        }
        Ok(())
    }
}

struct Update {
    rate: f32,
    inverse_correction2: f32,
}

impl InplaceOp3 for Update {
    fn name(&self) -> &'static str {
        "adam_update"
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        l1: &Layout,
        first: &CpuStorage,
        l2: &Layout,
        second: &CpuStorage,
        l3: &Layout,
    ) -> Result<()> {
        let moments = values(first, l2)?.iter().zip(values(second, l3)?);
        for (parameter, (first, second)) in values_mut(parameter, l1)?.iter_mut().zip(moments) {
            *parameter -=
                self.rate * first / ((second * self.inverse_correction2).sqrt() + EPSILON);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    /// The loss `(w ** 2).sum()` from `w = [1, -3]`; a parameter without a gradient rests, its steps uncounted.
    #[test]
    fn equals_the_recurrence_in_f64() {
        let w = Var::new(&[1f32, -3.0], &Device::Cpu).unwrap();
        let resting = Var::new(&[5f32], &Device::Cpu).unwrap();
        let mut adam = Adam::new(vec![w.clone(), resting.clone()]).unwrap();
        let (mut exact, mut m, mut v) = ([1f64, -3.0], [0f64; 2], [0f64; 2]);
        for step in 1..=20 {
            let gradients = w.sqr().unwrap().sum_all().unwrap().backward().unwrap();
            adam.step(&gradients, 0.1).unwrap();
            for i in 0..2 {
                let g = 2.0 * exact[i];
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m_hat, v_hat) =
                    (m[i] / (1.0 - 0.9f64.powi(step)), v[i] / (1.0 - 0.999f64.powi(step)));
                exact[i] -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
            }
        }
        assert_eq!((resting.to_vec1::<f32>().unwrap(), adam.moments[1].steps), (vec![5.0], 0));
        for (found, exact) in w.to_vec1::<f32>().unwrap().into_iter().zip(exact) {
            assert!((f64::from(found) - exact).abs() < 1e-4, "{found} {exact}");
        }
    }
}
