//! Recurrent states as plain host memory, independent of any device.
//!
//! - [`state`](self::state): the [`State`] itself, immutable arrays.
//! - `layout`: the shapes of these arrays ([`Layout`]); `decay`: how a state decays ([`Decay`]).
//! - `identity`: which model made a state.
//! - [`codec`]: reads and writes one state as safetensors; also writes the layout of HF
//!   `transformers`' cache.

pub mod codec;
mod decay;
mod identity;
mod layout;
#[allow(clippy::module_inception)]
mod state;

pub use decay::Decay;
pub use identity::ModelIdentity;
pub use layout::{Family, Layout, Part};
pub use state::{Memory, State};
