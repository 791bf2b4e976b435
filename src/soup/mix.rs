//! Sums, means, arithmetic, layers, norms.

use crate::error::{Error, Result};
use crate::state::{Layout, State};

/// The shape all states share.
///
/// # Errors
/// [`Error::Input`] if there is no state, [`Error::Mismatch`] if two shapes differ.
pub fn common_shape(states: &[State]) -> Result<Layout> {
    let first = states.first().ok_or_else(|| Error::Input("there is nothing to mix".into()))?.shape();
    match states.iter().find(|s| s.shape() != first) {
        Some(other) => Err(Error::Mismatch(format!("states of {first} and of {} cannot be mixed", other.shape()))),
        None => Ok(first),
    }
}

/// Fails unless every state has its weight.
pub(super) fn check_weights(states: &[State], weights: &[f64]) -> Result<()> {
    if states.len() == weights.len() {
        Ok(())
    } else {
        Err(Error::Input(format!("there are {} states and {} weights", states.len(), weights.len())))
    }
}

/// A weighted sum of states that takes them one at a time, so that the mean of a whole library
/// needs the memory of two states.
///
/// The convolution windows are summed like the SSM states. ΣΔ is the mean of the parts' ΣΔ,
/// weighted by |w_i|, because a sum of durations is never negative. Parts of weight 0 are ignored;
/// a single part of weight 1 is returned exactly.
pub struct WeightedSum {
    shape: Layout,
    ssm: Vec<f32>,
    conv: Vec<f32>,
    dt_sum: Vec<f32>,
    /// Σ |w_i|.
    size: f64,
    tokens: u64,
}

impl WeightedSum {
    /// The empty sum: the empty state.
    pub fn new(shape: Layout) -> Self {
        Self {
            shape,
            ssm: vec![0.0; shape.n_layer * shape.memory.len()],
            conv: vec![0.0; shape.n_layer * shape.window.len()],
            dt_sum: vec![0.0; shape.n_layer * shape.sidecar.len()],
            size: 0.0,
            tokens: 0,
        }
    }

    /// Adds `weight · state`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another shape, [`Error::Input`] for a weight that is not finite.
    pub fn add(&mut self, state: &State, weight: f64) -> Result<()> {
        if state.shape() != self.shape {
            return Err(Error::Mismatch(format!("states of {} and of {} cannot be mixed", self.shape, state.shape())));
        }
        if !weight.is_finite() {
            return Err(Error::Input(format!("a weight is {weight}; weights must be finite numbers")));
        }
        if weight == 0.0 {
            return Ok(());
        }
        let size = weight.abs();
        for (out, part, w) in
            [(&mut self.ssm, state.ssm(), weight), (&mut self.conv, state.conv(), weight), (&mut self.dt_sum, state.dt_sum(), size)]
        {
            let w = w as f32;
            out.iter_mut().zip(part).for_each(|(o, x)| *o += w * x);
        }
        self.size += size;
        self.tokens = self.tokens.saturating_add(state.tokens());
        Ok(())
    }

    /// The state of the sum.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if an entry overflowed.
    pub fn finish(mut self) -> Result<State> {
        if self.size > 0.0 && self.size != 1.0 {
            let share = (1.0 / self.size) as f32;
            self.dt_sum.iter_mut().for_each(|v| *v *= share);
        }
        State::new(self.shape, self.ssm, self.conv, self.dt_sum, self.tokens)
    }
}

/// Σ w_i H_i, as [`WeightedSum`] makes it.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if a weight is missing or not finite; [`Error::Mismatch`]
/// if the sum overflows.
pub fn weighted_sum(states: &[State], weights: &[f64]) -> Result<State> {
    let mut sum = WeightedSum::new(common_shape(states)?);
    check_weights(states, weights)?;
    for (state, weight) in states.iter().zip(weights) {
        sum.add(state, *weight)?;
    }
    sum.finish()
}

/// The mean; with weights, the weighted mean Σ w_i H_i / Σ w_i.
///
/// # Errors
/// As [`weighted_sum`]; [`Error::Input`] if the weights add up to 0.
pub fn mean(states: &[State], weights: &[f64]) -> Result<State> {
    weighted_sum(states, &normalised(weights)?)
}

/// h0 + Σ λ_i (H_i − h0): adding, negating and analogies of skills.
///
/// # Errors
/// As [`weighted_sum`].
pub fn arithmetic(neutral: &State, states: &[State], lambdas: &[f64]) -> Result<State> {
    check_weights(states, lambdas)?;
    let mut sum = WeightedSum::new(common_shape(states)?);
    // The same sum with the weights of h0 collected: (1 − Σλ_i)·h0 + Σ λ_i·H_i.
    sum.add(neutral, 1.0 - lambdas.iter().sum::<f64>())?;
    for (state, lambda) in states.iter().zip(lambdas) {
        sum.add(state, *lambda)?;
    }
    sum.finish()
}

