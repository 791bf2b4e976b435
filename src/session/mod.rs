//! Sessions: what was typed in the lab, in steps with a chapter title, and what the screen must
//! then know. A session is a talk, an example and a test: the same keys go through the same key map
//! and the same `update` as those of a person.
//!
//! The values (the file's form, its checks and expectations) are in [`crate::app::session`].
//!
//! - [`play`]: playing without a terminal, on the real engine, and comparing what comes out with
//!   what the file expects.
//! - [`journal`]: what is done, written down as it happens; [`writer`]: the thread that writes.
//! - [`snapshots`]: snapshots of soups, kept from one sitting to the next.

pub mod journal;
pub mod play;
pub mod snapshots;
pub mod writer;

pub use crate::app::session::{Expect, Session, Step};
pub use play::{Audience, StepReport, play, play_to};
