//! Chunks in order, read independently: `sequential` (which rule comes closest to reading on), `exactness` (one layer with halo is exact; how the error grows
//! with depth) and `permutation` (which rules heed the order).

use super::stats::bootstrap;
use super::trials::{Trials, draw, rng, window_only};
use super::{Figure, Finding, Interval, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::{Prompt, Want};
use crate::soup::{decay, mix, picaso};
use crate::state::State;

/// Tokens of the continuation.
const AFTER: usize = 64;
const RULES: [&str; 12] = [
    "full pass",
    "A-decay with halo",
    "A-decay",
    "A-decay, gamma 0.5",
    "mean",
    "mean with halo",
    "PICASO-S",
    "PICASO-R",
    "last only",
    "sum",
    "first only",
    "empty",
];

/// A document cut into chunks and what follows them.
struct Document {
    /// Which text it is of.
    source: usize,
    chunks: Vec<Vec<u32>>,
    after: Vec<u32>,
}

/// The states of a document's chunks, and the one pass.
struct Encoded {
    full: State,
    chunks: Vec<State>,
    halo: Vec<State>,
}

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let mut report = Report { setup: setup(settings), ..Report::default() };
    let shapes: &[(usize, usize)] =
        if settings.is_quick() { &[(2, 128), (4, 64)] } else { &[(2, 64), (2, 128), (2, 256), (4, 64), (4, 128), (8, 64), (8, 128)] };
    for (s, &(count, length)) in shapes.iter().enumerate() {
        let documents = documents(trials, settings, count, length)?;
        let mut losses: Losses = vec![Vec::new(); RULES.len()];
        for (d, document) in documents.iter().enumerate() {
            control.check()?;
            control.report((s * documents.len() + d) as u64, (shapes.len() * documents.len()) as u64, "documents");
            let encoded = encode(trials, document, control)?;
            for (loss, state) in losses.iter_mut().zip(rules(trials, &encoded)?) {
                loss.push((document.source, nll(trials, &state, document, control)?));
            }
            live.show(|| {
                let mut so_far = report.clone();
                add_shape(&mut so_far, count, length, &losses, settings);
                so_far
            });
        }
        add_shape(&mut report, count, length, &losses, settings);
    }
    Ok(report)
}

/// For each rule, each document's text and its losses by position.
type Losses = Vec<Vec<(usize, Vec<f32>)>>;

/// Adds table, findings and figure of one number and length of chunks.
fn add_shape(report: &mut Report, count: usize, length: usize, losses: &Losses, settings: &Settings) {
    let mut table =
        Table::new(&format!("{count}x{length}"), &["rule", "nats a token", "low", "high", "minus full pass", "low", "high", "documents"]);
    let mean = |nll: &[f32]| nll.iter().map(|v| f64::from(*v)).sum::<f64>() / nll.len() as f64;
    let difference = |a: usize, b: usize| {
        let paired: Vec<(usize, f64)> = losses[a].iter().zip(&losses[b]).map(|((g, a), (_, b))| (*g, mean(a) - mean(b))).collect();
        bootstrap(&paired, settings.resamples, settings.seed)
    };
    for (r, rule) in RULES.iter().enumerate() {
        let own: Vec<(usize, f64)> = losses[r].iter().map(|(g, l)| (*g, mean(l))).collect();
        let (own, more) = (bootstrap(&own, settings.resamples, settings.seed), difference(r, 0));
        let mut row = vec![rule.to_string()];
        row.extend([own.mean, own.low, own.high, more.mean, more.low, more.high].map(|v| format!("{v:.4}")));
        row.push(own.n.to_string());
        table.rows.push(row);
    }
    report.tables.push(table);
    let at = |name: &str| RULES.iter().position(|r| *r == name).unwrap_or_default();
    for (claim, worse, better) in [
        ("A-decay predicts better than the mean", "mean", "A-decay"),
        ("A-decay predicts better than the last chunk alone", "last only", "A-decay"),
        ("A-decay predicts better than the first chunk alone", "first only", "A-decay"),
        ("the halo helps A-decay", "A-decay", "A-decay with halo"),
        ("one pass predicts better than A-decay with halo", "A-decay with halo", "full pass"),
    ] {
        let claim = format!("{count} x {length} tokens: {claim}");
        report.findings.push(Finding::new(claim, "nats a token saved", 0.0, difference(at(worse), at(better))));
    }
    let curve = |r: usize| {
        let by_position = |p: usize| losses[r].iter().map(|(_, l)| f64::from(l[p])).sum::<f64>() / losses[r].len() as f64;
        let full = |p: usize| losses[0].iter().map(|(_, l)| f64::from(l[p])).sum::<f64>() / losses[0].len() as f64;
        // Eight positions together: single ones are too noisy to be read.
        let bins = (0..AFTER / 8).map(|b| (b as f64 * 8.0 + 4.0, (b * 8..b * 8 + 8).map(|p| by_position(p) - full(p)).sum::<f64>() / 8.0));
        (RULES[r].to_string(), bins.collect())
    };
    report.figures.push(Figure::curves(
        &format!("after-{count}x{length}"),
        ["token after the join", "nats a token more than the full pass"],
        [1, 2, 4, 6, 8, 9, 10].map(curve).to_vec(),
    ));
}

