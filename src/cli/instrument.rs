//! `state-soup instrument`: what the Lab's instruments read, without the screen. The figures are
//! those of the same panels.
//!
//! A soup is given as a recipe (`--soup`) or as a snapshot kept in the lab (`--snapshot`).
//! `--json`, where each object begins with `"instrument"`, `"query"` (null if there is none),
//! `"metric"`, `"part"`, `"layers": [from, to]` (half-open) and, except for `ecg`, `"soup"` (its
//! recipe):
//! - `ecg`: `{ "tokens": [text], "ranked", "rows": [{ "task", "scores": [per token] }] }`; rows
//!   best first, by the score after `ranked` tokens, which is the ranking's own; the tokens after
//!   those are the unfinished line.
//! - `landscape`: `{ "target", "corners": [skill], "fine", "points": [{ "mix": [share], "logprob"
//!   }], "best": { "mix", "logprob" } }`; shares in the order of the corners, in steps of 1/`fine`,
//!   adding up to 1; `logprob` is ln p of the target.
//! - `attribution`: `{ "target", "whole", "parts": [{ "ingredient" or "layers": [from, to],
//!   "without", "adds" }] }`; `whole` and `without` are ln p of the target, `adds` the first minus
//!   the second; both null where nothing is left to mix.
//! - `verdict`: `{ "task", "accuracy", "against": [{ "name", "accuracy", "logprob" }] }`; the last
//!   two are the soup's minus the baseline's, `{ "mean", "low", "high", "n" }`, paired over the
//!   questions.
//! - `autopsy`: `{ "layers_read": [{ "layer", "norm", "half_life", "effective_rank", "drift",
//!   "farthest" }], "unvisited": [layer] }`; `half_life` is in tokens, the mean over the skills
//!   that the soup names (a mixed state has no decay of its own), null if it names none; `drift` in
//!   units of the library's spread, `farthest` that of its farthest skill, `unvisited` where the
//!   first is more than the second.

use super::args::{Common, query};
use super::mix::recipe;
use super::output;
use crate::error::{Error, Result};
use crate::lab::{
    AttributionRequest, AttributionView, AutopsyRequest, AutopsyView, EcgRequest, EcgView, LandscapeRequest, LandscapeView, RankView,
    SoupPart, VerdictRequest, VerdictView,
};
use crate::session::snapshots;
use crate::soup::{Recipe, Soup};
use serde_json::{Value, json};

/// Flags of `instrument`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(subcommand)]
    which: Which,
}

#[derive(clap::Subcommand, Debug)]
enum Which {
    /// Similarity to the best tasks after every token of a query.
    Ecg {
        #[command(flatten)]
        query: QueryArg,
        /// Tasks shown, best first
        #[arg(long, default_value_t = crate::app::instrument::ECG_TASKS)]
        top: usize,
    },
    /// ln p of a target over all mixes of two or three ingredients.
    Landscape(Aim),
    /// What each ingredient and each band of layers adds to ln p of a target.
    Attribution(Aim),
    /// Held-out questions asked from a soup, from the best skill and from the query alone.
    Verdict {
        #[command(flatten)]
        query: QueryArg,
        #[command(flatten)]
        soup: SoupArg,
    },
    /// Norm, effective rank, half-life (mean over the soup's skills) and drift of a soup's state,
    /// layer by layer.
    Autopsy {
        /// The query, for soups that need one: text (`\n` for line breaks), `@file`, or `-` for
        /// standard input
        query: Option<String>,
        #[command(flatten)]
        soup: SoupArg,
    },
}

/// A query, a soup, and the answer that is hoped for.
#[derive(clap::Args, Debug)]
struct Aim {
    #[command(flatten)]
    query: QueryArg,
    #[command(flatten)]
    soup: SoupArg,
    /// The answer whose log-probability is measured
    #[arg(long)]
    target: String,
}

