//! Elementary functions that a compiler can turn into vector instructions: no branches, no tables, no calls.
//!
//! The standard library's go through libm, a value at a time. Polynomials are those of Cephes (Moshier, 1989).

use std::f32::consts::{FRAC_PI_2, LN_2, LOG2_E};

/// Runs `kernel` with the widest vector instructions that this machine has (AVX-512, AVX2 with FMA, NEON): whatever is
/// inlined into it is compiled for each of them. So mark it, and all that it calls, `#[inline(always)]`.
#[inline(always)]
pub(crate) fn vectorised<R>(kernel: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(kernel)
}

/// e^x within 2e-7 of its value for |x| <= 87; beyond it stays as it is there, so that the reciprocal is finite. NaN stays NaN.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: what is added to it is rounded to a whole number, in the last bits.
    const ROUND: f32 = 12_582_912.0;
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 87.0 { 87.0 } else { x };
    let shifted = x.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    // ln 2 in two parts, of which the first has few bits.
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    let p = 1.987_569_1e-4_f32;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r * r, r) + 1.0;
    // 2^n, from the bits that hold n.
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    reciprocal(1.0 + exp(-x))
}

/// 1 / x, for x from 1e-37 to 1e38, within 2e-7 of its value.
///
/// A first guess from the bits and three of Newton's steps take a quarter of the time of a division, of which a core has
/// one unit.
#[inline(always)]
pub(crate) fn reciprocal(x: f32) -> f32 {
    let guess = f32::from_bits(0x7ef3_11c7_u32.wrapping_sub(x.to_bits()));
    let step = |y: f32| y * (-x).mul_add(y, 2.0);
    step(step(step(guess)))
}

/// The square root of an x that is 0 or normal, within 3e-7 of its value; by the reciprocal root, as [`reciprocal`].
#[inline(always)]
pub(crate) fn sqrt(x: f32) -> f32 {
    let guess = f32::from_bits(0x5f37_5a86_u32.wrapping_sub(x.to_bits() >> 1));
    let half = 0.5 * x;
    let step = |y: f32| y * (-(half * y)).mul_add(y, 1.5);
    x * step(step(step(guess)))
}

/// Natural logarithm of a positive, normal x, within 2e-7 of its value.
#[inline(always)]
pub(crate) fn ln(x: f32) -> f32 {
    /// Bits of sqrt(1/2), so that the mantissa lies about 1.
    const ROOT: u32 = 0x3f35_04f3;
    let bits = x.to_bits().wrapping_sub(ROOT);
    #[expect(clippy::cast_possible_wrap, reason = "an exponent's bits")]
    let exponent = (bits as i32) >> 23;
    #[expect(clippy::cast_precision_loss, reason = "an exponent is small")]
    let n = exponent as f32;
    let r = f32::from_bits((bits & 0x007f_ffff).wrapping_add(ROOT)) - 1.0;
    let p = 7.037_683_6e-2_f32;
    let p = p.mul_add(r, -1.151_461e-1);
    let p = p.mul_add(r, 1.167_699_9e-1);
    let p = p.mul_add(r, -1.242_014_1e-1);
    let p = p.mul_add(r, 1.424_932_3e-1);
    let p = p.mul_add(r, -1.666_805_8e-1);
    let p = p.mul_add(r, 2.000_071_5e-1);
    let p = p.mul_add(r, -2.499_999_4e-1);
    let p = p.mul_add(r, 0.333_333_3);
    let r2 = r * r;
    n.mul_add(LN_2, p.mul_add(r2 * r, r2.mul_add(-0.5, r)))
}

/// Cosine and sine of `quarter` * pi / 2, for |quarter| <= 1/2.
#[inline(always)]
pub(crate) fn cos_sin(quarter: f32) -> (f32, f32) {
    let x = quarter * FRAC_PI_2;
    let x2 = x * x;
    let s = (-1.951_529_6e-4_f32).mul_add(x2, 8.332_161e-3);
    let s = s.mul_add(x2, -1.666_665_5e-1);
    let c = 2.443_315_7e-5_f32.mul_add(x2, -1.388_731_6e-3);
    let c = c.mul_add(x2, 4.166_664_6e-2);
    (c.mul_add(x2 * x2, x2.mul_add(-0.5, 1.0)), s.mul_add(x2 * x, x))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest relative error against f64, over `n` values from `first` to `last`.
    fn error(first: f32, last: f32, fast: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        let n = 100_000;
        let at = |step: u32| first + (last - first) * (step as f32 / n as f32);
        let relative = |x: f32| {
            let exact = exact(f64::from(x));
            (f64::from(vectorised(|| fast(x))) - exact).abs() / exact.abs().max(1e-3)
        };
        (0..=n).map(|step| relative(at(step))).fold(0.0, f64::max)
    }

    #[test]
    fn functions_equal_the_standard_librarys() {
        assert!(error(-87.0, 87.0, exp, f64::exp) < 3e-7);
        assert!(error(-1e-3, 1e-3, exp, f64::exp) < 2e-7);
        assert!(error(1e-7, 1.0, ln, f64::ln) < 3e-7);
        assert!(error(0.5, 2.0, ln, f64::ln) < 1e-6);
        assert!(
            error(-0.5, 0.5, |x| cos_sin(x).0, |x| (x * std::f64::consts::FRAC_PI_2).cos()) < 2e-7
        );
        assert!(
            error(-0.5, 0.5, |x| cos_sin(x).1, |x| (x * std::f64::consts::FRAC_PI_2).sin()) < 2e-7
        );
        assert!(error(1e-3, 1e3, reciprocal, f64::recip) < 2e-7);
        assert!(error(1.0, 1e37, reciprocal, f64::recip) < 2e-7);
        assert!(error(0.0, 1e-3, sqrt, f64::sqrt) < 3e-7);
        assert!(error(0.0, 1e30, sqrt, f64::sqrt) < 3e-7);
        assert!(error(-300.0, 300.0, sigmoid, |x| 1.0 / (1.0 + (-x).exp())) < 3e-7);
    }

    #[test]
    fn the_ends_are_finite_and_nan_stays() {
        assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(f32::INFINITY).is_finite());
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
        assert!(reciprocal(f32::NAN).is_nan() && sqrt(f32::NAN).is_nan());
        assert_eq!((exp(0.0), ln(1.0), sqrt(0.0)), (1.0, 0.0, 0.0));
    }
}
