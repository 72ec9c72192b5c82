//! The operations of `ops.rs` as kernels, with their backward passes: what a GPU's memory would be read for many times is
//! read once.

use candle_core::{CpuStorage, CudaStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::super::ops::Statistics;
use super::{Call, Inputs, Memory, make, parts};
use crate::engine::noise::Place;
use crate::members::weights::{EPSILON, N_COMBINATOR};

/// Shape (models, rows, width), and a call with a thread for each of its elements.
pub(crate) fn element_call(kernel: &'static str, shape: &Shape) -> Result<Call> {
    let (models, rows, width) = shape.dims3()?;
    let threads = models * rows * width;
    Ok(Call { kernel, threads, models, rows, width, ..Call::default() })
}

/// The same, with a thread for each part of a column.
pub(crate) fn part_call(kernel: &'static str, shape: &Shape) -> Result<Call> {
    let call = element_call(kernel, shape)?;
    Ok(Call { threads: call.models * parts(call.rows) * call.width, ..call })
}

/// `factor` times the sum over rows: (models, rows, ...) to (models, `shape`).
pub(crate) fn sum_rows(values: &Tensor, factor: f32, shape: (usize, usize)) -> Result<Tensor> {
    let (models, rows) = (values.dims()[0], values.dims()[1]);
    let width = shape.0 * shape.1;
    let threads = models * width;
    let call =
        Call { kernel: "sum_rows", threads, models, rows, width, x: factor, ..Call::default() };
    make(&call, [Some(values)], (models, shape.0, shape.1))
}

/// The forward passes of a custom operation of 1 to 3 inputs, by its `compute`.
macro_rules! on_every_device {
    (1) => {
        fn cpu_fwd(&self, a: &CpuStorage, la: &Layout) -> Result<(CpuStorage, Shape)> {
            self.compute([(a, la)])
        }

        fn cuda_fwd(&self, a: &CudaStorage, la: &Layout) -> Result<(CudaStorage, Shape)> {
            self.compute([(a, la)])
        }
    };
    (2) => {
        fn cpu_fwd(
            &self,
            a: &CpuStorage,
            la: &Layout,
            b: &CpuStorage,
            lb: &Layout,
        ) -> Result<(CpuStorage, Shape)> {
            self.compute([(a, la), (b, lb)])
        }

        fn cuda_fwd(
            &self,
            a: &CudaStorage,
            la: &Layout,
            b: &CudaStorage,
            lb: &Layout,
        ) -> Result<(CudaStorage, Shape)> {
            self.compute([(a, la), (b, lb)])
        }
    };
    (3) => {
        fn cpu_fwd(
            &self,
            a: &CpuStorage,
            la: &Layout,
            b: &CpuStorage,
            lb: &Layout,
            c: &CpuStorage,
            lc: &Layout,
        ) -> Result<(CpuStorage, Shape)> {
            self.compute([(a, la), (b, lb), (c, lc)])
        }

        fn cuda_fwd(
            &self,
            a: &CudaStorage,
            la: &Layout,
            b: &CudaStorage,
            lb: &Layout,
            c: &CudaStorage,
            lc: &Layout,
        ) -> Result<(CudaStorage, Shape)> {
            self.compute([(a, la), (b, lb), (c, lc)])
        }
    };
}

pub(crate) use on_every_device;

/// `values` + `std` * normal numbers; `keys`, (models, 2) of type u32, are those of the models' streams.
pub(crate) fn add_noise(values: &Tensor, keys: &Tensor, std: f32, place: Place) -> Result<Tensor> {
    values.contiguous()?.apply_op2(keys, AddNoise { std, place })
}

struct AddNoise {
    std: f32,
    place: Place,
}

impl AddNoise {
    fn compute<S: Memory>(&self, [values, keys]: [(&S, &Layout); 2]) -> Result<(S, Shape)> {
        let shape = values.1.shape();
        let call = element_call("add_noise", shape)?;
        // A thread makes four numbers.
        let threads = call.models * call.rows * call.width.div_ceil(64) * 16;
        let Place { step, layer } = self.place;
        let call = Call { threads, step, layer, x: self.std, ..call };
        let inputs = Inputs { keys: Some(keys), ..Inputs::new([Some(values)]) };
        Ok((S::make(&call, &inputs, shape.elem_count())?, shape.clone()))
    }
}

impl CustomOp2 for AddNoise {
    fn name(&self) -> &'static str {
        "stacked-add-noise"
    }

    on_every_device!(2);

    fn bwd(
        &self,
        _values: &Tensor,
        _keys: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(gradient.clone()), None))
    }
}

