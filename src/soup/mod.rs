//! State algebra: one state out of several. Pure: no device, no terminal, no files.
//!
//! - [`mix`]: sums, means, arithmetic, layers, norms.
//! - [`decay`]: A-decay and its family, for chunks in order.
//! - [`picaso`]: A-decay averaged over orders.
//! - [`merge`]: SLERP, TIES and DARE, borrowed from weight merging.
//! - [`recipe`](Recipe): a typed expression that yields a state; `parse` and `print` are its text.
//! - [`Soup`]: what the screen edits: ingredients with weights, a rule, a few knobs.
//!
//! What happens to the other parts of a state: a rule without order (mean, sum, arithmetic, merges, PICASO) treats the convolution windows like the
//! SSM states and gives the mean ΣΔ of its parts, weighted by size of weight; a rule for chunks in order (A-decay) keeps the last chunk's window, and
//! its ΣΔ is the sum, so that a composed chunk composes again. Token counts are added up.

pub mod decay;
mod exp;
pub mod merge;
pub mod mix;
mod parse;
pub mod picaso;
mod print;
mod recipe;
#[allow(clippy::module_inception)]
mod soup;

pub use recipe::{Layers, Recipe, Resolver, Term};
pub use soup::{Ingredient, Rule, Soup};
