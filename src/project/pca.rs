//! Principal components of few, long rows: the eigenvectors of the n × n Gram matrix give the scores without ever forming a d × d matrix.

use crate::error::{Error, Result};
use gemm::Parallelism;
use linfa_linalg::eigh::EighInto;
use ndarray::Array2;

/// Components kept: enough for t-SNE, and what linfa-tsne takes safely (it aborts the process on very wide input).
pub const PCA_DIMS: usize = 50;

/// Principal component scores.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// Rows.
    pub n: usize,
    /// Components kept.
    pub dims: usize,
    /// Scores, `[n, dims]`, components by falling variance.
    pub scores: Vec<f32>,
    /// Share of the variance that each component explains.
    pub explained: Vec<f64>,
}

impl Pca {
    /// The components of `rows`, `[n, d]`; at most `most` of them.
    ///
    /// # Errors
    /// [`Error::Input`] for fewer than three rows, rows that are all the same, or a number that is not finite (with its row).
    pub fn fit(rows: &[f32], n: usize, d: usize, most: usize) -> Result<Self> {
        if n < 3 {
            return Err(Error::Input(format!("{n} states are too few for a map; at least 3 are needed")));
        }
        if let Some(i) = rows.iter().position(|v| !v.is_finite()) {
            return Err(Error::Input(format!("state {} holds {}, which cannot be drawn", i / d, rows[i])));
        }
        let centred = centre(rows, n, d);
        let gram = gram(&centred, n, d);
        let (values, vectors) = gram.eigh_into().map_err(|e| Error::Input(format!("the principal components cannot be computed: {e}")))?;
        // Ascending order comes back; take the largest.
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
        let total: f64 = values.iter().map(|v| v.max(0.0)).sum();
        if total <= 0.0 {
            return Err(Error::Input("all states are the same here; there is nothing to draw".into()));
        }
        let kept: Vec<usize> = order.into_iter().take(most.min(n - 1)).filter(|&k| values[k] > total * 1e-10).collect();
        let dims = kept.len();
        let mut scores = vec![0.0f32; n * dims];
        for (c, &k) in kept.iter().enumerate() {
            let scale = values[k].sqrt();
            // An eigenvector's sign is arbitrary: its largest entry is made positive, so that a map does not flip from run to run.
            let peak = (0..n).map(|i| vectors[[i, k]]).fold(0.0f64, |m, v| if v.abs() > m.abs() { v } else { m });
            for i in 0..n {
                scores[i * dims + c] = (vectors[[i, k]] * scale * peak.signum()) as f32;
            }
        }
        Ok(Self { n, dims, scores, explained: kept.iter().map(|&k| values[k] / total).collect() })
    }

    /// The first two components of each row.
    pub fn plane(&self) -> Vec<[f32; 2]> {
        let at = |row: &[f32], c: usize| row.get(c).copied().unwrap_or(0.0);
        self.scores.chunks_exact(self.dims).map(|row| [at(row, 0), at(row, 1)]).collect()
    }
}

fn centre(rows: &[f32], n: usize, d: usize) -> Vec<f32> {
    let mut mean = vec![0.0f64; d];
    for row in rows.chunks_exact(d) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / n as f64);
    }
    rows.chunks_exact(d).flat_map(|row| row.iter().zip(&mean).map(|(v, m)| (f64::from(*v) - m) as f32)).collect()
}

/// `X · Xᵀ`.
fn gram(x: &[f32], n: usize, d: usize) -> Array2<f64> {
    let mut out = vec![0.0f32; n * n];
    // SAFETY: `x` is [n, d] and `out` [n, n], both dense; `out` is borrowed alone.
    unsafe {
        gemm::gemm(
            n,
            n,
            d,
            out.as_mut_ptr(),
            1,
            n as isize,
            false,
            x.as_ptr(),
            1,
            d as isize,
            x.as_ptr(),
            d as isize,
            1,
            0.0,
            1.0,
            false,
            false,
            false,
            Parallelism::Rayon(0),
        );
    }
    Array2::from_shape_fn((n, n), |(i, j)| f64::midpoint(f64::from(out[i * n + j]), f64::from(out[j * n + i])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_on_a_line_have_one_component() {
        let rows: Vec<f32> = (0..5).flat_map(|i| [i as f32 * 3.0, i as f32 * 4.0, 7.0]).collect();
        let pca = Pca::fit(&rows, 5, 3, 50).unwrap();
        assert_eq!(pca.dims, 1);
        let mut x: Vec<f32> = pca.scores.clone();
        x.sort_by(f32::total_cmp);
        for (x, want) in x.iter().zip([-10.0, -5.0, 0.0, 5.0, 10.0]) {
            assert!((x - want).abs() < 1e-4, "{x} {want}");
        }
        assert!((pca.explained[0] - 1.0).abs() < 1e-6);
    }

    #[test]
    fn distances_survive_when_all_components_are_kept() {
        let (n, d) = (12, 40);
        let rows: Vec<f32> = (0..n * d).map(|i| ((i * 7919 % 1009) as f32 / 1009.0) - 0.5).collect();
        let pca = Pca::fit(&rows, n, d, 50).unwrap();
        let distance = |x: &[f32], w: usize, i: usize, j: usize| (0..w).map(|c| (x[i * w + c] - x[j * w + c]).powi(2)).sum::<f32>();
        for (i, j) in [(0, 1), (3, 11), (5, 6)] {
            let (a, b) = (distance(&rows, d, i, j), distance(&pca.scores, pca.dims, i, j));
            assert!((a - b).abs() < 1e-3 * a, "{a} {b}");
        }
        assert!(pca.explained.windows(2).all(|w| w[0] >= w[1]));
    }

    #[test]
    fn what_cannot_be_drawn_is_refused() {
        assert!(Pca::fit(&[0.0; 4], 2, 2, 50).unwrap_err().to_string().contains("too few"));
        assert!(Pca::fit(&[1.0; 8], 4, 2, 50).unwrap_err().to_string().contains("all states are the same"));
        assert!(Pca::fit(&[1.0, 2.0, f32::NAN, 3.0, 4.0, 5.0], 3, 2, 50).unwrap_err().to_string().contains("state 1"));
    }
}
