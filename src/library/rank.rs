//! Ranking: every skill compared with a query, exactly, in one pass over the stored numbers.
//!
//! With rows x as stored, the query q, the library's mean μ and deviation σ of each entry:
//! - cosine: q·x / (‖q‖ ‖x‖); the norms of the rows are computed once.
//! - L2: ‖q − x‖² = ‖q‖² − 2 q·x + ‖x‖², in f64.
//! - z-scored cosine: with z(x) = (x − μ)/σ and w = (q − μ)/σ², z(q)·z(x) = w·x − w·μ, so that the stored rows are streamed as they are.
//!   Entries that do not vary over the library (σ = 0) count nothing.

use super::{Library, Metric, Part, RankView, Ranking, ScoredSkill, ScoredTask};
use crate::error::{Error, Result};
use crate::state::State;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What is computed once for a layer and part.
struct LayerStatistics {
    /// ‖x‖ of each skill.
    norms: Vec<f64>,
    /// ‖z(x)‖ of each skill.
    z_norms: Vec<f64>,
    mean: Vec<f32>,
    /// 1/σ, or 0 where σ is 0.
    scale: Vec<f32>,
}

/// Statistics of the layers used so far; a changed library starts anew.
#[derive(Default)]
pub struct Statistics(Mutex<HashMap<(Part, usize), Arc<LayerStatistics>>>);

impl Library {
    /// Ranks all skills by their similarity to a state; `previous` gives the rank changes.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a state of another shape, [`Error::Input`] for layers the model lacks.
    pub fn rank(&self, query: &State, view: &RankView, previous: Option<&Ranking>) -> Result<Ranking> {
        if query.shape() != self.shape {
            return Err(Error::Mismatch(format!("the query's state has {}, the library's {}", query.shape(), self.shape)));
        }
        if view.layers.is_empty() || view.layers.end > self.shape.n_layer {
            let (r, n) = (&view.layers, self.shape.n_layer);
            return Err(Error::Input(format!("the layers {}..{} are not a range of the model's 0..{n}", r.start, r.end)));
        }
        let mut scores = vec![0.0f64; self.skills().len()];
        for layer in view.layers.clone() {
            let values = match view.part {
                Part::Ssm => query.ssm_layer(layer),
                Part::Conv => query.conv_layer(layer),
            };
            for (sum, score) in scores.iter_mut().zip(self.score_layer(values, view, layer)) {
                *sum += score / view.layers.len() as f64;
            }
        }
        Ok(self.sorted(&scores, previous))
    }

    fn score_layer(&self, query: &[f32], view: &RankView, layer: usize) -> Vec<f64> {
        let statistics = self.layer_statistics(view.part, layer);
        let norm = |v: &[f32]| v.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
        let ratio = |dot: f64, norms: f64| if norms > 0.0 { dot / norms } else { 0.0 };
        let each = statistics.norms.iter().zip(&statistics.z_norms);
        match view.metric {
            Metric::Cosine => {
                let q = norm(query).sqrt();
                self.dots(query, view.part, layer).iter().zip(each).map(|(d, (n, _))| ratio(*d, q * n)).collect()
            }
            Metric::L2 => {
                let q = norm(query);
                self.dots(query, view.part, layer).iter().zip(each).map(|(d, (n, _))| -(q - 2.0 * d + n * n).max(0.0).sqrt()).collect()
            }
            Metric::ZCosine => {
                let s = &statistics;
                let z: Vec<f32> = query.iter().zip(&s.mean).zip(&s.scale).map(|((q, m), s)| (q - m) * s).collect();
                let w: Vec<f32> = z.iter().zip(&s.scale).map(|(z, s)| z * s).collect();
                let shift: f64 = w.iter().zip(&s.mean).map(|(w, m)| f64::from(*w) * f64::from(*m)).sum();
                let q = norm(&z).sqrt();
                self.dots(&w, view.part, layer).iter().zip(each).map(|(d, (_, n))| ratio(d - shift, q * n)).collect()
            }
        }
    }

    /// The dot product of a vector with every skill's layer.
    fn dots(&self, vector: &[f32], part: Part, layer: usize) -> Vec<f64> {
        let by_shard: Vec<Vec<f32>> = self
            .shards
            .iter()
            .map(|shard| {
                let mut dots = vec![0.0; shard.rows()];
                shard.layer(part, layer).dot(vector, &mut dots);
                dots
            })
            .collect();
        self.places.iter().map(|(shard, row)| f64::from(by_shard[*shard][*row])).collect()
    }

