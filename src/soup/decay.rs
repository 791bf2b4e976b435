//! A-decay and its family, for chunks in order (State Soup; CASO, Proposition 1).
//!
//! With log P_i = A · ΣΔ_i, chunk i of n weighs exp(γ Σ_{j>i} log P_j) / Z. γ = 1, Z = 1 is
//! A-decay, exact for one linear layer; γ = 0 is the sum (Z = 1) or the mean (Z = n); γ → ∞ is the
//! last chunk alone. Everything is computed from sums of logarithms, because products of P
//! underflow.

use super::mix::{check_weights, common_shape};
use crate::error::{Error, Result};
use crate::state::{Decay, State};

/// A composition that takes chunks one at a time, the last one first, because the weight of a chunk
/// depends only on the chunks after it.
pub struct Composition<'a> {
    decay: &'a Decay,
    gamma: f32,
    z: f64,
    ssm: Vec<f32>,
    /// ΣΔ of the chunks taken so far, which all come after the next one.
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
    pub fn new(decay: &'a Decay, gamma: f64, z: f64) -> Result<Self> {
        if gamma.is_nan() || gamma < 0.0 {
            return Err(Error::Input(format!("gamma is {gamma}; it must be 0 or more (inf keeps the last chunk alone)")));
        }
        if z == 0.0 || !z.is_finite() {
            return Err(Error::Input(format!("a sum cannot be divided by {z}")));
        }
        let s = decay.layout();
        let (ssm, after) = (vec![0.0; s.n_layer * s.memory.len()], vec![0.0; s.n_layer * s.sidecar.len()]);
        Ok(Self { decay, gamma: gamma as f32, z, ssm, after, conv: None, tokens: 0 })
    }

    /// Adds the chunk that precedes all chunks taken so far.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another model's state, [`Error::Input`] for a weight that is not
    /// finite.
    pub fn prepend(&mut self, chunk: &State, weight: f64) -> Result<()> {
        check_decay(self.decay, std::slice::from_ref(chunk))?;
        if !weight.is_finite() {
            return Err(Error::Input(format!("a weight is {weight}; weights must be finite numbers")));
        }
        let shape = self.decay.layout();
        let (m, s) = (shape.memory.len(), shape.sidecar.len());
        let (scale, gamma) = ((weight / self.z) as f32, self.gamma);
        for l in 0..shape.n_layer {
            let h = chunk.ssm_layer(l);
            let out = &mut self.ssm[l * m..(l + 1) * m];
            let after = &mut self.after[l * s..(l + 1) * s];
            if self.conv.is_none() {
                out.iter_mut().zip(h).for_each(|(o, h)| *o = scale * h);
            } else {
                self.decay.carry(l, after, gamma, scale, h, out);
            }
            self.decay.join(chunk.dt_sum_layer(l), after);
        }
        self.conv.get_or_insert_with(|| chunk.conv().to_vec());
        self.tokens = self.tokens.saturating_add(chunk.tokens());
        Ok(())
    }

    /// The composed chunk. Its window is the last chunk's and its ΣΔ the sum, so it can be composed
    /// again.
    ///
    /// # Errors
    /// [`Error::Input`] if no chunk was taken; [`Error::Mismatch`] if an entry overflowed.
    pub fn finish(self) -> Result<State> {
        let conv = self.conv.ok_or_else(|| Error::Input("there is nothing to mix".into()))?;
        State::new(self.decay.layout(), self.ssm, conv, self.after, self.tokens)
    }
}

/// Composes chunks in order. `weights` scale the chunks (all 1 for the plain rule); `z` divides the
/// sum.
///
/// # Errors
/// As [`common_shape`]; [`Error::Mismatch`] if the decay is another model's; [`Error::Input`] for γ
/// < 0 or NaN, or z = 0.
pub fn compose(states: &[State], weights: &[f64], decay: &Decay, gamma: f64, z: f64) -> Result<State> {
    common_shape(states)?;
    check_weights(states, weights)?;
    let mut composition = Composition::new(decay, gamma, z)?;
    for (state, weight) in states.iter().zip(weights).rev() {
        composition.prepend(state, *weight)?;
    }
    composition.finish()
}

pub(super) fn check_decay(decay: &Decay, states: &[State]) -> Result<()> {
    match states.iter().find(|s| s.shape() != decay.layout()) {
        Some(s) => Err(Error::Mismatch(format!("the model's decay rates are for {}, the state has {}", decay.layout(), s.shape()))),
        None => Ok(()),
    }
}
