//! Elementary functions over [`Float`], and the norms.

use super::{Float, LANES, Lanes, simd};
use rayon::prelude::*;

/// Rows per piece of work of a thread.
const ROWS: usize = 16;

/// Limits of x in [`exp`]: beyond them e^x, or an intermediate factor, is not a normal f32.
const LEAST: f32 = -87.0;
const MOST: f32 = 88.0;

/// `e^x`, within 3 units in the last place for −87 ≤ x ≤ 88, clamped beyond.
///
/// # Safety
/// As [`Float`].
#[inline(always)]
pub unsafe fn exp<V: Float>(x: V) -> V {
    // SAFETY: promised by the caller.
    unsafe { exp_within(x.max(V::splat(LEAST)).min(V::splat(MOST))) }
}

/// `e^x` for x ≤ 0, −∞ included, within 2 units in the last place; exactly 1 at 0, and 0 below −87
/// (where it is under 2·10⁻³⁸). The same on every processor: no product is fused with a sum.
#[inline(always)]
pub fn exp_or_zero(x: f32) -> f32 {
    // SAFETY: a plain f32 needs nothing.
    let e = unsafe { exp_within(x.max(LEAST)) };
    if x < LEAST { 0.0 } else { e }
}

/// `e^x` for −87 ≤ x ≤ 88.
///
/// x = k·ln 2 + r with |r| ≤ ln 2 / 2 (ln 2 in two parts, so that r keeps its digits); e^r by its
/// Taylor polynomial of degree 7, whose error there is below f32's rounding; 2^k exactly.
///
/// # Safety
/// As [`Float`].
#[inline(always)]
unsafe fn exp_within<V: Float>(x: V) -> V {
    // SAFETY: promised by the caller, here and below.
    unsafe {
        let k = x.mul(V::splat(std::f32::consts::LOG2_E)).round();
        let r = k.fma(V::splat(-0.693_359_4), x);
        let r = k.fma(V::splat(2.121_944_4e-4), r);
        let p = r.fma(V::splat(1.0 / 5040.0), V::splat(1.0 / 720.0));
        let p = p.fma(r, V::splat(1.0 / 120.0));
        let p = p.fma(r, V::splat(1.0 / 24.0));
        let p = p.fma(r, V::splat(1.0 / 6.0));
        let p = p.fma(r, V::splat(0.5));
        let p = p.fma(r, V::splat(1.0));
        let p = p.fma(r, V::splat(1.0));
        p.scale(k)
    }
}

/// `2^x`, within 2 units in the last place for −125 ≤ x ≤ 127; at most 2^−124 below. The scan
/// spends most of its time here.
///
/// x = k + r with |r| ≤ ½; 2^r is a polynomial of degree 5 that starts with 1 + r·ln 2, so that it
/// is exact near 0, where a state decays slowly. The other coefficients minimise the largest
/// relative error, 1.05e-7 (Lawson's reweighted least squares). 2^k is exact.
///
/// # Safety
/// As [`Float`].
#[inline(always)]
pub unsafe fn exp2<V: Float>(x: V) -> V {
    // SAFETY: promised by the caller, here and below.
    unsafe {
        let (k, r) = x.split();
        let p = r.fma(V::splat(0.001_330_062), V::splat(0.009_669_698));
        let p = p.fma(r, V::splat(0.055_505_585));
        let p = p.fma(r, V::splat(0.240_222_81));
        let p = p.fma(r, V::splat(std::f32::consts::LN_2));
        let p = p.fma(r, V::splat(1.0));
        p.scale(k)
    }
}

/// `ln(1 + e^x)` without overflow: max(x, 0) + ln(1 + e^−|x|), the logarithm as 2·atanh(u / (2 +
/// u)).
///
/// # Safety
/// As [`Float`].
#[inline(always)]
pub unsafe fn softplus<V: Float>(x: V) -> V {
    // SAFETY: promised by the caller, here and below.
    unsafe {
        let zero = V::splat(0.0);
        let u = exp(x.min(zero.sub(x)));
        let s = u.div(u.add(V::splat(2.0)));
        let q = s.mul(s);
        let p = q.fma(V::splat(1.0 / 15.0), V::splat(1.0 / 13.0));
        let p = p.fma(q, V::splat(1.0 / 11.0));
        let p = p.fma(q, V::splat(1.0 / 9.0));
        let p = p.fma(q, V::splat(1.0 / 7.0));
        let p = p.fma(q, V::splat(1.0 / 5.0));
        let p = p.fma(q, V::splat(1.0 / 3.0));
        let p = p.fma(q, V::splat(1.0));
        s.add(s).fma(p, x.max(zero))
    }
}

/// `x · sigmoid(x)`.
///
/// # Safety
/// As [`Float`].
#[inline(always)]
pub unsafe fn silu<V: Float>(x: V) -> V {
    // SAFETY: promised by the caller.
    unsafe { x.div(V::splat(1.0).add(exp(V::splat(0.0).sub(x)))) }
}

/// Writes the RMS norm of each row of `x` to `out`, `[rows, weight.len()]`, on all threads if there
/// are many rows.
pub fn rms_norm(x: &[f32], weight: &[f32], eps: f64, out: &mut [f32]) {
    let part = weight.len() * ROWS;
    if x.len() <= part {
        norm_rows(x, weight, eps, out);
    } else {
        x.par_chunks(part).zip(out.par_chunks_mut(part)).for_each(|(x, out)| norm_rows(x, weight, eps, out));
    }
}

