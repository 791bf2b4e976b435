//! Chooses the weights of a soup by the query's own examples. A soup whose query part did not read
//! an example is asked that example (leave one out). First the weights and then the layer weights
//! are optimised until the answers are likeliest. The gain is measured on pairs that had no part in
//! the choice.
//!
//! - `problem`: the optimisation for one query. `mixture`: its variables.
//! - `queries`: a query and questions of one task. `report`: what is written.
//!
//! The command line uses [`choose`], [`measure`] and the queries; the experiment is `run`.

mod mixture;
mod problem;
mod queries;
mod report;

use super::compare::Rows;
use super::group::Group;
use super::{Live, Report, Settings};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::lab::trials::{Ask, Trials};
use crate::state::State;
use crate::task::{Pair, draw, rng};
use problem::Problem;
pub use queries::{Query, query_of, questions_for};
use report::{Part, report};
use serde::Serialize;

/// A soup and its loss on the query's left-out examples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Candidate {
    /// `query`, `best skill`, `plain mean`, `greedy soup`, `weights`, `weights and layers`.
    pub name: String,
    /// The soup's recipe.
    pub recipe: String,
    /// −ln p of an example's answer when the soup's query part did not read that example, mean over
    /// the examples, nats.
    pub left_out: f64,
}

/// The result of the optimisation for one query.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Chosen {
    /// The query's examples, in the template's form.
    pub examples: Vec<String>,
    /// All soups that were compared; the last one has optimised weights and layer weights.
    pub candidates: Vec<Candidate>,
    /// `query` and the skills, in the order of the weights.
    pub ingredients: Vec<String>,
    /// The weights of the ingredients; they sum to 1.
    pub weights: Vec<f64>,
    /// For each layer the share of the soup, 0 to 1; the rest is the query's state.
    pub layer_weights: Vec<f64>,
    /// Number of soups evaluated.
    pub tried: usize,
}

/// Chooses weights for the `top` best-ranked skills and the query, by the query's examples.
///
/// # Errors
/// [`Error::Input`] for fewer than two examples, [`Error::Library`] for an empty library; the
/// model's; [`Error::Cancelled`].
pub fn choose(lab: &Lab, examples: &[Pair], top: usize, control: Control<'_>) -> Result<Chosen> {
    let trials = Trials::new(lab);
    let (chosen, _) = Problem::new(&trials, examples, top, control)?.solve()?;
    let texts = examples.iter().map(|p| lab.template().example(p)).collect();
    Ok(Chosen { examples: texts, ..chosen })
}

/// Runs [`choose`] for each query, and asks every soup the query's questions. Intervals resample
/// whole queries, or single questions if there is only one query.
///
/// # Errors
/// As [`choose`]; [`Error::Input`] if there is no question.
pub fn measure(lab: &Lab, queries: &[Query], top: usize, settings: &Settings, control: Control<'_>) -> Result<(Vec<Chosen>, Report)> {
    let trials = Trials::new(lab);
    let mut part = Part::new(Group::All);
    for (i, query) in queries.iter().enumerate() {
        control.report(i as u64, queries.len() as u64, "queries");
        let quiet = |_| {};
        let (chosen, states) = Problem::new(&trials, &query.examples, top, control.with_progress(&quiet))?.solve()?;
        let group = |question: usize| if queries.len() == 1 { question } else { i };
        ask(&trials, &mut part.rows, &group, &states, &query.questions, control)?;
        part.chosen.push(Chosen { examples: query.examples.iter().map(|p| lab.template().example(p)).collect(), ..chosen });
    }
    if queries.iter().all(|q| q.questions.is_empty()) {
        return Err(Error::Input("there is no pair left to ask that is in no skill and not in the query".into()));
    }
    let report = report(std::slice::from_ref(&part), top, settings);
    Ok((part.chosen, report))
}

/// Asks every state the questions. `group` maps a question's index to its resampling group.
fn ask(
    trials: &Trials<'_>,
    rows: &mut Rows,
    group: &dyn Fn(usize) -> usize,
    states: &[State],
    questions: &[Pair],
    control: Control<'_>,
) -> Result<()> {
    for (q, pair) in questions.iter().enumerate() {
        let (tail, answer) = trials.question(pair)?;
        let asks: Vec<Ask> = states.iter().map(|s| Ask { states: vec![s.clone()], tail: tail.clone(), answer: answer.clone() }).collect();
        rows.push(group(q), &trials.ask(&asks, control)?);
    }
    Ok(())
}

/// In the experiment: examples in a query, and skills mixed with it.
const SHOTS: usize = 4;
const TOP: usize = 3;

pub(super) fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let lab = trials.lab;
    let mut parts: Vec<Part> = Group::of(lab).into_iter().map(Part::new).collect();
    // (part, task) in the order of asking, with up to the same number of tasks from each group.
    let mut tasks: Vec<(usize, usize)> = Vec::new();
    for (p, part) in parts.iter().enumerate() {
        let of_group: Vec<usize> = (0..lab.tasks().len()).filter(|&t| part.group.holds(lab, t)).collect();
        let drawn = draw(&of_group, 4 * settings.per_task, &mut rng(settings.seed, "optimise", 0));
        tasks.extend(drawn.into_iter().map(|t| (p, t)));
    }
    let total = tasks.len() * settings.seeds;
    for (n, &(p, t)) in tasks.iter().cycle().take(total).enumerate() {
        control.report(n as u64, total as u64, "queries");
        let query = query_of(lab, t, SHOTS, 4 * settings.per_task, settings.seed + (n / tasks.len()) as u64)?;
        let quiet = |_| {};
        let (of, states) = Problem::new(trials, &query.examples, TOP, control.with_progress(&quiet))?.solve()?;
        ask(trials, &mut parts[p].rows, &|_| t, &states, &query.questions, control)?;
        parts[p].chosen.push(of);
        live.show(|| report(&parts, TOP, settings));
    }
    Ok(report(&parts, TOP, settings))
}
