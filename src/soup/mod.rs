//! State algebra: combines several states into one. Pure: no device, no terminal, no files.
//!
//! - [`rules`]: the table of the rules, one row each.
//! - `rule`, `value`, `items`: the contents of a row, the values that a rule takes, and the
//!   arguments of its formula.
//! - [`mix`]: sums, means, arithmetic, layers, norms.
//! - [`decay`]: A-decay and its family, for chunks in order.
//! - [`chunks`]: every rule for the chunks of one document, for comparison.
//! - [`picaso`]: A-decay averaged over orders.
//! - [`nelder_mead`]: weights that minimise a function.
//! - [`median`]: the median instead of the mean.
//! - [`merge`]: SLERP, TIES and DARE, borrowed from weight merging.
//! - [`recipe`](Recipe): a typed expression that yields a state; `parse` (with its scanner, `scan`)
//!   and `print` read and write its text, `file` its JSON and TOML; `evaluate` computes its state.
//! - [`PAGES`]: a page of help for every rule.
//! - [`Soup`]: what the screen edits: ingredients with weights, a rule and a few parameters.
//! - `parts`: a soup with other weights, or without an ingredient or some layers.
//!
//! What happens to the other parts of a state:
//!
//! | rule | convolution window | ΣΔ |
//! |---|---|---|
//! | mean, sum, weighted, softmax, arithmetic, with the query | summed as the SSM states are | mean, weighted by the weights' absolute values |
//! | posterior, auto | summed in the same way; `auto` takes the query's | in the same way |
//! | primed | as the model leaves them | grows with the examples read |
//! | SLERP | interpolated linearly | interpolated linearly |
//! | TIES, DARE | mean | mean |
//! | median | median | median |
//! | A-decay and its family | the last chunk's, which the next token follows | sum, so that a composed chunk can be composed again |
//! | PICASO | mean | sum, the same in every order |
//!
//! `… | conv(recipe)` takes the windows from another recipe. Token counts are added up over all
//! states with a nonzero weight. A choice of layers applies to windows and ΣΔ too.

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