simd! {
    fn norm_rows(x: &[f32], weight: &[f32], eps: f64, out: &mut [f32]) = norm_body
}

#[inline(always)]
unsafe fn norm_body<V: Lanes>(x: &[f32], weight: &[f32], eps: f64, out: &mut [f32]) {
    let width = weight.len();
    for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
        // SAFETY: the processor has V's instructions.
        unsafe {
            let scale = V::splat(scale_body::<V>(x, eps));
            for ((o, x), w) in out.chunks_mut(LANES).zip(x.chunks(LANES)).zip(weight.chunks(LANES)) {
                V::load_part(x).mul(scale).mul(V::load_part(w)).store_part(o);
            }
        }
    }
}

simd! {
    /// 1 / √(mean of squares + eps), with the squares summed in f32 in sixteen partial sums.
    pub fn rms_scale(x: &[f32], eps: f64) -> f32 = scale_body
}

#[inline(always)]
unsafe fn scale_body<V: Lanes>(x: &[f32], eps: f64) -> f32 {
    let mut sums = [0.0f32; LANES];
    // SAFETY: the processor has V's instructions.
    unsafe {
        let mut sum = V::splat(0.0);
        for x in x.chunks(LANES) {
            let x = V::load_part(x);
            sum = x.fma(x, sum);
        }
        sum.store(&mut sums);
    }
    let total = f64::from(sums.iter().sum::<f32>());
    (1.0 / (total / x.len() as f64 + eps).sqrt()) as f32
}

#[cfg(test)]
mod tests {
    use super::super::Plain;
    use super::*;

    /// Applies a function to one number through sixteen lanes.
    ///
    /// # Safety
    /// As [`Lanes`].
    unsafe fn one<V: Lanes>(f: unsafe fn(V) -> V, x: f32) -> f32 {
        let mut out = [0.0; LANES];
        // SAFETY: promised by the caller.
        unsafe { f(V::splat(x)).store(&mut out) };
        out[7]
    }

    /// Relative error against f64, over the range the model uses.
    ///
    /// # Safety
    /// As [`Lanes`].
    unsafe fn worst<V: Lanes>(f: unsafe fn(V) -> V, exact: impl Fn(f64) -> f64, from: f32, to: f32) -> f64 {
        let error = |x: f32| {
            // SAFETY: promised by the caller.
            let found = f64::from(unsafe { one(f, x) });
            (found - exact(f64::from(x))).abs() / exact(f64::from(x)).abs().max(1e-30)
        };
        (0..=100_000).map(|i| error(from + (to - from) * i as f32 / 100_000.0)).fold(0.0, f64::max)
    }

    /// # Safety
    /// As [`Lanes`].
    unsafe fn check<V: Lanes>() {
        let softplus_exact = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        let silu_exact = |x: f64| x / (1.0 + (-x).exp());
        // SAFETY: promised by the caller.
        unsafe {
            assert!(worst::<V>(exp, f64::exp, -80.0, 80.0) < 3e-7);
            assert!(one::<V>(exp, -1e9) < 1e-37 && one::<V>(exp, 1e9).is_finite());
            assert_eq!(one::<V>(exp, 0.0), 1.0);
            assert!(worst::<V>(exp2, f64::exp2, -125.0, 126.0) < 2.4e-7);
            assert!(worst::<V>(exp2, f64::exp2, -1e-3, 0.0) < 6e-8);
            for x in [-127.0, -200.0, -1e9, -1e30, f32::MIN, f32::NEG_INFINITY] {
                assert!((0.0..=3e-38).contains(&one::<V>(exp2, x)), "{x}");
            }
            assert_eq!(one::<V>(exp2, 0.0), 1.0);
            assert_eq!(one::<V>(exp2, -3.0), 0.125);
            assert!(worst::<V>(softplus, softplus_exact, -20.0, 20.0) < 5e-7);
            assert_eq!(one::<V>(softplus, 1e4), 1e4);
            assert!(worst::<V>(silu, silu_exact, 0.1, 30.0) < 4e-7);
            assert!(worst::<V>(silu, silu_exact, -30.0, -0.1) < 4e-7);
        }
    }

    #[test]
    fn functions_are_accurate_and_stable_on_every_kind_of_lanes() {
        // SAFETY: each kind of lanes runs only on a processor that has it.
        unsafe {
            check::<Plain>();
            #[cfg(target_arch = "x86_64")]
            {
                if super::super::has_avx2() {
                    check::<super::super::Avx2>();
                }
                if super::super::has_avx512() {
                    check::<super::super::Avx512>();
                }
            }
        }
    }

    #[test]
    fn a_single_float_is_taken_as_a_lane_is() {
        let mut worst = 0.0f64;
        for i in 0..=870_000 {
            let x = -(i as f32) * 1e-4;
            let want = f64::from(x).exp();
            worst = worst.max((f64::from(exp_or_zero(x)) / want - 1.0).abs());
            // SAFETY: plain arrays need no special instructions.
            assert_eq!(exp_or_zero(x), unsafe { one::<Plain>(exp, x) }, "{x}");
        }
        assert!(worst < 2.5e-7, "{worst}");
        assert_eq!(exp_or_zero(0.0), 1.0);
        assert_eq!(exp_or_zero(-0.0), 1.0);
        for x in [-87.01, -1e9, f32::NEG_INFINITY] {
            assert_eq!(exp_or_zero(x), 0.0, "{x}");
        }
    }
}
