//! What a person reads at the end of a run.

use std::path::Path;

use consilience::judge::Chosen;
use consilience::labelling::LabelRule;
use consilience::metrics::{GivenMetrics, ProfileMetrics, PseudoLabelMetrics, RoundMetrics};
use consilience::{Metrics, StopReason};

use super::style::{bold, count, duration, percent, plural, table, warning};
use super::{found_k, knowledge, left, views};

/// The summary of a run.
pub(super) struct Summary<'a> {
    /// The name of the data.
    pub(super) name: &'a str,
    pub(super) metrics: &'a Metrics,
    /// Number of samples in each cluster.
    pub(super) sizes: &'a [usize],
    /// Whether to say what every number of clusters would give.
    pub(super) all_ks: bool,
    /// Whether to say where the time went.
    pub(super) profile: bool,
}

impl Summary<'_> {
    /// The summary of the run in `folder`.
    pub(super) fn text(&self, folder: &Path) -> String {
        let metrics = self.metrics;
        let mut rows = vec![
            ("settings", kind(metrics.preset.as_deref().unwrap_or("none"))),
            ("cluster sizes", sizes(self.sizes)),
            ("confidence", format!("{:.3} on average", metrics.mean_confidence)),
            ("pseudo-labels", pseudo_labels(&metrics.pseudo_labels)),
        ];
        rows.extend(self.is_backed().then_some(("backed by", BACKED.into())));
        let found = metrics.granularity.as_ref();
        rows.splice(0..0, found.map(|found| ("clusters", found_k::row(found))));
        let given = metrics.given.as_ref();
        let title = |given: &GivenMetrics| match given.methods.is_empty() {
            true => "labels",
            false => "learnt from",
        };
        rows.splice(1..1, given.map(|given| (title(given), learnt_from(given))));
        rows.extend(metrics.held.as_ref().map(|held| ("known", knowledge::text(held))));
        rows.extend(strays(metrics).map(|text| ("strays", text)));
        rows.extend(self.far_off().map(|text| ("far off", text)));
        rows.extend(self.unsure().map(|text| ("unsure", text)));
        rows.extend(metrics.views.as_ref().map(|views| ("other views", views::text(views))));
        rows.extend(self.answer().map(|text| ("answer", text)));
        rows.extend(self.diversity().map(|text| ("diversity", text)));
        rows.extend(self.scores().map(|text| ("scores", text)));
        rows.push(("time", time(metrics.seconds, metrics.threads, metrics.peak_rss_mb)));
        rows.push(("stopped", self.stop()));
        let shown = metrics.profile.as_ref().filter(|_| self.profile);
        let profile = shown.map_or(String::new(), profile);
        let title = format!(
            "{}: {} x {}, K = {}",
            self.name,
            plural(metrics.n_samples, "sample"),
            plural(metrics.n_features.unwrap_or(0), "feature"),
            metrics.n_clusters,
        );
        let (rows, advice, left) = (table(&rows), self.advice(), left::text(folder));
        let found = found.map_or(String::new(), |found| found_k::table(found, self.all_ks));
        format!("{}\n\n{rows}\n{found}{profile}{advice}{left}", bold(&title))
    }

    /// Samples that would have hidden all others.
    fn far_off(&self) -> Option<String> {
        let first = self.metrics.first_far_off?;
        Some(match self.metrics.n_far_off {
            1 => format!(
                "sample {first} is so far from all others that they would be one point beside it; scaled without it, and pulled in"
            ),
            n => format!(
                "{n} samples (the first is {first}) are so far from all others that these would be one point beside them; scaled without them, and pulled in"
            ),
        })
    }

    /// Whether pseudo-labels don't depend on how strictly models have to agree.
    fn is_backed(&self) -> bool {
        self.metrics.pseudo_label_rule == LabelRule::Backed
    }

    /// That many samples could not be agreed on, if it is more than half of those without a label: then another bound is the
    /// lever.
    fn unsure(&self) -> Option<String> {
        let metrics = self.metrics;
        let unsure = metrics.n_samples - metrics.n_passing_gate;
        let unlabelled = metrics.n_samples - metrics.pseudo_labels.count;
        (2 * unsure > unlabelled && !self.is_backed()).then(|| {
            let unsure = plural(unsure, "sample");
            format!(
                "{unsure}: not all models' confidence exceeds --min-confidence; a lower one gives more labels"
            )
        })
    }

    /// Agreement is evidence only between models that err differently.
    fn diversity(&self) -> Option<String> {
        let rounds = &self.metrics.rounds;
        let (first, last) = (rounds.first()?.diversity?, rounds.last()?.diversity?);
        let models = plural(rounds.first()?.models.len(), "model");
        let warning = if first > 0.98 {
            "; nearly identical models: their agreement says little"
        } else {
            ""
        };
        let last =
            if rounds.len() > 1 { format!(", {last:.3} in the last") } else { String::new() };
        Some(format!(
            "mean ARI between {models}: {first:.3} in the first round{last} (1: identical){warning}"
        ))
    }

    /// Whose answer it is, and why.
    fn answer(&self) -> Option<String> {
        let answers = self.metrics.answers.as_ref().filter(|answers| answers.len() > 1)?;
        let of = |chosen| answers.iter().find(|answer| answer.of == chosen);
        let net = |chosen| of(chosen).map(|answer| answer.evidence.net());
        Some(match self.metrics.chosen? {
            Chosen::Ensemble => format!("that of the {}", self.members()),
            Chosen::AcrossKinds if self.metrics.views.is_some() => {
                format!("that of {} and all that vote on other views together", self.members())
            }
            Chosen::AcrossKinds => {
                format!("that of {} and communities of neighbours together", self.members())
            }
            Chosen::Communities => format!(
                "that of communities of neighbours, for which neighbours speak more ({:.2} nats) than with networks ({:.2})",
                net(Chosen::Communities)?,
                net(Chosen::AcrossKinds)?
            ),
            Chosen::KMeans => format!(
                "that of k-means, for which neighbours speak more ({:.2} nats) than for the models ({:.2})",
                net(Chosen::KMeans)?,
                net(Chosen::Ensemble)?
            ),
        })
    }

    /// What the members are, beside communities: without networks, mixtures.
    fn members(&self) -> &'static str {
        let is_mixture = |round: &RoundMetrics| {
            let kinds = round.models.iter().map(|model| model.kind);
            kinds.eq(round.models.iter().map(|_| Some("mixture")))
        };
        if self.metrics.rounds.last().is_some_and(is_mixture) { "mixtures" } else { "networks" }
    }

    fn scores(&self) -> Option<String> {
        let metrics = self.metrics;
        let all = scores(metrics.acc?, metrics.nmi?, metrics.ari?, metrics.pseudo_labels.acc);
        let given = metrics.given.as_ref().and_then(|given| given.accuracy);
        Some(match given {
            Some(accuracy) => {
                format!("accuracy {accuracy:.4} on samples without a given label; {all}")
            }
            None => all,
        })
    }

    fn stop(&self) -> String {
        let rounds = plural(self.metrics.rounds.len(), "round");
        match self.metrics.stop {
            StopReason::RoundLimit => format!("after {rounds}, the limit"),
            StopReason::Stable { ari_to_previous } => {
                format!(
                    "after {rounds}: the answer is stable (ARI {ari_to_previous:.4} to the previous round)"
                )
            }
            StopReason::Worse { information, best } => format!(
                "after {rounds}: one more told less of neighbours' clusters ({information:.3} nats, {best:.3} before), and wasn't taken"
            ),
            StopReason::WorseTogether { evidence, best } => format!(
                "after {rounds}: with one more, neighbours spoke less for the answer of all kinds ({evidence:.3} nats, {best:.3} before), and it wasn't taken"
            ),
            StopReason::TimeLimit => format!("after {rounds}, as the time was up"),
            StopReason::NoTraining => "after 1 round: there is nothing to train".into(),
            StopReason::NoCluster => format!(
                "after {rounds}, the limit; no round found {} mini-clusters",
                self.metrics.n_clusters
            ),
        }
    }

    /// What to try if mini-clusters are missing.
    fn advice(&self) -> String {
        if self.metrics.complete {
            return String::new();
        }
        let found = self.metrics.pseudo_labels.sizes.iter().filter(|&&size| size > 0).count();
        if self.is_backed() {
            return format!(
                "{} models of each kind stand behind only {found} of {} clusters, so some clusters have no pseudo-labels.\nTry {}more --models.\n\n",
                warning("Incomplete:"),
                self.metrics.n_clusters,
                if self.metrics.n_clusters > 2 { "fewer clusters, or " } else { "" },
            );
        }
        format!(
            "{} the models agree on only {found} of {} mini-clusters, so some clusters have no \
             pseudo-labels.\nTry a lower --min-agree or --min-confidence, or more --rounds{}{}.\n\n",
            warning("Incomplete:"),
            self.metrics.n_clusters,
            if self.metrics.n_clusters > 2 { "; or fewer clusters" } else { "" },
            if self.metrics.views.is_some() {
                "; or leave out a view that others contradict"
            } else {
                ""
            },
        )
    }
}

