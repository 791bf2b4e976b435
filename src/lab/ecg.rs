//! The skill ECG: how near the running state is to the best tasks, token by token.

use super::Lab;
use super::{EcgRequest, EcgRow, EcgView};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::Library;
use crate::model::{Prompt, Want};
use crate::state::State;

/// Maximum bytes of states at a time: a state per token of a large model would not fit in memory.
const BYTES: usize = 64 << 20;
/// Maximum number of tokens read between two progress reports. A ranking waits no longer than for
/// these.
const TOGETHER: usize = 24;

impl Lab {
    /// Reads the query as a ranking does, then its unfinished line, and compares the state after
    /// every token with the library.
    ///
    /// # Errors
    /// Those of [`Lab::rank`].
    pub fn ecg(&self, request: &EcgRequest, control: Control<'_>) -> Result<EcgView> {
        let query = self.query(&request.query)?;
        let library = self.filled_library()?;
        let mut tokens: Vec<u32> = self.ranked_segments(&query).concat();
        let ranked = tokens.len();
        // The unfinished line is read only if the ranking has not read it already, completed or as
        // it is.
        if query.parsed.closed_tail.is_none() && !query.examples.is_empty() {
            tokens.extend(&query.tail);
        }
        let tasks = tasks(&library);
        // For each token, the best score of each task.
        let mut best: Vec<Vec<f32>> = Vec::with_capacity(tokens.len());
        let mut state: Option<State> = None;
        let together = (BYTES / (self.shape().total_len() * size_of::<f32>())).clamp(1, TOGETHER);
        for piece in tokens.chunks(together) {
            let every: Vec<usize> = (1..=piece.len()).collect();
            let prompt = Prompt { tokens: piece, initial: state.as_ref(), snapshots: &every, want: Want::State };
            let quiet = control.with_progress(&|_| {});
            let read =
                self.model.network.prefill(&[prompt], quiet)?.pop().ok_or_else(|| Error::Model("the model returned no state".into()))?;
            for snapshot in &read.snapshots {
                control.check()?;
                best.push(best_by_task(&library.scores(snapshot, &request.view)?, &tasks));
            }
            state = Some(read.state);
            control.report(best.len() as u64, tokens.len() as u64, "tokens");
        }
        let last = best.get(ranked.saturating_sub(1)).cloned().unwrap_or_default();
        let mut order: Vec<usize> = (0..tasks.len()).filter(|&t| last.get(t).is_some_and(|s| s.is_finite())).collect();
        order.sort_by(|&a, &b| last[b].total_cmp(&last[a]).then_with(|| tasks[a].0.cmp(&tasks[b].0)));
        order.truncate(request.tasks);
        let row = |t: usize| EcgRow { task: tasks[t].0.clone(), scores: best.iter().map(|scores| scores[t]).collect() };
        Ok(EcgView {
            request: request.clone(),
            tokens: tokens.iter().map(|&t| self.model.tokenizer.token_text(t)).collect(),
            ranked,
            rows: order.into_iter().map(row).collect(),
        })
    }
}

/// Each task with the indices of its skills.
fn tasks(library: &Library) -> Vec<(String, Vec<usize>)> {
    let mut tasks: Vec<(String, Vec<usize>)> = Vec::new();
    for (i, skill) in library.skills().iter().enumerate() {
        match tasks.iter_mut().find(|(name, _)| *name == skill.task) {
            Some((_, places)) => places.push(i),
            None => tasks.push((skill.task.clone(), vec![i])),
        }
    }
    tasks
}

/// Each task's best score; −∞ if all its skills are damaged.
fn best_by_task(scores: &[f32], tasks: &[(String, Vec<usize>)]) -> Vec<f32> {
    let best = |places: &Vec<usize>| places.iter().map(|&i| scores[i]).filter(|s| !s.is_nan()).fold(f32::NEG_INFINITY, f32::max);
    tasks.iter().map(|(_, places)| best(places)).collect()
}
