//! `state-soup rank`: which skill does a few-shot query call for?
//!
//! `--json`: `{ "query", "shots", "metric", "part", "layers": [from, to], "chance", "margin", "tokens_run", "ranking": [{ "skill", "task",
//! "score" }], "by_task": [{ "task", "skill", "score", "mean" }] }`; both lists best first, layers half-open. The lists are whole, whatever `--top` says.

use super::args::{Common, query};
use super::output;
use crate::engine::RankView;
use crate::error::Result;
use crate::library::Ranking;
use serde_json::json;

/// Flags of `rank`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The query: text (`\n` for line breaks), `@file`, or `-` for standard input
    query: String,
    /// Rows printed
    #[arg(long, short = 'n', default_value_t = 10)]
    top: usize,
    /// Rank single skills instead of tasks
    #[arg(long)]
    skills: bool,
}

/// Ranks and prints.
///
/// # Errors
/// Bad input, a model or library that cannot be opened.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let query = query(&args.query)?;
    let quiet = common.quiet;
    let lab = output::with_progress(quiet, "opening", |control| common.open(control))?;
    output::with_progress(quiet, "building the library", |control| lab.build_if_empty(control))?;
    let view = common.view(&lab)?;
    let ranking = output::with_progress(quiet, "ranking", |control| lab.rank(&query, &view, control))?;
    if common.json { output::json(&as_json(&query, &view, &ranking)) } else { output::print(&as_text(args, &view, &ranking)) }
}

fn as_json(query: &str, view: &RankView, ranking: &Ranking) -> serde_json::Value {
    json!({
        "query": query,
        "shots": ranking.shots,
        "metric": view.metric,
        "part": view.part,
        "layers": [view.layers.start, view.layers.end],
        "chance": 1.0 / ranking.by_task.len().max(1) as f64,
        "margin": ranking.margin,
        "tokens_run": ranking.tokens_run,
        "ranking": ranking.ranking.iter().map(|s| json!({ "skill": s.skill, "task": s.task, "score": s.score })).collect::<Vec<_>>(),
        "by_task": ranking.by_task.iter().map(|t| json!({ "task": t.task, "skill": t.skill, "score": t.score, "mean": t.mean })).collect::<Vec<_>>(),
    })
}

fn as_text(args: &Args, view: &RankView, ranking: &Ranking) -> String {
    let place = |i: usize| (i + 1).to_string();
    let table = if args.skills {
        let rows =
            ranking.ranking.iter().take(args.top).enumerate().map(|(i, s)| vec![place(i), s.skill.clone(), format!("{:.4}", s.score)]);
        output::table(&[">#", "skill", ">score"], &rows.collect::<Vec<_>>())
    } else {
        let rows = ranking
            .by_task
            .iter()
            .take(args.top)
            .enumerate()
            .map(|(i, t)| vec![place(i), t.task.clone(), format!("{:.4}", t.score), format!("{:.4}", t.mean), t.skill.clone()]);
        output::table(&[">#", "task", ">score", ">mean", "best skill"], &rows.collect::<Vec<_>>())
    };
    let layers = if view.layers.len() == 1 {
        format!("layer {}", view.layers.start)
    } else {
        format!("layers {}..{}", view.layers.start, view.layers.end)
    };
    format!(
        "{table}\n{} skills of {} tasks · {} examples in the query · {layers} · margin {:.4} · chance {:.3}\n",
        ranking.ranking.len(),
        ranking.by_task.len(),
        ranking.shots,
        ranking.margin,
        1.0 / ranking.by_task.len().max(1) as f64,
    )
}
