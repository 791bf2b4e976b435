//! The one thread that owns the device.
//!
//! - [`message`](self): requests and events, plain values.
//! - `mailbox`: where requests wait, one place a kind.
//! - `worker`: the thread; urgent requests overtake long ones between chunks.

mod mailbox;
mod message;
mod worker;

pub use message::*;
pub use worker::{Engine, Open, Outbox, Work};
