//! The attraction in t-SNE: Gaussian affinities of a chosen perplexity over exact nearest
//! neighbours.

use rayon::prelude::*;

/// Symmetric affinities that sum to 1, as compressed sparse rows.
#[derive(Clone, Debug)]
pub(super) struct Affinities {
    /// Start of each row in `to` and `p`, `[n + 1]`.
    pub(super) starts: Vec<usize>,
    /// Column of each entry, ascending within a row.
    pub(super) to: Vec<u32>,
    /// Affinity of each entry.
    pub(super) p: Vec<f32>,
}

impl Affinities {
    /// Computes the affinities of `rows`, `[n, d]`: conditional distributions over each row's 3 ×
    /// perplexity nearest others, averaged over both directions.
    pub(super) fn of(rows: &[f32], n: usize, d: usize, perplexity: f64) -> Self {
        let k = ((3.0 * perplexity) as usize).clamp(1, n - 1);
        let conditional: Vec<Vec<(u32, f64)>> = (0..n)
            .into_par_iter()
            .map(|i| {
                let near = nearest(rows, d, &rows[i * d..(i + 1) * d], k, Some(i));
                let p = gaussian(&near.iter().map(|n| n.1).collect::<Vec<_>>(), perplexity);
                near.iter().zip(p).map(|(n, p)| (n.0 as u32, p)).collect()
            })
            .collect();
        let mut both: Vec<Vec<(u32, f64)>> = conditional.clone();
        for (i, row) in conditional.iter().enumerate() {
            row.iter().for_each(|(j, p)| both[*j as usize].push((i as u32, *p)));
        }
        let mut all = Self { starts: vec![0], to: Vec::new(), p: Vec::new() };
        for row in &mut both {
            row.sort_by_key(|e| e.0);
            for (j, p) in row.iter() {
                let p = (p / (2.0 * n as f64)) as f32;
                if all.to.len() > all.starts[all.starts.len() - 1] && all.to.last() == Some(j) {
                    *all.p.last_mut().unwrap_or(&mut 0.0) += p;
                } else {
                    all.to.push(*j);
                    all.p.push(p);
                }
            }
            all.starts.push(all.to.len());
        }
        all
    }
}

/// The `k` rows nearest to `at`, except row `except`, nearest first: (index, squared distance).
/// Ties are in row order.
pub(super) fn nearest(rows: &[f32], d: usize, at: &[f32], k: usize, except: Option<usize>) -> Vec<(usize, f64)> {
    let distance = |row: &[f32]| row.iter().zip(at).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
    let mut all: Vec<(usize, f64)> =
        rows.chunks_exact(d).map(|row| f64::from(distance(row))).enumerate().filter(|(j, _)| Some(*j) != except).collect();
    let order = |a: &(usize, f64), b: &(usize, f64)| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0));
    if k < all.len() {
        all.select_nth_unstable_by(k, order);
        all.truncate(k);
    }
    all.sort_by(order);
    all
}

/// The distribution proportional to exp(−β·d²) over ascending squared distances, with β such that
/// its perplexity (e to the entropy) is `perplexity`. It is uniform if there are at most that many
/// neighbours.
pub(super) fn gaussian(squared: &[f64], perplexity: f64) -> Vec<f64> {
    let nearest = squared.first().copied().unwrap_or(0.0);
    // Distances beyond the nearest, in units of their mean, so that the search starts near its goal
    // for data in any unit.
    let mean = squared.iter().map(|d| d - nearest).sum::<f64>() / squared.len().max(1) as f64;
    let beyond: Vec<f64> = squared.iter().map(|d| if mean > 0.0 { (d - nearest) / mean } else { 0.0 }).collect();
    let goal = perplexity.ln();
    let (mut beta, mut low, mut high) = (1.0f64, 0.0f64, f64::INFINITY);
    let mut p = Vec::new();
    for _ in 0..100 {
        p = beyond.iter().map(|d| (-beta * d).exp()).collect();
        let sum: f64 = p.iter().sum();
        let entropy = sum.ln() + beta * p.iter().zip(&beyond).map(|(p, d)| p * d).sum::<f64>() / sum;
        p.iter_mut().for_each(|p| *p /= sum);
        if (entropy - goal).abs() < 1e-6 {
            break;
        }
        if entropy > goal {
            low = beta;
        } else {
            high = beta;
        }
        beta = if high.is_finite() { f64::midpoint(low, high) } else { beta * 2.0 };
    }
    p
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;

    #[test]
    fn the_distribution_has_the_perplexity_wished_for_in_any_unit() {
        for unit in [1e-12, 1.0, 1e12] {
            let squared: Vec<f64> = (0..60).map(|i| (3.0 + f64::from(i).powf(1.3)) * unit).collect();
            for perplexity in [2.0, 10.0, 30.0] {
                let p = gaussian(&squared, perplexity);
                let entropy: f64 = -p.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f64>();
                assert!((entropy.exp() / perplexity - 1.0).abs() < 1e-4, "{unit} {perplexity}: {}", entropy.exp());
                assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn equal_distances_share_equally() {
        for p in [gaussian(&[0.0; 8], 3.0), gaussian(&[5.0; 8], 3.0)] {
            assert!(p.iter().all(|p| (p - 0.125).abs() < 1e-12), "{p:?}");
        }
        // Five at the same place: a perplexity below five is impossible, but the result is finite.
        let p = gaussian(&[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0], 3.0);
        assert!(p.iter().all(|p| p.is_finite()) && p[5] < 1e-6, "{p:?}");
    }

    #[test]
    fn affinities_are_symmetric_and_sum_to_one() {
        let (n, d) = (50, 4);
        let a = Affinities::of(&noise(9, n * d), n, d, 5.0);
        let entry = |i: usize, j: usize| {
            let row = a.starts[i]..a.starts[i + 1];
            a.to[row.clone()].binary_search(&(j as u32)).map_or(0.0, |at| a.p[row.start + at])
        };
        for i in 0..n {
            assert_eq!(entry(i, i), 0.0);
            (0..n).for_each(|j| assert!((entry(i, j) - entry(j, i)).abs() < 1e-9, "{i} {j}"));
            assert!(a.to[a.starts[i]..a.starts[i + 1]].windows(2).all(|w| w[0] < w[1]));
        }
        assert!((a.p.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
}
