//! `state-soup bench`: how fast this model and this library are on this machine.
//!
//! `--json`: `{ "model", "device", "threads", "runs", "prefill": [{ "tokens", "ms",
//! "tokens_per_second", "products" }], "decode": { "ms", "tokens_per_second" }, "library": {
//! "skills", "bytes" }, "keystroke": { "keys", "p50_ms", "p99_ms" } }`. Times are medians;
//! `products` is the share of the matrix products, 0 to 1 (0 on a GPU, where it is not measured); a
//! keystroke is reading what changed in the query and ranking every skill.

use super::args::Common;
use super::output;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::{CANDIDATES, Lab};
use crate::model::{Prompt, Want};
use crate::state::State;
use serde_json::{Value, json};
use std::time::Instant;

/// What is typed, key by key.
const TYPED: &str = "hot -> cold\nbig -> small\nearly -> late\nrich ->";

/// Flags of `bench`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Runs of each measurement
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Prompt lengths, in tokens
    #[arg(long, value_delimiter = ',', default_values_t = [64, 256, 1024])]
    tokens: Vec<usize>,
    /// Random weights instead of the model
    #[command(flatten)]
    speed: super::speed::Speed,
}

/// Measures and prints.
///
/// # Errors
/// Bad flags; a model or library that cannot be opened; [`Error::Cancelled`].
pub fn run(common: &Common, args: &Args) -> Result<()> {
    if args.runs == 0 || args.tokens.contains(&0) {
        return Err(Error::Input("--runs and --tokens must be at least 1".into()));
    }
    if let Some(size) = &args.speed.random {
        return super::speed::run(common, &args.speed, size, args.runs);
    }
    let lab = common.ready()?;
    let report = output::with_progress(common.quiet, "measuring", |control| measure(common, args, &lab, control))?;
    if common.json { output::json(&report) } else { output::print(&as_text(&report)) }
}

fn measure(common: &Common, args: &Args, lab: &Lab, control: Control<'_>) -> Result<Value> {
    let mut prefill = Vec::new();
    for &tokens in &args.tokens {
        prefill.push(measure_prefill(lab, tokens, args.runs, control)?);
    }
    let decode = measure_decode(lab, args.runs, control)?;
    let mut keys = measure_keys(common, args.runs, lab, control)?;
    keys.sort_by(f64::total_cmp);
    let evidence = measure_evidence(common, args.runs, lab, control)?;
    let (model, library) = (lab.model_view(), lab.library_view());
    Ok(json!({
        "model": model.name,
        "device": model.device,
        "threads": rayon::current_num_threads(),
        "runs": args.runs,
        "prefill": prefill,
        "decode": { "ms": decode, "tokens_per_second": 1e3 / decode },
        "library": { "skills": library.skills.len(), "bytes": library.bytes },
        "keystroke": { "keys": keys.len(), "p50_ms": quantile(&keys, 0.5), "p99_ms": quantile(&keys, 0.99) },
        "evidence": evidence,
    }))
}

fn measure_prefill(lab: &Lab, tokens: usize, runs: usize, control: Control<'_>) -> Result<Value> {
    let network = &lab.model().network;
    let text: Vec<u32> = (0..tokens as u32).map(|t| t * 7919 % lab.config().vocab_size as u32).collect();
    let before = network.time_in_products();
    let began = Instant::now();
    let ms = median(runs, control, || {
        let prompt = Prompt { tokens: &text, initial: None, snapshots: &[], want: Want::LastLogits };
        network.prefill(&[prompt], control.with_progress(&|_| {})).map(drop)
    })?;
    let products = network.time_in_products().saturating_sub(before).as_secs_f64() / began.elapsed().as_secs_f64();
    Ok(json!({ "tokens": tokens, "ms": ms, "tokens_per_second": tokens as f64 * 1e3 / ms, "products": products }))
}

/// Milliseconds a token.
fn measure_decode(lab: &Lab, runs: usize, control: Control<'_>) -> Result<f64> {
    const TOKENS: u32 = 16;
    let start = State::zeros(lab.shape());
    let mut decoder = lab.model().network.decoder(&[&start])?;
    let ms = median(runs, control, || (0..TOKENS).try_for_each(|t| decoder.step(&[t]).map(drop)))?;
    Ok(ms / f64::from(TOKENS))
}

