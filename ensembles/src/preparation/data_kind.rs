//! The kind of data (images, text, embeddings, tables), recognised from the features.

use std::borrow::Cow;

use crate::preparation::image::Image;
use consilience_data::Features;
use ndarray::Array1;

/// DataKinds of data that want settings of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataKind {
    /// Pixels: features that lie beside or below one another are alike.
    Image,
    /// Counts of words or TF-IDF: many features, nearly all zero.
    Text,
    /// What some other model made of its input: many features of one scale, in no order.
    Embedding,
    /// Anything else: features of different units, and curves and spectra, whose features are alike along one line.
    Tabular,
}

/// Samples that are looked at, if they have no more than so many features.
const SAMPLES: usize = 2000;
const WIDE: usize = 1000;
/// The least mean correlation of features beside one another in images. Pixels of digits: 0.4 to 0.8; words, embeddings: 0.02.
const ALIKE: f64 = 0.15;
/// The least share of zeros in text.
const ZEROS: f64 = 0.8;
/// Fewer features are a table, and a handful of words is.
const MANY: usize = 64;
/// Rows of an image are at least so many, and so many pixels long: with fewer, a table of a few bands or measurements is like one.
const SIDE: usize = 6;
/// What tells that pixels below one another are alike, not just features at some distance: their mean correlation is greater by
/// this than that of features a pixel nearer or farther. Digits: 0.1 to 0.3; curves: below 0.
const PEAK: f64 = 0.03;
/// Pixels beside one another are not much less alike than those below one another: 1 less their correlation is at most this
/// many times as large. Digits: 1.4; objects turned around: 2; four bands of a satellite's pixels taken for a row: 7.
const UNEVEN: f64 = 4.0;
/// Features share a scale if the largest standard deviation is at most this many times the median one.
const SHARED_SCALE: f64 = 20.0;

impl DataKind {
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
}

/// What there is to see in features.
pub struct Look {
    smallest: f32,
    /// Share of zeros.
    zeros: f64,
    /// Feature after feature, less its mean, and divided by its norm.
    features: Vec<Array1<f32>>,
    /// Of every feature less its mean, the root of its squares' sum.
    norms: Vec<f64>,
}

/// The rows of an image.
struct Rows {
    /// Features in a row.
    length: usize,
    /// Colours of a pixel, side by side.
    channels: usize,
    /// Whether the colours' planes follow one another instead.
    planes: bool,
}

