//! A state while it is being changed: the same numbers as a [`State`], laid out for the kernels.

use crate::error::Result;
use crate::simd::LANES;
use crate::state::{Layout, State};

/// Channels come in blocks of [`LANES`], the last one padded with zeros; inside a block the channel
/// varies fastest. So `h [layer][block][d_state][LANES]`, `window [layer][block][d_conv -
/// 1][LANES]` (oldest first), `dt_sum [layer][block][LANES]`.
pub struct Working {
    shape: Layout,
    h: Vec<f32>,
    window: Vec<f32>,
    dt_sum: Vec<f32>,
    pub tokens: u64,
}

impl Working {
    /// The state before any token.
    pub fn zeros(shape: Layout) -> Self {
        let channels = shape.n_layer * shape.sidecar.len().next_multiple_of(LANES);
        Self {
            shape,
            h: vec![0.0; channels * shape.memory.row()],
            window: vec![0.0; channels * shape.reach()],
            dt_sum: vec![0.0; channels],
            tokens: 0,
        }
    }

    /// A state, laid out for the kernels.
    pub fn from_state(state: &State) -> Self {
        let shape = state.shape();
        let mut working = Self { tokens: state.tokens(), ..Self::zeros(shape) };
        for (to, from, width) in [
            (&mut working.h, state.ssm(), shape.memory.row()),
            (&mut working.window, state.conv(), shape.reach()),
            (&mut working.dt_sum, state.dt_sum(), 1),
        ] {
            visit(shape, width, |plain, blocked| to[blocked] = from[plain]);
        }
        working
    }

    /// The plain state.
    ///
    /// # Errors
    /// [`crate::error::Error::Mismatch`] if a number is not finite.
    pub fn to_state(&self) -> Result<State> {
        let shape = self.shape;
        let plain = |from: &[f32], width: usize| {
            let mut to = vec![0.0; shape.n_layer * shape.sidecar.len() * width];
            visit(shape, width, |plain, blocked| to[plain] = from[blocked]);
            to
        };
        let (h, window, dt_sum) = (plain(&self.h, shape.memory.row()), plain(&self.window, shape.reach()), plain(&self.dt_sum, 1));
        State::new(shape, h, window, dt_sum, self.tokens)
    }

    /// SSM state, window and ΣΔ of one layer.
    pub fn layer(&mut self, layer: usize) -> [&mut [f32]; 3] {
        let channels = self.shape.sidecar.len().next_multiple_of(LANES);
        let (h, w) = (channels * self.shape.memory.row(), channels * self.shape.reach());
        [
            &mut self.h[layer * h..(layer + 1) * h],
            &mut self.window[layer * w..(layer + 1) * w],
            &mut self.dt_sum[layer * channels..(layer + 1) * channels],
        ]
    }
}

/// Calls `each(plain, blocked)` with the two places of every number: `[layer][channel][width]` and
/// `[layer][block][width][LANES]`.
#[inline]
fn visit(shape: Layout, width: usize, mut each: impl FnMut(usize, usize)) {
    let padded = shape.sidecar.len().next_multiple_of(LANES);
    for layer in 0..shape.n_layer {
        for channel in 0..shape.sidecar.len() {
            let plain = (layer * shape.sidecar.len() + channel) * width;
            let blocked = (layer * padded + channel / LANES * LANES) * width + channel % LANES;
            for i in 0..width {
                each(plain + i, blocked + i * LANES);
            }
        }
    }
}
