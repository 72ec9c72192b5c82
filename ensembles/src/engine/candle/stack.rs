//! Networks of one shape trained as one, and what they minimise in a step.

use candle_core::{DType, Device, Result, Tensor};

use super::adam;
use super::decoder::Decoder;
use super::encoder::{Corruption, Encoder, Pass};
use super::losses::{self, Seen};
use super::noise::Streams;
use super::ops::Way;
use super::parameters::{Parameter, Part};
use super::perturbation;
use crate::engine::noise::Place;
use crate::engine::terms::{Term, View};
use crate::members::params::ValidNetworkParams;
use crate::members::sizes::Prior;
use crate::members::weights::{self, Weights};

/// Networks of one shape, with one set of parameters, on a device.
#[derive(Debug)]
pub(crate) struct Stack {
    way: Way,
    params: ValidNetworkParams,
    /// What is minimised.
    terms: Vec<Term>,
    /// Over cluster sizes: ln(K prior), shape (models, 1, n_clusters).
    prior: Tensor,
    /// Feature values' spread (the root of their total variance), of which the probe's length is a multiple.
    spread: f32,
    pub(super) encoder: Encoder,
    decoder: Option<Decoder>,
    /// In the order of [`Weights::parameters`].
    pub(super) parameters: Vec<Parameter>,
}

/// What the models of a stack are shown in one step, each its own.
#[derive(Debug)]
pub(crate) struct Inputs {
    /// Counted within the epoch.
    pub(crate) step: u32,
    /// Shape (models, n, n_features).
    pub(crate) samples: Tensor,
    /// Distances to a neighbour, by which samples are moved, shape (models, n, 1); needed if a term moves samples.
    pub(crate) distances: Option<Tensor>,
    /// A neighbour of every sample, and every sample as a moved image, shapes as that of `samples`, where a term is of them.
    pub(crate) neighbours: Option<Tensor>,
    pub(crate) moved: Option<Tensor>,
    pub(crate) labelled: Option<Labelled>,
    /// Of corrupted views.
    pub(crate) noise: Streams,
    /// Of directions in which samples are moved.
    pub(crate) perturbation: Streams,
}

/// Samples with pseudo-labels.
#[derive(Debug)]
pub(crate) struct Labelled {
    /// Shape (models, n, n_features).
    pub(crate) samples: Tensor,
    /// Shape (models, n, 1), of type u32.
    pub(crate) labels: Tensor,
}

/// Values by the names of parameters, in the order of [`Weights::parameters`].
#[cfg(test)]
pub(crate) type Named = Vec<(String, Vec<f32>)>;

/// What a stack is made of beside the networks.
pub(crate) struct Blueprint<'a> {
    pub(crate) way: Way,
    pub(crate) params: &'a ValidNetworkParams,
    pub(crate) terms: Vec<Term>,
    /// Of every model.
    pub(crate) priors: &'a [Prior],
    /// That of the data, of [`crate::Prepared`].
    pub(crate) spread: f32,
    pub(crate) dtype: DType,
    pub(crate) device: &'a Device,
}

