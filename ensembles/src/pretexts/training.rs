//! How encoders are trained: one loop for every pretext.

use candle_core::{DType, Result as TensorResult, Tensor};
use consilience_data::{ModelIdx, Seed, Stream};

use super::batch::Draws;
use super::params::PretextParams;
use crate::engine::candle::{Parameter, Way, step};
use crate::error::EnsembleError;
use crate::progress::{EpochEnd, Progress, go_on};

/// A pretext with its networks and its data.
pub(crate) trait Task {
    /// Number of samples, or of what else a pass over the data goes through.
    fn n_items(&self) -> usize;

    /// The loss of some of them, one number.
    fn loss(&self, items: &[usize], draws: &mut Draws) -> TensorResult<Tensor>;
}

/// How far training went.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trained {
    /// Passes over the data that were finished.
    pub epochs: usize,
    /// Steps that were taken.
    pub steps: usize,
    /// Mean loss of the last pass.
    pub loss: f64,
}

/// Moves `parameters` to where the task's loss is small, by Adam with a rate that falls linearly to 0. The last, smaller batch of a pass is left out.
///
/// # Errors
///
/// [`EnsembleError::Diverged`], [`EnsembleError::Cancelled`].
pub(crate) fn train(
    task: &dyn Task,
    parameters: &mut [Parameter],
    params: &PretextParams,
    seed: Seed,
    progress: &dyn Progress,
) -> Result<Trained, EnsembleError> {
    let (n, epochs, model) = (task.n_items(), params.epochs, ModelIdx(0));
    let batch = params.batch_size.min(n);
    let steps = n / batch;
    #[expect(clippy::cast_precision_loss, reason = "counts")]
    let (all_steps, n_steps) = (steps as f64 * epochs as f64, steps as f64);
    let mut learnt = Trained { epochs: 0, steps: 0, loss: f64::NAN };
    for epoch in 0..epochs as u64 {
        let order = seed.rng(Stream::Shuffle { model: 0, epoch }).permutation(n);
        let mut draws = Draws::new(seed, epoch);
        let mut sum = 0.0;
        for items in order.chunks_exact(batch) {
            go_on(progress)?;
            if progress.time_is_up() || params.most_steps.is_some_and(|most| learnt.steps >= most) {
                return Ok(learnt);
            }
            #[expect(clippy::cast_precision_loss, reason = "a count")]
            let rate = params.learning_rate * (1.0 - learnt.steps as f64 / all_steps);
            let loss = task.loss(items, &mut draws)?;
            let value = loss.to_dtype(DType::F64)?.to_scalar::<f64>()?;
            if !value.is_finite() {
                return Err(EnsembleError::diverged(model, epoch, params.learning_rate));
            }
            step(Way::of(loss.device(), loss.dtype()), parameters, &loss.backward()?, rate)?;
            draws.next_step();
            learnt.steps += 1;
            sum += value;
        }
        let loss = sum / n_steps;
        (learnt.epochs, learnt.loss) = (learnt.epochs + 1, loss);
        progress.epoch_end(EpochEnd { model, epoch: learnt.epochs, epochs, loss });
    }
    Ok(learnt)
}
