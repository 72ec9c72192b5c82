//! An encoder: what was learnt on a pretext, and makes an embedding of any sample.

use std::path::Path;

use candle_core::{DType, Tensor};
use consilience_data::{Features, Recipe, Seed, Stream};
use ndarray::{Array2, Axis, s};

use super::autoencoder::Autoencoder;
use super::batch::tensor;
use super::contrastive::Contrastive;
use super::description::{Description, FORMAT};
use super::encoders::{Network, Parameters};
use super::forecast::Forecast;
use super::masked::Masked;
use super::masked_words::MaskedWords;
use super::params::PretextParams;
use super::pretext::Pretext;
pub use super::training::Trained;
use super::training::{Task, train};
use super::windows::Windows;
use crate::engine::candle::{Parameter, to_host};
use crate::error::EnsembleError;
use crate::members::save::{Array, Arrays, save_described};
use crate::numerics::matrix::CHUNK;
use crate::preparation::transform::{Scaling, Transform, finite};
use crate::progress::{Progress, go_on};
use crate::threads::pool;

const SHIFT: &str = "scaling.shift";
const SCALE: &str = "scaling.scale";
const REACH: &str = "scaling.reach";
/// What its parameters' names begin with.
const NAME: &str = "encoder";

/// What was learnt on a pretext: from samples to an embedding.
///
/// # Example
///
/// ```
/// use consilience_data::{Seed, read_dataset};
/// use consilience_ensembles::{Encoder, Look, Pretext, PretextParams, Scaling};
///
/// let data = read_dataset(&["digits".into()], &[])?;
/// let look = Look::at(&data.features);
/// let shape = (data.features.n_samples(), data.features.n_features());
/// let mut params =
///     PretextParams::new(Pretext::Autoencoder, look.kind(), Scaling::Range, look.image(), shape);
/// params.epochs = 1;
/// let (encoder, _) = Encoder::train(&data.features, &data.recipe, &params, Seed(0), 1, &())?;
/// let embedding = encoder.embed(&data.features, 1, &())?;
/// assert_eq!((embedding.n_samples(), embedding.n_features()), (1797, 32));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Encoder {
    description: Description,
    transform: Transform,
    network: Box<dyn Network>,
    parameters: Vec<Parameter>,
}

impl Encoder {
    /// Trains an encoder on samples, shape (n_samples, n_features), that `recipe` made of files. The same for any number of `threads`.
    ///
    /// O(epochs n parameters); of convolutions, parameters count once for each place.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] for settings that can't be or don't fit the samples, [`EnsembleError::Diverged`], [`EnsembleError::Cancelled`], and
    /// [`EnsembleError::Threads`] if the threads can't be started. If the time is up, what has been learnt counts, if only little.
    pub fn train(
        features: &Features,
        recipe: &Recipe,
        params: &PretextParams,
        seed: Seed,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<(Self, Trained), EnsembleError> {
        let features = &features.unpacked(None)?;
        params.check(features)?;
        let description = Description::new(params, features.n_features(), seed, recipe);
        let (transform, _) = Transform::of_scaling(features, params.scaling);
        let scaled = finite(transform.scaled(&features.view()))?;
        pool(threads)?.install(|| {
            let mut rng = seed.rng(Stream::Weights { model: 0 });
            let mut parameters = Parameters::drawn(&mut rng);
            let network = description.architecture.build(&mut parameters, NAME)?;
            let own = parameters.learnt.len();
            let task = task(&description, &scaled, &*network, &mut parameters)?;
            let mut all = parameters.learnt;
            let learnt = train(&*task, &mut all, params, seed, progress)?;
            drop(task);
            // What the pretext alone needed stays behind.
            all.truncate(own);
            Ok((Self { description, transform, network, parameters: all }, learnt))
        })
    }

    /// Number of features that a sample has to have.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.transform.n_features()
    }

    /// Number of features of the embedding.
    #[must_use]
    pub fn width(&self) -> usize {
        self.description.params.width
    }

    /// Its settings.
    #[must_use]
    pub fn params(&self) -> &PretextParams {
        &self.description.params
    }

