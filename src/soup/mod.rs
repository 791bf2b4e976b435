//! State algebra: one state out of several. Pure: no device, no terminal, no files.
//!
//! - [`rules`]: the table of the rules, one row each.
//! - `rule`, `value`, `items`: what a row holds, the values that a rule takes, and what its formula
//!   is given.
//! - [`mix`]: sums, means, arithmetic, layers, norms.
//! - [`decay`]: A-decay and its family, for chunks in order.
//! - [`chunks`]: every rule for the chunks of one document, side by side.
//! - [`picaso`]: A-decay averaged over orders.
//! - [`nelder_mead`]: weights that minimise something.
//! - [`median`]: the middle instead of the mean.
//! - [`merge`]: SLERP, TIES and DARE, borrowed from weight merging.
//! - [`recipe`](Recipe): a typed expression that yields a state; `parse` (over `scan`, its words)
//!   and `print` are its text, `file` is its JSON and TOML, `evaluate` is what it means.
//! - [`PAGES`]: a page of help on every rule.
//! - [`Soup`]: what the screen edits: ingredients with weights, a rule, a few knobs.
//! - `parts`: a soup with other shares, without an ingredient or a layer.
//!
//! What happens to the other parts of a state:
//!
//! | rule | convolution window | ΣΔ |
//! |---|---|---|
//! | mean, sum, weighted, softmax, arithmetic, with the query | summed as the SSM states are | mean, weighted by size of weight |
//! | posterior, auto | summed likewise; `auto` takes the query's | likewise |
//! | primed | as the model leaves them | grows with the examples read |
//! | SLERP | straight between the two | the same way |
//! | TIES, DARE | mean | mean |
//! | median | median | median |
//! | A-decay and its family | the last chunk's: it is what the next token meets | sum: a composed chunk composes again |
//! | PICASO | mean | sum: it is the same in every order |
//!
//! `… | conv(recipe)` takes the windows from elsewhere. Token counts are added up, over all that carry weight. Windows and ΣΔ follow the layers too.

pub mod chunks;
pub mod decay;
mod evaluate;
mod file;
mod help;
mod items;
pub mod median;
pub mod merge;
pub mod mix;
pub mod nelder_mead;
mod of_recipe;
mod parse;
mod parts;
pub mod picaso;
mod print;
mod recipe;
mod rule;
pub mod rules;
mod scan;
#[allow(clippy::module_inception)]
mod soup;
mod value;

pub use help::{PAGES, Page};
pub use parse::functions;
pub use parts::mixes;
pub use recipe::{Divisor, Layers, Recipe, Resolver, Term};
pub use rule::{Choice, Needs, Offer, Rule, Shares};
pub use soup::{Ingredient, Soup, Window};
pub use value::{Knob, Parameter, Value, Values, parameter_of};
