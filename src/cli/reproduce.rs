//! `state-soup reproduce`: the claims, measured.
//!
//! Writes a folder for each experiment: `report.md`, `report.json` (`{ "name", "question", "setup",
//! "findings": [{ "claim", "effect", "threshold", "interval": { "mean", "low", "high", "n" },
//! "verdict" }], "tables", "figures": [{ "name", "axes", and "curves": [[label, [[x, y]]]] or
//! "heat": { "rows", "columns", "value", "values" } }], "run" }`), a CSV for each table, an SVG for
//! each figure. `--json` prints the list of reports. An experiment whose `report.json` is there
//! with the same model, library and settings is not run again: an interrupted run resumes where it
//! was.

use super::args::Common;
use super::output;
use crate::error::Result;
use crate::experiment::{self, Experiment, Report, Settings};
use std::path::{Path, PathBuf};

/// Flags of `reproduce`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Experiments: `all`, or some of retrieval, clusters, one-shot-soup, retrieve-mix, unknown,
    /// optimise, cross-task, sequential, exactness, documents, permutation, labels, cost, everyday,
    /// card
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    /// Fewer questions: minutes instead of an hour
    #[arg(long)]
    quick: bool,
    /// Where the reports go
    #[arg(long, default_value = "results", value_name = "DIR")]
    out: PathBuf,
    /// Prose for the experiments on documents, UTF-8 (none is bundled; without it documents are
    /// made of examples)
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Queries for `everyday`, UTF-8: in each line a query (`\n` for a line break), a tab, the
    /// accepted answers separated by `|` (without it the bundled ones are asked)
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,
    /// Repeat experiments whose reports are already there
    #[arg(long)]
    again: bool,
}

/// Runs, writes, prints.
///
/// # Errors
/// Unknown names, a model or library that cannot be opened, files that cannot be written.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let experiments: Vec<Experiment> = if args.names.iter().any(|n| n == "all") {
        experiment::ALL.to_vec()
    } else {
        args.names.iter().map(|n| experiment::find(n)).collect::<Result<_>>()?
    };
    let quiet = common.quiet;
    // A claim is measured on what was given, or not at all.
    let lab = Common { strict: true, ..common.clone() }.ready()?;
    let base = if args.quick { Settings::quick() } else { Settings::thorough() };
    let settings = Settings { seed: common.seed, text: args.text.clone(), queries: args.queries.clone(), ..base };
    let mut reports = Vec::new();
    for e in &experiments {
        let dir = args.out.join(e.name);
        if let Some(report) = e.done(&args.out, &lab, &settings).filter(|_| !args.again) {
            note(common, &format!("{}: there already, in {}\n", e.name, dir.display()))?;
            reports.push(report);
            continue;
        }
        let report = output::with_progress(quiet, e.name, |control| e.run(&lab, &settings, control))?;
        report.write(&dir)?;
        note(common, &as_text(&report, &dir))?;
        reports.push(report);
    }
    if common.json { output::json(&reports) } else { Ok(()) }
}

fn note(common: &Common, text: &str) -> Result<()> {
    if common.json { Ok(()) } else { output::print(text) }
}

fn as_text(report: &Report, dir: &Path) -> String {
    format!("{}{}\n", findings(report), dir.join("report.md").display())
}

/// The claims and verdicts of a report.
pub fn findings(report: &Report) -> String {
    let rows: Vec<Vec<String>> = report
        .findings
        .iter()
        .map(|f| vec![f.verdict.to_string(), f.interval.to_string(), f.interval.n.to_string(), f.claim.clone()])
        .collect();
    let table = output::table(&["verdict", ">effect [95 %]", ">n", "claim"], &rows);
    format!("\n{}: {}\n{table}", report.name, report.question)
}