#[derive(clap::Args, Debug)]
struct QueryArg {
    /// The query: text (`\n` for line breaks), `@file`, or `-` for standard input
    #[arg(allow_hyphen_values = true)]
    query: String,
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct SoupArg {
    /// The soup, as a recipe (`0.6*antonym/0 + 0.4*antonym/1`) or `@file`
    #[arg(long, value_name = "RECIPE")]
    soup: Option<String>,
    /// The soup, as a snapshot kept in the lab
    #[arg(long, value_name = "NAME")]
    snapshot: Option<String>,
}

/// A soup as it was given.
enum Given {
    Recipe(Recipe),
    Snapshot(Soup),
}

impl Aim {
    fn given(&self) -> Result<(String, Soup, String)> {
        Ok((query(&self.query.query)?, self.soup.given()?.soup()?, self.target.clone()))
    }
}

impl SoupArg {
    fn given(&self) -> Result<Given> {
        let Some(name) = &self.snapshot else { return recipe(self.soup.as_deref().unwrap_or_default()).map(Given::Recipe) };
        let list = snapshots::read(&snapshots::file()?)?;
        if let Some(snapshot) = list.iter().find(|s| s.name == *name) {
            return Ok(Given::Snapshot(snapshot.soup.clone()));
        }
        let names: Vec<&str> = list.iter().map(|s| s.name.as_str()).collect();
        let there = if names.is_empty() { "none is kept yet".into() } else { format!("there is {}", names.join(", ")) };
        Err(Error::Input(format!("there is no snapshot `{name}`; {there}")))
    }
}

impl Given {
    fn recipe(self) -> Result<Recipe> {
        match self {
            Self::Recipe(recipe) => Ok(recipe),
            Self::Snapshot(soup) => soup.to_recipe().ok_or_else(|| Error::Input("no ingredient of this snapshot takes part".into())),
        }
    }

    fn soup(self) -> Result<Soup> {
        match self {
            Self::Snapshot(soup) => Ok(soup),
            Self::Recipe(recipe) => Soup::of_recipe(&recipe).ok_or_else(|| {
                let shape = "a rule over skills, such as `mean(antonym/0, antonym/1)`";
                Error::Input(format!("this instrument needs a soup as the lab makes them, {shape}; `{recipe}` is not of that kind"))
            }),
        }
    }
}

/// Reads and prints.
///
/// # Errors
/// Bad input, a soup that cannot be mixed, a model or library that cannot be opened.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let quiet = common.quiet;
    // Wrong input is reported before the model is loaded.
    let (value, text) = match &args.which {
        Which::Ecg { query: q, top } => {
            let query = query(&q.query)?;
            let (lab, view) = common.ready_to_rank()?;
            let request = EcgRequest { query, view, tasks: *top };
            let view = output::with_progress(quiet, "reading", |control| lab.ecg(&request, control))?;
            (ecg_json(&view), ecg_text(&view))
        }
        Which::Landscape(aim) => {
            let (query, soup, target) = aim.given()?;
            let (lab, view) = common.ready_to_rank()?;
            let request = LandscapeRequest { query, view, soup, target };
            let view = output::with_progress(quiet, "mixing", |control| lab.landscape(&request, control, &mut |_| {}))?;
            (landscape_json(&view), landscape_text(&view))
        }
        Which::Attribution(aim) => {
            let (query, soup, target) = aim.given()?;
            let (lab, view) = common.ready_to_rank()?;
            let request = AttributionRequest { query, view, soup, target };
            let view = output::with_progress(quiet, "leaving parts out", |control| lab.attribution(&request, control))?;
            (attribution_json(&view), attribution_text(&view))
        }
        Which::Verdict { query: q, soup } => {
            let (query, soup) = (query(&q.query)?, soup.given()?.recipe()?);
            let (lab, view) = common.ready_to_rank()?;
            let request = VerdictRequest { query, view, soup };
            let view = output::with_progress(quiet, "asking", |control| lab.verdict(&request, control))?;
            (verdict_json(&view), verdict_text(&view))
        }
        Which::Autopsy { query: q, soup } => {
            let (query, soup) = (q.as_deref().map(query).transpose()?.unwrap_or_default(), soup.given()?.recipe()?);
            let (lab, view) = common.ready_to_rank()?;
            let request = AutopsyRequest { query, view, soup };
            let view = output::with_progress(quiet, "examining", |control| lab.autopsy(&request, control))?;
            (autopsy_json(&view), autopsy_text(&view))
        }
    };
    if common.json { output::json(&value) } else { output::print(&text) }
}

