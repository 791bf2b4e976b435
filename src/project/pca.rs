//! Principal components of few, long rows. Eigenvectors of the n × n Gram matrix give scores and
//! basis without a d × d matrix.

use super::eigen::largest;
use super::space::{Lengths, Space};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::simd::dot_rows;

/// Most components computed: enough for t-SNE, and safe for linfa-tsne (it aborts the process on
/// very wide input).
pub const PCA_DIMS: usize = 50;
/// Components with a smaller share of the variance are rounding errors of f32 products.
const NEGLIGIBLE: f64 = 1e-7;
/// Columns of the basis computed at a time.
const COLUMNS: usize = 4096;

/// Principal components with their basis.
#[derive(Clone, Debug, PartialEq)]
pub struct Pca {
    /// Number of rows.
    pub n: usize,
    /// Number of components.
    pub dims: usize,
    /// Scores, `[n, dims]`, with components in order of decreasing variance.
    pub scores: Vec<f32>,
    /// Share of the variance that each component explains, `[dims]`.
    pub explained: Vec<f64>,
    lengths: Lengths,
    /// Mean row, `[d]`.
    mean: Vec<f64>,
    /// Orthonormal directions, `[dims, d]`.
    basis: Vec<f32>,
}

impl Pca {
    /// Computes at most `most` (and at most [`PCA_DIMS`]) components of `rows`, `[n, d]`, of which
    /// `space` was made. Each direction's largest loading is positive, so that a map does not flip
    /// between runs.
    ///
    /// # Errors
    /// [`Error::Input`] for rows that are all the same, or if the decomposition does not converge;
    /// [`Error::Mismatch`] for rows of another size than the space's; [`Error::Cancelled`].
    pub fn fit(space: &Space, rows: &[f32], most: usize, control: Control<'_>) -> Result<Self> {
        let (n, d) = (space.len(), space.entries());
        if rows.len() != n * d {
            return Err(Error::Mismatch(format!("{} numbers are not the {n} states of {d} entries that were measured", rows.len())));
        }
        let total: f64 = (0..n).map(|i| space.gram()[i * n + i]).sum();
        let power = space.mean().iter().map(|m| m * m).sum::<f64>() * n as f64;
        // For equal rows, rounding leaves about this share after centring.
        if total <= 1e-12 * power || total == 0.0 {
            return Err(Error::Input("all states are the same here, so there is nothing to draw".into()));
        }
        let (values, vectors) = largest(space.gram(), n, most.min(PCA_DIMS).min(n - 1), control)?;
        let dims = values.iter().take_while(|v| **v > NEGLIGIBLE * total).count();
        let mut basis = basis(rows, space, &values[..dims], &vectors, control)?;
        let mut scores = vec![0.0f32; n * dims];
        for (c, direction) in basis.chunks_exact_mut(d).enumerate() {
            let peak = direction.iter().fold(0.0f32, |m, v| if v.abs() > m.abs() { *v } else { m });
            direction.iter_mut().for_each(|v| *v *= peak.signum());
            let scale = values[c].sqrt() * f64::from(peak.signum());
            (0..n).for_each(|i| scores[i * dims + c] = (vectors[c * n + i] * scale) as f32);
        }
        Ok(Self {
            n,
            dims,
            scores,
            explained: values[..dims].iter().map(|v| v / total).collect(),
            lengths: space.lengths(),
            mean: space.mean().to_vec(),
            basis,
        })
    }

    /// The first two components of each row.
    pub fn plane(&self) -> Vec<[f32; 2]> {
        self.scores.chunks_exact(self.dims).map(|row| [row[0], row.get(1).copied().unwrap_or(0.0)]).collect()
    }

    /// The scores of a new row, `[dims]`. The row is scaled as the space's rows were.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a row of another length; [`Error::Input`] for a number that is not
    /// finite.
    pub fn project(&self, row: &[f32]) -> Result<Vec<f32>> {
        if row.len() != self.mean.len() {
            return Err(Error::Mismatch(format!("a state of {} entries cannot be drawn among states of {}", row.len(), self.mean.len())));
        }
        if let Some(v) = row.iter().find(|v| !v.is_finite()) {
            return Err(Error::Input(format!("the state holds {v}, so it has no place on a map")));
        }
        let scale = self.lengths.scale(row);
        let centred: Vec<f32> = row.iter().zip(&self.mean).map(|(v, m)| (f64::from(*v) * scale - m) as f32).collect();
        let mut scores = vec![0.0; self.dims];
        dot_rows(&centred, &self.basis, &mut scores);
        Ok(scores)
    }

    /// Orthonormal directions, `[dims, d]`.
    pub fn basis(&self) -> &[f32] {
        &self.basis
    }
}

