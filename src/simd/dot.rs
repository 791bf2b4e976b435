//! Sums over stored rows and one vector, at the speed of memory.
//!
//! A few rows are processed together, so that the vector (and the centre) is loaded from the cache
//! once for all of them, while the rows stream from memory. Each row has its own sums, so its
//! result does not depend on the other rows.
//!
//! Both functions use one loop, [`sums`], and end it differently. [`rows`] keeps up to two
//! registers of sums per row and adds them up in f64, because the last digits decide between skills
//! in a ranking. [`dot_rows`] keeps sixteen sums per row and adds them up in f32. The two differ in
//! the last bits, and results, libraries and maps depend on both, so both stay.

use super::{Float, LANES, Lanes, SERIAL, Stored, simd};
use rayon::prelude::*;

/// Rows that [`dot_rows`] processes together: enough independent sums to hide the latency of the
/// additions.
const TOGETHER: usize = 4;

/// The term summed over a row's entries x, a vector's entries a and a centre's entries c: a product
/// of two factors.
pub trait Term {
    /// Whether the term uses the centre.
    const CENTRED: bool = false;

    /// The two factors.
    ///
    /// # Safety
    /// As [`Float`].
    unsafe fn factors<F: Float>(a: F, c: F, x: F) -> (F, F);
}

/// Σ a·x.
pub struct Dot;

/// Σ a·(x − c).
pub struct Centred;

/// Σ (x − a)².
pub struct Distance;

impl Term for Dot {
    #[inline(always)]
    unsafe fn factors<F: Float>(a: F, _: F, x: F) -> (F, F) {
        (a, x)
    }
}

impl Term for Centred {
    const CENTRED: bool = true;

    #[inline(always)]
    unsafe fn factors<F: Float>(a: F, c: F, x: F) -> (F, F) {
        // SAFETY: promised by the caller.
        (a, unsafe { x.sub(c) })
    }
}

impl Term for Distance {
    #[inline(always)]
    unsafe fn factors<F: Float>(a: F, _: F, x: F) -> (F, F) {
        // SAFETY: promised by the caller.
        let d = unsafe { x.sub(a) };
        (d, d)
    }
}

/// The sums of `R` rows with `a` (and the centre `c`, which only [`Centred`] uses).
///
/// # Panics
/// If the rows, `a` and a centre that is used do not have the same length.
pub fn rows<T: Stored, O: Term, const R: usize>(a: &[f32], c: &[f32], rows: [&[T]; R]) -> [f64; R] {
    let c = if O::CENTRED { c } else { a };
    assert!(rows.iter().all(|r| r.len() == a.len()) && c.len() == a.len(), "rows of one length");
    in_f64::<T, O, R>(a, c, rows)
}

/// The dot product of a vector with each row of a stored matrix, `[rows, vector.len()]`. The matrix
/// is read once, by all threads if it is large.
///
/// # Panics
/// If the matrix does not have `out.len()` rows.
pub fn dot_rows<T: Stored>(vector: &[f32], rows: &[T], out: &mut [f32]) {
    let (k, n) = (vector.len(), out.len());
    assert!(rows.len() == n * k, "a matrix of {n} rows of {k} entries");
    if rows.len() < SERIAL {
        in_f32(vector, rows, out);
        return;
    }
    let part = n.div_ceil(rayon::current_num_threads() * 2).next_multiple_of(TOGETHER);
    rows.par_chunks(part * k).zip(out.par_chunks_mut(part)).for_each(|(rows, out)| in_f32(vector, rows, out));
}

simd! {
    fn in_f64[T: Stored, O: Term; const R: usize](a: &[f32], c: &[f32], rows: [&[T]; R]) -> [f64; R] = in_f64_body
}

#[inline(always)]
unsafe fn in_f64_body<V: Lanes, T: Stored, O: Term, const R: usize>(a: &[f32], c: &[f32], rows: [&[T]; R]) -> [f64; R] {
    // SAFETY: promised by the caller.
    unsafe { if V::MANY { total::<V, T, O, R, 2>(a, c, rows) } else { total::<V, T, O, R, 1>(a, c, rows) } }
}

