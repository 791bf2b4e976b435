//! `state-soup bench --random SIZE`: how fast a Mamba of a published size is on this device, with
//! random weights, so that nothing has to be downloaded.
//!
//! `--json`: `{ "size", "device", "weights", "load_s", "bytes_per_token", "prefill": [{ "batch",
//! "tokens", "ms", "tokens_per_second" }], "decode": [{ "batch", "ms", "tokens_per_second" }],
//! "stages": [{ "name", "ms", "launches" }], "library": { "skills", "tokens", "encode_s",
//! "write_s", "bytes", "first_rank_ms", "key_ms", "rank_ms", "shelf_s", "device_key_ms",
//! "device_rank_ms" } }`. `stages` are those of the last shape of prefill. A key is four tokens
//! read from a state, the state copied back, and every skill ranked; `rank_ms` is the ranking
//! alone; `device_*` are the same after the library was copied to the device (`shelf_s`), where
//! there is one.

use super::args::Common;
use super::output;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::{
    BatchSize, BuildSettings, Library, LibraryWriter, Metric, NewLibrary, Part, RankView, SkillPlan, StoredType, Wait, build,
};
use crate::model::{LoadOptions, Network, Prompt, RandomWeights, Want, WeightType};
use crate::state::{ModelIdentity, State};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Instant;

/// What is measured.
#[derive(clap::Args, Debug)]
pub struct Speed {
    /// Random weights of a published size instead of the model: 130m, 370m, 790m, 1.4b or 2.8b
    #[arg(long, value_name = "SIZE")]
    pub random: Option<String>,
    /// With --random: prompts read together and the tokens of each, such as `8x512`
    #[arg(long, value_delimiter = ',', value_name = "BATCHxTOKENS", default_values_t = ["1x256", "1x2048", "8x512", "32x256", "8x2048"].map(String::from))]
    shapes: Vec<String>,
    /// With --random: sequences continued together
    #[arg(long, value_delimiter = ',', default_values_t = [1, 32])]
    batches: Vec<usize>,
    /// With --random: skills of 267 tokens that are built into a library and ranked; 0 for none
    #[arg(long, default_value_t = 0)]
    skills: usize,
    /// With --random, on a GPU: leave only this many MiB of its memory free, to see what happens
    /// then
    #[arg(long, value_name = "MIB")]
    leave: Option<usize>,
}

/// Tokens of a skill: 60 tasks × 5 sets of 32 examples are about 80 000 tokens.
const SKILL_TOKENS: usize = 267;

/// Measures and prints.
///
/// # Errors
/// [`Error::Input`] for a size or a shape that makes no sense; what the device lacks;
/// [`Error::Cancelled`].
pub fn run(common: &Common, args: &Speed, size: &str, runs: usize) -> Result<()> {
    let shapes = args.shapes.iter().map(|s| shape(s)).collect::<Result<Vec<_>>>()?;
    let config = RandomWeights::published(size)?;
    let device = super::args::device(&common.device)?;
    // Random weights have no stored precision: a GPU gets what it is fastest with, a CPU what it is
    // most exact with.
    let weights = match common.weights {
        WeightType::AsStored if device.is_cuda() => WeightType::BF16,
        WeightType::AsStored => WeightType::F32,
        other => other,
    };
    let options = LoadOptions { device: device.clone(), weights };
    let began = Instant::now();
    let mut network = output::with_progress(common.quiet, "making weights", |control| {
        Network::load(config.clone(), &RandomWeights::new(config.clone()), &options, control)
    })?;
    let load = began.elapsed().as_secs_f64();
    let _taken = args.leave.map(|mib| take_all_but(&network, mib)).transpose()?;
    let report = output::with_progress(common.quiet, "measuring", |control| {
        let silent = control.with_progress(&|_| {});
        let prefill = shapes.iter().map(|&s| prefill(&network, s, runs, silent)).collect::<Result<Vec<_>>>()?;
        let decode = args.batches.iter().map(|&b| decode(&network, b, runs, silent)).collect::<Result<Vec<_>>>()?;
        let library = if args.skills > 0 { library(&network, args.skills, runs, silent)? } else { Value::Null };
        let stages = stages(&mut network, shapes.last().copied().unwrap_or((1, 1)), silent)?;
        Ok(json!({
            "size": size,
            "device": device_name(&network),
            "weights": format!("{weights:?}"),
            "load_s": load,
            "bytes_per_token": network.bytes_per_token(),
            "prefill": prefill,
            "decode": decode,
            "stages": stages,
            "library": library,
        }))
    })?;
    if common.json { output::json(&report) } else { output::print(&as_text(&report)) }
}

