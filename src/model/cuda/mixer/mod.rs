//! What a layer does between its norm and the residual stream: one module a recurrence, with its
//! weights, its work space, the names of its kernels, `forward`, and `token` for a single one. The
//! twin of the CPU's `mixer`; the rest of a network ([`super::forward`]) is the same for all of
//! them.

mod mamba1;

pub use mamba1::{CHANNELS, Mamba1 as Mixer, SEGMENTS, Space, TokenSpace, kernels};
