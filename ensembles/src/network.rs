//! A network that clusters, and how it is trained: the ladder network and, with its decoder and noise off, a plain one.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Result as TensorResult, Tensor};
use consilience_data::{ModelIdx, PseudoLabels, Rng, SoftAssignments, Stream};
use ndarray::Array2;

use crate::adam::Adam;
use crate::decoder::Decoder;
use crate::encoder::{Encoder, Mode, Parameters};
use crate::labels::LabelCycle;
use crate::losses::{consistency, cross_entropy, information_maximisation, softmax};
use crate::perturbation::{self, Reach};
use crate::save::save_tensors;
use crate::{
    Clusterer, Consistency, EnsembleError, EpochEnd, Phase, Prepared, Progress, ValidNetworkParams,
};

/// A ladder network (or a plain one), its optimiser, and how long it has been trained.
pub struct Network {
    model: ModelIdx,
    kind: &'static str,
    params: ValidNetworkParams,
    encoder: Encoder,
    decoder: Option<Decoder>,
    parameters: Parameters,
    adam: Adam,
    /// Epochs over all phases, which number the random streams.
    epochs_done: u64,
    /// Whether a phase has ended well, so that population statistics are there.
    trained: bool,
}

impl Network {
    /// A network with random weights for samples like `data` and `n_clusters` clusters.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Tensor`] if its tensors can't be made.
    pub fn new(
        model: ModelIdx,
        kind: &'static str,
        params: ValidNetworkParams,
        data: &Prepared,
        n_clusters: usize,
    ) -> Result<Self, EnsembleError> {
        let mut widths = vec![data.features().n_features()];
        widths.extend(&params.hidden);
        widths.push(n_clusters);
        let mut rng = data.rng(Stream::Weights { model: model.0.into() });
        let mut parameters = Parameters::default();
        let encoder = Encoder::new(&widths, params.normalise_last, &mut rng, &mut parameters)?;
        let costs = denoising_costs(&params.denoising, widths.len());
        let decoder = costs
            .map(|costs| Decoder::new(&widths, &costs, &mut rng, &mut parameters))
            .transpose()?;
        let adam = Adam::new(parameters.variables())?;
        Ok(Self {
            model,
            kind,
            params,
            encoder,
            decoder,
            parameters,
            adam,
            epochs_done: 0,
            trained: false,
        })
    }

    /// One pass over the data; the mean loss. `rates` gives the learning rate of each step.
    fn epoch(
        &mut self,
        data: &Prepared,
        round: usize,
        labels: &mut Option<LabelCycle>,
        rates: &mut impl Iterator<Item = f64>,
    ) -> TensorResult<f64> {
        let (model, epoch) = (u64::from(self.model.0), self.epochs_done);
        let n = data.features().n_samples();
        let order = data.rng(Stream::Shuffle { model, epoch }).permutation(n);
        let mut streams = Streams {
            noise: data.rng(Stream::Noise { model, epoch }),
            perturbation: data.rng(Stream::Perturbation { model, epoch }),
        };
        let (mut sum, mut steps) = (0.0, 0u32);
        // A last, smaller batch waits for the next epoch's order: its statistics would be poor.
        for samples in order.chunks_exact(self.params.batch_size.min(n)) {
            let labelled = labels.as_mut().map(LabelCycle::next_batch);
            let loss = self.loss(data, samples, labelled, round, &mut streams)?;
            sum += f64::from(loss.to_scalar::<f32>()?);
            steps += 1;
            let gradients = loss.backward()?;
            self.adam.step(&gradients, rates.next().unwrap_or(self.params.learning_rate))?;
        }
        self.epochs_done += 1;
        Ok(sum / f64::from(steps))
    }

    /// The loss of one batch, a scalar: information maximisation and consistency, and, where they are at work, the
    /// decoder's cost and the pseudo-labels' cross-entropy.
    fn loss(
        &self,
        data: &Prepared,
        samples: &[usize],
        labelled: Option<(Vec<usize>, Vec<u32>)>,
        round: usize,
        streams: &mut Streams,
    ) -> TensorResult<Tensor> {
        let params = &self.params;
        let input = gather(data, samples)?;
        let clean = self.encoder.forward(&input, Mode::Batch)?;
        let mut loss = (information_maximisation(&clean.logits, params.im_mu)? * params.im_weight)?;

        let decoder = self.decoder.as_ref().filter(|_| round >= params.decoder_from_round);
        if decoder.is_some() || params.consistency == Consistency::NoiseKl {
            let corrupted = self.encoder.forward(&input, self.noise(streams))?;
            let information = information_maximisation(&corrupted.logits, params.im_mu)?;
            loss = (loss + (information * params.im_weight)?)?;
            if params.consistency == Consistency::NoiseKl {
                let change = consistency(&clean.logits, &corrupted.logits)?;
                loss = (loss + (change * params.consistency_weight)?)?;
            }
            if let Some(decoder) = decoder {
                loss = (loss + decoder.cost(&clean, &corrupted)?)?;
            }
        }
        if let Some(moved) = self.moved(data, samples, &input, &clean.logits, streams)? {
            let answer = self.encoder.forward(&moved, Mode::Batch)?.logits;
            let change = consistency(&clean.logits, &answer)?;
            loss = (loss + (change * params.consistency_weight)?)?;
        }
        if let Some((samples, labels)) = labelled {
            let input = gather(data, &samples)?;
            let corrupted = self.encoder.forward(&input, self.noise(streams))?;
            let cost = cross_entropy(&corrupted.logits, &labels)?;
            loss = (loss + (cost * params.label_weight)?)?;
        }
        Ok(loss)
    }

