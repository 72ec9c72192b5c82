//! How it was run, and how to do it again.

use consilience_data::{Missing, ReadOptions};

use super::figures::{Figure, Figures};
use super::numerals::{count, duration, plural};
use crate::run_folder::{CONFIG, RunFolder};

/// The last section.
pub(super) struct Provenance {
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) command: String,
    pub(super) phases: Vec<PhaseTime>,
    /// All settings, with their places in the file.
    pub(super) settings: Vec<(String, String)>,
}

/// A part of the time.
pub(super) struct PhaseTime {
    pub(super) name: String,
    pub(super) seconds: Figure,
    /// In per cent of all.
    pub(super) width: String,
}

impl Provenance {
    pub(super) fn of(run: &RunFolder, figures: &Figures) -> Self {
        let mut settings = Vec::new();
        let kept = run.config.iter().filter(|(name, _)| *name != "run");
        kept.for_each(|(name, value)| flatten(name.clone(), value, &mut settings));
        Self {
            facts: facts(run, figures),
            command: command(run, figures),
            phases: phases(figures),
            settings,
        }
    }
}

fn facts(run: &RunFolder, figures: &Figures) -> Vec<(&'static str, String)> {
    let list = |names: &[String]| names.join(", ");
    let width =
        figures.n_features.map_or(String::new(), |n| format!(" x {}", plural(n, "feature")));
    let mut facts = vec![
        ("data", list(&run.source.data)),
        ("size", plural(figures.n_samples, "sample") + &width),
    ];
    let views: Vec<String> = views(run).map(String::from).collect();
    facts.extend((!views.is_empty()).then(|| ("other views", list(&views))));
    facts.extend(figures.cut_of.clone().map(|run| ("another cut of", run)));
    if !run.source.labels.is_empty() {
        facts.push(("labels (for scores only)", list(&run.source.labels)));
    }
    if let Some(appended) = &run.appended {
        let data: Vec<String> = appended.parts.iter().flat_map(|part| part.data.clone()).collect();
        let samples = plural(appended.n_samples(), "sample");
        facts.push(("added since, not shown here", format!("{samples}: {}", list(&data))));
    }
    let models = plural(figures.n_models(), "model");
    facts.push((
        "models",
        kinds(figures).map_or(models.clone(), |kinds| format!("{models}: {kinds}")),
    ));
    facts.extend(figures.preset.clone().map(|preset| ("preset", preset)));
    facts.extend(figures.seed.map(|seed| ("seed", seed.to_string())));
    facts.extend(stop(figures).map(|stop| ("stopped", stop)));
    if let Some(seconds) = figures.seconds {
        let threads =
            figures.threads.map_or(String::new(), |n| format!(" on {}", plural(n, "thread")));
        facts.push(("time", duration(seconds) + &threads));
    }
    facts.extend(figures.peak_rss_mb.map(|mb| ("peak memory", format!("{mb:.0} MiB"))));
    if let Some(machine) = &figures.machine {
        let parts = [
            machine.cpu.clone(),
            machine.cores.map(|cores| plural(cores, "core")),
            Some(format!("{} {}", machine.os, machine.arch)),
        ];
        facts.push(("machine", parts.into_iter().flatten().collect::<Vec<_>>().join(", ")));
    }
    facts.extend(figures.device.clone().map(|device| ("device", device)));
    if let Some(graph) = &figures.graph {
        facts.push(("distinct patterns of votes", count(graph.signatures)));
    }
    let version = run.config.get("version").and_then(toml::Value::as_str);
    facts.extend(version.map(|version| ("version", format!("consilience {version}"))));
    facts
}

/// What views of the samples beside the data are called: their files, or their pretexts.
fn views(run: &RunFolder) -> impl Iterator<Item = &str> {
    let views = run.config.get("views").and_then(toml::Value::as_array);
    views.into_iter().flatten().filter_map(|view| view.get("name")?.as_str())
}

/// Kinds of the models that were trained, with their numbers.
fn kinds(figures: &Figures) -> Option<String> {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for model in &figures.rounds.last()?.models {
        let kind = model.kind.as_deref()?;
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, n)) => *n += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let told: Vec<String> = kinds.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn stop(figures: &Figures) -> Option<String> {
    let stop = figures.stop.as_ref()?;
    let rounds = plural(figures.rounds.len(), "round");
    if figures.cut_of.is_some() {
        return Some("nothing was trained: the run's votes were cut anew".into());
    }
    Some(match (stop.reason.as_str(), stop.ari_to_previous) {
        ("round_limit", _) => format!("after {rounds}, the limit"),
        ("stable", Some(ari)) => format!("after {rounds}: the last two agree, ARI {ari:.3}"),
        ("worse" | "worse_together", _) => {
            format!("after {rounds}: one more was worse, and wasn't taken")
        }
        ("no_cluster", _) => format!("after {rounds}, none of which found all groups"),
        ("no_training", _) => "nothing was trained: the votes were given".into(),
        (reason, _) => reason.into(),
    })
}

