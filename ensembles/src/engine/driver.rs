//! Phases and epochs of training, the same for every engine: what is checked, drawn, told and computed around its steps.

use std::time::Instant;

use consilience_data::{ModelIdx, PseudoLabels, Stream};

use crate::engine::batches::{Epoch, rates};
use crate::engine::inference::{fit_population, probabilities};
use crate::engine::terms::{Term, View, ramped};
use crate::error::EnsembleError;
use crate::members::clusterer::Phase;
use crate::members::labels::LabelCycle;
use crate::members::params::ValidNetworkParams;
use crate::members::sizes::Prior;
use crate::members::weights::Weights;
use crate::preparation::prepared::Prepared;
use crate::profile::Profile;
use crate::progress::{EpochEnd, Progress, go_on};

/// A way to take steps.
pub(crate) trait Engine {
    /// Networks that are trained side by side for a phase.
    type Session<'a>: Session
    where
        Self: 'a;

    /// Networks of one shape that a session trains at most.
    fn at_once(&self) -> usize;

    /// Makes ready to train `networks`, as many as `setup` has priors and at most [`Engine::at_once`], on the threads of the
    /// current pool.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::DeviceMemory`] if they are too many for the device, [`EnsembleError::Tensor`] if it gives up.
    fn open<'a>(
        &'a self,
        setup: Setup<'a>,
        networks: Vec<&'a mut Weights>,
    ) -> Result<Self::Session<'a>, EnsembleError>;
}

/// What a session is for.
pub(crate) struct Setup<'a> {
    pub(crate) data: &'a Prepared,
    pub(crate) params: &'a ValidNetworkParams,
    /// What is minimised.
    pub(crate) terms: Vec<Term>,
    /// Samples a step, and pseudo-labelled ones beside them.
    pub(crate) rows: (usize, usize),
    /// Of every network, over cluster sizes.
    pub(crate) priors: Vec<Prior>,
}

/// Networks on their way through a phase.
pub(crate) trait Session {
    /// Takes the steps of an epoch, at one learning rate each, the first of them in any case, and further ones as long as `go_on`
    /// says so.
    ///
    /// # Errors
    ///
    /// As [`Engine::open`].
    fn epoch(
        &mut self,
        epochs: &[Epoch],
        rates: &[f64],
        go_on: &dyn Fn() -> bool,
    ) -> Result<Steps, EnsembleError>;

    /// Takes other weights of the same terms from here on.
    fn weigh(&mut self, terms: Vec<Term>);

    /// Leaves what was learnt in the networks; where the time went.
    ///
    /// # Errors
    ///
    /// As [`Engine::open`].
    fn close(self) -> Result<Profile, EnsembleError>;
}

/// Steps that were taken.
pub(crate) struct Steps {
    pub(crate) taken: usize,
    /// Every network's mean loss before them.
    pub(crate) losses: Vec<f64>,
}

/// A network to be trained.
#[derive(Debug)]
pub(crate) struct Trainee<'a> {
    pub(crate) model: ModelIdx,
    pub(crate) params: &'a ValidNetworkParams,
    pub(crate) weights: &'a mut Weights,
    /// Epochs over all phases, which number the random streams.
    pub(crate) epochs_done: &'a mut u64,
    /// After how many steps it has to end.
    pub(crate) most_steps: Option<usize>,
    /// After how many it ended, if before the phase's end.
    pub(crate) cut: &'a mut Option<usize>,
}

/// Trains all `trainees` for one phase, and computes their population statistics, on the threads of the current pool;
/// where the time went. How many are trained at once changes no result, but for the rounding of matrix products on a GPU.
///
/// `labels`: of every trainee, in its own numbering.
///
/// # Errors
///
/// [`EnsembleError::Diverged`] with the first network whose loss isn't finite, [`EnsembleError::Setting`] if distances are
/// missing or settings don't fit the data, [`EnsembleError::Cancelled`], and the engine's own. The networks can't be used after it.
pub(crate) fn train<E: Engine>(
    engine: &E,
    trainees: Vec<Trainee<'_>>,
    labels: &[&PseudoLabels],
    data: &Prepared,
    phase: &Phase,
    progress: &dyn Progress,
) -> Result<Profile, EnsembleError> {
    debug_assert_eq!(trainees.len(), labels.len());
    trainees.iter().try_for_each(|trainee| check(trainee, data))?;
    let cycle = |trainee: &Trainee<'_>, labels: &PseudoLabels| {
        let (model, epoch) = (trainee.model.0.into(), *trainee.epochs_done);
        let mut order = data.rng(Stream::Labels { model, epoch });
        let draws = data.rng(Stream::SoftLabels { model, epoch });
        LabelCycle::new(labels, trainee.params.label_batch_size, &mut order, draws)
    };
    let mut waiting: Vec<Waiting<'_>> = trainees
        .into_iter()
        .zip(labels)
        .map(|(trainee, labels)| Waiting { cycle: cycle(&trainee, labels), trainee })
        .collect();
    let mut profile = Profile::default();
    while let Some(first) = waiting.first() {
        let like = first.shape();
        let (mut together, mut rest) = (Vec::new(), Vec::new());
        for candidate in waiting {
            let fits = together.len() < engine.at_once().max(1) && candidate.shape() == like;
            if fits { &mut together } else { &mut rest }.push(candidate);
        }
        waiting = rest;
        profile += train_together(engine, together, data, phase, progress)?;
    }
    Ok(profile)
}

struct Waiting<'a> {
    trainee: Trainee<'a>,
    cycle: Option<LabelCycle>,
}

