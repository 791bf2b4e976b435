//! A-decay and its family, for chunks in order (State Soup; CASO, Proposition 1).
//!
//! With log P_i = A · ΣΔ_i, chunk i of n weighs exp(γ Σ_{j>i} log P_j) / Z. γ = 1, Z = 1 is A-decay, exact for one linear layer; γ = 0 is the sum (Z = 1) or
//! the mean (Z = n); γ → ∞ is the last chunk alone. Everything happens on sums of logarithms: products of P underflow.

use super::mix::{common_shape, total_tokens};
use crate::error::{Error, Result};
use crate::state::{DecayRates, State};

/// Composes chunks in order. `weights` scale the chunks (all 1 for the plain rule); `z` divides the sum. The window is the last chunk's,
/// ΣΔ the sum.
///
/// # Errors
/// As [`common_shape`]; [`Error::Mismatch`] if the rates are another model's; [`Error::Input`] for γ < 0 or NaN, or z = 0.
pub fn compose(states: &[State], weights: &[f64], rates: &DecayRates, gamma: f64, z: f64) -> Result<State> {
    let shape = common_shape(states)?;
    check_rates(rates, states)?;
    if gamma.is_nan() || gamma < 0.0 {
        return Err(Error::Input(format!("gamma is {gamma}; it must be 0 or more (inf keeps the last chunk alone)")));
    }
    if z == 0.0 || !z.is_finite() {
        return Err(Error::Input(format!("a sum cannot be divided by {z}")));
    }
    let (e, n) = (shape.d_inner, shape.d_state);
    let mut ssm = vec![0.0f32; shape.n_layer * shape.ssm_len()];
    let mut dt_sum = vec![0.0f32; shape.n_layer * e];
    for l in 0..shape.n_layer {
        let a = rates.layer(l);
        let out = &mut ssm[l * e * n..(l + 1) * e * n];
        // From the last chunk back: `after` is ΣΔ of all chunks that come later.
        let after = &mut dt_sum[l * e..(l + 1) * e];
        for (state, &weight) in states.iter().zip(weights).rev() {
            let scale = (weight / z) as f32;
            let channels = out.chunks_exact_mut(n).zip(state.ssm_layer(l).chunks_exact(n)).zip(a.chunks_exact(n));
            for (((out, h), a), after) in channels.zip(&*after) {
                for ((o, h), a) in out.iter_mut().zip(h).zip(a) {
                    *o += scale * transition(gamma, *a, *after) * h;
                }
            }
            after.iter_mut().zip(state.dt_sum_layer(l)).for_each(|(after, dt)| *after += dt);
        }
    }
    let conv = states.last().map_or_else(Vec::new, |s| s.conv().to_vec());
    State::new(shape, ssm, conv, dt_sum, total_tokens(states))
}

/// exp(γ · A · ΣΔ). No time passed (ΣΔ = 0) forgets nothing, whatever γ.
fn transition(gamma: f64, a: f32, dt: f32) -> f32 {
    let log_p = a * dt;
    if log_p == 0.0 { 1.0 } else { (gamma as f32 * log_p).exp() }
}

pub(super) fn check_rates(rates: &DecayRates, states: &[State]) -> Result<()> {
    match states.iter().find(|s| s.shape() != rates.shape()) {
        Some(s) => Err(Error::Mismatch(format!("the model's decay rates are for {}, the state has {}", rates.shape(), s.shape()))),
        None => Ok(()),
    }
}
