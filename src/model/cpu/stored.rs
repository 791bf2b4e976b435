//! Numbers in the precision they are kept in, and dot products with them.

use super::lanes::Lanes;
use super::linear::Rows;
use super::{LANES, Shared, simd};
use half::{bf16, f16};
use rayon::prelude::*;

/// Multiply-adds below which a product is not worth waking other threads for (measured: about 5 µs of work).
pub const SERIAL: usize = 1 << 17;

/// The dot product of a vector with each row of a stored matrix, `[rows, vector.len()]`, which is read once.
pub fn dot_rows<W: Stored>(vector: &[f32], rows: &[W], out: &mut [f32]) {
    let k = vector.len();
    let x = Rows { data: vector, stride: k, count: 1 };
    assert!(rows.len() == out.len() * k);
    let n = out.len();
    let shared = Shared::new(out);
    if rows.len() < SERIAL {
        dots(x, rows, k, shared, 0, n, false);
        return;
    }
    let tile = n.div_ceil(rayon::current_num_threads() * 2).next_multiple_of(4);
    rows.par_chunks(tile * k).enumerate().for_each(|(i, rows)| dots(x, rows, k, shared, i * tile, n, false));
}

/// Widens stored numbers to f32.
pub fn widen_into<W: Stored>(stored: &[W], wide: &mut [f32]) {
    widen_part(stored, wide);
}

simd! {
    fn widen_part[W: Stored](weights: &[W], wide: &mut [f32]) = widen_body
}

#[inline(always)]
unsafe fn widen_body<V: Lanes, W: Stored>(weights: &[W], wide: &mut [f32]) {
    let (w, w_rest) = weights.as_chunks::<LANES>();
    let (o, o_rest) = wide.as_chunks_mut::<LANES>();
    for (w, o) in w.iter().zip(o) {
        // SAFETY: the caller has what V needs.
        unsafe { W::widen::<V>(w).store(o) };
    }
    for (w, o) in w_rest.iter().zip(o_rest) {
        *o = w.one();
    }
}

simd! {
    /// Dot products of a few rows of `x` with a range of weight rows, which are read once.
    fn dots[W: Stored](x: Rows<'_>, w: &[W], k: usize, out: Shared, first: usize, n_out: usize, accumulate: bool) = dots_body
}

#[inline(always)]
unsafe fn dots_body<V: Lanes, W: Stored>(x: Rows<'_>, w: &[W], k: usize, out: Shared, first: usize, n_out: usize, accumulate: bool) {
    /// Weight rows handled together: enough independent sums to hide the latency of the additions.
    const TOGETHER: usize = 4;
    let n = w.len() / k;
    let mut i = 0;
    while i < n {
        let rows = TOGETHER.min(n - i);
        let w = &w[i * k..(i + rows) * k];
        let mut r = 0;
        while r < x.count {
            let many = if x.count - r >= 4 { 4 } else { 1 };
            let x_at = &x.data[r * x.stride..];
            // SAFETY: the caller has what V needs.
            let sums = unsafe {
                match (rows, many) {
                    (TOGETHER, 4) => tile::<V, W, TOGETHER, 4>(x_at, x.stride, w, k),
                    (TOGETHER, _) => spread(tile::<V, W, TOGETHER, 1>(x_at, x.stride, w, k)),
                    (_, 4) => each(rows, |j| tile::<V, W, 1, 4>(x_at, x.stride, &w[j * k..], k)[0]),
                    _ => each(rows, |j| spread(tile::<V, W, 1, 1>(x_at, x.stride, &w[j * k..], k))[0]),
                }
            };
            for row in 0..many {
                // SAFETY: this call owns columns `first..first + n` of every row of `out`.
                let out = unsafe { out.part((r + row) * n_out + first + i, rows) };
                for (o, sums) in out.iter_mut().zip(&sums) {
                    *o = if accumulate { *o + sums[row] } else { sums[row] };
                }
            }
            r += many;
        }
        i += rows;
    }
}

#[inline(always)]
fn spread<const N: usize>(sums: [[f32; 1]; N]) -> [[f32; 4]; N] {
    sums.map(|[s]| [s, 0.0, 0.0, 0.0])
}

#[inline(always)]
fn each(rows: usize, mut of: impl FnMut(usize) -> [f32; 4]) -> [[f32; 4]; 4] {
    let mut sums = [[0.0; 4]; 4];
    for (j, s) in sums.iter_mut().enumerate().take(rows) {
        *s = of(j);
    }
    sums
}

/// `N` weight rows times `M` rows of `x`.
#[inline(always)]
unsafe fn tile<V: Lanes, W: Stored, const N: usize, const M: usize>(x: &[f32], stride: usize, w: &[W], k: usize) -> [[f32; M]; N] {
    let whole = k / LANES * LANES;
    let mut lanes = [[[0.0f32; LANES]; M]; N];
    // SAFETY: the caller has what V needs.
    unsafe {
        let mut sums = [[V::splat(0.0); M]; N];
        let mut at = 0;
        while at < whole {
            let mut xs = [V::splat(0.0); M];
            for (m, xs) in xs.iter_mut().enumerate() {
                *xs = V::load_part(&x[m * stride + at..][..LANES]);
            }
            for (n, sums) in sums.iter_mut().enumerate() {
                let Some(chunk) = w[n * k + at..].first_chunk::<LANES>() else { break };
                let ws = W::widen::<V>(chunk);
                for (sum, x) in sums.iter_mut().zip(xs) {
                    *sum = ws.fma(x, *sum);
                }
            }
            at += LANES;
        }
        for (lanes, sums) in lanes.iter_mut().flatten().zip(sums.into_iter().flatten()) {
            sums.store(lanes);
        }
    }
    let mut totals = [[0.0f32; M]; N];
    for n in 0..N {
        for m in 0..M {
            let rest: f32 = (whole..k).map(|j| w[n * k + j].one() * x[m * stride + j]).sum();
            totals[n][m] = lanes[n][m].iter().sum::<f32>() + rest;
        }
    }
    totals
}

/// A stored weight that widens to f32.
///
/// # Safety
/// Any bytes of its size are one, and zero bytes are zero.
pub unsafe trait Stored: Copy + Send + Sync {
    /// Sixteen of them.
    ///
    /// # Safety
    /// As [`Lanes`]; where V is no plain array, F16C must be there too (`simd!` sees to it).
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V;
    /// One of them.
    fn one(self) -> f32;
}

// SAFETY: a float of IEEE's or bfloat16's format has a meaning for all bits.
unsafe impl Stored for f32 {
    #[inline(always)]
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V {
        // SAFETY: promised by the caller.
        unsafe { V::load(chunk) }
    }
    #[inline(always)]
    fn one(self) -> f32 {
        self
    }
}

// SAFETY: a float of IEEE's or bfloat16's format has a meaning for all bits.
unsafe impl Stored for bf16 {
    #[inline(always)]
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V {
        // SAFETY: promised by the caller.
        unsafe { V::load_bf16(chunk) }
    }
    #[inline(always)]
    fn one(self) -> f32 {
        self.to_f32()
    }
}

// SAFETY: a float of IEEE's or bfloat16's format has a meaning for all bits.
unsafe impl Stored for f16 {
    #[inline(always)]
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V {
        // SAFETY: promised by the caller.
        unsafe { V::load_f16(chunk) }
    }
    #[inline(always)]
    fn one(self) -> f32 {
        self.to_f32()
    }
}