impl Stack {
    /// Copies what `members` have learnt to the device. They have the same shape, and were trained for as many steps.
    pub(crate) fn new(blueprint: Blueprint<'_>, members: &[&Weights]) -> Result<Self> {
        let Blueprint { way, params, terms, priors, spread, dtype, device } = blueprint;
        let mut parameters = Vec::new();
        let mut upload = |part: Part<'_>| {
            let of_models: Vec<_> = members.iter().map(|weights| part(weights)).collect();
            let parameter = Parameter::upload(&of_models, dtype, device)?;
            let tensor = parameter.value.as_tensor().clone();
            parameters.push(parameter);
            Ok(tensor)
        };
        let encoder = Encoder::upload(way, members[0], &mut upload)?;
        let decoder = match &members[0].decoder {
            None => None,
            Some(first) => Some(Decoder::upload(first, &mut upload)?),
        };
        let values: Vec<&[f32]> = priors.iter().map(Prior::log_multiples).collect();
        let prior = Tensor::from_vec(values.concat(), (priors.len(), 1, ()), device)?;
        let (params, prior) = (params.clone(), prior.to_dtype(dtype)?);
        Ok(Self { way, params, terms, prior, spread, encoder, decoder, parameters })
    }

    /// Writes everything back to where it came from.
    pub(crate) fn download(&self, members: &mut [&mut Weights]) -> Result<()> {
        let mut of_members: Vec<_> =
            members.iter_mut().map(|weights| weights.parameters_mut()).collect();
        for parameter in &self.parameters {
            let mut of_models: Vec<&mut weights::Parameter> = of_members
                .iter_mut()
                .map(|parameters| parameters.next().expect("as many parameters as were uploaded"))
                .collect();
            parameter.download(&mut of_models)?;
        }
        Ok(())
    }

    /// Takes other weights of the same terms.
    pub(crate) fn weigh(&mut self, terms: Vec<Term>) {
        debug_assert_eq!(terms.len(), self.terms.len());
        self.terms = terms;
    }

    /// Every model's loss of one step, shape (models): the sum of its terms.
    pub(super) fn losses(&self, inputs: &Inputs) -> Result<Tensor> {
        let clean = self.encoder.forward(&inputs.samples, None)?;
        let mut passes: Vec<(View, Pass)> = Vec::new();
        let mut total: Option<Tensor> = None;
        for term in &self.terms {
            if term.view != View::Clean && !passes.iter().any(|(view, _)| *view == term.view) {
                passes.push((term.view, self.pass(term.view, inputs, &clean)?));
            }
            let pass = passes.iter().find(|(view, _)| *view == term.view);
            let seen = Seen {
                way: self.way,
                clean: &clean,
                view: pass.map_or(&clean, |(_, pass)| pass),
                labels: inputs.labelled.as_ref().map(|labelled| &labelled.labels),
                decoder: self.decoder.as_ref(),
                prior: &self.prior,
                mu: self.params.im_mu,
            };
            let loss = (losses::of(term.loss, &seen)? * term.weight)?;
            total = Some(match total {
                None => loss,
                Some(total) => (total + loss)?,
            });
        }
        Ok(total.expect("every network has an objective"))
    }

    /// Sends a view of the batch up; `clean` is what became of the clean one.
    fn pass(&self, view: View, inputs: &Inputs, clean: &Pass) -> Result<Pass> {
        let missing = "every view that a term looks at is there";
        let forward = |input, corruption| self.encoder.forward(input, corruption);
        match view {
            View::Clean => forward(&inputs.samples, None),
            View::Corrupted => forward(&inputs.samples, self.corruption(inputs, false)),
            View::Labelled => {
                let labelled = inputs.labelled.as_ref().expect(missing);
                forward(&labelled.samples, self.corruption(inputs, true))
            }
            View::Neighbour => forward(inputs.neighbours.as_ref().expect(missing), None),
            View::Moved => forward(inputs.moved.as_ref().expect(missing), None),
            View::Random | View::Adversarial => {
                forward(&self.moved(view, inputs, &clean.logits)?, None)
            }
        }
    }

    /// The batch moved by small steps.
    fn moved(&self, view: View, inputs: &Inputs, logits: &Tensor) -> Result<Tensor> {
        let (way, samples) = (self.way, &inputs.samples);
        let distances = inputs.distances.as_ref().expect("measured before training");
        let place = Place::direction(inputs.step);
        let directions = inputs.perturbation.add_to(way, &samples.zeros_like()?, 1.0, place)?;
        let radii = (distances * self.params.radius)?;
        if view == View::Random {
            return perturbation::random(way, samples, &directions, &radii);
        }
        let probe = self.params.probe * f64::from(self.spread);
        let reach = (&radii, probe);
        perturbation::adversarial(way, &self.encoder, samples, logits, &directions, reach)
    }

    fn corruption<'a>(&self, inputs: &'a Inputs, labelled: bool) -> Option<Corruption<'a>> {
        let (std, step) = (self.params.noise_std, inputs.step);
        (std > 0.0).then_some(Corruption { std, streams: &inputs.noise, step, labelled })
    }

    /// Moves the models by one step of Adam along the gradients of their losses.
    pub(super) fn learn(&mut self, losses: &Tensor, rate: f64) -> Result<()> {
        let gradients = losses.sum_all()?.backward()?;
        adam::step(self.way, &mut self.parameters, &gradients, rate)
    }

    /// Every model's loss of one step, and the gradients of its parameters. A parameter that had no part in the loss is
    /// left out.
    #[cfg(test)]
    pub(crate) fn loss_and_gradients(&self, inputs: &Inputs) -> Result<(Vec<f32>, Vec<Named>)> {
        use super::parameters::to_host;

        let losses = self.losses(inputs)?;
        let gradients = losses.sum_all()?.backward()?;
        let losses = to_host(&losses)?;
        let mut of_models = vec![Vec::new(); losses.len()];
        for parameter in &self.parameters {
            let Some(gradient) = gradients.get(&parameter.value) else { continue };
            let values = to_host(gradient)?;
            let length = values.len() / losses.len();
            for (named, values) in of_models.iter_mut().zip(values.chunks_exact(length)) {
                named.push((parameter.name.clone(), values.to_vec()));
            }
        }
        Ok((losses, of_models))
    }
}
