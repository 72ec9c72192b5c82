//! Learning a task from a few labels, and how well that goes.

use consilience_data::{Seed, Stream};
use rayon::prelude::*;

use super::initialisation::Initialisation;
use super::layers::{Layer, Net};
use super::tasks::{Episode, MetaTask, Shape};
use crate::error::EnsembleError;
use crate::progress::{Progress, go_on};
use crate::threads::pool;

/// A network that starts from `hidden` and a head of zeros, after steps of gradient descent on an episode's support. The queries
/// are part of the normalisation, without their labels, as samples without labels are where the engines train.
pub(super) fn adapt(hidden: &[Layer], episode: &Episode, steps: usize, rate: f64) -> Net {
    let mut net = Net::new(hidden, episode.n_classes);
    for _ in 0..steps {
        let (_, gradient) = net.loss(episode.rows.view(), &episode.support);
        #[expect(clippy::cast_possible_truncation, reason = "a rate")]
        net.descend(rate as f32, &gradient);
    }
    net
}

/// What networks learn from, and for how long, where it is measured how well that goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FewShots {
    /// Classes of an episode, at most.
    pub ways: usize,
    /// Labelled samples of each class.
    pub shots: usize,
    /// Samples of each class that accuracy is measured on, at most.
    pub queries: usize,
    /// Steps of gradient descent.
    pub steps: usize,
    /// Their rate.
    pub rate: f64,
    /// Number of episodes, drawn in turn from all tasks.
    pub episodes: usize,
    /// Seed of what is drawn. The same seed draws the same episodes, whatever networks start from.
    pub seed: Seed,
}

/// The accuracy in each episode of networks that start from `start`, length `few.episodes`. The same for any number of `threads`.
/// O(episodes steps n parameters).
///
/// # Errors
///
/// [`EnsembleError::Task`] if a class has too few samples, [`EnsembleError::Width`] for tasks of another width,
/// [`EnsembleError::Cancelled`], [`EnsembleError::Threads`].
pub fn few_shot_accuracy(
    start: &Initialisation,
    tasks: &[MetaTask],
    few: &FewShots,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Vec<f64>, EnsembleError> {
    for task in tasks {
        task.check_shots(few.shots)?;
        let (found, expected) = (task.n_features(), start.n_features());
        if found != expected {
            return Err(EnsembleError::Width { found, expected });
        }
    }
    let shape = Shape { ways: few.ways, shots: few.shots, queries: few.queries };
    let accuracy = |episode: usize| {
        go_on(progress)?;
        let task = &tasks[episode % tasks.len()];
        let mut rng = few.seed.rng(Stream::Episode { step: episode as u64, slot: u64::MAX });
        let classes = task.draw_classes(shape.ways, &mut rng);
        let episode = task.episode(&classes, shape, &mut rng);
        let net = adapt(start.hidden(), &episode, few.steps, few.rate);
        Ok(share_right(&net, &episode))
    };
    pool(threads)?.install(|| (0..few.episodes).into_par_iter().map(accuracy).collect())
}

/// The share of an episode's queries that a network gets right.
fn share_right(net: &Net, episode: &Episode) -> f64 {
    let logits = net.logits(episode.rows.view());
    let (mut right, mut all) = (0_u32, 0_u32);
    for (row, target) in logits.rows().into_iter().zip(&episode.queries) {
        let Some(target) = *target else { continue };
        let best = (0..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best });
        right += u32::from(best == target);
        all += 1;
    }
    f64::from(right) / f64::from(all)
}
