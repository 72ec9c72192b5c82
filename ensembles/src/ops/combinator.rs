//! The ladder network's combinator (Rasmus et al., 2015, equation 2; Pezeshki et al., 2016: "vanilla").

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{slice, tensor, with_slices};

/// Parameters of every unit: a1..a5 make the mean, a6..a10 the weight of the lateral signal.
pub(crate) const N_PARAMETERS: usize = 10;

struct Combinator;

/// The decoder's guess of a layer: `(lateral - mu(u)) v(u) + mu(u)`, with `mu(u) = a1 sigmoid(a2 u + a3) + a4 u + a5`,
/// `v` alike with a6..a10.
///
/// Shapes: `lateral`, the corrupted activations, and `vertical`, u from the layer above, (n, width); `parameters`
/// ([`N_PARAMETERS`], width). O(n width).
pub(crate) fn combine(lateral: &Tensor, vertical: &Tensor, parameters: &Tensor) -> Result<Tensor> {
    lateral.apply_op3(vertical, parameters, Combinator)
}

/// A row of every parameter, each of length width.
fn rows(parameters: &[f32]) -> [&[f32]; N_PARAMETERS] {
    let width = parameters.len() / N_PARAMETERS;
    std::array::from_fn(|row| &parameters[row * width..(row + 1) * width])
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

impl CustomOp3 for Combinator {
    fn name(&self) -> &'static str {
        "combinator"
    }

    fn cpu_fwd(
        &self,
        lateral: &CpuStorage,
        lateral_layout: &Layout,
        vertical: &CpuStorage,
        vertical_layout: &Layout,
        parameters: &CpuStorage,
        parameters_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (z, u) = (slice(lateral, lateral_layout)?, slice(vertical, vertical_layout)?);
        let a = rows(slice(parameters, parameters_layout)?);
        let width = a[0].len();
        let mut result = Vec::with_capacity(z.len());
        for (z, u) in z.chunks_exact(width).zip(u.chunks_exact(width)) {
            result.extend((0..width).map(|unit| {
                let u = u[unit];
                let mu =
                    a[0][unit] * sigmoid(a[1][unit] * u + a[2][unit]) + a[3][unit] * u + a[4][unit];
                let v =
                    a[5][unit] * sigmoid(a[6][unit] * u + a[7][unit]) + a[8][unit] * u + a[9][unit];
                (z[unit] - mu) * v + mu
            }));
        }
        Ok((CpuStorage::F32(result), lateral_layout.shape().clone()))
    }

    fn bwd(
        &self,
        lateral: &Tensor,
        vertical: &Tensor,
        parameters: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (of_z, of_u, of_a) =
            with_slices([lateral, vertical, parameters, gradient], |[z, u, a, gradient]| {
                let width = a.len() / N_PARAMETERS;
                let mut of_z = vec![0.0; z.len()];
                let mut of_u = vec![0.0; z.len()];
                let mut of_a = vec![0.0; a.len()];
                let samples = z.chunks_exact(width).zip(u.chunks_exact(width));
                let gradients = of_z.chunks_exact_mut(width).zip(of_u.chunks_exact_mut(width));
                for (((z, u), g), (of_z, of_u)) in
                    samples.zip(gradient.chunks_exact(width)).zip(gradients)
                {
                    backward_row(z, u, g, a, of_z, of_u, &mut of_a);
                }
                (of_z, of_u, of_a)
            })?;
        Ok((
            Some(tensor(of_z, lateral.shape())?),
            Some(tensor(of_u, vertical.shape())?),
            Some(tensor(of_a, parameters.shape())?),
        ))
    }
}

/// One sample's gradients; those of the parameters are added to `of_a`, shape ([`N_PARAMETERS`], width).
fn backward_row(
    z: &[f32],
    u: &[f32],
    g: &[f32],
    a: &[f32],
    of_z: &mut [f32],
    of_u: &mut [f32],
    of_a: &mut [f32],
) {
    let a = rows(a);
    let width = z.len();
    for unit in 0..width {
        let (z, u, g) = (z[unit], u[unit], g[unit]);
        let s_mu = sigmoid(a[1][unit] * u + a[2][unit]);
        let s_v = sigmoid(a[6][unit] * u + a[7][unit]);
        let mu = a[0][unit] * s_mu + a[3][unit] * u + a[4][unit];
        let v = a[5][unit] * s_v + a[8][unit] * u + a[9][unit];
        // Slopes of the sigmoids' outer terms with respect to their arguments.
        let slope_mu = a[0][unit] * s_mu * (1.0 - s_mu);
        let slope_v = a[5][unit] * s_v * (1.0 - s_v);
        let (g_mu, g_v) = (g * (1.0 - v), g * (z - mu));
        of_z[unit] = g * v;
        of_u[unit] =
            g_mu * (slope_mu * a[1][unit] + a[3][unit]) + g_v * (slope_v * a[6][unit] + a[8][unit]);
        let of_parameters = [
            g_mu * s_mu,
            g_mu * slope_mu * u,
            g_mu * slope_mu,
            g_mu * u,
            g_mu,
            g_v * s_v,
            g_v * slope_v * u,
            g_v * slope_v,
            g_v * u,
            g_v,
        ];
        for (row, value) in of_parameters.into_iter().enumerate() {
            of_a[row * width + unit] += value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{assert_close, assert_gradients, random};

    fn composed(z: &Tensor, u: &Tensor, a: &Tensor) -> Result<Tensor> {
        let row = |index: usize| a.get(index);
        let part = |first: usize| -> Result<Tensor> {
            let inner = u.broadcast_mul(&row(first + 1)?)?.broadcast_add(&row(first + 2)?)?;
            let sigmoid = ((inner.neg()?.exp()? + 1.0)?.recip())?;
            sigmoid
                .broadcast_mul(&row(first)?)?
                .add(&u.broadcast_mul(&row(first + 3)?)?)?
                .broadcast_add(&row(first + 4)?)
        };
        let (mu, v) = (part(0)?, part(5)?);
        (z - &mu)?.mul(&v)?.add(&mu)
    }

    #[test]
    fn equals_candles_own() {
        let (z, u, a) = (random(1, (5, 3)), random(2, (5, 3)), random(3, (N_PARAMETERS, 3)));
        assert_close(&combine(&z, &u, &a).unwrap(), &composed(&z, &u, &a).unwrap(), 1e-6);
    }

    #[test]
    fn gradients_equal_finite_differences() {
        let inputs = [random(4, (5, 3)), random(5, (5, 3)), random(6, (N_PARAMETERS, 3))];
        assert_gradients(&inputs, |t| combine(&t[0], &t[1], &t[2]));
    }
}
