//! Similarity of a query's state to every skill, and the ranking by it.
//!
//! With x a skill's entries in a layer, q the query's, both flattened:
//!
//! - cosine: `q·x / (|q| |x|)`. The query is scaled to length 1 beforehand and |x| is computed in
//!   the first ranking and stored, so each skill costs one dot product. A state of norm 0 has
//!   similarity 0 to everything.
//! - L2: `-|x − q|`, summed in this form. The cheaper `|q|² − 2 q·x + |x|²` loses its digits by
//!   cancellation near 0, where they matter.
//! - z-scored cosine: with mean μ and deviation σ of every entry over the library, the cosine of
//!   `(q − μ)/σ` and `(x − μ)/σ`. Their dot product is `Σ (q−μ)/σ · (x−μ)/σ = Σ w (x − μ)` with `w
//!   = (q − μ)/σ²`: all scaling is applied to the query, once, and each skill again costs one pass
//!   over its stored entries, with μ and w staying in the cache. The norms of the scaled skills are
//!   stored too. μ is subtracted as f32; its rounding error δ is added back as the constant `Σ w
//!   δ`. (Computing `w·μ` separately would save the subtraction, but lose the digits in which
//!   entries with |μ| ≫ σ differ.) Entries that do not vary are left out. In a library of one skill
//!   no entry varies, so its score is 0.
//!
//! Where the rows lie on a device ([`super::Rows`]), the device computes the sums; the rest is the
//! same.
//!
//! Sums run in f32 lanes and end in f64; where they overflow (entries beyond 10¹⁸) the row is
//! summed again in f64. A skill whose state holds NaN or infinity is left out
//! ([`Library::warnings`] names it).
//!
//! Speed (`cargo bench --bench rank`; 330 skills × 12 layers × 512×16, f16; two cores of an AMD
//! EPYC with AVX-512, busy with other work): one layer 0.14 ms for the scan (5.4 MB, 39 GB/s, the
//! machine's memory bandwidth) and 0.04 ms for sorting; all layers 4 ms; the first ranking of a
//! layer after opening 2 ms (cosine), 8 ms (z-scored).

use super::rows::{Job, Sum};
use super::shard::LayerView;
use super::store::Library;
use super::types::{Metric, Part, RankView, Ranking, ScoredSkill, ScoredTask};
use crate::error::{Error, Result};
use crate::simd::{Centred, Distance, Dot, Stored, rows};
use crate::state::State;
use rayon::prelude::*;
use std::collections::HashMap;
use std::time::Instant;

/// Rows per call of the kernel.
const TOGETHER: usize = 4;
/// Skills per piece of work of a thread.
const BLOCK: usize = 16;
/// Below this many bytes, waking other threads costs more time than it saves.
const PARALLEL_BYTES: usize = 2 << 20;

/// The query, prepared for one layer.
struct Prepared<'a> {
    layer: usize,
    /// The vector that the kernel multiplies by, or subtracts.
    a: Vec<f32>,
    /// The library's means, for the z-scored cosine.
    centre: &'a [f32],
    /// The error that rounding the means to f32 adds to every skill's sum.
    excess: f64,
    /// Norms of the scaled skills, for the z-scored cosine.
    z_norms: &'a [f64],
}

