//! Places a new point on a fixed map, and aligns a new map with an earlier one.
//!
//! A placed point is an approximation, because the map was made without it. Displays must say so.

use super::Pca;
use super::affinity::{gaussian, nearest};
use super::descent::repulsion;
use crate::error::{Error, Result};

/// Neighbours that attract a placed point, and their perplexity, as in openTSNE's `transform`.
/// Learning rate, momentum, exaggeration and clip are its values too.
const NEIGHBOURS: usize = 15;
const PERPLEXITY: f64 = 5.0;
const STEPS: usize = 250;
const RATE: f32 = 0.1;
const MOMENTUM: f32 = 0.8;
const EXAGGERATION: f32 = 1.5;
const CLIP: f32 = 0.25;

/// A finished map on which new points can be placed.
#[derive(Clone, Debug, PartialEq)]
pub struct FrozenMap {
    x: Vec<f32>,
    y: Vec<f32>,
    scores: Vec<f32>,
    dims: usize,
}

impl FrozenMap {
    /// Freezes a map of a PCA's rows.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the number of points is not that of the PCA's rows.
    pub fn new(pca: &Pca, points: &[[f32; 2]]) -> Result<Self> {
        if points.len() != pca.n {
            return Err(Error::Mismatch(format!("a map of {} points is not one of {} states", points.len(), pca.n)));
        }
        let axis = |c: usize| points.iter().map(|p| p[c]).collect();
        Ok(Self { x: axis(0), y: axis(1), scores: pca.scores.clone(), dims: pca.dims })
    }

    /// The position of a state with these scores ([`Pca::project`]). The map does not change.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the number of scores is not that of the PCA's components.
    pub fn place(&self, scores: &[f32]) -> Result<[f32; 2]> {
        if scores.len() != self.dims {
            return Err(Error::Mismatch(format!("{} scores do not fit a map of {} components", scores.len(), self.dims)));
        }
        let near = nearest(&self.scores, self.dims, scores, NEIGHBOURS.min(self.x.len()), None);
        let perplexity = PERPLEXITY.min(near.len() as f64 / 3.0).max(1.0);
        let pull: Vec<(f32, f32, f32)> = gaussian(&near.iter().map(|n| n.1).collect::<Vec<_>>(), perplexity)
            .iter()
            .zip(&near)
            .map(|(p, (j, _))| (*p as f32, self.x[*j], self.y[*j]))
            .collect();
        let mut at = [median(pull.iter().map(|p| p.1)), median(pull.iter().map(|p| p.2))];
        let mut speed = [0.0f32; 2];
        let mut gains = [1.0f32; 2];
        for _ in 0..STEPS {
            let (pushed, normaliser) = repulsion(&self.x, &self.y, at[0], at[1]);
            let mut gradient = pushed.map(|p| -p / normaliser as f32);
            for (p, x, y) in &pull {
                let (dx, dy) = (at[0] - x, at[1] - y);
                let w = EXAGGERATION * p / (1.0 + dx * dx + dy * dy);
                gradient[0] += w * dx;
                gradient[1] += w * dy;
            }
            let length = gradient[0].hypot(gradient[1]);
            let scale = if length > CLIP { CLIP / length } else { 1.0 };
            for c in 0..2 {
                let g = gradient[c] * scale;
                gains[c] = if (g > 0.0) == (speed[c] > 0.0) { (gains[c] * 0.8).max(0.01) } else { gains[c] + 0.2 };
                speed[c] = MOMENTUM * speed[c] - RATE * gains[c] * g;
                at[c] += speed[c];
            }
        }
        Ok(at)
    }
}

fn median(values: impl Iterator<Item = f32>) -> f32 {
    let mut all: Vec<f32> = values.collect();
    all.sort_by(f32::total_cmp);
    let half = all.len() / 2;
    if all.len().is_multiple_of(2) { f32::midpoint(all[half - 1], all[half]) } else { all[half] }
}

/// A rotation, a reflection if needed, and a translation that align a map with an earlier one,
/// without scaling (orthogonal Procrustes).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alignment {
    from: [f64; 2],
    to: [f64; 2],
    cos: f64,
    sin: f64,
    flip: f64,
    /// Number of points that both maps have.
    pub shared: usize,
    /// Root mean square distance between new and old places after the alignment, as a share of the
    /// old places' root mean square radius.
    pub left: f64,
}

impl Alignment {
    /// The alignment that brings the points shared with an earlier map as near as possible to their
    /// old places. `shared` holds (index in this map, old place). `None` for fewer than two shared
    /// points.
    pub fn fit(points: &[[f32; 2]], shared: &[(usize, [f32; 2])]) -> Option<Self> {
        let pairs: Vec<([f64; 2], [f64; 2])> =
            shared.iter().filter_map(|(i, old)| points.get(*i).map(|new| (new.map(f64::from), old.map(f64::from)))).collect();
        if pairs.len() < 2 {
            return None;
        }
        let count = pairs.len() as f64;
        let centre = |of: fn(&([f64; 2], [f64; 2])) -> [f64; 2]| [0, 1].map(|c| pairs.iter().map(|p| of(p)[c]).sum::<f64>() / count);
        let (from, to) = (centre(|p| p.0), centre(|p| p.1));
        // Sums of products of the centred coordinates. In the plane, the best rotation has a closed
        // form, with and without a reflection.
        let mut s = [[0.0f64; 2]; 2];
        for (new, old) in &pairs {
            for (a, row) in s.iter_mut().enumerate() {
                for (b, v) in row.iter_mut().enumerate() {
                    *v += (new[a] - from[a]) * (old[b] - to[b]);
                }
            }
        }
        let turned = (s[0][0] + s[1][1], s[0][1] - s[1][0]);
        let mirrored = (s[0][0] - s[1][1], s[0][1] + s[1][0]);
        let mirror = mirrored.0.hypot(mirrored.1) > turned.0.hypot(turned.1);
        let (cos, sin) = if mirror { mirrored } else { turned };
        let length = cos.hypot(sin);
        let (cos, sin) = if length > 0.0 { (cos / length, sin / length) } else { (1.0, 0.0) };
        let fitted = Self { from, to, cos, sin, flip: if mirror { -1.0 } else { 1.0 }, shared: pairs.len(), left: 0.0 };
        let square = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2);
        let left: f64 = pairs.iter().map(|(new, old)| square(fitted.moved(*new), *old)).sum();
        let radius: f64 = pairs.iter().map(|(_, old)| square(*old, to)).sum();
        Some(Self { left: if radius > 0.0 { (left / radius).sqrt() } else { 0.0 }, ..fitted })
    }

    fn moved(&self, p: [f64; 2]) -> [f64; 2] {
        let (x, y) = (p[0] - self.from[0], (p[1] - self.from[1]) * self.flip);
        [self.cos * x - self.sin * y + self.to[0], self.sin * x + self.cos * y + self.to[1]]
    }

    /// The aligned position of a point of the new map.
    pub fn apply(&self, point: [f32; 2]) -> [f32; 2] {
        self.moved(point.map(f64::from)).map(|v| v as f32)
    }
}
