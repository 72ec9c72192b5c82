//! Models that were saved, for prediction.

use std::path::Path;

use consilience_data::{Features, ModelAnswers, ModelIdx, PseudoLabels};
use ndarray::Array2;

use crate::engine::inference::answers;
use crate::error::EnsembleError;
use crate::member::Model;
use crate::members::clusterer::{Clusterer, Phase};
use crate::members::communities::Communities;
use crate::members::kmeans::{CENTROIDS, KMeansModel};
use crate::members::mixture::{Mixture, WEIGHTS};
use crate::members::neighbour_vote::{LABELS, NeighbourVote};
use crate::members::save::{Arrays, save_weights};
use crate::members::weights::{EncoderLayer, Parameter, Statistics, Weights};
use crate::preparation::prepared::Prepared;
use crate::progress::Progress;

/// Reads a model that [`Clusterer::save`] wrote, of any of our kinds; `shape` is (n_features, n_clusters).
pub(crate) fn load(
    model: ModelIdx,
    path: &Path,
    shape: (usize, usize),
) -> Result<Model, EnsembleError> {
    let mut arrays = Arrays::read(path)?;
    if arrays.has(CENTROIDS) {
        let found = KMeansModel::read(model, &mut arrays)?;
        check_shape(&arrays, found.shape().unwrap_or_default(), shape)?;
        return Ok(Model::Other(Box::new(found)));
    }
    if arrays.has(LABELS) {
        let found = NeighbourVote::read(&mut arrays)?;
        check_shape(&arrays, (found.n_features(), found.n_clusters()), shape)?;
        return Ok(Model::Communities(Box::new(Communities::of_vote(model, found))));
    }
    if arrays.has(WEIGHTS) {
        let found = Mixture::read(model, &mut arrays)?;
        check_shape(&arrays, found.shape().unwrap_or_default(), shape)?;
        return Ok(Model::Other(Box::new(found)));
    }
    let weights = encoder(&mut arrays)?;
    check_shape(&arrays, (weights.widths()[0], weights.n_clusters()), shape)?;
    Ok(Model::Other(Box::new(LoadedNetwork { model, weights })))
}

fn check_shape(
    arrays: &Arrays,
    found: (usize, usize),
    expected: (usize, usize),
) -> Result<(), EnsembleError> {
    if found == expected {
        return Ok(());
    }
    let words = |(features, clusters)| format!("{features} features and {clusters} clusters");
    let (found, expected) = (words(found), words(expected));
    Err(arrays.damaged(&format!("it is for {found}, the run has {expected}")))
}

/// The layers that prediction goes through. The decoder and what an optimiser needs stay behind.
fn encoder(arrays: &mut Arrays) -> Result<Weights, EnsembleError> {
    let name = |index: usize, part: &str| format!("encoder.{index}.{part}");
    let layers = (0..).take_while(|&index| arrays.has(&name(index, "weight"))).count();
    if layers == 0 {
        return Err(arrays.damaged("it has no encoder.0.weight, and is no other kind of model"));
    }
    let mut encoder: Vec<EncoderLayer> = Vec::new();
    for index in 0..layers {
        let matrix = arrays.take_matrix(&name(index, "weight"))?;
        let (input, width) = matrix.dim();
        if encoder.last().is_some_and(|below| below.shift.value.len() != input) {
            let reason = format!("encoder.{index}.weight doesn't fit the layer below");
            return Err(arrays.damaged(&reason));
        }
        let mut vector = |part: &str| arrays.take_vector(&name(index, part), width);
        let parameter =
            |part: &str, shape: &[usize], values| Parameter::new(name(index, part), shape, values);
        let shift = parameter("shift", &[width], vector("shift")?);
        let is_last = index + 1 == layers;
        let scaled = is_last && arrays.has(&name(index, "scale"));
        let mut vector = |part: &str| arrays.take_vector(&name(index, part), width);
        let scale = scaled.then(|| vector("scale")).transpose()?;
        // Without normalisation only the last layer can be, and then it has no scale.
        let normalised = !is_last || scaled;
        let population = if normalised {
            let mean = vector("population.mean")?;
            Some(Statistics { mean, inverse_std: vector("population.inverse_std")? })
        } else {
            None
        };
        encoder.push(EncoderLayer {
            weight: parameter("weight", &[input, width], values(matrix)),
            shift,
            scale: scale.map(|values| parameter("scale", &[width], values)),
            normalised,
            population,
        });
    }
    Ok(Weights { encoder, decoder: None })
}

fn values(matrix: Array2<f32>) -> Vec<f32> {
    matrix.into_raw_vec_and_offset().0
}

/// A network that has been trained.
struct LoadedNetwork {
    model: ModelIdx,
    weights: Weights,
}