impl Library {
    /// The similarity of `query` to every skill, in the library's order, averaged over the view's
    /// layers. Cosines lie in −1..=1; distances are negated. The score is NaN if and only if the
    /// skill's state holds NaN or infinity in these layers.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the query's state has another shape; [`Error::Input`] if the view has
    /// no layer or one that the model lacks; [`Error::Library`] if a file was cut short.
    pub fn scores(&self, query: &State, view: &RankView) -> Result<Vec<f32>> {
        let (shape, layers) = (self.shape(), view.layers.clone());
        if query.shape() != shape {
            return Err(Error::Mismatch(format!(
                "the query's state has {}; the library {} has {shape}",
                query.shape(),
                self.path().display()
            )));
        }
        self.check_whole()?;
        if layers.is_empty() || layers.end > shape.n_layer {
            let (from, to, n) = (layers.start, layers.end, shape.n_layer);
            return Err(Error::Input(format!("the layers {from}..{to} cannot be compared: the model has the layers 0..{n}")));
        }
        let wide = {
            let bytes: u64 = self.bytes() / shape.n_layer as u64 * layers.len() as u64;
            bytes as usize > PARALLEL_BYTES
        };
        self.norms_ready(view, wide);
        let prepared: Vec<Prepared<'_>> = layers.clone().map(|l| self.prepare(query, view, l)).collect();
        let mut sums = vec![0.0f64; self.len()];
        let given = self.given(view, &prepared);
        let score = |(b, out): (usize, &mut [f64])| {
            for (i, p) in prepared.iter().enumerate() {
                let given = given.as_ref().map(|all| &all[i * self.len()..(i + 1) * self.len()]);
                self.add_scores(view, p, given, b * BLOCK, out);
            }
        };
        if wide {
            sums.par_chunks_mut(BLOCK).enumerate().for_each(score);
        } else {
            sums.chunks_mut(BLOCK).enumerate().for_each(score);
        }
        // Adding 0 turns −0 into 0; −0 would sort below 0.
        let mean = |s: f64| if s.is_nan() { f32::NAN } else { (s / layers.len() as f64) as f32 + 0.0 };
        Ok(sums.into_iter().map(|s| mean(s).clamp(f32::MIN, f32::MAX)).collect())
    }

    /// Skills and tasks by similarity to `query`, best first, ties in the order of their ids.
    /// `change` is the number of places gained since `before`. `shots`, `tokens_run` and
    /// `millis[0]` stay zero; the caller that ran the model fills them in.
    ///
    /// # Errors
    /// Those of [`Self::scores`].
    pub fn rank(&self, query: &State, view: &RankView, before: Option<&Ranking>) -> Result<Ranking> {
        let start = Instant::now();
        let scores = self.scores(query, view)?;
        let mut ranking = order(self, &scores);
        ranking.view = Some(view.clone());
        if let Some(before) = before {
            ranking.count_changes(before);
        }
        ranking.millis[1] = start.elapsed().as_secs_f64() * 1e3;
        Ok(ranking)
    }

    /// Computes the norms before the threads start, so that no thread waits for another's.
    /// Distances need them too: a norm of NaN marks a damaged skill.
    fn norms_ready(&self, view: &RankView, wide: bool) {
        let shards: Vec<_> = self.shards.values().collect();
        for l in view.layers.clone() {
            if wide {
                shards.par_iter().for_each(|s| _ = s.norms(view.part, l));
            } else {
                for s in &shards {
                    s.norms(view.part, l);
                }
            }
        }
    }

