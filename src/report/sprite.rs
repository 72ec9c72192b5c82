//! Samples as pictures: several side by side in one PNG, in the page itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use consilience_data::{Features, Recipe};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _, RgbImage, imageops};

use consilience_ensembles::{DataKind, Look};

/// Bytes of pixels that a page may have, before they are compressed and written out as text, which takes 4 characters for 3 bytes.
const BUDGET: usize = 2_500_000;
/// Sides of a picture, in pixels.
const LARGEST: usize = 96;
const SMALLEST: usize = 16;
/// Pictures in a row.
pub(super) const COLUMNS: usize = 5;

/// How features are pixels.
pub(super) struct Pictures<'a> {
    features: &'a Features,
    rows: usize,
    columns: usize,
    channels: usize,
    /// What black and white are.
    range: (f32, f32),
    /// The longer side that a picture may have.
    side: usize,
}

impl<'a> Pictures<'a> {
    /// What the files say of their pixels, else what can be seen in the features; `None` if these are no pictures, as large sparse data are none. Picture are made
    /// smaller so that `n_pictures` of them fit into a page.
    pub(super) fn of(features: &'a Features, recipe: &Recipe, n_pictures: usize) -> Option<Self> {
        if features.as_sparse().is_some() {
            return None;
        }
        let [rows, columns, channels] =
            recipe.image.or_else(|| seen(features).filter(|_| !recipe.is_named_table()))?;
        if rows * columns * channels != features.n_features() || rows * columns == 0 {
            return None;
        }
        let values = features.as_slice().iter();
        let range = values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &value| {
            (low.min(value), high.max(value))
        });
        let bytes = if channels >= 3 { 3 } else { 1 };
        let side = (BUDGET / (n_pictures.max(1) * bytes)).isqrt().clamp(SMALLEST, LARGEST);
        Some(Self { features, rows, columns, channels, range, side })
    }

    /// These samples in rows of five, as a data URI.
    pub(super) fn sprite(&self, samples: &[usize]) -> String {
        let (width, height) = self.size();
        let across = COLUMNS.min(samples.len().max(1));
        let down = samples.len().div_ceil(COLUMNS).max(1);
        let mut sheet = RgbImage::new(pixels(across) * width, pixels(down) * height);
        for (place, &sample) in samples.iter().enumerate() {
            let mut picture = self.picture(sample);
            if picture.dimensions() != (width, height) {
                picture = imageops::resize(&picture, width, height, imageops::FilterType::Triangle);
            }
            let (x, y) = (pixels(place % COLUMNS) * width, pixels(place / COLUMNS) * height);
            imageops::replace(&mut sheet, &picture, x.into(), y.into());
        }
        let mut png = Vec::new();
        let (width, height) = sheet.dimensions();
        let encoder =
            PngEncoder::new_with_quality(&mut png, CompressionType::Best, FilterType::Adaptive);
        let written = if self.channels >= 3 {
            encoder.write_image(&sheet, width, height, ExtendedColorType::Rgb8)
        } else {
            let grey: Vec<u8> = sheet.pixels().map(|pixel| pixel.0[0]).collect();
            encoder.write_image(&grey, width, height, ExtendedColorType::L8)
        };
        written.expect("a picture in memory");
        format!("data:image/png;base64,{}", STANDARD.encode(&png))
    }

    /// Width over height of a picture.
    pub(super) fn aspect(&self) -> f64 {
        let (width, height) = self.size();
        f64::from(width) / f64::from(height)
    }

    /// Width and height on the page.
    fn size(&self) -> (u32, u32) {
        let longer = self.rows.max(self.columns);
        let fit = |side: usize| {
            if longer <= self.side { side } else { (side * self.side / longer).max(1) }
        };
        (pixels(fit(self.columns)), pixels(fit(self.rows)))
    }

    fn picture(&self, sample: usize) -> RgbImage {
        let values = self.features.row(sample);
        RgbImage::from_fn(pixels(self.columns), pixels(self.rows), |x, y| {
            let at = (y as usize * self.columns + x as usize) * self.channels;
            let light = |channel: usize| self.light(values[at + channel]);
            if self.channels >= 3 {
                image::Rgb([light(0), light(1), light(2)])
            } else {
                image::Rgb([light(0); 3])
            }
        })
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 255")]
    fn light(&self, value: f32) -> u8 {
        let (low, high) = self.range;
        // Halves: a range may be wider than the largest number.
        let share = (value / 2.0 - low / 2.0) / (high / 2.0 - low / 2.0).max(f32::MIN_POSITIVE);
        (share.clamp(0.0, 1.0) * 255.0).round() as u8
    }
}

/// Pixels in flat features.
fn seen(features: &Features) -> Option<[usize; 3]> {
    let look = Look::at(features);
    let image = (look.kind() == DataKind::Image).then(|| look.image())??;
    Some([image.rows, image.columns, image.channels])
}

fn pixels(side: usize) -> u32 {
    u32::try_from(side).expect("sides of pictures are small")
}

#[cfg(test)]
mod tests {
    use ndarray::Array2;

    use super::*;

    /// Decodes the sprite of all samples.
    fn decoded(values: Array2<f32>, shape: [usize; 3]) -> RgbImage {
        let n_samples = values.nrows();
        let features = Features::new(values, "x").unwrap();
        let recipe = Recipe { image: Some(shape), ..Recipe::default() };
        let pictures = Pictures::of(&features, &recipe, 10).unwrap();
        let uri = pictures.sprite(&(0..n_samples).collect::<Vec<_>>());
        let png = STANDARD.decode(uri.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        image::load_from_memory(&png).unwrap().to_rgb8()
    }

    #[test]
    fn pictures_lie_in_rows_of_five() {
        // Six pictures of two rows and three columns; the first pixel of each is its number.
        let values = Array2::from_shape_fn((6, 6), |(sample, at)| {
            if at == 0 { f32::from(u8::try_from(sample).unwrap()) * 51.0 } else { 255.0 }
        });
        let sheet = decoded(values, [2, 3, 1]);
        assert_eq!(sheet.dimensions(), (15, 4));
        let firsts = [(0, 0), (3, 0), (6, 0), (9, 0), (12, 0), (0, 2)];
        let found: Vec<u8> = firsts.iter().map(|&(x, y)| sheet.get_pixel(x, y).0[0]).collect();
        assert_eq!(found, [0, 51, 102, 153, 204, 255]);
    }

    #[test]
    fn colours_lie_side_by_side_and_large_pictures_shrink() {
        let colours = Array2::from_shape_vec((1, 6), vec![1.0, 0.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
        let sheet = decoded(colours, [1, 2, 3]);
        assert_eq!((sheet.get_pixel(0, 0).0, sheet.get_pixel(1, 0).0), ([255, 0, 0], [0, 0, 255]));
        let large =
            Array2::from_shape_fn(
                (2, 300 * 200),
                |(sample, _)| if sample == 0 { -f32::MAX } else { f32::MAX },
            );
        let sheet = decoded(large, [300, 200, 1]);
        assert_eq!((sheet.dimensions(), sheet.get_pixel(70, 3).0[0]), ((2 * 64, 96), 255));
    }
}