/// The sums of rows, in f64, from `U` values of lanes per row.
///
/// # Safety
/// As [`Lanes`].
#[inline(always)]
unsafe fn total<V: Lanes, T: Stored, O: Term, const R: usize, const U: usize>(a: &[f32], c: &[f32], rows: [&[T]; R]) -> [f64; R] {
    // SAFETY: promised by the caller.
    let sums = unsafe { sums::<V, T, O, R, U>(a, c, rows) };
    let whole = a.len() / (U * LANES) * (U * LANES);
    let mut out = [0.0; R];
    for ((out, sums), row) in out.iter_mut().zip(sums).zip(rows) {
        for register in sums.as_flattened().chunks(V::REGISTER) {
            *out += register.iter().map(|&v| f64::from(v)).sum::<f64>();
        }
        *out += (whole..a.len()).map(|j| f64::from(one::<O>(a[j], c[j], row[j].one()))).sum::<f64>();
    }
    out
}

/// The term of one entry.
#[inline(always)]
fn one<O: Term>(a: f32, c: f32, x: f32) -> f32 {
    // SAFETY: a plain f32 needs no special instructions.
    let (p, q) = unsafe { O::factors(a, c, x) };
    p * q
}

simd! {
    fn in_f32[T: Stored](vector: &[f32], rows: &[T], out: &mut [f32]) = in_f32_body
}

#[inline(always)]
unsafe fn in_f32_body<V: Lanes, T: Stored>(vector: &[f32], rows: &[T], out: &mut [f32]) {
    let k = vector.len();
    for (i, out) in out.chunks_mut(TOGETHER).enumerate() {
        let row = |r: usize| &rows[(i * TOGETHER + r) * k..][..k];
        // SAFETY: promised by the caller.
        unsafe {
            if out.len() == TOGETHER {
                out.copy_from_slice(&short::<V, T, TOGETHER>(vector, [row(0), row(1), row(2), row(3)]));
            } else {
                for (r, out) in out.iter_mut().enumerate() {
                    [*out] = short::<V, T, 1>(vector, [row(r)]);
                }
            }
        }
    }
}

/// The dot products of rows, in f32.
///
/// # Safety
/// As [`Lanes`].
#[inline(always)]
unsafe fn short<V: Lanes, T: Stored, const R: usize>(vector: &[f32], rows: [&[T]; R]) -> [f32; R] {
    // SAFETY: promised by the caller.
    let sums = unsafe { sums::<V, T, Dot, R, 1>(vector, vector, rows) };
    let whole = vector.len() / LANES * LANES;
    let mut out = [0.0; R];
    for ((out, [lanes]), row) in out.iter_mut().zip(sums).zip(rows) {
        let rest: f32 = row[whole..].iter().zip(&vector[whole..]).map(|(w, x)| w.one() * x).sum();
        *out = lanes.iter().sum::<f32>() + rest;
    }
    out
}

/// For each of `R` rows, `U` times sixteen sums, each over every `U · LANES`-th entry. The entries
/// after the last whole step are left out. All slices must have the same length.
///
/// # Safety
/// As [`Lanes`].
#[inline(always)]
unsafe fn sums<V: Lanes, T: Stored, O: Term, const R: usize, const U: usize>(
    a: &[f32],
    c: &[f32],
    rows: [&[T]; R],
) -> [[[f32; LANES]; U]; R] {
    let a = steps::<f32, U>(a);
    let c = &steps::<f32, U>(c)[..a.len()];
    let mut cut = [&[][..]; R];
    for (cut, row) in cut.iter_mut().zip(rows) {
        *cut = &steps::<T, U>(row)[..a.len()];
    }
    let mut out = [[[0.0; LANES]; U]; R];
    // SAFETY: promised by the caller; every row was cut to as many steps as `a` has. (Bounds checks
    // would make the loop up to two thirds slower, because the sums would have to survive a panic.)
    unsafe {
        let mut sums = [[V::splat(0.0); U]; R];
        for (i, (a, c)) in a.iter().zip(c).enumerate() {
            for u in 0..U {
                let q = V::load(&a[u]);
                let m = if O::CENTRED { V::load(&c[u]) } else { q };
                for (row, sums) in cut.iter().zip(&mut sums) {
                    let (f, g) = O::factors(q, m, T::widen::<V>(&row.get_unchecked(i)[u]));
                    sums[u] = f.fma(g, sums[u]);
                }
            }
        }
        for (out, sum) in out.as_flattened_mut().iter_mut().zip(sums.as_flattened()) {
            sum.store(out);
        }
    }
    out
}

