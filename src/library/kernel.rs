//! The inner loops of a ranking: one query against stored rows, f16 or f32, at the speed of memory.
//!
//! Four rows go together, so that the query (and the centre) is loaded from the cache once for four rows and the rows
//! stream. A row's result is the same in whatever company it is computed: each row has its own two accumulators of
//! 8 or 16 lanes, added up in f64 at the end.

// Only what is inlined into a function with the vector features becomes vector instructions.
#![allow(clippy::inline_always)]

use half::f16;
use half::slice::HalfFloatSliceExt;

/// Σ a·x.
pub(super) const DOT: u8 = 0;
/// Σ a·(x − c).
pub(super) const CENTRED: u8 = 1;
/// Σ (x − a)².
pub(super) const DISTANCE: u8 = 2;

/// What is stored: f16 or f32.
pub(super) trait Element: Copy + Sync {
    fn value(self) -> f32;
    fn copy(from: &[Self], to: &mut [f32])
    where
        Self: Sized;
    /// Loads 8 entries. The caller's processor has AVX and F16C.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load8(from: *const Self) -> std::arch::x86_64::__m256;
    /// Loads 16 entries. The caller's processor has AVX-512F.
    #[cfg(target_arch = "x86_64")]
    unsafe fn load16(from: *const Self) -> std::arch::x86_64::__m512;
}

impl Element for f32 {
    fn value(self) -> f32 {
        self
    }
    fn copy(from: &[Self], to: &mut [f32]) {
        to.copy_from_slice(from);
    }
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load8(from: *const Self) -> std::arch::x86_64::__m256 {
        // SAFETY: the caller's: 8 entries lie at `from`; the load needs no alignment.
        unsafe { std::arch::x86_64::_mm256_loadu_ps(from) }
    }
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load16(from: *const Self) -> std::arch::x86_64::__m512 {
        // SAFETY: the caller's: 16 entries lie at `from`; the load needs no alignment.
        unsafe { std::arch::x86_64::_mm512_loadu_ps(from) }
    }
}

impl Element for f16 {
    fn value(self) -> f32 {
        self.to_f32()
    }
    fn copy(from: &[Self], to: &mut [f32]) {
        from.convert_to_f32_slice(to);
    }
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load8(from: *const Self) -> std::arch::x86_64::__m256 {
        use std::arch::x86_64::{_mm_loadu_si128, _mm256_cvtph_ps};
        // SAFETY: the caller's: 8 entries lie at `from`; the load needs no alignment.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.cast())) }
    }
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn load16(from: *const Self) -> std::arch::x86_64::__m512 {
        use std::arch::x86_64::{_mm256_loadu_si256, _mm512_cvtph_ps};
        // SAFETY: the caller's: 16 entries lie at `from`; the load needs no alignment.
        unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.cast())) }
    }
}

/// Which instructions are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    /// The widest this processor has.
    pub fn best() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
                return if is_x86_feature_detected!("avx512f") { Self::Avx512 } else { Self::Avx2 };
            }
        }
        Self::Portable
    }

    #[cfg(test)]
    fn here() -> Vec<Self> {
        let mut all = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            all.extend((Self::best() == Self::Avx512).then_some(Self::Avx2));
        }
        all.extend((Self::best() != Self::Portable).then_some(Self::best()));
        all
    }
}

