//! One step of one network: what it minimises on a batch, in order.

use std::time::{Duration, Instant};

use ndarray::{ArrayViewMut2, Axis};
use rayon::prelude::*;

use super::decoder::Decoder;
use super::dot_product::DotProduct;
use super::encoder::{Encoder, Pass};
use super::losses::{
    Answers, consistency, cross_entropy, information_maximisation, softmax_backward,
};
use super::optimiser::{Adam, Learn};
use crate::engine::noise::{Noise, Place};
use crate::members::sizes::Prior;
use crate::members::weights::Weights;
use crate::numerics::elementary::vectorised;
use crate::numerics::matrix::row_mut;
use crate::preparation::shift::Shift;
use crate::profile::Profile;
use crate::{Consistency, Objective, Prepared, ValidNetworkParams};

/// What a network sees in one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) samples: &'a [usize],
    /// Pseudo-labelled samples, and their labels.
    pub(crate) labelled: (&'a [usize], &'a [u32]),
    /// For each of all samples, the neighbour that it is held against.
    pub(crate) neighbours: &'a [usize],
    /// By how many pixels images are moved, down and to the right.
    pub(crate) shift: [f32; 2],
    /// Counted within the epoch.
    pub(crate) step: u32,
    /// Of corrupted encoders.
    pub(crate) noise: Noise,
    /// Of directions in which samples are moved.
    pub(crate) perturbation: Noise,
}

/// Buffers for a network's steps, all of the same size: nothing is allocated from the second step on but small change.
#[derive(Debug)]
pub(crate) struct Trainer {
    params: ValidNetworkParams,
    prior: Prior,
    threads: usize,
    encoder: Encoder,
    decoder: Option<Decoder>,
    dot_product: Option<DotProduct>,
    clean: Answers,
    corrupted: Answers,
    labelled: Answers,
    neighbour: Answers,
    shifted: Answers,
    moved: Answers,
    pub(crate) profile: Profile,
}

impl Trainer {
    /// For `n` samples a step and `labelled` pseudo-labelled ones, in this round, with this `prior` over cluster sizes. A
    /// step's work is shared by `threads` of the current pool's threads, which changes no result.
    pub(crate) fn new(
        params: &ValidNetworkParams,
        weights: &Weights,
        prior: Prior,
        (n, labelled): (usize, usize),
        round: usize,
        threads: usize,
    ) -> Self {
        let decodes = weights.decoder.is_some() && round >= params.decoder_from_round;
        let corrupted = params.corrupts(decodes);
        let dot_product = params.objective == Objective::DotProduct;
        let moves = params.consistency.moves_samples();
        let near = params.neighbour_weight > 0.0;
        let rows = |wanted: bool| if wanted { n } else { 0 };
        let shifts = params.moved_image().is_some();
        let rows = [n, rows(corrupted), labelled, rows(near), rows(shifts), rows(moves)];
        Self {
            params: params.clone(),
            prior,
            threads,
            encoder: Encoder::new(weights, rows),
            decoder: decodes.then(|| Decoder::new(weights, n)),
            dot_product: dot_product.then(|| DotProduct::new((n, weights.n_clusters()))),
            clean: Answers::default(),
            corrupted: Answers::default(),
            labelled: Answers::default(),
            neighbour: Answers::default(),
            shifted: Answers::default(),
            moved: Answers::default(),
            profile: Profile::default(),
        }
    }