/// The whole steps of a slice.
#[inline(always)]
fn steps<T, const U: usize>(slice: &[T]) -> &[[[T; LANES]; U]] {
    slice.as_chunks().0.as_chunks().0
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use rand::{Rng, SeedableRng};

    /// # Safety
    /// As [`Lanes`].
    unsafe fn check<V: Lanes, O: Term>(term: fn(f64, f64, f64) -> f64, a: &[f32], c: &[f32], x: &[Vec<f16>; 4]) {
        let full: Vec<Vec<f32>> = x.iter().map(|r| r.iter().map(|v| v.to_f32()).collect()).collect();
        // SAFETY: promised by the caller, here and below.
        let four = unsafe { in_f64_body::<V, f16, O, 4>(a, c, [&x[0], &x[1], &x[2], &x[3]]) };
        // SAFETY: as above.
        let wide = unsafe { in_f64_body::<V, f32, O, 4>(a, c, [&full[0], &full[1], &full[2], &full[3]]) };
        for r in 0..4 {
            let f = f64::from;
            let want: f64 = (0..a.len()).map(|j| term(f(a[j]), f(c[j]), f(full[r][j]))).sum();
            let size: f64 = a.iter().zip(&full[r]).map(|(q, x)| f(q.abs() + 1.0) * f(x.abs() + 1.0)).sum();
            assert!((four[r] - want).abs() <= 1e-6 * size, "row {r} of {}: {} for {want}", a.len(), four[r]);
            assert_eq!(four[r], wide[r], "f16 and f32 rows with the same values");
            // SAFETY: as above.
            let alone = unsafe { in_f64_body::<V, f16, O, 1>(a, c, [&x[r]]) };
            assert_eq!(four[r], alone[0], "a row alone and in company");
        }
    }

    /// # Safety
    /// As [`Lanes`].
    unsafe fn check_at_every_length<V: Lanes>() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for n in (0..70).chain([255, 256, 257, 1000, 8192]) {
            let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-2.0f32..2.0)).collect::<Vec<_>>();
            let (a, c) = (draw(n), draw(n));
            let x = [0; 4].map(|_| draw(n).into_iter().map(f16::from_f32).collect::<Vec<_>>());
            // SAFETY: promised by the caller.
            unsafe {
                check::<V, Dot>(|a, _, x| a * x, &a, &c, &x);
                check::<V, Centred>(|a, c, x| a * (x - c), &a, &c, &x);
                check::<V, Distance>(|a, _, x| (x - a).powi(2), &a, &c, &x);
            }
        }
    }

    #[test]
    fn every_kernel_agrees_with_plain_f64_at_every_length() {
        // SAFETY: each kind of lanes runs only on a processor that has it.
        unsafe {
            check_at_every_length::<super::super::Plain>();
            #[cfg(target_arch = "x86_64")]
            {
                if super::super::has_avx2() {
                    check_at_every_length::<super::super::Avx2>();
                }
                if super::super::has_avx512() {
                    check_at_every_length::<super::super::Avx512>();
                }
            }
        }
    }

    #[test]
    fn the_kernel_that_is_chosen_is_one_of_them() {
        let (a, x) = ([3.0f32; 45], [0.5f32; 45]);
        assert_eq!(rows::<f32, Dot, 1>(&a, &[], [&x]), [67.5]);
        assert_eq!(rows::<f32, Centred, 1>(&a, &[0.25; 45], [&x]), [33.75]);
        assert_eq!(rows::<f32, Distance, 2>(&a, &[], [&x, &a]), [281.25, 0.0]);
    }

    /// Tests few and many rows, on one thread and on several.
    #[test]
    fn products_with_a_matrix_agree_with_a_plain_sum() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        for (n, k) in [(0, 5), (3, 0), (1, 1), (3, 40), (4, 16), (9, 33), (50, 8192)] {
            let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-1.0f32..1.0)).collect::<Vec<_>>();
            let (vector, matrix) = (draw(k), draw(n * k));
            let mut out = vec![f32::NAN; n];
            dot_rows(&vector, &matrix, &mut out);
            for (r, out) in out.iter().enumerate() {
                let row = &matrix[r * k..(r + 1) * k];
                let want: f64 = row.iter().zip(&vector).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                assert!((f64::from(*out) - want).abs() < 1e-6 * (k as f64 + 1.0), "row {r} of {n} of {k} entries: {out} for {want}");
                let mut alone = [0.0];
                dot_rows(&vector, row, &mut alone);
                assert_eq!(alone[0], *out, "a row alone and in company");
            }
        }
    }
}
