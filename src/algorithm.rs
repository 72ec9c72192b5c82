//! The algorithm: the models of an ensemble vote, samples on which they agree get pseudo-labels, the models train on
//! these, and so on.
//!
//! D. Gupta, R. Ramjee, N. Kwatra, M. Sivathanu, *Unsupervised Clustering using Pseudo-semi-supervised Learning*
//! (Kingdra), ICLR 2020. This file is the paper's loop and nothing else.

use std::time::Instant;

use consilience_data::{Features, ModelIdx, PseudoLabels, Votes};
use consilience_ensembles::{Clusterer, Ensemble, Prepared, Progress};
use consilience_graph::{AgreementGraph, Alignment, Diversity, Signatures, Threads, consensus};

use crate::choice::Choice;
use crate::config::{Config, ValidConfig};
use crate::cut::{Cut, leave_untrained};
use crate::error::RunError;
use crate::judge::Case;
use crate::knowledge::Knowledge;
use crate::labeller::Labeller;
use crate::outcome::{Outcome, StopReason};
use crate::progress::{Apart, Observer, Step};
use crate::round::{Round, Seconds};
use crate::selection::keep_best;
use crate::settled::settled;
use crate::standing::worse;
use crate::strays::StraysFound;
use crate::views::{Panel, ViewVoters};
use crate::voters::Voters;

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
    config.agreement_for(config.members.len() + own.len())?;
    config.need_views(0)?;
    let data = prepared(features, config, config.compute.threads, observer)?;
    run_prepared((data, Vec::new()), config, &Knowledge::default(), own, observer)
}

/// As [`run`], where something is known of some samples: what is linked is together in all that comes out, and what is apart is apart.
///
/// # Errors
///
/// As [`run`], and [`RunError::Graph`] if there are too few clusters for what has to be apart.
pub fn run_knowing(
    features: &Features,
    config: &ValidConfig,
    known: &Knowledge,
    observer: &dyn Observer,
) -> Result<Outcome, RunError> {
    known.constraints().check(config.n_clusters)?;
    config.need_views(0)?;
    let data = prepared(features, config, config.compute.threads, observer)?;
    run_prepared((data, Vec::new()), config, known, Vec::new(), observer)
}

/// The data as models see them, with their neighbours.
///
/// # Errors
///
/// As [`Prepared::new`].
pub fn prepared(
    features: &Features,
    config: &Config,
    n_threads: usize,
    observer: &dyn Observer,
) -> Result<Prepared, RunError> {
    observer.step(&Step::Prepare);
    let (preparation, seed) = (config.preparation, config.seed);
    let mut data = Prepared::new_watched(features, preparation, seed, n_threads, observer)?;
    data.measure_distances_watched(n_threads, observer)?;
    Ok(data)
}