fn phases(figures: &Figures) -> Vec<PhaseTime> {
    let Some(all) = figures.seconds.filter(|&all| all > 0.0) else { return Vec::new() };
    let phase = |name: String, place: String, seconds: f64| PhaseTime {
        name,
        seconds: Figure::new(place, seconds, duration(seconds)),
        width: format!("{:.1}%", (100.0 * seconds / all).clamp(0.0, 100.0)),
    };
    let mut phases = Vec::new();
    if let Some(parts) = &figures.parts {
        for (name, place, seconds) in [
            ("votes to pseudo-labels", "/parts/extraction", parts.extraction),
            ("the same at lower strictness", "/parts/looser", parts.looser),
            ("consensus", "/parts/consensus", parts.consensus),
        ] {
            phases.push(phase(name.into(), place.into(), seconds));
        }
    }
    for (round, seconds) in figures.rounds.iter().enumerate() {
        if let Some(seconds) = seconds.seconds {
            let name = format!("round {}", round + 1);
            phases.push(phase(name, format!("/rounds/{round}/seconds"), seconds));
        }
    }
    let has_rounds = figures.rounds.iter().any(|round| round.seconds.is_some());
    if let Some(graph) = figures.graph.as_ref().filter(|_| has_rounds) {
        let name = "of these, votes to pseudo-labels".into();
        phases.push(phase(name, "/graph/seconds".into(), graph.seconds));
    }
    phases.push(phase("in all, including reading and preparing".into(), "/seconds".into(), all));
    phases
}

/// The command that repeats the run.
fn command(run: &RunFolder, figures: &Figures) -> String {
    if let Some(of) = &figures.cut_of {
        return format!("consilience cut {} -k {}", quoted(of), figures.n_clusters);
    }
    let name = match (figures.is_trained(), run.config.contains_key("few_labels")) {
        (true, true) => "train",
        (true, false) => "cluster",
        (false, _) => "pseudo-label",
    };
    let mut words = vec!["consilience".to_owned(), name.to_owned()];
    words.extend(run.source.data.iter().map(|path| quoted(path)));
    if !run.source.labels.is_empty() {
        words.push("--labels".into());
        words.extend(run.source.labels.iter().map(|path| quoted(path)));
    }
    words.extend(told(run));
    words.extend(views(run).map(|name| format!("--view {}", quoted(name))));
    words.push(format!("--config {CONFIG}"));
    if figures.is_trained() && run.source.device != "cpu" && !run.source.device.is_empty() {
        words.push(format!("--device {}", quoted(&run.source.device)));
    }
    if figures.is_trained() {
        words.extend(reading(&run.recipe.options));
    }
    words.join(" ")
}

/// The flags that say what the run was told beside the data.
fn told(run: &RunFolder) -> impl Iterator<Item = String> {
    let source = &run.source;
    let flags = [
        ("--labels-partial", &source.labels_partial),
        ("--must-link", &source.must_link),
        ("--cannot-link", &source.cannot_link),
        ("--init", &source.init),
    ];
    flags
        .into_iter()
        .filter_map(|(flag, value)| Some(format!("{flag} {}", quoted(value.as_ref()?))))
}

/// The flags that say how files are read.
fn reading(options: &ReadOptions) -> Vec<String> {
    let size = options.image_size.map(|[rows, columns]| format!("{rows}x{columns}"));
    let missing = match options.missing {
        Missing::Drop => Some("drop"),
        Missing::Mean => Some("mean"),
        _ => None,
    };
    let values: Vec<String> = options.missing_values.0.iter().map(f64::to_string).collect();
    let values = (!values.is_empty()).then(|| values.join(","));
    let flags = [
        ("--id-column", options.id_column.as_deref()),
        ("--label-column", options.label_column.as_deref()),
        ("--vector-column", options.vector_column.as_deref()),
        ("--text-column", options.text_column.as_deref()),
        ("--image-size", size.as_deref()),
        ("--encoding", options.encoding.as_deref()),
        ("--header", options.header.map(|header| if header { "yes" } else { "no" })),
        ("--decimal", options.decimal_comma.then_some(",")),
        ("--missing", missing),
        ("--missing-value", values.as_deref()),
    ];
    let flag = |(name, value): (&str, Option<&str>)| Some(format!("{name} {}", quoted(value?)));
    let ignored = options.ignored_columns.iter();
    let ignored = ignored.map(|name| format!("--ignore-column {}", quoted(name)));
    let one_hot = options.one_hot_columns.iter();
    let one_hot = one_hot.map(|name| format!("--one-hot {}", quoted(name)));
    flags.into_iter().filter_map(flag).chain(ignored).chain(one_hot).collect()
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_./:=+,@%".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Settings in tables, named `table.setting`.
fn flatten(name: String, value: &toml::Value, settings: &mut Vec<(String, String)>) {
    match value {
        toml::Value::Table(table) => {
            for (inner, value) in table {
                flatten(format!("{name}.{inner}"), value, settings);
            }
        }
        toml::Value::String(text) => settings.push((name, text.clone())),
        value => settings.push((name, value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::MissingValues;

    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_would_see_more_in_them() {
        assert_eq!(quoted("a/b-1.npy:x"), "a/b-1.npy:x");
        assert_eq!(quoted("my data; rm -rf 'x'"), r"'my data; rm -rf '\''x'\'''");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn how_files_were_read_is_said_again() {
        let options = ReadOptions {
            id_column: Some("file name".into()),
            text_column: Some("body".into()),
            image_size: Some([28, 14]),
            missing_values: MissingValues(vec![-9999.0, 0.5]),
            ..ReadOptions::default()
        };
        let words = [
            "--id-column 'file name'",
            "--text-column body",
            "--image-size 28x14",
            "--missing-value -9999,0.5",
        ];
        assert_eq!(reading(&options), words);
        assert!(reading(&ReadOptions::default()).is_empty());
    }
}
