//! What networks are made of, for a stack of them: every tensor is (models, n, width), parameters alike with their rows for n.

use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, DType, Device, Layout, Result, Shape, Tensor,
};

use super::held::held;
use super::host;
use super::kernels::fused;
use crate::members::weights::EPSILON;

/// How operations are done. The results differ by no more than rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Composed of candle's, for any device and precision.
    Composed,
    /// In one pass each, on the CPU.
    Host,
    /// By CUDA kernels of our own.
    Kernels,
}

impl Way {
    /// What is best where nobody asks for kernels.
    pub(crate) fn of(device: &Device, dtype: DType) -> Self {
        if device.is_cpu() && dtype == DType::F32 { Self::Host } else { Self::Composed }
    }
}

/// `input` (models, n, in) times `weight` (models, in, out): shape (models, n, out).
///
/// Candle's own product computes both gradients, also that of the data and those of weights that are held fixed, and works in
/// rayon's global pool.
pub(crate) fn linear(input: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let op = Linear { input_learns: input.track_op(), weight_learns: weight.track_op() };
    input.contiguous()?.apply_op2(&weight.contiguous()?, op)
}

/// `a` (models, n, p) times `b` (models, n, q): shape (models, p, q).
pub(super) fn turned_product(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    linear(&a.transpose(1, 2)?.contiguous()?, b)
}

struct Linear {
    input_learns: bool,
    weight_learns: bool,
}

impl Linear {
    fn product<S: BackendStorage>(
        (input, input_layout): (&S, &Layout),
        (weight, weight_layout): (&S, &Layout),
    ) -> Result<(S, Shape)> {
        let (models, rows, inner) = input_layout.shape().dims3()?;
        let (_, _, columns) = weight_layout.shape().dims3()?;
        let sizes = (models, rows, columns, inner);
        let product = input.matmul(weight, sizes, input_layout, weight_layout)?;
        Ok((product, (models, rows, columns).into()))
    }
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if !matches!(input, CpuStorage::F32(_)) {
            return Self::product((input, input_layout), (weight, weight_layout));
        }
        let (models, rows, inner) = input_layout.shape().dims3()?;
        let (_, of_weight, width) = weight_layout.shape().dims3()?;
        let input = (host::slice(input, input_layout)?, (rows, inner), false);
        let weight = (host::slice(weight, weight_layout)?, (of_weight, width), false);
        let product = host::product(input, weight, models);
        Ok((CpuStorage::F32(product), (models, rows, width).into()))
    }

    fn cuda_fwd(
        &self,
        input: &CudaStorage,
        input_layout: &Layout,
        weight: &CudaStorage,
        weight_layout: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        Self::product((input, input_layout), (weight, weight_layout))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        if Way::of(input.device(), input.dtype()) != Way::Host {
            let of_input = self.input_learns.then(|| gradient.matmul(&weight.t()?)).transpose()?;
            let of_weight = self.weight_learns.then(|| input.t()?.matmul(gradient)).transpose()?;
            return Ok((of_input, of_weight));
        }
        let (models, rows, inner) = input.dims3()?;
        let (_, _, width) = weight.dims3()?;
        host::with(gradient, |gradient| {
            let gradient = (gradient, (rows, width), false);
            let of_input = || {
                host::with(weight, |weight| {
                    let product = host::product(gradient, (weight, (inner, width), true), models);
                    host::tensor(product, input.shape())
                })
            };
            let of_weight = || {
                host::with(input, |input| {
                    let product = host::product((input, (rows, inner), true), gradient, models);
                    host::tensor(product, weight.shape())
                })
            };
            Ok((
                self.input_learns.then(of_input).transpose()?,
                self.weight_learns.then(of_weight).transpose()?,
            ))
        })
    }
}

/// Mean and 1 / standard deviation of every unit, held constant: shape (models, 2, width).
#[derive(Debug, Clone)]
pub(crate) struct Statistics(pub(crate) Tensor);

