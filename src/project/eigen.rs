//! The largest eigenpairs of a symmetric, positive semidefinite matrix.

use crate::control::Control;
use crate::error::{Error, Result};
use linfa_linalg::eigh::EighInto;
use ndarray::{Array2, ArrayView2, Axis, s};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Matrices up to this size are decomposed completely (linfa-linalg: 0.3 s at 360, 8 s at 1000).
const WHOLE: usize = 300;
/// Matrices up to this size take less than a millisecond to decompose.
const SMALL: usize = 48;
/// For larger matrices: extra vectors in each block, and blocks in the Krylov space.
const SPARE: usize = 10;
const BLOCKS: usize = 5;

/// The `most` largest eigenvalues of `matrix`, `[n, n]`, in decreasing order and clamped to at
/// least 0, with their unit eigenvectors, `[most, n]`.
///
/// # Errors
/// [`Error::Input`] if the decomposition does not converge; [`Error::Cancelled`].
pub(super) fn largest(matrix: &[f64], n: usize, most: usize, control: Control<'_>) -> Result<(Vec<f64>, Vec<f64>)> {
    let matrix = ArrayView2::from_shape((n, n), matrix).map_err(failed)?;
    if n <= WHOLE {
        let (values, vectors) = sorted(matrix.to_owned(), control)?;
        return Ok((values[..most].to_vec(), vectors.slice(s![.., ..most]).t().iter().copied().collect()));
    }
    // Block Krylov: the best vectors within span(X, G·X, G²·X, …) for a random X. Unlike plain
    // power iteration it finds close eigenvalues too.
    let width = (most + SPARE).min(n / BLOCKS);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut space = Array2::zeros((n, width * BLOCKS));
    let mut next = Array2::from_shape_simple_fn((n, width), || rng.random_range(-1.0..1.0));
    for b in 0..BLOCKS {
        control.check()?;
        control.report(b as u64, BLOCKS as u64, "blocks");
        if b > 0 {
            next = matrix.dot(&space.slice(s![.., (b - 1) * width..b * width]));
        }
        orthonormalise(&mut next, space.slice(s![.., ..b * width]));
        space.slice_mut(s![.., b * width..(b + 1) * width]).assign(&next);
    }
    control.check()?;
    let small = space.t().dot(&matrix.dot(&space));
    let (values, vectors) = sorted(small, control)?;
    let vectors = space.dot(&vectors.slice(s![.., ..most]));
    Ok((values[..most].to_vec(), vectors.t().iter().copied().collect()))
}

/// All eigenpairs, largest first; eigenvectors are columns.
fn sorted(mut matrix: Array2<f64>, control: Control<'_>) -> Result<(Vec<f64>, Array2<f64>)> {
    // Scale the entries to about 1, because the solver's tolerances are absolute.
    let size = matrix.diag().iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let size = if size > 0.0 { size } else { 1.0 };
    matrix.mapv_inplace(|v| v / size);
    // A small matrix is decomposed faster than a thread starts.
    let solved = if matrix.nrows() <= SMALL { matrix.eigh_into() } else { control.aside(0, "blocks", move || matrix.eigh_into())? };
    let (values, vectors) = solved.map_err(failed)?;
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[b].total_cmp(&values[a]));
    Ok((order.iter().map(|&k| (values[k] * size).max(0.0)).collect(), vectors.select(Axis(1), &order)))
}

/// Makes the columns of `block` orthonormal to those of `before` and to each other. Columns that
/// add no direction become zero.
fn orthonormalise(block: &mut Array2<f64>, before: ArrayView2<'_, f64>) {
    // Two rounds are enough: the second removes the first one's rounding errors.
    let sizes: Vec<f64> = block.columns().into_iter().map(|c| c.dot(&c).sqrt()).collect();
    for _ in 0..2 {
        let shadow = before.dot(&before.t().dot(block));
        *block -= &shadow;
        for (c, size) in sizes.iter().enumerate() {
            for p in 0..c {
                let overlap = block.column(p).dot(&block.column(c));
                let shadow = block.column(p).mapv(|v| v * overlap);
                let mut column = block.column_mut(c);
                column -= &shadow;
            }
            let length = block.column(c).dot(&block.column(c)).sqrt();
            let scale = if length > size * 1e-12 && length > 0.0 { 1.0 / length } else { 0.0 };
            block.column_mut(c).mapv_inplace(|v| v * scale);
        }
    }
}

fn failed(why: impl std::fmt::Display) -> Error {
    Error::Input(format!("the principal components cannot be computed: {why}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;
    use crate::control::quiet;

    /// `X·Xᵀ` of noise whose columns scale as 1/√(1 + column), so that the spectrum has no gap.
    fn gram(n: usize, d: usize) -> Array2<f64> {
        let x = noise(2, n * d);
        let x = Array2::from_shape_fn((n, d), |(i, c)| f64::from(x[i * d + c]) / (1.0 + c as f64).sqrt());
        x.dot(&x.t())
    }

    #[test]
    fn the_krylov_space_finds_what_the_whole_decomposition_finds() {
        let n = 330;
        let g = gram(n, 400);
        let flat: Vec<f64> = g.iter().copied().collect();
        let (values, vectors) = quiet(|c| largest(&flat, n, 50, c)).unwrap();
        let (want, _) = quiet(|c| sorted(g.clone(), c)).unwrap();
        for (k, v) in vectors.chunks_exact(n).enumerate() {
            assert!((values[k] - want[k]).abs() < 1e-5 * want[0], "value {k}: {} {}", values[k], want[k]);
            let v = ndarray::ArrayView1::from(v);
            let off = g.dot(&v) - v.mapv(|x| x * values[k]);
            assert!(off.dot(&off).sqrt() < 5e-3 * want[0], "vector {k}: {}", off.dot(&off).sqrt() / want[0]);
            assert!((v.dot(&v) - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn a_low_rank_matrix_has_few_values_and_a_tiny_one_keeps_its_size() {
        let n = 310;
        let g = gram(n, 3);
        for scale in [1e-18, 1.0, 1e12] {
            let flat: Vec<f64> = g.iter().map(|v| v * scale).collect();
            let (values, _) = quiet(|c| largest(&flat, n, 50, c)).unwrap();
            assert!(values[2] > 1e-3 * values[0] && values[3] < 1e-10 * values[0], "{:?}", &values[..5]);
        }
    }
}
