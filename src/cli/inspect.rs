//! `state-soup inspect`: the library, one skill, or a saved state file.
//!
//! `--json`, by what is inspected. Library: `{ "path", "bytes", "missing", "warnings", "skills":
//! [SkillMeta] }`. Skill: `{ "meta": SkillMeta, "preview": [line], "ssm_norm": [per layer],
//! "half_life": [median tokens, per layer], "effective_rank": [per layer], "drift": [distance from
//! the library's mean in units of its spread, per layer], "farthest": [the drift of its farthest
//! skill, per layer] }`. File: `{ "shape", "tokens", "provenance", "ssm_norm" }`.

use super::args::Common;
use super::output;
use crate::error::{Error, Result};
use crate::state::codec;
use serde_json::json;
use std::path::Path;

/// Flags of `inspect`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A skill (`antonym/0`) or a `.safetensors` file [default: the whole library]
    what: Option<String>,
    /// Read every file of the library and check its contents against the manifest
    #[arg(long)]
    verify: bool,
}

/// Inspects and prints.
///
/// # Errors
/// An unknown skill, a damaged file.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    match &args.what {
        Some(file) if has_extension(file) => inspect_file(common, Path::new(file)),
        Some(skill) => inspect_skill(common, skill),
        None => inspect_library(common, args.verify),
    }
}

fn has_extension(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"))
}

fn inspect_file(common: &Common, path: &Path) -> Result<()> {
    let (state, about) = codec::load(path)?;
    let norms: Vec<f32> = (0..state.shape().n_layer).map(|l| state.ssm_norm(l)).collect();
    if common.json {
        return output::json(&json!({ "shape": state.shape(), "tokens": state.tokens(), "provenance": about, "ssm_norm": norms }));
    }
    output::print(&format!("{}\n{} tokens\n{about}\n", state.shape(), state.tokens()))
}

fn inspect_skill(common: &Common, skill: &str) -> Result<()> {
    let lab = common.opened()?;
    let report = output::with_progress(common.quiet, "inspecting", |control| lab.inspect(skill, control))?;
    let figures = &report.figures;
    if common.json {
        return output::json(&json!({
            "meta": report.meta,
            "preview": report.preview,
            "ssm_norm": figures.norm,
            "half_life": figures.half_life,
            "effective_rank": figures.effective_rank,
            "drift": figures.drift,
            "farthest": figures.farthest,
        }));
    }
    let row = |l: usize| {
        let two = [figures.norm[l], figures.half_life[l], figures.effective_rank[l], figures.drift[l], figures.farthest[l]];
        std::iter::once(l.to_string()).chain(two.map(|v| format!("{v:.2}"))).collect()
    };
    let rows: Vec<Vec<String>> = (0..figures.norm.len()).map(row).collect();
    let m = &report.meta;
    output::print(&format!(
        "{}  {} · {} tokens · {}\n{}\n\n{}",
        m.id,
        m.family,
        m.tokens,
        m.created,
        report.preview.iter().map(|l| format!("  {l}")).collect::<Vec<_>>().join("\n"),
        output::table(
            &[">layer", ">norm of h", ">median half-life (tokens)", ">effective rank", ">drift (spreads)", ">farthest skill's"],
            &rows
        )
    ))
}

fn inspect_library(common: &Common, verify: bool) -> Result<()> {
    let lab = common.opened()?;
    let mut library = lab.library_view();
    if verify {
        let health = output::with_progress(common.quiet, "checking", |control| lab.check(control))?;
        library.warnings = health.sentences().map(str::to_owned).collect();
    }
    let damaged = || match library.warnings.len() {
        0 => Ok(()),
        n => Err(Error::Library(format!(
            "{} of the library {} reported above",
            output::count(n, "fault"),
            if n == 1 { "is" } else { "are" }
        ))),
    };
    if common.json {
        output::json(&json!({
            "path": library.path,
            "bytes": library.bytes,
            "missing": library.missing,
            "warnings": library.warnings,
            "skills": library.skills,
        }))?;
        return if verify { damaged() } else { Ok(()) };
    }
    let rows: Vec<Vec<String>> = library
        .skills
        .iter()
        .map(|s| vec![s.id.clone(), s.family.clone(), s.tokens.to_string(), s.tags.join(" "), s.created.clone()])
        .collect();
    if verify {
        library.warnings.iter().for_each(crate::log::say);
    }
    output::print(&format!(
        "{}\n{} skills, {} missing, {:.1} MB, in {}\n",
        output::table(&["skill", "family", ">tokens", "tags", "built"], &rows),
        library.skills.len(),
        library.missing,
        library.bytes as f64 / 1e6,
        library.path
    ))?;
    if verify { damaged() } else { Ok(()) }
}
