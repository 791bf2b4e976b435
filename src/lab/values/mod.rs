//! Requests to a lab and their results: plain values, without a model, a device or a clock.

mod answer;
mod evidence;
mod instrument;
mod library;
mod map;

pub use crate::library::RankView;
pub use answer::*;
pub use evidence::*;
pub use instrument::*;
pub use library::*;
pub use map::*;
