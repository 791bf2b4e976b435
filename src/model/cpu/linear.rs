//! Matrix products with stored weights: `out = x · Wᵀ (+ bias)`.

use super::lanes::Lanes;
use super::{LANES, Shared, simd};
use gemm::Parallelism;
use half::{bf16, f16};
use rayon::prelude::*;

/// Rows up to which weights are streamed once through dot products instead of being packed for `gemm`.
const FEW_ROWS: usize = 8;
/// Multiply-adds below which a product is not worth waking other threads for (measured: about 5 µs of work).
const SERIAL: usize = 1 << 17;

/// A weight matrix in the precision it is kept in.
pub enum Weights {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// IEEE half precision.
    F16(Vec<f16>),
    /// bfloat16.
    BF16(Vec<bf16>),
}

/// A linear layer; `weights` is `[n_out, n_in]`, row by row.
pub struct Linear {
    n_out: usize,
    n_in: usize,
    weights: Weights,
    bias: Option<Vec<f32>>,
}

/// Rows of a matrix that may be a part of wider rows.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The data, from the first element of the first row.
    pub data: &'a [f32],
    /// Elements from one row to the next.
    pub stride: usize,
    /// Rows.
    pub count: usize,
}

impl Linear {
    /// A layer from its parts; the lengths must agree (the loader checks them).
    pub fn new(n_out: usize, n_in: usize, weights: Weights, bias: Option<Vec<f32>>) -> Self {
        Self { n_out, n_in, weights, bias }
    }

    /// Bytes of the weights.
    pub fn bytes(&self) -> usize {
        self.n_out * self.n_in * if matches!(self.weights, Weights::F32(_)) { 4 } else { 2 }
    }

    /// One row of the weights, widened: an embedding looked up.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let at = row * self.n_in..(row + 1) * self.n_in;
        match &self.weights {
            Weights::F32(w) => out.copy_from_slice(&w[at]),
            Weights::F16(w) => widen_part(&w[at], out),
            Weights::BF16(w) => widen_part(&w[at], out),
        }
    }

    /// `out[r] (+)= x[r] · Wᵀ + bias`, `out` dense; `scratch` is reused for widened weights.
    pub fn forward(&self, x: Rows<'_>, out: &mut [f32], accumulate: bool, scratch: &mut Vec<f32>) {
        if x.count == 0 {
            return;
        }
        if x.count <= FEW_ROWS {
            match &self.weights {
                Weights::F32(w) => self.stream(x, w, out, accumulate),
                Weights::F16(w) => self.stream(x, w, out, accumulate),
                Weights::BF16(w) => self.stream(x, w, out, accumulate),
            }
        } else {
            match &self.weights {
                Weights::F32(w) => self.product(x, w, out, accumulate),
                Weights::F16(w) => self.product(x, widen(w, scratch), out, accumulate),
                Weights::BF16(w) => self.product(x, widen(w, scratch), out, accumulate),
            }
        }
        if let Some(bias) = &self.bias {
            for row in out.chunks_exact_mut(self.n_out) {
                row.iter_mut().zip(bias).for_each(|(o, b)| *o += b);
            }
        }
    }

    fn product(&self, x: Rows<'_>, w: &[f32], out: &mut [f32], accumulate: bool) {
        let (m, n, k) = (x.count, self.n_out, self.n_in);
        assert!(out.len() >= m * n && w.len() == n * k && x.data.len() >= (m - 1) * x.stride + k);
        let parallel = if m * n * k < SERIAL * 8 { Parallelism::None } else { Parallelism::Rayon(0) };
        // SAFETY: the three matrices lie within their slices (asserted above), and `out` is borrowed alone.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                out.as_mut_ptr(),
                1,
                n as isize,
                accumulate,
                x.data.as_ptr(),
                1,
                x.stride as isize,
                w.as_ptr(),
                k as isize,
                1,
                1.0,
                1.0,
                false,
                false,
                false,
                parallel,
            );
        }
    }

    fn stream<W: Stored>(&self, x: Rows<'_>, w: &[W], out: &mut [f32], accumulate: bool) {
        let (n, k) = (self.n_out, self.n_in);
        assert!(out.len() >= x.count * n && w.len() == n * k && x.data.len() >= (x.count - 1) * x.stride + k);
        let shared = Shared::new(out);
        let part = |from: usize, to: usize| dots(x, &w[from * k..to * k], k, shared, from, n, accumulate);
        if x.count * n * k < SERIAL {
            part(0, n);
            return;
        }
        let tile = n.div_ceil(rayon::current_num_threads() * 2).next_multiple_of(LANES);
        (0..n.div_ceil(tile)).into_par_iter().for_each(|i| part(i * tile, n.min((i + 1) * tile)));
    }
}

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

/// Widens stored weights to f32, in parallel where there are many.
fn widen<'a, W: Stored>(weights: &[W], scratch: &'a mut Vec<f32>) -> &'a [f32] {
    if scratch.len() < weights.len() {
        scratch.resize(weights.len(), 0.0);
    }
    let wide = &mut scratch[..weights.len()];
    wide.par_chunks_mut(1 << 16).zip(weights.par_chunks(1 << 16)).for_each(|(wide, w)| widen_part(w, wide));
    wide
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
pub trait Stored: Copy + Send + Sync {
    /// Sixteen of them.
    ///
    /// # Safety
    /// As [`Lanes`]; where V is no plain array, F16C must be there too (`simd!` sees to it).
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V;
    /// One of them.
    fn one(self) -> f32;
}

impl Stored for f32 {
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

impl Stored for bf16 {
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

impl Stored for f16 {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize, seed: u32) -> Vec<f32> {
        let mut s = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        (0..n)
            .map(|_| {
                s = s.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (s >> 8) as f32 / 8_388_608.0 - 1.0
            })
            .collect()
    }

    /// Every way through `forward` against a plain f64 sum, for sizes that are no multiples of anything.
    #[test]
    fn products_agree_with_a_plain_sum() {
        for (n_out, n_in) in [(1, 1), (5, 16), (19, 37), (64, 48), (130, 100)] {
            let w = noise(n_out * n_in, 1);
            let half: Vec<f16> = w.iter().map(|v| f16::from_f32(*v)).collect();
            let brain: Vec<bf16> = w.iter().map(|v| bf16::from_f32(*v)).collect();
            let kinds = [
                (Weights::F32(w.clone()), w.clone()),
                (Weights::F16(half.clone()), half.iter().map(|v| v.to_f32()).collect()),
                (Weights::BF16(brain.clone()), brain.iter().map(|v| v.to_f32()).collect()),
            ];
            let bias = noise(n_out, 3);
            for (weights, exact) in kinds {
                let linear = Linear::new(n_out, n_in, weights, Some(bias.clone()));
                for rows in [1, 3, 4, 7, 8, 9, 33] {
                    let stride = n_in + 3;
                    let x = noise(rows * stride, 2);
                    let mut out = noise(rows * n_out, 4);
                    let before = out.clone();
                    linear.forward(Rows { data: &x, stride, count: rows }, &mut out, true, &mut Vec::new());
                    for r in 0..rows {
                        for o in 0..n_out {
                            let sum: f64 = (0..n_in).map(|i| f64::from(x[r * stride + i]) * f64::from(exact[o * n_in + i])).sum();
                            let want = sum + f64::from(before[r * n_out + o]) + f64::from(bias[o]);
                            assert!((f64::from(out[r * n_out + o]) - want).abs() < 1e-4, "{n_out}×{n_in}, {rows} rows, entry {r},{o}");
                        }
                    }
                }
            }
        }
    }
}
