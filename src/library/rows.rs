//! Copies of a library's rows on a device, which sums over them faster than the host can read them.

use crate::error::Result;
use crate::state::State;
use std::fmt::Debug;

/// The sum over the entries of a row x.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Σ a·x.
    Dot,
    /// Σ a·(x − c).
    Centred,
    /// Σ (x − a)².
    Distance,
}

/// One layer's query: `a`, and the centre `c`, which only [`Sum::Centred`] reads.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// The layer.
    pub layer: usize,
    /// `[d_inner, d_state]`.
    pub a: &'a [f32],
    /// `[d_inner, d_state]`.
    pub c: &'a [f32],
}

/// The states of a library's skills on a device. A sum over a damaged state
/// ([`Library::warnings`](super::Library::warnings) names those) is not finite; callers leave it
/// out.
pub trait Rows: Debug + Send + Sync {
    /// The sums over every skill's row, `[job][skill]`, skills in the library's order.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] if the device fails.
    fn sums(&self, sum: Sum, jobs: &[Job<'_>]) -> Result<Vec<f32>>;

    /// The state Σ w·(skill's state) over `picks`, pairs of a skill's index in the library and w.
    /// Its sidecar is `share`·Σ |w|·ΣΔ and its token count is `tokens`. It lies in the memory from
    /// which the device reads states fastest.
    ///
    /// # Errors
    /// [`crate::error::Error::Mismatch`] if a sum is not finite; [`crate::error::Error::Model`] if
    /// the device fails.
    fn combine(&self, picks: &[(usize, f32)], share: f32, tokens: u64) -> Result<State>;
}