fn setup(settings: &Settings) -> Vec<String> {
    vec![
        match &settings.text {
            Some(path) => format!("documents: windows of {}", path.display()),
            None => "documents: runs of examples whose task changes from one chunk to the next; the continuation is of the last chunk's task (no prose is bundled; give one with --text)".into(),
        },
        "each chunk after the first is read from an empty memory without a beginning-of-text token; with halo its convolutions see the tokens before it".into(),
        format!("{AFTER} tokens of continuation, natural log"),
    ]
}

/// The state each rule makes, in the order of [`RULES`].
fn rules(trials: &Trials<'_>, e: &Encoded) -> Result<Vec<State>> {
    let rates = trials.model.mamba.rates();
    let ones = vec![1.0; e.chunks.len()];
    let last = e.chunks.last().unwrap_or(&e.full);
    let window = |state: State| mix::with_window(&state, last);
    Ok(vec![
        e.full.clone(),
        decay::compose(&e.halo, &ones, rates, 1.0, 1.0)?,
        decay::compose(&e.chunks, &ones, rates, 1.0, 1.0)?,
        decay::compose(&e.chunks, &ones, rates, 0.5, 1.0)?,
        window(mix::mean(&e.chunks, &ones)?)?,
        window(mix::mean(&e.halo, &ones)?)?,
        window(picaso::all_orders(&e.chunks, rates)?)?,
        window(picaso::rotations(&e.chunks, rates)?)?,
        last.clone(),
        window(mix::weighted_sum(&e.chunks, &ones)?)?,
        e.chunks[0].clone(),
        State::zeros(e.full.shape()),
    ])
}

fn encode(trials: &Trials<'_>, document: &Document, control: Control<'_>) -> Result<Encoded> {
    let full: Vec<u32> = document.chunks.concat();
    let mut texts: Vec<(Option<&State>, &[u32])> = vec![(None, &full)];
    texts.extend(document.chunks.iter().map(|c| (None, &c[..])));
    let mut states = trials.states(&texts, control)?;
    let full = states.remove(0);
    // The halo: the windows that the end of the chunk before leaves, over an empty memory.
    let reach = full.shape().d_conv - 1;
    let tails: Vec<&[u32]> = document.chunks.iter().map(|c| &c[c.len().saturating_sub(reach)..]).collect();
    let tails = trials.states(&tails.iter().map(|t| (None, *t)).collect::<Vec<_>>(), control)?;
    let windows = tails.iter().map(window_only).collect::<Result<Vec<_>>>()?;
    let after: Vec<(Option<&State>, &[u32])> = document.chunks[1..].iter().zip(&windows).map(|(c, w)| (Some(w), &c[..])).collect();
    let mut halo = vec![states[0].clone()];
    halo.extend(trials.states(&after, control)?);
    Ok(Encoded { full, chunks: states, halo })
}

/// −ln p of the tokens of the continuation after its first one: a state has no logits of its own, the first token read gives the first.
fn nll(trials: &Trials<'_>, state: &State, document: &Document, control: Control<'_>) -> Result<Vec<f32>> {
    let prompt = Prompt { tokens: &document.after, initial: Some(state), snapshots: &[], want: Want::LogProbs };
    let read = trials.model.mamba.prefill(&[prompt], control.with_progress(&|_| {}))?;
    Ok(read.into_iter().flat_map(|r| r.logprobs).map(|p| -p).collect())
}