/// What networks of one session have in common.
#[derive(PartialEq)]
struct Shape {
    params: ValidNetworkParams,
    widths: Vec<usize>,
    labelled: Option<usize>,
    /// Steps of every parameter.
    steps: Vec<i32>,
    most_steps: Option<usize>,
}

impl Waiting<'_> {
    fn shape(&self) -> Shape {
        let Trainee { params, weights, most_steps, .. } = &self.trainee;
        Shape {
            most_steps: *most_steps,
            params: (*params).clone(),
            widths: weights.widths(),
            labelled: self.cycle.as_ref().map(LabelCycle::batch_len),
            steps: weights.parameters().map(|parameter| parameter.steps).collect(),
        }
    }
}

/// Networks of one shape, for a phase.
fn train_together<E: Engine>(
    engine: &E,
    waiting: Vec<Waiting<'_>>,
    data: &Prepared,
    phase: &Phase,
    progress: &dyn Progress,
) -> Result<Profile, EnsembleError> {
    let (mut trainees, mut cycles): (Vec<_>, Vec<_>) =
        waiting.into_iter().map(|waiting| (waiting.trainee, waiting.cycle)).unzip();
    if progress.time_is_up() || trainees[0].most_steps == Some(0) {
        trainees.iter_mut().for_each(|trainee| *trainee.cut = Some(0));
        return Ok(Profile::default());
    }
    let params = trainees[0].params;
    let start = Instant::now();
    let priors = trainees.iter().map(|trainee| prior(trainee, data, phase, progress));
    let priors = priors.collect::<Result<_, _>>()?;
    let mut profile = Profile { prediction: start.elapsed(), ..Profile::default() };

    let batch = params.batch_size.min(data.trainable().len());
    let labelled = cycles[0].as_ref().map_or(0, LabelCycle::batch_len);
    let mut terms = params.terms(phase.round);
    terms.retain(|term| labelled > 0 || term.view != View::Labelled);
    let steps = data.trainable().len() / batch;
    let rates = rates(params.learning_rate, phase.epochs * steps, phase.anneal);
    let setup = Setup { data, params, terms: terms.clone(), rows: (batch, labelled), priors };

    let most_steps = trainees[0].most_steps.unwrap_or(rates.len()).min(rates.len());
    let (mut networks, mut counters, mut cuts) = (Vec::new(), Vec::new(), Vec::new());
    for trainee in &mut trainees {
        networks.push(&mut *trainee.weights);
        counters.push((trainee.model, &mut *trainee.epochs_done));
        cuts.push(&mut *trainee.cut);
    }
    let mut session =
        engine.open(setup, networks.iter_mut().map(|weights| &mut **weights).collect())?;
    let mut taken = 0;
    for (epoch, rates) in rates[..most_steps].chunks(steps).enumerate() {
        if progress.time_is_up() {
            break;
        }
        if params.consistency_ramp > 0.0 && phase.round == 0 {
            #[expect(clippy::cast_precision_loss, reason = "a share")]
            let over = epoch as f64 / phase.epochs as f64;
            session.weigh(ramped(&terms, over, params.consistency_ramp));
        }
        let drawn = counters.iter().zip(&mut cycles).map(|((model, done), cycle)| {
            Epoch::new(data, (*model, **done), params, &terms, cycle.as_mut())
        });
        let more = || !progress.cancelled() && !progress.time_is_up();
        let done = session.epoch(&drawn.collect::<Vec<_>>(), rates, &more)?;
        go_on(progress)?;
        taken += done.taken;
        let losses = done.losses;
        for ((model, done), &loss) in counters.iter_mut().zip(&losses) {
            **done += 1;
            if !loss.is_finite() {
                return Err(EnsembleError::diverged(*model, **done, params.learning_rate));
            }
        }
        for ((model, _), loss) in counters.iter().zip(losses) {
            let (model, epochs) = (*model, phase.epochs);
            progress.epoch_end(EpochEnd { model, epoch: epoch + 1, epochs, loss });
        }
    }
    profile += session.close()?;
    for cut in cuts {
        *cut = (taken < rates.len()).then_some(taken);
    }

    let start = Instant::now();
    for weights in networks {
        fit_population(weights, data.features(), rayon::current_num_threads(), progress)?;
    }
    profile.prediction += start.elapsed();
    Ok(profile)
}

/// The prior over cluster sizes for a phase.
fn prior(
    trainee: &Trainee<'_>,
    data: &Prepared,
    phase: &Phase,
    progress: &dyn Progress,
) -> Result<Prior, EnsembleError> {
    let Trainee { params, weights, .. } = trainee;
    Ok(if params.sizes.learns_in(phase.round) && weights.is_fitted() {
        let threads = rayon::current_num_threads();
        let found = probabilities(weights, data.features(), threads, progress)?;
        Prior::learned(&found, weights.n_clusters())
    } else {
        params.sizes.unlearned(weights.n_clusters())
    })
}

/// Whether the settings fit the data.
fn check(trainee: &Trainee<'_>, data: &Prepared) -> Result<(), EnsembleError> {
    let Trainee { params, weights, .. } = trainee;
    if params.needs_neighbours() && data.neighbour_distances().is_none() {
        return Err(EnsembleError::Setting {
            name: "consistency",
            need: "data on which Prepared::measure_distances was called",
            got: format!("{:?}", params.consistency),
        });
    }
    params.check_clusters(weights.n_clusters())?;
    params.check_features(data.features().n_features())
}
