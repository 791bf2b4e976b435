//! The laboratory: one model, one library, and everything computed from the two.
//!
//! - `open`: [`Lab`], which holds the model and the library. `keep`: building, adding, deleting and
//!   inspecting skills.
//! - `query`: a query as tokens. `reader`: reads a query so that an edit costs only what changed.
//!   `tokens`: tokenises texts and finds the boundaries of their examples.
//! - `ask`: ranking, mixing and answers. `mixer`: resolves the names in a recipe. `answer`:
//!   continuations from states.
//! - `evidence`: how probable the query's examples are under the library's tasks, and the soup that
//!   follows. `calibrate`: fits the constants of the evidence to this library. `gain`: the soup
//!   against the query alone, on the query's own examples.
//! - `map`: the library's states in two dimensions.
//! - [`document`]: documents in chunks. `decay`: compares every rule for composing the chunks of
//!   one document.
//! - `ecg`, `mixes` (landscape, attribution, two soups), `verdict`, `autopsy`: the instruments.
//!   [`trials`]: scores several states on held-out questions.
//! - `shelf`: the library's states on a GPU. `verify`: a GPU against the CPU (both need the `cuda`
//!   feature).
//! - `values`: requests and results as plain values that the engine carries and the screen shows.

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