/// As [`run_with`] and [`run_knowing`], of data that were prepared as `config` says, with their neighbours, and of other views of the same samples
/// ([`prepare_views`](crate::views::prepare_views)). What votes on these counts when answers are compared; the rounds are of the data.
///
/// # Arguments
///
/// * `views`: other views of the same samples, with what votes on them.
///
/// # Errors
///
/// As these.
pub fn run_prepared(
    (data, views): (Prepared, Vec<ViewVoters>),
    config: &ValidConfig,
    known: &Knowledge,
    own: Vec<Box<dyn Clusterer>>,
    observer: &dyn Observer,
) -> Result<Outcome, RunError> {
    known.constraints().check(config.n_clusters)?;
    config.need_views(views.len())?;
    let (k, n_own, n_threads) = (config.n_clusters, own.len(), config.compute.threads);
    config.agreement_for(config.members.len() + n_own)?;
    let cancelled = || observer.cancelled();
    let threads = Threads::watched(n_threads, &cancelled)?;
    let labeller = Labeller::new(config, &data, observer)?;
    let mut ensemble =
        Ensemble::of_kinds(&config.candidates(), &config.network, &data, k, &config.compute)?;
    config.start(&mut ensemble)?;
    ensemble.add(own);
    ensemble.limit(config.cut.as_ref().map_or(&[], |cut| &cut.steps));

    let voters = match config.n_communities() {
        0 => None,
        count => {
            observer.step(&Step::Communities);
            let found = Voters::find(&data, k, count, n_threads, observer)?;
            let settle = |voters| settled(voters, &data, (k, n_threads), &threads, observer);
            found.map(settle).transpose()?
        }
    };

    let (mut rounds, mut latest): (Vec<Round>, _) = (Vec::new(), None);
    let mut choice = Choice::new(data.features().n_samples());
    // What each model learns from next, in its own numbering. Nothing in the first round.
    let mut targets: Vec<PseudoLabels> = Vec::new();
    let mut steps = Vec::new();
    let stop = loop {
        let (round, start) = (rounds.len(), Instant::now());
        let (models, networks) = (ensemble.n_models(), ensemble.n_networks());
        observer.step(&Step::Train { round, rounds: config.rounds, models, networks });
        // A round that couldn't be taken back is finished, whatever the time.
        let unhurried = Apart::unhurried(observer);
        let hurried = round == 0 || ensemble.can_come_back();
        let trainer: &dyn Progress = if hurried { observer } else { &unhurried };
        ensemble.train(&data, &config.phase(round), &targets, trainer)?;
        if round == 0 {
            steps = leave_untrained(&mut ensemble, config.steps(round));
        } else if ensemble.cuts().iter().any(Option::is_some) {
            ensemble.go_back()?;
            break StopReason::TimeLimit;
        }
        if ensemble.n_models() == 0 {
            return Err(RunError::NoTime);
        }
        let mut answers = ensemble.vote(&data, round, observer)?;
        if round == 0 {
            answers = keep_best(&mut ensemble, answers, &data, &config.members);
        }
        let members = Votes::from_answers(&answers)?;
        let votes = members.clone().of_samples(data.trainable());
        // A model may have been lost, or not been trained in time.
        let agreement = &config.agreement_for(votes.n_models())?;

        observer.step(&Step::Agree);
        let agree_start = Instant::now();
        let signatures = Signatures::group(&known.hold(&votes), agreement, &threads)?;
        let graph = AgreementGraph::new(&signatures, agreement)?;
        let extraction = labeller.label(&graph, &votes, k, &threads)?;
        let agree_seconds = agree_start.elapsed().as_secs_f64();
        let pseudo_labels = choice.of(&extraction, k);
        let alignment = if pseudo_labels.n_clusters() == 0 {
            Alignment::to_largest(&votes, k)
        } else {
            Alignment::new(&votes, pseudo_labels)?
        };
        let consensus = consensus(&answers, &alignment)?;
        let settled = known.settle(&consensus.harden().0, &votes)?;
        let sizes = (k, votes.n_models());
        let labels = known.labels(pseudo_labels, settled.as_ref(), sizes, data.trainable());
        let models = (0..votes.n_models()).map(ModelIdx::from_index);
        targets = models.map(|model| alignment.to_model(model, &labels)).collect();

        let diversity = Diversity::of(&signatures, &threads).mean();
        let total = start.elapsed().as_secs_f64();
        let seconds = Seconds { total, graph: agree_seconds, models: ensemble.profile() };
        let mut record =
            Round::record(&votes, extraction, &consensus, diversity, rounds.last(), seconds);
        known.place_all(settled.as_ref(), &mut record.consensus, &mut record.confidence);
        let labels = known.labels(&record.pseudo_labels, settled.as_ref(), sizes, data.trainable());
        record.pseudo_labels = labels.into_owned();
        record.information = data.neighbour_information(&record.consensus).unwrap_or(0.0);
        let panel = Panel { members: &members, communities: voters.as_ref(), views: &views };
        let round = &record;
        let case = Case { round, panel, data: &data, k, threads: &threads, progress: observer };
        let of_all = if config.judge { case.of_all_kinds()? } else { None };
        record.with_all_kinds = case.counted(of_all.as_ref());
        record.seconds.total = start.elapsed().as_secs_f64();
        observer.step(&Step::Record(&record));
        let worse = worse(&record, &rounds, k).filter(|_| config.judge && ensemble.can_go_back());
        if let Some(stop) = worse {
            ensemble.go_back()?;
            break stop;
        }
        rounds.push(record);
        latest = Some((votes, members, answers, alignment, of_all));
        if let Some(stop) = config.stop(&rounds) {
            break stop;
        }
        if observer.time_is_up() {
            break StopReason::TimeLimit;
        }
    };
    let (votes, members, answers, alignment, of_all) =
        latest.expect("a run has at least one round");
    let round = rounds.last().expect("a run has at least one round");
    let panel = Panel { members: &members, communities: voters.as_ref(), views: &views };
    let case = Case { round, panel, data: &data, k, threads: &threads, progress: observer };
    let mut answer = if config.judge {
        observer.step(&Step::Judge);
        case.judged(of_all, n_threads)?
    } else {
        case.unjudged()
    };
    let find = |limit| StraysFound::of_run(&data, &answer.assignments, limit, n_threads, observer);
    let strays = config.strays.map(find).transpose()?;
    if let Some(strays) = &strays {
        answer.pseudo_labels = strays.labels(&answer.pseudo_labels);
    }
    let cut = (stop == StopReason::TimeLimit).then_some(Cut { rounds: rounds.len(), steps });
    let (held, taught) = known.conclude(&mut answer, &panel.votes()?, &data)?;
    Ok(Outcome {
        answer,
        rounds,
        stop,
        cut,
        votes,
        answers,
        ensemble,
        voters,
        views,
        alignment,
        data,
        strays,
        taught,
        held,
    })
}
