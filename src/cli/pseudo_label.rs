//! `consilience pseudo-label`.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use consilience::from_votes;
use consilience::from_votes::{VotesConfig, VotesOutcome};
use consilience::granularity::{DEFAULT, Granularity};
use consilience::k_range::of_votes;
use consilience::metrics::{Curve, CurvePoint, GranularityMetrics, Metrics, VotesContext, Work};
use consilience::report::REPORT;
use consilience::run_folder::{self, Destination, GivenVotes, RunFolder};
use consilience_data::{
    DataError, LabelsAs, PairedBy, SampleKeys, SampleLabels, Truth, VotesInfo, VotesReader,
    read_sample_labels, recipe_of_run,
};
use consilience_graph::{Extraction, Signatures, SignaturesBuilder, Strictness, Threads};

use super::graph::GraphFile;
use super::k_range::Clusters;
use super::left;
use super::look::Look;
use super::style::{bold, count, duration, percent, plural, table, warning};
use super::{
    PseudoLabelArgs, answer, curve, found_k, interrupt, knowledge, settings, summary, values,
    writing,
};

/// Reads votes, and labels them. Everything that can be refused is refused as early as it can be known.
pub(super) fn run(args: &PseudoLabelArgs) -> Result<ExitCode> {
    let start = Instant::now();
    let mut config = settings::for_votes(args)?;
    let n_threads = args.threads.unwrap_or_else(values::cores);
    let threads = Threads::watched(n_threads, &interrupt::cancelled)?;
    let clusters = settings::clusters_of_votes(args, &config)?;
    let all_ks = clusters.is_range();
    let destination = Destination::new(args.out.as_deref(), false)?;
    destination.held().inspect(|staging| interrupt::hold(staging));
    let graph = args.graph.as_deref().map(GraphFile::new).transpose()?;
    let labels = match args.labels.as_slice() {
        [] => None,
        files => {
            let mut options = args.reading.options().for_labels();
            options.labels_column.clone_from(&args.labels_column);
            // Votes of a run are of data whose ids are in a column that labels may have, too.
            let recipe = args.votes.first().and_then(|votes| recipe_of_run(votes));
            let of_data = recipe.and_then(|recipe| recipe.for_labels().id_column);
            options.id_column = options.id_column.or(of_data);
            Some(read_sample_labels(files, &options, LabelsAs::Truth, true)?)
        }
    };

    let look = look(args);
    let mut given = read(args, &config, labels.as_ref(), &threads, &look)?;
    // Votes of a run are of samples that it has names for.
    let run = run_of(&args.votes)?.filter(|run| run.n_samples() == given.signatures.n_samples());
    let truth = truth(&mut given, labels.as_ref(), &look)?;
    let keys = SampleKeys::new(
        given.signatures.n_samples(),
        given.samples.as_deref(),
        given.rows.as_deref(),
    );
    let links = args.links.knowledge(&given.name, &keys, None)?;
    let found = match knowledge::enough(clusters, &links.known, &keys)? {
        Clusters::Number(k) => {
            config.n_clusters = k;
            None
        }
        Clusters::Within(ks) => Some(seek(&given.signatures, ks, &threads)?),
    };
    config.n_clusters = found.as_ref().map_or(config.n_clusters, |found| found.k);
    let (k, truth) = (config.n_clusters, truth.as_ref());
    let agreement = config.agreement.check(given.signatures.n_models())?;
    let known = &links.known;
    let held = (!known.is_empty())
        .then(|| known.constraints().hold_signatures(&given.signatures, &agreement, &threads));
    let held = held.transpose()?;
    let signatures = held.as_ref().unwrap_or(&given.signatures);
    if let Some(graph) = &graph {
        graph.check(signatures, &config)?;
    }
    let mut points = Vec::new();
    let mut outcome = from_votes(signatures, &config, &threads, |min_agree, found| {
        tell(&look, min_agree, found);
        points.push(CurvePoint::of(min_agree, found, k, truth));
    })?;
    let (votes_of, n_models) = (|model| given.signatures.votes_of(model), signatures.n_models());
    let held_to = known.conclude_votes(&mut outcome, votes_of, n_models)?;
    let points: Vec<CurvePoint> = points.into_iter().collect::<Result<_, _>>()?;

    let recipe = run.as_ref().map(|run| &run.recipe);
    let votes = GivenVotes {
        signatures: &given.signatures,
        ids: &given.ids,
        samples: given.samples.as_deref(),
        rows: given.rows.as_deref(),
        recipe,
    };
    let context = VotesContext {
        inputs: given.inputs,
        models: given.models,
        threads: n_threads,
        seconds: start.elapsed().as_secs_f64(),
    };
    let mut metrics = Metrics::of_votes(&outcome, &given.signatures, &config, context, truth)?;
    metrics.held = held_to;
    metrics.granularity = found.as_ref().map(GranularityMetrics::of);
    if let Some(found) = metrics.granularity.as_mut().filter(|_| all_ks) {
        // More clusters than there are signatures can't be told apart.
        let ks = found.from..=found.to.min(signatures.len());
        look.mention("what each K would give");
        let rows = (!ks.is_empty()).then(|| of_votes(signatures, &config.agreement, ks, &threads));
        found.mini_clusters = rows.transpose()?;
    }
    metrics.set_curve(Curve { points: points.clone(), left_out: Vec::new() });
    let mut source = source(args, run.as_ref());
    links.enter(&mut source);
    let written = run_folder::config_toml("pseudo-label VOTES...", &config, &source)?;
    if !args.no_curve {
        let work = Work::of_votes(signatures, k);
        let asked = (signatures, &config.agreement, k);
        metrics.set_curve(Curve::follow(asked, points, work, &threads, truth, |min, found| {
            tell(&look, min, found);
        })?);
    }
    let staging = destination.stage(&given.name, |_| Ok(()))?;
    interrupt::hold(&staging);
    let folder = writing::publish(&staging, |folder| {
        run_folder::write_from_votes(folder, &outcome, &votes, &metrics, &written)?;
        run_folder::write_pairs(folder, known, votes.rows)?;
        Ok(vec![(REPORT.into(), "consilience report writes it".into())])
    })?;
    if let Some(graph) = &graph {
        graph.write(signatures, &config, &outcome.pseudo_labels)?;
    }
    look.finish();

    let text = if args.told.json {
        metrics.to_json()
    } else {
        text(&given.name, &metrics, &outcome, (&config, all_ks), &folder)
    };
    answer(&text)?;
    Ok(if metrics.complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Finds how many clusters there are in votes.
fn seek(
    signatures: &Signatures,
    ks: RangeInclusive<usize>,
    threads: &Threads<'_>,
) -> Result<Granularity> {
    let (from, to) = (*ks.start(), *ks.end());
    let n = signatures.n_samples();
    if ks != DEFAULT && to > n {
        bail!("-k {from}..{to}: there are only {n} samples; give a range within 2..{n}");
    }
    Ok(Granularity::of_votes(signatures, ks, threads)?)
}

/// The run whose votes these are, if there is one.
fn run_of(votes: &[PathBuf]) -> Result<Option<RunFolder>> {
    match votes {
        [one] if one.join(run_folder::CONFIG).is_file() => Ok(Some(RunFolder::open(one)?)),
        _ => Ok(None),
    }
}

fn look(args: &PseudoLabelArgs) -> Look {
    Look::new("{spinner} {msg}", args.told.quiet)
}

/// Votes, as read.
struct Given {
    /// What a run is called that has no other name.
    name: String,
    signatures: Signatures,
    /// A name for each model.
    models: Vec<String>,
    /// What each of a model's clusters was called.
    ids: Vec<Vec<i64>>,
    inputs: Vec<VotesInfo>,
    /// What samples are called, if the files say it.
    samples: Option<Vec<String>>,
    /// Which row of the data each is, if the files say that these aren't all rows in order.
    rows: Option<Vec<usize>>,
    /// The truth beside the votes.
    beside: Result<Option<Truth>, DataError>,
}

/// Reads votes a chunk at a time.
fn read(
    args: &PseudoLabelArgs,
    config: &VotesConfig,
    labels: Option<&SampleLabels>,
    threads: &Threads<'_>,
    look: &Look,
) -> Result<Given> {
    let start = Instant::now();
    args.votes.iter().try_for_each(|votes| run_folder::verify_found(votes))?;
    let n_known = args.samples.or(labels.map(SampleLabels::n_samples));
    let mut reader = VotesReader::open_on(&args.votes, n_known, &args.reading.options())?;
    let agreement = config.agreement.check(reader.n_models());
    let agreement = agreement.map_err(|error| settings::hint(error.into()))?;
    let mut builder = SignaturesBuilder::new(&agreement);
    let (mut n_samples, mut are_sure) = (0, true);
    while let Some(chunk) = reader.next_chunk()? {
        interrupt::go_on()?;
        n_samples += chunk.clusters.ncols();
        let confidences = chunk.confidences.as_ref().map(|confidences| confidences.view());
        are_sure &= confidences.is_none();
        builder.push(chunk.clusters.view(), confidences, threads)?;
        look.mention(&format!("reading votes: {}", plural(n_samples, "sample")));
    }
    let (name, models) = (reader.name().to_owned(), reader.models());
    let inputs = reader.parts().to_vec();
    for input in &inputs {
        input.notes.iter().for_each(|note| look.note(&format!("{}: {note}", input.path.display())));
    }
    if are_sure && args.agreement.min_confidence.is_some() {
        look.note("--min-confidence: without effect, as the votes have no confidences");
    }
    check_samples(n_samples, args)?;
    // Where rows were left out, there are more labels.
    if let Some(labels) = labels.filter(|_| reader.rows().is_none()) {
        labels.check_count(&name, n_samples)?;
    }
    let (samples, rows) = (reader.ids().map(<[_]>::to_vec), reader.rows().map(<[_]>::to_vec));
    let beside = reader.truth();
    let ids = reader.finish()?;
    let signatures = builder.finish();
    look.say(&format!(
        "{} x {}: {}, read in {}",
        plural(n_samples, "sample"),
        plural(models.len(), "model"),
        plural(signatures.len(), "distinct signature"),
        duration(start.elapsed().as_secs_f64()),
    ));
    Ok(Given { name, signatures, models, ids, inputs, samples, rows, beside })
}

/// The number of samples has to be the one that was typed.
fn check_samples(found: usize, args: &PseudoLabelArgs) -> Result<()> {
    match args.samples {
        Some(samples) if samples != found => {
            bail!(
                "{}: {found} samples, but --samples {samples}; check the file, or leave --samples out",
                paths(&args.votes).join(", "),
            )
        }
        _ => Ok(()),
    }
}

/// The true classes: from files of labels, paired with the samples, else from beside the votes.
fn truth(given: &mut Given, labels: Option<&SampleLabels>, look: &Look) -> Result<Option<Truth>> {
    match labels {
        Some(labels) => {
            let (ids, rows) = (given.samples.as_deref(), given.rows.as_deref());
            let samples = SampleKeys::new(given.signatures.n_samples(), ids, rows);
            let (truth, by) = labels.truth_of(&given.name, &samples)?;
            if by == PairedBy::OrderAndIdsOfOne {
                look.note(
                    "--labels: paired with the votes row by row, as only one of them has ids",
                );
            }
            Ok(Some(truth))
        }
        None => Ok(std::mem::replace(&mut given.beside, Ok(None))?),
    }
}

fn tell(look: &Look, min_agree: Strictness, extraction: &Extraction) {
    let labels = &extraction.pseudo_labels;
    look.say(&format!(
        "min_agree {min_agree}: {} agreed on ({}), in {}",
        count(labels.len()),
        percent(labels.coverage()),
        plural(extraction.anchors.len(), "mini-cluster"),
    ));
}

fn source(args: &PseudoLabelArgs, run: Option<&RunFolder>) -> run_folder::Source {
    run_folder::Source {
        data: paths(&args.votes),
        labels: paths(&args.labels),
        device: "cpu".into(),
        data_hash: run.and_then(|run| run.source.data_hash.clone()),
        ..run_folder::Source::default()
    }
}

fn paths(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.display().to_string()).collect()
}

/// What a person reads in the end.
fn text(
    name: &str,
    metrics: &Metrics,
    outcome: &VotesOutcome,
    (config, all_ks): (&VotesConfig, bool),
    folder: &Path,
) -> String {
    let found = metrics.granularity.as_ref();
    let mut rows: Vec<_> =
        found.map(|found| ("clusters", found_k::row(found))).into_iter().collect();
    rows.extend([
        ("cluster sizes", summary::sizes(&outcome.consensus.sizes())),
        ("confidence", format!("{:.3} on average", metrics.mean_confidence)),
        ("pseudo-labels", summary::pseudo_labels(&metrics.pseudo_labels)),
    ]);
    rows.extend(metrics.held.as_ref().map(|held| ("known", knowledge::text(held))));
    if metrics.n_without_votes > 0 {
        let without = plural(metrics.n_without_votes, "sample");
        rows.push(("without votes", format!("{without}: no cluster and no label")));
    }
    let unsure = metrics.n_samples - metrics.n_without_votes - metrics.n_passing_gate;
    if unsure > 0 {
        let bound = config.agreement.min_confidence;
        let unsure = plural(unsure, "sample");
        rows.push((
            "unsure",
            format!("{unsure}: not all models' confidence exceeds --min-confidence {bound}"),
        ));
    }
    rows.extend(diversity(metrics).map(|text| ("diversity", text)));
    if let (Some(acc), Some(nmi), Some(ari)) = (metrics.acc, metrics.nmi, metrics.ari) {
        rows.push(("scores", summary::scores(acc, nmi, ari, metrics.pseudo_labels.acc)));
    }
    rows.push(("time", summary::time(metrics.seconds, metrics.threads, metrics.peak_rss_mb)));
    let more = match metrics.inputs.iter().flatten().count() {
        0 | 1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    let title = format!(
        "{name}{more}: {} x {}, K = {}",
        plural(metrics.n_samples, "sample"),
        plural(metrics.n_models, "model"),
        metrics.n_clusters,
    );
    let (rows, curve) = (table(&rows), curve::text(&metrics.curve, &metrics.curve_left_out));
    let advice = advice(metrics, config);
    let found = found.map_or(String::new(), |found| found_k::table(found, all_ks));
    format!("{}\n\n{rows}\n{found}{curve}{advice}{}", bold(&title), left::text(folder))
}

/// Agreement is evidence only between models that err differently.
fn diversity(metrics: &Metrics) -> Option<String> {
    let round = &metrics.rounds[0];
    let models = plural(metrics.n_models, "model");
    let equal = match round.n_equal_pairs.unwrap_or(0) {
        0 => String::new(),
        n => format!("; {} identical", plural(n, "pair")),
    };
    Some(format!("mean ARI between {models}: {:.3} (1: identical){equal}", round.diversity?))
}

/// What to try if mini-clusters are missing.
fn advice(metrics: &Metrics, config: &VotesConfig) -> String {
    if metrics.complete {
        return String::new();
    }
    let asked = config.agreement.min_agree;
    let found = metrics.pseudo_labels.sizes.iter().filter(|&&size| size > 0).count();
    let k = metrics.n_clusters;
    let more = if metrics.n_passing_gate < metrics.n_samples { " or --min-confidence" } else { "" };
    let fewer = if k > 2 { "fewer clusters, or " } else { "" };
    let looser = metrics.curve.iter().skip_while(|point| point.min_agree != asked);
    let way = looser
        .skip(1)
        .find(|point| point.complete)
        .map_or(format!("try {fewer}a lower --min-agree{more}"), |point| {
            format!("the highest that finds all is --min-agree {}", point.min_agree)
        });
    let consensus = match metrics.consensus_min_agree {
        None => "The consensus doesn't depend on them.".into(),
        Some(used) if found == 0 && used == asked => {
            "Without mini-clusters there is no consensus.".into()
        }
        Some(used) => format!("The consensus starts from the mini-clusters of --min-agree {used}."),
    };
    let incomplete = warning("Incomplete:");
    format!(
        "{incomplete} at --min-agree {asked} the models agree on only {found} of {k} mini-clusters; {way}.\n\
         {consensus}\n\n"
    )
}
