//! SLERP, TIES and DARE, borrowed from weight merging: they act on τ_i = H_i − h0, layer by layer.

use super::mix::{arithmetic, common_shape, mean_dt, total_tokens, weighted_sum};
use crate::error::{Error, Result};
use crate::state::State;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Vectors whose |cosine| is above this are mixed straight: the sine of their angle is too small to divide by.
const STRAIGHT: f64 = 0.9995;

/// Spherical interpolation from a (t = 0) to b (t = 1) of each layer's SSM state; windows and ΣΔ straight.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if t is not finite.
pub fn slerp(a: &State, b: &State, t: f64) -> Result<State> {
    let shape = common_shape(&[a.clone(), b.clone()])?;
    let straight = weighted_sum(&[a.clone(), b.clone()], &[1.0 - t, t])?;
    let mut ssm = Vec::with_capacity(straight.ssm().len());
    for l in 0..shape.n_layer {
        let (x, y) = (a.ssm_layer(l), b.ssm_layer(l));
        let dot: f64 = x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
        let norms = f64::from(a.ssm_norm(l)) * f64::from(b.ssm_norm(l));
        let cosine = if norms > 0.0 { (dot / norms).clamp(-1.0, 1.0) } else { 1.0 };
        let (wx, wy) = if cosine.abs() > STRAIGHT {
            (1.0 - t, t)
        } else {
            let angle = cosine.acos();
            (((1.0 - t) * angle).sin() / angle.sin(), (t * angle).sin() / angle.sin())
        };
        ssm.extend(x.iter().zip(y).map(|(x, y)| (wx * f64::from(*x) + wy * f64::from(*y)) as f32));
    }
    State::new(shape, ssm, straight.conv().to_vec(), straight.dt_sum().to_vec(), straight.tokens())
}

/// TIES: of each τ_i keep the `density` share of largest entries (layer by layer), elect each entry's sign by the sum, average the entries that agree, and
/// add λ times that to h0.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if density is not in 0..=1.
pub fn ties(neutral: &State, states: &[State], density: f64, lambda: f64) -> Result<State> {
    share("density", density)?;
    entrywise(neutral, states, |columns| {
        for column in columns.iter_mut() {
            trim(column, density);
        }
        let n = columns.first().map_or(0, Vec::len);
        (0..n)
            .map(|i| {
                let sum: f64 = columns.iter().map(|c| f64::from(c[i])).sum();
                let agreeing = columns.iter().map(|c| f64::from(c[i])).filter(|v| *v != 0.0 && v.signum() == sum.signum());
                let (total, count) = agreeing.fold((0.0, 0.0), |(t, n), v| (t + v, n + 1.0));
                if count > 0.0 { (lambda * total / count) as f32 } else { 0.0 }
            })
            .collect()
    })
}

/// DARE: drop entries of each τ_i with probability p, scale the others by 1/(1 − p), and add their mean to h0.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] if p is not in 0..1.
pub fn dare(neutral: &State, states: &[State], p: f64, seed: u64) -> Result<State> {
    share("p", p)?;
    if p >= 1.0 {
        return Err(Error::Input("p is 1: nothing would be left".into()));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let scale = 1.0 / ((1.0 - p) * states.len() as f64);
    entrywise(neutral, states, |columns| {
        let mut sum = vec![0.0f32; columns.first().map_or(0, Vec::len)];
        for column in columns.iter() {
            for (sum, v) in sum.iter_mut().zip(column) {
                if rng.random::<f64>() >= p {
                    *sum += (scale * f64::from(*v)) as f32;
                }
            }
        }
        sum
    })
}

fn share(name: &str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) { Ok(()) } else { Err(Error::Input(format!("{name} is {value}; it must lie between 0 and 1"))) }
}

/// h0 plus what `merge` makes of the τ_i of each layer; windows and ΣΔ are the mean's.
fn entrywise(neutral: &State, states: &[State], mut merge: impl FnMut(&mut [Vec<f32>]) -> Vec<f32>) -> Result<State> {
    let shape = common_shape(states)?;
    let equal = vec![1.0 / states.len() as f64; states.len()];
    let mean = arithmetic(neutral, states, &equal)?;
    let mut ssm = Vec::with_capacity(mean.ssm().len());
    for l in 0..shape.n_layer {
        let h0 = neutral.ssm_layer(l);
        let mut columns: Vec<Vec<f32>> = states.iter().map(|s| s.ssm_layer(l).iter().zip(h0).map(|(h, z)| h - z).collect()).collect();
        ssm.extend(merge(&mut columns).iter().zip(h0).map(|(v, z)| v + z));
    }
    State::new(shape, ssm, mean.conv().to_vec(), mean_dt(states, &equal), total_tokens(states))
}

/// Keeps the largest entries, `density` of all; the others become 0.
fn trim(values: &mut [f32], density: f64) {
    let keep = (values.len() as f64 * density).round() as usize;
    if keep >= values.len() {
        return;
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].abs().total_cmp(&values[a].abs()).then(a.cmp(&b)));
    for &i in &order[keep..] {
        values[i] = 0.0;
    }
}
