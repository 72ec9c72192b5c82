//! One step of one network: what it minimises on a batch, in order.

use std::time::{Duration, Instant};

use ndarray::{ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::decoder::Decoder;
use super::dot_product::DotProduct;
use super::encoder::Encoder;
use super::losses::{
    Answers, cross_entropy, divergence, information_maximisation, softmax_backward,
    uniform_cross_entropy,
};
use super::optimiser::{Adam, Learn};
use crate::engine::batches::Batch;
use crate::engine::driver::Setup;
use crate::engine::noise::{Noise, Place};
use crate::engine::terms::{Loss, Term, View, looks_at};
use crate::members::params::ValidNetworkParams;
use crate::members::sizes::Prior;
use crate::members::weights::Weights;
use crate::numerics::elementary::vectorised;
use crate::numerics::matrix::{row_mut, set_lengths};
use crate::preparation::prepared::Prepared;
use crate::profile::Profile;

/// Whether a step by hand can have a term of this loss.
pub(crate) fn knows(loss: Loss) -> bool {
    matches!(
        loss,
        Loss::InformationMaximisation
            | Loss::DotProduct
            | Loss::Divergence
            | Loss::CrossEntropy
            | Loss::UniformCrossEntropy
            | Loss::Denoising
    )
}

/// Buffers for a network's steps, all of the same size: nothing is allocated from the second step on but small change.
#[derive(Debug)]
pub(super) struct Trainer {
    params: ValidNetworkParams,
    terms: Vec<Term>,
    prior: Prior,
    threads: usize,
    encoder: Encoder,
    decoder: Option<Decoder>,
    dot_product: Option<DotProduct>,
    /// To every view, in the order of [`View::ALL`].
    answers: [Answers; View::ALL.len()],
    pub(super) profile: Profile,
}

impl Trainer {
    /// A step's work is shared by `threads` of the current pool's threads, which changes no result.
    pub(super) fn new(mut setup: Setup<'_>, weights: &Weights, threads: usize) -> Self {
        debug_assert!(setup.terms.iter().all(|term| knows(term.loss)));
        let (n, labelled) = setup.rows;
        let rows = View::ALL.map(|view| match view {
            View::Labelled => labelled,
            view if looks_at(&setup.terms, view) => n,
            _ => 0,
        });
        let has = |loss| setup.terms.iter().any(|term| term.loss == loss);
        Self {
            params: setup.params.clone(),
            prior: setup.priors.remove(0),
            threads,
            encoder: Encoder::new(weights, rows),
            decoder: has(Loss::Denoising).then(|| Decoder::new(weights, n)),
            dot_product: has(Loss::DotProduct).then(|| DotProduct::new((n, weights.n_clusters()))),
            terms: setup.terms,
            answers: Default::default(),
            profile: Profile::default(),
        }
    }

    /// Moves the weights by one step of Adam; the loss before it.
    pub(super) fn step(
        &mut self,
        weights: &mut Weights,
        data: &Prepared,
        batch: &Batch<'_>,
        rate: f64,
    ) -> f64 {
        let mut adam = Adam::new(rate, self.threads);
        let loss = self.loss(weights, data, batch, &mut adam);
        self.profile.optimiser += adam.spent;
        self.profile.backward = self.profile.backward.saturating_sub(adam.spent);
        loss
    }

    /// Takes other weights of the same terms.
    pub(super) fn weigh(&mut self, terms: Vec<Term>) {
        debug_assert_eq!(terms.len(), self.terms.len());
        self.terms = terms;
    }

    /// The loss of one batch, the sum of its terms; every parameter's gradient goes to `learn`.
    pub(super) fn loss(
        &mut self,
        weights: &mut Weights,
        data: &Prepared,
        batch: &Batch<'_>,
        learn: &mut dyn Learn,
    ) -> f64 {
        let threads = self.threads;
        let mut clock = Instant::now();
        let mut lap = |spent: &mut Duration| {
            let now = Instant::now();
            *spent += now - clock;
            clock = now;
        };
        self.fill(data, batch);
        lap(&mut self.profile.noise);

        let last = View::Adversarial;
        self.encoder.forward(weights, View::Clean, last, threads);
        for (view, answers) in View::ALL.into_iter().zip(&mut self.answers) {
            answers.of(&self.encoder.logits(view));
        }
        self.encoder.gradient.fill(0.0);
        if looks_at(&self.terms, View::Adversarial) {
            lap(&mut self.profile.forward);
            self.move_against(weights, data, batch.samples);
            lap(&mut self.profile.backward);
            self.encoder.forward(weights, View::Adversarial, last, threads);
            self.answers[last as usize].of(&self.encoder.logits(last));
            self.encoder.gradient(last).fill(0.0);
        }
        let mut loss = 0.0;
        for index in 0..self.terms.len() {
            loss += self.term(self.terms[index], weights, batch);
        }
        lap(&mut self.profile.forward);

        let mut of_activations = &[][..];
        if let (Some(decoder), Some(of_decoder)) = (&mut self.decoder, &mut weights.decoder) {
            let corrupted = &self.answers[View::Corrupted as usize];
            decoder.backward(&mut self.encoder, of_decoder, corrupted, learn, threads);
            of_activations = &decoder.of_activations;
        }
        self.encoder.backward(weights, of_activations, learn, threads);
        lap(&mut self.profile.backward);
        loss
    }

    /// One term's share of the loss; its gradient is added to that of the logits.
    fn term(&mut self, term: Term, weights: &Weights, batch: &Batch<'_>) -> f64 {
        let Term { loss, weight, view } = term;
        let (clean, answers) = (&self.answers[View::Clean as usize], &self.answers[view as usize]);
        let encoder = &mut self.encoder;
        match loss {
            Loss::InformationMaximisation => {
                let (mu, gradient) = (self.params.im_mu, encoder.gradient(view));
                information_maximisation(answers, &self.prior, mu, weight, gradient)
            }
            Loss::DotProduct => {
                let dot_product = self.dot_product.as_mut().expect("made for this term");
                let loss = dot_product.loss([clean, answers], weight);
                let [of_clean, of_p] = dot_product.of_probabilities();
                softmax_backward(clean, &of_clean, encoder.gradient(View::Clean));
                softmax_backward(answers, &of_p, encoder.gradient(view));
                loss
            }
            Loss::Divergence => divergence(clean, answers, weight, encoder.gradient(view)),
            Loss::CrossEntropy => {
                cross_entropy(answers, batch.labelled.1, weight, encoder.gradient(view))
            }
            Loss::UniformCrossEntropy => {
                uniform_cross_entropy(answers, weight, encoder.gradient(view))
            }
            Loss::Denoising => {
                let decoder = self.decoder.as_mut().expect("made for this term");
                let of_decoder = weights.decoder.as_ref().expect("a term of a decoder");
                decoder.forward(encoder, weights, of_decoder, answers, self.threads)
            }
            #[allow(unreachable_patterns, reason = "unless there is a loss that it doesn't know")]
            unknown => unreachable!("{unknown}: refused before training, see knows"),
        }
    }

    /// Gathers the batch, and draws its noise and its directions.
    fn fill(&mut self, data: &Prepared, batch: &Batch<'_>) {
        let (params, threads, encoder) = (&self.params, self.threads, &mut self.encoder);
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let (std, radius, probe) =
            (params.noise_std as f32, params.radius as f32, params.probe as f32 * data.spread());
        for view in View::ALL {
            if encoder.rows(view).is_empty() {
                continue;
            }
            match view {
                View::Clean => gather(data, batch.samples, encoder.input(view)),
                View::Corrupted | View::Labelled => {
                    let labelled = view == View::Labelled;
                    let samples = if labelled { batch.labelled.0 } else { batch.samples };
                    gather(data, samples, encoder.input(view));
                    let place = |layer| Place::corrupted(batch.step, layer, labelled);
                    add_noise(batch.noise, place(0), std, encoder.input(view), threads);
                    for (layer, mut noise) in encoder.noise(view).enumerate() {
                        noise.fill(0.0);
                        add_noise(batch.noise, place(layer + 1), std, noise, threads);
                    }
                }
                View::Neighbour => gather(data, &batch.near(), encoder.input(view)),
                View::Moved => {
                    let image = params.moved_image().expect("a term of images");
                    let mut moved = encoder.input(view);
                    for (row, (&sample, by)) in batch.samples.iter().zip(batch.moves).enumerate() {
                        by.apply(image, data.features().row(sample), row_mut(&mut moved, row));
                    }
                }
                View::Random | View::Adversarial => {
                    let distances = data.neighbour_distances().unwrap_or(&[]);
                    let random = view == View::Random;
                    let length = |row: usize| {
                        if random { radius * distances[batch.samples[row]] } else { probe }
                    };
                    let mut moved = encoder.input(view);
                    moved.fill(0.0);
                    let place = Place::direction(batch.step);
                    add_noise(batch.perturbation, place, 1.0, moved.view_mut(), threads);
                    set_lengths(&mut moved, length);
                    add_samples(data, batch.samples, moved);
                }
            }
        }
    }

    /// Moves samples in the direction that changes the network's answer most: virtual adversarial training, with one
    /// power iteration (Miyato et al., 2018, algorithm 1). The view holds the probes and their answers.
    fn move_against(&mut self, weights: &Weights, data: &Prepared, samples: &[usize]) {
        let (view, answers) = (View::Adversarial, &self.answers);
        let gradient = self.encoder.gradient(view);
        divergence(&answers[View::Clean as usize], &answers[view as usize], 1.0, gradient);
        self.encoder.turn_into_gradient(weights, view, self.threads);
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let radius = self.params.radius as f32;
        let distances = data.neighbour_distances().unwrap_or(&[]);
        let mut moved = self.encoder.input(view);
        set_lengths(&mut moved, |row| radius * distances[samples[row]]);
        add_samples(data, samples, moved);
    }
}

/// Rows of the scaled features.
fn gather(data: &Prepared, samples: &[usize], mut out: ArrayViewMut2<'_, f32>) {
    for (row, &sample) in samples.iter().enumerate() {
        row_mut(&mut out, row).copy_from_slice(data.features().row(sample));
    }
}

fn add_samples(data: &Prepared, samples: &[usize], mut moves: ArrayViewMut2<'_, f32>) {
    for (row, &sample) in samples.iter().enumerate() {
        let moved = row_mut(&mut moves, row).iter_mut();
        moved.zip(data.features().row(sample)).for_each(|(moved, x)| *moved += x);
    }
}

/// Adds normal numbers of standard deviation `std`.
fn add_noise(
    noise: Noise,
    place: Place,
    std: f32,
    mut out: ArrayViewMut2<'_, f32>,
    threads: usize,
) {
    if std == 0.0 {
        return;
    }
    let add = |index: usize, values: &mut [f32]| {
        vectorised(
            #[inline(always)]
            || noise.add(place, index, std, values),
        );
    };
    if threads > 1 {
        let rows = out.axis_iter_mut(Axis(0)).into_par_iter().enumerate();
        rows.for_each(|(index, row)| add(index, row.into_slice().expect("rows are contiguous")));
    } else {
        (0..out.nrows()).for_each(|index| add(index, row_mut(&mut out, index)));
    }
}