    /// How files became features.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.description.recipe
    }

    /// The embedding of samples, shape (n, width), `features` being unscaled as those that it was trained on: the same bits for the same samples, if their
    /// number before the first is a multiple of 1,000. O(n parameters).
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Width`] for another number of features, [`EnsembleError::Setting`] if values don't fit into 32-bit floats,
    /// [`EnsembleError::Cancelled`], [`EnsembleError::Threads`].
    pub fn embed(
        &self,
        features: &Features,
        threads: usize,
        progress: &dyn Progress,
    ) -> Result<Features, EnsembleError> {
        let scaled = self.transform.apply(features, threads)?;
        let windows = self.description.windows(self.n_features());
        let mut embedding = Array2::zeros((features.n_samples(), self.width()));
        pool(threads)?.install(|| {
            for (index, mut rows) in embedding.axis_chunks_iter_mut(Axis(0), CHUNK).enumerate() {
                go_on(progress)?;
                let first = index * CHUNK;
                let samples = first..first + rows.nrows();
                let codes = match windows {
                    Some(windows) => self.of_series(&scaled, samples, windows)?,
                    None => self.of_rows(&scaled, samples)?,
                };
                rows.assign(&codes);
            }
            Ok::<_, EnsembleError>(())
        })?;
        finite(embedding)
    }

    /// Codes of some samples; with variances behind the means, the means alone.
    fn of_rows(
        &self,
        scaled: &Features,
        samples: std::ops::Range<usize>,
    ) -> Result<Array2<f32>, EnsembleError> {
        let width = scaled.n_features();
        let rows = scaled.as_slice()[samples.start * width..samples.end * width].to_vec();
        Ok(self.codes(&tensor(rows, width)?)?.slice(s![.., ..self.width()]).to_owned())
    }

    /// Means of the codes of each series' windows, then their standard deviations (Snyder et al., *X-vectors*, ICASSP 2018).
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "a mean; f32 storage"
    )]
    fn of_series(
        &self,
        scaled: &Features,
        samples: std::ops::Range<usize>,
        windows: Windows,
    ) -> Result<Array2<f32>, EnsembleError> {
        let (starts, half) = (windows.starts(), self.width() / 2);
        let mut found = Array2::zeros((samples.len(), self.width()));
        for (mut row, sample) in found.rows_mut().into_iter().zip(samples) {
            let all = starts.iter().map(|&start| (sample, start));
            let codes = self.codes(&windows.halves(scaled, all)?.0)?;
            for (unit, codes) in codes.columns().into_iter().enumerate() {
                let n = codes.len() as f64;
                let mean = codes.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
                let variance =
                    codes.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
                row[unit] = mean as f32;
                row[half + unit] = variance.sqrt() as f32;
            }
        }
        Ok(found)
    }

    fn codes(&self, rows: &Tensor) -> Result<Array2<f32>, EnsembleError> {
        let codes = self.network.forward(rows)?;
        let (_, n, width) = codes.dims3()?;
        let values = codes.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
        Ok(Array2::from_shape_vec((n, width), values).expect("a value for every place"))
    }

    /// Writes it to one file in the safetensors format, with all that new data need: how files are read and scaled, the layers, the weights. The same
    /// encoder gives the same bytes.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Save`].
    pub fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        let Transform { shift, scale, reach, .. } = &self.transform;
        let mut arrays: Vec<Array> = vec![
            (SHIFT.into(), vec![shift.len()], shift.clone()),
            (SCALE.into(), vec![scale.len()], scale.clone()),
        ];
        arrays.extend(reach.map(|reach| (REACH.to_owned(), vec![1], vec![reach])));
        for parameter in &self.parameters {
            let (_, rows, columns) = parameter.value.dims3()?;
            let shape = if rows == 1 && !parameter.name.ends_with("weight") {
                vec![columns]
            } else {
                vec![rows, columns]
            };
            arrays.push((parameter.name.clone(), shape, to_host(&parameter.value)?));
        }
        let description = serde_json::to_string(&self.description).expect("plain data");
        save_described(&arrays, Some(description), path)
    }

    /// Reads what [`Encoder::save`] wrote.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Load`] for a file that is damaged, no encoder, or of another version.
    pub fn load(path: &Path) -> Result<Self, EnsembleError> {
        let mut arrays = Arrays::read(path)?;
        let text = arrays.description().ok_or_else(|| {
            arrays.damaged("it is no encoder; name a file that 'consilience embed' wrote")
        })?;
        let described: serde_json::Value =
            serde_json::from_str(text).map_err(|error| arrays.damaged(&error.to_string()))?;
        if described["format"] != FORMAT {
            let reason =
                format!("its format is {}, and this program reads {FORMAT}", described["format"]);
            return Err(arrays.damaged(&reason));
        }
        let description: Description = serde_json::from_value(described)
            .map_err(|error| arrays.damaged(&error.to_string()))?;
        let (shape, shift) = arrays.take(SHIFT)?;
        let n_features = shape.iter().product();
        let scale = arrays.take_vector(SCALE, n_features)?;
        let reach = arrays.has(REACH).then(|| arrays.take_vector(REACH, 1)).transpose()?;
        let reach = reach.map(|reach| reach[0]);
        if let Some(problem) = description.problem(n_features) {
            return Err(arrays.damaged(&problem));
        }
        let rows = matches!(description.params.scaling, Scaling::Rows | Scaling::CentredRows);
        let transform = Transform { shift, scale, reach, rows, projection: None, sparse: false };
        let mut parameters = Parameters::read(&mut arrays);
        let network = description.architecture.build(&mut parameters, NAME)?;
        let parameters = parameters.learnt;
        Ok(Self { description, transform, network, parameters })
    }
}

/// The pretext's own layers, on data as the encoder sees them.
fn task<'a>(
    description: &'a Description,
    scaled: &'a Features,
    network: &'a dyn Network,
    parameters: &mut Parameters<'_>,
) -> Result<Box<dyn Task + 'a>, EnsembleError> {
    let params = &description.params;
    Ok(match (params.pretext, description.windows(scaled.n_features())) {
        (Pretext::Autoencoder, _) => {
            Box::new(Autoencoder::new(scaled, params, network, parameters)?)
        }
        (Pretext::Contrastive, _) => {
            Box::new(Contrastive::new(scaled, params, network, parameters)?)
        }
        (Pretext::Forecast, Some(windows)) => {
            let width = params.width / 2;
            Box::new(Forecast::new(scaled, params, windows, network, width, parameters)?)
        }
        _ if params.vocabulary > 0 => {
            Box::new(MaskedWords::new(scaled, params, network, parameters)?)
        }
        _ => Box::new(Masked::new(scaled, params, network, parameters)?),
    })
}
