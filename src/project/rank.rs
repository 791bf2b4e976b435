//! The effective rank of a matrix.

use super::eigen::largest;
use crate::control::Control;
use crate::error::{Error, Result};

/// The effective rank of `matrix`, `[rows, columns]`: exp of the entropy of its singular values,
/// each divided by their sum (Roy & Vetterli, *The effective rank*, 2007). It lies between 1 (one
/// direction) and the smaller dimension (all singular values equal). A matrix of zeros has 0.
///
/// # Errors
/// [`Error::Input`] if `matrix` does not consist of whole rows or the decomposition does not
/// converge; [`Error::Cancelled`].
pub fn effective_rank(matrix: &[f32], columns: usize, control: Control<'_>) -> Result<f64> {
    if columns == 0 || !matrix.len().is_multiple_of(columns) {
        return Err(Error::Input(format!("{} entries are not a matrix of {columns} columns", matrix.len())));
    }
    // Singular values are the square roots of the eigenvalues of XᵀX. That matrix is small, because
    // a state has few entries per channel.
    let mut gram = vec![0.0f64; columns * columns];
    for row in matrix.chunks_exact(columns) {
        for (i, &a) in row.iter().enumerate() {
            for (j, &b) in row.iter().enumerate().skip(i) {
                gram[i * columns + j] += f64::from(a) * f64::from(b);
            }
        }
    }
    for i in 0..columns {
        for j in 0..i {
            gram[i * columns + j] = gram[j * columns + i];
        }
    }
    let singular: Vec<f64> = largest(&gram, columns, columns, control)?.0.into_iter().map(f64::sqrt).collect();
    let sum: f64 = singular.iter().sum();
    if sum <= 0.0 {
        return Ok(0.0);
    }
    let entropy: f64 = singular.iter().map(|s| s / sum).filter(|p| *p > 0.0).map(|p| -p * p.ln()).sum();
    Ok(entropy.exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::quiet;

    fn rank(matrix: &[f32], columns: usize) -> f64 {
        quiet(|c| effective_rank(matrix, columns, c)).unwrap()
    }

    #[test]
    fn it_counts_directions_by_their_share() {
        // Rows 2·e1, 1·e2: singular values 2 and 1, shares 2/3 and 1/3.
        let want = (-(2.0f64 / 3.0) * (2.0f64 / 3.0).ln() - (1.0f64 / 3.0) * (1.0f64 / 3.0).ln()).exp();
        assert!((rank(&[2.0, 0.0, 0.0, 1.0], 2) - want).abs() < 1e-9);
        assert!((rank(&[1.0, 2.0, 2.0, 4.0, 3.0, 6.0], 2) - 1.0).abs() < 1e-4);
        assert!((rank(&[3.0, 0.0, 0.0, 3.0], 2) - 2.0).abs() < 1e-9);
        assert_eq!(rank(&[0.0; 6], 3), 0.0);
        assert!(quiet(|c| effective_rank(&[1.0; 5], 2, c)).is_err());
    }
}
