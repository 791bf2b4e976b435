//! `state-soup optimise`: weights of a soup, and of its layers, chosen by a query's own examples,
//! each of which is asked of a soup that did not read it; and what that gains on pairs that had no
//! part in the choice.
//!
//! `--json`: `{ "soups": [{ "examples", "candidates": [{ "name", "recipe", "left_out" }],
//! "ingredients", "weights", "layer_weights", "tried" }], "held_out" }`; `left_out` is −ln p of an
//! answer in nats; `held_out` is a report as `reproduce` writes it, or null if there was nothing to
//! ask.

use super::args::{Common, query};
use super::{output, reproduce};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::experiment::optimise::{Chosen, Query, choose, measure, query_of, questions_for};
use crate::experiment::{Report, Settings};
use crate::lab::Lab;
use crate::task::{Pair, parse_query};
use serde_json::json;

/// Flags of `optimise`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A query of at least two complete examples (text, `@file` or `-`), or the name of a task
    /// from which queries are drawn
    #[arg(allow_hyphen_values = true)]
    query: String,
    /// Skills besides the query: the best-ranked ones
    #[arg(long, default_value_t = 3)]
    top: usize,
    /// Examples of each drawn query
    #[arg(long, default_value_t = 4, value_name = "N")]
    examples: usize,
    /// Queries drawn from a task
    #[arg(long, default_value_t = 5, value_name = "N")]
    draws: usize,
    /// Held-out questions for each query
    #[arg(long, default_value_t = 16, value_name = "N")]
    questions: usize,
}

/// Chooses, measures, prints.
///
/// # Errors
/// A query of fewer than two examples, a task that is too small, a model or library that cannot be
/// opened.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let quiet = common.quiet;
    let lab = common.ready()?;
    let (soups, held_out) = output::with_progress(quiet, "optimising", |control| optimise(&lab, common, args, control))?;
    if common.json {
        return output::json(&json!({ "soups": soups, "held_out": held_out }));
    }
    output::print(&as_text(&soups, held_out.as_ref()))
}

fn optimise(lab: &Lab, common: &Common, args: &Args, control: Control<'_>) -> Result<(Vec<Chosen>, Option<Report>)> {
    let settings = Settings { seed: common.seed, ..Settings::quick() };
    let named = |report: Report, what: String| Report { name: "held-out".into(), question: what, ..report };
    if let Some(task) = lab.tasks().iter().position(|t| t.name == args.query.trim()) {
        if args.draws == 0 {
            return Err(Error::Input("--draws must be at least 1".into()));
        }
        let draws = (0..args.draws)
            .map(|d| query_of(lab, task, args.examples, args.questions, common.seed + d as u64))
            .collect::<Result<Vec<_>>>()?;
        let (soups, report) = measure(lab, &draws, args.top, &settings, control)?;
        return Ok((soups, Some(named(report, format!("queries drawn from `{}`: {}", args.query.trim(), args.draws)))));
    }
    let text = query(&args.query)?;
    let examples = examples(lab, &text);
    let questions = questions_for(lab, &examples, &text, args.questions, control)?;
    if questions.is_empty() {
        return Ok((vec![choose(lab, &examples, args.top, control)?], None));
    }
    let (soups, report) = measure(lab, &[Query { examples, questions }], args.top, &settings, control)?;
    Ok((soups, Some(named(report, "test pairs of the task that the query is ranked into, for this one query".into()))))
}

/// The complete examples of a query; the last one may lack its end.
fn examples(lab: &Lab, text: &str) -> Vec<Pair> {
    parse_query(text, lab.template()).pairs().cloned().collect()
}

fn as_text(soups: &[Chosen], held_out: Option<&Report>) -> String {
    let mut text = String::new();
    for soup in soups {
        text += &format!("{}\n", soup.examples.concat().trim_end());
        let rows: Vec<Vec<String>> =
            soup.candidates.iter().map(|c| vec![c.name.clone(), format!("{:.4}", c.left_out), c.recipe.clone()]).collect();
        text += &output::table(&["soup", ">left-out nats", "recipe"], &rows);
        text += &format!("{} soups tried\n\n", soup.tried);
    }
    match held_out {
        None => text + "no held-out pairs: the query belongs to no task here\n",
        Some(report) => {
            let table = &report.tables[0];
            let heading: Vec<&str> = table.columns.iter().map(String::as_str).collect();
            text += &output::table(&heading, &table.rows);
            text + &reproduce::findings(report)
        }
    }
}
