//! First-order MAML: where do the steps of a task lead, and which way is down there for samples that they haven't seen?
//!
//! C. Finn, P. Abbeel, S. Levine, *Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks*, ICML 2017.

use consilience_data::Rng;

use super::few_shot::adapt;
use super::layers::Layer;
use super::params::MetaParams;
use super::tasks::MetaTask;

/// For theta* = argmin over tasks of the loss after a few steps: the loss on an episode's queries after the steps on its support, and
/// the gradient there of the hidden layers, taken for that at `hidden` (second derivatives left out). O(steps n parameters).
pub(super) fn gradient(
    hidden: &[Layer],
    task: &MetaTask,
    params: &MetaParams,
    rng: &mut Rng,
) -> (f64, Vec<Layer>) {
    let classes = task.draw_classes(params.ways, rng);
    let episode = task.episode(&classes, params.shape(), rng);
    let adapted = adapt(hidden, &episode, params.inner_steps, params.inner_rate);
    let (loss, gradient) = adapted.loss(episode.rows.view(), &episode.queries);
    (loss, gradient.hidden)
}