/// Documents of `count` chunks of `length` tokens and a continuation of [`AFTER`] predicted tokens.
fn documents(trials: &Trials<'_>, settings: &Settings, count: usize, length: usize) -> Result<Vec<Document>> {
    let bos = trials.prompt([])?;
    let size = count * length + AFTER + 1;
    let wanted = settings.documents();
    let cut = |source: usize, tokens: &[u32]| Document {
        source,
        chunks: tokens[..count * length].chunks(length).map(<[u32]>::to_vec).collect(),
        after: tokens[count * length..size].to_vec(),
    };
    if let Some(path) = &settings.text {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let tokens = trials.model.tokenizer.encode(&text)?;
        let windows: Vec<&[u32]> = tokens.chunks_exact(size - bos.len()).collect();
        if windows.len() < 2 {
            return Err(Error::Input(format!("{} has {} tokens; two documents of {size} are needed", path.display(), tokens.len())));
        }
        let order = draw(&(0..windows.len()).collect::<Vec<_>>(), wanted, &mut rng(settings.seed, "documents", count));
        return Ok(order.into_iter().map(|i| cut(i, &[&bos[..], windows[i]].concat())).collect());
    }
    let tasks = trials.lab.tasks();
    let mut documents = Vec::new();
    for i in 0..wanted {
        let mut random = rng(settings.seed, "documents", i * 1000 + count);
        let chosen = draw(&(0..tasks.len()).collect::<Vec<_>>(), count, &mut random);
        let mut tokens = bos.clone();
        for (c, &t) in chosen.iter().enumerate() {
            let until = if c + 1 == count { size } else { (c + 1) * length };
            let pairs = &tasks[t].pairs;
            for &p in draw(&(0..pairs.len()).collect::<Vec<_>>(), pairs.len(), &mut random).iter().cycle() {
                if tokens.len() >= until {
                    break;
                }
                tokens.extend(trials.example(&pairs[p])?);
            }
        }
        documents.push(cut(i, &tokens));
    }
    Ok(documents)
}

/// Relative error ‖composed − one pass‖ / ‖one pass‖ of the SSM state, layer by layer.
fn errors(composed: &State, full: &State) -> Vec<f64> {
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    (0..full.shape().n_layer)
        .map(|l| {
            let (a, b) = (composed.ssm_layer(l), full.ssm_layer(l));
            norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(a - b))) / norm(&mut b.iter().map(|b| f64::from(*b)))
        })
        .collect()
}

/// Rules whose error is looked at layer by layer.
const EXACT: [&str; 4] = ["A-decay with halo", "A-decay", "mean", "last only"];
/// For each of [`EXACT`] and each layer, each document's text and error.
type ByLayer = Vec<Vec<Vec<(usize, f64)>>>;

pub fn exactness(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let documents = documents(trials, settings, 2, 128)?;
    let mut by_layer: ByLayer = vec![vec![Vec::new(); trials.lab.shape().n_layer]; EXACT.len()];
    for (d, document) in documents.iter().enumerate() {
        control.check()?;
        control.report(d as u64, documents.len() as u64, "documents");
        let encoded = encode(trials, document, control)?;
        let states = rules(trials, &encoded)?;
        for (of_rule, rule) in by_layer.iter_mut().zip(EXACT) {
            let state = RULES.iter().position(|r| *r == rule).map(|r| &states[r]);
            for (layer, error) in state.map(|s| errors(s, &encoded.full)).unwrap_or_default().into_iter().enumerate() {
                of_rule[layer].push((document.source, error));
            }
        }
        live.show(|| exactness_report(&by_layer, settings));
    }
    Ok(exactness_report(&by_layer, settings))
}

fn exactness_report(by_layer: &ByLayer, settings: &Settings) -> Report {
    let mut report = Report { setup: setup(settings), ..Report::default() };
    let bootstrap = |values: &[(usize, f64)]| bootstrap(values, settings.resamples, settings.seed);
    let differences = |a: &[(usize, f64)], b: &[(usize, f64)]| -> Interval {
        bootstrap(&a.iter().zip(b).map(|((g, a), (_, b))| (*g, a - b)).collect::<Vec<_>>())
    };
    let mut table = Table::new("error-by-layer", &["rule", "layer", "relative error", "low", "high"]);
    let mut curves = Vec::new();
    for (name, layers) in EXACT.iter().zip(by_layer) {
        let mut curve = Vec::new();
        for (layer, values) in layers.iter().enumerate() {
            let i = bootstrap(values);
            let mut row = vec![(*name).to_string(), layer.to_string()];
            row.extend([i.mean, i.low, i.high].map(|v| format!("{v:.3e}")));
            table.rows.push(row);
            curve.push((layer as f64, i.mean.log10()));
        }
        curves.push(((*name).into(), curve));
    }
    report.figures.push(Figure::curves("error-by-layer", ["layer", "log10 of the relative error"], curves));
    let (halo, plain, mean) = (&by_layer[0], &by_layer[1], &by_layer[2]);
    let last = halo.len() - 1;
    let exact: Vec<(usize, f64)> = halo[0].iter().map(|(g, e)| (*g, 1e-5 - e)).collect();
    let claim = "At the first layer A-decay with halo equals one pass to 1e-5";
    report.findings.push(Finding::new(claim, "1e-5 minus the relative error:", 0.0, bootstrap(&exact)));
    let claim = "The error grows from the first layer to the last";
    report.findings.push(Finding::new(claim, "difference of relative errors", 0.0, differences(&halo[last], &halo[0])));
    let claim = "At the last layer A-decay is nearer to one pass than the mean";
    report.findings.push(Finding::new(claim, "difference of relative errors", 0.0, differences(&mean[last], &plain[last])));
    report.tables.push(table);
    report
}