/// Computes w_l · mixed + (1 − w_l) · base for each layer l.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if there are not as many weights as layers or one is not
/// finite.
pub fn blend_layers(mixed: &State, base: &State, weights: &[f64]) -> Result<State> {
    let shape = common_shape(&[mixed.clone(), base.clone()])?;
    if weights.len() != shape.n_layer {
        return Err(Error::Input(format!("{} layer weights are given, the model has {} layers", weights.len(), shape.n_layer)));
    }
    if let Some(w) = weights.iter().find(|w| !w.is_finite()) {
        return Err(Error::Input(format!("a layer's weight is {w}; weights must be finite numbers")));
    }
    let blend = |of: fn(&State) -> &[f32], len: usize| {
        let mut out = Vec::with_capacity(len * shape.n_layer);
        for (l, &w) in weights.iter().enumerate() {
            let (m, b) = (&of(mixed)[l * len..(l + 1) * len], &of(base)[l * len..(l + 1) * len]);
            // Exact at 0 and 1, so that a layer left out equals the base's to the last bit.
            if w == 0.0 {
                out.extend_from_slice(b);
            } else if w == 1.0 {
                out.extend_from_slice(m);
            } else {
                let (wm, wb) = (w as f32, (1.0 - w) as f32);
                out.extend(m.iter().zip(b).map(|(m, b)| wm * m + wb * b));
            }
        }
        out
    };
    State::new(
        shape,
        blend(State::ssm, shape.memory.len()),
        blend(State::conv, shape.window.len()),
        // A weight outside 0..1 must not make a sum of durations negative.
        blend(State::dt_sum, shape.sidecar.len()).into_iter().map(|v| v.max(0.0)).collect(),
        mixed.tokens().max(base.tokens()),
    )
}

/// Scales each layer's SSM state to the mean norm of that layer in the parts, because mixing
/// shortens vectors that disagree.
///
/// # Errors
/// As [`common_shape`].
pub fn match_norm(mixed: &State, parts: &[State]) -> Result<State> {
    let shape = common_shape(parts)?;
    common_shape(&[mixed.clone(), parts[0].clone()])?;
    let mean = |l| parts.iter().map(|p| f64::from(p.ssm_norm(l))).sum::<f64>() / parts.len() as f64;
    scale_to_norms(mixed, &(0..shape.n_layer).map(mean).collect::<Vec<_>>())
}

/// Scales each layer's SSM state to the given norm; a layer of zeros stays zero.
///
/// # Errors
/// [`Error::Input`] if there are not as many norms as layers; [`Error::Mismatch`] if an entry
/// overflows.
pub fn scale_to_norms(mixed: &State, norms: &[f64]) -> Result<State> {
    let shape = mixed.shape();
    if norms.len() != shape.n_layer {
        return Err(Error::Input(format!("{} norms are given, the model has {} layers", norms.len(), shape.n_layer)));
    }
    let mut ssm = mixed.ssm().to_vec();
    for (l, layer) in ssm.chunks_exact_mut(shape.memory.len()).enumerate() {
        let norm = f64::from(mixed.ssm_norm(l));
        if norm > 0.0 {
            let scale = (norms[l] / norm) as f32;
            layer.iter_mut().for_each(|v| *v *= scale);
        }
    }
    State::new(shape, ssm, mixed.conv().to_vec(), mixed.dt_sum().to_vec(), mixed.tokens())
}

/// A state with another's convolution windows.
///
/// # Errors
/// As [`common_shape`].
pub fn with_window(state: &State, from: &State) -> Result<State> {
    let shape = common_shape(&[state.clone(), from.clone()])?;
    State::new(shape, state.ssm().to_vec(), from.conv().to_vec(), state.dt_sum().to_vec(), state.tokens())
}

/// The weights divided by their sum.
///
/// # Errors
/// [`Error::Input`] if they add up to 0 or to a sum that is not finite.
pub fn normalised(weights: &[f64]) -> Result<Vec<f64>> {
    let sum: f64 = weights.iter().sum();
    if sum.abs() < 1e-12 || !sum.is_finite() {
        return Err(Error::Input(format!("weights that add up to {sum} cannot be brought to 1")));
    }
    Ok(weights.iter().map(|w| w / sum).collect())
}

/// exp(s_i/τ) / Σ exp(s_j/τ); as τ approaches 0, the highest score gets all the weight.
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

pub(super) fn total_tokens(states: &[State]) -> u64 {
    states.iter().map(State::tokens).fold(0, u64::saturating_add)
}
