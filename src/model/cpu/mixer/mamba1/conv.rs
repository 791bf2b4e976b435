//! The causal convolution over time with its SiLU, in one pass.

use crate::simd::{LANES, Lanes, Shared, silu, simd};

/// What the convolution of one layer needs, channels padded to a multiple of [`LANES`].
pub struct Conv {
    /// Taps, oldest first: `[d_conv, padded channels]`.
    pub taps: Vec<f32>,
    /// `[padded channels]`, zeros if there is none.
    pub bias: Vec<f32>,
    /// Number of taps, `d_conv`.
    pub width: usize,
}

/// Where the inputs and outputs of a pass lie.
#[derive(Clone, Copy)]
pub struct ConvIo<'a> {
    /// In-projection, `[tokens, stride]`; the channels come first in each row.
    pub xz: &'a [f32],
    /// Row length of `xz`.
    pub stride: usize,
    /// Output, `[tokens, d_inner]`.
    pub u: Shared<'a>,
    /// Channels.
    pub d_inner: usize,
}

simd! {
    /// One block of channels over consecutive tokens of one sequence. `window` holds the last
    /// `d_conv - 1` inputs of the block, `[d_conv - 1][LANES]`, oldest first, and is updated.
    pub fn conv_block(conv: &Conv, io: ConvIo<'_>, block: usize, from: usize, to: usize, window: &mut [f32]) = conv_body
}

#[inline(always)]
unsafe fn conv_body<V: Lanes>(conv: &Conv, io: ConvIo<'_>, block: usize, from: usize, to: usize, window: &mut [f32]) {
    let (padded, at, kept) = (conv.bias.len(), block * LANES, conv.width - 1);
    let lanes = LANES.min(io.d_inner - at);
    let window = &mut window.as_chunks_mut::<LANES>().0[..kept];
    // SAFETY: the caller has what V needs; each call owns its block's channels of every row.
    unsafe {
        let bias = V::load_part(&conv.bias[at..]);
        for t in from..to {
            let now = V::load_part(&io.xz[t * io.stride + at..][..lanes]);
            let mut sum = V::load_part(&conv.taps[kept * padded + at..]).fma(now, bias);
            for (k, x) in window.iter().enumerate() {
                sum = V::load(x).fma(V::load_part(&conv.taps[k * padded + at..]), sum);
            }
            window.copy_within(1.., 0);
            now.store(&mut window[kept - 1]);
            silu(sum).store_part(io.u.part(t * io.d_inner + at, lanes));
        }
    }
}