pub fn permutation(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, _: &mut Live<'_>) -> Result<Report> {
    let mut report = Report { setup: setup(settings), ..Report::default() };
    let rates = trials.model.mamba.rates();
    let rules: [(&str, &dyn Fn(&[State]) -> Result<State>); 3] = [
        ("PICASO-S", &|s| picaso::all_orders(s, rates)),
        ("PICASO-R", &|s| picaso::rotations(s, rates)),
        ("A-decay", &|s| decay::compose(s, &vec![1.0; s.len()], rates, 1.0, 1.0)),
    ];
    let documents: Vec<Document> = documents(trials, settings, 4, 64)?.into_iter().take(12).collect();
    let mut largest = vec![Vec::new(); 4];
    for (d, document) in documents.iter().enumerate() {
        control.check()?;
        control.report(d as u64, documents.len() as u64, "documents");
        let chunks = encode(trials, document, control)?.chunks;
        let turned: Vec<State> = (1..=4).map(|i| chunks[i % 4].clone()).collect();
        let swapped: Vec<State> = [1, 0, 2, 3].map(|i: usize| chunks[i].clone()).to_vec();
        for (slot, (rule, order)) in [(0, &swapped), (1, &turned), (1, &swapped), (2, &swapped)].into_iter().enumerate() {
            let (a, b) = ((rules[rule].1)(&chunks)?, (rules[rule].1)(order)?);
            // The same window for both: only the memory is compared.
            let b = mix::with_window(&b, &a)?;
            let asked = &document.after[..1];
            let prompts = [&a, &b].map(|s| Prompt { tokens: asked, initial: Some(s), snapshots: &[], want: Want::LastLogits });
            let read = trials.model.mamba.prefill(&prompts, control.with_progress(&|_| {}))?;
            let far = read[0].logits[0].iter().zip(&read[1].logits[0]).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max);
            largest[slot].push((d, far));
        }
    }
    let mut table = Table::new("logits", &["rule", "change of order", "largest difference of a logit, mean over documents", "high"]);
    let names =
        [("PICASO-S", "first two swapped"), ("PICASO-R", "rotated"), ("PICASO-R", "first two swapped"), ("A-decay", "first two swapped")];
    for ((rule, order), values) in names.iter().zip(&largest) {
        let i = bootstrap(values, settings.resamples, settings.seed);
        table.rows.push(vec![(*rule).into(), (*order).into(), format!("{:.2e}", i.mean), format!("{:.2e}", i.high)]);
    }
    let interval = |slot: usize, of: fn(f64) -> f64| {
        let values: Vec<(usize, f64)> = largest[slot].iter().map(|(g, v)| (*g, of(*v))).collect();
        bootstrap(&values, settings.resamples, settings.seed)
    };
    let below = |v: f64| 1e-3 - v;
    let above = |v: f64| v - 1e-3;
    report.findings = vec![
        Finding::new("PICASO-S does not heed the order", "1e-3 minus the largest difference of a logit:", 0.0, interval(0, below)),
        Finding::new("PICASO-R does not heed rotation", "1e-3 minus the largest difference of a logit:", 0.0, interval(1, below)),
        Finding::new("PICASO-R heeds a swap", "largest difference of a logit, minus 1e-3:", 0.0, interval(2, above)),
        Finding::new("A-decay heeds a swap", "largest difference of a logit, minus 1e-3:", 0.0, interval(3, above)),
    ];
    report.tables.push(table);
    Ok(report)
}
