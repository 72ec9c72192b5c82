//! How an image lies in a sample's features.

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
