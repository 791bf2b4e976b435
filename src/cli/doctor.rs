//! `state-soup doctor`: what the lab finds on this machine, and what is wrong with it.
//!
//! `--json`: `{ "version", "device", "cpu": { "threads", "features": [..] }, "model": { "name",
//! "fingerprint", "parameters", "layers", "d_inner", "d_state", "d_conv", "vocabulary", "trained",
//! "bos": [..], "bos_by", "eos": [..], "notes": [..] }, "library": { "path", "skills", "missing",
//! "bytes", "warnings" }, "terminal": { "term", "colours", "colours_by", "background",
//! "background_by", "glyphs", "locale", "tmux", "ssh", "mouse", "low_bandwidth" }, "config": {
//! "path", "found", "settings": [..] }, "log": { "path", "bytes", "panics": [..] } }`.

use super::args::Common;
use super::output;
use super::screen::BackgroundArg;
use crate::app::Background;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::term::caps::Environment;
use serde_json::{Value, json};
use std::env::var;

/// Flags of `doctor`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Compute on the GPU and on the CPU, with random weights of many sizes, and compare
    #[cfg(feature = "cuda")]
    #[arg(long)]
    verify: bool,
}

/// Looks and prints.
///
/// # Errors
/// A model or library that cannot be opened.
#[cfg_attr(not(feature = "cuda"), allow(unused_variables))]
pub fn run(common: &Common, args: &Args, config: &Config) -> Result<()> {
    #[cfg(feature = "cuda")]
    if args.verify {
        return verify(common);
    }
    let lab = common.opened()?;
    let (model, mut library) = (lab.model_view(), lab.library_view());
    let health = output::with_progress(common.quiet, "checking", |control| lab.check(control))?;
    library.warnings = health.sentences().map(str::to_owned).collect();
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "device": model.device,
        "cpu": { "threads": rayon::current_num_threads(), "features": crate::simd::features() },
        "model": {
            "name": model.name,
            "fingerprint": model.fingerprint,
            "parameters": model.parameters,
            "layers": model.layout.n_layer,
            "d_inner": lab.config().d_inner,
            "d_state": lab.config().d_state,
            "d_conv": lab.config().d_conv,
            "vocabulary": lab.config().vocab_size,
            "trained": lab.trained(),
            "bos": lab.model().special.bos,
            "bos_by": lab.model().special.bos_by,
            "eos": lab.model().special.eos,
            "notes": lab.notes(),
        },
        "library": {
            "path": library.path,
            "skills": library.skills.len(),
            "missing": library.missing,
            "bytes": library.bytes,
            "warnings": library.warnings,
        },
        "terminal": terminal(common),
        "config": {
            "path": config.path,
            "found": config.found,
            "settings": config.settings.iter().map(|s| format!("{} = {}", s.name, s.words.join(" "))).collect::<Vec<_>>(),
        },
        "log": log(),
    });
    if common.json {
        output::json(&report)?;
    } else {
        output::print(&as_text(&report))?;
    }
    match library.warnings.len() {
        0 => Ok(()),
        n => Err(Error::Library(format!("the library is damaged: {}", output::count(n, "fault")))),
    }
}

/// The device against the CPU.
#[cfg(feature = "cuda")]
fn verify(common: &Common) -> Result<()> {
    let device = super::args::device(&common.device)?;
    if !device.is_cuda() {
        return Err(Error::Input("there is no GPU to verify: no CUDA device was found".into()));
    }
    let checks = output::with_progress(common.quiet, "comparing", |control| crate::lab::verify(&device, control))?;
    let failed = checks.iter().filter(|c| !c.passed()).count();
    if common.json {
        output::json(&json!({ "checks": checks, "failed": failed }))?;
    } else {
        let row = |c: &crate::lab::Check| {
            let mark = if c.passed() { "ok" } else { "WRONG" };
            vec![c.model.clone(), c.what.clone(), c.of.into(), format!("{:.1e}", c.error), format!("{:.0e}", c.limit), mark.into()]
        };
        output::print(&output::table(
            &["model", "run", "of", ">relative error", ">limit", ""],
            &checks.iter().map(row).collect::<Vec<_>>(),
        ))?;
    }
    match failed {
        0 => Ok(()),
        n => Err(Error::Unmet(format!("{n} of {} comparisons with the CPU failed", checks.len()))),
    }
}

/// What the screen would look like, and what decided it.
fn terminal(common: &Common) -> Value {
    let environment = Environment::of(|name| var(name).ok());
    let (look, background_known) = common.screen.look(&environment);
    let background_by = match common.screen.background {
        BackgroundArg::Auto if background_known => "COLORFGBG",
        BackgroundArg::Auto if environment.may_be_asked() => "nothing yet; the lab asks the terminal when it starts",
        BackgroundArg::Auto => "nobody",
        _ => "--background",
    };
    json!({
        "term": environment.term,
        "colours": look.depth.name(),
        "colours_by": if common.screen.colours == "auto" { environment.depth_by } else { "--colours" },
        "background": if look.background == Background::Light { "light" } else { "dark" },
        "background_by": background_by,
        "glyphs": look.glyphs.name(),
        "locale": environment.locale,
        "tmux": environment.tmux,
        "ssh": environment.ssh,
        "mouse": common.screen.mouse,
        "low_bandwidth": common.screen.low_bandwidth,
    })
}

/// Where the log is, and which reports of panics lie beside it.
fn log() -> Value {
    let path = crate::log::file();
    let bytes = path.as_ref().and_then(|p| std::fs::metadata(p).ok()).map(|m| m.len());
    let beside = path.as_ref().and_then(|p| p.parent()).and_then(|folder| std::fs::read_dir(folder).ok());
    let names = beside.into_iter().flatten().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut panics: Vec<String> = names.filter(|n| n.starts_with("panic-")).collect();
    panics.sort();
    json!({ "path": path, "bytes": bytes, "panics": panics })
}

/// The same as indented `key: value` lines, so that both forms hold the same.
fn as_text(value: &Value) -> String {
    fn lines(value: &Value, indent: usize, out: &mut String) {
        for (key, value) in value.as_object().into_iter().flatten() {
            let pad = " ".repeat(indent);
            match value {
                Value::Object(_) => {
                    *out += &format!("{pad}{key}\n");
                    lines(value, indent + 2, out);
                }
                Value::Array(items) => {
                    let items: Vec<String> = items.iter().map(|i| i.as_str().map_or_else(|| i.to_string(), str::to_string)).collect();
                    *out += &format!("{pad}{key}: {}\n", if items.is_empty() { "none".into() } else { items.join(", ") });
                }
                Value::String(text) => *out += &format!("{pad}{key}: {text}\n"),
                Value::Null => *out += &format!("{pad}{key}: unknown\n"),
                other => *out += &format!("{pad}{key}: {other}\n"),
            }
        }
    }
    let mut text = String::new();
    lines(value, 0, &mut text);
    text
}
