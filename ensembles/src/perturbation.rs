//! Small moves of samples that should not change their cluster.

use candle_core::{Device, Result, Tensor, Var};
use consilience_data::Rng;

use crate::encoder::{Encoder, Mode};
use crate::losses::consistency;

/// How far samples are moved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach<'a> {
    /// Length of each sample's move, length n; in units of the (scaled) features.
    pub(crate) radii: &'a [f32],
    /// Length of the random step at which the adversarial direction is probed, in the same units.
    pub(crate) probe: f32,
}

/// `samples` moved by a random direction each (random perturbation training; Hu et al., 2017), shape (n, n_features).
pub(crate) fn random(samples: &Tensor, radii: &[f32], rng: &mut Rng) -> Result<Tensor> {
    samples + directions(samples, rng, |row| radii[row])?
}

/// `samples` moved in the direction that changes the network's answer most: virtual adversarial training, with one
/// power iteration (Miyato et al., 2018, algorithm 1), shape (n, n_features).
///
/// `logits` are the network's answers to `samples`.
pub(crate) fn adversarial(
    encoder: &Encoder,
    samples: &Tensor,
    logits: &Tensor,
    reach: Reach<'_>,
    rng: &mut Rng,
) -> Result<Tensor> {
    let start = directions(samples, rng, |_| reach.probe)?;
    let probe = Var::from_tensor(&(samples + start)?)?;
    let answer = encoder.frozen().forward(&probe, Mode::Batch)?.logits;
    let gradients = consistency(logits, &answer)?.backward()?;
    let gradient = gradients.get(&probe).expect("the answer depends on the probe").flatten_all()?;
    let mut steps = gradient.to_vec1()?;
    scale_rows(&mut steps, samples.dim(1)?, |row| reach.radii[row]);
    samples + Tensor::from_vec(steps, samples.shape(), &Device::Cpu)?
}

/// A random direction for each sample, of length `length(row)`.
fn directions(samples: &Tensor, rng: &mut Rng, length: impl Fn(usize) -> f32) -> Result<Tensor> {
    let mut values = rng.normal(samples.elem_count());
    scale_rows(&mut values, samples.dim(1)?, length);
    Tensor::from_vec(values, samples.shape(), &Device::Cpu)
}

/// Gives each row the Euclidean length `length(row)`; a row of zeros stays.
fn scale_rows(values: &mut [f32], width: usize, length: impl Fn(usize) -> f32) {
    for (index, row) in values.chunks_exact_mut(width).enumerate() {
        // Gradients of confident samples are tiny: their squares would vanish in f32.
        let norm = row.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        if norm > 0.0 {
            let factor = f64::from(length(index)) / norm;
            #[expect(clippy::cast_possible_truncation, reason = "f32 storage")]
            row.iter_mut().for_each(|value| *value = (f64::from(*value) * factor) as f32);
        }
    }
}

#[cfg(test)]
mod tests {
    use consilience_data::{Seed, Stream};

    use super::*;
    use crate::encoder::Parameters;
    use crate::ops::testing::random as normal;

    fn rng() -> Rng {
        Seed(1).rng(Stream::Perturbation { model: 0, epoch: 0 })
    }

    #[test]
    fn moves_have_the_length_asked_for() {
        let samples = normal(1, (3, 4));
        let moved = random(&samples, &[0.5, 1.0, 2.0], &mut rng()).unwrap();
        let lengths = (moved - samples).unwrap().sqr().unwrap().sum(1).unwrap().sqrt().unwrap();
        for (found, expected) in lengths.to_vec1::<f32>().unwrap().into_iter().zip([0.5, 1.0, 2.0])
        {
            assert!((found - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn an_adversary_changes_more_than_chance() {
        let samples = normal(1, (64, 8));
        let mut weights = Seed(2).rng(Stream::Weights { model: 0 });
        let encoder =
            Encoder::new(&[8, 32, 4], false, &mut weights, &mut Parameters::default()).unwrap();
        let logits = encoder.forward(&samples, Mode::Batch).unwrap().logits;
        let change = |moved: &Tensor| {
            let answer = encoder.forward(moved, Mode::Batch).unwrap().logits;
            consistency(&logits, &answer).unwrap().to_scalar::<f32>().unwrap()
        };
        let radii = [0.3; 64];
        let by_chance = change(&random(&samples, &radii, &mut rng()).unwrap());
        let reach = Reach { radii: &radii, probe: 0.3 };
        let adverse = change(&adversarial(&encoder, &samples, &logits, reach, &mut rng()).unwrap());
        assert!(adverse > 2.0 * by_chance, "{adverse} {by_chance}");
    }
}