/// What stands behind pseudo-labels that don't come from mini-clusters.
const BACKED: &str =
    "most models of each kind, whatever --min-agree, --max-agree and --min-confidence say";

/// How many samples were left without a cluster.
pub(super) fn strays(metrics: &Metrics) -> Option<String> {
    let found = metrics.strays.as_ref()?;
    let left = plural(found.count, "sample");
    Some(match found.count {
        0 => "none; assignments.csv says how little each sample belongs anywhere".into(),
        _ => format!(
            "{left} ({}) without a cluster: a score of {:.4} or more",
            percent(found.share),
            found.threshold
        ),
    })
}

/// What labels there were, and how the other samples were learnt from.
fn learnt_from(given: &GivenMetrics) -> String {
    let methods: Vec<&str> = given.methods.iter().map(|method| method.name()).collect();
    let wrong = match given.contradicted {
        0 => String::new(),
        n => format!("; {} contradicted by the other samples", count(n)),
    };
    let (labels, classes) = (plural(given.count, "label"), plural(given.classes.len(), "class"));
    let by = match methods[..] {
        [] => String::new(),
        _ => format!(", by {}", methods.join(", ")),
    };
    format!("{labels} of {classes}{by}{wrong}")
}

/// What the settings of a preset are for, and how to have others.
fn kind(preset: &str) -> String {
    let kind = match preset {
        "image" => "images",
        "text" => "text",
        "embedding" => "embeddings",
        "tabular" => "tables",
        other => return format!("of preset {other}"),
    };
    format!("for {kind} (--preset chooses others)")
}

