//! How far a map can be believed, and who is near whom in the original space.

use crate::error::{Error, Result};
use rayon::prelude::*;

/// The `k` nearest other rows of each row of `rows`, `[n, d]`, by cosine, nearest first: (index, cosine).
///
/// # Errors
/// [`Error::Input`] for fewer than two rows.
pub fn nearest(rows: &[f32], n: usize, d: usize, k: usize) -> Result<Vec<Vec<(usize, f32)>>> {
    if n < 2 {
        return Err(Error::Input("one state has no neighbours".into()));
    }
    let unit: Vec<f32> = rows
        .chunks_exact(d)
        .flat_map(|row| {
            let norm = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
            row.iter().map(move |v| if norm > 0.0 { (f64::from(*v) / norm) as f32 } else { 0.0 })
        })
        .collect();
    let near = |i: usize| {
        let mut cosines = vec![0.0f32; n];
        crate::model::dot_rows(&unit[i * d..(i + 1) * d], &unit, &mut cosines);
        let mut order: Vec<usize> = (0..n).filter(|j| *j != i).collect();
        order.sort_by(|&a, &b| cosines[b].total_cmp(&cosines[a]).then(a.cmp(&b)));
        order.into_iter().take(k).map(|j| (j, cosines[j])).collect()
    };
    Ok((0..n).map(near).collect())
}

/// Share of rows whose nearest other row has the same label.
pub fn nearest_purity(near: &[Vec<(usize, f32)>], labels: &[usize]) -> f64 {
    let same = near.iter().zip(labels).filter(|(near, label)| near.first().is_some_and(|(j, _)| labels[*j] == **label)).count();
    same as f64 / near.len().max(1) as f64
}

/// Trustworthiness (Venna and Kaski): 1 if every point's `k` neighbours in the map are its neighbours in the original space too, lower the further they
/// come from there. `k` is lowered to what the measure allows.
///
/// # Errors
/// [`Error::Input`] for fewer than five points.
pub fn trustworthiness(rows: &[f32], d: usize, points: &[[f32; 2]], k: usize) -> Result<f64> {
    let n = points.len();
    if n < 5 {
        return Err(Error::Input(format!("{n} points are too few to judge a map")));
    }
    let k = k.min((n - 1) / 2).max(1);
    let ranked = |distance: &dyn Fn(usize) -> f64, i: usize| {
        let far: Vec<f64> = (0..n).map(distance).collect();
        let mut order: Vec<usize> = (0..n).filter(|j| *j != i).collect();
        order.sort_by(|&a, &b| far[a].total_cmp(&far[b]).then(a.cmp(&b)));
        order
    };
    let penalty: f64 = (0..n)
        .into_par_iter()
        .map(|i| {
            let row = |j: usize| &rows[j * d..(j + 1) * d];
            let original = ranked(&|j| row(i).iter().zip(row(j)).map(|(a, b)| f64::from(a - b).powi(2)).sum(), i);
            let mut rank = vec![0usize; n];
            original.iter().enumerate().for_each(|(r, j)| rank[*j] = r + 1);
            let map = ranked(&|j| (0..2).map(|c| f64::from(points[i][c] - points[j][c]).powi(2)).sum(), i);
            map.iter().take(k).map(|j| rank[*j].saturating_sub(k) as f64).sum::<f64>()
        })
        .sum();
    let (n, k) = (n as f64, k as f64);
    Ok(1.0 - 2.0 / (n * k * (2.0 * n - 3.0 * k - 1.0)) * penalty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_faithful_map_is_trusted_and_a_shuffled_one_is_not() {
        let points: Vec<[f32; 2]> = (0..40).map(|i| [(i % 8) as f32 * 1.01, (i / 8) as f32]).collect();
        let rows: Vec<f32> = points.concat();
        assert!((trustworthiness(&rows, 2, &points, 5).unwrap() - 1.0).abs() < 1e-12);
        let shuffled: Vec<[f32; 2]> = (0..40).map(|i| points[i * 27 % 40]).collect();
        assert!(trustworthiness(&rows, 2, &shuffled, 5).unwrap() < 0.7);
    }

    #[test]
    fn neighbours_go_by_angle() {
        let rows = [1.0, 0.0, 10.0, 1.0, 0.0, 1.0];
        let near = nearest(&rows, 3, 2, 2).unwrap();
        assert_eq!(near[0][0].0, 1);
        assert_eq!(near[2][0].0, 1);
        assert!((nearest_purity(&near, &[0, 0, 1]) - 2.0 / 3.0).abs() < 1e-12);
    }
}
