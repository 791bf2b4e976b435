//! Matrix products with stored weights: `out = x · Wᵀ (+ bias)`.
//!
//! The weights are packed once, when they are loaded, in [`Panels`] of 32 outputs, input by input.
//! The kernel reads them from front to back, two registers per input, and multiplies both by one
//! float of each of up to twelve rows of `x`. Half-width weights are widened in the register, so
//! every precision and every number of rows uses the same loop, and a row's result does not depend
//! on the other rows.

use super::panels::PANEL;
use super::{LANES, Lanes, Panels, SERIAL, Shared, Stored, simd};
use half::{bf16, f16};
use rayon::prelude::*;

/// Inputs per block of the loop over rows: a panel's block of 64 KiB stays in the L2 cache, the
/// rows' block of 24 KiB in the L1 cache.
const DEPTH: usize = 512;
/// Rows per piece of work are a multiple of this if there are too few panels for all threads. It is
/// a multiple of every tile's number of rows.
const PIECE: usize = 24;

/// A weight matrix in its stored precision.
pub enum Weights {
    /// 32-bit floats.
    F32(Panels<f32>),
    /// IEEE half precision.
    F16(Panels<f16>),
    /// bfloat16.
    BF16(Panels<bf16>),
}

/// A linear layer.
pub struct Linear {
    n_out: usize,
    n_in: usize,
    weights: Weights,
    bias: Option<Vec<f32>>,
}

/// Rows of a matrix; they may be parts of wider rows.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// The data, from the first element of the first row.
    pub data: &'a [f32],
    /// Distance between the starts of consecutive rows, in elements.
    pub stride: usize,
    /// The number of rows.
    pub count: usize,
}

impl Linear {
    /// A layer from its weights `[n_out, n_in]`.
    pub fn new(n_out: usize, n_in: usize, weights: Weights, bias: Option<Vec<f32>>) -> Self {
        Self { n_out, n_in, weights, bias }
    }

    /// Bytes of the weights, without padding.
    pub fn bytes(&self) -> usize {
        self.n_out * self.n_in * if matches!(self.weights, Weights::F32(_)) { 4 } else { 2 }
    }

    /// Copies one row of the weights to `out`, widened to f32: an embedding lookup.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        match &self.weights {
            Weights::F32(w) => w.row(row, out),
            Weights::F16(w) => w.row(row, out),
            Weights::BF16(w) => w.row(row, out),
        }
    }

    /// `out[r] (+)= x[r] · Wᵀ + bias`, with `out` dense, `[x.count, n_out]`. Adds to `out` if
    /// `accumulate`.
    pub fn forward(&self, x: Rows<'_>, out: &mut [f32], accumulate: bool) {
        if x.count == 0 {
            return;
        }
        match &self.weights {
            Weights::F32(w) => self.product(x, w, out, accumulate),
            Weights::F16(w) => self.product(x, w, out, accumulate),
            Weights::BF16(w) => self.product(x, w, out, accumulate),
        }
        if let Some(bias) = &self.bias {
            for row in out[..x.count * self.n_out].chunks_exact_mut(self.n_out) {
                row.iter_mut().zip(bias).for_each(|(o, b)| *o += b);
            }
        }
    }

    fn product<W: Stored>(&self, x: Rows<'_>, w: &[W], out: &mut [f32], accumulate: bool) {
        let (n, k) = (self.n_out, self.n_in);
        let panels = n.div_ceil(PANEL);
        assert!(out.len() >= x.count * n && w.len() == panels * k * PANEL && x.data.len() >= (x.count - 1) * x.stride + k);
        let shared = Shared::new(out);
        // One piece of work: some panels times some rows. Each piece writes its own part of `out`.
        let part = |from: usize, to: usize, row: usize, rows: usize| {
            let x = Rows { data: &x.data[row * x.stride..], stride: x.stride, count: rows };
            panels_of(x, &w[from * k * PANEL..to * k * PANEL], k, shared, row, from * PANEL, n, accumulate);
        };
        let threads = rayon::current_num_threads();
        if x.count * n * k < SERIAL || threads == 1 {
            part(0, panels, 0, x.count);
            return;
        }
        // An even number of panels, because `panels_body` works on pairs.
        let wide = panels.div_ceil(threads * 4).next_multiple_of(2);
        let pieces = panels.div_ceil(wide);
        let tall = if pieces >= threads * 2 || x.count <= PIECE { x.count } else { (x.count / 4).next_multiple_of(PIECE) };
        let stacks = x.count.div_ceil(tall);
        (0..pieces * stacks).into_par_iter().for_each(|i| {
            let (from, row) = (i / stacks * wide, i % stacks * tall);
            part(from, panels.min(from + wide), row, tall.min(x.count - row));
        });
    }
}

