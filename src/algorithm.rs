//! The algorithm: the models of an ensemble vote, samples on which they agree get pseudo-labels, the models train on
//! these, and so on.
//!
//! D. Gupta, R. Ramjee, N. Kwatra, M. Sivathanu, *Unsupervised Clustering using Pseudo-semi-supervised Learning*
//! (Kingdra), ICLR 2020. This file is the paper's loop and nothing else.

use std::time::Instant;

use consilience_data::{Features, ModelIdx, PseudoLabels, SoftAssignments, Votes};
use consilience_ensembles::{Clusterer, Ensemble, Prepared, Progress};
use consilience_graph::{AgreementGraph, Alignment, Diversity, Signatures, Threads, consensus};

use crate::choice::Choice;
use crate::config::ValidConfig;
use crate::cut::{Cut, leave_untrained};
use crate::error::RunError;
use crate::guard::{Answer, k_means};
use crate::labeller::Labeller;
use crate::outcome::{Outcome, StopReason};
use crate::progress::{Observer, Step, Unhurried};
use crate::round::{Round, Seconds};
use crate::selection::keep_best;

/// Clusters `features`, shape (n_samples, n_features).
///
/// The same features and configuration give the same outcome, whatever the number of threads, and whether or not steps were found
/// among the observer's checkpoints. Ground truth isn't
/// among the arguments: scores are computed afterwards, from the outcome.
///
/// # Errors
///
/// [`RunError`] if the data can't be clustered with this configuration, or if a model can't be trained; [`RunError::Cancelled`] if
/// `observer` gives the run up.
pub fn run(
    features: &Features,
    config: &ValidConfig,
    observer: &dyn Observer,
) -> Result<Outcome, RunError> {
    run_with(features, config, Vec::new(), observer)
}

/// As [`run`], with models of your own in the ensemble beside those that `config` asks for. They vote, and learn from what
/// was agreed on, as all others do.
///
/// # Errors
///
/// As [`run`], and the errors of these models.
pub fn run_with(
    features: &Features,
    config: &ValidConfig,
    own: Vec<Box<dyn Clusterer>>,
    observer: &dyn Observer,
) -> Result<Outcome, RunError> {
    let (k, n_own, n_threads) = (config.n_clusters, own.len(), config.compute.threads);
    config.agreement_of(usize::MAX).check(config.members.len() + n_own)?;
    let cancelled = || observer.cancelled();
    let threads = Threads::watched(n_threads, &cancelled)?;
    observer.step(&Step::Prepare);
    let (preparation, seed) = (config.preparation, config.seed);
    let mut data = Prepared::new_watched(features, preparation, seed, n_threads, observer)?;
    data.measure_distances_watched(n_threads, observer)?;
    let labeller = Labeller::new(config, &data, observer)?;
    let mut ensemble =
        Ensemble::of_kinds(&config.candidates(), &config.network, &data, k, &config.compute)?;
    ensemble.add(own);
    ensemble.limit(config.cut.as_ref().map_or(&[], |cut| &cut.steps));

    let (mut rounds, mut latest): (Vec<Round>, Option<Latest>) = (Vec::new(), None);
    let mut choice = Choice::new(features.n_samples());
    // What each model learns from next, in its own numbering. Nothing in the first round.
    let mut targets: Vec<PseudoLabels> = Vec::new();
    let mut steps = Vec::new();
    let stop = loop {
        let (round, start) = (rounds.len(), Instant::now());
        let (models, networks) = (ensemble.n_models(), ensemble.n_networks());
        observer.step(&Step::Train { round, rounds: config.rounds, models, networks });
        // A round that couldn't be taken back is finished, whatever the time.
        let unhurried = Unhurried { observer, checkpoints: observer.checkpoints() };
        let hurried = round == 0 || ensemble.is_kept();
        let trainer: &dyn Progress = if hurried { observer } else { &unhurried };
        ensemble.train(&data, &config.phase(round), &targets, trainer)?;
        if round == 0 {
            steps = leave_untrained(&mut ensemble, config.steps(round));
        } else if ensemble.cuts().iter().any(Option::is_some) {
            ensemble.go_back(round - 1, observer.checkpoints())?;
            break StopReason::TimeLimit;
        }
        if ensemble.n_models() == 0 {
            return Err(RunError::NoTime);
        }
        let mut soft = ensemble.vote(&data, round, observer)?;
        if round == 0 {
            soft = keep_best(&mut ensemble, soft, &data, &config.members, n_own);
        }
        let votes = Votes::from_soft(&soft)?.of_samples(data.trainable());

        observer.step(&Step::Agree);
        let agree_start = Instant::now();
        let agreement = &config.agreement_of(votes.n_models()).check(votes.n_models())?;
        let signatures = Signatures::group(&votes, agreement, &threads)?;
        let graph = AgreementGraph::new(&signatures, agreement)?;
        let extraction = labeller.label(&graph, &votes, k, &threads)?;
        let agree_seconds = agree_start.elapsed().as_secs_f64();
        let pseudo_labels = choice.of(&extraction, k);
        let alignment = Alignment::new(&votes, pseudo_labels)?;
        let models = (0..votes.n_models()).map(ModelIdx::from_index);
        targets = models.map(|model| alignment.to_model(model, pseudo_labels)).collect();

        let consensus = consensus(&soft, &alignment)?;
        let diversity = Diversity::of(&signatures, &threads).mean();
        let total = start.elapsed().as_secs_f64();
        let seconds = Seconds { total, graph: agree_seconds, models: ensemble.profile() };
        let mut record =
            Round::record(&votes, extraction, &consensus, diversity, rounds.last(), seconds);
        record.information = data.neighbour_information(&record.consensus).unwrap_or(0.0);
        observer.step(&Step::Record(&record));
        rounds.push(record);
        latest = Some((votes, soft, alignment));
        if let Some(stop) = config.stop(&rounds) {
            break stop;
        }
        if observer.time_is_up() {
            break StopReason::TimeLimit;
        }
    };
    let last = rounds.last().expect("a run has at least one round");
    let answer = if config.guard {
        observer.step(&Step::Guard);
        Answer::guarded(last, k_means(&data, k, n_threads, observer)?, &data)
    } else {
        Answer::of_round(last)
    };
    let (votes, probabilities, alignment) = latest.expect("a run has at least one round");
    let cut = (stop == StopReason::TimeLimit).then_some(Cut { rounds: rounds.len(), steps });
    Ok(Outcome { answer, rounds, stop, cut, votes, probabilities, ensemble, alignment, data })
}

/// The votes of the last round, as clusters and as probabilities, and which clusters are the same.
type Latest = (Votes, Vec<SoftAssignments>, Alignment);
