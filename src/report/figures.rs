//! `metrics.json`, as the report reads it: whatever a run doesn't have is left out.

use askama::Template;
use askama::filters::HtmlSafe;
use serde::Deserialize;
use serde_json::Value;

use crate::RunError;
use crate::labelling::LabelRule;

/// Rows of numbers, some of which don't exist.
pub(super) type Matrix = Vec<Vec<Option<f64>>>;

/// Labels that a run learnt from.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Given {
    pub(super) count: usize,
    pub(super) classes: Vec<String>,
    /// Of each class; `None`: the first ones.
    pub(super) clusters: Option<Vec<usize>>,
    pub(super) contradicted: usize,
    pub(super) accuracy: Option<f64>,
}

/// A run in numbers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Figures {
    pub(super) n_samples: usize,
    pub(super) n_features: Option<usize>,
    pub(super) n_clusters: usize,
    pub(super) granularity: Option<Granularity>,
    pub(super) cut_of: Option<String>,
    pub(super) strays: Option<Strays>,
    pub(super) preset: Option<String>,
    pub(super) seed: Option<u64>,
    pub(super) device: Option<String>,
    pub(super) threads: Option<usize>,
    pub(super) seconds: Option<f64>,
    pub(super) peak_rss_mb: Option<f64>,
    pub(super) machine: Option<Machine>,
    pub(super) stop: Option<Stop>,
    pub(super) acc: Option<f64>,
    pub(super) nmi: Option<f64>,
    pub(super) ari: Option<f64>,
    pub(super) complete: bool,
    pub(super) chosen: Option<String>,
    pub(super) mean_confidence: Option<f64>,
    pub(super) given: Option<Given>,
    #[serde(default)]
    pub(super) n_far_off: usize,
    pub(super) n_without_votes: usize,
    pub(super) pseudo_labels: PseudoLabels,
    /// What these come from.
    pub(super) pseudo_label_rule: Option<LabelRule>,
    pub(super) parts: Option<Parts>,
    pub(super) graph: Option<Graph>,
    pub(super) curve: Vec<CurvePoint>,
    /// Numbers of models, or shares of them as text.
    pub(super) curve_left_out: Vec<Value>,
    pub(super) clusters: Vec<Cluster>,
    pub(super) confidence_histogram: Vec<usize>,
    pub(super) cluster_agreement: Option<Matrix>,
    pub(super) model_ari: Option<Matrix>,
    pub(super) confused_pairs: Option<Vec<Confused>>,
    pub(super) rounds: Vec<Round>,
    pub(super) scores: Option<Scores>,
}

/// Samples that belong nowhere.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Strays {
    pub(super) count: usize,
    pub(super) share: f64,
}

/// How K was found.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Granularity {
    pub(super) from: usize,
    pub(super) to: usize,
    /// 1 if the data show no structure.
    pub(super) shown: usize,
    pub(super) layers: Vec<Layer>,
}

