//! Views of a sample that show the same: what a contrastive encoder is not to tell apart.

use consilience_data::{Features, Rng};
use rayon::prelude::*;

use super::batch::{Draws, rows};
use super::params::PretextParams;
use crate::preparation::image::Image;
use crate::preparation::moves::{Move, Strengths};

/// How images are moved: turned, sheared, shifted, and enlarged, which crops them, or made smaller.
const STRENGTHS: Strengths = Strengths { shift: 0.15, rotation: 20.0, shear: 15.0, scale: 0.3 };
/// Sides of the patch that is erased from an image, as a share of the image's, at most.
const PATCH: f64 = 0.4;

/// How views are made.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Augmentation {
    /// Images are moved affinely, and lose a patch.
    Image(Image),
    /// Vectors get noise of this standard deviation, and lose a share of their features.
    Vector { noise: f64, hide: f64 },
}

impl Augmentation {
    /// `spread`: the root mean variance of the features.
    pub(crate) fn new(params: &PretextParams, spread: f64) -> Self {
        match params.image {
            Some(image) => Self::Image(image),
            None => Self::Vector { noise: params.noise * spread, hide: params.hide },
        }
    }

    /// A view of each of these samples, one after the other.
    pub(crate) fn view(
        self,
        features: &Features,
        samples: &[usize],
        draws: &mut Draws,
    ) -> Vec<f32> {
        let width = features.n_features();
        let mut values = rows(features, samples);
        match self {
            Self::Image(image) => {
                let moves = Move::drawn(image, STRENGTHS, samples.len(), &mut draws.moves);
                let patches: Vec<_> =
                    samples.iter().map(|_| Patch::drawn(image, &mut draws.hidden)).collect();
                let mut moved = vec![0.0; values.len()];
                let each = moved.par_chunks_mut(width).zip(values.par_chunks(width));
                each.zip(moves.par_iter().zip(&patches)).for_each(|((to, from), (by, patch))| {
                    by.apply(image, from, to);
                    patch.erase(image, to);
                });
                moved
            }
            Self::Vector { noise, hide } => {
                draws.hide(&mut values, hide);
                draws.add_noise(&mut values, width, noise);
                values
            }
        }
    }
}

/// A rectangle of an image (Zhong et al., *Random erasing*, AAAI 2020).
struct Patch {
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
}

impl Patch {
    fn drawn(image: Image, rng: &mut Rng) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a side"
        )]
        let mut range = |side: usize| {
            let length = (rng.uniform() * PATCH * side as f64) as usize;
            let start = (rng.uniform() * (side - length + 1) as f64) as usize;
            start..start + length
        };
        Self { rows: range(image.rows), columns: range(image.columns) }
    }

    fn erase(&self, image: Image, pixels: &mut [f32]) {
        for row in self.rows.clone() {
            let place = |column: usize| (row * image.columns + column) * image.channels;
            pixels[place(self.columns.start)..place(self.columns.end)].fill(0.0);
        }
    }
}
