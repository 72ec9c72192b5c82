//! Where networks start from: hidden layers, and what they are for.

use std::path::Path;

use consilience_data::{DataHash, Features, Stream};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use super::layers::{Layer, hidden_of};
use super::params::MetaParams;
use super::sketch::Sketch;
use crate::error::EnsembleError;
use crate::members::params::NetworkParams;
use crate::members::save::{Array, Arrays, save_described};
use crate::members::weights::Weights;
use crate::preparation::transform::Scaling;

/// The version of these files.
const FORMAT: u32 = 1;

/// Hidden layers that networks start from, for features on a scale.
///
/// The head isn't part of it: how many classes or clusters a task has, and how they are numbered, is the task's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Initialisation {
    hidden: Vec<Layer>,
    scaling: Scaling,
    learnt: Option<Learnt>,
}

/// How an initialisation was learnt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Learnt {
    /// The settings.
    pub params: MetaParams,
    /// Iterations done: fewer than in the settings if the time was up.
    pub iterations: usize,
    /// What the tasks were called, and what their data looked like.
    pub tasks: Vec<(String, Sketch)>,
}

/// What a file says beside the layers.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    format: u32,
    n_features: usize,
    hidden: Vec<usize>,
    scaling: Scaling,
    /// Of the layers.
    hash: String,
    learnt: Learnt,
}

impl Initialisation {
    pub(crate) fn learnt(hidden: Vec<Layer>, scaling: Scaling, learnt: Learnt) -> Self {
        Self { hidden, scaling, learnt: Some(learnt) }
    }

    /// The random layers that learning by `params` starts from, for features of this number on this scale.
    #[must_use]
    pub fn random(n_features: usize, scaling: Scaling, params: &MetaParams) -> Self {
        let network = NetworkParams {
            hidden: params.hidden.clone(),
            denoising: Vec::new(),
            ..NetworkParams::default()
        };
        let mut rng = params.seed.rng(Stream::Weights { model: 0 });
        let hidden = hidden_of(&Weights::new(&network, n_features, params.ways, &mut rng));
        Self { hidden, scaling, learnt: None }
    }

    /// The hidden layers of a network that an ensemble has saved at `path`, which saw features on this scale.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Load`] for a file that is missing, damaged or of another kind of model.
    pub fn of_network(path: &Path, scaling: Scaling) -> Result<Self, EnsembleError> {
        let mut arrays = Arrays::read(path)?;
        let mut hidden = read_layers(&mut arrays)?;
        if hidden.len() < 2 {
            return Err(arrays.damaged("it is no network with hidden layers"));
        }
        // The last is the head.
        hidden.pop();
        Ok(Self { hidden, scaling, learnt: None })
    }

