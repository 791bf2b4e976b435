//! How a recurrence forgets: what a text makes of the memory of what came before it.
//!
//! A chunk that was read from the zero state ends in a memory H and a sidecar from which its
//! transition P follows; chunk 1 then chunk 2 is `P₂·H₁ + H₂`, exactly so in one layer (State Soup;
//! CASO, Proposition 1). What P is depends on the recurrence; nothing outside this file knows.

use super::{Layout, State};
use crate::error::{Error, Result};
use crate::simd::exp_or_zero;
use std::sync::Arc;

/// The constant of a model that turns a state's sidecar into a transition.
#[derive(Clone, Debug, PartialEq)]
pub struct Decay {
    layout: Layout,
    law: Law,
}

/// One way of forgetting for each kind of recurrence.
#[derive(Clone, Debug, PartialEq)]
enum Law {
    /// Every entry by itself: `A = -exp(A_log)`, `[n_layer, d_inner, d_state]`, gives
    /// `log P[d, n] = A[d, n] · ΣΔ[d]`. Sums of logarithms are kept, because products of P
    /// underflow.
    Channel(Arc<[f32]>),
}

impl Decay {
    /// Of a Mamba-1, from `A` laid out `[n_layer, d_inner, d_state]`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the length is wrong or an entry is not a negative finite number (or
    /// zero).
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

    /// The layout of the states it belongs to.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// A of one layer, `[d_inner, d_state]`.
    pub fn channel_rates(&self, layer: usize) -> &[f32] {
        match &self.law {
            Law::Channel(a) => self.of_layer(a, layer),
        }
    }

    /// Whether chunks in another order have the same transition together: then there is an average
    /// over orders that needs no list of them.
    pub fn commutes(&self) -> bool {
        match self.law {
            Law::Channel(_) => true,
        }
    }

    /// Adds `scale · P^gamma · memory` to `out`, both one layer's memory, where P is the transition
    /// of everything that came after: its sidecar is `after`.
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

    /// Makes a layer's sidecar that of `earlier` and what it was of, one after the other.
    pub fn join(&self, earlier: &[f32], sidecar: &mut [f32]) {
        match self.law {
            Law::Channel(_) => sidecar.iter_mut().zip(earlier).for_each(|(sum, dt)| *sum += dt),
        }
    }

    /// log P of the entries of a layer's memory from `from` on, as many as `out` holds.
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

    /// Half-lives of the entries of a layer's memory, in tokens: how long until half of what was
    /// read is forgotten, at the mean pace of what the state has read: ln 2 / (|A| · mean Δ).
    /// Infinite where nothing is forgotten, NaN if nothing was read.
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

/// exp(γ·log P). No time passed (log P = 0) forgets nothing, whatever γ.
#[inline(always)]
fn transition(gamma: f32, log_p: f32) -> f32 {
    if log_p == 0.0 { 1.0 } else { exp_or_zero(gamma * log_p) }
}
