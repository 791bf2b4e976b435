//! The decay of a recurrence: how much of the earlier memory remains after a text.
//!
//! A chunk that was read from the zero state ends in a memory H and a sidecar that determines its
//! transition P. The memory after chunk 1 and then chunk 2 is `P₂·H₁ + H₂`, exactly so in one layer
//! (State Soup; CASO, Proposition 1). P depends on the recurrence; only this file knows how.

use super::{Layout, State};
use crate::error::{Error, Result};
use crate::simd::exp_or_zero;
use std::sync::Arc;

/// A model's decay rates, which give a state's transition from its sidecar.
#[derive(Clone, Debug, PartialEq)]
pub struct Decay {
    layout: Layout,
    law: Law,
}

/// The decay law of each kind of recurrence.
#[derive(Clone, Debug, PartialEq)]
enum Law {
    /// Each entry decays by itself: `A = -exp(A_log)`, `[n_layer, d_inner, d_state]`, gives `log
    /// P[d, n] = A[d, n] · ΣΔ[d]`. Sums of logarithms are stored, because products of P underflow.
    Channel(Arc<[f32]>),
}

impl Decay {
    /// The decay of a Mamba-1, from `A` `[n_layer, d_inner, d_state]`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the length is wrong, or an entry is not finite or is above 0.
    pub fn channel(layout: Layout, a: Vec<f32>) -> Result<Self> {
        let (of_layer, want) = (layout.memory.len(), layout.n_layer * layout.memory.len());
        if a.len() != want {
            return Err(Error::Mismatch(format!("decay rates have {} entries, the model's shape ({layout}) needs {want}", a.len())));
        }
        if let Some(i) = a.iter().position(|v| !v.is_finite() || *v > 0.0) {
            return Err(Error::Mismatch(format!(
                "decay rate {} in layer {} is {}, which is not a finite number ≤ 0",
                i % of_layer,
                i / of_layer,
                a[i]
            )));
        }
        Ok(Self { layout, law: Law::Channel(a.into()) })
    }

    /// The layout of the model's states.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// A of one layer, `[d_inner, d_state]`.
    pub fn channel_rates(&self, layer: usize) -> &[f32] {
        match &self.law {
            Law::Channel(a) => self.of_layer(a, layer),
        }
    }

    /// Whether transitions commute, so that chunks in any order have the same product of
    /// transitions. Then an average over orders can be computed without listing them.
    pub fn commutes(&self) -> bool {
        match self.law {
            Law::Channel(_) => true,
        }
    }

    /// Adds `scale · P^gamma · memory` to `out`, both one layer's memory. P is the transition of
    /// everything that came after `memory`, given by the sidecar `after`.
    pub fn carry(&self, layer: usize, after: &[f32], gamma: f32, scale: f32, memory: &[f32], out: &mut [f32]) {
        match &self.law {
            Law::Channel(a) => {
                let n = self.layout.memory.row();
                let channels = out.chunks_exact_mut(n).zip(memory.chunks_exact(n)).zip(self.of_layer(a, layer).chunks_exact(n));
                for (((out, h), a), after) in channels.zip(after) {
                    for ((o, h), a) in out.iter_mut().zip(h).zip(a) {
                        *o += scale * transition(gamma, a * after) * h;
                    }
                }
            }
        }
    }

    /// Changes a layer's sidecar to that of the concatenation: the chunk of `earlier`, then the
    /// chunk of `sidecar`.
    pub fn join(&self, earlier: &[f32], sidecar: &mut [f32]) {
        match self.law {
            Law::Channel(_) => sidecar.iter_mut().zip(earlier).for_each(|(sum, dt)| *sum += dt),
        }
    }

    /// Writes log P of the entries of a layer's memory to `out`, from entry `from` on.
    pub fn log_transitions(&self, layer: usize, sidecar: &[f32], from: usize, out: &mut [f32]) {
        match &self.law {
            Law::Channel(a) => {
                let (n, a) = (self.layout.memory.row(), &self.of_layer(a, layer)[from..from + out.len()]);
                let mut at = 0;
                while at < a.len() {
                    let channel = (from + at) / n;
                    let end = ((channel + 1) * n - from).min(a.len());
                    out[at..end].iter_mut().zip(&a[at..end]).for_each(|(o, a)| *o = a * sidecar[channel]);
                    at = end;
                }
            }
        }
    }

    /// Half-lives of the entries of a layer's memory, in tokens, at the mean Δ of the tokens that
    /// the state has read: ln 2 / (|A| · mean Δ). Infinite where A or the mean Δ is 0, NaN if
    /// nothing was read.
    pub fn half_lives(&self, state: &State, layer: usize) -> Vec<f32> {
        match &self.law {
            Law::Channel(a) => {
                let (dt, tokens) = (state.dt_sum_layer(layer), state.tokens() as f32);
                let channels = self.of_layer(a, layer).chunks_exact(self.layout.memory.row()).zip(dt);
                channels.flat_map(|(a, dt)| a.iter().map(move |a| std::f32::consts::LN_2 * tokens / (a.abs() * dt))).collect()
            }
        }
    }

    fn of_layer<'a>(&self, of_entry: &'a [f32], layer: usize) -> &'a [f32] {
        let n = self.layout.memory.len();
        &of_entry[layer * n..(layer + 1) * n]
    }
}

/// exp(γ·log P); 1 if log P = 0, even for infinite γ.
#[inline(always)]
fn transition(gamma: f32, log_p: f32) -> f32 {
    if log_p == 0.0 { 1.0 } else { exp_or_zero(gamma * log_p) }
}
