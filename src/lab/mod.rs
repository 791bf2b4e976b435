//! A model and a library together: what can be asked of them.
//!
//! - `open`: [`Lab`]: one model, one library. `keep`: what changes or reports the library: building, adding, deleting, inspecting.
//! - `query`: a query in the model's terms; `reader`: reading it so that an edit costs only what changed; `tokens`: texts with the borders of their examples.
//! - `ask`: ranking, mixing, answers; `mixer`: what the names in a recipe stand for; `answer`: continuations from states.
//! - `evidence`: how probable the query's examples are from the library's tasks, and the soup that follows.
//!   `calibrate`: how it is weighed in this library. `gain`: the soup against the query alone, on the query's own examples.
//! - `map`: the library's states in two dimensions.
//! - [`document`]: documents in chunks; `decay`: every rule for the chunks of one, side by side.
//! - `ecg`, `mixes` (landscape, attribution, two soups), `verdict`, `autopsy`: the instruments. [`trials`]: held-out questions put to several states.
//! - `shelf`: the library's rows on a card; `verify`: a card against the CPU (both with the `cuda` feature).
//! - `values`: requests and results, plain values that the engine carries and the screen shows.

mod answer;
mod ask;
mod autopsy;
mod calibrate;
mod decay;
pub mod document;
mod ecg;
mod evidence;
mod gain;
mod keep;
mod map;
mod mixer;
mod mixes;
mod open;
mod query;
mod reader;
#[cfg(feature = "cuda")]
mod shelf;
mod shelve;
mod tokens;
pub(crate) mod trials;
mod values;
mod verdict;
#[cfg(feature = "cuda")]
mod verify;

pub use answer::logprob;
pub(crate) use answer::{Spec, Start, continue_from, mean_logits};
pub use decay::{DecayRequest, DecaySource, DecayView, RuleResult};
pub use document::Cut;
pub use evidence::{CANDIDATES, MOST_TOKENS};
pub use keep::BuildReport;
pub use open::{Lab, Setup};
pub use shelve::shelver;
pub use values::*;
#[cfg(feature = "cuda")]
pub use verify::{Check, verify};
