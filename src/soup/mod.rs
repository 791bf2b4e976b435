//! State algebra.
mod soup;
pub use soup::*;
/// A typed expression that yields a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipe {
    /// The empty state.
    Zero,
}
impl std::fmt::Display for Recipe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("zero")
    }
}
