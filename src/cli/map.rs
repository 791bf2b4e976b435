//! `state-soup map`: the library's states at one layer in two dimensions.
//!
//! `--json`: `{ "layer", "part", "method", "perplexity", "seed", "trust", "purity", "points": [{
//! "skill", "task", "unseen", "x", "y", "neighbours": [[skill, cosine]] }] }`; `trust` is
//! trustworthiness, `purity` the share of skills whose nearest skill in the original space is of
//! their own task. Without it, the same points as CSV.

use super::args::Common;
use super::output;
use crate::error::{Error, Result};
use crate::lab::{MapMethod, MapRequest, MapView};
use clap::ValueEnum;
use serde_json::json;

/// Flags of `map`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Method
    #[arg(long, value_enum, default_value_t = Method::Tsne)]
    method: Method,
    /// Perplexity of t-SNE; lowered if there are too few skills
    #[arg(long, default_value_t = 30.0)]
    perplexity: f64,
}

/// `--method`.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// The two leading principal components
    Pca,
    /// t-SNE of the leading principal components
    Tsne,
    /// linfa-tsne's, from a random start: an independent picture to compare with (at most 800
    /// states)
    OneShot,
}

/// Projects and prints.
///
/// # Errors
/// Bad input, too few skills, a model or library that cannot be opened.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let quiet = common.quiet;
    if !(args.perplexity.is_finite() && args.perplexity >= 1.0) {
        return Err(Error::Input(format!("--perplexity is {}; it must be at least 1", args.perplexity)));
    }
    let (lab, view) = common.ready_to_rank()?;
    if view.layers.len() != 1 {
        let last = view.layers.end - 1;
        let asked = if common.layer.is_some() { "--layer asks for" } else { "without --layer these are the layers of a ranking," };
        let middle = view.layers.start.midpoint(view.layers.end);
        return Err(Error::Input(format!(
            "a map shows one layer; {asked} {} to {last}: choose one, such as --layer {middle}",
            view.layers.start
        )));
    }
    let request = MapRequest {
        layer: view.layers.start,
        part: view.part,
        method: match args.method {
            Method::Pca => MapMethod::Pca,
            Method::Tsne => MapMethod::Tsne,
            Method::OneShot => MapMethod::OneShot,
        },
        perplexity: args.perplexity,
        seed: common.seed,
    };
    let map = output::with_progress(quiet, "mapping", |control| lab.map(&request, control, &mut |_| {}))?;
    let unseen = lab.unseen();
    if common.json { output::json(&as_json(&map, &unseen)) } else { output::print(&as_csv(&map)) }
}

fn task(skill: &str) -> &str {
    skill.rsplit_once('/').map_or(skill, |(task, _)| task)
}

fn as_json(map: &MapView, unseen: &[String]) -> serde_json::Value {
    let near = |i: usize| map.neighbours.get(i).into_iter().flatten().map(|(j, c)| json!([map.skills[*j], c])).collect::<Vec<_>>();
    let points = map.points.iter().zip(&map.skills).enumerate();
    json!({
        "layer": map.request.layer,
        "part": map.request.part,
        "method": match map.request.method {
            MapMethod::Pca => "pca",
            MapMethod::Tsne => "t-sne",
            MapMethod::OneShot => "one-shot",
        },
        "perplexity": map.perplexity,
        "seed": map.request.seed,
        "trust": map.trust,
        "purity": map.purity,
        "points": points.map(|(i, (p, s))| json!({ "skill": s, "task": task(s), "unseen": unseen.iter().any(|t| t == task(s)), "x": p[0], "y": p[1], "neighbours": near(i) })).collect::<Vec<_>>(),
    })
}

fn as_csv(map: &MapView) -> String {
    let rows = map.points.iter().zip(&map.skills).map(|(p, skill)| format!("{skill},{},{},{}\n", task(skill), p[0], p[1]));
    std::iter::once("skill,task,x,y\n".to_string()).chain(rows).collect()
}
