//! PICASO: A-decay averaged over orders of the chunks (Liu et al., arXiv 2502.17605), over all
//! orders (S) or over the rotations (R).
//!
//! **S in O(n²).** The published algorithm sums elementary symmetric polynomials in O(n³). Here
//! every chunk gets an independent arrival time, uniform in 0..1, so that their order is uniformly
//! random. Given that chunk k arrives with a share u of time left, every other chunk j comes later
//! with probability u, independently, and then multiplies by P_j. So chunk k weighs
//!
//!   W_k = ∫₀¹ Π_{j≠k} (1 − u + u·P_j) du,
//!
//! a polynomial of degree n − 1, which Gauss–Legendre integrates exactly with ⌈n/2⌉ nodes. Every
//! term is positive, so nothing cancels, and the products without k come from prefixes and
//! suffixes, without a division.
//!
//! **R in O(n²).** W_k = (1 + P_{k+1} + P_{k+1}P_{k+2} + …)/n by Horner's rule, with cyclic indices
//! and without a division.
//!
//! Entries are worked on in blocks, chunk after chunk within a block, so that every inner loop runs
//! over neighbouring entries and vectorises.

use super::decay::check_decay;
use super::mix::{WeightedSum, common_shape, total_tokens};
use crate::error::{Error, Result};
use crate::simd::exp_or_zero;
use crate::state::{Decay, State};

/// The maximum number of chunks: the work per entry grows with their square.
pub const MOST: usize = 64;
/// Entries per block; the transitions and weights of 64 chunks for one block fit the cache.
const BLOCK: usize = 128;

/// One number per chunk and entry of the block: `[chunk, BLOCK]`.
type Block = [[f32; BLOCK]];

/// The average over all orders.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] for more than [`MOST`] chunks; [`Error::Mismatch`] if the
/// decay is another model's.
pub fn all_orders(states: &[State], decay: &Decay) -> Result<State> {
    let nodes = gauss_legendre(states.len().div_ceil(2).max(1));
    let mut before = vec![[0.0; BLOCK]; states.len()];
    average(states, decay, |p, w| {
        w.fill([0.0; BLOCK]);
        for &(u, share) in &nodes {
            let (u, left) = (u as f32, (1.0 - u) as f32);
            // First the products of the factors of the chunks before k, then those of the chunks
            // after k.
            let mut running = [share as f32; BLOCK];
            for (before, p) in before.iter_mut().zip(p) {
                *before = running;
                running.iter_mut().zip(p).for_each(|(r, p)| *r *= left + u * p);
            }
            running = [1.0; BLOCK];
            for ((before, p), w) in before.iter().zip(p).zip(w.iter_mut()).rev() {
                for (((w, before), running), p) in w.iter_mut().zip(before).zip(&mut running).zip(p) {
                    *w += before * *running;
                    *running *= left + u * p;
                }
            }
        }
    })
}

/// The average over the rotations of the given order.
///
/// # Errors
/// As [`all_orders`].
pub fn rotations(states: &[State], decay: &Decay) -> Result<State> {
    let n = states.len();
    average(states, decay, |p, w| {
        for (k, w) in w.iter_mut().enumerate() {
            *w = [1.0; BLOCK];
            for m in (1..n).rev() {
                w.iter_mut().zip(&p[(k + m) % n]).for_each(|(w, p)| *w = 1.0 + p * *w);
            }
            w.iter_mut().for_each(|w| *w /= n as f32);
        }
    })
}

/// Fails for more chunks than [`MOST`].
pub(super) fn check_count(count: usize) -> Result<()> {
    if count > MOST { Err(Error::Input(format!("PICASO takes at most {MOST} chunks, not {count}"))) } else { Ok(()) }
}

/// Σ_k W_k ⊙ H_k; `weigh` computes the weights of a block from the transitions of all chunks. The
/// window is the mean of the chunks' windows; ΣΔ is their sum, the same in every order.
fn average(states: &[State], decay: &Decay, mut weigh: impl FnMut(&Block, &mut Block)) -> Result<State> {
    let shape = common_shape(states)?;
    if !decay.commutes() {
        return Err(Error::Input(
            "the chunks of this model do not commute, so there is no average over orders; `decay` keeps their order".into(),
        ));
    }
    check_decay(decay, states)?;
    let count = states.len();
    check_count(count)?;
    let (mut p, mut w) = (vec![[1.0; BLOCK]; count], vec![[0.0; BLOCK]; count]);
    let mut ssm = vec![0.0f32; shape.n_layer * shape.memory.len()];
    for (l, layer) in ssm.chunks_exact_mut(shape.memory.len()).enumerate() {
        for (b, out) in layer.chunks_mut(BLOCK).enumerate() {
            let (from, to) = (b * BLOCK, b * BLOCK + out.len());
            for (p, state) in p.iter_mut().zip(states) {
                decay.log_transitions(l, state.dt_sum_layer(l), from, &mut p[..out.len()]);
                p.iter_mut().for_each(|p| *p = exp_or_zero(*p));
            }
            weigh(&p, &mut w);
            for (w, state) in w.iter().zip(states) {
                out.iter_mut().zip(&state.ssm_layer(l)[from..to]).zip(w).for_each(|((o, h), w)| *o += w * h);
            }
        }
    }
    let mut mean = WeightedSum::new(shape);
    let mut dt_sum = vec![0.0f32; shape.n_layer * shape.sidecar.len()];
    for state in states {
        mean.add(state, 1.0 / count as f64)?;
        for (l, sum) in dt_sum.chunks_exact_mut(shape.sidecar.len().max(1)).enumerate() {
            decay.join(state.dt_sum_layer(l), sum);
        }
    }
    let conv = mean.finish()?.conv().to_vec();
    State::new(shape, ssm, conv, dt_sum, total_tokens(states))
}

/// Nodes and weights of Gauss–Legendre quadrature on 0..1, by Newton's method on the Legendre
/// polynomial.
fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    let order = n as f64;
    (0..n)
        .map(|i| {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (order + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..100 {
                let (mut p, mut previous) = (1.0, 0.0);
                for j in 0..n {
                    let j = j as f64;
                    (p, previous) = (((2.0 * j + 1.0) * x * p - j * previous) / (j + 1.0), p);
                }
                slope = order * (x * p - previous) / (x * x - 1.0);
                let step = p / slope;
                x -= step;
                if step.abs() < 1e-15 {
                    break;
                }
            }
            (f64::midpoint(x, 1.0), 1.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::gauss_legendre;

    #[test]
    fn quadrature_is_exact_for_polynomials() {
        for n in 1..=32 {
            let nodes = gauss_legendre(n);
            for degree in 0..2 * n {
                let sum: f64 = nodes.iter().map(|(x, w)| w * x.powi(degree as i32)).sum();
                assert!((sum - 1.0 / (degree as f64 + 1.0)).abs() < 1e-13, "{n} nodes, degree {degree}: {sum}");
            }
        }
    }
}