fn shape(text: &str) -> Result<(usize, usize)> {
    let parts = text.split_once('x').and_then(|(b, t)| Some((b.parse().ok()?, t.parse().ok()?)));
    parts
        .filter(|&(b, t): &(usize, usize)| b > 0 && t > 0)
        .ok_or_else(|| Error::Input(format!("`{text}` is not a shape; 8x512 is 8 prompts of 512 tokens")))
}

#[cfg_attr(not(feature = "cuda"), allow(unused_variables))]
fn device_name(network: &Network) -> String {
    #[cfg(feature = "cuda")]
    if let Some(gpu) = network.gpu() {
        return gpu.name();
    }
    format!("cpu, {} threads", rayon::current_num_threads())
}

/// Takes a GPU's memory except for this many MiB, until it is dropped.
#[cfg(feature = "cuda")]
fn take_all_but(network: &Network, mib: usize) -> Result<crate::model::cuda::Buf> {
    let gpu = network.gpu().ok_or_else(|| Error::Input("--leave is about a GPU's memory, and this is a CPU".into()))?;
    gpu.take_all_but(mib << 20)
}

#[cfg(not(feature = "cuda"))]
fn take_all_but(_: &Network, _: usize) -> Result<()> {
    Err(Error::Input("--leave is about a GPU's memory, and this program was built without GPUs".into()))
}

/// Texts that differ.
fn texts(network: &Network, batch: usize, tokens: usize) -> Vec<Vec<u32>> {
    let vocab = network.config().vocab_size;
    (0..batch).map(|b| (0..tokens).map(|t| ((t * 7919 + b * 104_729) % vocab) as u32).collect()).collect()
}

fn prompts(texts: &[Vec<u32>]) -> Vec<Prompt<'_>> {
    texts.iter().map(|t| Prompt { tokens: t, initial: None, snapshots: &[], want: Want::State }).collect()
}

fn prefill(network: &Network, (batch, tokens): (usize, usize), runs: usize, control: Control<'_>) -> Result<Value> {
    let texts = texts(network, batch, tokens);
    let ms = super::bench::median(runs, control, || network.prefill(&prompts(&texts), control).map(drop))?;
    Ok(json!({ "batch": batch, "tokens": tokens, "ms": ms, "tokens_per_second": (batch * tokens) as f64 * 1e3 / ms }))
}

fn decode(network: &Network, batch: usize, runs: usize, control: Control<'_>) -> Result<Value> {
    const STEPS: u32 = 64;
    let start = State::zeros(network.shape());
    let mut decoder = network.decoder(&vec![&start; batch])?;
    let ms = super::bench::median(runs, control, || (0..STEPS).try_for_each(|t| decoder.step(&vec![t * 31; batch]).map(drop)))?
        / f64::from(STEPS);
    Ok(json!({ "batch": batch, "ms": ms, "tokens_per_second": batch as f64 * 1e3 / ms }))
}

fn stages(network: &mut Network, (batch, tokens): (usize, usize), control: Control<'_>) -> Result<Vec<Value>> {
    let texts = texts(network, batch, tokens);
    let stages = network.stages(&prompts(&texts), control)?;
    Ok(stages.into_iter().map(|(name, ms, launches)| json!({ "name": name, "ms": ms, "launches": launches })).collect())
}

