//! Which samples a network sees in which step, and with which random numbers: the same on every device.

use consilience_data::{ModelIdx, Stream};

use crate::engine::noise::Noise;
use crate::{NetworkParams, Prepared};

/// One pass of one network over the data.
#[derive(Debug)]
pub(crate) struct Epoch {
    order: Vec<usize>,
    batch_size: usize,
    /// Of corrupted encoders.
    pub(crate) noise: Noise,
    /// Of directions in which samples are moved.
    pub(crate) perturbation: Noise,
    /// For every sample, the one of its neighbours that it is held against; nothing if the loss has no term for them.
    pub(crate) neighbours: Vec<usize>,
    /// By how many pixels images are moved in each step, down and to the right: the same for all models, so that a stack of
    /// them needs one move. Zeros, if they aren't.
    pub(crate) shifts: Vec<[f32; 2]>,
}

impl Epoch {
    /// The `epoch`-th over all phases. A batch larger than the data is all of it.
    pub(crate) fn new(
        data: &Prepared,
        model: ModelIdx,
        epoch: u64,
        params: &NetworkParams,
    ) -> Self {
        let (model, n) = (u64::from(model.0), data.features().n_samples());
        let batch_size = params.batch_size.min(data.trainable().len());
        let mut order: Vec<usize> =
            data.trainable().iter().map(|&sample| sample as usize).collect();
        data.rng(Stream::Shuffle { model, epoch }).shuffle(&mut order);
        let mut rng = data.rng(Stream::Neighbours { model, epoch });
        let mut drawn = |sample: usize| {
            let near = data.neighbours(sample).unwrap_or(&[]);
            #[expect(clippy::cast_possible_truncation, reason = "a rest is small")]
            let index = rng.bits() as usize % near.len().max(1);
            near.get(index).map_or(sample, |&neighbour| neighbour as usize)
        };
        Self {
            batch_size,
            shifts: shifts(data, epoch, params, order.len() / batch_size),
            order,
            noise: Noise::new(data.rng(Stream::Noise { model, epoch })),
            perturbation: Noise::new(data.rng(Stream::Perturbation { model, epoch })),
            neighbours: if params.neighbour_weight > 0.0 {
                (0..n).map(&mut drawn).collect()
            } else {
                Vec::new()
            },
        }
    }

    /// The samples of every step. A last, smaller batch waits for the next epoch's order: its statistics would be poor.
    pub(crate) fn batches(&self) -> impl Iterator<Item = (u32, &[usize])> {
        (0u32..).zip(self.order.chunks_exact(self.batch_size))
    }
}

fn shifts(data: &Prepared, epoch: u64, params: &NetworkParams, steps: usize) -> Vec<[f32; 2]> {
    let Some(image) = params.image.filter(|_| params.shift_weight > 0.0) else {
        return vec![[0.0; 2]; steps];
    };
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a side, f32 storage"
    )]
    let shift = (params.shift * image.shorter_side() as f64) as f32;
    let normal = data.rng(Stream::Shift { epoch }).normal(2 * steps);
    normal.chunks_exact(2).map(|by| [by[0] * shift, by[1] * shift]).collect()
}

/// Learning rates of a phase, step by step: constant, or falling linearly to zero.
pub(crate) fn rates(rate: f64, steps: usize, anneal: bool) -> impl Iterator<Item = f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share_left = move |step: usize| 1.0 - step as f64 / steps as f64;
    (0..steps).map(move |step| if anneal { rate * share_left(step) } else { rate })
}