/// Milliseconds of every key, `runs` times through the text.
fn measure_keys(common: &Common, runs: usize, lab: &Lab, control: Control<'_>) -> Result<Vec<f64>> {
    let view = common.view(lab)?;
    let mut times = Vec::new();
    for _ in 0..runs {
        for (end, typed) in TYPED.char_indices().map(|(at, c)| (at + c.len_utf8(), c)) {
            control.check()?;
            let began = Instant::now();
            lab.rank(&TYPED[..end], &view, control.with_progress(&|_| {}))?;
            if !typed.is_whitespace() {
                times.push(began.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    Ok(times)
}

/// Milliseconds of evidence after each example, `runs` times through the text.
fn measure_evidence(common: &Common, runs: usize, lab: &Lab, control: Control<'_>) -> Result<Value> {
    let view = common.view(lab)?;
    let (mut shown, mut whole) = (Vec::new(), Vec::new());
    let mut tasks = 0;
    for _ in 0..=runs {
        for (end, _) in TYPED.match_indices('\n') {
            control.check()?;
            let query = &TYPED[..=end];
            let began = Instant::now();
            let milliseconds = || began.elapsed().as_secs_f64() * 1e3;
            let mut first = None;
            let all = lab.evidence(query, &view, CANDIDATES, control.with_progress(&|_| {}), &mut |_| {
                first.get_or_insert_with(milliseconds);
            })?;
            whole.push(milliseconds());
            shown.push(first.unwrap_or_else(milliseconds));
            tasks = tasks.max(all.tasks.len());
        }
    }
    let first = whole[0];
    // The first time through, every task's mean is made.
    let examples = TYPED.matches('\n').count();
    let mut later = [shown, whole].map(|times| times[examples..].to_vec());
    later.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
    let [shown, whole] = later;
    Ok(json!({
        "examples": whole.len(),
        "tasks": tasks,
        "first_ms": first,
        "shown_p50_ms": quantile(&shown, 0.5),
        "shown_p99_ms": quantile(&shown, 0.99),
        "whole_p50_ms": quantile(&whole, 0.5),
        "whole_p99_ms": quantile(&whole, 0.99),
    }))
}

/// A quantile of numbers in order.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share).round() as usize]
}

/// Median milliseconds, after one run to warm up.
pub fn median(runs: usize, control: Control<'_>, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    work()?;
    let mut times = Vec::with_capacity(runs);
    for run in 0..runs {
        control.check()?;
        control.report(run as u64, runs as u64, "runs");
        let began = Instant::now();
        work()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[runs / 2])
}

fn as_text(report: &Value) -> String {
    let number = |value: &Value, digits: usize| format!("{:.digits$}", value.as_f64().unwrap_or(f64::NAN));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: String, ms: String, rate: String, note: String| rows.push(vec![what, ms, rate, note]);
    for p in report["prefill"].as_array().into_iter().flatten() {
        // It is not measured on a GPU.
        let share = p["products"].as_f64().filter(|share| *share > 0.0);
        let products = share.map_or_else(String::new, |share| format!("{:.0} % in matrix products", 100.0 * share));
        row(format!("prefill of {} tokens", p["tokens"]), number(&p["ms"], 2), number(&p["tokens_per_second"], 0), products);
    }
    let decode = &report["decode"];
    row("a token from a state".into(), number(&decode["ms"], 2), number(&decode["tokens_per_second"], 0), String::new());
    let (keys, skills) = (&report["keystroke"], &report["library"]["skills"]);
    row(format!("a keystroke over {skills} skills, median"), number(&keys["p50_ms"], 2), String::new(), format!("of {}", keys["keys"]));
    row("  99 of 100 within".into(), number(&keys["p99_ms"], 2), String::new(), String::new());
    let evidence = &report["evidence"];
    let of = format!("of {}", evidence["examples"]);
    row("evidence after an example, first shown, median".into(), number(&evidence["shown_p50_ms"], 2), String::new(), of);
    row("  99 of 100 within".into(), number(&evidence["shown_p99_ms"], 2), String::new(), String::new());
    row(format!("  all {} tasks read, median", evidence["tasks"]), number(&evidence["whole_p50_ms"], 2), String::new(), String::new());
    row("  99 of 100 within".into(), number(&evidence["whole_p99_ms"], 2), String::new(), String::new());
    row("  the very first, which makes the tasks' means".into(), number(&evidence["first_ms"], 2), String::new(), String::new());
    let head = format!(
        "{}, {}, {} threads\n",
        report["model"].as_str().unwrap_or_default(),
        report["device"].as_str().unwrap_or_default(),
        report["threads"]
    );
    head + &output::table(&["", ">ms", ">tokens/s", ""], &rows)
}
