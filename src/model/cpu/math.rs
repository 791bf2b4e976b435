//! Elementary functions as straight-line code over small arrays, so that the compiler turns them into vector instructions.

use super::LANES;

/// `a·b + c`: one instruction where the kernel is compiled for FMA (`f32::mul_add` would call a library function elsewhere).
#[inline(always)]
pub fn fma<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x`, within 2 units in the last place for −87 ≤ x ≤ 88, clamped beyond.
///
/// x = k·ln 2 + r with |r| ≤ ln 2 / 2 (ln 2 in two parts, so that r keeps its digits); e^r by its Taylor polynomial of degree 6, which
/// is below f32's rounding there; 2^k through the exponent bits.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let k = (x * std::f32::consts::LOG2_E).round_ties_even();
    let r = fma::<FMA>(k, -0.693_359_4, x);
    let r = fma::<FMA>(k, 2.121_944_4e-4, r);
    let p = fma::<FMA>(r, 1.0 / 720.0, 1.0 / 120.0);
    let p = fma::<FMA>(p, r, 1.0 / 24.0);
    let p = fma::<FMA>(p, r, 1.0 / 6.0);
    let p = fma::<FMA>(p, r, 0.5);
    let p = fma::<FMA>(p, r, 1.0);
    let p = fma::<FMA>(p, r, 1.0);
    // k is a whole number of at most 127 in size here, so the conversion is exact.
    // SAFETY: −126 ≤ k ≤ 127 after the clamp.
    let k: i32 = unsafe { k.to_int_unchecked() };
    p * f32::from_bits(((k + 127) << 23) as u32)
}

/// `ln(1 + e^x)` without overflow: max(x, 0) + ln(1 + e^−|x|), the logarithm as 2·atanh(u / (2 + u)).
#[inline(always)]
pub fn softplus<const FMA: bool>(x: f32) -> f32 {
    let u = exp::<FMA>(-x.abs());
    let s = u / (2.0 + u);
    let q = s * s;
    let p = fma::<FMA>(q, 1.0 / 15.0, 1.0 / 13.0);
    let p = fma::<FMA>(p, q, 1.0 / 11.0);
    let p = fma::<FMA>(p, q, 1.0 / 9.0);
    let p = fma::<FMA>(p, q, 1.0 / 7.0);
    let p = fma::<FMA>(p, q, 1.0 / 5.0);
    let p = fma::<FMA>(p, q, 1.0 / 3.0);
    let p = fma::<FMA>(p, q, 1.0);
    fma::<FMA>(2.0 * s, p, x.max(0.0))
}

/// `x · sigmoid(x)`.
#[inline(always)]
pub fn silu<const FMA: bool>(x: f32) -> f32 {
    x / (1.0 + exp::<FMA>(-x))
}

/// Sixteen floats from a slice.
#[inline(always)]
pub fn load(slice: &[f32]) -> [f32; LANES] {
    let mut lanes = [0.0; LANES];
    lanes.copy_from_slice(&slice[..LANES]);
    lanes
}

/// RMS norm of each row of `x` into `out`; `weight` may be empty (Falcon-Mamba's weightless norms).
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f64, out: &mut [f32]) {
    let width = weight.len();
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        let scale = rms_scale(x, eps);
        for ((o, x), w) in out.iter_mut().zip(x).zip(weight) {
            *o = x * scale * w;
        }
    }
}

/// 1 / √(mean of squares + eps), the sum in f32 over sixteen partial sums.
pub fn rms_scale(x: &[f32], eps: f64) -> f32 {
    let mut sums = [0.0f32; LANES];
    let chunks = x.chunks_exact(LANES);
    let rest: f32 = chunks.remainder().iter().map(|v| v * v).sum();
    for chunk in chunks {
        for (s, v) in sums.iter_mut().zip(chunk) {
            *s += v * v;
        }
    }
    let total = f64::from(sums.iter().sum::<f32>() + rest);
    (1.0 / (total / x.len() as f64 + eps).sqrt()) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative error against f64, over the range the model uses.
    fn worst(f: impl Fn(f32) -> f32, exact: impl Fn(f64) -> f64, from: f32, to: f32) -> f64 {
        (0..=200_000)
            .map(|i| from + (to - from) * i as f32 / 200_000.0)
            .map(|x| (f64::from(f(x)) - exact(f64::from(x))).abs() / exact(f64::from(x)).abs().max(1e-30))
            .fold(0.0, f64::max)
    }

    #[test]
    fn exp_is_accurate_with_and_without_fma() {
        assert!(worst(exp::<true>, f64::exp, -80.0, 80.0) < 3e-7);
        assert!(worst(exp::<false>, f64::exp, -80.0, 80.0) < 3e-7);
        assert!(exp::<true>(-1e9) < 1e-37 && exp::<true>(1e9).is_finite());
        assert_eq!(exp::<true>(0.0), 1.0);
    }

    #[test]
    fn softplus_is_accurate_and_stable() {
        let exact = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        assert!(worst(softplus::<true>, exact, -20.0, 20.0) < 5e-7);
        assert!(worst(softplus::<false>, exact, -20.0, 20.0) < 5e-7);
        assert_eq!(softplus::<true>(1e4), 1e4);
    }

    #[test]
    fn silu_is_accurate() {
        let exact = |x: f64| x / (1.0 + (-x).exp());
        assert!(worst(silu::<true>, exact, 0.1, 30.0) < 3e-7);
        assert!(worst(silu::<true>, exact, -30.0, -0.1) < 3e-7);
    }
}
