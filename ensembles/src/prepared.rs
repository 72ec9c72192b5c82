//! Data as models see it: scaled, with the distances that perturbations are measured by.

use consilience_data::{Features, Seed, Stream};
use ndarray::ArrayView2;

use crate::neighbours::{self, Neighbourhoods};
use crate::{EnsembleError, Scaling};

/// The neighbour whose distance is a sample's scale (Hu et al., IMSAT, 2017).
const NEIGHBOUR: usize = 10;

/// Features share a scale if the largest of their maxima is at most this many times the median one.
const SHARED_SCALE: f32 = 20.0;

/// Features on a common scale, and what is known of their geometry. Shared by all models.
#[derive(Debug, Clone)]
pub struct Prepared {
    features: Features,
    scale: Vec<f32>,
    shift: Vec<f32>,
    neighbourhoods: Option<Neighbourhoods>,
    spread: f32,
    seed: Seed,
}

impl Prepared {
    /// Scales `features`. O(n d).
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Setting`] if scaled values don't fit into 32-bit floats.
    pub fn new(features: &Features, scaling: Scaling, seed: Seed) -> Result<Self, EnsembleError> {
        let (scale, shift) = fit(features, scaling);
        let mut values = features.view().to_owned();
        for mut row in values.rows_mut() {
            for ((value, scale), shift) in row.iter_mut().zip(&scale).zip(&shift) {
                *value = (*value - shift) * scale;
            }
        }
        let (_, variance) = moments(&values.view());
        #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
        let spread = variance.iter().sum::<f64>().sqrt() as f32;
        let features =
            Features::new(values, "scaled features").map_err(|_| EnsembleError::Setting {
                name: "scaling",
                need: "features whose spread fits into 32-bit floats",
                got: format!("{scaling:?}"),
            })?;
        Ok(Self { features, scale, shift, neighbourhoods: None, spread, seed })
    }

    /// Finds every sample's ten nearest neighbours and the distance to the last, which models need that move samples or hold
    /// them against their neighbours.
    ///
    /// O(n min(n, 20,000) d), on `threads` threads; the result doesn't depend on their number.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn measure_distances(&mut self, threads: usize) -> Result<(), EnsembleError> {
        let features = &self.features;
        let found = neighbours::neighbourhoods(features, NEIGHBOUR, self.seed, threads)?;
        self.neighbourhoods = Some(found);
        Ok(())
    }

    /// Scaled features, shape (n_samples, n_features).
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Every sample's distance to its 10th neighbour, length n_samples, in units of the scaled features, if measured.
    #[must_use]
    pub fn neighbour_distances(&self) -> Option<&[f32]> {
        self.neighbourhoods.as_ref().map(|found| &found.distances[..])
    }

    /// The ten nearest other samples of `sample`, nearest first, if measured; among a random subset, if there are many.
    pub(crate) fn neighbours(&self, sample: usize) -> Option<&[u32]> {
        self.neighbourhoods.as_ref().map(|found| found.of(sample))
    }

    /// The root of the total variance of the scaled features: the root mean square distance of samples to their mean.
    #[must_use]
    pub fn spread(&self) -> f32 {
        self.spread
    }

    /// What was subtracted from every feature, and what the difference was multiplied by, length n_features each.
    #[must_use]
    pub fn transform(&self) -> (&[f32], &[f32]) {
        (&self.shift, &self.scale)
    }

    /// The seed of the run.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// A generator of one of the run's streams.
    pub(crate) fn rng(&self, stream: Stream) -> consilience_data::Rng {
        self.seed.rng(stream)
    }
}

/// Factor and shift of every feature.
#[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
fn fit(features: &Features, scaling: Scaling) -> (Vec<f32>, Vec<f32>) {
    let width = features.n_features();
    let scaling = match scaling {
        Scaling::Auto if share_a_scale(features) => Scaling::Range,
        Scaling::Auto => Scaling::Standardise,
        chosen => chosen,
    };
    match scaling {
        Scaling::Auto | Scaling::None => (vec![1.0; width], vec![0.0; width]),
        Scaling::Range => {
            let largest =
                features.as_slice().iter().fold(0f32, |most, value| most.max(value.abs()));
            let factor = if largest > 0.0 { largest.recip() } else { 1.0 };
            (vec![factor; width], vec![0.0; width])
        }
        Scaling::Standardise => {
            let (mean, variance) = moments(&features.view());
            let scale =
                |&variance: &f64| if variance > 0.0 { variance.sqrt().recip() as f32 } else { 0.0 };
            (variance.iter().map(scale).collect(), mean.iter().map(|&mean| mean as f32).collect())
        }
    }
}

/// Whether features look like pixels, counts or TF-IDF: nothing negative, and maxima of one order of magnitude.
fn share_a_scale(features: &Features) -> bool {
    let mut maxima = vec![0f32; features.n_features()];
    for row in features.view().rows() {
        for (most, &value) in maxima.iter_mut().zip(row) {
            if value < 0.0 {
                return false;
            }
            *most = most.max(value);
        }
    }
    maxima.retain(|&most| most > 0.0);
    maxima.sort_by(f32::total_cmp);
    match (maxima.last(), maxima.get(maxima.len().saturating_sub(1) / 2)) {
        (Some(largest), Some(median)) => *largest <= SHARED_SCALE * median,
        _ => true,
    }
}

/// Mean and (biased) variance of every column, length n_features each, in two passes.
#[expect(clippy::cast_precision_loss, reason = "f64 sums")]
fn moments(values: &ArrayView2<'_, f32>) -> (Vec<f64>, Vec<f64>) {
    let n = values.nrows() as f64;
    let mut mean = vec![0.0; values.ncols()];
    for row in values.rows() {
        mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    mean.iter_mut().for_each(|sum| *sum /= n);
    let mut variance = vec![0.0; values.ncols()];
    for row in values.rows() {
        for ((sum, &value), mean) in variance.iter_mut().zip(row).zip(&mean) {
            *sum += (f64::from(value) - mean).powi(2);
        }
    }
    variance.iter_mut().for_each(|sum| *sum /= n);
    (mean, variance)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    fn prepared(values: Array2<f32>, scaling: Scaling) -> Prepared {
        Prepared::new(&Features::new(values, "x").unwrap(), scaling, Seed(1)).unwrap()
    }

    #[test]
    fn pixels_keep_their_zero_and_tables_are_standardised() {
        let pixels = prepared(array![[0.0, 16.0], [8.0, 4.0]], Scaling::Auto);
        assert_eq!(pixels.features().as_slice(), [0.0, 1.0, 0.5, 0.25]);
        let table = prepared(array![[-1.0, 5.0], [1.0, 5.0]], Scaling::Auto);
        assert_eq!(table.features().as_slice(), [-1.0, 0.0, 1.0, 0.0]);
        assert!((table.spread() - 1.0).abs() < 1e-6);
        let mixed_units = prepared(array![[0.1, 5000.0], [0.3, 7000.0]], Scaling::Auto);
        let found = mixed_units.features().as_slice();
        assert!(found.iter().zip([-1.0, -1.0, 1.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-5));
    }
}
