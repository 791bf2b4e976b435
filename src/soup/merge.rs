//! SLERP, TIES and DARE, borrowed from weight merging: they act on τ_i = H_i − h0, layer by layer.
//! Windows and ΣΔ are mixed linearly, as in a mean.

use super::mix::{WeightedSum, common_shape, weighted_sum};
use crate::error::{Error, Result};
use crate::state::State;
use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Vectors whose |cosine| is above this are mixed linearly, because the sine of their angle is too
/// small to divide by.
const STRAIGHT: f64 = 0.9995;

/// Spherical interpolation of each layer's τ from a (t = 0) to b (t = 1), added to h0.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if t is not finite.
pub fn slerp(neutral: &State, a: &State, b: &State, t: f64) -> Result<State> {
    let shape = common_shape(&[neutral.clone(), a.clone(), b.clone()])?;
    let straight = weighted_sum(&[a.clone(), b.clone()], &[1.0 - t, t])?;
    let mut ssm = Vec::with_capacity(straight.ssm().len());
    for l in 0..shape.n_layer {
        let (x, y, z) = (a.ssm_layer(l), b.ssm_layer(l), neutral.ssm_layer(l));
        let (mut dot, mut xx, mut yy) = (0.0f64, 0.0f64, 0.0f64);
        for ((x, y), z) in x.iter().zip(y).zip(z) {
            let (x, y) = (f64::from(x - z), f64::from(y - z));
            dot += x * y;
            xx += x * x;
            yy += y * y;
        }
        let norms = (xx * yy).sqrt();
        let cosine = if norms > 0.0 { (dot / norms).clamp(-1.0, 1.0) } else { 1.0 };
        let (wx, wy) = if cosine.abs() > STRAIGHT {
            (1.0 - t, t)
        } else {
            let angle = cosine.acos();
            (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin())
        };
        // The weights of h0 are collected in one, so that t = 0 and t = 1 give a and b exactly.
        let wz = 1.0 - wx - wy;
        let entries = x.iter().zip(y).zip(z);
        ssm.extend(entries.map(|((x, y), z)| (wx * f64::from(*x) + wy * f64::from(*y) + wz * f64::from(*z)) as f32));
    }
    State::new(shape, ssm, straight.conv().to_vec(), straight.dt_sum().to_vec(), straight.tokens())
}

/// TIES, layer by layer: keeps the share `density` of the largest entries of each τ_i, elects each
/// entry's sign by the sum (+ if it is 0), averages the entries that agree, and adds λ times that
/// to h0.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if density is not in 0..=1 or λ not finite.
pub fn ties(neutral: &State, states: &[State], density: f64, lambda: f64) -> Result<State> {
    share("density", density)?;
    if !lambda.is_finite() {
        return Err(Error::Input(format!("lambda is {lambda}; it must be a finite number")));
    }
    let len = neutral.shape().memory.len();
    let keep = (len as f64 * density).round() as usize;
    let mut trimmed = vec![0.0f32; states.len() * len];
    let (mut sum, mut total, mut count) = (vec![0.0f32; len], vec![0.0f32; len], vec![0.0f32; len]);
    let mut sizes = Vec::with_capacity(len);
    layerwise(neutral, states, |layer, h0, out| {
        sum.fill(0.0);
        for (tau, state) in trimmed.chunks_exact_mut(len).zip(states) {
            subtract(state.ssm_layer(layer), h0, tau);
            trim(tau, keep, &mut sizes);
            sum.iter_mut().zip(&*tau).for_each(|(s, t)| *s += t);
        }
        total.fill(0.0);
        count.fill(0.0);
        for tau in trimmed.chunks_exact(len) {
            for (((tau, sum), total), count) in tau.iter().zip(&sum).zip(&mut total).zip(&mut count) {
                let agrees = if *sum >= 0.0 { *tau > 0.0 } else { *tau < 0.0 };
                *total += if agrees { *tau } else { 0.0 };
                *count += if agrees { 1.0 } else { 0.0 };
            }
        }
        let lambda = lambda as f32;
        for (((out, h0), total), count) in out.iter_mut().zip(h0).zip(&total).zip(&count) {
            *out = h0 + lambda * total / count.max(1.0);
        }
    })
}

