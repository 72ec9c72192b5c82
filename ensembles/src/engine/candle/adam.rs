//! Adam (Kingma and Ba, 2015), in place and on the device.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, InplaceOp2, Layout, Result, bail};

#[cfg(any(feature = "cuda", test))]
use super::kernels::{Call, Inputs, Memory};
use super::parameters::Parameter;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
const EPSILON: f32 = 1e-8;

/// Moves every parameter that has a gradient. O(parameters).
pub(super) fn step(parameters: &mut [Parameter], gradients: &GradStore, rate: f64) -> Result<()> {
    for parameter in parameters {
        let Some(gradient) = gradients.get(&parameter.value) else { continue };
        parameter.steps += 1;
        parameter.moments.inplace_op2(&gradient.contiguous()?, &Average)?;
        let correction = |beta: f32| 1.0 - f64::from(beta).powi(parameter.steps);
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let update = Update {
            rate: (rate / correction(BETA1)) as f32,
            inverse_correction: correction(BETA2).recip() as f32,
        };
        parameter.value.inplace_op2(&parameter.moments, &update)?;
    }
    Ok(())
}

/// Running averages of gradients and of their squares, one after the other.
struct Average;

/// Moves a parameter by its moments.
struct Update {
    rate: f32,
    inverse_correction: f32,
}

#[cfg(any(feature = "cuda", test))]
impl Average {
    /// By a kernel.
    fn change<S: Memory>(&self, moments: (&mut S, &Layout), gradient: (&S, &Layout)) -> Result<()> {
        let call = call("adam_average", gradient.1, (BETA1, BETA2))?;
        S::change(&call, moments, &Inputs::new([Some(gradient)]))
    }
}

#[cfg(any(feature = "cuda", test))]
impl Update {
    /// By a kernel.
    fn change<S: Memory>(
        &self,
        parameter: (&mut S, &Layout),
        moments: (&S, &Layout),
    ) -> Result<()> {
        let call = call("adam_update", parameter.1, (self.rate, self.inverse_correction))?;
        S::change(&call, parameter, &Inputs::new([Some(moments)]))
    }
}

/// `layout` is that of a parameter.
#[cfg(any(feature = "cuda", test))]
fn call(kernel: &'static str, layout: &Layout, (x, y): (f32, f32)) -> Result<Call> {
    let (models, rows, width) = layout.shape().dims3()?;
    let threads = models * rows * width;
    Ok(Call { kernel, threads, models, rows, width, x, y, ..Call::default() })
}

impl InplaceOp2 for Average {
    fn name(&self) -> &'static str {
        "stacked-adam-average"
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        moments: &mut CudaStorage,
        moments_layout: &Layout,
        gradient: &CudaStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        self.change((moments, moments_layout), (gradient, gradient_layout))
    }

    fn cpu_fwd(
        &self,
        moments: &mut CpuStorage,
        moments_layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        #[cfg(test)]
        if super::kernels::emulator::is_on() {
            return self.change((moments, moments_layout), (gradient, gradient_layout));
        }
        let gradient = values(gradient, gradient_layout)?;
        let moments = values_mut(moments, moments_layout)?;
        let (first, second) = moments.split_at_mut(gradient.len());
        for ((first, second), g) in first.iter_mut().zip(second).zip(gradient) {
            *first = BETA1 * *first + (1.0 - BETA1) * g;
            *second = BETA2 * *second + (1.0 - BETA2) * g * g;
        }
        Ok(())
    }
}

impl InplaceOp2 for Update {
    fn name(&self) -> &'static str {
        "stacked-adam-update"
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        parameter: &mut CudaStorage,
        parameter_layout: &Layout,
        moments: &CudaStorage,
        moments_layout: &Layout,
    ) -> Result<()> {
        self.change((parameter, parameter_layout), (moments, moments_layout))
    }

    fn cpu_fwd(
        &self,
        parameter: &mut CpuStorage,
        parameter_layout: &Layout,
        moments: &CpuStorage,
        moments_layout: &Layout,
    ) -> Result<()> {
        #[cfg(test)]
        if super::kernels::emulator::is_on() {
            return self.change((parameter, parameter_layout), (moments, moments_layout));
        }
        let parameter = values_mut(parameter, parameter_layout)?;
        let (first, second) = values(moments, moments_layout)?.split_at(parameter.len());
        for ((parameter, first), second) in parameter.iter_mut().zip(first).zip(second) {
            *parameter -= self.rate * first / ((second * self.inverse_correction).sqrt() + EPSILON);
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

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, Var};

    use super::*;

    fn parameter(value: &[f32]) -> Parameter {
        let value = Tensor::new(value, &Device::Cpu).unwrap().reshape((1, 1, ())).unwrap();
        Parameter {
            name: "w".into(),
            moments: Tensor::stack(&[&value, &value], 0).unwrap().zeros_like().unwrap(),
            value: Var::from_tensor(&value).unwrap(),
            steps: 0,
        }
    }

    /// The loss `(w ** 2).sum()` from `w = [1, -3]`; a parameter without a gradient rests, its steps uncounted.
    #[test]
    fn equals_the_recurrence_in_f64() {
        let mut parameters = [parameter(&[1.0, -3.0]), parameter(&[5.0])];
        let (mut exact, mut m, mut v) = ([1f64, -3.0], [0f64; 2], [0f64; 2]);
        for count in 1..=20 {
            let loss = parameters[0].value.sqr().unwrap().sum_all().unwrap();
            step(&mut parameters, &loss.backward().unwrap(), 0.1).unwrap();
            for i in 0..2 {
                let g = 2.0 * exact[i];
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (m_hat, v_hat) =
                    (m[i] / (1.0 - 0.9f64.powi(count)), v[i] / (1.0 - 0.999f64.powi(count)));
                exact[i] -= 0.1 * m_hat / (v_hat.sqrt() + 1e-8);
            }
        }
        let value = |of: &Parameter| of.value.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert_eq!((value(&parameters[1]), parameters[1].steps), (vec![5.0], 0));
        for (found, exact) in value(&parameters[0]).into_iter().zip(exact) {
            assert!((f64::from(found) - exact).abs() < 1e-4, "{found} {exact}");
        }
    }
}
