//! What a trained network says of samples: statistics of the whole population take the batch's place, so that a sample's
//! answer doesn't depend on its neighbours in a batch.

use consilience_data::{Features, SoftAssignments};
use ndarray::{Array2, ArrayView2, Axis};
use rayon::prelude::*;

use super::fast::layers::apply;
use super::fast::losses::Answers;
use crate::members::weights::{EncoderLayer, Statistics, Weights};
use crate::numerics::matrix::{CHUNK, Write, multiply};

/// Probabilities, shape (n_samples, n_clusters), row after row. O(n parameters).
pub(crate) fn probabilities(weights: &Weights, features: &Features, threads: usize) -> Vec<f32> {
    let answers = for_chunks(features, threads, |chunk| {
        let mut logits = hidden(&weights.encoder, chunk, weights.encoder.len() - 1);
        if let Some(scale) = weights.encoder.last().and_then(|layer| layer.scale.as_ref()) {
            logits *= &scale.matrix();
        }
        let mut answers = Answers::default();
        answers.of(&logits.view());
        answers.p.into_raw_vec_and_offset().0
    });
    answers.concat()
}

/// What a trained network says of samples, on the threads of the current pool; `None` if it isn't finite.
pub(crate) fn answers(weights: &Weights, features: &Features) -> Option<SoftAssignments> {
    let probabilities = probabilities(weights, features, rayon::current_num_threads());
    let finite = probabilities.iter().all(|probability| probability.is_finite());
    let shape = (features.n_samples(), weights.n_clusters());
    let shaped = || Array2::from_shape_vec(shape, probabilities);
    finite.then(|| SoftAssignments::new(shaped().expect("a row of probabilities for every sample")))
}

/// Computes and stores the statistics of every normalised layer over all samples, from the first layer up, each with the
/// stored statistics of those below. O(layers) passes over the data.
pub(crate) fn fit_population(weights: &mut Weights, features: &Features, threads: usize) {
    for index in 0..weights.encoder.len() {
        if !weights.encoder[index].normalised {
            continue;
        }
        let (below, layer) = (&weights.encoder[..index], &weights.encoder[index].weight);
        let sums = for_chunks(features, threads, |chunk| {
            let product = product(hidden(below, chunk, index).view(), layer.matrix());
            let mut sums = Array2::<f64>::zeros((2, product.ncols()));
            for row in product.rows() {
                for (unit, &value) in row.iter().enumerate() {
                    let value = f64::from(value);
                    sums[[0, unit]] += value;
                    sums[[1, unit]] += value * value;
                }
            }
            sums
        });
        let sums = sums.into_iter().reduce(|all, chunk| all + chunk).expect("there are samples");
        weights.encoder[index].population = Some(from_sums(&sums, features.n_samples()));
    }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "f64 sums, f32 storage"
)]
fn from_sums(sums: &Array2<f64>, n: usize) -> Statistics {
    let mean = sums.row(0).mapv(|sum| sum / n as f64);
    let squares = sums.row(1).mapv(|sum| sum / n as f64);
    let variance: Vec<f32> = squares
        .iter()
        .zip(&mean)
        .map(|(squares, mean)| (squares - mean * mean).max(0.0) as f32)
        .collect();
    Statistics::new(mean.iter().map(|&mean| mean as f32).collect(), &variance)
}

/// `chunk` sent through `layers`, of which those before `top` are rectified.
fn hidden(layers: &[EncoderLayer], chunk: ArrayView2<'_, f32>, top: usize) -> Array2<f32> {
    let mut hidden: Option<Array2<f32>> = None;
    for (index, layer) in layers.iter().enumerate() {
        let input = hidden.as_ref().map_or_else(|| chunk.view(), Array2::view);
        let mut product = product(input, layer.weight.matrix());
        apply(product.view_mut(), layer.population.as_ref(), &layer.shift.value, index < top);
        hidden = Some(product);
    }
    hidden.unwrap_or_else(|| chunk.to_owned())
}

fn product(input: ArrayView2<'_, f32>, weight: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut product = Array2::zeros((input.nrows(), weight.ncols()));
    multiply(input, weight, product.view_mut(), Write::Replace, 1);
    product
}

/// What `answer` says of all samples in order, [`CHUNK`] rows at a time, spread over `threads` of the current pool.
fn for_chunks<R: Send>(
    features: &Features,
    threads: usize,
    answer: impl Fn(ArrayView2<'_, f32>) -> R + Send + Sync,
) -> Vec<R> {
    if threads > 1 {
        let chunks = features.view();
        let chunks: Vec<_> = chunks.axis_chunks_iter(Axis(0), CHUNK).collect();
        chunks.into_par_iter().map(answer).collect()
    } else {
        features.view().axis_chunks_iter(Axis(0), CHUNK).map(answer).collect()
    }
}
