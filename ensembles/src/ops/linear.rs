//! A matrix product that computes only the gradients that are needed.
//!
//! Candle's own computes both: that of the first layer's input, which nothing learns from, and, when an adversarial
//! direction is sought, those of weights that are held fixed. Together they are a third of a step.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};

struct Linear {
    input_learns: bool,
    weight_learns: bool,
}

/// `input` (n, in) times `weight` (in, out): shape (n, out). O(n in out), and once more for each gradient.
pub(crate) fn linear(input: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let op = Linear { input_learns: input.track_op(), weight_learns: weight.track_op() };
    input.apply_op2(weight, op)
}

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        input: &CpuStorage,
        input_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, inner) = input_layout.shape().dims2()?;
        let (_, columns) = weight_layout.shape().dims2()?;
        let product =
            input.matmul(weight, (1, rows, columns, inner), input_layout, weight_layout)?;
        Ok((product, (rows, columns).into()))
    }

    fn bwd(
        &self,
        input: &Tensor,
        weight: &Tensor,
        _result: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let of_input = self.input_learns.then(|| gradient.matmul(&weight.t()?)).transpose()?;
        let of_weight = self.weight_learns.then(|| input.t()?.matmul(gradient)).transpose()?;
        Ok((of_input, of_weight))
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Var;

    use super::*;
    use crate::ops::testing::{assert_gradients, random};

    #[test]
    fn gradients_equal_finite_differences() {
        let inputs = [random(1, (4, 3)), random(2, (3, 5))];
        assert_gradients(&inputs, |t| linear(&t[0], &t[1]));
    }

    #[test]
    fn nothing_is_computed_for_what_is_held_fixed() {
        let input = Var::from_tensor(&random(1, (4, 3))).unwrap();
        let weight = Var::from_tensor(&random(2, (3, 5))).unwrap();
        let product = linear(&input, &weight.detach()).unwrap();
        let gradients = product.sum_all().unwrap().backward().unwrap();
        assert!(gradients.get(&input).is_some());
        assert!(gradients.get(&weight).is_none());
    }
}
