//! The loop: as the clusterer's (`algorithm.rs`), but that the labels of some samples are known, and all clusters that have one keep its
//! number in all models.

use std::time::Instant;

use consilience_data::{
    ClusterId, DataError, Features, GivenLabels, ModelIdx, PseudoLabels, Votes,
};
use consilience_ensembles::{
    Clusterer, Ensemble, Phase, Prepared, Progress, Propagation, Propagator,
};
use consilience_graph::{Threads, consensus};

use super::contradictions::contradictions;
use super::known::{alignment, to_learn};
use super::pseudo_labels::{Others, first};
use super::relabel::{Relabelled, Relabelling, Said};
use super::settings::{FewLabels, Method};
use super::taught::Taught;
use crate::algorithm::prepared;
use crate::config::ValidConfig;
use crate::cut::{Cut, leave_untrained};
use crate::error::RunError;
use crate::evidence::Evidence;
use crate::judge::{Answer, Candidate, Chosen};
use crate::labelling::LabelRule;
use crate::outcome::{Outcome, StopReason};
use crate::progress::{Apart, Observer, Step};
use crate::round::{Round, Seconds};
use crate::selection::keep_best;
use crate::settled::settled;
use crate::standing::worse;
use crate::voters::Voters;

/// Learns the classes of all samples in `features`, shape (n_samples, n_features), from those that are `given`, by the methods that
/// `config` has in [`few_labels`](crate::Config::few_labels).
///
/// The classes are the first clusters of the outcome, in their order. A sample whose label was given keeps it, whatever models say. The
/// same features, labels and configuration give the same outcome, whatever the number of threads, and whether or not steps were found
/// among the observer's checkpoints. Ground truth isn't among the arguments.
///
/// # Errors
///
/// [`RunError::Setting`] if there are fewer clusters than classes; else as [`run`](crate::run()).
pub fn train(
    features: &Features,
    given: &GivenLabels,
    config: &ValidConfig,
    observer: &dyn Observer,
) -> Result<Outcome, RunError> {
    let few = config.few_labels.clone().unwrap_or_default();
    let (k, n_threads) = (config.n_clusters, config.compute.threads);
    check(given, features, k)?;
    config.need_views(0)?;
    if few.has_networks() && !config.members.iter().all(|kind| kind.is_network()) {
        let need = "networks, which learn from labels".into();
        let got = config.members.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
        return Err(RunError::Setting { name: "members", need, got });
    }
    let data = prepared(features, config, n_threads, observer)?;
    let trainable = data.trainable();
    let cancelled = || observer.cancelled();
    let threads = Threads::watched(n_threads, &cancelled)?;
    let known = to_learn(given, trainable, k);
    if known.is_empty() {
        let source_name = "the samples that can be trained on".into();
        return Err(DataError::NoneGiven { source_name }.into());
    }
    let mut ensemble = models(&few, &data, config)?;
    ensemble.limit(config.cut.as_ref().map_or(&[], |cut| &cut.steps));
    let agree = few.has(Method::Agreement);
    let voters = if agree { communities(&data, config, &threads, observer)? } else { None };
    let propagated =
        if agree { Some(propagated(&data, &known, k, n_threads, observer)?) } else { None };
    let coherent = voters.as_ref().filter(|voters| voters.is_evidence);
    // Where the neighbour graph is noise, nothing that was found on it counts.
    let is_noise = voters.is_some() && coherent.is_none();
    let propagated = propagated.filter(|_| !is_noise);
    let others = Others { propagated: propagated.as_ref(), communities: coherent };

    let (mut rounds, mut latest): (Vec<Round>, _) = (Vec::new(), None);
    // What is learnt from: the given labels, and those that were found. All models number the classes alike.
    let start = if agree { first(&others, (given, trainable), k) } else { known };
    let mut targets = vec![start; ensemble.n_models()];
    let (few, others_of, data_of, threads) = (&few, &others, &data, &threads);
    let relabelling = Relabelling { few, config, others: others_of, given, data: data_of, threads };
    let mut steps = Vec::new();
    let stop = loop {
        let (round, start) = (rounds.len(), Instant::now());
        let (models, networks) = (ensemble.n_models(), ensemble.n_networks());
        observer.step(&Step::Train { round, rounds: config.rounds, models, networks });
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
        if round == 0 && agree {
            answers = keep_best(&mut ensemble, answers, &data, &config.members);
        }
        let votes = Votes::from_answers(&answers)?.of_samples(trainable);
        let alignment = alignment(&votes, given.n_classes(), k)?;

        observer.step(&Step::Agree);
        let agree_start = Instant::now();
        let found = consensus(&answers, &alignment)?;
        let said = Said { round, votes: &votes, answers: &answers, alignment: &alignment };
        let before = rounds.last().map(|round: &Round| &round.consensus);
        let Relabelled { extraction, sure, diversity } =
            relabelling.labels(&said, &found, before)?;
        let labels = extraction.pseudo_labels.clone();
        targets = relabelling.targets(&said, &found, (&labels, before))?;
        let (total, graph) = (start.elapsed().as_secs_f64(), agree_start.elapsed().as_secs_f64());
        let seconds = Seconds { total, graph, models: ensemble.profile() };
        let mut record =
            Round::record(&votes, extraction, &sure, diversity, rounds.last(), seconds);
        // Clusters that are classes have their numbers already.
        record.pseudo_labels = labels.clone();
        record.information = data.neighbour_information(&record.consensus).unwrap_or(0.0);
        observer.step(&Step::Record(&record));
        let worse = worse(&record, &rounds, k).filter(|_| config.judge && ensemble.can_go_back());
        if let Some(stop) = worse {
            ensemble.go_back()?;
            break stop;
        }
        rounds.push(record);
        latest = Some((votes, answers, alignment, found, sure));
        if let Some(stop) = config.stop(&rounds) {
            break stop;
        }
        if observer.time_is_up() {
            break StopReason::TimeLimit;
        }
    };
    let (votes, answers, alignment, found, probabilities) = latest.expect("there is a round");
    let round = rounds.last().expect("a run has at least one round");
    let kinds = if agree { others.kinds() } else { ensemble.kinds() };
    let answer = answer(round, &data, &kinds);
    let clusters: Vec<_> = (0..given.n_classes()).map(ClusterId::from_index).collect();
    let row = |sample: usize| found.view().row(sample).to_vec();
    let contradictions = contradictions(row, k, (given, &clusters), &data);
    let probabilities = Some(probabilities);
    let (given, moved) = (given.clone(), None);
    let taught = Taught { given, clusters, probabilities, moved, contradictions };
    let cut = (stop == StopReason::TimeLimit).then_some(Cut { rounds: rounds.len(), steps });
    Ok(Outcome {
        answer,
        rounds,
        stop,
        cut,
        votes,
        answers,
        ensemble,
        voters,
        views: Vec::new(),
        alignment,
        data,
        strays: None,
        taught: Some(taught),
        held: None,
    })
}

