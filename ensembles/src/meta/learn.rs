//! Learning an initialisation: episodes of tasks, and a step by what they say, over and over.

use consilience_data::{ModelIdx, Stream};
use rayon::prelude::*;

use super::initialisation::{Initialisation, Learnt};
use super::layers::Layer;
use super::params::{MetaMethod, ValidMetaParams};
use super::tasks::MetaTask;
use super::{maml, reptile};
use crate::error::EnsembleError;
use crate::progress::{EpochEnd, Progress, go_on};
use crate::threads::pool;

/// Adam's (D. Kingma, J. Ba, 2015).
const DECAYS: (f32, f32) = (0.9, 0.999);
const EPSILON: f32 = 1e-8;

/// Learns hidden layers from which a few steps on a few labels of any of the `tasks` lead to a small loss. Every iteration is told to
/// `progress` as an epoch; if the time is up, what was learnt by then is the result. The same for any number of `threads`.
/// O(iterations episodes steps n parameters).
///
/// # Errors
///
/// [`EnsembleError::Task`] if a task has another width than the first, or a class with too few samples; [`EnsembleError::Diverged`] if the loss isn't
/// finite; [`EnsembleError::Cancelled`], [`EnsembleError::Threads`].
///
/// # Panics
///
/// If there is no task.
pub fn learn_initialisation(
    tasks: &[MetaTask],
    params: &ValidMetaParams,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Initialisation, EnsembleError> {
    check(tasks, params)?;
    let scaling = tasks[0].sketch().scaling();
    let random = Initialisation::random(tasks[0].n_features(), scaling, params);
    let (mut hidden, mut optimiser) = (random.hidden().to_vec(), Adam::new(random.hidden()));
    let (pool, mut done) = (pool(threads)?, 0);
    let method = match params.method {
        MetaMethod::Fomaml => maml::gradient,
        MetaMethod::Reptile => reptile::gradient,
    };
    for iteration in 0..params.iterations {
        go_on(progress)?;
        if progress.time_is_up() {
            break;
        }
        let episode = |slot: usize| {
            let (step, slot) = (iteration as u64, slot as u64);
            let mut rng = params.seed.rng(Stream::Episode { step, slot });
            #[expect(clippy::cast_possible_truncation, reason = "below the number of tasks")]
            let task = (rng.bits() % tasks.len() as u64) as usize;
            method(&hidden, &tasks[task], params, &mut rng)
        };
        let found: Vec<(f64, Vec<Layer>)> =
            pool.install(|| (0..params.episodes).into_par_iter().map(episode).collect());
        #[expect(clippy::cast_precision_loss, reason = "means and shares")]
        let (loss, left) = (
            found.iter().map(|(loss, _)| loss).sum::<f64>() / found.len() as f64,
            1.0 - iteration as f64 / params.iterations as f64,
        );
        done = iteration + 1;
        if !loss.is_finite() {
            return Err(EnsembleError::MetaDiverged { iteration: done, rate: params.inner_rate });
        }
        optimiser.step(&mut hidden, &mean(found), params.outer_rate * left);
        let (epoch, epochs) = (done, params.iterations);
        progress.epoch_end(EpochEnd { model: ModelIdx(0), epoch, epochs, loss });
    }
    let is_finite = |layer: &Layer| layer.weight.iter().chain(&layer.shift).all(|x| x.is_finite());
    if !hidden.iter().all(is_finite) {
        return Err(EnsembleError::MetaDiverged { iteration: done, rate: params.inner_rate });
    }
    let of_tasks = tasks.iter().map(|task| (task.name().to_owned(), task.sketch().clone()));
    let learnt = Learnt { params: (**params).clone(), iterations: done, tasks: of_tasks.collect() };
    Ok(Initialisation::learnt(hidden, scaling, learnt))
}

fn check(tasks: &[MetaTask], params: &ValidMetaParams) -> Result<(), EnsembleError> {
    let (first, width) = (tasks[0].name(), tasks[0].n_features());
    for task in tasks {
        if task.n_features() != width {
            let problem = format!(
                "{} features, where {first} has {width}; tasks of one width are needed",
                task.n_features()
            );
            return Err(EnsembleError::Task { name: task.name().into(), problem });
        }
        task.check_shots(params.shots)?;
    }
    Ok(())
}

fn mean(found: Vec<(f64, Vec<Layer>)>) -> Vec<Layer> {
    #[expect(clippy::cast_precision_loss, reason = "a few episodes")]
    let share = 1.0 / found.len() as f32;
    let mut gradients = found.into_iter().map(|(_, gradient)| gradient);
    let mut sum = gradients.next().expect("at least one episode");
    for gradient in gradients {
        sum.iter_mut().zip(&gradient).for_each(|(sum, other)| sum.add_scaled(1.0, other));
    }
    for layer in &mut sum {
        layer.weight *= share;
        layer.shift *= share;
    }
    sum
}

/// Adam, of whole layers.
struct Adam {
    first: Vec<Layer>,
    second: Vec<Layer>,
    steps: i32,
}

impl Adam {
    fn new(like: &[Layer]) -> Self {
        let zeros = like.iter().map(|layer| Layer::zeros(layer.weight.nrows(), layer.shift.len()));
        let first: Vec<Layer> = zeros.collect();
        Self { second: first.clone(), first, steps: 0 }
    }

    fn step(&mut self, values: &mut [Layer], gradient: &[Layer], rate: f64) {
        self.steps += 1;
        let (b1, b2) = (1.0 - DECAYS.0.powi(self.steps), 1.0 - DECAYS.1.powi(self.steps));
        #[expect(clippy::cast_possible_truncation, reason = "a rate")]
        let rate = rate as f32;
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((value, gradient), (first, second)) in values.iter_mut().zip(gradient).zip(moments) {
            let update = |value: &mut f32, &slope: &f32, first: &mut f32, second: &mut f32| {
                *first += (1.0 - DECAYS.0) * (slope - *first);
                *second += (1.0 - DECAYS.1) * (slope * slope - *second);
                *value -= rate * (*first / b1) / ((*second / b2).sqrt() + EPSILON);
            };
            ndarray::Zip::from(&mut value.weight)
                .and(&gradient.weight)
                .and(&mut first.weight)
                .and(&mut second.weight)
                .for_each(update);
            ndarray::Zip::from(&mut value.shift)
                .and(&gradient.shift)
                .and(&mut first.shift)
                .and(&mut second.shift)
                .for_each(update);
        }
    }
}
