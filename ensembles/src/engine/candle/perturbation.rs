//! Small moves of samples that should not change their cluster.

use candle_core::{D, Result, Tensor, Var};

use super::encoder::Encoder;
use super::held;
use super::losses::consistency;

/// `samples` moved by `radii` along a random direction each (random perturbation training; Hu et al., 2017).
///
/// `samples` and `directions`, which need not have a length of 1: (models, n, n_features). `radii`: (models, n, 1).
pub(super) fn random(samples: &Tensor, directions: &Tensor, radii: &Tensor) -> Result<Tensor> {
    samples + unit(directions)?.broadcast_mul(radii)?
}

/// `samples` moved by `radii` in the direction that changes the networks' answers most: virtual adversarial training,
/// with one power iteration (Miyato et al., 2018, algorithm 1). Shapes as in [`random`].
///
/// `logits` are the networks' answers to `samples`; `probe` is the length of the random step at which the direction is
/// sought.
pub(super) fn adversarial(
    encoder: &Encoder,
    samples: &Tensor,
    logits: &Tensor,
    directions: &Tensor,
    (radii, probe): (&Tensor, f64),
) -> Result<Tensor> {
    let start = (samples + (unit(directions)? * probe)?)?;
    let start = Var::from_tensor(&start)?;
    let answer = encoder.frozen().forward(&start, None)?.logits;
    let gradients = consistency(&logits.detach(), &answer)?.sum_all()?.backward()?;
    let gradient = gradients.get(&start).expect("the answer depends on the probe");
    random(samples, &held(gradient), radii)
}

/// Gives each row the Euclidean length 1; a row of zeros stays.
///
/// Gradients of confident samples are tiny: their squares would vanish. So rows are first divided by their largest value.
fn unit(rows: &Tensor) -> Result<Tensor> {
    let or_one = |lengths: Tensor| {
        let zeros = lengths.eq(&lengths.zeros_like()?)?;
        zeros.to_dtype(rows.dtype())? + lengths
    };
    let largest = or_one(rows.abs()?.max_keepdim(D::Minus1)?)?;
    let rows = rows.broadcast_div(&largest)?;
    let lengths = or_one(rows.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)?;
    rows.broadcast_div(&lengths)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn rows_get_a_length_of_one_however_small_they_are() {
        let rows = [[[3f32, -4.0], [0.0, 0.0]], [[3e-30, 4e-30], [1e30, 0.0]]];
        let rows = unit(&Tensor::new(&rows, &Device::Cpu).unwrap()).unwrap();
        let expected = [[[0.6, -0.8], [0.0, 0.0]], [[0.6, 0.8], [1.0, 0.0]]];
        for (found, expected) in rows
            .to_vec3::<f32>()
            .unwrap()
            .iter()
            .flatten()
            .flatten()
            .zip(expected.iter().flatten().flatten())
        {
            assert!((found - expected).abs() < 1e-6);
        }
    }
}
