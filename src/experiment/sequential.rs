//! Ordered chunks, read independently. `sequential` asks which rule comes closest to one pass over
//! the text, `exactness` whether one layer with halo is exact and how the error grows with depth,
//! and `permutation` which rules depend on the order.

use super::{Figure, Finding, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::document::{self, Cut};
use crate::lab::trials::Trials;
use crate::model::{Prompt, Want};
use crate::soup::chunks::{ChunkRule, relative_errors};
use crate::soup::{decay, mix, picaso};
use crate::state::State;
use crate::stats::{Interval, bootstrap};
use crate::task::{draw, rng};

/// Tokens predicted after the chunks.
const AFTER: usize = 64;
const RULES: [(&str, ChunkRule); 12] = [
    ("full pass", ChunkRule::FullPass),
    ("A-decay with halo", ChunkRule::Decay { gamma: 1.0, halo: true }),
    ("A-decay", ChunkRule::Decay { gamma: 1.0, halo: false }),
    ("A-decay, gamma 0.5", ChunkRule::Decay { gamma: 0.5, halo: false }),
    ("mean", ChunkRule::Mean { halo: false }),
    ("mean with halo", ChunkRule::Mean { halo: true }),
    ("PICASO-S", ChunkRule::PicasoS),
    ("PICASO-R", ChunkRule::PicasoR),
    ("last only", ChunkRule::Last),
    ("sum", ChunkRule::Sum),
    ("first only", ChunkRule::First),
    ("empty", ChunkRule::Empty),
];

/// A document cut into chunks, with its continuation.
struct Document {
    /// The resampling group: the index of its text.
    source: usize,
    text: document::Document,
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
            let quiet = control.with_progress(&|_| {});
            let read = document::encode(trials.model, &document.text, quiet)?;
            let states = RULES.iter().map(|(_, rule)| read.compose(*rule, trials.model.network.decay())).collect::<Result<Vec<_>>>()?;
            let of_rules = document::losses(trials.model, &states, &document.text.after, quiet)?;
            losses.iter_mut().zip(of_rules).for_each(|(losses, of_rule)| losses.push((document.source, of_rule)));
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

/// For each rule and document: the document's source, and its loss at each position, nats.
type Losses = Vec<Vec<(usize, Vec<f32>)>>;

/// Adds the table, findings and figure for `count` chunks of `length` tokens.
fn add_shape(report: &mut Report, count: usize, length: usize, losses: &Losses, settings: &Settings) {
    let mut table =
        Table::new(&format!("{count}x{length}"), &["rule", "nats a token", "low", "high", "minus full pass", "low", "high", "documents"]);
    let mean = |nll: &[f32]| nll.iter().map(|v| f64::from(*v)).sum::<f64>() / nll.len() as f64;
    let difference = |a: usize, b: usize| {
        let paired: Vec<(usize, f64)> = losses[a].iter().zip(&losses[b]).map(|((g, a), (_, b))| (*g, mean(a) - mean(b))).collect();
        bootstrap(&paired, settings.resamples, settings.seed)
    };
    for (r, (rule, _)) in RULES.iter().enumerate() {
        let own: Vec<(usize, f64)> = losses[r].iter().map(|(g, l)| (*g, mean(l))).collect();
        let (own, more) = (bootstrap(&own, settings.resamples, settings.seed), difference(r, 0));
        let mut row = vec![rule.to_string()];
        row.extend([own.mean, own.low, own.high, more.mean, more.low, more.high].map(|v| format!("{v:.4}")));
        row.push(own.n.to_string());
        table.rows.push(row);
    }
    report.tables.push(table);
    let at = |name: &str| RULES.iter().position(|(rule, _)| *rule == name).unwrap_or_default();
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
        // Mean over eight positions, because single ones are too noisy.
        let bins = (0..AFTER / 8).map(|b| (b as f64 * 8.0 + 4.0, (b * 8..b * 8 + 8).map(|p| by_position(p) - full(p)).sum::<f64>() / 8.0));
        (RULES[r].0.to_string(), bins.collect())
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

/// Makes documents of `count` chunks of `length` tokens, each with a continuation of [`AFTER`]
/// predicted tokens.
fn documents(trials: &Trials<'_>, settings: &Settings, count: usize, length: usize) -> Result<Vec<Document>> {
    let bos = trials.prompt([])?;
    let cut = Cut { chunks: count, length, after: AFTER };
    let size = cut.tokens();
    let wanted = settings.documents();
    let document = |source: usize, tokens: &[u32]| cut.document(tokens).map(|text| Document { source, text });
    if let Some(path) = &settings.text {
        let text = crate::files::text(path, crate::files::LARGE)?;
        let tokens = trials.model.tokenizer.encode(&text)?;
        let windows: Vec<&[u32]> = tokens.chunks_exact(size - bos.len()).collect();
        if windows.len() < 2 {
            return Err(Error::Input(format!("{} has {} tokens; two documents of {size} are needed", path.display(), tokens.len())));
        }
        let order = draw(&(0..windows.len()).collect::<Vec<_>>(), wanted, &mut rng(settings.seed, "documents", count));
        return order.into_iter().map(|i| document(i, &[&bos[..], windows[i]].concat())).collect();
    }
    let of_tasks = |i: usize| {
        let mut random = rng(settings.seed, "documents", i * 1000 + count);
        let (_, tokens) = document::of_tasks(trials.model, trials.lab.tasks(), trials.lab.template(), cut, &mut random)?;
        document(i, &tokens)
    };
    (0..wanted).map(of_tasks).collect()
}

/// Indices in [`RULES`] of the rules measured layer by layer: A-decay with halo, A-decay without,
/// mean, last only.
const EXACT: [usize; 4] = [1, 2, 4, 8];
/// For each of [`EXACT`], layer and document: the document's source and relative error.
type ByLayer = Vec<Vec<Vec<(usize, f64)>>>;

pub fn exactness(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let documents = documents(trials, settings, 2, 128)?;
    let mut by_layer: ByLayer = vec![vec![Vec::new(); trials.lab.shape().n_layer]; EXACT.len()];
    for (d, document) in documents.iter().enumerate() {
        control.check()?;
        control.report(d as u64, documents.len() as u64, "documents");
        let read = document::encode(trials.model, &document.text, control.with_progress(&|_| {}))?;
        for (of_rule, rule) in by_layer.iter_mut().zip(EXACT) {
            let state = read.compose(RULES[rule].1, trials.model.network.decay())?;
            for (layer, error) in relative_errors(&state, &read.full).into_iter().enumerate() {
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
    for (rule, layers) in EXACT.iter().zip(by_layer) {
        let name = RULES[*rule].0;
        let mut curve = Vec::new();
        for (layer, values) in layers.iter().enumerate() {
            let i = bootstrap(values);
            let mut row = vec![name.to_string(), layer.to_string()];
            row.extend([i.mean, i.low, i.high].map(|v| format!("{v:.3e}")));
            table.rows.push(row);
            curve.push((layer as f64, i.mean.log10()));
        }
        curves.push((name.into(), curve));
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
    let rates = trials.model.network.decay();
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
        let chunks = document::encode(trials.model, &document.text, control.with_progress(&|_| {}))?.chunks;
        let turned: Vec<State> = (1..=4).map(|i| chunks[i % 4].clone()).collect();
        let swapped: Vec<State> = [1, 0, 2, 3].map(|i: usize| chunks[i].clone()).to_vec();
        for (slot, (rule, order)) in [(0, &swapped), (1, &turned), (1, &swapped), (2, &swapped)].into_iter().enumerate() {
            let (a, b) = ((rules[rule].1)(&chunks)?, (rules[rule].1)(order)?);
            // Both get the same convolution window, so that only the SSM states are compared.
            let b = mix::with_window(&b, &a)?;
            let asked = &document.text.after[..1];
            let prompts = [&a, &b].map(|s| Prompt { tokens: asked, initial: Some(s), snapshots: &[], want: Want::LastLogits });
            let read = trials.model.network.prefill(&prompts, control.with_progress(&|_| {}))?;
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
