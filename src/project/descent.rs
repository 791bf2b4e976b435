//! Exact t-SNE, one epoch at a time, for a map that can be animated and stopped.
//!
//! Attraction acts along the sparse affinities, repulsion between all pairs. For the few thousand
//! states of a library this is as fast as a Barnes–Hut tree, without its approximation. A frame, a
//! pause or a stop is possible after any epoch. Gradient, gains and schedule are those of van der
//! Maaten and Hinton 2008 and openTSNE (start from principal components, exaggeration 12, learning
//! rate n / exaggeration).

use super::affinity::Affinities;
use crate::simd::LANES;
use rayon::prelude::*;

/// Epochs with exaggerated attraction, and epochs without.
pub const EPOCHS: [usize; 2] = [250, 750];
const EXAGGERATION: f32 = 12.0;
/// Momentum in the two phases.
const MOMENTUM: [f32; 2] = [0.5, 0.8];
const LEAST_GAIN: f32 = 0.01;
/// Smallest learning rate (at n/12 small maps would hardly move).
const LEAST_RATE: f32 = 50.0;
/// Fewest points per parallel task.
const TOGETHER: usize = 64;
/// With fewer pairs, threads cost more time than they save.
const SERIAL: usize = 1 << 15;

/// A t-SNE map during optimisation.
#[derive(Clone, Debug)]
pub struct Descent {
    affinities: Affinities,
    x: Vec<f32>,
    y: Vec<f32>,
    speed: Vec<[f32; 2]>,
    gains: Vec<[f32; 2]>,
    epoch: usize,
}

/// The forces on one point.
struct Forces {
    /// Attraction.
    pulled: [f32; 2],
    /// Repulsion, to be divided by the normaliser.
    pushed: [f32; 2],
    /// The point's part of the normaliser.
    sum: f64,
}

impl Descent {
    /// Starts at `start`, one point per row of the affinities.
    pub(super) fn new(affinities: Affinities, start: &[[f32; 2]]) -> Self {
        let n = start.len();
        Self {
            affinities,
            x: start.iter().map(|p| p[0]).collect(),
            y: start.iter().map(|p| p[1]).collect(),
            speed: vec![[0.0; 2]; n],
            gains: vec![[1.0; 2]; n],
            epoch: 0,
        }
    }

    /// Number of epochs done.
    pub fn epoch(&self) -> usize {
        self.epoch
    }

    /// Whether all epochs are done. Further steps are harmless.
    pub fn finished(&self) -> bool {
        self.epoch >= EPOCHS[0] + EPOCHS[1]
    }

    /// The current positions of the points.
    pub fn points(&self) -> Vec<[f32; 2]> {
        self.x.iter().zip(&self.y).map(|(x, y)| [*x, *y]).collect()
    }

    /// Kullback–Leibler divergence of the current map from the affinities, nats. It costs about as
    /// much as an epoch.
    pub fn divergence(&self) -> f64 {
        let normaliser = normaliser(&self.forces());
        let a = &self.affinities;
        // Collected before the sum, so that the result does not depend on how threads share the
        // work.
        let parts: Vec<f64> = (0..self.x.len())
            .into_par_iter()
            .map(|i| {
                let row = a.starts[i]..a.starts[i + 1];
                let attracted = a.to[row.clone()].iter().zip(&a.p[row]).filter(|(_, p)| **p > 0.0);
                attracted.map(|(j, p)| f64::from(*p) * (f64::from(*p) * normaliser / f64::from(self.towards(i, *j as usize).2)).ln()).sum()
            })
            .collect();
        parts.iter().sum()
    }

