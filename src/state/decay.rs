//! The model constant that turns a state's sidecar into a transition.

use super::Layout;
use crate::error::{Error, Result};
use std::sync::Arc;

/// `A = -exp(A_log)`, `[n_layer, d_inner, d_state]`, every entry < 0: with a state's ΣΔ it gives the transition
/// `log P[d,n] = A[d,n] · ΣΔ[d]` (State Soup; CASO, Proposition 1).
#[derive(Clone, Debug, PartialEq)]
pub struct DecayRates {
    shape: Layout,
    a: Arc<[f32]>,
}

impl DecayRates {
    /// Rates from `A` laid out `[n_layer, d_inner, d_state]`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the length is wrong or an entry is not a negative finite number (or zero).
    pub fn new(shape: Layout, a: Vec<f32>) -> Result<Self> {
        let want = shape.n_layer * shape.memory.len();
        if a.len() != want {
            return Err(Error::Mismatch(format!("decay rates have {} entries, the model's shape ({shape}) needs {want}", a.len())));
        }
        if let Some(i) = a.iter().position(|v| !v.is_finite() || *v > 0.0) {
            return Err(Error::Mismatch(format!(
                "decay rate {} in layer {} is {}, which is not a finite number ≤ 0",
                i % shape.memory.len(),
                i / shape.memory.len(),
                a[i]
            )));
        }
        Ok(Self { shape, a: a.into() })
    }

    /// The shape the rates belong to.
    pub fn shape(&self) -> Layout {
        self.shape
    }

    /// `A` of one layer, `[d_inner, d_state]`.
    pub fn layer(&self, layer: usize) -> &[f32] {
        let n = self.shape.memory.len();
        &self.a[layer * n..(layer + 1) * n]
    }
}
