//! Queries of a task's test pairs, and questions that are in none of them.

use crate::control::Control;
use crate::error::Result;
use crate::lab::Lab;
use crate::task::{Pair, draw, rng};

/// A query's examples, with questions that are not among them.
pub struct Query {
    /// The examples by which the soup is chosen.
    pub examples: Vec<Pair>,
    /// The questions on which the soup is measured.
    pub questions: Vec<Pair>,
}

/// Draws a query of a task and its questions, both from the task's test pairs.
///
/// # Errors
/// [`Error::Input`](crate::error::Error::Input) if the task is too small.
pub fn query_of(lab: &Lab, task: usize, shots: usize, questions: usize, seed: u64) -> Result<Query> {
    let of = &lab.tasks()[task];
    let split = lab.split_spec().draw(of)?;
    let order = draw(&split.test, shots + questions, &mut rng(seed, &of.name, shots));
    let pairs: Vec<Pair> = order.into_iter().map(|i| of.pairs[i].clone()).collect();
    let (examples, questions) = pairs.split_at(shots.min(pairs.len()));
    Ok(Query { examples: examples.to_vec(), questions: questions.to_vec() })
}

/// Questions for a query that a user typed: test pairs of the task that is ranked first, without
/// those whose input is in the query. Empty if the lab does not have that task.
///
/// # Errors
/// As [`Lab::rank`]; [`Error::Input`](crate::error::Error::Input) if the task is too small to
/// split.
pub fn questions_for(lab: &Lab, examples: &[Pair], query: &str, count: usize, control: Control<'_>) -> Result<Vec<Pair>> {
    let ranking = lab.rank(query, &lab.default_view(), control)?;
    let best = ranking.by_task.first().and_then(|best| lab.tasks().iter().find(|t| t.name == best.task));
    let Some(task) = best else { return Ok(Vec::new()) };
    let split = lab.split_spec().draw(task)?;
    let order = draw(&split.test, split.test.len(), &mut rng(0, &task.name, 0));
    let new = order.into_iter().map(|i| task.pairs[i].clone()).filter(|p| examples.iter().all(|e| e.input != p.input));
    Ok(new.take(count).collect())
}
