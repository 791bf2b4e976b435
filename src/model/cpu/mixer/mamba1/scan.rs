//! The selective scan (Mamba, algorithm 2), fused with the softplus of Δ, the skip D and the gate
//! SiLU(z).
//!
//! Sixteen channels are the sixteen lanes of a register; the loop over the `d_state` entries is
//! inside the loop over time, so that no sum across lanes is ever needed and any `d_state` runs at
//! full width. A block's state (16 × d_state floats) stays in the first-level cache.

use crate::simd::{LANES, Lanes, Shared, exp2, silu, simd, softplus};

/// What the scan of one layer needs, channels padded to a multiple of [`LANES`].
pub struct Scan {
    /// `A · log₂ e`, so that the decay over a step is 2 to Δ times it: `[block][d_state][LANES]`.
    pub a: Vec<f32>,
    /// Skip, `[padded channels]`.
    pub d: Vec<f32>,
    /// Bias of Δ, `[padded channels]`.
    pub dt_bias: Vec<f32>,
    /// Entries of a channel.
    pub d_state: usize,
}

/// Where the inputs and outputs of a pass lie.
#[derive(Clone, Copy)]
pub struct ScanIo<'a> {
    /// Convolved input, `[tokens, d_inner]`.
    pub u: &'a [f32],
    /// Δ before bias and softplus, `[tokens, d_inner]`.
    pub dt: &'a [f32],
    /// B then C of each token, from the first B: `[tokens, bc_stride]`.
    pub bc: &'a [f32],
    /// Row length of `bc`.
    pub bc_stride: usize,
    /// In-projection with the gate z at `z_at` of each row.
    pub xz: &'a [f32],
    /// Row length of `xz`.
    pub xz_stride: usize,
    /// First gate column.
    pub z_at: usize,
    /// Output, `[tokens, d_inner]`.
    pub y: Shared<'a>,
    /// Channels.
    pub d_inner: usize,
}

/// Tokens whose Δ and gates are made together: every decay of a token waits for its Δ, and the
/// softplus of one token alone leaves the processor idle.
const AHEAD: usize = 8;

simd! {
    /// One block of channels over consecutive tokens of one sequence. `h` is the block's state,
    /// `[d_state][LANES]`, `dt_sum` its ΣΔ, `[LANES]`; both are updated.
    pub fn scan_block(scan: &Scan, io: ScanIo<'_>, block: usize, from: usize, to: usize, h: &mut [f32], dt_sum: &mut [f32]) = scan_body
}

#[inline(always)]
unsafe fn scan_body<V: Lanes>(scan: &Scan, io: ScanIo<'_>, block: usize, from: usize, to: usize, h: &mut [f32], dt_sum: &mut [f32]) {
    let (n, at) = (scan.d_state, block * LANES);
    // Missing lanes of the last block are read as zeros, which keeps their state zero.
    let lanes = LANES.min(io.d_inner - at);
    let a = &scan.a.as_chunks::<LANES>().0[block * n..(block + 1) * n];
    let h = &mut h.as_chunks_mut::<LANES>().0[..n];
    // SAFETY: the caller has what V needs; each call owns its block's channels of every row.
    unsafe {
        let (skip, bias) = (V::load_part(&scan.d[at..]), V::load_part(&scan.dt_bias[at..]));
        let mut total = V::load_part(dt_sum);
        // `rows` holds u, then y.
        let (mut dts, mut rows) = ([[0.0; LANES]; AHEAD], [[0.0; LANES]; AHEAD]);
        for first in (from..to).step_by(AHEAD) {
            let tokens = first..to.min(first + AHEAD);
            for ((t, dt), u) in tokens.clone().zip(&mut dts).zip(&mut rows) {
                softplus(V::load_part(&io.dt[t * io.d_inner + at..][..lanes]).add(bias)).store(dt);
                V::load_part(&io.u[t * io.d_inner + at..][..lanes]).store(u);
            }
            for ((t, dt), row) in tokens.clone().zip(&dts).zip(&mut rows) {
                let (dt, u) = (V::load(dt), V::load(row));
                let dtu = dt.mul(u);
                total = total.add(dt);
                let (b, c) = io.bc[t * io.bc_stride..][..2 * n].split_at(n);
                let mut y = skip.mul(u);
                for (((h, a), b), c) in h.iter_mut().zip(a).zip(b).zip(c) {
                    let next = exp2(dt.mul(V::load(a))).fma(V::load(h), dtu.mul(V::splat(*b)));
                    next.store(h);
                    y = V::splat(*c).fma(next, y);
                }
                y.store(row);
            }
            for (t, y) in tokens.zip(&rows) {
                let z = V::load_part(&io.xz[t * io.xz_stride + io.z_at + at..][..lanes]);
                V::load(y).mul(silu(z)).store_part(io.y.part(t * io.d_inner + at, lanes));
            }
        }
        total.store_part(dt_sum);
    }
}
