//! The original space: every distance and cosine between states, from one product of the rows with
//! themselves.
//!
//! States are few and long (hundreds of rows, thousands to tens of thousands of entries), so they
//! are compared through their n × n Gram matrix. Neighbours, trustworthiness and silhouettes follow
//! from it alone; principal components need the rows only for their basis.

use crate::control::Control;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;

/// Columns multiplied at a time. Bounds the size of the centred copy and the length of the sums in
/// f32.
const COLUMNS: usize = 4096;
/// Rows multiplied at a time; most products above the diagonal are skipped.
const ROWS: usize = 512;

/// How the lengths of states are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lengths {
    /// Unchanged: distances are those of the raw states.
    #[default]
    AsGiven,
    /// States are scaled to length 1 first, so that the nearest by distance are the nearest by
    /// cosine, and a short query's state is comparable with those of longer skills. A state of
    /// zeros stays zero.
    Unit,
}

impl Lengths {
    /// The factor by which a state is multiplied.
    pub(super) fn scale(self, row: &[f32]) -> f64 {
        let length = || row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        match self {
            Self::AsGiven => 1.0,
            Self::Unit => Some(length()).filter(|l| *l > 0.0).map_or(0.0, |l| 1.0 / l),
        }
    }
}

/// The original space: rows, by their inner products.
#[derive(Clone, Debug)]
pub struct Space {
    n: usize,
    d: usize,
    lengths: Lengths,
    /// The factor by which each row is multiplied.
    scales: Vec<f64>,
    /// Inner products of the centred rows, `[n, n]`.
    gram: Vec<f64>,
    /// Mean row, `[d]`.
    mean: Vec<f64>,
    /// Inner product of each centred row with the mean.
    with_mean: Vec<f64>,
    /// Squared length of the mean.
    mean_squared: f64,
}

impl Space {
    /// Computes the inner products of `rows`, `[n, d]`, after centring; reports columns. Sums are
    /// f32 within 4096 columns and f64 across them.
    ///
    /// # Errors
    /// [`Error::Input`] for fewer than three rows, or for a number that is not finite (with its row
    /// and entry); [`Error::Mismatch`] if `rows` does not have n · d numbers; [`Error::Cancelled`].
    pub fn of(rows: &[f32], n: usize, d: usize, lengths: Lengths, control: Control<'_>) -> Result<Self> {
        if n < 3 {
            return Err(Error::Input(format!(
                "{n} {} too few for a map; at least 3 are needed",
                if n == 1 { "state is" } else { "states are" }
            )));
        }
        if d == 0 || rows.len() != n * d {
            return Err(Error::Mismatch(format!("{} numbers cannot be {n} states of {d} entries", rows.len())));
        }
        if let Some((i, row)) = rows.par_chunks(d).enumerate().find_first(|(_, row)| row.iter().any(|v| !v.is_finite())) {
            let entry = row.iter().position(|v| !v.is_finite()).unwrap_or(0);
            return Err(Error::Input(format!("state {i} holds {} at entry {entry}, so it has no place on a map", row[entry])));
        }
        control.check()?;
        let scales: Vec<f64> = rows.par_chunks(d).map(|row| lengths.scale(row)).collect();
        let mean = mean_of(rows, d, &scales);
        let mut gram = vec![0.0; n * n];
        for first in (0..d).step_by(COLUMNS) {
            control.check()?;
            let block = centred(rows, &scales, &mean, first, COLUMNS.min(d - first))?;
            add_products(&block, &mut gram, n)?;
            control.report((first + COLUMNS).min(d) as u64, d as u64, "columns");
        }
        for i in 0..n {
            for j in 0..i {
                gram[j * n + i] = gram[i * n + j];
            }
        }
        let with_mean =
            rows.par_chunks(d).zip(&scales).map(|(row, s)| row.iter().zip(&mean).map(|(v, m)| (f64::from(*v) * s - m) * m).sum()).collect();
        let mean_squared = mean.iter().map(|m| m * m).sum();
        Ok(Self { n, d, lengths, scales, gram, mean, with_mean, mean_squared })
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.n
    }

    /// Always false: a space has at least three rows.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Number of entries per row.
    pub fn entries(&self) -> usize {
        self.d
    }

