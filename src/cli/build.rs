//! `state-soup build`: build the library of skills, or finish one that was interrupted.
//!
//! `--json`: `{ "library", "built", "skills", "tasks", "skipped": [sentence], "bytes", "tokens",
//! "seconds", "tokens_per_second" }`.

use super::args::Common;
use super::output;
use crate::error::Result;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

/// Flags of `build`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Folder to build in (the same as --library)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Builds and says what was built.
///
/// # Errors
/// A model that cannot be opened, a folder that cannot be written,
/// [`crate::error::Error::Cancelled`] after Ctrl-C (what was built stays).
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let mut common = common.clone();
    if args.out.is_some() {
        common.library.clone_from(&args.out);
    }
    let lab = common.opened()?;
    let began = Instant::now();
    let report = output::with_progress(common.quiet, "building", |control| lab.build(control, &|_| {}))?;
    let seconds = began.elapsed().as_secs_f64();
    let library = lab.library_view();
    let mut tasks: Vec<&str> = library.skills.iter().map(|s| s.task.as_str()).collect();
    tasks.sort_unstable();
    tasks.dedup();
    let rate = report.tokens as f64 / seconds.max(1e-9);
    if common.json {
        return output::json(&json!({
            "library": library.path,
            "built": report.built,
            "skills": library.skills.len(),
            "tasks": tasks.len(),
            "skipped": report.skipped,
            "bytes": library.bytes,
            "tokens": report.tokens,
            "seconds": seconds,
            "tokens_per_second": rate,
        }));
    }
    for sentence in &report.skipped {
        crate::log::say(sentence);
    }
    let built = if report.built == 0 {
        "nothing was missing".to_string()
    } else {
        format!("{} skills built from {} tokens in {seconds:.1} s ({rate:.0} tokens/s)", report.built, report.tokens)
    };
    output::print(&format!(
        "{built}\n{} skills of {} tasks, {:.1} MB, in {}\n",
        library.skills.len(),
        tasks.len(),
        library.bytes as f64 / 1e6,
        library.path
    ))
}
