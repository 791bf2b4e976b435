//! Sessions: keys typed in the lab, in steps with a chapter title, and the expected state of the
//! screen. A session is a talk, an example and a test: its keys go through the same key map and the
//! same `update` as a person's.
//!
//! The values (the file's format, its checks and expectations) are in [`crate::app::session`].
//!
//! - [`play`]: plays a session without a terminal, on the real engine, and compares the results
//!   with the file's expectations.
//! - [`journal`]: the record of a sitting, written as it happens; [`writer`]: the thread that
//!   writes.
//! - [`snapshots`]: snapshots of soups, stored from one sitting to the next.

pub mod journal;
pub mod play;
pub mod snapshots;
pub mod writer;

pub use crate::app::session::{Expect, Session, Step};
pub use play::{Audience, StepReport, play, play_to};