    /// Inner products of the centred rows, `[n, n]`.
    pub(super) fn gram(&self) -> &[f64] {
        &self.gram
    }

    /// How the lengths of states are treated.
    pub fn lengths(&self) -> Lengths {
        self.lengths
    }

    /// Some columns of the (scaled) rows minus their mean, `[n, columns]`. `rows` are those of
    /// which the space was made.
    pub(super) fn centred(&self, rows: &[f32], first: usize, columns: usize) -> Result<Tensor> {
        centred(rows, &self.scales, &self.mean, first, columns)
    }

    /// The mean (scaled) row, `[d]`.
    pub(super) fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Squared Euclidean distance of two rows.
    pub fn distance_squared(&self, i: usize, j: usize) -> f64 {
        let at = |a: usize, b: usize| self.gram[a * self.n + b];
        if i == j { 0.0 } else { (at(i, i) + at(j, j) - 2.0 * at(i, j)).max(0.0) }
    }

    /// Cosine of two rows as they were given (not centred); 0 if either row is zero.
    pub fn cosine(&self, i: usize, j: usize) -> f64 {
        let product = |a: usize, b: usize| self.gram[a * self.n + b] + self.with_mean[a] + self.with_mean[b] + self.mean_squared;
        let lengths = product(i, i).max(0.0).sqrt() * product(j, j).max(0.0).sqrt();
        if lengths > 0.0 { (product(i, j) / lengths).clamp(-1.0, 1.0) } else { 0.0 }
    }

    /// The `k` nearest other rows of each row by cosine, nearest first: (index, cosine). Ties are
    /// in row order.
    pub fn nearest(&self, k: usize) -> Vec<Vec<(usize, f32)>> {
        let near = |i: usize| {
            // Sorted in f64: for states in a narrow cone, different cosines can be equal in f32.
            let mut all: Vec<(usize, f64)> = (0..self.n).filter(|j| *j != i).map(|j| (j, self.cosine(i, j))).collect();
            all.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            all.iter().take(k).map(|(j, c)| (*j, *c as f32)).collect()
        };
        (0..self.n).into_par_iter().map(near).collect()
    }
}

fn mean_of(rows: &[f32], d: usize, scales: &[f64]) -> Vec<f64> {
    /// Columns summed by one thread at a time.
    const PART: usize = 1024;
    let mut mean = vec![0.0f64; d];
    mean.par_chunks_mut(PART).enumerate().for_each(|(c, mean)| {
        for (row, s) in rows.chunks_exact(d).zip(scales) {
            mean.iter_mut().zip(&row[c * PART..]).for_each(|(m, v)| *m += f64::from(*v) * s);
        }
        mean.iter_mut().for_each(|m| *m /= scales.len() as f64);
    });
    mean
}

fn centred(rows: &[f32], scales: &[f64], mean: &[f64], first: usize, columns: usize) -> Result<Tensor> {
    let (n, d) = (scales.len(), mean.len());
    let mut block = vec![0.0f32; n * columns];
    let mean = &mean[first..first + columns];
    block.par_chunks_mut(columns).zip(rows.par_chunks(d)).zip(scales).for_each(|((out, row), s)| {
        for ((out, v), m) in out.iter_mut().zip(&row[first..]).zip(mean) {
            *out = (f64::from(*v) * s - m) as f32;
        }
    });
    Ok(Tensor::from_vec(block, (n, columns), &Device::Cpu)?)
}