/// The fields every reading begins with, then its own.
fn reading(instrument: &str, query: &str, view: &RankView, soup: Option<&Recipe>, own: Value) -> Value {
    let mut all = json!({
        "instrument": instrument,
        "query": (!query.is_empty()).then_some(query),
        "metric": view.metric,
        "part": view.part,
        "layers": [view.layers.start, view.layers.end],
    });
    if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
        all.extend(soup.map(|soup| ("soup".to_owned(), soup.to_string().into())));
        all.extend(own);
    }
    all
}

fn ecg_json(view: &EcgView) -> Value {
    let rows: Vec<Value> = view.rows.iter().map(|r| json!({ "task": r.task, "scores": r.scores })).collect();
    let own = json!({ "tokens": view.tokens, "ranked": view.ranked, "rows": rows });
    reading("ecg", &view.request.query, &view.request.view, None, own)
}

/// One line a token: the task that leads there, its similarity, and how far it leads.
fn ecg_text(view: &EcgView) -> String {
    let line = |t: usize| {
        let mut scores: Vec<(f32, &str)> = view.rows.iter().filter_map(|r| Some((*r.scores.get(t)?, r.task.as_str()))).collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        let (score, task) = scores.first().copied().unwrap_or((f32::NAN, "–"));
        let lead = scores.get(1).map_or("–".into(), |second| format!("{:.4}", score - second.0));
        let read = if t < view.ranked { "" } else { "unfinished line" };
        vec![(t + 1).to_string(), format!("{:?}", view.tokens[t]), task.to_owned(), format!("{score:.4}"), lead, read.into()]
    };
    let rows: Vec<Vec<String>> = (0..view.tokens.len()).map(line).collect();
    output::table(&[">#", "token", "nearest task", ">score", ">lead", ""], &rows)
}

fn landscape_json(view: &LandscapeView) -> Value {
    let request = &view.request;
    let point = |mix: &[usize], logprob: f64| {
        let shares: Vec<f64> = mix.iter().map(|&n| n as f64 / view.fine as f64).collect();
        json!({ "mix": shares, "logprob": logprob })
    };
    let points: Vec<Value> = view.points.iter().map(|p| point(&p.mix, p.logprob)).collect();
    let best = view.points.iter().max_by(|a, b| a.logprob.total_cmp(&b.logprob)).map(|p| point(&p.mix, p.logprob));
    let own = json!({ "target": request.target, "corners": view.corners, "fine": view.fine, "points": points, "best": best });
    reading("landscape", &request.query, &request.view, request.soup.to_recipe().as_ref(), own)
}

