//! The states of a library on the GPU, in the precision of its files. They are ranked and mixed
//! there.

use crate::error::{Error, Result};
use crate::library::{Job, LayerView, Library, Part, Rows, Sum};
use crate::model::cuda::{Arg, Buf, Gpu, Grid, Kernels, Pool};
use crate::state::{Layout, State};
use half::f16;
use rayon::prelude::*;
use std::sync::Arc;

/// A library's states, each part as `[layer][skill][entries]`.
pub struct Shelf {
    gpu: Arc<Gpu>,
    kernels: Arc<Kernels>,
    pool: Arc<Pool>,
    ssm: Buf,
    conv: Buf,
    /// f32.
    sums: Buf,
    half: bool,
    skills: usize,
    shape: Layout,
}

impl std::fmt::Debug for Shelf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} skills on {}", self.skills, self.gpu.name())
    }
}

impl Shelf {
    /// Copies a library's states to the GPU, with the kernels of the library's model, if they take
    /// no more than half of its free memory.
    ///
    /// # Errors
    /// [`Error::Model`] if they take more, or the GPU fails; [`Error::Library`] if some skills are
    /// stored as f16 and some as f32.
    pub fn new(gpu: Arc<Gpu>, kernels: Arc<Kernels>, pool: Arc<Pool>, library: &Library) -> Result<Self> {
        let (skills, shape) = (library.len(), library.shape());
        let is_half = |i: usize| matches!(library.row(i, Part::Ssm, 0), LayerView::F16(_));
        let half = skills > 0 && is_half(0);
        if (0..skills).any(|i| is_half(i) != half) {
            return Err(Error::Library("the library holds skills of two precisions".into()));
        }
        let size = if half { 2 } else { 4 };
        let of = |entries: usize, size: usize| shape.n_layer * skills * entries * size;
        let bytes = of(shape.memory.len() + shape.window.len(), size) + of(shape.sidecar.len(), 4);
        let (free, _) = gpu.memory();
        if bytes > free / 2 {
            return Err(Error::Model(format!(
                "the library's {} MiB do not fit into half of the {} MiB that are free",
                bytes >> 20,
                free >> 20
            )));
        }
        let part = |entries: usize, size: usize| gpu.alloc(of(entries, size), "the library");
        let (ssm, conv, sums) = (part(shape.memory.len(), size)?, part(shape.window.len(), size)?, part(shape.sidecar.len(), 4)?);
        for layer in 0..shape.n_layer {
            for skill in 0..skills {
                let place = layer * skills + skill;
                // One row at a time, so that urgent work can come in between.
                let _gate = gpu.enqueue();
                for (part, to, entries) in [(Part::Ssm, &ssm, shape.memory.len()), (Part::Conv, &conv, shape.window.len())] {
                    match library.row(skill, part, layer) {
                        LayerView::F16(x) => gpu.write::<f16>(to.at(place * entries * size), x)?,
                        LayerView::F32(x) => gpu.write::<f32>(to.at(place * entries * size), x)?,
                    }
                }
                let e = shape.sidecar.len();
                gpu.write(sums.at(place * e * 4), &library.dt_sum(skill)[layer * e..(layer + 1) * e])?;
            }
        }
        gpu.wait()?;
        Ok(Self { gpu, kernels, pool, ssm, conv, sums, half, skills, shape })
    }

    /// Enqueues Σ w·x of one part of `count` skills (given by their indices and weights) into
    /// `out`, for all layers.
    fn weigh(&self, part: &Buf, half: bool, entries: usize, (picks, weights, count): (u64, u64, usize), out: u64) -> Result<()> {
        let args = [
            Arg::Ptr(part.at(0)),
            Arg::Ptr(picks),
            Arg::Ptr(weights),
            Arg::Int(count),
            Arg::Int(self.skills),
            Arg::Int(entries),
            Arg::Ptr(out),
        ];
        let kernel = if half { "combine_f16" } else { "combine_f32" };
        self.gpu.launch(&self.kernels, kernel, Grid::new(entries.div_ceil(256), self.shape.n_layer, 256), &args)
    }
}

/// Numbers that one thread checks.
const PIECE: usize = 1 << 18;