/// Adds the inner products of a block's rows to `gram`, on and below the diagonal.
fn add_products(block: &Tensor, gram: &mut [f64], n: usize) -> Result<()> {
    for first in (0..n).step_by(ROWS) {
        let count = ROWS.min(n - first);
        let wide = first + count;
        let products = block.narrow(0, first, count)?.matmul(&block.narrow(0, 0, wide)?.t()?)?.flatten_all()?.to_vec1::<f32>()?;
        gram[first * n..].par_chunks_mut(n).zip(products.par_chunks(wide)).for_each(|(gram, products)| {
            gram.iter_mut().zip(products).for_each(|(g, p)| *g += f64::from(*p));
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::noise;
    use super::*;
    use crate::control::{Cancel, quiet};

    fn measure(rows: &[f32], n: usize, d: usize) -> Result<Space> {
        quiet(|control| Space::of(rows, n, d, Lengths::AsGiven, control))
    }

    #[test]
    fn distances_and_cosines_are_those_of_the_rows() {
        // More columns than one block, more rows than one tile, far from the origin.
        let (n, d) = (520, 4200);
        let rows: Vec<f32> = noise(1, n * d).into_iter().map(|v| v + 3.0).collect();
        let space = measure(&rows, n, d).unwrap();
        let row = |i: usize| rows[i * d..(i + 1) * d].iter().map(|v| f64::from(*v));
        for (i, j) in [(0, 1), (519, 0), (513, 512), (511, 518)] {
            let want: f64 = row(i).zip(row(j)).map(|(a, b)| (a - b).powi(2)).sum();
            assert!((space.distance_squared(i, j) - want).abs() < 1e-5 * want, "{i} {j}");
            assert_eq!(space.distance_squared(i, j), space.distance_squared(j, i));
            let dot: f64 = row(i).zip(row(j)).map(|(a, b)| a * b).sum();
            let length = |k| row(k).map(|v| v * v).sum::<f64>().sqrt();
            assert!((space.cosine(i, j) - dot / length(i) / length(j)).abs() < 1e-6, "{i} {j}");
        }
    }

    #[test]
    fn neighbours_go_by_angle_not_by_length() {
        let space = measure(&[1.0, 0.0, 10.0, 1.0, 0.0, 1.0, 0.0, 0.0], 4, 2).unwrap();
        let near = space.nearest(3);
        assert_eq!(near[0][0].0, 1);
        assert_eq!(near[2].iter().map(|n| n.0).collect::<Vec<_>>(), [1, 0, 3]);
        assert!(near[3].iter().all(|n| n.1 == 0.0), "a state of zeros has no direction: {:?}", near[3]);
        assert!(space.nearest(9).iter().all(|n| n.len() == 3));
    }

    #[test]
    fn at_unit_length_distances_follow_cosines() {
        let (n, d) = (40, 70);
        // Lengths differ by up to forty times; one state of zeros.
        let rows: Vec<f32> =
            noise(8, n * d).iter().enumerate().map(|(i, v)| v * (i / d) as f32 + if i < d { 0.0 } else { 0.1 }).map(|v| v * 3.0).collect();
        let rows: Vec<f32> = rows.iter().enumerate().map(|(i, v)| if i < d { 0.0 } else { *v }).collect();
        let unit = quiet(|control| Space::of(&rows, n, d, Lengths::Unit, control)).unwrap();
        let raw = measure(&rows, n, d).unwrap();
        for (i, j) in [(1, 2), (39, 1), (20, 30)] {
            assert!((unit.distance_squared(i, j) - (2.0 - 2.0 * raw.cosine(i, j))).abs() < 1e-5, "{i} {j}");
            assert!((unit.cosine(i, j) - raw.cosine(i, j)).abs() < 1e-5);
        }
        assert!((unit.distance_squared(0, 5) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn what_cannot_be_measured_is_refused_with_its_place() {
        let says = |rows: &[f32], n, d| measure(rows, n, d).unwrap_err().to_string();
        assert!(says(&[0.0; 4], 2, 2).contains("2 states are too few"));
        assert!(says(&[0.0; 2], 1, 2).contains("1 state is too few"));
        assert!(says(&[], 0, 2).contains("0 states"));
        assert!(says(&[0.0; 7], 3, 2).contains("7 numbers"));
        assert!(says(&[1.0, 2.0, 3.0, f32::NAN, 4.0, 5.0], 3, 2).contains("state 1 holds NaN at entry 1"));
        assert!(says(&[1.0, 2.0, 3.0, 1.0, f32::NEG_INFINITY, 5.0], 3, 2).contains("state 2 holds -inf at entry 0"));
        let cancel = Cancel::new();
        cancel.cancel();
        assert!(matches!(Space::of(&[0.0; 6], 3, 2, Lengths::AsGiven, Control::new(&cancel, &|_| {})), Err(Error::Cancelled)));
    }
}
