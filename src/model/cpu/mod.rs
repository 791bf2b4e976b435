//! The CPU path: a model's weights in the kernels' layout, and each recurrence's kernels; the rest
//! of the arithmetic is in [`crate::simd`].
//!
//! - [`model`]: packed prefill and the batched single-token step.
//! - `weights`: tensors by name, checked and laid out.
//! - `mixer`: what differs between recurrences, one module each.

mod mixer;
pub mod model;
mod weights;

/// Runs work made of many short parallel parts on a thread of the pool. From outside the pool,
/// every part would be handed over and its caller would sleep until it ends: two wake-ups each.
/// Measured on a decoded token of mamba-130m's shape: an in-projection takes 414 to 567 µs from
/// outside, 360 to 371 µs in the pool.
pub fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}