/// `R` rows against `a` (and the centre `c`, used by [`CENTRED`] only). All slices have one length.
pub(super) fn rows<T: Element, const OP: u8, const R: usize>(level: Level, a: &[f32], c: &[f32], rows: [&[T]; R]) -> [f64; R] {
    assert!(rows.iter().all(|r| r.len() == a.len()) && (OP != CENTRED || c.len() == a.len()), "rows of one length");
    match level {
        Level::Portable => rows.map(|row| portable::<T, OP>(a, c, row)),
        // SAFETY: lengths were checked above; `Level::best` found the instructions on this processor.
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => unsafe { avx2::<T, OP, R>(a, c, rows) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => unsafe { avx512::<T, OP, R>(a, c, rows) },
    }
}

/// One entry's share.
#[inline(always)]
fn term<const OP: u8>(a: f32, c: f32, x: f32) -> f32 {
    match OP {
        DOT => a * x,
        CENTRED => a * (x - c),
        _ => (x - a) * (x - a),
    }
}

fn centre<const OP: u8>(c: &[f32], j: usize) -> f32 {
    if OP == CENTRED { c[j] } else { 0.0 }
}

/// Plain Rust, laid out so that the compiler can use whatever vectors there are.
fn portable<T: Element, const OP: u8>(a: &[f32], c: &[f32], row: &[T]) -> f64 {
    const BLOCK: usize = 256;
    let (mut block, mut lanes) = ([0.0f32; BLOCK], [0.0f32; 16]);
    let mut tail = 0.0f64;
    for (b, x) in row.chunks(BLOCK).enumerate() {
        let block = &mut block[..x.len()];
        T::copy(x, block);
        let a = &a[b * BLOCK..b * BLOCK + x.len()];
        // Any slice of the right length does where the centre is not looked at.
        let c = if OP == CENTRED { &c[b * BLOCK..b * BLOCK + x.len()] } else { a };
        let whole = x.len() / 16 * 16;
        for ((x, a), c) in block[..whole].chunks_exact(16).zip(a.chunks_exact(16)).zip(c.chunks_exact(16)) {
            for i in 0..16 {
                lanes[i] += term::<OP>(a[i], c[i], x[i]);
            }
        }
        tail += (whole..x.len()).map(|i| f64::from(term::<OP>(a[i], c[i], block[i]))).sum::<f64>();
    }
    lanes.iter().map(|&v| f64::from(v)).sum::<f64>() + tail
}

macro_rules! kernel {
    ($name:ident, $features:literal, $load:ident, $lanes:literal, $zero:ident, $loadu:ident, $storeu:ident, $fma:ident, $sub:ident) => {
        /// # Safety
        /// The processor has the features; all slices are as long as `a` (`c` only if `OP` is [`CENTRED`]).
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = $features)]
        unsafe fn $name<T: Element, const OP: u8, const R: usize>(a: &[f32], c: &[f32], rows: [&[T]; R]) -> [f64; R] {
            use std::arch::x86_64::{$fma, $loadu, $storeu, $sub, $zero};
            const STEP: usize = 2 * $lanes;
            let whole = a.len() / STEP * STEP;
            let mut sums = [[$zero(); 2]; R];
            for j in (0..whole).step_by(STEP) {
                for u in 0..2 {
                    let k = j + u * $lanes;
                    // SAFETY: `k + lanes <= whole`, which no slice is shorter than.
                    let q = unsafe { $loadu(a.as_ptr().add(k)) };
                    // SAFETY: as above.
                    let m = if OP == CENTRED { unsafe { $loadu(c.as_ptr().add(k)) } } else { q };
                    for r in 0..R {
                        // SAFETY: as above.
                        let x = unsafe { T::$load(rows[r].as_ptr().add(k)) };
                        sums[r][u] = match OP {
                            DOT => $fma(q, x, sums[r][u]),
                            CENTRED => $fma(q, $sub(x, m), sums[r][u]),
                            _ => {
                                let d = $sub(x, q);
                                $fma(d, d, sums[r][u])
                            }
                        };
                    }
                }
            }
            let mut out = [0.0; R];
            for r in 0..R {
                for sum in sums[r] {
                    let mut lanes = [0.0f32; $lanes];
                    // SAFETY: `lanes` has room for one register.
                    unsafe { $storeu(lanes.as_mut_ptr(), sum) };
                    out[r] += lanes.iter().map(|&v| f64::from(v)).sum::<f64>();
                }
                out[r] += (whole..a.len()).map(|j| f64::from(term::<OP>(a[j], centre::<OP>(c, j), rows[r][j].value()))).sum::<f64>();
            }
            out
        }
    };
}

kernel!(avx2, "avx2,fma,f16c", load8, 8, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, _mm256_sub_ps);
kernel!(avx512, "avx512f,avx2,fma,f16c", load16, 16, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, _mm512_sub_ps);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    fn naive<const OP: u8>(a: &[f32], c: &[f32], x: &[f32]) -> f64 {
        let f = f64::from;
        (0..a.len())
            .map(|j| match OP {
                DOT => f(a[j]) * f(x[j]),
                CENTRED => f(a[j]) * (f(x[j]) - f(c[j])),
                _ => (f(x[j]) - f(a[j])).powi(2),
            })
            .sum()
    }

    fn check<const OP: u8>(a: &[f32], c: &[f32], x: &[Vec<f16>; 4]) {
        let full: Vec<Vec<f32>> = x.iter().map(|r| r.iter().map(|v| v.to_f32()).collect()).collect();
        for level in Level::here() {
            let four = rows::<f16, OP, 4>(level, a, c, [&x[0], &x[1], &x[2], &x[3]]);
            let wide = rows::<f32, OP, 4>(level, a, c, [&full[0], &full[1], &full[2], &full[3]]);
            for r in 0..4 {
                let want = naive::<OP>(a, c, &full[r]);
                let size: f64 = a.iter().zip(&full[r]).map(|(q, x)| f64::from(q.abs() + 1.0) * f64::from(x.abs() + 1.0)).sum();
                assert!((four[r] - want).abs() <= 1e-6 * size, "{level:?} op {OP} row {r} of {}: {} for {want}", a.len(), four[r]);
                assert_eq!(four[r], wide[r], "f16 and f32 rows with the same values");
                assert_eq!(four[r], rows::<f16, OP, 1>(level, a, c, [&x[r]])[0], "a row alone and in company");
            }
        }
    }

    #[test]
    fn every_kernel_agrees_with_plain_f64_at_every_length() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        for n in (0..70).chain([255, 256, 257, 1000, 8192]) {
            let mut draw = |n: usize| (0..n).map(|_| rng.random_range(-2.0f32..2.0)).collect::<Vec<_>>();
            let (a, c) = (draw(n), draw(n));
            let x = [0; 4].map(|_| draw(n).into_iter().map(f16::from_f32).collect::<Vec<_>>());
            check::<DOT>(&a, &c, &x);
            check::<CENTRED>(&a, &c, &x);
            check::<DISTANCE>(&a, &c, &x);
        }
    }
}