fn check(given: &GivenLabels, features: &Features, k: usize) -> Result<(), RunError> {
    let (labels, samples) = (given.n_samples(), features.n_samples());
    if labels != samples {
        let source_name = "labels to train on".into();
        return Err(DataError::LabelCount { source_name, labels, samples }.into());
    }
    if k < given.n_classes() {
        let need = format!("at least {}, the number of classes with a label", given.n_classes());
        return Err(RunError::Setting { name: "n_clusters (-k)", need, got: k.to_string() });
    }
    Ok(())
}

/// The models that answer in the end.
fn models(few: &FewLabels, data: &Prepared, config: &ValidConfig) -> Result<Ensemble, RunError> {
    let (k, compute) = (config.n_clusters, &config.compute);
    let propagator = |model: usize| -> Vec<Box<dyn Clusterer>> {
        let model = ModelIdx::from_index(model);
        vec![Box::new(Propagator::new(model, k, Propagation::default()))]
    };
    if !few.has_networks() {
        return Ok(Ensemble::new(propagator(0), compute.threads)?);
    }
    let candidates = config.candidates();
    let mut ensemble = Ensemble::of_kinds(&candidates, &config.network, data, k, compute)?;
    config.start(&mut ensemble)?;
    if few.has(Method::Propagation) {
        ensemble.add(propagator(candidates.len()));
    }
    Ok(ensemble)
}

fn communities(
    data: &Prepared,
    config: &ValidConfig,
    threads: &Threads<'_>,
    observer: &dyn Observer,
) -> Result<Option<Voters>, RunError> {
    let (k, count, n_threads) = (config.n_clusters, config.n_communities(), config.compute.threads);
    if count == 0 {
        return Ok(None);
    }
    observer.step(&Step::Communities);
    let found = Voters::find(data, k, count, n_threads, observer)?;
    let settle = |voters| settled(voters, data, (k, n_threads), threads, observer);
    found.map(settle).transpose()
}

/// The votes of the given labels along the neighbour graph.
fn propagated(
    data: &Prepared,
    known: &PseudoLabels,
    k: usize,
    threads: usize,
    observer: &dyn Observer,
) -> Result<Votes, RunError> {
    let model = Propagator::new(ModelIdx(0), k, Propagation::default());
    let mut ensemble = Ensemble::new(vec![Box::new(model)], threads)?;
    let once = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
    // Its number is that of a candidate, so it keeps out of their checkpoints.
    let progress = Apart::unhurried_and_unkept(observer);
    ensemble.train(data, &once, std::slice::from_ref(known), &progress)?;
    Ok(Votes::from_answers(&ensemble.vote(data, 0, &progress)?)?)
}

/// The networks' answer in the last round.
fn answer(round: &Round, data: &Prepared, kinds: &[&'static str]) -> Answer {
    let (assignments, confidence) = (round.consensus.clone(), round.confidence.clone());
    let evidence = Evidence::of(&assignments, &[data]);
    let of = Chosen::Ensemble;
    let candidate = Candidate {
        of,
        assignments: assignments.clone(),
        confidence: confidence.clone(),
        evidence,
        cut: None,
        parts: Vec::new(),
    };
    Answer {
        chosen: of,
        assignments,
        confidence,
        pseudo_labels: round.pseudo_labels.clone(),
        rule: LabelRule::MiniClusters,
        kinds: kinds.to_vec(),
        candidates: vec![candidate],
        coherence: None,
        k_means: None,
        cut: None,
        parts: Vec::new(),
    }
}
