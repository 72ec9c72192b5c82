//! The losses of `losses.rs` as kernels: each makes every row's loss and its slopes in one go.

use candle_core::{CpuStorage, CudaStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

use super::fused::{element_call, on_every_device, part_call, sum_rows};
use super::{Call, Inputs, Memory, make, make_with_keys, parts};

/// Shape (models, n, n_clusters), and a call with a thread for each row.
fn row_call(kernel: &'static str, shape: &Shape) -> Result<Call> {
    let call = element_call(kernel, shape)?;
    Ok(Call { threads: call.models * call.rows, ..call })
}

/// Sums of parts of columns, shape (models, parts, width).
fn column_parts(values: &Tensor) -> Result<Tensor> {
    let (models, rows, width) = values.dims3()?;
    let call = part_call("column_parts", values.shape())?;
    make(&call, [Some(values)], (models, parts(rows), width))
}

#[expect(clippy::cast_precision_loss, reason = "a batch is small")]
fn share(rows: usize) -> f32 {
    1.0 / rows as f32
}

/// As [`super::super::losses::softmax`].
pub(crate) fn softmax(logits: &Tensor) -> Result<Tensor> {
    logits.contiguous()?.apply_op1(Softmax)
}

struct Softmax;

impl Softmax {
    fn compute<S: Memory>(&self, [logits]: [(&S, &Layout); 1]) -> Result<(S, Shape)> {
        let shape = logits.1.shape();
        let call = row_call("softmax", shape)?;
        Ok((S::make(&call, &Inputs::new([Some(logits)]), shape.elem_count())?, shape.clone()))
    }
}

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "stacked-softmax"
    }

    on_every_device!(1);

    fn bwd(&self, logits: &Tensor, result: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let call = row_call("softmax_back", logits.shape())?;
        make(&call, [Some(result), Some(gradient)], logits.shape()).map(Some)
    }
}

/// As [`super::super::losses::information_maximisation`].
pub(crate) fn information_maximisation(logits: &Tensor, prior: &Tensor, mu: f64) -> Result<Tensor> {
    let (_, rows, width) = logits.dims3()?;
    let fixed = logits.detach();
    let mean = sum_rows(&column_parts(&softmax(&fixed)?)?, share(rows), (1, width))?;
    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    let call = Call { x: mu as f32, ..row_call("information_rows", logits.shape())? };
    mean_of_rows(logits, |shape| make(&call, [Some(&fixed), Some(&mean), Some(prior)], shape))
}

/// As [`super::super::losses::consistency`].
pub(crate) fn consistency(anchor: &Tensor, moved: &Tensor) -> Result<Tensor> {
    let call = row_call("consistency_rows", moved.shape())?;
    let (anchor, fixed) = (anchor.detach(), moved.detach());
    mean_of_rows(moved, |shape| make(&call, [Some(&anchor), Some(&fixed)], shape))
}

/// As [`super::super::losses::cross_entropy`].
pub(crate) fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let call = row_call("label_rows", logits.shape())?;
    let fixed = logits.detach();
    mean_of_rows(logits, |shape| make_with_keys(&call, [Some(&fixed)], Some(labels), shape))
}

/// The mean of rows' losses, shape (models). `losses` makes a tensor of the length it is told: slopes and losses.
fn mean_of_rows(logits: &Tensor, losses: impl FnOnce(usize) -> Result<Tensor>) -> Result<Tensor> {
    let (models, rows, width) = logits.dims3()?;
    let values = models * rows * width;
    let both = losses(values + models * rows)?;
    let slopes = both.narrow(0, 0, values)?.reshape((models, rows, width))?;
    let losses = both.narrow(0, values, models * rows)?.reshape((models, rows, 1))?;
    logits.apply_op2(&column_parts(&losses)?, MeanOfRows { slopes })
}

struct MeanOfRows {
    /// Of every row's loss for its logits, shape (models, n, n_clusters).
    slopes: Tensor,
}

impl MeanOfRows {
    /// `sums` of rows' losses: (models, parts, 1).
    fn compute<S: Memory>(&self, [_, sums]: [(&S, &Layout); 2]) -> Result<(S, Shape)> {
        let x = share(self.slopes.dims()[1]);
        let call = element_call("sum_rows", sums.1.shape())?;
        let call = Call { threads: call.models, x, ..call };
        Ok((S::make(&call, &Inputs::new([Some(sums)]), call.models)?, call.models.into()))
    }
}

impl CustomOp2 for MeanOfRows {
    fn name(&self) -> &'static str {
        "stacked-mean-of-rows"
    }

    on_every_device!(2);

    fn bwd(
        &self,
        _logits: &Tensor,
        _sums: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let gradient = (gradient * f64::from(share(self.slopes.dims()[1])))?;
        Ok((Some(self.slopes.broadcast_mul(&gradient.reshape(((), 1, 1))?)?), None))
    }
}