/// DARE: drops entries of each τ_i with probability p, scales the others by 1/(1 − p), and adds
/// their mean to h0. Which entries are dropped depends only on the seed, the shape, p, the number
/// of items and an item's position in the list.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if p is not in 0..1.
pub fn dare(neutral: &State, states: &[State], p: f64, seed: u64) -> Result<State> {
    share("p", p)?;
    if p >= 1.0 {
        return Err(Error::Input("p is 1: nothing would be left".into()));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let scale = (1.0 / ((1.0 - p) * states.len() as f64)) as f32;
    // An entry is dropped if 32 random bits fall below this share of their range.
    let dropped = (p * f64::from(u32::MAX)).round() as u32;
    let len = neutral.shape().memory.len();
    let (mut tau, mut bits) = (vec![0.0f32; len], vec![0u8; len * 4]);
    layerwise(neutral, states, |layer, h0, out| {
        out.copy_from_slice(h0);
        for state in states {
            subtract(state.ssm_layer(layer), h0, &mut tau);
            rng.fill_bytes(&mut bits);
            for ((out, tau), bits) in out.iter_mut().zip(&tau).zip(bits.as_chunks::<4>().0) {
                *out += if u32::from_le_bytes(*bits) < dropped { 0.0 } else { scale * tau };
            }
        }
    })
}

fn share(name: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(Error::Input(format!("{name} is {value}; it must lie between 0 and 1"))) }
}

/// A state whose layers `merge` computes (arguments: layer number, h0 of the layer, output).
/// Windows, ΣΔ and tokens are those of the mean.
fn layerwise(neutral: &State, states: &[State], mut merge: impl FnMut(usize, &[f32], &mut [f32])) -> Result<State> {
    let shape = common_shape(states)?;
    common_shape(&[neutral.clone(), states[0].clone()])?;
    let mut straight = WeightedSum::new(shape);
    let equal = 1.0 / states.len() as f64;
    for state in states {
        straight.add(state, equal)?;
    }
    let straight = straight.finish()?;
    let mut ssm = vec![0.0f32; straight.ssm().len()];
    for (layer, out) in ssm.chunks_exact_mut(shape.memory.len()).enumerate() {
        merge(layer, neutral.ssm_layer(layer), out);
    }
    State::new(shape, ssm, straight.conv().to_vec(), straight.dt_sum().to_vec(), straight.tokens())
}

fn subtract(h: &[f32], h0: &[f32], tau: &mut [f32]) {
    tau.iter_mut().zip(h).zip(h0).for_each(|((t, h), z)| *t = h - z);
}

/// Keeps the `keep` entries of largest magnitude, the first ones among equals, and sets the others
/// to 0. `sizes` is a scratch buffer.
fn trim(values: &mut [f32], keep: usize, sizes: &mut Vec<u32>) {
    if keep >= values.len() {
        return;
    }
    if keep == 0 {
        values.fill(0.0);
        return;
    }
    // The bits of non-negative floats sort in the same order as the floats.
    sizes.clear();
    sizes.extend(values.iter().map(|v| v.abs().to_bits()));
    let least = *sizes.select_nth_unstable_by(keep - 1, |a, b| b.cmp(a)).1;
    // Selection leaves the `keep` largest in front; several of them may equal the least.
    let mut equals = sizes[..keep].iter().filter(|s| **s == least).count();
    for v in values.iter_mut() {
        let size = v.abs().to_bits();
        let kept = size > least || (size == least && equals > 0);
        equals -= usize::from(size == least && equals > 0);
        *v = if kept { *v } else { 0.0 };
    }
}
