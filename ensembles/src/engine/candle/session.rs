//! The engine `candle`: on the CPU one network a session, on a GPU a stack of as many as it is asked for.

use std::time::{Duration, Instant};

use candle_core::{DType, Device, Result as TensorResult, Tensor};

use super::noise::Streams;
use super::open::while_training;
use super::ops::Way;
use super::stack::{Blueprint, Inputs, Labelled, Stack};
use crate::engine::batches::{Batch, Epoch};
use crate::engine::driver::{Engine, Session, Setup, Steps};
use crate::engine::terms::{Term, View, looks_at};
use crate::error::EnsembleError;
use crate::members::params::ValidNetworkParams;
use crate::members::weights::Weights;
use crate::preparation::moves::moved_tensor;
use crate::preparation::prepared::Prepared;
use crate::profile::Profile;

/// Steps composed of candle's operations, with its gradients.
#[derive(Debug)]
pub(crate) struct Candle {
    way: Way,
    /// Networks that are trained at once at most.
    at_once: usize,
    device: Device,
    /// On a GPU, the data.
    resident: Option<Resident>,
}

/// Data on a GPU, there for a whole run.
#[derive(Debug)]
struct Resident {
    /// Scaled features, shape (n_samples, n_features).
    features: Tensor,
    /// Every sample's distance to its neighbour, shape (n_samples, 1).
    distances: Option<Tensor>,
}

impl Candle {
    /// On the CPU.
    pub(crate) fn on_cpu() -> Self {
        let device = Device::Cpu;
        Self { way: Way::of(&device, DType::F32), at_once: 1, device, resident: None }
    }