/// As [`super::super::ops::normalise`].
pub(crate) fn normalise(values: &Tensor) -> Result<(Tensor, Statistics)> {
    let values = values.contiguous()?;
    let (models, rows, width) = values.dims3()?;
    let call = part_call("statistics_parts", values.shape())?;
    let of_parts = make(&call, [Some(&values.detach())], (models, parts(rows) * 2, width))?;
    let call = Call { kernel: "statistics", threads: models * width, x: EPSILON, ..call };
    let both = make(&call, [Some(&of_parts)], (models, 2, width))?;
    Ok((values.apply_op2(&both, Normalise)?, Statistics(both)))
}

struct Normalise;

impl Normalise {
    fn compute<S: Memory>(&self, [values, statistics]: [(&S, &Layout); 2]) -> Result<(S, Shape)> {
        let shape = values.1.shape();
        let inputs = Inputs::new([Some(values), Some(statistics)]);
        let made = S::make(&element_call("normalise", shape)?, &inputs, shape.elem_count())?;
        Ok((made, shape.clone()))
    }
}

impl CustomOp2 for Normalise {
    fn name(&self) -> &'static str {
        "stacked-normalise"
    }

    on_every_device!(2);

    /// The statistics follow the values, so that theirs is part of the values' gradient.
    fn bwd(
        &self,
        values: &Tensor,
        statistics: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (models, rows, width) = values.dims3()?;
        let call = part_call("normalise_back_parts", values.shape())?;
        let of_parts =
            make(&call, [Some(result), Some(gradient)], (models, parts(rows), 2 * width))?;
        #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
        let means = sum_rows(&of_parts, 1.0 / rows as f32, (2, width))?;
        let call = element_call("normalise_back", values.shape())?;
        let inputs = [Some(result), Some(gradient), Some(&means), Some(statistics)];
        Ok((Some(make(&call, inputs, values.shape())?), None))
    }
}

/// As [`super::super::ops::shift_relu`].
pub(crate) fn shift_relu(values: &Tensor, shift: &Tensor) -> Result<Tensor> {
    values.contiguous()?.apply_op2(shift, ShiftRelu)
}

struct ShiftRelu;

impl ShiftRelu {
    fn compute<S: Memory>(&self, [values, shift]: [(&S, &Layout); 2]) -> Result<(S, Shape)> {
        let shape = values.1.shape();
        let inputs = Inputs::new([Some(values), Some(shift)]);
        let made = S::make(&element_call("shift_relu", shape)?, &inputs, shape.elem_count())?;
        Ok((made, shape.clone()))
    }
}

impl CustomOp2 for ShiftRelu {
    fn name(&self) -> &'static str {
        "stacked-shift-relu"
    }

    on_every_device!(2);

    fn bwd(
        &self,
        values: &Tensor,
        shift: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (models, rows, width) = values.dims3()?;
        let call = element_call("shift_relu_back", values.shape())?;
        let of_values = make(&call, [Some(result), Some(gradient)], values.shape())?;
        if !shift.track_op() {
            return Ok((Some(of_values), None));
        }
        let call = part_call("column_parts", values.shape())?;
        let of_parts = make(&call, [Some(&of_values)], (models, parts(rows), width))?;
        Ok((Some(of_values), Some(sum_rows(&of_parts, 1.0, (1, width))?)))
    }
}

