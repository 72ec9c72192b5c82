//! Adam (Kingma and Ba, 2015), in place and on the device.

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, CudaStorage, InplaceOp2, Layout, Result, Tensor};

use super::host::{slice, slice_mut};
use super::kernels::{Call, Inputs, Memory};
use super::ops::Way;
use super::parameters::Parameter;
use crate::engine::fast::optimiser::{BETA1, BETA2, EPSILON, Rates, average};
use crate::numerics::elementary::vectorised;

/// Moves every parameter that has a gradient. O(parameters).
pub(crate) fn step(
    way: Way,
    parameters: &mut [Parameter],
    gradients: &GradStore,
    rate: f64,
) -> Result<()> {
    for parameter in parameters {
        let Some(gradient) = gradients.get(&parameter.value) else { continue };
        parameter.steps += 1;
        let rates = Rates::new(rate, parameter.steps);
        if way == Way::Composed {
            composed(parameter, gradient, rates)?;
            continue;
        }
        let kernel = way == Way::Kernels;
        parameter.moments.inplace_op2(&gradient.contiguous()?, &Average { kernel })?;
        parameter.value.inplace_op2(&parameter.moments, &Update { rates, kernel })?;
    }
    Ok(())
}

fn composed(parameter: &mut Parameter, gradient: &Tensor, rates: Rates) -> Result<()> {
    let average = |index: usize, beta: f32, new: &Tensor| {
        (parameter.moments.get(index)? * f64::from(beta))? + (new * f64::from(1.0 - beta))?
    };
    let first = average(0, BETA1, gradient)?;
    let second = average(1, BETA2, &gradient.sqr()?)?;
    let root = ((&second * f64::from(rates.inverse_correction))?.sqrt()? + f64::from(EPSILON))?;
    let step = ((&first * f64::from(rates.rate))? / root)?;
    parameter.value.set(&(parameter.value.as_tensor() - step)?)?;
    parameter.moments = Tensor::stack(&[first, second], 0)?;
    Ok(())
}

/// Running averages of gradients and of their squares, one after the other.
struct Average {
    kernel: bool,
}

/// Moves a parameter by its moments.
struct Update {
    rates: Rates,
    kernel: bool,
}

impl Average {
    /// By a kernel.
    fn change<S: Memory>(&self, moments: (&mut S, &Layout), gradient: (&S, &Layout)) -> Result<()> {
        let call = call("adam_average", gradient.1, (BETA1, BETA2))?;
        S::change(&call, moments, &Inputs::new([Some(gradient)]))
    }
}

impl Update {
    /// By a kernel.
    fn change<S: Memory>(
        &self,
        parameter: (&mut S, &Layout),
        moments: (&S, &Layout),
    ) -> Result<()> {
        let Rates { rate, inverse_correction } = self.rates;
        let call = call("adam_update", parameter.1, (rate, inverse_correction))?;
        S::change(&call, parameter, &Inputs::new([Some(moments)]))
    }
}

/// `layout` is that of a parameter.
fn call(kernel: &'static str, layout: &Layout, (x, y): (f32, f32)) -> Result<Call> {
    let (models, rows, width) = layout.shape().dims3()?;
    let threads = models * rows * width;
    Ok(Call { kernel, threads, models, rows, width, x, y, ..Call::default() })
}

impl InplaceOp2 for Average {
    fn name(&self) -> &'static str {
        "adam-average"
    }

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
        if self.kernel {
            return self.change((moments, moments_layout), (gradient, gradient_layout));
        }
        let gradient = slice(gradient, gradient_layout)?;
        let (first, second) = slice_mut(moments, moments_layout)?.split_at_mut(gradient.len());
        vectorised(
            #[inline(always)]
            || {
                for ((first, second), g) in first.iter_mut().zip(&mut *second).zip(gradient) {
                    average(first, second, *g);
                }
            },
        );
        Ok(())
    }
}

impl InplaceOp2 for Update {
    fn name(&self) -> &'static str {
        "adam-update"
    }

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
        if self.kernel {
            return self.change((parameter, parameter_layout), (moments, moments_layout));
        }
        let parameter = slice_mut(parameter, parameter_layout)?;
        let (first, second) = slice(moments, moments_layout)?.split_at(parameter.len());
        let rates = self.rates;
        vectorised(
            #[inline(always)]
            || {
                for ((parameter, first), second) in parameter.iter_mut().zip(first).zip(second) {
                    *parameter -= rates.step(*first, *second);
                }
            },
        );
        Ok(())
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
        [Way::Composed, Way::Host].into_iter().for_each(recurrence);
    }

    fn recurrence(way: Way) {
        let mut parameters = [parameter(&[1.0, -3.0]), parameter(&[5.0])];
        let (mut exact, mut m, mut v) = ([1f64, -3.0], [0f64; 2], [0f64; 2]);
        for count in 1..=20 {
            let loss = parameters[0].value.sqr().unwrap().sum_all().unwrap();
            step(way, &mut parameters, &loss.backward().unwrap(), 0.1).unwrap();
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
