//! `state-soup rank`: which skill does a few-shot query call for?
//!
//! Similarity proposes 24 tasks, evidence decides: how much more probable the query's own examples
//! are from a task's skills than from nothing read. Other tasks follow by similarity.
//!
//! `--json`: `{ "query", "by", "shots", "metric", "part", "layers": [from, to], "chance", "margin",
//! "tokens_run", "ranking": [{ "skill", "task", "score", "unseen" }], "by_task": [{ "task",
//! "skill", "score", "mean", "unseen", "explains", "posterior", "answers", "inputs" }], "evidence":
//! { "words", "fits", "none", "ahead", "foretold", "read", "answer_tokens", "gate", "calibrated",
//! "auto", "unread": { "words", "examples", "of", "is_cut" } } }`. Both lists are in the order
//! asked for and whole, whatever `--top` says; layers are half-open. `score` is similarity and
//! `margin` the first score less the second by similarity; `explains` is in nats an answer token
//! over nothing read, `answers` and `inputs` in nats, null for a task that was not read; `none` is
//! the posterior of "none of these", `ahead` in nats an answer token (null for one example),
//! `foretold` the nats by which all tasks together foretell the answers better than the query
//! alone, `auto` the recipe that follows. `unread` is the part of a long query that the evidence
//! did not read, null if it read the whole query: `examples` of its `of` examples, and, if
//! `is_cut`, the beginning of the next one. `evidence` is null `--by similarity` and for a query
//! without an example.

use super::args::{Common, query};
use super::output;
use crate::error::Result;
use crate::lab::{CANDIDATES, Evidence, Lab, RankView, Unread};
use crate::library::Ranking;
use clap::ValueEnum;
use serde_json::json;
use std::sync::Arc;

/// Flags of `rank`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The query: text (`\n` for line breaks), `@file`, or `-` for standard input
    #[arg(allow_hyphen_values = true)]
    query: String,
    /// What orders the tasks
    #[arg(long, value_enum, default_value_t = By::Evidence)]
    by: By,
    /// Rows printed
    #[arg(long, short = 'n', default_value_t = 10)]
    top: usize,
    /// Rank single skills instead of tasks
    #[arg(long)]
    skills: bool,
}

/// `--by`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// What the query's own examples say about the 24 most similar tasks
    Evidence,
    /// The similarity of states alone
    Similarity,
}

/// Ranks and prints.
///
/// # Errors
/// Bad input, a model or library that cannot be opened.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let query = query(&args.query)?;
    let quiet = common.quiet;
    let (lab, view) = common.ready_to_rank()?;
    let ranking = output::with_progress(quiet, "ranking", |control| lab.rank(&query, &view, control))?;
    let mut ranking = Arc::unwrap_or_clone(ranking);
    let evidence = match args.by {
        By::Similarity => None,
        By::Evidence => {
            let evidence =
                output::with_progress(quiet, "weighing", |control| lab.evidence(&query, &view, CANDIDATES, control, &mut |_| {}))?;
            common.tell(&evidence.unread.words().into_iter().collect::<Vec<_>>())?;
            Some(evidence).filter(|e| e.shots > 0)
        }
    };
    common.tell(&lab.library().found_since())?;
    if let Some(evidence) = &evidence {
        by_evidence(&mut ranking, evidence);
    }
    let found = Found { view, ranking, evidence, unseen: lab.unseen() };
    if common.json { output::json(&as_json(&query, &lab, &found)) } else { output::print(&as_text(args, &found)) }
}

/// What was found.
struct Found {
    view: RankView,
    ranking: Ranking,
    evidence: Option<Evidence>,
    unseen: Vec<String>,
}

impl Found {
    fn is_unseen(&self, task: &str) -> bool {
        self.unseen.iter().any(|t| t == task)
    }
}

/// Tasks, and the skills of each, in the order of the evidence; those that were not read follow.
fn by_evidence(ranking: &mut Ranking, evidence: &Evidence) {
    ranking.by_task.sort_by_key(|t| evidence.place(&t.task));
    ranking.ranking.sort_by_key(|s| evidence.place(&s.task));
}

