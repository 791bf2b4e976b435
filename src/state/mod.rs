//! States as plain host memory: what a Mamba has read, apart from any device.
//!
//! - [`state`](self::state): the [`State`] itself, its [`StateShape`] and the model's [`DecayRates`].
//! - `identity`: which model made a state.
//! - [`codec`]: one state to and from safetensors, also in the layout of HF `transformers`' cache.

pub mod codec;
mod identity;
mod shape;
#[allow(clippy::module_inception)]
mod state;

pub use identity::ModelIdentity;
pub use shape::{DecayRates, StateShape};
pub use state::{Memory, State};
