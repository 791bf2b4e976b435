//! The sizes of a state, and the model constant that turns its decay sidecar into a transition.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The sizes that decide a state's layout. Two states mix only if these agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StateShape {
    /// Layers.
    pub n_layer: usize,
    /// Channels of a layer.
    pub d_inner: usize,
    /// SSM state entries of a channel (16 in Mamba-1).
    pub d_state: usize,
    /// Taps of the causal convolution (4); the window keeps the last `d_conv - 1` inputs.
    pub d_conv: usize,
}

impl StateShape {
    /// SSM floats of one layer: `d_inner * d_state`.
    pub fn ssm_len(&self) -> usize {
        self.d_inner * self.d_state
    }

    /// Convolution-window floats of one layer: `d_inner * (d_conv - 1)`.
    pub fn conv_len(&self) -> usize {
        self.d_inner * (self.d_conv - 1)
    }

    /// Floats of a whole state: SSM, window and sidecar of all layers.
    pub fn total_len(&self) -> usize {
        self.n_layer * (self.ssm_len() + self.conv_len() + self.d_inner)
    }
}

impl std::fmt::Display for StateShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} layers × {} channels × {} entries, {} taps", self.n_layer, self.d_inner, self.d_state, self.d_conv)
    }
}

/// `A = -exp(A_log)`, `[n_layer, d_inner, d_state]`, every entry < 0: with a state's ΣΔ it gives the transition
/// `log P[d,n] = A[d,n] · ΣΔ[d]` (State Soup; CASO, Proposition 1).
#[derive(Clone, Debug, PartialEq)]
pub struct DecayRates {
    shape: StateShape,
    a: Arc<[f32]>,
}

impl DecayRates {
    /// Rates from `A` laid out `[n_layer, d_inner, d_state]`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the length is wrong or an entry is not a negative finite number (or zero).
    pub fn new(shape: StateShape, a: Vec<f32>) -> Result<Self> {
        let want = shape.n_layer * shape.ssm_len();
        if a.len() != want {
            return Err(Error::Mismatch(format!("decay rates have {} entries, the model's shape ({shape}) needs {want}", a.len())));
        }
        if let Some(i) = a.iter().position(|v| !v.is_finite() || *v > 0.0) {
            return Err(Error::Mismatch(format!(
                "decay rate {} in layer {} is {}, which is not a finite number ≤ 0",
                i % shape.ssm_len(),
                i / shape.ssm_len(),
                a[i]
            )));
        }
        Ok(Self { shape, a: a.into() })
    }

    /// The shape the rates belong to.
    pub fn shape(&self) -> StateShape {
        self.shape
    }

    /// `A` of one layer, `[d_inner, d_state]`.
    pub fn layer(&self, layer: usize) -> &[f32] {
        let n = self.shape.ssm_len();
        &self.a[layer * n..(layer + 1) * n]
    }
}
