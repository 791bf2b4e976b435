//! The selective scan (Mamba, algorithm 2), fused with the softplus of Δ, the skip D and the gate SiLU(z).
//!
//! Sixteen channels are the sixteen lanes of a register; the loop over the `d_state` entries is inside the loop over time, so that no
//! sum across lanes is ever needed and any `d_state` runs at full width. A block's state (16 × d_state floats) stays in the first-level cache.

use super::math::{exp, fma, load, silu, softplus};
use super::{LANES, Shared, simd};

/// What the scan of one layer needs, channels padded to a multiple of [`LANES`].
pub struct Scan {
    /// `A`, as `[block][d_state][LANES]`.
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
    pub y: Shared,
    /// Channels.
    pub d_inner: usize,
}

simd! {
    /// One block of channels over consecutive tokens of one sequence. `h` is the block's state, `[d_state][LANES]`, `dt_sum` its ΣΔ,
    /// `[LANES]`; both are moved on.
    pub fn scan_block(scan: &Scan, io: ScanIo<'_>, block: usize, from: usize, to: usize, h: &mut [f32], dt_sum: &mut [f32]) = scan_body
}

#[inline(always)]
fn scan_body<const FMA: bool>(scan: &Scan, io: ScanIo<'_>, block: usize, from: usize, to: usize, h: &mut [f32], dt_sum: &mut [f32]) {
    let (n, at) = (scan.d_state, block * LANES);
    let lanes = LANES.min(io.d_inner - at);
    let a = &scan.a[block * n * LANES..(block + 1) * n * LANES];
    let (skip, bias) = (load(&scan.d[at..]), load(&scan.dt_bias[at..]));
    let h = &mut h[..n * LANES];
    let mut total = load(dt_sum);
    for t in from..to {
        let (u, raw) = (row(io.u, t * io.d_inner + at, lanes), row(io.dt, t * io.d_inner + at, lanes));
        let bc = &io.bc[t * io.bc_stride..t * io.bc_stride + 2 * n];
        let (b, c) = bc.split_at(n);
        let (mut dt, mut dtu, mut y) = ([0.0; LANES], [0.0; LANES], [0.0; LANES]);
        for l in 0..LANES {
            dt[l] = softplus::<FMA>(raw[l] + bias[l]);
            dtu[l] = dt[l] * u[l];
            total[l] += dt[l];
            y[l] = skip[l] * u[l];
        }
        for (((h, a), b), c) in h.chunks_exact_mut(LANES).zip(a.chunks_exact(LANES)).zip(b).zip(c) {
            for l in 0..LANES {
                let next = fma::<FMA>(exp::<FMA>(dt[l] * a[l]), h[l], dtu[l] * b);
                h[l] = next;
                y[l] = fma::<FMA>(*c, next, y[l]);
            }
        }
        let z = row(io.xz, t * io.xz_stride + io.z_at + at, lanes);
        for l in 0..LANES {
            y[l] *= silu::<FMA>(z[l]);
        }
        // SAFETY: this call owns its block's channels of every row.
        unsafe { io.y.part(t * io.d_inner + at, lanes) }.copy_from_slice(&y[..lanes]);
    }
    dt_sum.copy_from_slice(&total);
}

/// Up to sixteen floats; missing lanes are zero, which keeps their state zero.
#[inline(always)]
fn row(data: &[f32], at: usize, lanes: usize) -> [f32; LANES] {
    if lanes == LANES {
        load(&data[at..])
    } else {
        let mut row = [0.0; LANES];
        row[..lanes].copy_from_slice(&data[at..at + lanes]);
        row
    }
}