/// A clustering that the data show.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Layer {
    pub(super) k: usize,
    pub(super) persistence: f64,
    pub(super) found_again: f64,
    pub(super) sizes: Vec<usize>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Machine {
    pub(super) os: String,
    pub(super) arch: String,
    pub(super) cpu: Option<String>,
    pub(super) cores: Option<usize>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Stop {
    pub(super) reason: String,
    pub(super) ari_to_previous: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct PseudoLabels {
    pub(super) count: usize,
    pub(super) coverage: f64,
    pub(super) acc: Option<f64>,
    pub(super) sizes: Vec<usize>,
}

/// Seconds of a run that had its votes given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parts {
    pub(super) extraction: f64,
    pub(super) looser: f64,
    pub(super) consensus: f64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Graph {
    pub(super) signatures: usize,
    pub(super) seconds: f64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct CurvePoint {
    /// A number of models, or a share of them as text.
    pub(super) min_agree: Value,
    pub(super) n_found: usize,
    pub(super) coverage: f64,
    pub(super) acc: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Cluster {
    pub(super) size: usize,
    pub(super) pseudo_labels: usize,
    pub(super) mean_confidence: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Confused {
    pub(super) class: String,
    pub(super) cluster: usize,
    pub(super) taken_for: Option<String>,
    pub(super) count: u64,
    pub(super) share: f64,
    pub(super) examples: Vec<usize>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Round {
    pub(super) seconds: Option<f64>,
    pub(super) models: Vec<Model>,
    pub(super) diversity: Option<f64>,
    pub(super) pseudo_labels: PseudoLabels,
    pub(super) ensemble_acc: Option<f64>,
    pub(super) consensus_ari_to_previous: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Model {
    /// Of votes that were given.
    pub(super) name: Option<String>,
    /// Of a model that was trained.
    pub(super) kind: Option<String>,
    pub(super) acc: Option<f64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Scores {
    pub(super) matching: Vec<Option<usize>>,
    pub(super) per_class: Vec<Class>,
    /// `None` of more than can be shown.
    pub(super) contingency: Option<Vec<Vec<u64>>>,
}

impl Scores {
    /// Whether there is a row for each class and a column for each cluster.
    fn fit(&self) -> bool {
        let n_classes = self.per_class.len();
        let table_fits = |table: &Vec<Vec<u64>>| {
            let n_columns = table.first().map_or(0, Vec::len);
            table.len() == n_classes
                && table.iter().all(|counts| counts.len() == n_columns)
                && self.matching.iter().flatten().all(|&cluster| cluster < n_columns)
        };
        self.matching.len() == n_classes && self.contingency.as_ref().is_none_or(table_fits)
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Class {
    pub(super) class: String,
    pub(super) size: u64,
    pub(super) cluster: Option<usize>,
    pub(super) precision: f64,
    pub(super) recall: f64,
}

impl Figures {
    /// Takes what there is of `metrics`.
    ///
    /// # Errors
    ///
    /// [`RunError::Folder`] for a number that is none, and tables that don't fit each other.
    pub(super) fn read(metrics: &Value, path: &std::path::Path) -> Result<Self, RunError> {
        let problem = |what: &dyn std::fmt::Display| RunError::Folder {
            path: path.join("metrics.json").display().to_string(),
            problem: format!("can't be shown: {what}; run 'consilience cluster' again"),
        };
        let figures = Self::deserialize(metrics).map_err(|error| problem(&error))?;
        match figures.misshapen() {
            Some(name) => {
                Err(problem(&format!("{name} is of another size than what it belongs to")))
            }
            None => Ok(figures),
        }
    }

    /// The first table that others don't fit, so that rows and columns can be looked up in all the rest.
    fn misshapen(&self) -> Option<&'static str> {
        let is_square = |matrix: &Option<Matrix>| {
            matrix.iter().all(|rows| rows.iter().all(|row| row.len() == rows.len()))
        };
        let fits = [
            ("cluster_agreement", is_square(&self.cluster_agreement)),
            ("model_ari", is_square(&self.model_ari)),
            ("scores", self.scores.as_ref().is_none_or(Scores::fit)),
        ];
        fits.into_iter().find(|(_, fits)| !fits).map(|(name, _)| name)
    }

    /// Number of models.
    pub(super) fn n_models(&self) -> usize {
        self.rounds.last().map_or(0, |round| round.models.len())
    }

    /// Whether the models were trained, rather than their votes given.
    pub(super) fn is_trained(&self) -> bool {
        self.n_features.is_some()
    }
}

/// A number on the page, with its place in `metrics.json`.
#[derive(Debug, Clone, Template)]
#[template(
    source = r#"<data value="{{ value }}" data-metric="{{ pointer }}">{{ text }}</data>"#,
    ext = "html"
)]
pub(super) struct Figure {
    /// A JSON pointer.
    pointer: String,
    /// As in the file.
    value: String,
    /// As a person reads it.
    text: String,
}

impl HtmlSafe for Figure {}

impl Figure {
    pub(super) fn new(
        pointer: impl Into<String>,
        value: impl std::fmt::Display,
        text: impl Into<String>,
    ) -> Self {
        Self { pointer: pointer.into(), value: value.to_string(), text: text.into() }
    }
}
