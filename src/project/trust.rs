//! How well a map preserves neighbourhoods, and how well labels cluster.

use super::Space;
use crate::error::{Error, Result};
use rayon::prelude::*;

/// How well a map preserves neighbourhoods (Venna and Kaski 2001). Both scores are 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fidelity {
    /// 1 if every neighbour in the map is one in the original space; lower the further away false
    /// neighbours are there.
    pub trustworthiness: f64,
    /// 1 if every neighbour in the original space is one in the map; lower the further away lost
    /// neighbours are in the map.
    pub continuity: f64,
    /// Number of neighbours compared: the requested one, or at most half of the points.
    pub k: usize,
}

/// Measures how well a map preserves the `k` nearest neighbours of the space's rows.
///
/// # Errors
/// [`Error::Input`] for fewer than five points; [`Error::Mismatch`] if map and space have different
/// numbers of points.
pub fn fidelity(space: &Space, points: &[[f32; 2]], k: usize) -> Result<Fidelity> {
    judge(space, points, k).map(|(all, _)| all)
}

/// [`fidelity`], with the trustworthiness of each point, whose mean is that of the map. It is low
/// for a point whose neighbours in the map are far away in the original space.
///
/// # Errors
/// As [`fidelity`].
pub fn judge(space: &Space, points: &[[f32; 2]], k: usize) -> Result<(Fidelity, Vec<f32>)> {
    let n = points.len();
    if n != space.len() {
        return Err(Error::Mismatch(format!("a map of {n} points cannot be judged by {} states", space.len())));
    }
    if n < 5 {
        return Err(Error::Input(format!("{n} points are too few to judge a map; at least 5 are needed")));
    }
    // The measure's scale is not valid beyond half of the points.
    let k = k.clamp(1, (n - 1) / 2);
    let penalties: Vec<(f64, f64)> = (0..n)
        .into_par_iter()
        .map(|i| {
            let original = ranks(n, i, |j| space.distance_squared(i, j));
            let map = ranks(n, i, |j| squared(points[i], points[j]));
            let beyond = |inside: &[usize], rank: &[usize]| {
                let others = (0..n).filter(|j| *j != i && inside[*j] <= k);
                others.map(|j| rank[j].saturating_sub(k) as f64).sum::<f64>()
            };
            (beyond(&map, &original), beyond(&original, &map))
        })
        .collect();
    let (n, size) = (n as f64, k as f64);
    let scale = 2.0 / (size * (2.0 * n - 3.0 * size - 1.0));
    let score = |of: fn(&(f64, f64)) -> f64| 1.0 - scale / n * penalties.iter().map(of).sum::<f64>();
    let each = penalties.iter().map(|p| (1.0 - scale * p.0) as f32).collect();
    Ok((Fidelity { trustworthiness: score(|p| p.0), continuity: score(|p| p.1), k }, each))
}

/// Share of points whose nearest other has the same label (leave-one-out 1-NN accuracy). `nearest`
/// is the result of [`Space::nearest`] with at least one neighbour per point.
pub fn purity(nearest: &[Vec<(usize, f32)>], labels: &[usize]) -> f64 {
    let same = nearest.iter().zip(labels).filter(|(near, label)| near.first().is_some_and(|(j, _)| labels[*j] == **label)).count();
    same as f64 / nearest.len().max(1) as f64
}

/// Mean silhouette (Rousseeuw 1987) of the labels in the original space, −1 to 1: how much nearer
/// points are to their own label than to the nearest other one. A point that is alone with its
/// label counts 0. `None` if there are fewer than two labels, no label has two points, or the
/// number of labels is not that of the points.
pub fn silhouette(space: &Space, labels: &[usize]) -> Option<f64> {
    let n = labels.len();
    let count = labels.iter().max()? + 1;
    let mut sizes = vec![0usize; count];
    labels.iter().for_each(|l| sizes[*l] += 1);
    if n != space.len() || sizes.iter().filter(|s| **s > 0).count() < 2 || sizes.iter().all(|s| *s < 2) {
        return None;
    }
    let of = |i: usize| {
        let own = labels[i];
        if sizes[own] < 2 {
            return 0.0;
        }
        let mut sums = vec![0.0f64; count];
        (0..n).for_each(|j| sums[labels[j]] += space.distance_squared(i, j).sqrt());
        let inside = sums[own] / (sizes[own] - 1) as f64;
        let outside = (0..count).filter(|l| *l != own && sizes[*l] > 0).map(|l| sums[l] / sizes[l] as f64).fold(f64::INFINITY, f64::min);
        let wider = inside.max(outside);
        if wider > 0.0 { (outside - inside) / wider } else { 0.0 }
    };
    // Collected before the sum, so that the result does not depend on how threads share the work.
    let each: Vec<f64> = (0..n).into_par_iter().map(of).collect();
    Some(each.iter().sum::<f64>() / n as f64)
}

/// Share of each point's `k` nearest in one map that are among its `k` nearest in another, averaged
/// over the points. It shows how much of a picture does not depend on start, seed or method. `None`
/// if the maps have different numbers of points, or fewer than three.
pub fn agreement(a: &[[f32; 2]], b: &[[f32; 2]], k: usize) -> Option<f64> {
    let n = a.len();
    if n != b.len() || n < 3 {
        return None;
    }
    let k = k.clamp(1, n - 1);
    let shared: usize = (0..n)
        .into_par_iter()
        .map(|i| {
            let (in_a, in_b) = (ranks(n, i, |j| squared(a[i], a[j])), ranks(n, i, |j| squared(b[i], b[j])));
            (0..n).filter(|j| *j != i && in_a[*j] <= k && in_b[*j] <= k).count()
        })
        .sum();
    Some(shared as f64 / (n * k) as f64)
}

/// Each point's rank (from 1) by distance from point `i`, which itself has rank 0. Ties are in the
/// order of the points.
fn ranks(n: usize, i: usize, distance: impl Fn(usize) -> f64) -> Vec<usize> {
    let mut order: Vec<(f64, usize)> = (0..n).filter(|j| *j != i).map(|j| (distance(j), j)).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut rank = vec![0; n];
    order.iter().enumerate().for_each(|(r, (_, j))| rank[*j] = r + 1);
    rank
}

fn squared(a: [f32; 2], b: [f32; 2]) -> f64 {
    (0..2).map(|c| (f64::from(a[c]) - f64::from(b[c])).powi(2)).sum()
}
