//! A-decay and its family, for chunks in order (State Soup; CASO, Proposition 1).
//!
//! With log P_i = A · ΣΔ_i, chunk i of n weighs exp(γ Σ_{j>i} log P_j) / Z. γ = 1, Z = 1 is A-decay, exact for one linear layer; γ = 0 is the sum (Z = 1) or
//! the mean (Z = n); γ → ∞ is the last chunk alone. Everything happens on sums of logarithms: products of P underflow.

use super::mix::{check_weights, common_shape};
use crate::error::{Error, Result};
use crate::simd::exp_or_zero;
use crate::state::{DecayRates, State, StateShape};

/// Chunks composed one at a time, the last one first: what a chunk weighs depends only on those after it.
pub struct Composition<'a> {
    rates: &'a DecayRates,
    gamma: f32,
    z: f64,
    ssm: Vec<f32>,
    /// ΣΔ of the chunks taken so far, all of them later than the next one.
    after: Vec<f32>,
    /// The last chunk's window.
    conv: Option<Vec<f32>>,
    tokens: u64,
}

impl<'a> Composition<'a> {
    /// An empty composition: γ scales the decay, `z` divides the sum.
    ///
    /// # Errors
    /// [`Error::Input`] for γ < 0 or NaN, or a z that cannot divide.
    pub fn new(rates: &'a DecayRates, gamma: f64, z: f64) -> Result<Self> {
        if gamma.is_nan() || gamma < 0.0 {
            return Err(Error::Input(format!("gamma is {gamma}; it must be 0 or more (inf keeps the last chunk alone)")));
        }
        if z == 0.0 || !z.is_finite() {
            return Err(Error::Input(format!("a sum cannot be divided by {z}")));
        }
        let s = rates.shape();
        let (ssm, after) = (vec![0.0; s.n_layer * s.ssm_len()], vec![0.0; s.n_layer * s.d_inner]);
        Ok(Self { rates, gamma: gamma as f32, z, ssm, after, conv: None, tokens: 0 })
    }

    /// Takes the chunk that comes before all those taken so far.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another model's state, [`Error::Input`] for a weight that is not finite.
    pub fn prepend(&mut self, chunk: &State, weight: f64) -> Result<()> {
        check_rates(self.rates, std::slice::from_ref(chunk))?;
        if !weight.is_finite() {
            return Err(Error::Input(format!("a weight is {weight}; weights must be finite numbers")));
        }
        let StateShape { n_layer, d_inner: e, d_state: n, .. } = self.rates.shape();
        let (scale, gamma) = ((weight / self.z) as f32, self.gamma);
        for l in 0..n_layer {
            let h = chunk.ssm_layer(l);
            let out = &mut self.ssm[l * e * n..(l + 1) * e * n];
            let after = &mut self.after[l * e..(l + 1) * e];
            if self.conv.is_none() {
                out.iter_mut().zip(h).for_each(|(o, h)| *o = scale * h);
            } else {
                let channels = out.chunks_exact_mut(n).zip(h.chunks_exact(n)).zip(self.rates.layer(l).chunks_exact(n));
                for (((out, h), a), after) in channels.zip(&*after) {
                    for ((o, h), a) in out.iter_mut().zip(h).zip(a) {
                        *o += scale * transition(gamma, a * after) * h;
                    }
                }
            }
            after.iter_mut().zip(chunk.dt_sum_layer(l)).for_each(|(after, dt)| *after += dt);
        }
        self.conv.get_or_insert_with(|| chunk.conv().to_vec());
        self.tokens = self.tokens.saturating_add(chunk.tokens());
        Ok(())
    }

    /// The composed chunk: the window is the last chunk's, ΣΔ the sum, so it composes again.
    ///
    /// # Errors
    /// [`Error::Input`] if no chunk was taken; [`Error::Mismatch`] if an entry overflowed.
    pub fn finish(self) -> Result<State> {
        let conv = self.conv.ok_or_else(|| Error::Input("there is nothing to mix".into()))?;
        State::new(self.rates.shape(), self.ssm, conv, self.after, self.tokens)
    }
}

/// Composes chunks in order. `weights` scale the chunks (all 1 for the plain rule); `z` divides the sum.
///
/// # Errors
/// As [`common_shape`]; [`Error::Mismatch`] if the rates are another model's; [`Error::Input`] for γ < 0 or NaN, or z = 0.
pub fn compose(states: &[State], weights: &[f64], rates: &DecayRates, gamma: f64, z: f64) -> Result<State> {
    common_shape(states)?;
    check_weights(states, weights)?;
    let mut composition = Composition::new(rates, gamma, z)?;
    for (state, weight) in states.iter().zip(weights).rev() {
        composition.prepend(state, *weight)?;
    }
    composition.finish()
}

/// exp(γ·log P). No time passed (log P = 0) forgets nothing, whatever γ.
#[inline(always)]
fn transition(gamma: f32, log_p: f32) -> f32 {
    if log_p == 0.0 { 1.0 } else { exp_or_zero(gamma * log_p) }
}

/// Half-lives ln 2 / (|A| · mean Δ) of a layer's entries, in tokens, `[d_inner, d_state]`: how long until half of what was read is forgotten, at the mean Δ of what
/// the state has read. Infinite where A or Δ is 0, NaN if nothing was read.
pub fn half_lives(rates: &DecayRates, state: &State, layer: usize) -> Vec<f32> {
    let (dt, tokens) = (state.dt_sum_layer(layer), state.tokens() as f32);
    let channels = rates.layer(layer).chunks_exact(rates.shape().d_state).zip(dt);
    channels.flat_map(|(a, dt)| a.iter().map(move |a| std::f32::consts::LN_2 * tokens / (a.abs() * dt))).collect()
}

pub(super) fn check_rates(rates: &DecayRates, states: &[State]) -> Result<()> {
    match states.iter().find(|s| s.shape() != rates.shape()) {
        Some(s) => Err(Error::Mismatch(format!("the model's decay rates are for {}, the state has {}", rates.shape(), s.shape()))),
        None => Ok(()),
    }
}