    fn layer_statistics(&self, part: Part, layer: usize) -> Arc<LayerStatistics> {
        let mut known = self.statistics.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry((part, layer)).or_insert_with(|| Arc::new(self.compute_statistics(part, layer))))
    }

    fn compute_statistics(&self, part: Part, layer: usize) -> LayerStatistics {
        let len = self.layer_len(part);
        let n = self.skills().len().max(1) as f64;
        let mut row = vec![0.0f32; len];
        let mut read = |place: &(usize, usize)| {
            self.shards[place.0].layer(part, layer).read_row(place.1, &mut row);
            row.clone()
        };
        let (mut sum, mut squares) = (vec![0.0f64; len], vec![0.0f64; len]);
        let mut norms = Vec::with_capacity(self.places.len());
        for place in &*self.places {
            let row = read(place);
            let mut norm = 0.0;
            for ((x, sum), squares) in row.iter().zip(&mut sum).zip(&mut squares) {
                let x = f64::from(*x);
                *sum += x;
                *squares += x * x;
                norm += x * x;
            }
            norms.push(norm.sqrt());
        }
        let mean: Vec<f32> = sum.iter().map(|s| (s / n) as f32).collect();
        let scale: Vec<f32> = sum
            .iter()
            .zip(&squares)
            .map(|(s, q)| {
                let variance = q / n - (s / n).powi(2);
                // Below rounding of the sums, an entry does not vary.
                if variance > 1e-12 * (q / n) && variance > 0.0 { (1.0 / variance.sqrt()) as f32 } else { 0.0 }
            })
            .collect();
        let z_norm =
            |row: Vec<f32>| row.iter().zip(&mean).zip(&scale).map(|((x, m), s)| f64::from((x - m) * s).powi(2)).sum::<f64>().sqrt();
        let z_norms = self.places.iter().map(|place| z_norm(read(place))).collect();
        LayerStatistics { norms, z_norms, mean, scale }
    }

    fn sorted(&self, scores: &[f64], previous: Option<&Ranking>) -> Ranking {
        let skills = self.skills();
        let mut order: Vec<usize> = (0..skills.len()).collect();
        // Best first; a score that is no number comes last; ties go by id, so that the order never flickers.
        let key = |i: usize| if scores[i].is_finite() { scores[i] } else { f64::NEG_INFINITY };
        order.sort_by(|&a, &b| key(b).total_cmp(&key(a)).then_with(|| skills[a].id.cmp(&skills[b].id)));
        let skill_places = places(previous.map(|p| p.ranking.iter().map(|s| s.skill.as_str())));
        let task_places = places(previous.map(|p| p.by_task.iter().map(|t| t.task.as_str())));
        let ranking: Vec<ScoredSkill> = order
            .iter()
            .enumerate()
            .map(|(place, &i)| ScoredSkill {
                skill: skills[i].id.clone(),
                task: skills[i].task.clone(),
                score: scores[i] as f32,
                change: change(&skill_places, &skills[i].id, place),
            })
            .collect();
        let mut sums: HashMap<&str, (f64, f64)> = HashMap::new();
        for (skill, score) in skills.iter().zip(scores) {
            let entry = sums.entry(&skill.task).or_default();
            *entry = (entry.0 + score, entry.1 + 1.0);
        }
        let mut by_task: Vec<ScoredTask> = Vec::new();
        for s in &ranking {
            // Each task comes once, at its best skill: the first time it is met.
            if let Some((sum, n)) = sums.remove(s.task.as_str()) {
                by_task.push(ScoredTask {
                    task: s.task.clone(),
                    skill: s.skill.clone(),
                    score: s.score,
                    mean: (sum / n) as f32,
                    change: change(&task_places, &s.task, by_task.len()),
                });
            }
        }
        let margin = if let [first, second, ..] = &by_task[..] { first.score - second.score } else { 0.0 };
        Ranking { ranking, by_task, margin, ..Ranking::default() }
    }
}

fn places<'a>(names: Option<impl Iterator<Item = &'a str>>) -> Option<HashMap<&'a str, usize>> {
    names.map(|names| names.enumerate().map(|(place, name)| (name, place)).collect())
}

fn change(before: &Option<HashMap<&str, usize>>, name: &str, now: usize) -> Option<i32> {
    before.as_ref()?.get(name).map(|before| *before as i32 - now as i32)
}
