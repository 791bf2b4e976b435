//! Statistics for the z-scored cosine: every entry's mean and deviation, and every skill's norm
//! after scaling.

use super::shard::{LayerView, part_len, sum_of_squares};
use super::store::Library;
use super::types::Part;
use rayon::prelude::*;

/// Columns that one thread works on; their sums stay in its first-level cache.
const COLUMNS: usize = 1024;

/// Statistics of one layer over all undamaged skills.
#[derive(Debug)]
pub(super) struct ZStats {
    /// Mean of each entry.
    pub mean: Vec<f64>,
    /// The means as f32, which the scan subtracts; a ranking corrects for the rounding.
    pub centre: Vec<f32>,
    /// 1 / (population standard deviation) of each entry; 0 for an entry that does not vary, which
    /// leaves it out.
    pub scale: Vec<f64>,
    /// Euclidean norm of each skill's scaled entries, in the library's order; NaN for a damaged
    /// one.
    pub norms: Vec<f64>,
}

impl Library {
    /// The statistics of one layer, computed on first use. A refreshed library computes them again.
    pub(super) fn z_stats(&self, part: Part, layer: usize) -> &ZStats {
        let at = if part == Part::Ssm { layer } else { self.shape().n_layer + layer };
        self.z[at].get_or_init(|| self.compute_z(part, layer))
    }

    fn compute_z(&self, part: Part, layer: usize) -> ZStats {
        let n = part_len(&self.shape(), part);
        let rows: Vec<Option<LayerView<'_>>> = (0..self.len())
            .map(|i| {
                let (shard, index) = &self.places[i];
                (!shard.norms(part, layer)[*index].is_nan()).then(|| shard.row(part, layer, *index))
            })
            .collect();
        let blocks: Vec<(Vec<f64>, Vec<f64>)> =
            (0..n).into_par_iter().step_by(COLUMNS).map(|from| columns(&rows, from..(from + COLUMNS).min(n))).collect();
        let (mut mean, mut scale) = (Vec::with_capacity(n), Vec::with_capacity(n));
        for (m, s) in blocks {
            mean.extend(m);
            scale.extend(s);
        }
        let norm = |row: &Option<LayerView<'_>>| {
            let Some(row) = row else { return f64::NAN };
            let scaled = row.to_vec().into_iter().zip(&mean).zip(&scale).map(|((x, &m), &s)| (f64::from(x) - m) * s);
            sum_of_squares(scaled).sqrt()
        };
        let norms = rows.par_iter().map(norm).collect();
        let centre = mean.iter().map(|&m| m as f32).collect();
        ZStats { mean, centre, scale, norms }
    }
}

/// Mean and inverse deviation of some columns, in two passes (the one-pass formula cancels when
/// entries hardly vary).
fn columns(rows: &[Option<LayerView<'_>>], range: std::ops::Range<usize>) -> (Vec<f64>, Vec<f64>) {
    let n = rows.iter().flatten().count().max(1) as f64;
    let (mut sum, mut buffer) = (vec![0.0f64; range.len()], vec![0.0f32; range.len()]);
    for row in rows.iter().flatten() {
        row.slice(range.clone()).copy_to(&mut buffer);
        sum.iter_mut().zip(&buffer).for_each(|(s, &x)| *s += f64::from(x));
    }
    let mean: Vec<f64> = sum.iter().map(|s| s / n).collect();
    sum.fill(0.0);
    for row in rows.iter().flatten() {
        row.slice(range.clone()).copy_to(&mut buffer);
        for ((s, &x), &m) in sum.iter_mut().zip(&buffer).zip(&mean) {
            let d = f64::from(x) - m;
            *s += d * d;
        }
    }
    let inverse = |(s, &m): (&f64, &f64)| {
        let deviation = (s / n).sqrt();
        // A variation below f32's precision is rounding noise, which scaling would amplify.
        if deviation <= 1e-6 * m.abs() + 1e-30 { 0.0 } else { 1.0 / deviation }
    };
    let scale = sum.iter().zip(&mean).map(inverse).collect();
    (mean, scale)
}
