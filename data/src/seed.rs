//! All randomness of a run comes from one seed, through named streams.

use rand::{Rng as _, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};

/// The seed of a run. Same seed, same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// What random numbers are for. Every stream is independent of every other, so that adding a model or an
/// epoch can't shift another's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "model: index in the ensemble; epoch: counted over all rounds")]
pub enum Stream {
    /// A network's first weights.
    Weights { model: u64 },
    /// The order of samples in an epoch.
    Shuffle { model: u64, epoch: u64 },
    /// Gaussian noise of a corrupted encoder.
    Noise { model: u64, epoch: u64 },
    /// Directions of adversarial or random perturbations.
    Perturbation { model: u64, epoch: u64 },
    /// The order in which pseudo-labels are cycled.
    Labels { model: u64, epoch: u64 },
    /// Starting points of k-means.
    Centroids { model: u64 },
    /// Which of a sample's neighbours it is held against.
    Neighbours { model: u64, epoch: u64 },
    /// Subsets of samples, such as for estimating a scale.
    Subset,
    /// Where the search for principal directions starts.
    Projection,
    /// Which samples a report shows: cluster by cluster, and on its map.
    Report { part: u64 },
    /// How many samples' neighbours are sought: whose neighbours are sought exactly, directions, and lists.
    NeighbourSearch { part: u64 },
    /// What a voter by communities looks at, and how.
    Communities { model: u64 },
    /// Starting points of a mixture.
    Mixture { model: u64 },
    /// Which samples are kept for new ones to be compared with, and in which directions.
    References { part: u64 },
    /// How each image is moved.
    Move { model: u64, epoch: u64 },
    /// What a voter of many granularities draws.
    Granularity { voter: u64 },
    /// Which half of the samples is which.
    Halves { split: u64 },
    /// Which samples of which classes an episode of learning to learn is of.
    Episode { step: u64, slot: u64 },
    /// Which samples a sketch is of, and its frequencies: both the same for all runs.
    Sketch { part: u64 },
    /// Which features, patches or tokens are hidden from a network, and what is in their place.
    Hidden { model: u64, epoch: u64 },
    /// Which label a sample is learnt as that has probabilities of all.
    SoftLabels { model: u64, epoch: u64 },
    /// The seed of all that is random on another view of the samples.
    View { view: u64 },
    /// What moves samples while they are laid out.
    Layout,
}

impl Stream {
    /// Tag, model, epoch. Tags are part of what a seed means: never renumber them. 10 was for shifts of images that all models shared.
    fn key(self) -> [u64; 3] {
        match self {
            Self::Weights { model } => [1, model, 0],
            Self::Shuffle { model, epoch } => [2, model, epoch],
            Self::Noise { model, epoch } => [3, model, epoch],
            Self::Perturbation { model, epoch } => [4, model, epoch],
            Self::Labels { model, epoch } => [5, model, epoch],
            Self::Centroids { model } => [6, model, 0],
            Self::Subset => [7, 0, 0],
            Self::Neighbours { model, epoch } => [8, model, epoch],
            Self::Projection => [9, 0, 0],
            Self::Report { part } => [11, part, 0],
            Self::NeighbourSearch { part } => [12, part, 0],
            Self::Communities { model } => [13, model, 0],
            Self::Mixture { model } => [14, model, 0],
            Self::References { part } => [15, part, 0],
            Self::Move { model, epoch } => [16, model, epoch],
            Self::Granularity { voter } => [17, voter, 0],
            Self::Halves { split } => [18, split, 0],
            Self::Hidden { model, epoch } => [24, model, epoch],
            Self::Episode { step, slot } => [30, step, slot],
            Self::Sketch { part } => [31, part, 0],
            Self::SoftLabels { model, epoch } => [32, model, epoch],
            Self::View { view } => [33, view, 0],
            Self::Layout => [34, 0, 0],
        }
    }
}

impl Seed {
    /// The generator of one stream.
    #[must_use]
    pub fn rng(self, stream: Stream) -> Rng {
        let [tag, model, epoch] = stream.key();
        let mut key = [0; 32];
        for (bytes, word) in key.chunks_exact_mut(8).zip([self.0, tag, model, epoch]) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        Rng(ChaCha8Rng::from_seed(key))
    }
}

/// A stream of random numbers (ChaCha with 8 rounds).
#[derive(Debug, Clone)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// 64 random bits, to seed a library's own generator with.
    pub fn bits(&mut self) -> u64 {
        self.0.random()
    }

    /// A number from 0 to 1, without 1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits")]
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `len` independent numbers from the normal distribution of mean 0 and variance 1.
    #[must_use]
    pub fn normal(&mut self, len: usize) -> Vec<f32> {
        (&mut self.0).sample_iter(StandardNormal).take(len).collect()
    }

    /// The numbers 0..len in random order.
    #[must_use]
    pub fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        self.shuffle(&mut order);
        order
    }

    /// Puts `items` into random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        items.shuffle(&mut self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_repeat_and_differ() {
        let bits = |seed: u64, stream| Seed(seed).rng(stream).bits();
        let noise = Stream::Noise { model: 1, epoch: 2 };
        assert_eq!(bits(7, noise), bits(7, noise));
        assert_ne!(bits(7, noise), bits(8, noise));
        assert_ne!(bits(7, noise), bits(7, Stream::Noise { model: 2, epoch: 1 }));
        assert_ne!(bits(7, noise), bits(7, Stream::Perturbation { model: 1, epoch: 2 }));
    }

    #[test]
    fn normal_numbers_have_mean_0_and_variance_1() {
        let numbers = Seed(3).rng(Stream::Subset).normal(100_000);
        let mean = numbers.iter().sum::<f32>() / 1e5;
        let variance = numbers.iter().map(|x| x * x).sum::<f32>() / 1e5;
        assert!(mean.abs() < 0.02 && (variance - 1.0).abs() < 0.02, "{mean} {variance}");
    }
}