impl Look {
    /// Looks at some of the samples, evenly spread: at most 2,000, and fewer if they have more than 1,000 features. O(n d).
    #[must_use]
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "means")]
    pub fn at(features: &Features) -> Self {
        let width = features.n_features();
        let samples = (SAMPLES * WIDE / width).clamp(SAMPLES / 20, SAMPLES);
        let step = features.n_samples().div_ceil(samples);
        let looked_at = (0..features.n_samples()).step_by(step);
        let rows: Vec<Cow<'_, [f32]>> =
            looked_at.map(|sample| features.dense_row(sample)).collect();
        let centred = |index: usize| {
            let values = rows.iter().map(move |row| f64::from(row[index]));
            let mean = values.clone().sum::<f64>() / rows.len() as f64;
            values.map(move |value| value - mean)
        };
        let norm = |index| centred(index).map(|value| value * value).sum::<f64>().sqrt();
        let norms: Vec<f64> = (0..width).map(norm).collect();
        let scaled =
            |index: usize| centred(index).map(|value| (value / norms[index]) as f32).collect();
        let values = || rows.iter().flat_map(|row| row.iter());
        let zeros = values().filter(|&&value| value == 0.0).count();
        Self {
            smallest: values().copied().fold(f32::INFINITY, f32::min),
            zeros: zeros as f64 / (rows.len() * width) as f64,
            features: (0..width).map(scaled).collect(),
            norms,
        }
    }

    /// What kind of data they are.
    #[must_use]
    pub fn kind(&self) -> DataKind {
        let width = self.features.len();
        let many = width >= MANY;
        let in_line = self.correlation(1) >= ALIKE;
        if in_line && self.one_scale() && self.rows().is_some() {
            DataKind::Image
        } else if many && self.smallest >= 0.0 && self.zeros >= ZEROS {
            DataKind::Text
        } else if many && self.one_scale() && !in_line {
            DataKind::Embedding
        } else {
            DataKind::Tabular
        }
    }

    /// How pixels lie in the features, if these are an image, grey or with three colours side by side: rows are as long as the
    /// distance at which features are more alike than at any near it, as pixels below one another are. O(n d) for each way to
    /// fold d features into rows.
    #[must_use]
    pub fn image(&self) -> Option<Image> {
        let Rows { length, channels, planes } = self.rows()?;
        let width = self.features.len();
        // Not in planes: a move would go from one colour to the next.
        (!planes).then_some(Image { rows: width / length, columns: length / channels, channels })
    }

    /// The rows of an image, if there are any.
    fn rows(&self) -> Option<Rows> {
        let width = self.features.len();
        let row_lengths = (SIDE..=width / SIDE).filter(|&length| width.is_multiple_of(length));
        let peaks = row_lengths.filter_map(|length| Some((length, self.peak(length)?)));
        let (length, below) = peaks.max_by(|a, b| a.1.total_cmp(&b.1))?;
        // With one colour's plane after another, a third of the features apart is nearer than a row less.
        let plane = width / 3;
        let in_planes = width.is_multiple_of(3) && plane.is_multiple_of(length) && plane > length;
        let planes =
            in_planes && self.correlation(plane) - self.correlation(plane - length) >= PEAK;
        // A colour's next pixel is more like it than the colour beside that.
        let coloured = length % 3 == 0 && self.correlation(3) > self.correlation(2).max(ALIKE);
        let channels = if coloured { 3 } else { 1 };
        let even = 1.0 - self.correlation(channels) <= UNEVEN * (1.0 - below);
        (even && length / channels >= SIDE).then_some(Rows { length, channels, planes })
    }

    /// How alike features at this distance are, if more so than those a little nearer or farther.
    fn peak(&self, distance: usize) -> Option<f64> {
        let here = self.correlation(distance);
        let stands_out = |other: usize| here - self.correlation(other) >= PEAK;
        (here >= ALIKE && stands_out(distance - 1) && stands_out(distance + 1)).then_some(here)
    }

    /// Whether standard deviations are of one order of magnitude.
    fn one_scale(&self) -> bool {
        let mut norms: Vec<f64> = self.norms.iter().copied().filter(|&norm| norm > 0.0).collect();
        norms.sort_by(f64::total_cmp);
        match (norms.last(), norms.get(norms.len() / 2)) {
            (Some(largest), Some(median)) => *largest <= SHARED_SCALE * median,
            _ => true,
        }
    }

    /// Mean correlation of features at a distance from each other, of those that aren't constant.
    #[expect(clippy::cast_precision_loss, reason = "a number of features")]
    fn correlation(&self, distance: usize) -> f64 {
        let later = self.features.iter().skip(distance);
        let correlations: Vec<f64> = self
            .features
            .iter()
            .zip(later)
            .map(|(first, second)| f64::from(first.dot(second)))
            .filter(|correlation| correlation.is_finite())
            .collect();
        correlations.iter().sum::<f64>() / correlations.len().max(1) as f64
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

    fn kind(features: &Features) -> DataKind {
        Look::at(features).kind()
    }

    fn image(features: &Features) -> Option<Image> {
        Look::at(features).image()
    }

    #[test]
    fn pixels_are_images_and_curves_are_tables() {
        assert_eq!(kind(&read_dataset(&["digits".into()], &[]).unwrap().features), DataKind::Image);
        // A wave of another phase in every row, below zero half of the time.
        let wave = |row: usize, column: usize, noise| {
            let phase = f32::from(u16::try_from(row * 37 % 100 + column).unwrap());
            (phase / 10.0).sin() + 0.1 * noise
        };
        assert_eq!(kind(&features(300, 100, wave)), DataKind::Tabular);
    }

    /// Nine pixels of four bands each, as a satellite sees a field: pixels are alike, bands in part.
    #[test]
    fn bands_and_measurements_are_tables() {
        let bands = Seed(2).rng(Stream::Subset).normal(400 * 4);
        let field = |row: usize, column: usize, noise: f32| {
            let own = bands[row * 4 + column % 4];
            let shared = bands[row * 4 + (column % 4) / 2 * 2];
            0.6 * own + 0.8 * shared + 0.2 * noise
        };
        let field = features(400, 36, field);
        assert!(Look::at(&field).correlation(1) > ALIKE && Look::at(&field).peak(4).is_some());
        assert_eq!((kind(&field), image(&field)), (DataKind::Tabular, None));
        // More bands of more pixels: long enough for rows.
        let spectra = features(400, 72, |row, column, noise| {
            let place = row * 4 + (column % 8) / 2;
            bands[place] + 0.2 * noise
        });
        assert!(Look::at(&spectra).peak(8).is_some());
        assert_eq!((kind(&spectra), image(&spectra)), (DataKind::Tabular, None));
        let measured = features(400, 16, |row, column, noise| bands[row * 4 + column / 4] + noise);
        assert_eq!(kind(&measured), DataKind::Tabular);
    }

    #[test]
    fn benchmark_sets_are_what_they_are() {
        let sets = [
            ("optdigits/optdigits.npz", DataKind::Image),
            ("mnist/t10k-images-idx3-ubyte.gz", DataKind::Image),
            ("more/coil20.npz", DataKind::Image),
            ("more/optdigits-uneven.npz", DataKind::Image),
            ("more/satimage.npz", DataKind::Tabular),
            ("more/r8-tfidf2000.npz", DataKind::Text),
        ];
        let Some(paths) = consilience_testing::benchmark_files(&sets.map(|(name, _)| name)) else {
            return;
        };
        for (path, (name, expected)) in paths.into_iter().zip(sets) {
            let features = read_dataset(&[path], &[]).unwrap().features;
            assert_eq!(kind(&features), expected, "{name}");
            assert_eq!(image(&features).is_some(), expected == DataKind::Image, "{name}");
        }
    }

    #[test]
    fn pixels_lie_in_rows_and_curves_do_not() {
        let digits = read_dataset(&["digits".into()], &[]).unwrap().features;
        assert_eq!(image(&digits), Some(Image { rows: 8, columns: 8, channels: 1 }));
        let wave = |row: usize, column: usize, noise| {
            let phase = f32::from(u16::try_from(row * 37 % 100 + column).unwrap());
            (phase / 10.0).sin() + 0.1 * noise
        };
        assert_eq!(image(&features(300, 100, wave)), None);
        assert_eq!(image(&features(300, 100, |_, _, noise| noise)), None);
    }

    /// A blob of one colour, somewhere in a picture of six rows and eight columns.
    fn blobs(place: fn(usize) -> (usize, usize, usize)) -> Features {
        let blob = |sample: usize, feature: usize, noise: f32| {
            let (row, column, colour) = place(feature);
            let (down, right) = (sample * 7 % 6, sample * 5 % 8);
            let distance = row.abs_diff(down).pow(2) + column.abs_diff(right).pow(2);
            let light = if sample / 48 % 3 == colour { 1.0 } else { 0.3 };
            light * (-0.3 * f32::from(u16::try_from(distance).unwrap())).exp() + 0.02 * noise
        };
        features(500, 144, blob)
    }

    #[test]
    fn colours_of_a_pixel_lie_side_by_side() {
        let pixels = blobs(|feature| (feature / 24, feature / 3 % 8, feature % 3));
        assert_eq!(image(&pixels), Some(Image { rows: 6, columns: 8, channels: 3 }));
        let planes = blobs(|feature| (feature / 8 % 6, feature % 8, feature / 48));
        assert_eq!(image(&planes), None, "a move would go from one colour to the next");
        assert_eq!(kind(&planes), DataKind::Image);
    }

    #[test]
    fn words_are_rare_and_not_negative() {
        let words = features(400, 500, |_, _, noise| (noise - 1.8).max(0.0));
        assert_eq!(kind(&words), DataKind::Text);
        let ones_and_zeros = features(400, 20, |_, _, noise| f32::from(u8::from(noise > 1.8)));
        assert_eq!(kind(&ones_and_zeros), DataKind::Tabular, "too few to be words");
    }

    #[test]
    fn embeddings_have_many_features_of_one_scale() {
        assert_eq!(kind(&features(400, 128, |_, _, noise| noise)), DataKind::Embedding);
        let of_mixed_units =
            |_, column, noise: f32| if column == 7 { 5000.0 * noise } else { noise };
        assert_eq!(kind(&features(400, 128, of_mixed_units)), DataKind::Tabular);
        assert_eq!(kind(&features(400, 10, |_, _, noise| noise)), DataKind::Tabular);
    }

    #[test]
    fn constant_and_huge_features_are_looked_at() {
        assert_eq!(kind(&features(2, 3, |_, _, _| 1.0)), DataKind::Tabular);
        let huge = features(50, 100, |_, _, noise| noise.signum() * f32::MAX);
        assert_eq!(kind(&huge), DataKind::Embedding);
    }
}
