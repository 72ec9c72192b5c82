//! Images moved a little: what is in them stays the same.

use candle_core::{Result as TensorResult, Tensor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How the pixels of an image lie in a sample's features: row after row, and of each pixel all channels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// Number of rows of pixels.
    pub rows: usize,
    /// Number of pixels in a row.
    pub columns: usize,
    /// Numbers in a pixel: 1 if it is grey.
    pub channels: usize,
}

impl Image {
    /// Number of features, if there are that many numbers at all.
    #[must_use]
    pub fn n_features(&self) -> Option<usize> {
        self.rows.checked_mul(self.columns)?.checked_mul(self.channels)
    }

    /// In pixels.
    #[must_use]
    pub fn shorter_side(&self) -> usize {
        self.rows.min(self.columns)
    }
}

/// An image as settings write it: `[rows, columns, channels]`, or `[]` for none.
pub(crate) mod written {
    use super::{Deserialize, Deserializer, Image, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(
        image: &Option<Image>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let sides = image.map(|image| vec![image.rows, image.columns, image.channels]);
        sides.unwrap_or_default().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Image>, D::Error> {
        match Vec::deserialize(deserializer)?[..] {
            [] => Ok(None),
            [rows, columns, channels] => Ok(Some(Image { rows, columns, channels })),
            _ => Err(serde::de::Error::custom(
                "expected [rows, columns, channels], or [] for no image",
            )),
        }
    }
}

/// A move of images: what each feature of the moved one is made of, by bilinear interpolation. Pixels from beyond the edge
/// are those of the edge.
#[derive(Debug, Clone)]
pub(crate) struct Shift {
    /// Four pairs: a weight, and for every feature where that share of it comes from.
    taps: [(f32, Vec<u32>); 4],
}

impl Shift {
    /// Down and to the right by so many pixels.
    pub(crate) fn new(image: Image, by: [f32; 2]) -> Self {
        // Along each side a move lies between two whole numbers of pixels, and has a share of both.
        let [down, right] = by.map(|by| {
            let part = by - by.floor();
            [(by.floor(), 1.0 - part), (by.floor() + 1.0, part)]
        });
        let tap = |(down, of_row): (f32, f32), (right, of_column): (f32, f32)| {
            (of_row * of_column, sources(image, down, right))
        };
        let [here, below] = down;
        let [left, beside] = right;
        Self { taps: [tap(here, left), tap(here, beside), tap(below, left), tap(below, beside)] }
    }

    /// The moved image; both of length n_features.
    pub(crate) fn apply(&self, image: &[f32], moved: &mut [f32]) {
        moved.fill(0.0);
        for (weight, sources) in &self.taps {
            for (moved, &source) in moved.iter_mut().zip(sources) {
                *moved += weight * image[source as usize];
            }
        }
    }

    /// The same for images of shape (.., n_features).
    pub(crate) fn of_tensor(&self, images: &Tensor) -> TensorResult<Tensor> {
        let mut moved = images.zeros_like()?;
        for (weight, sources) in &self.taps {
            let sources = Tensor::from_slice(sources, sources.len(), images.device())?;
            let last = images.dims().len() - 1;
            moved = (moved + (images.index_select(&sources, last)? * f64::from(*weight))?)?;
        }
        Ok(moved)
    }
}

/// For every feature of an image moved by whole pixels, the one that takes its place.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the image")]
#[expect(clippy::cast_precision_loss, reason = "images have fewer than 16 million rows")]
fn sources(image: Image, down: f32, right: f32) -> Vec<u32> {
    let source = |position: usize, by: f32, count: usize| {
        (position as f32 - by).clamp(0.0, count as f32 - 1.0) as usize
    };
    let mut sources = Vec::with_capacity(image.rows * image.columns * image.channels);
    for row in 0..image.rows {
        let first = source(row, down, image.rows) * image.columns;
        for column in 0..image.columns {
            let pixel = first + source(column, right, image.columns);
            let channels = 0..image.channels;
            sources.extend(channels.map(|channel| (pixel * image.channels + channel) as u32));
        }
    }
    sources
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    const SMALL: Image = Image { rows: 2, columns: 3, channels: 1 };
    const PIXELS: [f32; 6] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0];

    fn moved(image: Image, by: [f32; 2], pixels: &[f32]) -> Vec<f32> {
        let mut moved = vec![f32::NAN; pixels.len()];
        Shift::new(image, by).apply(pixels, &mut moved);
        moved
    }

    #[test]
    fn whole_pixels_move_and_edges_stay() {
        assert_eq!(moved(SMALL, [0.0, 0.0], &PIXELS), PIXELS);
        assert_eq!(moved(SMALL, [0.0, 1.0], &PIXELS), [1.0, 1.0, 2.0, 8.0, 8.0, 16.0]);
        assert_eq!(moved(SMALL, [-1.0, 0.0], &PIXELS), [8.0, 16.0, 32.0, 8.0, 16.0, 32.0]);
        assert_eq!(moved(SMALL, [-9.0, 9.0], &PIXELS), [8.0; 6]);
        let coloured = Image { rows: 1, columns: 3, channels: 2 };
        assert_eq!(moved(coloured, [0.0, -1.0], &PIXELS), [4.0, 8.0, 16.0, 32.0, 16.0, 32.0]);
    }

    #[test]
    fn parts_of_pixels_are_shared_out() {
        assert_eq!(moved(SMALL, [0.0, 0.25], &PIXELS), [1.0, 1.75, 3.5, 8.0, 14.0, 28.0]);
        assert_eq!(moved(SMALL, [-0.5, 0.0], &PIXELS), [4.5, 9.0, 18.0, 8.0, 16.0, 32.0]);
        let both = moved(SMALL, [-0.5, 0.5], &PIXELS);
        assert_eq!(both, [4.5, 6.75, 13.5, 8.0, 12.0, 24.0]);
    }

    #[test]
    fn tensors_move_as_slices_do() {
        let by = [0.7, -1.3];
        let two = [PIXELS, PIXELS.map(|pixel| pixel - 3.0)];
        let images = Tensor::new(&[two], &Device::Cpu).unwrap();
        let found = Shift::new(SMALL, by).of_tensor(&images).unwrap();
        assert_eq!(found.dims(), [1, 2, 6]);
        let expected: Vec<f32> = two.iter().flat_map(|pixels| moved(SMALL, by, pixels)).collect();
        assert_eq!(found.flatten_all().unwrap().to_vec1::<f32>().unwrap(), expected);
    }
}
