//! A second place where the rows of a library may lie: a device that adds them up faster than the host can read them.

use crate::error::Result;
use crate::state::State;
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

    /// The state Σ w·(skill's state) over skills by their place in the library, with
    /// `share`·Σ |w|·ΣΔ as its sidecar, of so many `tokens`. It lies wherever the device reads
    /// states from fastest.
    ///
    /// # Errors
    /// [`crate::error::Error::Mismatch`] if a sum is not finite; [`crate::error::Error::Model`] if
    /// the device fails.
    fn combine(&self, picks: &[(usize, f32)], share: f32, tokens: u64) -> Result<State>;
}