/// Where the time went: seconds and shares.
fn profile(profile: &ProfileMetrics) -> String {
    let ProfileMetrics { noise, forward, backward, optimiser, gpu, prediction, graph } = *profile;
    let parts = [
        ("batches, noise", noise),
        ("forward", forward),
        ("backward", backward),
        ("optimiser", optimiser),
        ("GPU", gpu),
        ("prediction", prediction),
        ("graph", graph),
    ];
    let total: f64 = parts.iter().map(|(_, seconds)| seconds).sum();
    let rows: Vec<_> = parts
        .into_iter()
        .filter(|&(_, seconds)| seconds > 0.0)
        .map(|(name, seconds)| (name, format!("{seconds:9.2} s  {:>6}", percent(seconds / total))))
        .collect();
    format!("Where the time went, summed over models that work side by side:\n\n{}\n", table(&rows))
}

/// The first sizes of clusters, and how many there are.
pub(super) fn sizes(sizes: &[usize]) -> String {
    let first: Vec<String> = sizes.iter().take(20).map(|&size| count(size)).collect();
    let more = sizes.len().saturating_sub(20);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let empty = sizes.iter().filter(|&&size| size == 0).count();
    let empty = if empty > 0 { format!("; {empty} empty") } else { String::new() };
    format!("{}{more}{empty}", first.join(" "))
}

pub(super) fn pseudo_labels(labels: &PseudoLabelMetrics) -> String {
    let found = labels.sizes.iter().copied().filter(|&size| size > 0);
    let smallest = found.clone().min().map_or(String::new(), |smallest| {
        let of = plural(found.count(), "mini-cluster");
        format!(", in {of}, the smallest of {}", count(smallest))
    });
    format!("{} ({} of the samples){smallest}", count(labels.count), percent(labels.coverage))
}

pub(super) fn scores(acc: f64, nmi: f64, ari: f64, labels: Option<f64>) -> String {
    let labels = labels.map_or(String::new(), |acc| format!("; pseudo-labels ACC {acc:.4}"));
    format!("ACC {acc:.4}, NMI {nmi:.4}, ARI {ari:.4}{labels}")
}

pub(super) fn time(seconds: f64, threads: usize, peak_rss_mb: Option<f64>) -> String {
    let memory = peak_rss_mb.map_or(String::new(), |mb| format!(", {mb:.0} MiB"));
    format!("{} on {}{memory}", duration(seconds), plural(threads, "thread"))
}