fn library(network: &Network, skills: usize, runs: usize, control: Control<'_>) -> Result<Value> {
    let folder = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
    let identity = ModelIdentity::random(network.shape());
    let settings = BuildSettings::default();
    let new = NewLibrary { model: &identity, settings: &settings, dtype: StoredType::F16 };
    let writer = Mutex::new(LibraryWriter::open(&folder.path().join("library"), &new, Wait::No)?);
    let texts = texts(network, skills, SKILL_TOKENS);
    let plans: Vec<SkillPlan> = (0..skills)
        .map(|i| SkillPlan::examples(&format!("task_{}", i / 5), "random", i % 5, vec!["x".repeat(3 * SKILL_TOKENS)], &settings))
        .collect();
    let mut at = 0;
    let mut encode = |picks: &[&SkillPlan], control: Control<'_>| {
        let batch = prompts(&texts[at..at + picks.len()]);
        at += picks.len();
        Ok(network.prefill(&batch, control)?.into_iter().map(|p| p.state).collect())
    };
    let report = build(&writer, &settings, &plans, &[], BatchSize::of(network.chunk()), &mut encode, control)?;
    drop(writer);
    let (library, _) = Library::open(&folder.path().join("library"), &identity)?;
    let view = RankView { metric: Metric::Cosine, layers: RankView::default_layers(network.shape().n_layer), part: Part::Ssm };
    let query = library.state(0)?;
    let key = |initial: &State| network.state_after(&[17, 23, 5, 9], Some(initial), control);
    let began = Instant::now();
    library.rank(&query, &view, None)?;
    let first = began.elapsed().as_secs_f64() * 1e3;
    let rank_ms = super::bench::median(runs, control, || library.rank(&query, &view, None).map(drop))?;
    let key_ms = super::bench::median(runs, control, || library.rank(&key(&query)?, &view, None).map(drop))?;
    let began = Instant::now();
    if let Some(copy) = crate::lab::shelver(network) {
        library.attach(copy(&library)?);
    }
    let shelf_s = began.elapsed().as_secs_f64();
    let device_rank_ms = super::bench::median(runs, control, || library.rank(&query, &view, None).map(drop))?;
    let device_key_ms = super::bench::median(runs, control, || library.rank(&key(&query)?, &view, None).map(drop))?;
    Ok(json!({
        "skills": skills,
        "shelf_s": shelf_s,
        "device_rank_ms": device_rank_ms,
        "device_key_ms": device_key_ms,
        "tokens": report.tokens,
        "encode_s": report.encode_seconds,
        "write_s": report.write_seconds,
        "bytes": library.bytes(),
        "first_rank_ms": first,
        "rank_ms": rank_ms,
        "key_ms": key_ms,
    }))
}

fn as_text(report: &Value) -> String {
    let number = |value: &Value, digits: usize| format!("{:.digits$}", value.as_f64().unwrap_or(f64::NAN));
    let mut rows: Vec<Vec<String>> = Vec::new();
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    for p in list("prefill") {
        rows.push(vec![format!("prefill {} × {}", p["batch"], p["tokens"]), number(&p["ms"], 2), number(&p["tokens_per_second"], 0)]);
    }
    for d in list("decode") {
        rows.push(vec![format!("a token, {} together", d["batch"]), number(&d["ms"], 3), number(&d["tokens_per_second"], 0)]);
    }
    let l = &report["library"];
    if !l.is_null() {
        let seconds = |name: &str| number(&json!(l[name].as_f64().map(|s| s * 1e3)), 0);
        rows.push(vec![format!("library of {} skills, {} tokens", l["skills"], l["tokens"]), seconds("encode_s"), String::new()]);
        rows.push(vec!["  written".into(), seconds("write_s"), String::new()]);
        rows.push(vec!["a key: 4 tokens, all skills ranked".into(), number(&l["key_ms"], 2), String::new()]);
        rows.push(vec!["  the ranking".into(), number(&l["rank_ms"], 2), String::new()]);
        if report["device"].as_str().is_some_and(|d| !d.starts_with("cpu")) {
            rows.push(vec!["a key, ranked on the device".into(), number(&l["device_key_ms"], 2), String::new()]);
            rows.push(vec!["  the ranking".into(), number(&l["device_rank_ms"], 2), String::new()]);
            rows.push(vec!["  the library copied there".into(), seconds("shelf_s"), String::new()]);
        }
        rows.push(vec!["  the first ranking, with the norms".into(), number(&l["first_rank_ms"], 2), String::new()]);
    }
    for s in list("stages") {
        rows.push(vec![
            format!("  stage {}, {} launches", s["name"].as_str().unwrap_or_default(), s["launches"]),
            number(&s["ms"], 3),
            String::new(),
        ]);
    }
    let head = format!(
        "mamba-{}, random weights, {}, {}; loaded in {} s\n",
        report["size"].as_str().unwrap_or_default(),
        report["weights"].as_str().unwrap_or_default(),
        report["device"].as_str().unwrap_or_default(),
        number(&report["load_s"], 1),
    );
    head + &output::table(&["", ">ms", ">tokens/s"], &rows)
}