    /// Writes it to `path`: the layers by the engines' names, and the rest as JSON in the metadata.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Save`] if the file can't be written, or if it wasn't learnt from tasks.
    pub fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        let Some(learnt) = self.learnt.clone() else {
            let reason = "it wasn't learnt from tasks".into();
            return Err(EnsembleError::Save { path: path.into(), reason });
        };
        let (n_features, hidden) = (self.n_features(), self.widths());
        let (scaling, hash) = (self.scaling, self.hash());
        let note = Note { format: FORMAT, n_features, hidden, scaling, hash, learnt };
        let note = serde_json::to_string(&note).expect("plain data");
        let arrays = self.hidden.iter().enumerate().flat_map(|(index, layer)| -> [Array; 2] {
            let (weight, shift) = (&layer.weight, &layer.shift);
            [
                (name(index, "weight"), weight.shape().to_vec(), weight.iter().copied().collect()),
                (name(index, "shift"), vec![shift.len()], shift.to_vec()),
            ]
        });
        save_described(&arrays.collect::<Vec<_>>(), Some(note), path)
    }

    /// Reads what [`Initialisation::save`] wrote.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Load`] for a file that is missing, damaged, of a newer version or something else.
    pub fn load(path: &Path) -> Result<Self, EnsembleError> {
        let mut arrays = Arrays::read(path)?;
        let Some(text) = arrays.description().map(str::to_owned) else {
            return Err(arrays.damaged(
                "it is no initialisation; name a file that 'consilience meta-train' has written",
            ));
        };
        #[derive(Deserialize)]
        struct Version {
            format: u32,
        }
        let damaged = |error: serde_json::Error| arrays.damaged(&error.to_string());
        let Version { format } = serde_json::from_str(&text).map_err(damaged)?;
        if format > FORMAT {
            let reason = format!(
                "it is of format {format}, and this version reads formats up to {FORMAT}; use the newer program"
            );
            return Err(arrays.damaged(&reason));
        }
        let note: Note = serde_json::from_str(&text).map_err(damaged)?;
        let hidden = read_layers(&mut arrays)?;
        let found = Self { hidden, scaling: note.scaling, learnt: Some(note.learnt) };
        let of_tasks = found.sketches().all(|(_, sketch)| {
            sketch.is_whole()
                && sketch.n_features() == note.n_features
                && sketch.scaling() == found.scaling
        });
        if found.hidden.is_empty()
            || found.n_features() != note.n_features
            || found.widths() != note.hidden
            || found.hash() != note.hash
            || !of_tasks
        {
            return Err(arrays.damaged("its layers aren't those that it says it has"));
        }
        Ok(found)
    }

    /// Number of features that it is for.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.hidden.first().map_or(0, |layer| layer.weight.nrows())
    }

    /// Widths of the hidden layers.
    #[must_use]
    pub fn widths(&self) -> Vec<usize> {
        self.hidden.iter().map(|layer| layer.shift.len()).collect()
    }

    /// How features have to be brought to a scale.
    #[must_use]
    pub fn scaling(&self) -> Scaling {
        self.scaling
    }

    /// How it was learnt, unless it is a network's of one run.
    #[must_use]
    pub fn how(&self) -> Option<&Learnt> {
        self.learnt.as_ref()
    }

    /// The tasks that it was learnt from, and what their data looked like.
    pub fn sketches(&self) -> impl Iterator<Item = (&str, &Sketch)> {
        let tasks = self.learnt.iter().flat_map(|learnt| &learnt.tasks);
        tasks.map(|(name, sketch)| (name.as_str(), sketch))
    }

    /// A hash of all values, such as `xxh3:` and 32 hexadecimal digits, to know it again. O(values).
    #[must_use]
    pub fn hash(&self) -> String {
        let layers = self.hidden.iter();
        let values: Vec<f32> =
            layers.flat_map(|layer| layer.weight.iter().chain(&layer.shift).copied()).collect();
        let column = Array2::from_shape_vec((values.len(), 1), values).expect("one column");
        DataHash::of(&Features::new(column, "layers").expect("finite, wherever they are from"))
    }

    pub(crate) fn hidden(&self) -> &[Layer] {
        &self.hidden
    }

    /// Puts the layers in place of those of `weights`, whose optimiser remembers nothing yet.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] with both widths if they differ.
    pub(crate) fn start(&self, weights: &mut Weights) -> Result<(), EnsembleError> {
        let (mut own, theirs) = (vec![self.n_features()], weights.widths());
        own.extend(self.widths());
        if own != theirs[..theirs.len() - 1] {
            return Err(EnsembleError::Setting {
                name: "init",
                need: "features and hidden layers as wide as those of the initialisation",
                got: format!(
                    "{own:?} to start from, and networks of {:?}",
                    &theirs[..theirs.len() - 1]
                ),
            });
        }
        for (layer, start) in weights.encoder.iter_mut().zip(&self.hidden) {
            layer.weight.value = start.weight.iter().copied().collect();
            layer.shift.value = start.shift.to_vec();
        }
        Ok(())
    }
}

fn name(index: usize, part: &str) -> String {
    format!("encoder.{index}.{part}")
}

/// All layers of an encoder, each as wide as the next one takes.
fn read_layers(arrays: &mut Arrays) -> Result<Vec<Layer>, EnsembleError> {
    let mut layers: Vec<Layer> = Vec::new();
    while arrays.has(&name(layers.len(), "weight")) {
        let index = layers.len();
        let weight = arrays.take_matrix(&name(index, "weight"))?;
        if layers.last().is_some_and(|below| below.shift.len() != weight.nrows()) {
            return Err(
                arrays.damaged(&format!("{} doesn't fit the layer below", name(index, "weight")))
            );
        }
        let shift = Array1::from(arrays.take_vector(&name(index, "shift"), weight.ncols())?);
        layers.push(Layer { weight, shift });
    }
    Ok(layers)
}