    /// Runs one epoch.
    pub fn step(&mut self) {
        let n = self.x.len();
        let phase = usize::from(self.epoch >= EPOCHS[0]);
        if self.epoch == EPOCHS[0] {
            // The second phase is another problem, for which the step sizes of the first are not
            // valid.
            self.speed.fill([0.0; 2]);
            self.gains.fill([1.0; 2]);
        }
        let exaggeration = if phase == 0 { EXAGGERATION } else { 1.0 };
        // The gradient's factor 4 is left out, as in openTSNE.
        let rate = (n as f32 / exaggeration).max(LEAST_RATE);
        let forces = self.forces();
        let normaliser = normaliser(&forces);
        let mut mean = [0.0f64; 2];
        for (i, Forces { pulled, pushed, .. }) in forces.iter().enumerate() {
            for c in 0..2 {
                let gradient = exaggeration * pulled[c] - pushed[c] / normaliser as f32;
                let (gain, speed) = (&mut self.gains[i][c], &mut self.speed[i][c]);
                *gain = if (gradient > 0.0) == (*speed > 0.0) { (*gain * 0.8).max(LEAST_GAIN) } else { *gain + 0.2 };
                *speed = MOMENTUM[phase] * *speed - rate * *gain * gradient;
                mean[c] += f64::from(*speed);
            }
        }
        // Only distances matter, so the centre is kept fixed.
        let drift = mean.map(|m| (m / n as f64) as f32);
        self.x.iter_mut().zip(&self.speed).for_each(|(x, s)| *x += s[0] - drift[0]);
        self.y.iter_mut().zip(&self.speed).for_each(|(y, s)| *y += s[1] - drift[1]);
        self.epoch += 1;
    }

    /// The difference of point `i` and point `j`, and its weight 1 / (1 + distance²).
    fn towards(&self, i: usize, j: usize) -> (f32, f32, f32) {
        let (dx, dy) = (self.x[i] - self.x[j], self.y[i] - self.y[j]);
        (dx, dy, 1.0 / (1.0 + dx * dx + dy * dy))
    }

    fn forces(&self) -> Vec<Forces> {
        let n = self.x.len();
        let a = &self.affinities;
        let of = |i: usize| {
            let (pushed, sum) = repulsion(&self.x, &self.y, self.x[i], self.y[i]);
            let mut pulled = [0.0f32; 2];
            for (j, p) in a.to[a.starts[i]..a.starts[i + 1]].iter().zip(&a.p[a.starts[i]..a.starts[i + 1]]) {
                let (dx, dy, w) = self.towards(i, *j as usize);
                pulled[0] += p * w * dx;
                pulled[1] += p * w * dy;
            }
            // Subtract the point's own term, with distance 0 and weight 1.
            Forces { pulled, pushed, sum: sum - 1.0 }
        };
        if n * n < SERIAL { (0..n).map(of).collect() } else { (0..n).into_par_iter().with_min_len(TOGETHER).map(of).collect() }
    }
}

/// Σ w over all pairs.
fn normaliser(forces: &[Forces]) -> f64 {
    forces.iter().map(|f| f.sum).sum::<f64>().max(f64::MIN_POSITIVE)
}

/// Σ w²·(at − point) and Σ w over all points, with w = 1 / (1 + distance²).
pub(super) fn repulsion(xs: &[f32], ys: &[f32], x: f32, y: f32) -> ([f32; 2], f64) {
    let (mut fx, mut fy, mut sum) = ([0.0f32; LANES], [0.0f32; LANES], [0.0f32; LANES]);
    let (x_blocks, x_rest) = xs.as_chunks::<LANES>();
    let (y_blocks, y_rest) = ys.as_chunks::<LANES>();
    for (xs, ys) in x_blocks.iter().zip(y_blocks) {
        for l in 0..LANES {
            let (dx, dy) = (x - xs[l], y - ys[l]);
            let w = 1.0 / (1.0 + dx * dx + dy * dy);
            sum[l] += w;
            fx[l] += w * w * dx;
            fy[l] += w * w * dy;
        }
    }
    for (l, (px, py)) in x_rest.iter().zip(y_rest).enumerate() {
        let (dx, dy) = (x - px, y - py);
        let w = 1.0 / (1.0 + dx * dx + dy * dy);
        sum[l] += w;
        fx[l] += w * w * dx;
        fy[l] += w * w * dy;
    }
    ([fx.iter().sum(), fy.iter().sum()], sum.iter().map(|v| f64::from(*v)).sum())
}
