//! What pretexts minimise. Each is a function of tensors of candle's, of any precision, that gives one number, and a file.
//!
//! | loss | formula, a mean over what it is of | source |
//! | --- | --- | --- |
//! | [`mean_squared_error`] | `(g - t)^2` | Bourlard and Kamp, 1988 |
//! | [`binary_cross_entropy`] | `-t ln s(g) - (1 - t) ln (1 - s(g))`, s the logistic function | Vincent et al., JMLR 11, 2010 |
//! | [`sparsity::l1`] | `abs z` | Ng, *Sparse autoencoder*, 2011 |
//! | [`sparsity::divergence`] | `r ln (r / a) + (1 - r) ln ((1 - r) / (1 - a))`, a a unit's mean activation | Ng, 2011 |
//! | [`variational`] | `(exp v + m^2 - 1 - v) / 2`, summed over units | Kingma and Welling, ICLR 2014, appendix B |
//! | [`nt_xent`] | `-ln (exp (c_ij / T) / sum over k other than i of exp (c_ik / T))`, c the cosine | Chen et al. (SimCLR), ICML 2020, equation 1 |
//! | [`masked_cross_entropy`] | `-w_j ln softmax_j(g)`, over what is masked | Devlin et al. (BERT), NAACL 2019 |
//! | [`smooth_l1`] | `d^2 / 2` for `d = abs (g - t) < 1`, else `d - 1/2` | Huber, 1964; Girshick, ICCV 2015, equation 3 |

mod binary_cross_entropy;
mod masked_cross_entropy;
mod mean_squared_error;
mod nt_xent;
mod smooth_l1;
pub(super) mod sparsity;
#[cfg(test)]
mod tests;
mod variational;

pub(super) use self::binary_cross_entropy::binary_cross_entropy;
pub(super) use self::masked_cross_entropy::masked_cross_entropy;
pub(super) use self::mean_squared_error::mean_squared_error;
pub(super) use self::nt_xent::nt_xent;
pub(super) use self::smooth_l1::smooth_l1;
pub(super) use self::variational::{bounded, variational};
