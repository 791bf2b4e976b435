//! The one thread that owns the device.
//!
//! - `kind`: the kinds of work, one row each. `message`: requests and events, plain values.
//! - `mailbox`: where requests wait, one place a kind.
//! - `worker`: the thread; urgent requests overtake long ones between chunks. Anything that implements [`Work`] can stand behind it.
//! - `work`: what the thread does for each request: a call of [`crate::lab::Lab`] or of an experiment.

mod kind;
mod mailbox;
mod message;
mod work;
mod worker;

pub use kind::{About, JobKind};
pub use message::*;
pub use work::{opener, opener_on};
pub use worker::{Engine, Open, Outbox, Work};
