//! Reptile: towards where the steps of a task lead.
//!
//! A. Nichol, J. Achiam, J. Schulman, *On First-Order Meta-Learning Algorithms*, 2018.

use consilience_data::Rng;

use super::layers::{Layer, Net};
use super::params::MetaParams;
use super::tasks::MetaTask;

/// The loss in the last step of a few on one task's classes, each on other samples of them, and the way back from where these steps lead to `hidden`, divided
/// by the steps' rate: it stands for a gradient (section 5 there; Adam takes it). O(steps n parameters).
pub(super) fn gradient(
    hidden: &[Layer],
    task: &MetaTask,
    params: &MetaParams,
    rng: &mut Rng,
) -> (f64, Vec<Layer>) {
    let classes = task.draw_classes(params.ways, rng);
    let mut net = Net::new(hidden, classes.len());
    let mut last = 0.0;
    #[expect(clippy::cast_possible_truncation, reason = "a rate")]
    let rate = params.inner_rate as f32;
    for _ in 0..params.inner_steps {
        // Different samples in each step make the steps' gradients agree: that is what Reptile learns from.
        let episode = task.episode(&classes, params.shape(), rng);
        let (loss, gradient) = net.loss(episode.rows.view(), &episode.all());
        net.descend(rate, &gradient);
        last = loss;
    }
    let back = hidden.iter().zip(&net.hidden).map(|(before, after)| Layer {
        weight: (&before.weight - &after.weight) / rate,
        shift: (&before.shift - &after.shift) / rate,
    });
    (last, back.collect())
}
