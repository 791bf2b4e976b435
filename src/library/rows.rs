//! A second place where the rows of a library may lie: a device that adds them up faster than the host can read them.

use crate::error::Result;
use std::fmt::Debug;

/// What is summed over a row x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Σ a·x.
    Dot,
    /// Σ a·(x − c).
    Centred,
    /// Σ (x − a)².
    Distance,
}

/// One layer's query: `a`, and the centre `c` where [`Sum::Centred`] wants one (any slice of that length otherwise).
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The layer.
    pub layer: usize,
    /// `[d_inner, d_state]`.
    pub a: &'a [f32],
    /// `[d_inner, d_state]`.
    pub c: &'a [f32],
}

/// The states of a library, somewhere; damaged ones are not there ([`Library::warnings`](super::Library::warnings) names them, and nobody asks for them).
pub trait Rows: Debug + Send + Sync {
    /// The sum over every skill's row, `[job][skill]`, skills in the library's order.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] if the device fails.
    fn sums(&self, sum: Sum, jobs: &[Job<'_>]) -> Result<Vec<f32>>;

    /// Σ w·(skill's state) over skills by their place in the library, in this order: SSM states, windows, and Σ |w|·ΣΔ, all layers of each,
    /// `[n_layer, d_inner, d_state]`, `[n_layer, d_inner, d_conv - 1]`, `[n_layer, d_inner]`.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] if the device fails.
    fn combine(&self, picks: &[(usize, f32)]) -> Result<[Vec<f32>; 3]>;
}
