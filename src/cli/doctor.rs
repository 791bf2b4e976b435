//! `state-soup doctor`: what the lab finds on this machine, and what is wrong with it.
//!
//! `--json`: `{ "version", "device", "cpu": { "threads", "features": [..] }, "model": { "name", "fingerprint", "parameters", "layers", "d_inner",
//! "d_state", "d_conv", "vocabulary", "trained" }, "library": { "path", "skills", "missing", "bytes", "warnings" }, "terminal": { "term",
//! "colorterm", "no_color", "locale" } }`.

use super::args::Common;
use super::output;
use crate::error::Result;
use serde_json::{Value, json};
use std::env::var;

/// Flags of `doctor`.
#[derive(clap::Args, Debug)]
pub struct Args {}

/// Looks and prints.
///
/// # Errors
/// A model or library that cannot be opened.
pub fn run(common: &Common, _args: &Args) -> Result<()> {
    let lab = output::with_progress(common.quiet, "opening", |control| common.open(control))?;
    let (model, library, config) = (lab.model_view(), lab.library_view(), lab.config());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|n| var(n).ok().filter(|v| !v.is_empty()));
    let report = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "device": model.device,
        "cpu": { "threads": rayon::current_num_threads(), "features": cpu_features() },
        "model": {
            "name": model.name,
            "fingerprint": model.fingerprint,
            "parameters": model.parameters,
            "layers": model.shape.n_layer,
            "d_inner": model.shape.d_inner,
            "d_state": model.shape.d_state,
            "d_conv": model.shape.d_conv,
            "vocabulary": config.vocab_size,
            "trained": lab.trained(),
        },
        "library": {
            "path": library.path,
            "skills": library.skills.len(),
            "missing": library.missing,
            "bytes": library.bytes,
            "warnings": library.warnings,
        },
        "terminal": {
            "term": var("TERM").ok(),
            "colorterm": var("COLORTERM").ok(),
            "no_color": var("NO_COLOR").is_ok_and(|v| !v.is_empty()),
            "locale": locale,
        },
    });
    if common.json { output::json(&report) } else { output::print(&as_text(&report)) }
}

/// The instruction sets the kernels choose from.
fn cpu_features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    {
        let all = [
            ("avx2", std::arch::is_x86_feature_detected!("avx2")),
            ("fma", std::arch::is_x86_feature_detected!("fma")),
            ("f16c", std::arch::is_x86_feature_detected!("f16c")),
            ("avx512f", std::arch::is_x86_feature_detected!("avx512f")),
        ];
        all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }
    #[cfg(not(target_arch = "x86_64"))]
    Vec::new()
}

/// The same as indented `key: value` lines, so that nothing is in one form and not in the other.
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
