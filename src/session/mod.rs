//! Sessions: what was typed in the lab, in steps with a chapter title, and what the screen must then know. A session is a talk, an
//! example and a test: the same keys go through the same key map and the same `update` as those of a person.
//!
//! - [`file`]: the TOML form and its checks.
//! - [`play`]: playing without a terminal, on the real engine, and comparing what comes out with what the file expects.

pub mod file;
pub mod play;

pub use file::{Expect, Session, Step};
pub use play::{StepReport, play};
