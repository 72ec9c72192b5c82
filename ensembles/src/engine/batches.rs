//! Which samples a network sees in which step, and with which random numbers: the same for every engine and device.

use consilience_data::{ModelIdx, Stream};

use crate::engine::noise::Noise;
use crate::engine::terms::{Term, View, looks_at};
use crate::members::labels::LabelCycle;
use crate::members::params::NetworkParams;
use crate::preparation::moves::{Move, Strengths};
use crate::preparation::prepared::Prepared;

/// One pass of one network over the data.
#[derive(Debug)]
pub(crate) struct Epoch {
    order: Vec<usize>,
    batch_size: usize,
    /// Of corrupted views.
    pub(crate) noise: Noise,
    /// Of directions in which samples are moved.
    pub(crate) perturbation: Noise,
    /// For every sample, the one of its neighbours that it is held against; nothing if no term looks at them.
    neighbours: Vec<usize>,
    /// Of every sample, in their order; nothing if no term looks at moved images.
    moves: Vec<Move>,
    /// Pseudo-labelled samples of every step, and their labels; nothing without labels.
    labelled: Vec<(Vec<usize>, Vec<u32>)>,
}

/// What a network sees in one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) samples: &'a [usize],
    /// Pseudo-labelled samples, and their labels.
    pub(crate) labelled: (&'a [usize], &'a [u32]),
    /// For each of all samples, the neighbour that it is held against.
    pub(crate) neighbours: &'a [usize],
    /// How each image is moved, if they are.
    pub(crate) moves: &'a [Move],
    /// Counted within the epoch.
    pub(crate) step: u32,
    /// Of corrupted views.
    pub(crate) noise: Noise,
    /// Of directions in which samples are moved.
    pub(crate) perturbation: Noise,
}

impl Batch<'_> {
    /// The neighbours of this batch's samples.
    pub(crate) fn near(&self) -> Vec<usize> {
        self.samples.iter().map(|&sample| self.neighbours[sample]).collect()
    }
}

impl Epoch {
    /// The `epoch`-th over all phases. A batch larger than the data is all of it.
    pub(crate) fn new(
        data: &Prepared,
        (model, epoch): (ModelIdx, u64),
        params: &NetworkParams,
        terms: &[Term],
        labels: Option<&mut LabelCycle>,
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
        let steps = order.len() / batch_size;
        Self {
            batch_size,
            moves: moves(data, (model, epoch), params, steps * batch_size),
            order,
            noise: Noise::new(data.rng(Stream::Noise { model, epoch })),
            perturbation: Noise::new(data.rng(Stream::Perturbation { model, epoch })),
            neighbours: if looks_at(terms, View::Neighbour) {
                (0..n).map(&mut drawn).collect()
            } else {
                Vec::new()
            },
            labelled: labels
                .map_or_else(Vec::new, |cycle| (0..steps).map(|_| cycle.next_batch()).collect()),
        }
    }

    /// Number of steps. A last, smaller batch waits for the next epoch's order: its statistics would be poor.
    pub(crate) fn steps(&self) -> usize {
        self.order.len() / self.batch_size
    }

    /// What is seen in a step.
    #[expect(clippy::cast_possible_truncation, reason = "noise counts steps in 32 bits")]
    pub(crate) fn batch(&self, step: usize) -> Batch<'_> {
        let labelled = self.labelled.get(step).map_or((&[][..], &[][..]), |(s, l)| (s, l));
        let part = step * self.batch_size..(step + 1) * self.batch_size;
        Batch {
            moves: self.moves.get(part.clone()).unwrap_or_default(),
            samples: &self.order[part],
            labelled,
            neighbours: &self.neighbours,
            step: step as u32,
            noise: self.noise,
            perturbation: self.perturbation,
        }
    }
}

/// How the images of an epoch are moved, in the order of its samples; nothing, if they aren't.
fn moves(
    data: &Prepared,
    (model, epoch): (u64, u64),
    params: &NetworkParams,
    count: usize,
) -> Vec<Move> {
    let NetworkParams { shift, rotation, shear, scale, .. } = *params;
    let strengths = Strengths { shift, rotation, shear, scale };
    let mut rng = data.rng(Stream::Move { model, epoch });
    let moves = |image| Move::drawn(image, strengths, count, &mut rng);
    params.moved_image().map(moves).unwrap_or_default()
}

/// Learning rates of a phase, step by step: constant, or falling linearly to zero.
pub(crate) fn rates(rate: f64, steps: usize, anneal: bool) -> Vec<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    let share_left = move |step: usize| 1.0 - step as f64 / steps as f64;
    (0..steps).map(move |step| if anneal { rate * share_left(step) } else { rate }).collect()
}