fn as_json(query: &str, lab: &Lab, found: &Found) -> serde_json::Value {
    let Found { view, ranking, evidence, .. } = found;
    let of = |task: &str| evidence.as_ref().and_then(|e| e.of(task));
    json!({
        "query": query,
        "by": if evidence.is_some() { "evidence" } else { "similarity" },
        "shots": ranking.shots,
        "metric": view.metric,
        "part": view.part,
        "layers": [view.layers.start, view.layers.end],
        "chance": 1.0 / ranking.by_task.len().max(1) as f64,
        "margin": ranking.margin,
        "tokens_run": ranking.tokens_run,
        "ranking": ranking.ranking.iter()
            .map(|s| json!({ "skill": s.skill, "task": s.task, "score": s.score, "unseen": found.is_unseen(&s.task) }))
            .collect::<Vec<_>>(),
        "by_task": ranking.by_task.iter()
            .map(|t| json!({
                "task": t.task, "skill": t.skill, "score": t.score, "mean": t.mean, "unseen": found.is_unseen(&t.task),
                "explains": of(&t.task).map(|e| e.gain),
                "posterior": of(&t.task).map(|e| e.posterior),
                "answers": of(&t.task).map(|e| e.explained.answers),
                "inputs": of(&t.task).map(|e| e.explained.inputs),
            }))
            .collect::<Vec<_>>(),
        "evidence": evidence.as_ref().map(|e| evidence_json(e, lab)),
    })
}

/// The evidence as JSON, for `rank` and `ask`.
pub fn evidence_json(evidence: &Evidence, lab: &Lab) -> serde_json::Value {
    json!({
        "words": evidence.words(),
        "fits": evidence.fits,
        "none": evidence.none_posterior,
        "ahead": evidence.ahead,
        "foretold": evidence.foretold,
        "read": evidence.tasks.len(),
        "answer_tokens": evidence.answer_tokens,
        "gate": evidence.calibration.gate(evidence.shots),
        "calibrated": lab.library().is_calibrated(),
        "auto": evidence.auto.to_recipe().map(|r| r.to_string()),
        "unread": unread_json(evidence.unread),
    })
}

/// The part of a long query that the evidence did not read; null if it read the whole query.
fn unread_json(unread: Unread) -> serde_json::Value {
    let Unread { examples, of, is_cut } = unread;
    unread.words().map_or(serde_json::Value::Null, |words| json!({ "words": words, "examples": examples, "of": of, "is_cut": is_cut }))
}

fn as_text(args: &Args, found: &Found) -> String {
    let Found { view, ranking, evidence, .. } = found;
    let place = |i: usize| (i + 1).to_string();
    let mark = |task: &str| if found.is_unseen(task) { "unseen" } else { "" };
    let table = if args.skills {
        let rows = ranking.ranking.iter().take(args.top).enumerate();
        let rows = rows.map(|(i, s)| vec![place(i), s.skill.clone(), format!("{:.4}", s.score), mark(&s.task).into()]);
        output::table(&[">#", "skill", ">similarity", ""], &rows.collect::<Vec<_>>())
    } else {
        let told = |task: &str| evidence.as_ref().and_then(|e| e.of(task));
        let rows = ranking.by_task.iter().take(args.top).enumerate().map(|(i, t)| {
            let mut row = vec![place(i), t.task.clone(), format!("{:.4}", t.score)];
            if evidence.is_some() {
                row.push(told(&t.task).map_or("–".into(), |e| format!("{:+.2} {}", e.gain, if e.gain > 0.0 { "✓" } else { "✗" })));
                row.push(told(&t.task).map_or("–".into(), |e| format!("{:.3}", e.posterior)));
            } else {
                row.push(format!("{:.4}", t.mean));
            }
            row.extend([t.skill.clone(), mark(&t.task).into()]);
            row
        });
        let rows = rows.collect::<Vec<_>>();
        match evidence {
            Some(_) => output::table(&[">#", "task", ">similarity", ">explains", ">posterior", "best skill", ""], &rows),
            None => output::table(&[">#", "task", ">similarity", ">mean", "best skill", ""], &rows),
        }
    };
    let layers = if view.layers.len() == 1 {
        format!("layer {}", view.layers.start)
    } else {
        format!("layers {}..{}", view.layers.start, view.layers.end)
    };
    let words = evidence.as_ref().map(|e| format!("{}\n", e.words())).unwrap_or_default();
    format!(
        "{table}\n{words}{} skills of {} tasks · {} in the query · {layers} · margin {:.4} · chance {:.3}\n",
        ranking.ranking.len(),
        ranking.by_task.len(),
        output::count(ranking.shots, "example"),
        ranking.margin,
        1.0 / ranking.by_task.len().max(1) as f64,
    )
}