    /// The batch moved by small steps, if the consistency term asks for it.
    fn moved(
        &self,
        data: &Prepared,
        samples: &[usize],
        input: &Tensor,
        logits: &Tensor,
        streams: &mut Streams,
    ) -> TensorResult<Option<Tensor>> {
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let (radius, probe) = (self.params.radius as f32, self.params.probe as f32 * data.spread());
        let Some(distances) = data.neighbour_distances() else { return Ok(None) };
        let radii: Vec<f32> = samples.iter().map(|&sample| radius * distances[sample]).collect();
        let rng = &mut streams.perturbation;
        match self.params.consistency {
            Consistency::None | Consistency::NoiseKl => Ok(None),
            Consistency::Random => perturbation::random(input, &radii, rng).map(Some),
            Consistency::Adversarial => {
                let reach = Reach { radii: &radii, probe };
                perturbation::adversarial(&self.encoder, input, logits, reach, rng).map(Some)
            }
        }
    }

    fn need_distances(&self, data: &Prepared) -> Result<(), EnsembleError> {
        if !self.params.consistency.moves_samples() || data.neighbour_distances().is_some() {
            return Ok(());
        }
        Err(EnsembleError::Setting {
            name: "consistency",
            need: "data on which Prepared::measure_distances was called",
            got: format!("{:?}", self.params.consistency),
        })
    }

    fn need_trained(&self) -> Result<(), EnsembleError> {
        if self.trained { Ok(()) } else { Err(EnsembleError::Untrained { model: self.model.0 }) }
    }

    fn diverged(&self) -> EnsembleError {
        let (model, rate) = (self.model.0, self.params.learning_rate);
        EnsembleError::Diverged { model, epoch: self.epochs_done, rate }
    }

    fn noise<'a>(&self, streams: &'a mut Streams) -> Mode<'a> {
        if self.params.noise_std == 0.0 {
            return Mode::Batch;
        }
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let std = self.params.noise_std as f32;
        Mode::Corrupted { std, rng: &mut streams.noise }
    }
}

/// An epoch's random numbers.
struct Streams {
    noise: Rng,
    perturbation: Rng,
}

impl Clusterer for Network {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn train(
        &mut self,
        data: &Prepared,
        phase: &Phase,
        labels: &PseudoLabels,
        progress: &dyn Progress,
    ) -> Result<(), EnsembleError> {
        self.need_distances(data)?;
        let stream = Stream::Labels { model: self.model.0.into(), epoch: self.epochs_done };
        let mut cycle =
            LabelCycle::new(labels, self.params.label_batch_size, &mut data.rng(stream));
        let n = data.features().n_samples();
        let steps = phase.epochs * (n / self.params.batch_size.min(n));
        let rate = self.params.learning_rate;
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let share_left = move |step: usize| 1.0 - step as f64 / steps as f64;
        let anneal = phase.anneal;
        let mut rates = (0..steps).map(|step| if anneal { rate * share_left(step) } else { rate });
        for epoch in 0..phase.epochs {
            let loss = self.epoch(data, phase.round, &mut cycle, &mut rates)?;
            if !loss.is_finite() {
                return Err(self.diverged());
            }
            let (model, epochs) = (self.model, phase.epochs);
            progress.epoch_end(EpochEnd { model, epoch: epoch + 1, epochs, loss });
        }
        self.encoder.fit_population(data.features())?;
        self.trained = true;
        Ok(())
    }

    fn predict(&self, data: &Prepared) -> Result<SoftAssignments, EnsembleError> {
        self.need_trained()?;
        let n = data.features().n_samples();
        let mut probabilities = Vec::new();
        for logits in self.encoder.logits(data.features()) {
            probabilities.extend(softmax(&logits?)?.flatten_all()?.to_vec1::<f32>()?);
        }
        // The last step's weights have no loss that would show it.
        if !probabilities.iter().all(|probability| probability.is_finite()) {
            return Err(self.diverged());
        }
        let n_clusters = probabilities.len() / n;
        let shaped = Array2::from_shape_vec((n, n_clusters), probabilities);
        Ok(SoftAssignments::new(shaped.expect("a row of probabilities for every sample")))
    }

    fn save(&self, path: &Path) -> Result<(), EnsembleError> {
        self.need_trained()?;
        let mut tensors: HashMap<String, Tensor> =
            self.parameters.named().map(|(name, tensor)| (name.into(), tensor.clone())).collect();
        tensors.extend(self.encoder.population()?);
        save_tensors(&tensors, path)
    }
}

/// Rows of the scaled features, shape (samples, n_features).
fn gather(data: &Prepared, samples: &[usize]) -> TensorResult<Tensor> {
    let width = data.features().n_features();
    let mut rows = Vec::with_capacity(samples.len() * width);
    for &sample in samples {
        rows.extend_from_slice(data.features().row(sample));
    }
    Tensor::from_vec(rows, (samples.len(), width), &Device::Cpu)
}

/// One cost a layer, the last repeated; `None` if there is no decoder.
fn denoising_costs(costs: &[f64], layers: usize) -> Option<Vec<f64>> {
    let last = *costs.last()?;
    Some(costs.iter().copied().chain(std::iter::repeat(last)).take(layers).collect())
}