/// As [`super::super::ops::combine`].
pub(crate) fn combine(lateral: &Tensor, vertical: &Tensor, parameters: &Tensor) -> Result<Tensor> {
    lateral.contiguous()?.apply_op3(&vertical.contiguous()?, parameters, Combine)
}

struct Combine;

impl Combine {
    fn compute<S: Memory>(&self, inputs: [(&S, &Layout); 3]) -> Result<(S, Shape)> {
        let shape = inputs[0].1.shape();
        let inputs = Inputs::new(inputs.map(Some));
        let made = S::make(&element_call("combine", shape)?, &inputs, shape.elem_count())?;
        Ok((made, shape.clone()))
    }
}

impl CustomOp3 for Combine {
    fn name(&self) -> &'static str {
        "stacked-combine"
    }

    on_every_device!(3);

    fn bwd(
        &self,
        lateral: &Tensor,
        vertical: &Tensor,
        parameters: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (models, rows, width) = lateral.dims3()?;
        let inputs = [lateral, vertical, parameters, gradient].map(Some);
        let call = element_call("combine_back", lateral.shape())?;
        let both = make(&call, inputs, (2, models, rows, width))?;
        let call = part_call("combine_back_parts", lateral.shape())?;
        let of_parts = make(&call, inputs, (models, parts(rows), N_COMBINATOR * width))?;
        let of_parameters = sum_rows(&of_parts, 1.0, (N_COMBINATOR, width))?;
        Ok((Some(both.get(0)?), Some(both.get(1)?), Some(of_parameters)))
    }
}

/// As [`super::super::ops::denoising_cost`].
pub(crate) fn denoising_cost(
    clean: &Tensor,
    guess: &Tensor,
    statistics: Option<&Statistics>,
) -> Result<Tensor> {
    let (_, rows, width) = clean.dims3()?;
    let (clean, guess) = (clean.contiguous()?, guess.contiguous()?);
    let of_parts = match statistics {
        Some(Statistics(both)) => clean.apply_op3(&guess, both, DenoisingParts)?,
        None => clean.apply_op2(&guess, DenoisingParts)?,
    };
    #[expect(clippy::cast_precision_loss, reason = "a batch is small")]
    let values = (rows * width) as f64;
    of_parts.flatten_from(1)?.sum(1)? / values
}

/// Sums of squared errors, shape (models, parts, width).
struct DenoisingParts;

impl DenoisingParts {
    fn compute<S: Memory, const N: usize>(&self, inputs: [(&S, &Layout); N]) -> Result<(S, Shape)> {
        let call = part_call("denoising_parts", inputs[0].1.shape())?;
        let made = S::make(&call, &Inputs::new(inputs.map(Some)), call.threads)?;
        Ok((made, (call.models, parts(call.rows), call.width).into()))
    }

    fn back(
        clean: &Tensor,
        guess: &Tensor,
        statistics: Option<&Tensor>,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (models, rows, width) = clean.dims3()?;
        let call = element_call("denoising_back", clean.shape())?;
        let inputs = [Some(clean), Some(guess), statistics, Some(gradient)];
        let both = make(&call, inputs, (2, models, rows, width))?;
        Ok((Some(both.get(0)?), Some(both.get(1)?)))
    }
}

impl CustomOp2 for DenoisingParts {
    fn name(&self) -> &'static str {
        "stacked-denoising"
    }

    on_every_device!(2);

    fn bwd(
        &self,
        clean: &Tensor,
        guess: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Self::back(clean, guess, None, gradient)
    }
}

impl CustomOp3 for DenoisingParts {
    fn name(&self) -> &'static str {
        "stacked-denoising-normalised"
    }

    on_every_device!(3);

    fn bwd(
        &self,
        clean: &Tensor,
        guess: &Tensor,
        statistics: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (of_clean, of_guess) = Self::back(clean, guess, Some(statistics), gradient)?;
        Ok((of_clean, of_guess, None))
    }
}
