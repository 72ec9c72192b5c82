//! `consilience pseudo-label`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;
use consilience::from_votes::{Curve, VotesConfig, VotesOutcome};
use consilience::metrics::{CurvePoint, VotesContext, VotesMetrics};
use consilience::run_folder::{self, Destination, GivenVotes};
use consilience::{RunError, from_votes};
use consilience_data::{DataError, Truth, VotesInfo, VotesReader, read_labels};
use consilience_graph::{Extraction, Signatures, SignaturesBuilder, Threads, ValidAgreement};

use super::look::Look;
use super::text::{columns, count, duration, percent, plural, table};
use super::{PseudoLabelArgs, answer, interrupt, k_range, settings, summary};

/// Votes to pseudo-labels and a consensus, in a run folder. Everything that can be refused is refused as early as it
/// can be known.
pub(super) fn run(args: &PseudoLabelArgs) -> Result<ExitCode> {
    let start = Instant::now();
    interrupt::install()?;
    let config = settings::for_votes(args)?;
    if args.k_range.is_none() {
        settings::given_k(config.n_clusters)?;
    }
    let destination = Destination::new(args.out.as_deref())?;
    let n_threads = args.threads.unwrap_or_else(settings::cores);
    let threads = Threads::new(n_threads)?;
    let truth = if args.labels.is_empty() { None } else { Some(read_labels(&args.labels)?) };
    let reader = VotesReader::open(&args.votes)?;
    let agreement = config.agreement.check(reader.n_models());
    let agreement = agreement.map_err(|error| settings::hint(error.into()))?;
    let (name, models) = (reader.name().to_owned(), reader.models());

    let look = Look::new("{spinner} {msg}", args.told.quiet);
    let given = group(reader, &agreement, &threads, &look)?;
    if let Some(range) = &args.k_range {
        let rows = consilience::k_range::of_votes(
            &given.signatures,
            &config.agreement,
            range.ks(),
            &threads,
        )?;
        look.finish();
        answer(&k_range::text(&rows, args.told.json)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    check_truth(truth.as_ref(), &given.signatures, args)?;

    let mut curve = Vec::new();
    let whole = if args.no_curve { Curve::Needed } else { Curve::Whole };
    let outcome =
        from_votes(&given.signatures, &config, whole, &threads, |min_agree, extraction| {
            tell(&look, min_agree, extraction);
            curve.push(CurvePoint::of(min_agree, extraction, config.n_clusters, truth.as_ref()));
        })?;
    look.finish();

    let context = VotesContext {
        inputs: given.inputs,
        models,
        curve: curve.into_iter().collect::<Result<_, _>>()?,
        threads: n_threads,
        seconds: start.elapsed().as_secs_f64(),
    };
    let metrics = VotesMetrics::new(&outcome, &given.signatures, &config, context, truth.as_ref())?;
    let written = run_folder::config_toml("pseudo-label VOTES...", &config, &source(args))?;
    let staging = destination.stage(&name)?;
    interrupt::remove_on_exit(staging.leftovers());
    let votes = GivenVotes { signatures: &given.signatures, ids: &given.ids };
    run_folder::write_from_votes(staging.path(), &outcome, &votes, &metrics, &written)?;
    let folder = staging.publish()?;

    let text = if args.told.json {
        metrics.to_json()
    } else {
        text(&name, &metrics, &outcome, &config, &folder.display().to_string())
    };
    answer(&text)?;
    Ok(if metrics.complete { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Votes, as read.
struct Given {
    signatures: Signatures,
    /// What each of a model's clusters was called.
    ids: Vec<Vec<i64>>,
    inputs: Vec<VotesInfo>,
}

/// Reads votes a chunk at a time.
fn group(
    mut reader: VotesReader,
    agreement: &ValidAgreement,
    threads: &Threads,
    look: &Look,
) -> Result<Given> {
    let start = Instant::now();
    let mut builder = SignaturesBuilder::new(agreement);
    let mut n_samples = 0;
    while let Some(chunk) = reader.next_chunk()? {
        n_samples += chunk.clusters.ncols();
        let confidences = chunk.confidences.as_ref().map(|confidences| confidences.view());
        builder.push(chunk.clusters.view(), confidences, threads)?;
        look.mention(&format!("reading votes: {}", plural(n_samples, "sample")));
    }
    let inputs = reader.parts().to_vec();
    for input in inputs.iter().filter(|input| input.is_transposed) {
        let shown = input.path.display();
        look.say(&format!("{shown}: taken as transposed, with more samples than models"));
    }
    let n_models = reader.n_models();
    let ids = reader.finish()?;
    let signatures = builder.finish();
    look.say(&format!(
        "{} x {}: {}, read in {}",
        plural(n_samples, "sample"),
        plural(n_models, "model"),
        plural(signatures.len(), "distinct signature"),
        duration(start.elapsed().as_secs_f64()),
    ));
    Ok(Given { signatures, ids, inputs })
}

fn check_truth(
    truth: Option<&Truth>,
    signatures: &Signatures,
    args: &PseudoLabelArgs,
) -> Result<()> {
    let samples = signatures.n_samples();
    match truth.map(Truth::n_samples) {
        Some(labels) if labels != samples => {
            let source_name = paths(&args.labels).join(", ");
            Err(RunError::from(DataError::LabelCount { source_name, labels, samples }).into())
        }
        _ => Ok(()),
    }
}

fn tell(look: &Look, min_agree: u16, extraction: &Extraction) {
    let labels = &extraction.pseudo_labels;
    look.say(&format!(
        "min_agree {min_agree}: {} agreed on ({}), in {}",
        count(labels.len()),
        percent(labels.coverage()),
        plural(extraction.anchors.len(), "mini-cluster"),
    ));
}

fn source(args: &PseudoLabelArgs) -> run_folder::Source {
    run_folder::Source {
        data: paths(&args.votes),
        labels: paths(&args.labels),
        device: "cpu".into(),
    }
}

fn paths(paths: &[PathBuf]) -> Vec<String> {
    paths.iter().map(|path| path.display().to_string()).collect()
}

/// What a person reads in the end.
fn text(
    name: &str,
    metrics: &VotesMetrics,
    outcome: &VotesOutcome,
    config: &VotesConfig,
    folder: &str,
) -> String {
    let mut rows = vec![
        ("clusters", summary::sizes(&outcome.consensus.sizes())),
        ("confidence", format!("{:.3} on average", metrics.mean_confidence)),
        ("pseudo-labels", summary::pseudo_labels(&metrics.pseudo_labels)),
    ];
    if metrics.n_without_votes > 0 {
        let without = plural(metrics.n_without_votes, "sample");
        rows.push(("without votes", format!("{without}, left without cluster and label")));
    }
    if let Some(diversity) = metrics.rounds[0].diversity {
        let models = plural(metrics.n_models, "model");
        rows.push(("diversity", format!("{diversity:.3}: mean ARI of pairs of {models}")));
    }
    if let (Some(acc), Some(nmi), Some(ari)) = (metrics.acc, metrics.nmi, metrics.ari) {
        rows.push(("scores", summary::scores(acc, nmi, ari, metrics.pseudo_labels.acc)));
    }
    rows.push(("time", summary::time(metrics.seconds, metrics.threads, metrics.peak_rss_mb)));
    rows.push(("folder", folder.to_owned()));
    format!(
        "{name}: {} x {}, K = {}\n\n{}\n{}{}Next: {folder}/pseudo_labels.csv has the \
         samples agreed on, assignments.csv a cluster for every sample.\n",
        plural(metrics.n_samples, "sample"),
        plural(metrics.n_models, "model"),
        metrics.n_clusters,
        table(&rows),
        curve(&metrics.curve),
        advice(metrics, config),
    )
}

fn curve(points: &[CurvePoint]) -> String {
    if points.is_empty() {
        return String::new();
    }
    let scored = points.iter().any(|point| point.pseudo_labels.acc.is_some());
    let mut header = vec!["min_agree", "pseudo-labels", "coverage", "mini-clusters", "smallest"];
    header.extend(scored.then_some("ACC"));
    let rows = points.iter().map(|point| {
        let labels = &point.pseudo_labels;
        let mut row = vec![
            point.min_agree.to_string(),
            count(labels.count),
            percent(labels.coverage),
            point.n_found.to_string(),
            count(point.smallest),
        ];
        row.extend(scored.then(|| labels.acc.map_or("-".into(), |acc| format!("{acc:.4}"))));
        row
    });
    format!("Coverage against strictness:\n\n{}\n", columns(&header, rows))
}

/// What to try if mini-clusters are missing.
fn advice(metrics: &VotesMetrics, config: &VotesConfig) -> String {
    if metrics.complete {
        return String::new();
    }
    let found = metrics.pseudo_labels.sizes.iter().filter(|&&size| size > 0).count();
    let (k, used) = (metrics.n_clusters, metrics.consensus_min_agree);
    let looser = metrics.curve.iter().find(|point| point.complete);
    let way = looser.map_or("none finds all; try fewer clusters".into(), |point| {
        format!("the strictest to find all is --min-agree {}", point.min_agree)
    });
    format!(
        "Incomplete: at min_agree {} the models agree on only {found} of {k} mini-clusters; {way}.\n\
         The consensus starts from the mini-clusters of min_agree {used}.\n\n",
        config.agreement.min_agree,
    )
}
