//! What is held constant in a loss.

use candle_core::Tensor;

/// `tensor` held constant: no gradient flows into it.
pub(super) fn held(tensor: &Tensor) -> Tensor {
    #[cfg(test)]
    let tensor = &replay::held(tensor);
    tensor.detach()
}

/// For finite differences: what is held constant stays as it was at the point of departure.
#[cfg(test)]
pub(super) mod replay {
    use std::cell::RefCell;
    use std::collections::VecDeque;

    use candle_core::Tensor;

    /// As it comes; written down; or as it was written down.
    pub(in super::super) enum Held {
        Now,
        Recorded(VecDeque<Tensor>),
        Replayed(VecDeque<Tensor>),
    }

    thread_local! {
        pub(in super::super) static HELD: RefCell<Held> = const { RefCell::new(Held::Now) };
    }

    pub(super) fn held(tensor: &Tensor) -> Tensor {
        HELD.with_borrow_mut(|held| match held {
            Held::Now => tensor.clone(),
            Held::Recorded(tensors) => {
                tensors.push_back(tensor.detach());
                tensor.clone()
            }
            Held::Replayed(tensors) => {
                let tensor = tensors.pop_front().unwrap();
                tensors.push_back(tensor.clone());
                tensor
            }
        })
    }
}