impl Statistics {
    /// (`values` - mean) / standard deviation.
    fn apply(&self, values: &Tensor) -> Result<Tensor> {
        let (mean, inverse_std) = (self.0.narrow(1, 0, 1)?, self.0.narrow(1, 1, 1)?);
        values.broadcast_sub(&mean)?.broadcast_mul(&inverse_std)
    }
}

/// Batch normalisation without scale and shift (Ioffe and Szegedy, 2015), and what was normalised with.
pub(super) fn normalise(way: Way, values: &Tensor) -> Result<(Tensor, Statistics)> {
    match way {
        Way::Composed => {}
        Way::Host => {
            let (normalised, both) = host::normalise(values)?;
            return Ok((normalised, Statistics(both)));
        }
        Way::Kernels => {
            let (normalised, both) = fused::normalise(values)?;
            return Ok((normalised, Statistics(both)));
        }
    }
    let mean = values.mean_keepdim(1)?;
    let centred = values.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim(1)?;
    let inverse_std = (variance + f64::from(EPSILON))?.sqrt()?.recip()?;
    let normalised = centred.broadcast_mul(&inverse_std)?;
    Ok((normalised, Statistics(held(&Tensor::cat(&[mean, inverse_std], 1)?))))
}

/// max(0, `values` + `shift`), with `shift` (models, 1, width). NaN stays, and 0 has slope 0.
pub(crate) fn shift_relu(way: Way, values: &Tensor, shift: &Tensor) -> Result<Tensor> {
    match way {
        Way::Composed => {}
        Way::Host => return host::shift_relu(values, shift),
        Way::Kernels => return fused::shift_relu(values, shift),
    }
    let shifted = values.broadcast_add(shift)?;
    let positive = shifted.detach().gt(0.0)?.to_dtype(shifted.dtype())?;
    shifted * positive
}

/// The decoder's guess of a layer (Rasmus et al., 2015, equation 2): `(lateral - mu(u)) v(u) + mu(u)`, with
/// `mu(u) = a1 sigmoid(a2 u + a3) + a4 u + a5`, `v` alike with a6..a10, and u the signal from the layer above.
///
/// `parameters`: (models, 10, width).
pub(super) fn combine(
    way: Way,
    lateral: &Tensor,
    vertical: &Tensor,
    parameters: &Tensor,
) -> Result<Tensor> {
    match way {
        Way::Composed => {}
        Way::Host => return host::combine(lateral, vertical, parameters),
        Way::Kernels => return fused::combine(lateral, vertical, parameters),
    }
    let row = |index: usize| parameters.narrow(1, index, 1);
    let part = |first: usize| -> Result<Tensor> {
        let inner = vertical.broadcast_mul(&row(first + 1)?)?.broadcast_add(&row(first + 2)?)?;
        let sigmoid = (inner.neg()?.exp()? + 1.0)?.recip()?;
        let linear = vertical.broadcast_mul(&row(first + 3)?)?.broadcast_add(&row(first + 4)?)?;
        sigmoid.broadcast_mul(&row(first)?)? + linear
    };
    let (mu, v) = (part(0)?, part(5)?);
    ((lateral - &mu)? * v)? + mu
}

/// Mean over samples and units of (`clean` - normalised `guess`)^2 (Rasmus et al., 2015, equation 3), shape (models).
///
/// `guess` is normalised with the clean layer's `statistics`; `None` where the layer isn't normalised.
pub(super) fn denoising_cost(
    way: Way,
    clean: &Tensor,
    guess: &Tensor,
    statistics: Option<&Statistics>,
) -> Result<Tensor> {
    let both = statistics.map(|statistics| &statistics.0);
    match way {
        Way::Composed => {}
        Way::Host => return host::denoising_cost(clean, guess, both),
        Way::Kernels => return fused::denoising_cost(clean, guess, both),
    }
    let guess = match statistics {
        Some(statistics) => statistics.apply(guess)?,
        None => guess.clone(),
    };
    (clean - guess)?.sqr()?.flatten_from(1)?.mean(1)
}