    /// On a GPU, to which features and distances are copied; `at_once` networks are trained at once at most, by our own
    /// kernels if `kernels`. O(n d).
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Device`] if the GPU can't be used, [`EnsembleError::Tensor`] if it gives up.
    pub(crate) fn on_gpu(
        device: crate::device::Device,
        data: &Prepared,
        at_once: usize,
        kernels: bool,
    ) -> Result<Self, EnsembleError> {
        let device = device.open(kernels)?;
        let features = data.features();
        let shape = (features.n_samples(), features.n_features());
        let upload = |distances: &[f32]| Tensor::from_slice(distances, (shape.0, 1), &device);
        let resident = Resident {
            features: Tensor::from_slice(features.as_slice(), shape, &device)?,
            distances: data.neighbour_distances().map(upload).transpose()?,
        };
        let way = if kernels { Way::Kernels } else { Way::of(&device, DType::F32) };
        Ok(Self { way, at_once, device, resident: Some(resident) })
    }

    /// Several networks at once on the CPU, whichever way, as on a GPU.
    #[cfg(test)]
    pub(super) fn stacked(data: &Prepared, device: &Device, at_once: usize, way: Way) -> Self {
        let features = data.features();
        let shape = (features.n_samples(), features.n_features());
        let upload = |distances: &[f32]| Tensor::from_slice(distances, (shape.0, 1), device);
        let resident = Resident {
            features: Tensor::from_slice(features.as_slice(), shape, device).unwrap(),
            distances: data.neighbour_distances().map(upload).transpose().unwrap(),
        };
        Self { way, at_once, device: device.clone(), resident: Some(resident) }
    }
}

/// Networks on their way through a phase.
#[derive(Debug)]
pub(crate) struct CandleSession<'a> {
    engine: &'a Candle,
    data: &'a Prepared,
    params: &'a ValidNetworkParams,
    /// What the terms look at.
    views: Vec<View>,
    stack: Stack,
    networks: Vec<&'a mut Weights>,
    profile: Profile,
}

impl Engine for Candle {
    type Session<'a> = CandleSession<'a>;

    fn at_once(&self) -> usize {
        self.at_once
    }

    fn open<'a>(
        &'a self,
        setup: Setup<'a>,
        networks: Vec<&'a mut Weights>,
    ) -> Result<CandleSession<'a>, EnsembleError> {
        let Setup { data, params, terms, priors, .. } = setup;
        let looked_at = |view: &View| looks_at(&terms, *view);
        let views = View::ALL.into_iter().filter(looked_at).collect();
        let blueprint = Blueprint {
            way: self.way,
            params,
            terms,
            priors: &priors,
            spread: data.spread(),
            dtype: DType::F32,
            device: &self.device,
        };
        let members: Vec<&Weights> = networks.iter().map(|weights| &**weights).collect();
        let stack =
            Stack::new(blueprint, &members).map_err(|error| self.explained(error, &members))?;
        let profile = Profile::default();
        Ok(CandleSession { engine: self, data, params, views, stack, networks, profile })
    }
}

impl Candle {
    /// An error where it is one of a GPU's memory, says how many models it was too small for.
    fn explained<T>(&self, error: candle_core::Error, models: &[T]) -> EnsembleError {
        while_training(error, models.len())
    }
}

impl Session for CandleSession<'_> {
    fn epoch(
        &mut self,
        epochs: &[Epoch],
        rates: &[f64],
        go_on: &dyn Fn() -> bool,
    ) -> Result<Steps, EnsembleError> {
        let start = Instant::now();
        let done = match &self.engine.resident {
            Some(_) => {
                let done = self.on_gpu(epochs, rates, go_on);
                self.profile.gpu += start.elapsed();
                done
            }
            None => self.on_cpu(epochs, rates, go_on),
        };
        done.map_err(|error| self.engine.explained(error, &self.networks))
    }

    fn weigh(&mut self, terms: Vec<Term>) {
        self.stack.weigh(terms);
    }

    fn close(mut self) -> Result<Profile, EnsembleError> {
        let models = self.networks.len();
        self.stack.download(&mut self.networks).map_err(|error| while_training(error, models))?;
        Ok(self.profile)
    }
}

impl CandleSession<'_> {
    fn on_cpu(
        &mut self,
        epochs: &[Epoch],
        rates: &[f64],
        go_on: &dyn Fn() -> bool,
    ) -> TensorResult<Steps> {
        let (mut sum, mut taken) = (0.0, 0);
        for &rate in rates {
            let mut clock = Instant::now();
            let mut lap = |spent: &mut Duration| {
                let now = Instant::now();
                *spent += now - clock;
                clock = now;
            };
            let inputs = self.gathered(&epochs[0].batch(taken))?;
            lap(&mut self.profile.noise);
            let losses = self.stack.losses(&inputs)?;
            sum += f64::from(losses.to_vec1::<f32>()?[0]);
            lap(&mut self.profile.forward);
            self.stack.learn(&losses, rate)?;
            lap(&mut self.profile.backward);
            taken += 1;
            if !go_on() {
                break;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
        let losses = vec![sum / taken as f64];
        Ok(Steps { taken, losses })
    }

    /// What the only network is shown in a step, gathered from host memory.
    fn gathered(&self, batch: &Batch<'_>) -> TensorResult<Inputs> {
        let (features, width) = (self.data.features(), self.data.features().n_features());
        let rows = |samples: &[usize]| {
            let rows = samples.iter().flat_map(|&sample| features.row(sample));
            let mut values: Vec<f32> = Vec::with_capacity(samples.len() * width);
            values.extend(rows);
            Tensor::from_vec(values, (1, samples.len(), width), &Device::Cpu)
        };
        let moved = || {
            let image = self.params.moved_image().expect("a term of images");
            let mut values = vec![0.0; batch.samples.len() * width];
            let rows = values.chunks_exact_mut(width).zip(batch.samples);
            for ((moved, &sample), by) in rows.zip(batch.moves) {
                by.apply(image, features.row(sample), moved);
            }
            Tensor::from_vec(values, (1, batch.samples.len(), width), &Device::Cpu)
        };
        let distances = |distances: &[f32]| {
            let values = batch.samples.iter().map(|&sample| distances[sample]).collect();
            Tensor::from_vec(values, (1, batch.samples.len(), 1), &Device::Cpu)
        };
        let (labelled, labels) = batch.labelled;
        let of_labelled = || {
            let labels = Tensor::from_slice(labels, (1, labels.len(), 1), &Device::Cpu)?;
            TensorResult::Ok(Labelled { samples: rows(labelled)?, labels })
        };
        Ok(Inputs {
            step: batch.step,
            samples: rows(batch.samples)?,
            distances: self.data.neighbour_distances().map(distances).transpose()?,
            neighbours: self.wants(View::Neighbour).then(|| rows(&batch.near())).transpose()?,
            moved: self.wants(View::Moved).then(moved).transpose()?,
            labelled: self.wants(View::Labelled).then(of_labelled).transpose()?,
            noise: Streams::new(vec![batch.noise], &Device::Cpu)?,
            perturbation: Streams::new(vec![batch.perturbation], &Device::Cpu)?,
        })
    }

    fn wants(&self, view: View) -> bool {
        self.views.contains(&view)
    }

    /// Nothing is read from the device before the epoch's end.
    fn on_gpu(
        &mut self,
        epochs: &[Epoch],
        rates: &[f64],
        go_on: &dyn Fn() -> bool,
    ) -> TensorResult<Steps> {
        let plan = Plan::new(epochs, &self.views, &self.engine.device)?;
        let mut sum = Tensor::zeros(epochs.len(), DType::F64, &self.engine.device)?;
        let mut taken = 0;
        for &rate in rates {
            let losses = self.stack.losses(&self.looked_up(&plan, epochs, taken)?)?;
            sum = (sum + losses.detach().to_dtype(DType::F64)?)?;
            self.stack.learn(&losses, rate)?;
            taken += 1;
            if !go_on() {
                break;
            }
        }
        #[expect(clippy::cast_precision_loss, reason = "a number of steps")]
        let steps = taken as f64;
        let losses = sum.to_vec1::<f64>()?.into_iter().map(|sum| sum / steps).collect();
        Ok(Steps { taken, losses })
    }

    /// What every network is shown in a step, looked up on the GPU.
    fn looked_up(&self, plan: &Plan, epochs: &[Epoch], step: usize) -> TensorResult<Inputs> {
        let resident = self.engine.resident.as_ref().expect("a GPU has the data");
        let rows = |samples: &Tensor| -> TensorResult<Tensor> {
            resident.rows(&resident.features, &samples.get(step)?)
        };
        let samples = rows(&plan.samples)?;
        let distances = resident.distances.as_ref();
        let distances =
            distances.map(|of| resident.rows(of, &plan.samples.get(step)?)).transpose()?;
        let moved = || {
            let image = self.params.moved_image().expect("a term of images");
            let of_models = epochs.iter().flat_map(|epoch| epoch.batch(step).moves);
            let moves: Vec<_> = of_models.copied().collect();
            moved_tensor(image, &moves, &samples)
        };
        let labelled = |(samples, labels): &(Tensor, Tensor)| {
            let labels = labels.get(step)?.unsqueeze(2)?;
            TensorResult::Ok(Labelled { samples: rows(samples)?, labels })
        };
        Ok(Inputs {
            step: epochs[0].batch(step).step,
            distances,
            neighbours: plan.neighbours.as_ref().map(rows).transpose()?,
            moved: self.wants(View::Moved).then(moved).transpose()?,
            labelled: plan.labelled.as_ref().map(labelled).transpose()?,
            noise: plan.noise.clone(),
            perturbation: plan.perturbation.clone(),
            samples,
        })
    }
}

impl Resident {
    /// Rows of every model: (n_samples, width) and (models, n) to (models, n, width).
    fn rows(&self, values: &Tensor, samples: &Tensor) -> TensorResult<Tensor> {
        let (models, rows) = samples.dims2()?;
        values.index_select(&samples.flatten_all()?, 0)?.reshape((models, rows, ()))
    }
}

/// Which samples each network sees in which step of an epoch, on the device.
struct Plan {
    /// Shape (steps, models, n).
    samples: Tensor,
    /// A neighbour of each, in the same shape.
    neighbours: Option<Tensor>,
    /// Samples and labels, shape (steps, models, n) each.
    labelled: Option<(Tensor, Tensor)>,
    noise: Streams,
    perturbation: Streams,
}

impl Plan {
    fn new(epochs: &[Epoch], views: &[View], device: &Device) -> TensorResult<Self> {
        let (steps, models) = (epochs[0].steps(), epochs.len());
        let batches = || (0..steps).flat_map(|step| epochs.iter().map(move |e| e.batch(step)));
        #[expect(clippy::cast_possible_truncation, reason = "a sample's index is a u32")]
        let indices = |of: &dyn Fn(&Batch<'_>) -> Vec<usize>| {
            let values: Vec<u32> =
                batches().flat_map(|batch| of(&batch)).map(|sample| sample as u32).collect();
            Tensor::from_vec(values, (steps, models, ()), device)
        };
        let labels = || {
            let values: Vec<u32> = batches().flat_map(|batch| batch.labelled.1).copied().collect();
            Tensor::from_vec(values, (steps, models, ()), device)
        };
        let streams = |of: fn(&Epoch) -> crate::engine::noise::Noise| {
            Streams::new(epochs.iter().map(of).collect(), device)
        };
        Ok(Self {
            samples: indices(&|batch| batch.samples.to_vec())?,
            neighbours: match views.contains(&View::Neighbour) {
                true => Some(indices(&|batch| batch.near())?),
                false => None,
            },
            labelled: match views.contains(&View::Labelled) {
                true => Some((indices(&|batch| batch.labelled.0.to_vec())?, labels()?)),
                false => None,
            },
            noise: streams(|epoch| epoch.noise)?,
            perturbation: streams(|epoch| epoch.perturbation)?,
        })
    }
}