    fn prepare(&self, query: &State, view: &RankView, layer: usize) -> Prepared<'_> {
        let q = match view.part {
            Part::Ssm => query.ssm_layer(layer),
            Part::Conv => query.conv_layer(layer),
        };
        // The factor that scales a vector of this squared length to length 1; 0 for a vector of
        // length 0.
        let unit = |square: f64| if square > 0.0 { 1.0 / square.sqrt() } else { 0.0 };
        match view.metric {
            Metric::L2 => Prepared { layer, a: q.to_vec(), centre: &[], excess: 0.0, z_norms: &[] },
            Metric::Cosine => {
                let factor = unit(q.iter().map(|&v| f64::from(v).powi(2)).sum());
                Prepared { layer, a: q.iter().map(|&v| (f64::from(v) * factor) as f32).collect(), centre: &[], excess: 0.0, z_norms: &[] }
            }
            Metric::ZCosine => {
                let stats = self.z_stats(view.part, layer);
                let z = q.iter().zip(&stats.mean).zip(&stats.scale).map(|((&q, &m), &s)| (f64::from(q) - m) * s);
                let z: Vec<f64> = z.collect();
                let factor = unit(z.iter().map(|v| v * v).sum());
                let a: Vec<f32> = z.iter().zip(&stats.scale).map(|(z, s)| (z * factor * s) as f32).collect();
                let rounding = stats.mean.iter().zip(&stats.centre).map(|(&m, &c)| m - f64::from(c));
                let excess = a.iter().zip(rounding).map(|(&w, d)| f64::from(w) * d).sum();
                Prepared { layer, a, centre: &stats.centre, excess, z_norms: &stats.norms }
            }
        }
    }

    /// The sums over all rows, `[layer of the view][skill]`, computed by the device that holds
    /// them; `None` without a device, or if it fails.
    fn given(&self, view: &RankView, prepared: &[Prepared<'_>]) -> Option<Vec<f32>> {
        let rows = self.rows.get().filter(|_| view.part == Part::Ssm)?;
        let sum = match view.metric {
            Metric::Cosine => Sum::Dot,
            Metric::ZCosine => Sum::Centred,
            Metric::L2 => Sum::Distance,
        };
        let jobs: Vec<Job<'_>> = prepared.iter().map(|p| Job { layer: p.layer, a: &p.a, c: p.centre }).collect();
        match rows.sums(sum, &jobs) {
            Ok(sums) => Some(sums),
            Err(error) => {
                tracing::warn!("{error}; the ranking is made on the CPU");
                None
            }
        }
    }

    /// Adds one layer's similarities of the skills `first..first + out.len()` to `out`. `given` are
    /// the sums over all rows, if a device computed them.
    fn add_scores(&self, view: &RankView, p: &Prepared<'_>, given: Option<&[f32]>, first: usize, out: &mut [f64]) {
        let mut at = 0;
        while at < out.len() {
            let n = if out.len() - at >= TOGETHER && given.is_none() { TOGETHER } else { 1 };
            let row = |k: usize| self.row(first + at + k, view.part, p.layer);
            let raw = if n == TOGETHER { four(view.metric, p, [row(0), row(1), row(2), row(3)]) } else { None };
            for k in 0..n {
                let i = first + at + k;
                let raw = match (given, raw) {
                    (Some(given), _) => f64::from(given[i]),
                    (None, Some(raw)) => raw[k],
                    (None, None) => one(view.metric, p, row(k)),
                };
                let raw = if raw.is_finite() { raw } else { exact(view.metric, p, row(k)) } - p.excess;
                let (shard, index) = &self.places[i];
                let norm = shard.norms(view.part, p.layer)[*index];
                let cosine = |norm: f64| if norm > 0.0 { (raw / norm).clamp(-1.0, 1.0) } else { 0.0 };
                out[at + k] += match view.metric {
                    _ if norm.is_nan() => f64::NAN,
                    Metric::L2 => -raw.sqrt(),
                    Metric::Cosine => cosine(norm),
                    Metric::ZCosine => cosine(p.z_norms[i]),
                };
            }
            at += n;
        }
    }
}

fn run<T: Stored, const R: usize>(metric: Metric, p: &Prepared<'_>, x: [&[T]; R]) -> [f64; R] {
    match metric {
        Metric::Cosine => rows::<T, Dot, R>(&p.a, &[], x),
        Metric::ZCosine => rows::<T, Centred, R>(&p.a, p.centre, x),
        Metric::L2 => rows::<T, Distance, R>(&p.a, &[], x),
    }
}

/// The sums of four rows at once, if all have the same stored type.
fn four(metric: Metric, p: &Prepared<'_>, x: [LayerView<'_>; TOGETHER]) -> Option<[f64; TOGETHER]> {
    match x {
        [LayerView::F16(a), LayerView::F16(b), LayerView::F16(c), LayerView::F16(d)] => Some(run(metric, p, [a, b, c, d])),
        [LayerView::F32(a), LayerView::F32(b), LayerView::F32(c), LayerView::F32(d)] => Some(run(metric, p, [a, b, c, d])),
        _ => None,
    }
}

fn one(metric: Metric, p: &Prepared<'_>, x: LayerView<'_>) -> f64 {
    match x {
        LayerView::F16(x) => run(metric, p, [x])[0],
        LayerView::F32(x) => run(metric, p, [x])[0],
    }
}

