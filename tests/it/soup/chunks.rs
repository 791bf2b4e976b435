//! What the tests mix: random states, and one linear SSM layer that reads a sequence token by
//! token.

use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use state_soup::state::{Decay, Layout, State};

/// Small, with every size different from every other, so that a mixed-up index cannot hide.
pub const SHAPE: Layout = Layout::mamba1(2, 5, 3, 4);

/// A generator.
pub fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

/// Numbers in −2..2.
pub fn noise(rng: &mut ChaCha8Rng, n: usize) -> Vec<f32> {
    (0..n).map(|_| rng.random_range(-2.0..2.0)).collect()
}

/// A state of noise whose ΣΔ lie in 0..`dt`.
pub fn state(rng: &mut ChaCha8Rng, dt: f32) -> State {
    let s = SHAPE;
    let dt_sum = (0..s.n_layer * s.sidecar.len()).map(|_| rng.random_range(0.0..dt)).collect();
    let tokens = rng.random_range(1..100);
    State::new(s, noise(rng, s.n_layer * s.memory.len()), noise(rng, s.n_layer * s.window.len()), dt_sum, tokens).unwrap()
}

/// So many states.
pub fn states(seed: u64, n: usize, dt: f32) -> Vec<State> {
    let mut rng = rng(seed);
    (0..n).map(|_| state(&mut rng, dt)).collect()
}

/// Rates from −16 to −0.1, as trained ones are.
pub fn rates(seed: u64) -> Decay {
    let mut rng = rng(seed ^ 0xA);
    Decay::channel(SHAPE, (0..SHAPE.n_layer * SHAPE.memory.len()).map(|_| -rng.random_range(0.1f32..16.0)).collect()).unwrap()
}

/// P of one state, every entry, in f64: exp(A · ΣΔ).
pub fn transitions(rates: &Decay, state: &State) -> Vec<f64> {
    let s = SHAPE;
    (0..s.n_layer * s.memory.len())
        .map(|i| {
            let (l, j) = (i / s.memory.len(), i % s.memory.len());
            (f64::from(rates.channel_rates(l)[j]) * f64::from(state.dt_sum_layer(l)[j / s.memory.row()])).exp()
        })
        .collect()
}

/// S = P_i ⊙ S + H_i in the given order, f64.
pub fn compose(rates: &Decay, states: &[State], order: &[usize]) -> Vec<f64> {
    let mut s = vec![0.0; SHAPE.n_layer * SHAPE.memory.len()];
    for &i in order {
        let p = transitions(rates, &states[i]);
        for ((s, p), h) in s.iter_mut().zip(p).zip(states[i].ssm()) {
            *s = p * *s + f64::from(*h);
        }
    }
    s
}

/// Euclidean distance over the reference's norm.
pub fn relative(got: &[f32], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let off: f64 = got.iter().zip(want).map(|(g, w)| (f64::from(*g) - w).powi(2)).sum();
    let norm: f64 = want.iter().map(|w| w * w).sum();
    (off / norm.max(1e-30)).sqrt()
}

/// The greatest distance of two arrays, entry by entry.
pub fn farthest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// f64 copies.
pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// All orders of 0..n.
pub fn permutations(n: usize) -> Vec<Vec<usize>> {
    if n == 0 {
        return vec![vec![]];
    }
    let shorter = permutations(n - 1);
    shorter.iter().flat_map(|p| (0..n).map(move |at| [&p[..at], &[n - 1], &p[at..]].concat())).collect()
}

/// Mean of several arrays.
pub fn mean(arrays: &[Vec<f64>]) -> Vec<f64> {
    (0..arrays[0].len()).map(|i| arrays.iter().map(|a| a[i]).sum::<f64>() / arrays.len() as f64).collect()
}

/// What one linear layer reads at each token: Δ and x per channel, B per state index; and one layer
/// of every state of `SHAPE` alike.
pub struct Token {
    dt: Vec<f32>,
    x: Vec<f32>,
    b: Vec<f32>,
}

/// A sequence.
pub fn sequence(rng: &mut ChaCha8Rng, length: usize, dt: f32) -> Vec<Token> {
    let wide = SHAPE.n_layer * SHAPE.sidecar.len();
    (0..length)
        .map(|_| Token {
            dt: (0..wide).map(|_| rng.random_range(0.001..dt)).collect(),
            x: noise(rng, wide),
            b: noise(rng, SHAPE.n_layer * SHAPE.memory.row()),
        })
        .collect()
}

/// h = exp(ΔA)·h + Δ·B·x over the tokens, from zero, f64; returned as the state a model would have.
pub fn read(rates: &Decay, tokens: &[Token]) -> State {
    let s = SHAPE;
    let mut h = vec![0.0f64; s.n_layer * s.memory.len()];
    let mut dt_sum = vec![0.0f64; s.n_layer * s.sidecar.len()];
    for token in tokens {
        for l in 0..s.n_layer {
            for d in 0..s.sidecar.len() {
                let (dt, x) = (f64::from(token.dt[l * s.sidecar.len() + d]), f64::from(token.x[l * s.sidecar.len() + d]));
                dt_sum[l * s.sidecar.len() + d] += dt;
                for n in 0..s.memory.row() {
                    let a = f64::from(rates.channel_rates(l)[d * s.memory.row() + n]);
                    let h = &mut h[(l * s.sidecar.len() + d) * s.memory.row() + n];
                    *h = (dt * a).exp() * *h + dt * f64::from(token.b[l * s.memory.row() + n]) * x;
                }
            }
        }
    }
    let narrow = |v: Vec<f64>| v.into_iter().map(|v| v as f32).collect::<Vec<_>>();
    State::new(s, narrow(h), vec![0.0; s.n_layer * s.window.len()], narrow(dt_sum), tokens.len() as u64).unwrap()
}

/// Cases a property is tried on.
pub fn cases(n: u32) -> ProptestConfig {
    ProptestConfig { cases: n, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(7), ..ProptestConfig::default() }
}
