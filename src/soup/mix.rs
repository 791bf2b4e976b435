//! Sums, means, arithmetic, layers, norms.

use crate::error::{Error, Result};
use crate::state::{State, StateShape};

/// The shape all states share.
///
/// # Errors
/// [`Error::Input`] if there is no state, [`Error::Mismatch`] if two shapes differ.
pub fn common_shape(states: &[State]) -> Result<StateShape> {
    let first = states.first().ok_or_else(|| Error::Input("there is nothing to mix".into()))?.shape();
    match states.iter().find(|s| s.shape() != first) {
        Some(other) => Err(Error::Mismatch(format!("states of {first} and of {} cannot be mixed", other.shape()))),
        None => Ok(first),
    }
}

/// Σ w_i H_i, the convolution windows alike; ΣΔ is the mean of the parts', weighted by |w_i|.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if a weight is not finite; [`Error::Mismatch`] if the sum overflows.
pub fn weighted_sum(states: &[State], weights: &[f64]) -> Result<State> {
    let shape = common_shape(states)?;
    if let Some(w) = weights.iter().find(|w| !w.is_finite()) {
        return Err(Error::Input(format!("a weight is {w}; weights must be finite numbers")));
    }
    let ssm = combine(states, weights, State::ssm);
    let conv = combine(states, weights, State::conv);
    State::new(shape, ssm, conv, mean_dt(states, weights), total_tokens(states))
}

/// The mean; with weights, the weighted mean Σ w_i H_i / Σ w_i.
///
/// # Errors
/// As [`weighted_sum`]; [`Error::Input`] if the weights add up to nothing.
pub fn mean(states: &[State], weights: &[f64]) -> Result<State> {
    weighted_sum(states, &normalised(weights)?)
}

/// h0 + Σ λ_i (H_i − h0): adding, negating and analogies of skills.
///
/// # Errors
/// As [`weighted_sum`].
pub fn arithmetic(neutral: &State, states: &[State], lambdas: &[f64]) -> Result<State> {
    let all: Vec<State> = std::iter::once(neutral).chain(states).cloned().collect();
    let weights: Vec<f64> = std::iter::once(1.0 - lambdas.iter().sum::<f64>()).chain(lambdas.iter().copied()).collect();
    weighted_sum(&all, &weights)
}

/// Layer by layer w_l · mixed + (1 − w_l) · base.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if there are not as many weights as layers.
pub fn blend_layers(mixed: &State, base: &State, weights: &[f64]) -> Result<State> {
    let shape = common_shape(&[mixed.clone(), base.clone()])?;
    if weights.len() != shape.n_layer {
        return Err(Error::Input(format!("{} layer weights are given, the model has {} layers", weights.len(), shape.n_layer)));
    }
    let blend = |of: fn(&State) -> &[f32], len: usize| {
        let mut out = Vec::with_capacity(len * shape.n_layer);
        let layers = of(mixed).chunks_exact(len).zip(of(base).chunks_exact(len));
        for ((m, b), &w) in layers.zip(weights) {
            // Exact at 0 and 1, so that a layer left out is the base's to the last bit.
            out.extend(m.iter().zip(b).map(|(&m, &b)| match w {
                0.0 => b,
                1.0 => m,
                _ => (w * f64::from(m) + (1.0 - w) * f64::from(b)) as f32,
            }));
        }
        out
    };
    State::new(
        shape,
        blend(State::ssm, shape.ssm_len()),
        blend(State::conv, shape.conv_len()),
        blend(State::dt_sum, shape.d_inner),
        mixed.tokens().max(base.tokens()),
    )
}

/// Scales each layer's SSM state to the mean norm of its parts' layers: mixing shortens vectors that disagree.
///
/// # Errors
/// As [`common_shape`].
pub fn match_norm(mixed: &State, parts: &[State]) -> Result<State> {
    let shape = common_shape(parts)?;
    let mut ssm = mixed.ssm().to_vec();
    for (l, layer) in ssm.chunks_exact_mut(shape.ssm_len()).enumerate() {
        let wanted = parts.iter().map(|p| f64::from(p.ssm_norm(l))).sum::<f64>() / parts.len() as f64;
        let norm = f64::from(mixed.ssm_norm(l));
        if norm > 0.0 {
            layer.iter_mut().for_each(|v| *v = (f64::from(*v) * wanted / norm) as f32);
        }
    }
    State::new(shape, ssm, mixed.conv().to_vec(), mixed.dt_sum().to_vec(), mixed.tokens())
}

/// Weights that add up to one.
///
/// # Errors
/// [`Error::Input`] if they add up to nothing.
pub fn normalised(weights: &[f64]) -> Result<Vec<f64>> {
    let sum: f64 = weights.iter().sum();
    if sum.abs() < 1e-12 || !sum.is_finite() {
        return Err(Error::Input(format!("weights that add up to {sum} cannot be brought to 1")));
    }
    Ok(weights.iter().map(|w| w / sum).collect())
}

/// exp(s_i/τ) / Σ exp(s_j/τ); as τ goes to 0 the best takes all.
///
/// # Errors
/// [`Error::Input`] if τ is not above 0.
pub fn softmax(scores: &[f64], tau: f64) -> Result<Vec<f64>> {
    if tau.is_nan() || tau <= 0.0 {
        return Err(Error::Input(format!("tau is {tau}; it must be above 0")));
    }
    let best = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = scores.iter().map(|s| ((s - best) / tau).exp()).collect();
    normalised(&weights)
}

/// Σ w_i x_i of one part of the states, one after the other, so that every pass streams two arrays. A state that stands alone with weight 1 comes
/// out exactly.
fn combine(states: &[State], weights: &[f64], part: fn(&State) -> &[f32]) -> Vec<f32> {
    let mut out = vec![0.0f32; states.first().map_or(0, |s| part(s).len())];
    for (state, &w) in states.iter().zip(weights).filter(|(_, w)| **w != 0.0) {
        let w = w as f32;
        out.iter_mut().zip(part(state)).for_each(|(o, x)| *o += w * x);
    }
    out
}

pub(super) fn mean_dt(states: &[State], weights: &[f64]) -> Vec<f32> {
    let size: Vec<f64> = weights.iter().map(|w| w.abs()).collect();
    let total: f64 = size.iter().sum();
    let shares: Vec<f64> = size.iter().map(|s| if total > 0.0 { s / total } else { 0.0 }).collect();
    combine(states, &shares, State::dt_sum)
}

pub(super) fn total_tokens(states: &[State]) -> u64 {
    states.iter().map(State::tokens).sum()
}
