//! State algebra.
/// A typed expression that yields a state.
#[derive(Clone, Debug, PartialEq)]
pub enum Recipe {
    /// The empty state.
    Zero,
}