simd! {
    /// Some panels times some rows. `row` and `column` are the position of the results in `out`.
    fn panels_of[W: Stored](x: Rows<'_>, w: &[W], k: usize, out: Shared<'_>, row: usize, column: usize, n_out: usize, accumulate: bool) = panels_body
}

#[inline(always)]
#[allow(clippy::too_many_arguments)]
unsafe fn panels_body<V: Lanes, W: Stored>(
    x: Rows<'_>,
    w: &[W],
    k: usize,
    out: Shared<'_>,
    row: usize,
    column: usize,
    n_out: usize,
    accumulate: bool,
) {
    let panels = w.len() / (k * PANEL).max(1);
    let mut p = 0;
    while p < panels {
        // The product with a single row is limited by memory bandwidth, which is higher for two
        // streams of weights than for one.
        let pair = x.count == 1 && p + 1 < panels;
        for from in (0..k).step_by(DEPTH) {
            let to = k.min(from + DEPTH);
            let part = |p: usize| &w[(p * k + from) * PANEL..(p * k + to) * PANEL];
            let mut r = 0;
            while r < x.count {
                let data = &x.data[r * x.stride + from..];
                let at = Place { out, row: row + r, column: column + p * PANEL, n_out, add: accumulate || from > 0 };
                // SAFETY: the processor has V's instructions, and the caller owns these rows and
                // columns of `out`.
                r += unsafe {
                    match x.count - r {
                        _ if pair => tile::<V, W, 1, 2>(data, x.stride, [part(p), part(p + 1)], at),
                        12.. if V::MANY => tile::<V, W, 12, 1>(data, x.stride, [part(p)], at),
                        4.. if V::MANY => tile::<V, W, 4, 1>(data, x.stride, [part(p)], at),
                        2.. => tile::<V, W, 2, 1>(data, x.stride, [part(p)], at),
                        _ => tile::<V, W, 1, 1>(data, x.stride, [part(p)], at),
                    }
                };
            }
        }
        p += 1 + usize::from(pair);
    }
}

/// The position of a tile's results.
#[derive(Clone, Copy)]
struct Place<'a> {
    out: Shared<'a>,
    row: usize,
    column: usize,
    n_out: usize,
    /// Whether the results are added to `out`.
    add: bool,
}

