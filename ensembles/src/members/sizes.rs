//! How large clusters are taken to be: the prior that information maximisation draws their sizes to (Krause et al., 2010).

use serde::{Deserialize, Serialize};

/// The prior over cluster sizes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", expecting = "need uniform, learned or a list of numbers")]
pub enum SizePrior {
    /// All alike.
    Uniform,
    /// As a network found them itself in the round before, half and half with all alike. In the first round all are alike.
    Learned,
    /// Positive numbers, one for each cluster, of which only the ratios count. They are those of clusters 0, 1, ... of every
    /// network: before anything is trained, one id is as good as another.
    #[serde(untagged)]
    Given(Vec<f64>),
}

/// Share of the uniform prior in a learned one.
///
/// Sizes alone would leave nothing that keeps a cluster alive: one that lost samples would be meant to be as small from then
/// on, and could lose more in every round, down to none. With a half, a cluster without samples is still meant to have half of
/// its even share.
const UNIFORM_SHARE: f64 = 0.5;

impl SizePrior {
    /// Whether sizes that are given are positive numbers.
    pub(crate) fn is_positive(&self) -> bool {
        match self {
            Self::Uniform | Self::Learned => true,
            Self::Given(sizes) => {
                sizes.iter().all(|&size| size > 0.0) && sizes.iter().sum::<f64>().is_finite()
            }
        }
    }

    /// Whether networks look at their own sizes before this round.
    pub(crate) fn learns_in(&self, round: usize) -> bool {
        *self == Self::Learned && round > 0
    }

    /// The prior where nothing is known of a network's own sizes. As many sizes were given as there are clusters.
    pub(crate) fn unlearned(&self, n_clusters: usize) -> Prior {
        match self {
            Self::Uniform | Self::Learned => Prior::new((0..n_clusters).map(|_| 0.0)),
            Self::Given(sizes) => {
                let even = (sizes.iter().sum::<f64>() / sizes.len() as f64).ln();
                Prior::new(sizes.iter().map(|size| size.ln() - even))
            }
        }
    }
}

/// The prior of one phase: for every cluster, the logarithm of its size as a multiple of an even share, ln(K prior).
///
/// The divergence of a batch's sizes q from the prior is, but for ln K, the sum of q (ln q - ln(K prior)). A uniform prior is
/// all zeros, and leaves just the negative entropy.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prior(Vec<f32>);

impl Prior {
    /// What a network takes from its own answers on all data, shape (n_samples, n_clusters), row after row. O(n K).
    pub(crate) fn learned(probabilities: &[f32], n_clusters: usize) -> Self {
        let mut sums = vec![0.0_f64; n_clusters];
        for row in probabilities.chunks_exact(n_clusters) {
            sums.iter_mut().zip(row).for_each(|(sum, &p)| *sum += f64::from(p));
        }
        let even = probabilities.len() as f64 / (n_clusters * n_clusters) as f64;
        let mixed = |sum: f64| UNIFORM_SHARE + (1.0 - UNIFORM_SHARE) * sum / even;
        Self::new(sums.into_iter().map(|sum| mixed(sum).ln()))
    }

    #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
    fn new(log_multiples: impl Iterator<Item = f64>) -> Self {
        Self(log_multiples.map(|log| log as f32).collect())
    }

    /// Length n_clusters.
    pub(crate) fn log_multiples(&self) -> &[f32] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, SeqDeserializer, StrDeserializer};

    use super::*;

    fn named(name: &str) -> Result<SizePrior, Error> {
        let text: StrDeserializer<'_, Error> = name.into_deserializer();
        SizePrior::deserialize(text)
    }

    #[test]
    fn priors_are_names_or_lists() {
        assert_eq!(named("uniform"), Ok(SizePrior::Uniform));
        assert_eq!(named("learned"), Ok(SizePrior::Learned));
        assert!(named("equal").unwrap_err().to_string().contains("need uniform, learned"));
        let numbers = SeqDeserializer::<_, Error>::new([0.5, 1.5].into_iter());
        assert_eq!(SizePrior::deserialize(numbers), Ok(SizePrior::Given(vec![0.5, 1.5])));
    }

    /// Multiples of an even share, back from their logarithms.
    fn multiples(prior: &Prior) -> Vec<f32> {
        prior.log_multiples().iter().map(|log| log.exp()).collect()
    }

    #[test]
    fn only_ratios_of_given_sizes_count() {
        for scale in [1.0, 1e-300, 1e300] {
            let given = SizePrior::Given([5.0, 3.0, 2.0].map(|size| size * scale).to_vec());
            assert!(given.is_positive());
            let found = multiples(&given.unlearned(3));
            for (found, expected) in found.iter().zip([1.5, 0.9, 0.6]) {
                assert!((found - expected).abs() < 1e-5, "{found} {expected}");
            }
        }
        assert_eq!(SizePrior::Given(vec![2.0; 3]).unlearned(3), SizePrior::Uniform.unlearned(3));
        for wrong in [vec![1.0, 0.0], vec![1.0, f64::NAN], vec![f64::MAX; 2]] {
            assert!(!SizePrior::Given(wrong).is_positive());
        }
    }

    #[test]
    fn a_learned_prior_leaves_an_empty_cluster_half_of_its_share() {
        let found = multiples(&Prior::learned(&[1.0, 0.0, 0.0, 0.5, 0.5, 0.0], 3));
        for (found, expected) in found.iter().zip([1.625, 0.875, 0.5]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
