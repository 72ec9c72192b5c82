//! Samples to predict: those of files of any size, or, where other views belong to them, of data that are read whole.

use anyhow::{Result, bail};
use consilience::{Prediction, Predictor, RunError, Voted};
use consilience_data::{
    DataHash, Dataset, Features, FeaturesChunk, FeaturesReader, PairedBy, Recipe, Truth,
    read_dataset_as,
};
use consilience_ensembles::CHUNK;

use super::style::plural;
use super::{PredictArgs, reading, views};

/// Rows that are predicted at a time, of data that are read whole: blocks as in training, so that a run's own data get the run's own answers.
const STEP: usize = 10 * CHUNK;

/// Samples to predict.
pub(super) enum Samples {
    /// Read some at a time.
    Stream(Box<FeaturesReader>),
    /// Read whole, with the other views of them.
    Whole(Box<Dataset>, Vec<Features>, Vec<String>),
}

impl Samples {
    /// Opens the files of the command line, of which `recipe` makes features. What doesn't fit the run is refused.
    pub(super) fn open(args: &PredictArgs, predictor: &Predictor, recipe: &Recipe) -> Result<Self> {
        let (run, expected) = (args.run.display(), predictor.n_features());
        let refuse = |name: &str, found: usize| {
            let found = plural(found, "feature");
            bail!("{name}: {found}, but the models of {run} take {expected}")
        };
        let mut recipe = recipe.clone();
        recipe.options.keep_sparse = predictor.keeps_sparse();
        let recipe = &recipe;
        let to_give: Vec<_> = predictor.views().collect();
        if to_give.is_empty() {
            if !args.views.is_empty() {
                bail!("--view: {run} has no views whose features are given; leave it out");
            }
            let reader = FeaturesReader::open(&args.data, &args.labels, recipe)?;
            return match reader.width().filter(|width| width.1 != expected) {
                Some((name, found)) => refuse(name, found),
                None => Ok(Self::Stream(Box::new(reader))),
            };
        }
        if to_give.len() != args.views.len() {
            let names: Vec<&str> = to_give.iter().map(|(name, ..)| *name).collect();
            return Err(RunError::Views { names: names.join(", "), given: args.views.len() }.into());
        }
        let data = read_dataset_as(&args.data, &args.labels, recipe)?;
        if data.features.n_features() != expected {
            return refuse(&data.name, data.features.n_features());
        }
        let mut notes: Vec<String> = reading::notes(&data).collect();
        let mut given = Vec::new();
        for (path, (name, width, recipe)) in args.views.iter().zip(to_give) {
            let view = read_dataset_as(std::slice::from_ref(path), &[], recipe)?;
            let (shown, found) = (path.display().to_string(), view.features.n_features());
            if found != width {
                let found = plural(found, "feature");
                bail!("{shown}: {found}, but the view {name} of {run} has {width}");
            }
            let (view, by) = view.as_view_of(&data, &shown)?;
            if by == PairedBy::OrderAndIdsOfOne {
                notes.push(format!("view {shown}: joined with the data {}", views::joined(by)));
            }
            given.push(view.features);
        }
        Ok(Self::Whole(Box::new(data), given, notes))
    }

    /// What the data are called.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Stream(reader) => reader.name(),
            Self::Whole(data, ..) => &data.name,
        }
    }

    /// Number of samples, if it is known.
    pub(super) fn n_samples(&self) -> Option<usize> {
        match self {
            Self::Stream(reader) => reader.n_samples(),
            Self::Whole(data, ..) => Some(data.features.n_samples()),
        }
    }

    /// Whether there may be a truth at the end.
    pub(super) fn may_have_truth(&self) -> bool {
        match self {
            Self::Stream(reader) => reader.may_have_truth(),
            Self::Whole(data, ..) => data.truth.is_some(),
        }
    }

    /// The true classes, if known, and how those of other files were paired with the samples. After the last of these.
    pub(super) fn truth(&self) -> Result<Option<(Truth, Option<PairedBy>)>> {
        Ok(match self {
            Self::Stream(reader) => reader.truth()?,
            Self::Whole(data, ..) => data.truth.clone().map(|truth| (truth, data.paired_by)),
        })
    }

    /// The hash of all features. After the last of these.
    pub(super) fn data_hash(&self) -> String {
        match self {
            Self::Stream(reader) => reader.data_hash(),
            Self::Whole(data, ..) => DataHash::of(&data.features),
        }
    }

    /// What a person has to know of how they were read. After the last of them.
    pub(super) fn notes(&self) -> &[String] {
        match self {
            Self::Stream(reader) => reader.notes(),
            Self::Whole(_, _, notes) => notes,
        }
    }

    /// Gives `take` what the models say of all of them, in order; with their votes, if these are asked for.
    pub(super) fn predict(
        &mut self,
        predictor: &Predictor,
        with_votes: bool,
        mut take: impl FnMut(&FeaturesChunk, &Prediction, Option<&Voted>) -> Result<()> + Send,
    ) -> Result<()> {
        match self {
            Self::Stream(reader) if with_votes => predictor
                .vote_chunks(reader, |chunk, voted| take(chunk, &voted.prediction, Some(voted))),
            Self::Stream(reader) => {
                predictor.predict_chunks(reader, |chunk, prediction| take(chunk, prediction, None))
            }
            Self::Whole(data, views, _) => {
                let n_samples = data.features.n_samples();
                for first in (0..n_samples).step_by(STEP) {
                    let rows = first..n_samples.min(first + STEP);
                    let chunk = FeaturesChunk::of(data, rows.clone())?;
                    let some = |view: &Features| view.rows(rows.clone(), "view");
                    let views = views.iter().map(some).collect::<Result<Vec<_>, _>>()?;
                    if with_votes {
                        let voted = predictor.vote_viewed(&chunk.features, &views)?;
                        take(&chunk, &voted.prediction, Some(&voted))?;
                    } else {
                        take(&chunk, &predictor.predict_viewed(&chunk.features, &views)?, None)?;
                    }
                }
                Ok(())
            }
        }
    }
}