/// The sum of a row in f64, for rows whose f32 sums overflow.
fn exact(metric: Metric, p: &Prepared<'_>, x: LayerView<'_>) -> f64 {
    let x = x.to_vec();
    let pairs = p.a.iter().zip(&x).map(|(&a, &x)| (f64::from(a), f64::from(x)));
    match metric {
        Metric::Cosine => pairs.map(|(a, x)| a * x).sum(),
        Metric::ZCosine => pairs.zip(p.centre).map(|((a, x), &c)| a * (x - f64::from(c))).sum(),
        Metric::L2 => pairs.map(|(a, x)| (x - a) * (x - a)).sum(),
    }
}

/// Ranks skills by score and tasks by their best skill, best first.
fn order(library: &Library, scores: &[f32]) -> Ranking {
    let skills = library.skills();
    let mut places: Vec<usize> = (0..scores.len()).filter(|&i| !scores[i].is_nan()).collect();
    places.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]).then_with(|| skills[a].id.cmp(&skills[b].id)));
    let mut ranking = Ranking::default();
    // By task: its place in `by_task`, and the sum and count of its scores.
    let mut tasks: HashMap<&str, (usize, f64, usize)> = HashMap::new();
    for &i in &places {
        let (meta, score) = (&skills[i], scores[i]);
        ranking.ranking.push(ScoredSkill { skill: meta.id.clone(), task: meta.task.clone(), score, change: None });
        let sum = tasks.entry(&meta.task).or_insert((ranking.by_task.len(), 0.0, 0));
        if sum.2 == 0 {
            ranking.by_task.push(ScoredTask { task: meta.task.clone(), skill: meta.id.clone(), score, mean: 0.0, change: None });
        }
        sum.1 += f64::from(score);
        sum.2 += 1;
    }
    for (at, sum, count) in tasks.into_values() {
        ranking.by_task[at].mean = (sum / count as f64) as f32;
    }
    ranking.margin = margin(&ranking.by_task);
    ranking
}

/// The first task's score minus the second's; 0 for fewer than two tasks.
fn margin(by_task: &[ScoredTask]) -> f32 {
    if let [first, second, ..] = by_task { first.score - second.score } else { 0.0 }
}

impl Ranking {
    /// Removes these tasks and their skills, as if the library did not have them.
    pub fn leave_out(&mut self, tasks: &[&str]) {
        if tasks.is_empty() {
            return;
        }
        self.ranking.retain(|s| !tasks.contains(&s.task.as_str()));
        self.by_task.retain(|t| !tasks.contains(&t.task.as_str()));
        self.margin = margin(&self.by_task);
    }

    /// Removes one skill, as if the library did not have it. Means of tasks stay unchanged.
    pub fn leave_out_skill(&mut self, skill: &str) {
        self.ranking.retain(|s| s.skill != skill);
        let Some(at) = self.by_task.iter().position(|t| t.skill == skill) else { return };
        let mut task = self.by_task.remove(at);
        if let Some(next) = self.ranking.iter().find(|s| s.task == task.task) {
            (task.skill, task.score) = (next.skill.clone(), next.score);
            let place = self.by_task.partition_point(|t| t.score >= task.score);
            self.by_task.insert(place, task);
        }
        self.margin = margin(&self.by_task);
    }

    /// Sets every `change`: places gained against `before`; `None` for skills and tasks that were
    /// not in it.
    pub fn count_changes(&mut self, before: &Ranking) {
        let places: HashMap<&str, usize> = before.ranking.iter().enumerate().map(|(i, s)| (s.skill.as_str(), i)).collect();
        for (i, s) in self.ranking.iter_mut().enumerate() {
            s.change = places.get(s.skill.as_str()).map(|&was| was as i32 - i as i32);
        }
        let places: HashMap<&str, usize> = before.by_task.iter().enumerate().map(|(i, t)| (t.task.as_str(), i)).collect();
        for (i, t) in self.by_task.iter_mut().enumerate() {
            t.change = places.get(t.task.as_str()).map(|&was| was as i32 - i as i32);
        }
    }
}
