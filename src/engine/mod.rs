//! The one thread that owns the device.
//!
//! - `kind`: the kinds of work, one row each. `message`: requests and events, plain values.
//! - `mailbox`: where requests wait, one slot per kind.
//! - `worker`: the thread. Urgent requests overtake long ones between chunks. Anything that
//!   implements [`Work`] can do the work.
//! - `work`: what the thread does for each request, by calling [`crate::lab::Lab`] or an
//!   experiment.

mod kind;
mod mailbox;
mod message;
mod work;
mod worker;

pub use kind::{About, JobKind};
pub use message::*;
pub use work::{opener, opener_on};
pub use worker::{Engine, Open, Outbox, Work};
