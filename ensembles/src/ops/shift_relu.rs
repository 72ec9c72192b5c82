//! Bias and rectifier in one pass.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

use super::{slice, tensor, with_slices};

struct ShiftRelu;

/// max(0, `input` + `shift`), shapes (n, width) and (width). O(n width).
pub(crate) fn shift_relu(input: &Tensor, shift: &Tensor) -> Result<Tensor> {
    input.apply_op2(shift, ShiftRelu)
}

impl CustomOp2 for ShiftRelu {
    fn name(&self) -> &'static str {
        "shift_relu"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        shift: &CpuStorage,
        shift_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let shift = slice(shift, shift_layout)?;
        let input = slice(input, input_layout)?;
        let mut result = Vec::with_capacity(input.len());
        for row in input.chunks_exact(shift.len()) {
            // Not `max`, which turns NaN into 0 and so would hide that training diverged.
            let shifted = row.iter().zip(shift).map(|(value, shift)| value + shift);
            result.extend(shifted.map(|value| if value < 0.0 { 0.0 } else { value }));
        }
        Ok((CpuStorage::F32(result), input_layout.shape().clone()))
    }

    fn bwd(
        &self,
        input: &Tensor,
        shift: &Tensor,
        result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (of_input, of_shift) = with_slices([result, gradient], |[result, gradient]| {
            let of_input: Vec<f32> = result
                .iter()
                .zip(gradient)
                .map(|(&result, &gradient)| if result > 0.0 { gradient } else { 0.0 })
                .collect();
            let mut of_shift = vec![0.0; shift.elem_count()];
            for row in of_input.chunks_exact(of_shift.len()) {
                for (sum, value) in of_shift.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            (of_input, of_shift)
        })?;
        Ok((Some(tensor(of_input, input.shape())?), Some(tensor(of_shift, shift.shape())?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{assert_close, assert_gradients, random};

    #[test]
    fn equals_candles_own() {
        let (input, shift) = (random(1, (4, 3)), random(2, 3));
        let composed = input.broadcast_add(&shift).unwrap().relu().unwrap();
        assert_close(&shift_relu(&input, &shift).unwrap(), &composed, 1e-7);
    }

    #[test]
    fn nan_stays() {
        let input = tensor(vec![f32::NAN, 1.0], (1, 2)).unwrap();
        let result = shift_relu(&input, &tensor(vec![0.0; 2], 2).unwrap()).unwrap();
        assert!(result.to_vec2::<f32>().unwrap()[0][0].is_nan());
    }

    #[test]
    fn gradients_equal_finite_differences() {
        assert_gradients(&[random(3, (4, 3)), random(4, 3)], |t| shift_relu(&t[0], &t[1]));
    }
}
