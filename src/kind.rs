//! What kind of data there is: what a pixel, a word and an embedding's coordinate tell apart.

use consilience_data::Features;
use consilience_ensembles::Image;

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
/// Rows of an image are at least so long, and so many.
const SIDE: usize = 4;
/// What tells that pixels below one another are alike, not just features at some distance: their mean correlation is greater by
/// this than that of features a pixel nearer or farther. Digits: 0.1 to 0.3; curves: below 0.
const PEAK: f64 = 0.03;
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
        let look = Look::at(features);
        let many = features.n_features() >= MANY;
        if look.correlation(1) >= ALIKE && look.one_scale() && features.n_features() >= 16 {
            Self::Image
        } else if many && look.smallest >= 0.0 && look.zeros >= ZEROS {
            Self::Text
        } else if many && look.one_scale() {
            Self::Embedding
        } else {
            Self::Tabular
        }
    }
}

/// How pixels lie in the features, if these are an image: rows as long as the distance at which features are more alike than
/// at any near it, as pixels below one another are. Looks at 2,000 of the samples at most. O(n d), for each way to fold d features into rows.
#[must_use]
pub fn image_in(features: &Features) -> Option<Image> {
    let (look, width) = (Look::at(features), features.n_features());
    let lengths = (SIDE..=width / SIDE).filter(|length| width % length == 0);
    let peaks = lengths.filter_map(|length| {
        let [nearer, here, farther] =
            [length - 1, length, length + 1].map(|distance| look.correlation(distance));
        (here >= ALIKE && here - nearer.max(farther) >= PEAK).then_some((length, here))
    });
    let (length, _) = peaks.max_by(|a, b| a.1.total_cmp(&b.1))?;
    // A colour's next pixel is more like it than the colour beside that.
    let coloured = length % 3 == 0 && look.correlation(3) > look.correlation(2).max(ALIKE);
    let channels = if coloured { 3 } else { 1 };
    Some(Image { rows: width / length, columns: length / channels, channels })
}

/// What there is to see.
struct Look {
    smallest: f32,
    /// Share of zeros.
    zeros: f64,
    /// Feature after feature, less its mean.
    columns: Vec<Vec<f32>>,
    /// Of every feature, the root of its squares' sum.
    lengths: Vec<f64>,
}

impl Look {
    /// At most [`SAMPLES`] samples, evenly spread.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "means")]
    fn at(features: &Features) -> Self {
        let step = features.n_samples().div_ceil(SAMPLES);
        let rows: Vec<&[f32]> =
            (0..features.n_samples()).step_by(step).map(|sample| features.row(sample)).collect();
        let n = rows.len() as f64;
        let column = |index: usize| {
            let mean = rows.iter().map(|row| f64::from(row[index])).sum::<f64>() / n;
            rows.iter().map(|row| (f64::from(row[index]) - mean) as f32).collect()
        };
        let columns: Vec<Vec<f32>> = (0..features.n_features()).map(column).collect();
        let values = || rows.iter().copied().flatten();
        Self {
            smallest: values().copied().fold(f32::INFINITY, f32::min),
            zeros: values().filter(|&&value| value == 0.0).count() as f64 / values().count() as f64,
            lengths: columns.iter().map(|column| product(column, column).sqrt()).collect(),
            columns,
        }
    }

    /// Whether standard deviations are of one order of magnitude.
    fn one_scale(&self) -> bool {
        let mut lengths: Vec<f64> =
            self.lengths.iter().copied().filter(|&length| length > 0.0).collect();
        lengths.sort_by(f64::total_cmp);
        match (lengths.last(), lengths.get(lengths.len() / 2)) {
            (Some(largest), Some(median)) => *largest <= SHARED_SCALE * median,
            _ => true,
        }
    }

    /// Mean correlation of features at a distance from each other, of those that aren't constant.
    #[expect(clippy::cast_precision_loss, reason = "a number of features")]
    fn correlation(&self, distance: usize) -> f64 {
        let pairs = (distance..self.columns.len()).map(|second| (second - distance, second));
        let correlation = |(first, second): (usize, usize)| {
            let lengths = self.lengths[first] * self.lengths[second];
            product(&self.columns[first], &self.columns[second]) / lengths
        };
        let correlations: Vec<f64> =
            pairs.map(correlation).filter(|correlation| correlation.is_finite()).collect();
        correlations.iter().sum::<f64>() / correlations.len().max(1) as f64
    }
}

fn product(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
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
    fn pixels_lie_in_rows_and_curves_do_not() {
        let digits = read_dataset(&["digits".into()], &[]).unwrap().features;
        assert_eq!(image_in(&digits), Some(Image { rows: 8, columns: 8, channels: 1 }));
        let wave = |row: usize, column: usize, noise| {
            let phase = f32::from(u16::try_from(row * 37 % 100 + column).unwrap());
            (phase / 10.0).sin() + 0.1 * noise
        };
        assert_eq!(image_in(&features(300, 100, wave)), None);
        assert_eq!(image_in(&features(300, 100, |_, _, noise| noise)), None);
    }

    /// Rows of blobs of one colour, somewhere in a picture of six rows and eight columns.
    #[test]
    fn colours_of_a_pixel_belong_together() {
        let blob = |sample: usize, feature: usize, noise: f32| {
            let (row, column, colour) = (feature / 24, feature / 3 % 8, feature % 3);
            let (down, right) = (sample * 7 % 6, sample * 5 % 8);
            let distance = row.abs_diff(down).pow(2) + column.abs_diff(right).pow(2);
            let light = if sample / 48 % 3 == colour { 1.0 } else { 0.3 };
            light * (-0.3 * f32::from(u16::try_from(distance).unwrap())).exp() + 0.02 * noise
        };
        let found = image_in(&features(500, 144, blob));
        assert_eq!(found, Some(Image { rows: 6, columns: 8, channels: 3 }));
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