/// The mixes as a table, likeliest first.
fn landscape_text(view: &LandscapeView) -> String {
    let mut points: Vec<_> = view.points.iter().collect();
    points.sort_by(|a, b| b.logprob.total_cmp(&a.logprob));
    let share = |n: &usize| format!("{:.4}", *n as f64 / view.fine as f64);
    let rows: Vec<Vec<String>> = points.iter().map(|p| p.mix.iter().map(share).chain([format!("{:.4}", p.logprob)]).collect()).collect();
    let heading: Vec<String> = view.corners.iter().map(|c| format!(">{c}")).chain([">ln p".to_owned()]).collect();
    output::table(&heading.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
}

fn attribution_json(view: &AttributionView) -> Value {
    let request = &view.request;
    let parts = view.parts.iter().map(|part| {
        let adds = part.without.map(|without| view.whole - without);
        match &part.part {
            SoupPart::Ingredient(skill) => json!({ "ingredient": skill, "without": part.without, "adds": adds }),
            SoupPart::Layers(band) => json!({ "layers": [band.start, band.end], "without": part.without, "adds": adds }),
        }
    });
    let own = json!({ "target": request.target, "whole": view.whole, "parts": parts.collect::<Vec<_>>() });
    reading("attribution", &request.query, &request.view, request.soup.to_recipe().as_ref(), own)
}

fn attribution_text(view: &AttributionView) -> String {
    let whole = vec!["the whole soup".into(), format!("{:.4}", view.whole), String::new()];
    let row = |part: &crate::lab::LeftOut| {
        let name = match &part.part {
            SoupPart::Ingredient(skill) => skill.clone(),
            SoupPart::Layers(band) => format!("layers {}..{}", band.start, band.end),
        };
        let without = part.without.map_or("–".into(), |w| format!("{w:.4}"));
        vec![format!("without {name}"), without, part.without.map_or("–".into(), |w| format!("{:+.4}", view.whole - w))]
    };
    let rows: Vec<Vec<String>> = std::iter::once(whole).chain(view.parts.iter().map(row)).collect();
    output::table(&["", ">ln p", ">it adds"], &rows)
}

fn verdict_json(view: &VerdictView) -> Value {
    let against = view.against.iter().map(|a| json!({ "name": a.name, "accuracy": a.accuracy, "logprob": a.logprob }));
    let own = json!({ "task": view.task, "accuracy": view.accuracy, "against": against.collect::<Vec<_>>() });
    reading("verdict", &view.request.query, &view.request.view, Some(&view.request.soup), own)
}

fn verdict_text(view: &VerdictView) -> String {
    let row = |a: &crate::lab::Against| vec![a.name.clone(), a.accuracy.to_string(), a.logprob.to_string(), a.accuracy.n.to_string()];
    let rows: Vec<Vec<String>> = view.against.iter().map(row).collect();
    let table = output::table(&["soup minus", ">accuracy [95 %]", ">ln p [95 %]", ">questions"], &rows);
    format!("{}: {:.1} % right from the soup\n{table}", view.task, 100.0 * view.accuracy)
}

fn autopsy_json(view: &AutopsyView) -> Value {
    let f = &view.figures;
    let layer = |l: usize| {
        let half_life = f.half_life[l].is_finite().then_some(f.half_life[l]);
        json!({ "layer": l, "norm": f.norm[l], "half_life": half_life, "effective_rank": f.effective_rank[l], "drift": f.drift[l], "farthest": f.farthest[l] })
    };
    let own = json!({ "layers_read": (0..f.norm.len()).map(layer).collect::<Vec<_>>(), "unvisited": f.unvisited() });
    reading("autopsy", &view.request.query, &view.request.view, Some(&view.request.soup), own)
}

fn autopsy_text(view: &AutopsyView) -> String {
    let f = &view.figures;
    let unvisited = f.unvisited();
    let row = |l: usize| {
        let number = |v: f32| if v.is_finite() { format!("{v:.2}") } else { "–".into() };
        let beyond = if unvisited.contains(&l) { "beyond every skill" } else { "" };
        let figures = [f.norm[l], f.effective_rank[l], f.half_life[l], f.drift[l], f.farthest[l]].map(number);
        [vec![l.to_string()], figures.to_vec(), vec![beyond.into()]].concat()
    };
    let rows: Vec<Vec<String>> = (0..f.norm.len()).map(row).collect();
    let table = output::table(&[">layer", ">norm", ">rank", ">half-life", ">drift", ">farthest", ""], &rows);
    format!("{table}half-life: tokens, mean over the soup's skills; drift: from the library's mean, in its spread\n")
}