/// `Uᵀ·X / √λ`: the directions that belong to the eigenvectors, `[dims, d]`.
fn basis(rows: &[f32], space: &Space, values: &[f64], vectors: &[f64], control: Control<'_>) -> Result<Vec<f32>> {
    let (n, d, dims) = (space.len(), space.entries(), values.len());
    let scaled: Vec<f32> = vectors.chunks_exact(n).zip(values).flat_map(|(u, v)| u.iter().map(|x| (x / v.sqrt()) as f32)).collect();
    let scaled = candle_core::Tensor::from_vec(scaled, (dims, n), &candle_core::Device::Cpu)?;
    let mut basis = vec![0.0f32; dims * d];
    for first in (0..d).step_by(COLUMNS) {
        control.check()?;
        control.report(first as u64, d as u64, "columns");
        let count = COLUMNS.min(d - first);
        let part = scaled.matmul(&space.centred(rows, first, count)?)?.to_vec2::<f32>()?;
        basis.chunks_exact_mut(d).zip(&part).for_each(|(out, part)| out[first..first + count].copy_from_slice(part));
    }
    Ok(basis)
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;
    use crate::control::quiet;

    fn fit(rows: &[f32], n: usize, d: usize, most: usize) -> Result<Pca> {
        quiet(|control| Pca::fit(&Space::of(rows, n, d, Lengths::AsGiven, control)?, rows, most, control))
    }

    /// Noise whose deviation decreases from column to column.
    fn tapered(seed: u64, n: usize, d: usize) -> Vec<f32> {
        noise(seed, n * d).iter().enumerate().map(|(i, v)| v * 5.0 / (1.0 + (i % d) as f32) + 2.0).collect()
    }

    #[test]
    fn agrees_with_the_covariance_matrix() {
        let (n, d) = (40, 6);
        let rows = tapered(3, n, d);
        let pca = fit(&rows, n, d, 50).unwrap();
        assert_eq!(pca.dims, d);
        let mean: Vec<f64> = (0..d).map(|c| (0..n).map(|i| f64::from(rows[i * d + c])).sum::<f64>() / n as f64).collect();
        let x = |i: usize, c: usize| f64::from(rows[i * d + c]) - mean[c];
        let cov = |a: usize, b: usize| (0..n).map(|i| x(i, a) * x(i, b)).sum::<f64>();
        let total: f64 = (0..d).map(|c| cov(c, c)).sum();
        for (k, v) in pca.basis().chunks_exact(d).enumerate() {
            // C·v = λ·v, where λ is the share of the variance that was reported.
            for a in 0..d {
                let cv: f64 = (0..d).map(|b| cov(a, b) * f64::from(v[b])).sum();
                assert!((cv - pca.explained[k] * total * f64::from(v[a])).abs() < 1e-5 * total, "component {k}");
            }
            assert!(v.iter().fold(0.0f32, |m, v| if v.abs() > m.abs() { *v } else { m }) > 0.0);
            for (l, w) in pca.basis().chunks_exact(d).enumerate() {
                let dot: f32 = v.iter().zip(w).map(|(a, b)| a * b).sum();
                assert!((dot - f32::from(u8::from(k == l))).abs() < 1e-5, "{k} {l}: {dot}");
            }
        }
        assert!(pca.explained.windows(2).all(|w| w[0] >= w[1]));
        assert!((pca.explained.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn projecting_a_row_gives_its_scores() {
        let (n, d) = (30, 5000);
        let rows = tapered(4, n, d);
        let pca = fit(&rows, n, d, 10).unwrap();
        assert_eq!(pca.dims, 10);
        for i in [0, 17, 29] {
            let scores = pca.project(&rows[i * d..(i + 1) * d]).unwrap();
            for (a, b) in scores.iter().zip(&pca.scores[i * 10..]) {
                assert!((a - b).abs() < 1e-3, "{a} {b}");
            }
        }
        // At unit length, a state's own length has no effect.
        let unit = quiet(|c| Pca::fit(&Space::of(&rows, n, d, Lengths::Unit, c)?, &rows, 10, c)).unwrap();
        let longer: Vec<f32> = rows[..d].iter().map(|v| v * 7.0).collect();
        for (a, b) in unit.project(&longer).unwrap().iter().zip(&unit.scores) {
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
        assert!(pca.project(&[0.0; 3]).unwrap_err().to_string().contains("a state of 3 entries"));
        assert!(pca.project(&vec![f32::NAN; d]).unwrap_err().to_string().contains("holds NaN"));
    }

    #[test]
    fn many_rows_keep_the_distances_of_their_components() {
        // Rank 8 in 300 columns, 420 rows: the iterative eigensolver, and all variance in 8
        // components.
        let (n, d, rank) = (420, 300, 8);
        let (a, b) = (tapered(5, n, rank), noise(6, rank * d));
        let rows: Vec<f32> = (0..n * d).map(|i| (0..rank).map(|r| a[i / d * rank + r] * b[r * d + i % d]).sum()).collect();
        let pca = fit(&rows, n, d, 50).unwrap();
        assert_eq!(pca.dims, rank);
        let distance =
            |x: &[f32], w: usize, i: usize, j: usize| (0..w).map(|c| f64::from(x[i * w + c] - x[j * w + c]).powi(2)).sum::<f64>();
        for (i, j) in [(0, 1), (3, 411), (250, 6)] {
            let (a, b) = (distance(&rows, d, i, j), distance(&pca.scores, pca.dims, i, j));
            assert!((a - b).abs() < 1e-4 * a, "{a} {b}");
        }
    }

    #[test]
    fn constant_columns_and_duplicates_are_fine_equal_states_are_not() {
        let rows: Vec<f32> = (0..6).flat_map(|i| [(i / 2) as f32 * 3.0, (i / 2) as f32 * 4.0, 7.0]).collect();
        let pca = fit(&rows, 6, 3, 50).unwrap();
        assert_eq!(pca.dims, 1);
        for (x, want) in pca.scores.iter().zip([-5.0, -5.0, 0.0, 0.0, 5.0, 5.0]) {
            assert!((x - want).abs() < 1e-5, "{x} {want}");
        }
        assert!(pca.plane().iter().all(|p| p[1] == 0.0));
        assert!(fit(&[0.1; 900], 9, 100, 50).unwrap_err().to_string().contains("all states are the same"));
        assert!(fit(&[0.0; 12], 4, 3, 50).unwrap_err().to_string().contains("all states are the same"));
    }
}
