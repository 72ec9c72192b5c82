//! Predictions of a trained network. They use statistics of the whole data in place of a batch's, so that a sample's
//! answer doesn't depend on the batch that it is in.

use consilience_data::{Features, SoftAssignments};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis};
use rayon::prelude::*;

use crate::engine::fast::losses::Answers;
use crate::error::EnsembleError;
use crate::members::weights::{EncoderLayer, Statistics, Weights};
use crate::numerics::elementary::vectorised;
use crate::numerics::matrix::{CHUNK, Write, multiply, row_mut};
use crate::progress::{Progress, go_on};

/// Probabilities, shape (n_samples, n_clusters), row after row. O(n parameters).
///
/// # Errors
///
/// [`EnsembleError::Cancelled`], as for all here.
pub(crate) fn probabilities(
    weights: &Weights,
    features: &Features,
    threads: usize,
    progress: &dyn Progress,
) -> Result<Vec<f32>, EnsembleError> {
    let answers = for_chunks(features, threads, progress, |chunk| {
        let mut logits = hidden(&weights.encoder, chunk, weights.encoder.len() - 1);
        if let Some(scale) = weights.encoder.last().and_then(|layer| layer.scale.as_ref()) {
            logits *= &scale.matrix();
        }
        let mut answers = Answers::default();
        answers.of(&logits.view());
        answers.p.into_raw_vec_and_offset().0
    });
    Ok(answers?.concat())
}

/// Predictions of a trained network, on the threads of the current pool; `None` if they aren't finite.
pub(crate) fn answers(
    weights: &Weights,
    features: &Features,
    progress: &dyn Progress,
) -> Result<Option<SoftAssignments>, EnsembleError> {
    let probabilities = probabilities(weights, features, rayon::current_num_threads(), progress)?;
    let finite = probabilities.iter().all(|probability| probability.is_finite());
    let shape = (features.n_samples(), weights.n_clusters());
    let shaped = || Array2::from_shape_vec(shape, probabilities);
    Ok(finite.then(|| SoftAssignments::new(shaped().expect("a row for every sample"))))
}

/// Computes and stores the statistics of every normalised layer over all samples, from the first layer up, each with the
/// stored statistics of those below. O(layers) passes over the data.
pub(crate) fn fit_population(
    weights: &mut Weights,
    features: &Features,
    threads: usize,
    progress: &dyn Progress,
) -> Result<(), EnsembleError> {
    for index in 0..weights.encoder.len() {
        if !weights.encoder[index].normalised {
            continue;
        }
        let (below, layer) = (&weights.encoder[..index], &weights.encoder[index].weight);
        let sums = for_chunks(features, threads, progress, |chunk| {
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
        let sums = sums?.into_iter().reduce(|all, chunk| all + chunk).expect("there are samples");
        weights.encoder[index].population = Some(from_sums(&sums, features.n_samples()));
    }
    Ok(())
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

/// In place: the product of a layer, shape (n, width), normalised with `population` if it is, plus shift, rectified.
fn apply(
    mut product: ArrayViewMut2<'_, f32>,
    population: Option<&Statistics>,
    shift: &[f32],
    rectified: bool,
) {
    vectorised(
        #[inline(always)]
        || {
            for index in 0..product.nrows() {
                let values = row_mut(&mut product, index);
                if let Some(Statistics { mean, inverse_std }) = population {
                    let units = values.iter_mut().zip(mean).zip(inverse_std);
                    units.for_each(|((x, mean), inverse_std)| *x = (*x - mean) * inverse_std);
                }
                for (x, shift) in values.iter_mut().zip(shift) {
                    let shifted = *x + shift;
                    *x = if rectified && shifted < 0.0 { 0.0 } else { shifted };
                }
            }
        },
    );
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
    progress: &dyn Progress,
    answer: impl Fn(ArrayView2<'_, f32>) -> R + Send + Sync,
) -> Result<Vec<R>, EnsembleError> {
    let answer = |chunk: ArrayView2<'_, f32>| go_on(progress).map(|()| answer(chunk));
    if threads > 1 {
        let chunks = features.view();
        let chunks: Vec<_> = chunks.axis_chunks_iter(Axis(0), CHUNK).collect();
        chunks.into_par_iter().map(answer).collect()
    } else {
        features.view().axis_chunks_iter(Axis(0), CHUNK).map(answer).collect()
    }
}
