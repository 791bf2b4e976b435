//! The causal convolution over time with its SiLU, in one pass.

use super::math::{fma, load, silu};
use super::{LANES, Shared, simd};

/// What the convolution of one layer needs, channels padded to a multiple of [`LANES`].
pub struct Conv {
    /// Taps, oldest first: `[d_conv, padded channels]`.
    pub taps: Vec<f32>,
    /// `[padded channels]`, zeros if there is none.
    pub bias: Vec<f32>,
    /// Taps.
    pub d_conv: usize,
}

/// Where the inputs and outputs of a pass lie.
#[derive(Clone, Copy)]
pub struct ConvIo<'a> {
    /// In-projection, `[tokens, stride]`; the channels come first in each row.
    pub xz: &'a [f32],
    /// Row length of `xz`.
    pub stride: usize,
    /// Output, `[tokens, d_inner]`.
    pub u: Shared,
    /// Channels.
    pub d_inner: usize,
}

simd! {
    /// One block of channels over consecutive tokens of one sequence. `window` holds the last `d_conv - 1` inputs of the block,
    /// `[d_conv - 1][LANES]`, oldest first, and is moved on.
    pub fn conv_block(conv: &Conv, io: ConvIo<'_>, block: usize, from: usize, to: usize, window: &mut [f32]) = conv_body
}

#[inline(always)]
fn conv_body<const FMA: bool>(conv: &Conv, io: ConvIo<'_>, block: usize, from: usize, to: usize, window: &mut [f32]) {
    let (padded, at, kept) = (conv.bias.len(), block * LANES, conv.d_conv - 1);
    let lanes = LANES.min(io.d_inner - at);
    let bias = load(&conv.bias[at..]);
    for t in from..to {
        let row = &io.xz[t * io.stride + at..];
        let mut now = [0.0; LANES];
        if lanes == LANES {
            now = load(row)
        } else {
            now[..lanes].copy_from_slice(&row[..lanes])
        }
        let mut sum = bias;
        for k in 0..kept {
            let (x, w) = (load(&window[k * LANES..]), load(&conv.taps[k * padded + at..]));
            for l in 0..LANES {
                sum[l] = fma::<FMA>(w[l], x[l], sum[l]);
            }
        }
        let w = load(&conv.taps[kept * padded + at..]);
        for l in 0..LANES {
            sum[l] = silu::<FMA>(fma::<FMA>(w[l], now[l], sum[l]));
        }
        window.copy_within(LANES.., 0);
        window[(kept - 1) * LANES..].copy_from_slice(&now);
        // SAFETY: this call owns its block's channels of every row.
        unsafe { io.u.part(t * io.d_inner + at, lanes) }.copy_from_slice(&sum[..lanes]);
    }
}
