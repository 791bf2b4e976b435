//! States as plain host memory: what a Mamba has read, apart from any device.
//!
//! - [`state`](self::state): the [`State`] itself, immutable arrays.
//! - `layout`: which arrays those are ([`Layout`]); `decay`: how they forget ([`Decay`]).
//! - `identity`: which model made a state.
//! - [`codec`]: one state to and from safetensors, also in the layout of HF `transformers`' cache.

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
