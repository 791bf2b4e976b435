//! The one thread that owns the device.
mod message;
pub use message::*;
