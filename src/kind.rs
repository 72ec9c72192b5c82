//! What kind of data there is: what a pixel, a word and an embedding's coordinate tell apart.

use consilience_data::Features;

/// Kinds of data that want settings of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Pixels, spectra, curves: features that lie beside one another are alike.
    Image,
    /// Counts of words or TF-IDF: many features, nearly all zero.
    Text,
    /// What some other model made of its input: many features of one scale, in no order.
    Embedding,
    /// Anything else: features of different units.
    Tabular,
}

/// Samples that are looked at.
const SAMPLES: usize = 2000;
/// The least mean correlation of features beside one another in images. Pixels of digits: 0.4 to 0.8; words, embeddings: 0.02.
const ALIKE: f64 = 0.15;
/// The least share of zeros in text.
const ZEROS: f64 = 0.8;
/// Fewer features are a table, and a handful of words is.
const MANY: usize = 64;
/// Features share a scale if the largest standard deviation is at most this many times the median one.
const SHARED_SCALE: f64 = 20.0;

impl Kind {
    /// The name of its preset.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Text => "text",
            Self::Embedding => "embedding",
            Self::Tabular => "tabular",
        }
    }

    /// Looks at (at most 2,000 of) the samples, evenly spread. O(n d).
    #[must_use]
    pub fn of(features: &Features) -> Self {
        let step = features.n_samples().div_ceil(SAMPLES);
        let rows: Vec<&[f32]> =
            (0..features.n_samples()).step_by(step).map(|sample| features.row(sample)).collect();
        let look = Look::at(&rows, features.n_features());
        let many = features.n_features() >= MANY;
        if look.beside >= ALIKE && look.one_scale && features.n_features() >= 16 {
            Self::Image
        } else if many && look.smallest >= 0.0 && look.zeros >= ZEROS {
            Self::Text
        } else if many && look.one_scale {
            Self::Embedding
        } else {
            Self::Tabular
        }
    }
}

/// What there is to see.
struct Look {
    smallest: f32,
    /// Share of zeros.
    zeros: f64,
    /// Whether standard deviations are of one order of magnitude.
    one_scale: bool,
    /// Mean correlation of features beside one another.
    beside: f64,
}

impl Look {
    #[expect(clippy::cast_precision_loss, reason = "means")]
    fn at(rows: &[&[f32]], width: usize) -> Self {
        let n = rows.len() as f64;
        let mut means = vec![0.0; width];
        let (mut smallest, mut zeros) = (f32::INFINITY, 0_usize);
        for &row in rows {
            for (mean, &value) in means.iter_mut().zip(row) {
                *mean += f64::from(value) / n;
                smallest = smallest.min(value);
                zeros += usize::from(value == 0.0);
            }
        }
        let (mut squares, mut products) = (vec![0.0; width], vec![0.0; width]);
        for &row in rows {
            let mut before = 0.0;
            for (index, (&value, mean)) in row.iter().zip(&means).enumerate() {
                let value = f64::from(value) - mean;
                squares[index] += value * value;
                products[index] += value * before;
                before = value;
            }
        }
        let pairs = squares.windows(2).zip(&products[1..]);
        let correlations: Vec<f64> = pairs
            .map(|(squares, product)| product / (squares[0] * squares[1]).sqrt())
            .filter(|correlation| correlation.is_finite())
            .collect();
        squares.retain(|&square| square > 0.0);
        squares.sort_by(f64::total_cmp);
        let one_scale = match (squares.last(), squares.get(squares.len() / 2)) {
            (Some(largest), Some(median)) => largest.sqrt() <= SHARED_SCALE * median.sqrt(),
            _ => true,
        };
        Self {
            smallest,
            zeros: zeros as f64 / (n * width as f64),
            one_scale,
            beside: correlations.iter().sum::<f64>() / correlations.len().max(1) as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream, read_dataset};
    use ndarray::Array2;

    use super::*;

    fn features(rows: usize, columns: usize, value: impl Fn(usize, usize, f32) -> f32) -> Features {
        let noise = Seed(1).rng(Stream::Subset).normal(rows * columns);
        let value =
            |(row, column): (usize, usize)| value(row, column, noise[row * columns + column]);
        Features::new(Array2::from_shape_fn((rows, columns), value), "x").unwrap()
    }

    #[test]
    fn pixels_and_curves_are_images() {
        assert_eq!(Kind::of(&read_dataset(&["digits".into()], &[]).unwrap().features), Kind::Image);
        // A wave of another phase in every row, below zero half of the time.
        let wave = |row: usize, column: usize, noise| {
            let phase = f32::from(u16::try_from(row * 37 % 100 + column).unwrap());
            (phase / 10.0).sin() + 0.1 * noise
        };
        assert_eq!(Kind::of(&features(300, 100, wave)), Kind::Image);
    }

    #[test]
    fn words_are_rare_and_not_negative() {
        let words = features(400, 500, |_, _, noise| (noise - 1.8).max(0.0));
        assert_eq!(Kind::of(&words), Kind::Text);
        let ones_and_zeros = features(400, 20, |_, _, noise| f32::from(u8::from(noise > 1.8)));
        assert_eq!(Kind::of(&ones_and_zeros), Kind::Tabular, "too few to be words");
    }

    #[test]
    fn embeddings_have_many_features_of_one_scale() {
        assert_eq!(Kind::of(&features(400, 128, |_, _, noise| noise)), Kind::Embedding);
        let of_mixed_units =
            |_, column, noise: f32| if column == 7 { 5000.0 * noise } else { noise };
        assert_eq!(Kind::of(&features(400, 128, of_mixed_units)), Kind::Tabular);
        assert_eq!(Kind::of(&features(400, 10, |_, _, noise| noise)), Kind::Tabular);
    }

    #[test]
    fn constant_and_huge_features_are_looked_at() {
        assert_eq!(Kind::of(&features(2, 3, |_, _, _| 1.0)), Kind::Tabular);
        let huge = features(50, 100, |_, _, noise| noise.signum() * f32::MAX);
        assert_eq!(Kind::of(&huge), Kind::Embedding);
    }
}
