//! The SSM rows of a library on the card, in the precision of its files: ranked where they lie.

use super::gpu::{Arg, Buf, Gpu, Grid, Kernels};
use crate::error::{Error, Result};
use crate::library::{Job, LayerView, Library, Part, Rows, Sum};
use half::f16;
use std::sync::Arc;

/// Rows `[layer][skill][d_inner · d_state]`.
pub struct Shelf {
    gpu: Arc<Gpu>,
    kernels: Arc<Kernels>,
    rows: Buf,
    half: bool,
    skills: usize,
    length: usize,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} skills on {}", self.skills, self.gpu.name())
    }
}

impl Shelf {
    /// Copies a library's rows to the card, with the kernels of the library's model, if they take no more than half of what is free there.
    ///
    /// # Errors
    /// [`Error::Model`] if they do, or the card fails; [`Error::Library`] if some skills are stored as f16 and some as f32.
    pub fn new(gpu: Arc<Gpu>, kernels: Arc<Kernels>, library: &Library) -> Result<Self> {
        let shape = library.shape();
        let (skills, length) = (library.len(), shape.ssm_len());
        let is_half = |i: usize| matches!(library.row(i, Part::Ssm, 0), LayerView::F16(_));
        let half = skills > 0 && is_half(0);
        if (0..skills).any(|i| is_half(i) != half) {
            return Err(Error::Library("the library holds skills of two precisions".into()));
        }
        let row = length * if half { 2 } else { 4 };
        let bytes = shape.n_layer * skills * row;
        let (free, _) = gpu.memory();
        if bytes > free / 2 {
            return Err(Error::Model(format!("the library's {} MiB do not fit into half of the {} MiB that are free", bytes >> 20, free >> 20)));
        }
        let rows = gpu.alloc(bytes, "the library")?;
        for layer in 0..shape.n_layer {
            for skill in 0..skills {
                let to = rows.at((layer * skills + skill) * row);
                // A row at a time: whoever has something urgent comes in between.
                let _gate = gpu.enqueue();
                match library.row(skill, Part::Ssm, layer) {
                    LayerView::F16(x) => gpu.write::<f16>(to, x)?,
                    LayerView::F32(x) => gpu.write::<f32>(to, x)?,
                }
            }
        }
        gpu.wait()?;
        Ok(Self { gpu, kernels, rows, half, skills, length })
    }
}

impl Rows for Shelf {
    fn sums(&self, sum: Sum, jobs: &[Job<'_>]) -> Result<Vec<f32>> {
        let gpu = &*self.gpu;
        let layers: Vec<i32> = jobs.iter().map(|j| j.layer as i32).collect();
        let flat = |part: fn(&Job<'_>) -> usize| jobs.iter().all(|j| part(j) == self.length);
        if !flat(|j| j.a.len()) || sum == Sum::Centred && !flat(|j| j.c.len()) {
            return Err(Error::Mismatch("a query's rows are not as long as the library's".into()));
        }
        let _gate = gpu.enqueue();
        let of_jobs = gpu.upload(&layers, "a ranking")?;
        let place = |what| gpu.alloc(4 * jobs.len() * self.length, what);
        let a = place("a ranking")?;
        let c = if sum == Sum::Centred { Some(place("a ranking")?) } else { None };
        for (i, job) in jobs.iter().enumerate() {
            gpu.write(a.at(4 * i * self.length), job.a)?;
            if let Some(c) = &c {
                gpu.write(c.at(4 * i * self.length), job.c)?;
            }
        }
        let count = jobs.len() * self.skills;
        let (out, mut found) = (gpu.alloc(4 * count, "a ranking")?, gpu.pinned(count)?);
        let op = match sum {
            Sum::Dot => 0,
            Sum::Centred => 1,
            Sum::Distance => 2,
        };
        let centre = c.as_ref().unwrap_or(&a).at(0);
        let args =
            [Arg::Ptr(self.rows.at(0)), Arg::Ptr(of_jobs.at(0)), Arg::Ptr(a.at(0)), Arg::Ptr(centre), Arg::Int(op), Arg::Int(self.length), Arg::Ptr(out.at(0))];
        let kernel = if self.half { "row_sums_f16" } else { "row_sums_f32" };
        gpu.launch(&self.kernels, kernel, Grid::new(self.skills, jobs.len(), 256), &args)?;
        gpu.read(&gpu.stream, out.at(0), found.floats_mut())?;
        gpu.wait()?;
        Ok(found.floats()[..count].to_vec())
    }
}