/// Multiplies the same inputs of `P` panels by `M` rows; returns `M`.
#[inline(always)]
unsafe fn tile<V: Lanes, W: Stored, const M: usize, const P: usize>(x: &[f32], stride: usize, w: [&[W]; P], at: Place<'_>) -> usize {
    let w = w.map(|w| w.as_chunks::<LANES>().0.as_chunks::<2>().0);
    let depth = w[0].len();
    let w = w.map(|w| &w[..depth]);
    let rows: [&[f32]; M] = std::array::from_fn(|m| &x[m * stride..][..depth]);
    // SAFETY: the processor has V's instructions, and the caller owns this part of `out`.
    unsafe {
        let mut sums = [[[V::splat(0.0); 2]; P]; M];
        for i in 0..depth {
            for (p, w) in w.iter().enumerate() {
                let [low, high] = &w[i];
                let (low, high) = (W::widen::<V>(low), W::widen::<V>(high));
                for (sums, row) in sums.iter_mut().zip(&rows) {
                    let x = V::splat(row[i]);
                    sums[p][0] = low.fma(x, sums[p][0]);
                    sums[p][1] = high.fma(x, sums[p][1]);
                }
            }
        }
        for (m, sums) in sums.into_iter().enumerate() {
            for (p, [low, high]) in sums.into_iter().enumerate() {
                let column = at.column + p * PANEL;
                let width = PANEL.min(at.n_out - column);
                let out = at.out.part((at.row + m) * at.n_out + column, width);
                let (first, second) = out.split_at_mut(width.min(LANES));
                for (sum, out) in [(low, first), (high, second)] {
                    let sum = if at.add { sum.add(V::load_part(out)) } else { sum };
                    sum.store_part(out);
                }
            }
        }
    }
    M
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

    fn f32_panels(w: &[f32], n_out: usize, n_in: usize) -> Weights {
        Weights::F32(Panels::pack(w, n_out, n_in).unwrap())
    }

    /// Compares every path through `forward` with a plain f64 sum, also for sizes that are not
    /// multiples of the tile sizes.
    #[test]
    fn products_agree_with_a_plain_sum() {
        for (n_out, n_in) in [(1, 1), (5, 16), (19, 37), (64, 48), (130, 100), (33, 1100)] {
            let w = noise(n_out * n_in, 1);
            let half: Vec<f16> = w.iter().map(|v| f16::from_f32(*v)).collect();
            let brain: Vec<bf16> = w.iter().map(|v| bf16::from_f32(*v)).collect();
            let kinds = [
                (f32_panels(&w, n_out, n_in), w.clone()),
                (Weights::F16(Panels::pack(&half, n_out, n_in).unwrap()), half.iter().map(|v| v.to_f32()).collect()),
                (Weights::BF16(Panels::pack(&brain, n_out, n_in).unwrap()), brain.iter().map(|v| v.to_f32()).collect()),
            ];
            let bias = noise(n_out, 3);
            for (weights, exact) in kinds {
                let linear = Linear::new(n_out, n_in, weights, Some(bias.clone()));
                for rows in [1, 2, 3, 4, 7, 12, 13, 33, 61] {
                    let stride = n_in + 3;
                    let x = noise(rows * stride, 2);
                    let mut out = noise(rows * n_out, 4);
                    let before = out.clone();
                    linear.forward(Rows { data: &x, stride, count: rows }, &mut out, true);
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

    /// A row's result is identical to the bit whatever the other rows are, and however the threads
    /// share the work.
    #[test]
    fn a_row_does_not_depend_on_its_neighbours() {
        let (n_out, n_in, rows) = (208, 700, 61);
        let linear = Linear::new(n_out, n_in, f32_panels(&noise(n_out * n_in, 1), n_out, n_in), None);
        let x = noise(rows * n_in, 2);
        let mut all = vec![0.0; rows * n_out];
        linear.forward(Rows { data: &x, stride: n_in, count: rows }, &mut all, false);
        for (r, row) in all.chunks_exact(n_out).enumerate() {
            let mut alone = vec![0.0; n_out];
            linear.forward(Rows { data: &x[r * n_in..], stride: n_in, count: 1 }, &mut alone, false);
            assert_eq!(alone, row, "row {r}");
        }
    }

    #[test]
    fn rows_of_the_weights_come_back() {
        let (n_out, n_in) = (37, 11);
        let w = noise(n_out * n_in, 1);
        let linear = Linear::new(n_out, n_in, f32_panels(&w, n_out, n_in), None);
        for (r, want) in w.chunks_exact(n_in).enumerate() {
            let mut row = vec![0.0; n_in];
            linear.row(r, &mut row);
            assert_eq!(row, want);
        }
    }

    /// Runs the kernel as other processors run it.
    #[test]
    fn every_instruction_set_agrees() {
        let (n_out, n_in, rows) = (70, 90, 15);
        let w = noise(n_out * n_in, 1);
        let panels = Panels::pack(&w, n_out, n_in).unwrap();
        let x = noise(rows * n_in, 2);
        let x = Rows { data: &x, stride: n_in, count: rows };
        let mut want = vec![0.0; rows * n_out];
        Linear::new(n_out, n_in, f32_panels(&w, n_out, n_in), None).forward(x, &mut want, false);
        let check = |run: &dyn Fn(Shared<'_>)| {
            let mut out = vec![0.0; rows * n_out];
            run(Shared::new(&mut out));
            assert!(out.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-4));
        };
        // SAFETY: plain arrays need no special instructions; nothing else uses `out`.
        check(&|out| unsafe { panels_body::<super::super::Plain, f32>(x, &panels, n_in, out, 0, 0, n_out, false) });
        #[cfg(target_arch = "x86_64")]
        if super::super::has_avx2() {
            /// # Safety
            /// The processor has these instructions.
            #[target_feature(enable = "avx2,fma,f16c")]
            unsafe fn avx2(x: Rows<'_>, panels: &[f32], n_in: usize, out: Shared<'_>, n_out: usize) {
                // SAFETY: called only on a processor with AVX2.
                unsafe { panels_body::<super::super::Avx2, f32>(x, panels, n_in, out, 0, 0, n_out, false) }
            }
            // SAFETY: the processor has these instructions (checked above).
            check(&|out| unsafe { avx2(x, &panels, n_in, out, n_out) });
        }
    }
}