impl Clusterer for LoadedNetwork {
    fn kind(&self) -> &'static str {
        "network"
    }

    fn train(
        &mut self,
        _data: &Prepared,
        _phase: &Phase,
        _labels: &PseudoLabels,
        _progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        Err(EnsembleError::LoadedModel)
    }

    fn predict(&self, features: &Features) -> Result<ModelAnswers, EnsembleError> {
        self.predict_watched(features, &())
    }

    fn predict_watched(
        &self,
        features: &Features,
        progress: &dyn Progress,
    ) -> Result<ModelAnswers, EnsembleError> {
        let answers = answers(&self.weights, features, progress)?.map(Into::into);
        answers.ok_or(EnsembleError::NotFinite { model: self.model.0 })
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        save_weights(&self.weights, path)
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};

    use super::*;
    use crate::members::params::NetworkParams;

    /// A network of 3 features, 4 hidden units and 2 clusters, with statistics that rounding would change.
    fn weights() -> Weights {
        let params = NetworkParams { hidden: vec![4], ..NetworkParams::default() };
        let mut rng = Seed(3).rng(Stream::Projection);
        let mut weights = Weights::new(&params, 3, 2, &mut rng);
        for layer in weights.encoder.iter_mut().filter(|layer| layer.normalised) {
            let width = layer.shift.value.len();
            let variance: Vec<f32> = rng.normal(width).iter().map(|x| x * x).collect();
            layer.population = Some(Statistics::new(rng.normal(width), &variance));
            layer.shift.value = rng.normal(width);
        }
        weights
    }

    fn features() -> Features {
        let values = Seed(4).rng(Stream::Subset).normal(1500 * 3);
        Features::new(Array2::from_shape_vec((1500, 3), values).unwrap(), "x").unwrap()
    }

    #[test]
    fn a_saved_network_answers_with_the_same_bits() {
        let (folder, weights) = (tempfile::tempdir().unwrap(), weights());
        let path = folder.path().join("model.safetensors");
        save_weights(&weights, &path).unwrap();
        let mut loaded = load(ModelIdx(0), &path, (3, 2)).unwrap();
        let expected = answers(&weights, &features(), &()).unwrap().unwrap();
        assert_eq!(loaded.clusterer().predict(&features()).unwrap(), expected.into());
        let again = folder.path().join("again.safetensors");
        loaded.clusterer().save(&again).unwrap();
        let reloaded = load(ModelIdx(0), &again, (3, 2)).unwrap();
        assert_eq!(
            reloaded.clusterer().predict(&features()).unwrap(),
            loaded.clusterer().predict(&features()).unwrap()
        );
        let data = Prepared::new(&features(), crate::Scaling::None, Seed(1), 1).unwrap();
        let phase = Phase { round: 0, epochs: 1, anneal: false, most_steps: None };
        let refused = loaded.clusterer_mut().train(&data, &phase, &PseudoLabels::default(), &());
        assert!(matches!(refused, Err(EnsembleError::LoadedModel)));
    }

    /// What is wrong with a file of these tensors.
    fn problem(change: impl Fn(&mut Vec<(String, Vec<usize>, Vec<f32>)>)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        save_weights(&weights(), &path).unwrap();
        let mut file = Arrays::read(&path).unwrap();
        let mut arrays = Vec::new();
        for name in file.names() {
            let (shape, values) = file.take(&name).unwrap();
            arrays.push((name, shape, values));
        }
        change(&mut arrays);
        crate::members::save::save_arrays(&arrays, &path).unwrap();
        load(ModelIdx(0), &path, (3, 2)).err().unwrap().to_string()
    }

    #[test]
    fn damage_is_told() {
        let without = |part: &'static str| problem(|arrays| arrays.retain(|a| a.0 != part));
        assert!(without("encoder.0.weight").contains("no encoder.0.weight"));
        assert!(without("encoder.0.shift").contains("it has no encoder.0.shift"));
        let mean = without("encoder.0.population.mean");
        assert!(mean.contains("it has no encoder.0.population.mean"), "{mean}");
        let reshaped = problem(|arrays| {
            let weight = arrays.iter_mut().find(|a| a.0 == "encoder.0.weight").unwrap();
            weight.1 = vec![4, 3];
        });
        assert!(reshaped.contains("encoder.0.shift has the shape [4], expected [3]"), "{reshaped}");
        let cut = without("encoder.1.weight");
        assert!(cut.contains("for 3 features and 4 clusters, the run has"), "{cut}");
        let nan = problem(|arrays| arrays[0].2[0] = f32::NAN);
        assert!(nan.contains("aren't finite"), "{nan}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        save_weights(&weights(), &path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for bytes in [&bytes[..bytes.len() - 4], &bytes[..5], b""] {
            std::fs::write(&path, bytes).unwrap();
            let error = load(ModelIdx(0), &path, (3, 2)).err().unwrap().to_string();
            assert!(error.contains("can't be read as a model"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(load(ModelIdx(0), &path, (3, 2)).is_err());
    }
}
