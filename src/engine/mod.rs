//! The one thread that owns the device, and the laboratory it runs.
//!
//! - `message`: requests and events, plain values.
//! - `mailbox`: where requests wait, one place a kind.
//! - `worker`: the thread; urgent requests overtake long ones between chunks. Anything that implements [`Work`] can stand behind it.
//! - [`lab`](Lab): one model and one library: ranking, answers, mixing.
//! - `keep`: what changes or reports the library: building, adding, deleting, inspecting.
//! - `query`: reading a query so that an edit costs only what changed.
//! - `evidence`: how probable the query's examples are from the library's tasks, and the soup that follows.
//!   `calibrate`: how it is weighed in this library.
//! - `gain`: the soup against the query alone, on the query's own examples.
//! - `answer`: continuations from states.
//! - `map`: the library's states in two dimensions.
//! - [`document`]: documents in chunks; `decay`: every rule for the chunks of one, side by side.
//! - `instrument`: requests and readings of the Lab's instruments; `ecg`, `mixes` (landscape, attribution, two soups), `verdict`, `autopsy` do them.
//! - `work`: requests in, events out.

mod answer;
mod autopsy;
mod calibrate;
mod decay;
pub mod document;
mod ecg;
mod evidence;
mod gain;
mod instrument;
mod keep;
mod lab;
mod mailbox;
mod map;
mod message;
mod mixes;
mod query;
mod tokens;
mod verdict;
mod work;
mod worker;

pub use answer::logprob;
pub(crate) use answer::{Spec, Start, continue_from, mean_logits};
pub use decay::{DecayRequest, DecaySource, DecayView, RuleResult};
pub use document::Cut;
pub use evidence::{CANDIDATES, MOST_TOKENS};
pub use instrument::*;
pub use keep::BuildReport;
pub use lab::{Lab, Setup};
pub use message::*;
pub use work::{opener, opener_on};
pub use worker::{Engine, Open, Outbox, Work};
