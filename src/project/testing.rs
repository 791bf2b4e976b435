//! Data for this folder's tests.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Uniform numbers in −0.5..0.5.
pub(super) fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-0.5..0.5)).collect()
}

/// `k` clusters of `each` rows in `d` dimensions, `apart` from each other, and each row's cluster. Centres are random; rows of a cluster follow each other.
pub(super) fn clusters(k: usize, each: usize, d: usize, apart: f32) -> (Vec<f32>, Vec<usize>) {
    let centres = noise(77, k * d);
    let rows = noise(78, k * each * d);
    let labels: Vec<usize> = (0..k * each).map(|i| i / each).collect();
    (rows.iter().enumerate().map(|(at, v)| v + apart * centres[labels[at / d] * d + at % d]).collect(), labels)
}
