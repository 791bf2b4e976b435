//! `state-soup mix`: evaluate a recipe and save the state it yields.
//!
//! `--json`: `{ "recipe", "hash", "ingredients": [id], "tokens", "ssm_norm": [per layer], "out" }`.

use super::args::{Common, query};
use super::output;
use crate::error::{Error, Result};
use crate::lab::{Lab, RankView};
use crate::soup::Recipe;
use crate::state::codec;
use serde_json::json;
use std::path::PathBuf;

/// Flags of `mix`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The recipe, or `@file` (its text, or as JSON or TOML)
    recipe: String,
    /// Query for recipes that use `query`, `top(n)` or similarities: text, `@file` or `-`
    #[arg(long)]
    query: Option<String>,
    /// Where the state is saved (safetensors)
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Save in the layout of HF transformers' cache
    #[arg(long, requires = "out")]
    hf: bool,
}

/// Mixes, saves and says what came out.
///
/// # Errors
/// Bad input, a recipe that cannot be evaluated, a file that cannot be written.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let recipe = recipe(&args.recipe)?;
    let query = args.query.as_deref().map(query).transpose()?;
    let quiet = common.quiet;
    let (lab, view) = common.ready_to_rank()?;
    let state = output::with_progress(quiet, "mixing", |control| lab.mix(&recipe, query.as_deref(), &view, control))?;
    common.tell(&lab.library().found_since())?;
    if let Some(query) = query.as_deref().filter(|_| recipe.reads_evidence()) {
        common.tell(&lab.unread(query)?.into_iter().collect::<Vec<_>>())?;
    }
    if let Some(path) = &args.out {
        let about = codec::Provenance::of_recipe(lab.fingerprint(), &recipe.to_string(), &recipe.hash()).with(made(
            &lab,
            &recipe,
            query.as_deref(),
            &view,
        ));
        if args.hf { codec::save_hf_cache(path, &state, &about)? } else { codec::save(path, &state, &about)? }
    }
    let norms: Vec<f32> = (0..state.shape().n_layer).map(|l| state.ssm_norm(l)).collect();
    if common.json {
        return output::json(&json!({
            "recipe": recipe.to_string(),
            "hash": recipe.hash(),
            "ingredients": recipe.ingredients(),
            "tokens": state.tokens(),
            "ssm_norm": norms,
            "out": args.out,
        }));
    }
    let shown: Vec<String> = norms.iter().map(|n| format!("{n:.2}")).collect();
    let saved = args.out.as_ref().map_or(String::new(), |p| format!("saved   {}\n", p.display()));
    output::print(&format!(
        "recipe  {recipe}\nhash    {}\ntokens  {}\n‖h‖     {} (layer 0 to {})\n{saved}",
        recipe.hash(),
        state.tokens(),
        shown.join(" "),
        norms.len().saturating_sub(1)
    ))
}

/// What made a state besides the model's files and the recipe: precision, library, query,
/// similarity.
fn made(lab: &Lab, recipe: &Recipe, query: Option<&str>, view: &RankView) -> serde_json::Value {
    let library = lab.library();
    let read = recipe.reads_query();
    json!({
        "weights": lab.model().network.precision(),
        "library": { "path": library.path(), "skills": library.len(), "built": library.settings().to_string() },
        "query": query.filter(|_| read),
        "view": read.then_some(view),
    })
}

/// A recipe from its text or from a file that holds its text, JSON or TOML.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] if it is not a recipe.
pub fn recipe(argument: &str) -> Result<Recipe> {
    let Some(path) = argument.strip_prefix('@') else {
        return argument.parse();
    };
    let text = crate::files::text(path.as_ref(), crate::files::SMALL)?;
    let wrong = |e: &dyn std::fmt::Display| Error::Input(format!("{path} is not a recipe: {e}"));
    match std::path::Path::new(path).extension().and_then(|e| e.to_str()) {
        Some("json") => serde_json::from_str(&text).map_err(|e| wrong(&e)),
        Some("toml") => toml::from_str(&text).map_err(|e| wrong(&e)),
        _ => text.trim().parse(),
    }
}