    /// Moves the weights by one step of Adam; the loss before it.
    pub(crate) fn step(
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

    /// The loss of one batch; every parameter's gradient goes to `learn`: the objective and consistency, and, where they are
    /// at work, the decoder's cost and the pseudo-labels' cross-entropy.
    pub(super) fn loss(
        &mut self,
        weights: &mut Weights,
        data: &Prepared,
        batch: &Batch<'_>,
        learn: &mut dyn Learn,
    ) -> f64 {
        let (threads, kind) = (self.threads, self.params.consistency);
        let (change_weight, label_weight) =
            (self.params.consistency_weight, self.params.label_weight);
        let mut clock = Instant::now();
        let mut lap = |spent: &mut Duration| {
            let now = Instant::now();
            *spent += now - clock;
            clock = now;
        };
        self.fill(data, batch);
        lap(&mut self.profile.noise);

        self.encoder.forward(weights, Pass::Clean, Pass::Moved, threads);
        self.clean.of(&self.encoder.logits(Pass::Clean));
        self.corrupted.of(&self.encoder.logits(Pass::Corrupted));
        self.encoder.gradient.fill(0.0);
        let mut loss = self.objective();

        if kind == Consistency::NoiseKl {
            let gradient = self.encoder.gradient(Pass::Corrupted);
            loss += consistency(&self.clean, &self.corrupted, change_weight, gradient);
        }
        if !batch.labelled.0.is_empty() {
            self.labelled.of(&self.encoder.logits(Pass::Labelled));
            let gradient = self.encoder.gradient(Pass::Labelled);
            loss += cross_entropy(&self.labelled, batch.labelled.1, label_weight, gradient);
        }
        if self.params.neighbour_weight > 0.0 {
            self.neighbour.of(&self.encoder.logits(Pass::Neighbour));
            let (weight, gradient) =
                (self.params.neighbour_weight, self.encoder.gradient(Pass::Neighbour));
            loss += consistency(&self.clean, &self.neighbour, weight, gradient);
        }
        if self.params.moved_image().is_some() {
            self.shifted.of(&self.encoder.logits(Pass::Shifted));
            let (weight, gradient) =
                (self.params.shift_weight, self.encoder.gradient(Pass::Shifted));
            loss += consistency(&self.clean, &self.shifted, weight, gradient);
        }
        if kind.moves_samples() {
            if kind == Consistency::Adversarial {
                self.moved.of(&self.encoder.logits(Pass::Moved));
                lap(&mut self.profile.forward);
                self.move_against(weights, data, batch.samples);
                lap(&mut self.profile.backward);
                self.encoder.forward(weights, Pass::Moved, Pass::Moved, threads);
            }
            self.moved.of(&self.encoder.logits(Pass::Moved));
            let mut gradient = self.encoder.gradient(Pass::Moved);
            gradient.fill(0.0);
            loss += consistency(&self.clean, &self.moved, change_weight, gradient);
        }
        lap(&mut self.profile.forward);

        let mut of_activations = &[][..];
        if let Some(decoder) = &mut self.decoder
            && let Some(mut of_decoder) = weights.decoder.take()
        {
            let (encoder, corrupted) = (&mut self.encoder, &self.corrupted);
            loss += decoder.forward(encoder, weights, &of_decoder, corrupted, threads);
            lap(&mut self.profile.forward);
            decoder.backward(encoder, &mut of_decoder, corrupted, learn, threads);
            weights.decoder = Some(of_decoder);
            of_activations = &decoder.of_activations;
        }
        self.encoder.backward(weights, of_activations, learn, threads);
        lap(&mut self.profile.backward);
        loss
    }

    /// What makes answers clusters, of clean answers and, if there are any, of corrupted ones.
    fn objective(&mut self) -> f64 {
        let (encoder, weight, mu) = (&mut self.encoder, self.params.im_weight, self.params.im_mu);
        let answers = [(Pass::Clean, &self.clean), (Pass::Corrupted, &self.corrupted)];
        if let Some(dot_product) = &mut self.dot_product {
            let loss = dot_product.loss(answers.map(|(_, answers)| answers), weight);
            for ((pass, answers), of_p) in answers.into_iter().zip(dot_product.of_probabilities()) {
                softmax_backward(answers, &of_p, encoder.gradient(pass));
            }
            return loss;
        }
        let mut loss = 0.0;
        for (pass, answers) in answers {
            if !encoder.rows(pass).is_empty() {
                let gradient = encoder.gradient(pass);
                loss += information_maximisation(answers, &self.prior, mu, weight, gradient);
            }
        }
        loss
    }

    /// Gathers the batch, and draws its noise and its directions.
    fn fill(&mut self, data: &Prepared, batch: &Batch<'_>) {
        let (params, threads, encoder) = (&self.params, self.threads, &mut self.encoder);
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let (std, radius, probe) =
            (params.noise_std as f32, params.radius as f32, params.probe as f32 * data.spread());
        gather(data, batch.samples, encoder.input(Pass::Clean));
        for (pass, samples) in
            [(Pass::Corrupted, batch.samples), (Pass::Labelled, batch.labelled.0)]
        {
            if encoder.rows(pass).is_empty() {
                continue;
            }
            gather(data, samples, encoder.input(pass));
            let place = |layer| Place::corrupted(batch.step, layer, pass == Pass::Labelled);
            add_noise(batch.noise, place(0), std, encoder.input(pass), threads);
            for (layer, mut noise) in encoder.noise(pass).enumerate() {
                noise.fill(0.0);
                add_noise(batch.noise, place(layer + 1), std, noise, threads);
            }
        }
        if params.neighbour_weight > 0.0 {
            let near: Vec<usize> =
                batch.samples.iter().map(|&sample| batch.neighbours[sample]).collect();
            gather(data, &near, encoder.input(Pass::Neighbour));
        }
        if let Some(image) = params.moved_image() {
            let shift = Shift::new(image, batch.shift);
            let mut shifted = encoder.input(Pass::Shifted);
            for (row, &sample) in batch.samples.iter().enumerate() {
                shift.apply(data.features().row(sample), row_mut(&mut shifted, row));
            }
        }
        if params.consistency.moves_samples() {
            let distances = data.neighbour_distances().unwrap_or(&[]);
            let random = params.consistency == Consistency::Random;
            let length = |row: usize| {
                if random { radius * distances[batch.samples[row]] } else { probe }
            };
            let mut moved = encoder.input(Pass::Moved);
            moved.fill(0.0);
            let place = Place::direction(batch.step);
            add_noise(batch.perturbation, place, 1.0, moved.view_mut(), threads);
            scale_rows(&mut moved, length);
            add_samples(data, batch.samples, moved);
        }
    }

    /// Moves samples in the direction that changes the network's answer most: virtual adversarial training, with one
    /// power iteration (Miyato et al., 2018, algorithm 1). The moved pass holds the probes and their answers.
    fn move_against(&mut self, weights: &Weights, data: &Prepared, samples: &[usize]) {
        let gradient = self.encoder.gradient(Pass::Moved);
        consistency(&self.clean, &self.moved, 1.0, gradient);
        self.encoder.turn_into_gradient(weights, Pass::Moved, self.threads);
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let radius = self.params.radius as f32;
        let distances = data.neighbour_distances().unwrap_or(&[]);
        let mut moved = self.encoder.input(Pass::Moved);
        scale_rows(&mut moved, |row| radius * distances[samples[row]]);
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

/// Gives each row the Euclidean length `length(row)`; a row of zeros stays.
fn scale_rows(values: &mut ArrayViewMut2<'_, f32>, length: impl Fn(usize) -> f32) {
    for index in 0..values.nrows() {
        let (row, length) = (row_mut(values, index), f64::from(length(index)));
        vectorised(
            #[inline(always)]
            || scale(row, length),
        );
    }
}

#[inline(always)]
fn scale(values: &mut [f32], length: f64) {
    // Gradients of confident samples are tiny: their squares would vanish in f32. Eight sums are a vector.
    let mut sums = [0.0_f64; 8];
    for values in values.chunks(8) {
        sums.iter_mut().zip(values).for_each(|(sum, &x)| *sum += f64::from(x) * f64::from(x));
    }
    let norm = sums.iter().sum::<f64>().sqrt();
    if norm > 0.0 {
        let factor = length / norm;
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        values.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
    }
}
