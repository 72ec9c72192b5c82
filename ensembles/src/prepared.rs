//! Data as models see it: scaled, with the distances that perturbations are measured by.

use consilience_data::{Features, Seed, Stream};
use ndarray::{Array2, Axis};

use crate::{EnsembleError, Scaling, neighbours};

/// The neighbour whose distance is a sample's scale (Hu et al., IMSAT, 2017).
const NEIGHBOUR: usize = 10;

/// Features on a common scale, and what is known of their geometry. Shared by all models.
#[derive(Debug, Clone)]
pub struct Prepared {
    features: Features,
    scale: Vec<f32>,
    shift: Vec<f32>,
    neighbour_distances: Vec<f32>,
    spread: f32,
    seed: Seed,
}

impl Prepared {
    /// Scales `features` and, if `distances` are asked for, measures every sample's distance to its 10th neighbour.
    ///
    /// Distances: O(n min(n, 20,000) d), on `threads` threads; the result doesn't depend on their number.
    ///
    /// # Errors
    ///
    /// [`EnsembleError::Threads`] if the threads can't be started.
    pub fn new(
        features: &Features,
        scaling: Scaling,
        distances: bool,
        seed: Seed,
        threads: usize,
    ) -> Result<Self, EnsembleError> {
        let (scale, shift) = fit(features, scaling);
        let mut values = features.view().to_owned();
        for mut row in values.rows_mut() {
            for ((value, scale), shift) in row.iter_mut().zip(&scale).zip(&shift) {
                *value = (*value - shift) * scale;
            }
        }
        let spread = spread(&values);
        let features = Features::new(values, "scaled features")
            .map_err(|_| EnsembleError::Setting {
                name: "scaling",
                need: "features whose spread fits into 32-bit floats",
                got: format!("{scaling:?}"),
            })?;
        let neighbour_distances = if distances {
            neighbours::distances_to_neighbour(&features, NEIGHBOUR, seed, threads)?
        } else {
            vec![0.0; features.n_samples()]
        };
        Ok(Self { features, scale, shift, neighbour_distances, spread, seed })
    }

    /// Scaled features, shape (n_samples, n_features).
    #[must_use]
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// Every sample's distance to its 10th neighbour, length n_samples, in units of the scaled features.
    #[must_use]
    pub fn neighbour_distances(&self) -> &[f32] {
        &self.neighbour_distances
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
    let values = features.as_slice();
    let scaling = match scaling {
        Scaling::Auto if values.iter().any(|&value| value < 0.0) => Scaling::Standardise,
        Scaling::Auto => Scaling::Range,
        chosen => chosen,
    };
    match scaling {
        Scaling::Auto | Scaling::None => (vec![1.0; width], vec![0.0; width]),
        Scaling::Range => {
            let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
            let factor = if largest > 0.0 { largest.recip() } else { 1.0 };
            (vec![factor; width], vec![0.0; width])
        }
        Scaling::Standardise => {
            let columns = features.view().mapv(f64::from);
            let mean = columns.mean_axis(Axis(0)).expect("features have at least one sample");
            let scale = columns.std_axis(Axis(0), 0.0).mapv(|std| if std > 0.0 { std.recip() } else { 0.0 });
            (scale.iter().map(|s| *s as f32).collect(), mean.iter().map(|m| *m as f32).collect())
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "f64 sums, f32 storage")]
fn spread(values: &Array2<f32>) -> f32 {
    let (mut sum, mut squares) = (vec![0.0; values.ncols()], 0.0);
    for row in values.rows() {
        for (sum, &value) in sum.iter_mut().zip(row) {
            *sum += f64::from(value);
            squares += f64::from(value).powi(2);
        }
    }
    let n = values.nrows() as f64;
    let of_means: f64 = sum.iter().map(|sum| (sum / n).powi(2)).sum();
    (squares / n - of_means).max(0.0).sqrt() as f32
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    fn prepared(values: Array2<f32>, scaling: Scaling) -> Prepared {
        Prepared::new(&Features::new(values, "x").unwrap(), scaling, true, Seed(1), 1).unwrap()
    }

    #[test]
    fn pixels_keep_their_zero_and_tables_are_standardised() {
        let pixels = prepared(array![[0.0, 16.0], [8.0, 4.0]], Scaling::Auto);
        assert_eq!(pixels.features().as_slice(), [0.0, 1.0, 0.5, 0.25]);
        let table = prepared(array![[-1.0, 5.0], [1.0, 5.0]], Scaling::Auto);
        assert_eq!(table.features().as_slice(), [-1.0, 0.0, 1.0, 0.0]);
        assert!((table.spread() - 1.0).abs() < 1e-6);
    }
}
