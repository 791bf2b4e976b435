//! What a layer does between its norm and the residual stream: one module for each recurrence,
//! with its weights, its work space, a state while it changes, and `forward`. The rest of a network
//! ([`super::model`]) is the same for all of them.

mod mamba1;

pub use mamba1::{Mamba1 as Mixer, Space, Working};