impl Rows for Shelf {
    fn sums(&self, sum: Sum, jobs: &[Job<'_>]) -> Result<Vec<f32>> {
        let gpu = &*self.gpu;
        let layers: Vec<i32> = jobs.iter().map(|j| j.layer as i32).collect();
        let flat = |part: fn(&Job<'_>) -> usize| jobs.iter().all(|j| part(j) == self.shape.memory.len());
        if !flat(|j| j.a.len()) || sum == Sum::Centred && !flat(|j| j.c.len()) {
            return Err(Error::Mismatch("a query's rows are not as long as the library's".into()));
        }
        let _gate = gpu.enqueue();
        let of_jobs = gpu.upload(&layers, "a ranking")?;
        let place = |what| gpu.alloc(4 * jobs.len() * self.shape.memory.len(), what);
        let a = place("a ranking")?;
        let c = if sum == Sum::Centred { Some(place("a ranking")?) } else { None };
        for (i, job) in jobs.iter().enumerate() {
            gpu.write(a.at(4 * i * self.shape.memory.len()), job.a)?;
            if let Some(c) = &c {
                gpu.write(c.at(4 * i * self.shape.memory.len()), job.c)?;
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
        let args = [
            Arg::Ptr(self.ssm.at(0)),
            Arg::Ptr(of_jobs.at(0)),
            Arg::Ptr(a.at(0)),
            Arg::Ptr(centre),
            Arg::Int(op),
            Arg::Int(self.shape.memory.len()),
            Arg::Ptr(out.at(0)),
        ];
        let kernel = if self.half { "row_sums_f16" } else { "row_sums_f32" };
        gpu.launch(&self.kernels, kernel, Grid::new(self.skills, jobs.len(), 256), &args)?;
        gpu.read(out.at(0), found.floats_mut())?;
        gpu.wait()?;
        Ok(found.floats()[..count].to_vec())
    }

    fn combine(&self, picks: &[(usize, f32)], share: f32, tokens: u64) -> Result<State> {
        let (gpu, s) = (&*self.gpu, self.shape);
        if let Some((i, _)) = picks.iter().find(|(i, _)| *i >= self.skills) {
            return Err(Error::Input(format!("there is no skill {i} among {}", self.skills)));
        }
        let widths = [s.memory.len(), s.window.len(), s.sidecar.len()].map(|entries| s.n_layer * entries);
        let places: Vec<i32> = picks.iter().map(|(i, _)| *i as i32).collect();
        let weights: Vec<f32> = picks.iter().map(|(_, w)| *w).collect();
        let sizes: Vec<f32> = weights.iter().map(|w| w.abs()).collect();
        let _gate = gpu.enqueue();
        let of = |numbers: &[f32]| gpu.upload(numbers, "a mix");
        let (places, weights, sizes) = (gpu.upload(&places, "a mix")?, of(&weights)?, of(&sizes)?);
        let total: usize = widths.iter().sum();
        let (out, mut found) = (gpu.alloc(4 * total, "a mix")?, self.pool.take(gpu)?);
        let parts = [(&self.ssm, self.half, &weights), (&self.conv, self.half, &weights), (&self.sums, false, &sizes)];
        let mut at = 0;
        for ((part, half, weights), width) in parts.into_iter().zip(widths) {
            self.weigh(part, half, width / s.n_layer, (places.at(0), weights.at(0), picks.len()), out.at(4 * at))?;
            at += width;
        }
        gpu.read(out.at(0), found.floats_mut())?;
        gpu.wait()?;
        let numbers = found.floats_mut();
        if share != 1.0 {
            numbers[total - widths[2]..].iter_mut().for_each(|v| *v *= share);
        }
        // A large state stays in the memory that the GPU copies from at full speed: from ordinary
        // memory a state of mamba-2.8b (26 MB) takes ten times as long, at every question. Others
        // are copied out, which checks them too.
        let finite = |piece: &[f32]| piece.iter().fold(true, |all, v| all & v.is_finite());
        let stays = self.pool.is_used() && numbers.par_chunks(PIECE).all(finite);
        found.into_state(s, tokens, !stays)
    }
}
