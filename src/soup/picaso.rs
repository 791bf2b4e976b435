//! PICASO: A-decay averaged over orders of the chunks (Liu et al., arXiv 2502.17605), over all of them (S) or over the rotations (R).
//!
//! **S in O(n²).** The published way sums elementary symmetric polynomials, O(n³). Here: give every chunk an independent arrival time, uniform in 0..1;
//! their order is then a uniformly random one. Given that chunk k arrives with a share u of time left, every other chunk j comes later with
//! probability u, independently, and then multiplies by P_j. So chunk k weighs
//!
//!   W_k = ∫₀¹ Π_{j≠k} (1 − u + u·P_j) du,
//!
//! a polynomial of degree n − 1, which Gauss–Legendre integrates exactly with ⌈n/2⌉ nodes. Every term is positive, so nothing cancels, and the products
//! without k come from prefixes and suffixes, without a division.
//!
//! **R in O(n²).** W_k = (1 + P_{k+1} + P_{k+1}P_{k+2} + …)/n by Horner's rule, indices cyclic; no division either.

use super::decay::check_rates;
use super::mix::{common_shape, mean_dt, total_tokens};
use crate::error::{Error, Result};
use crate::state::{DecayRates, State};

/// Chunks at most: the work grows with their square, entry by entry.
pub const MOST: usize = 64;

/// The average over all orders.
///
/// # Errors
/// As [`common_shape`]; [`Error::Input`] for more than [`MOST`] chunks; [`Error::Mismatch`] if the rates are another model's.
pub fn all_orders(states: &[State], rates: &DecayRates) -> Result<State> {
    let nodes = gauss_legendre(states.len().div_ceil(2).max(1));
    let (mut before, mut after) = (Vec::new(), Vec::new());
    average(states, rates, |p, w| {
        w.fill(0.0);
        for &(u, share) in &nodes {
            let factor = |p: f64| 1.0 - u + u * p;
            running_products(p.iter().map(|p| factor(*p)), &mut before);
            running_products(p.iter().rev().map(|p| factor(*p)), &mut after);
            for (k, w) in w.iter_mut().enumerate() {
                *w += share * before[k] * after[p.len() - 1 - k];
            }
        }
    })
}

/// The average over the rotations of the given order.
///
/// # Errors
/// As [`all_orders`].
pub fn rotations(states: &[State], rates: &DecayRates) -> Result<State> {
    average(states, rates, |p, w| {
        let n = p.len();
        for (k, w) in w.iter_mut().enumerate() {
            *w = (1..n).rev().fold(1.0, |tail, m| 1.0 + p[(k + m) % n] * tail) / n as f64;
        }
    })
}

/// `products[k]` is the product of the first k factors.
fn running_products(factors: impl Iterator<Item = f64>, products: &mut Vec<f64>) {
    products.clear();
    let mut product = 1.0;
    for factor in factors {
        products.push(product);
        product *= factor;
    }
}

/// Σ_k W_k ⊙ H_k with the weights of each entry from the transitions of all chunks there.
fn average(states: &[State], rates: &DecayRates, mut weigh: impl FnMut(&[f64], &mut [f64])) -> Result<State> {
    let shape = common_shape(states)?;
    check_rates(rates, states)?;
    let count = states.len();
    if count > MOST {
        return Err(Error::Input(format!("PICASO takes at most {MOST} chunks, not {count}")));
    }
    let (mut p, mut w) = (vec![0.0f64; count], vec![0.0f64; count]);
    let mut ssm = vec![0.0f32; shape.n_layer * shape.ssm_len()];
    for (l, out) in ssm.chunks_exact_mut(shape.ssm_len()).enumerate() {
        let a = rates.layer(l);
        let layers: Vec<(&[f32], &[f32])> = states.iter().map(|s| (s.ssm_layer(l), s.dt_sum_layer(l))).collect();
        for (i, out) in out.iter_mut().enumerate() {
            for (p, (_, dt)) in p.iter_mut().zip(&layers) {
                *p = (f64::from(a[i]) * f64::from(dt[i / shape.d_state])).exp();
            }
            weigh(&p, &mut w);
            *out = w.iter().zip(&layers).map(|(w, (h, _))| w * f64::from(h[i])).sum::<f64>() as f32;
        }
    }
    let equal = vec![1.0 / count as f64; count];
    let conv = super::mix::weighted_sum(states, &equal)?.conv().to_vec();
    let mut dt_sum = mean_dt(states, &equal);
    dt_sum.iter_mut().for_each(|v| *v *= count as f32);
    State::new(shape, ssm, conv, dt_sum, total_tokens(states))
}

/// Nodes and weights of Gauss–Legendre quadrature on 0..1, by Newton's method on the Legendre polynomial.
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
