//! Linear against quadratic: time and memory of reading by length, for this Mamba and a Transformer
//! with about the same number of parameters, measured on this machine. Also the time that
//! retrieving states saves over reading their examples again. Exponents are fitted to processor
//! time, which other programs hardly disturb. Times vary between runs.

use super::transformer::Transformer;
use super::{Figure, Finding, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::Result;
use crate::lab::trials::{Ask, Trials};
use crate::model::{CHUNK, Prompt, Want};
use crate::soup::mix;
use crate::state::State;
use crate::stats::{Interval, bootstrap};
use crate::task::{Pair, draw, rng};
use std::time::Instant;

/// Number of skills that are mixed, or whose examples are read again.
const SKILLS: usize = 3;
/// An exponent up to this is called linear (our choice).
const LINEAR: f64 = 1.1;
const READERS: [&str; 2] = ["Mamba", "Transformer"];

/// The time that reading took.
#[derive(Clone, Copy)]
struct Took {
    /// Wall-clock seconds.
    wall: f64,
    /// Processor seconds of all threads; equal to `wall` where the system does not report them.
    processor: f64,
}

/// Times `[reader][repetition][length]`.
type Times = [Vec<Vec<Took>>; 2];

/// One query answered in both ways: (tokens read, seconds) of each.
struct Query {
    task: usize,
    mix: (usize, f64),
    again: (usize, f64),
}

struct Measured {
    lengths: Vec<usize>,
    times: Times,
    /// Bytes stored for a context, `[reader][length]`.
    bytes: [Vec<usize>; 2],
    parameters: [usize; 2],
    queries: Vec<Query>,
    sizes: String,
}

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let lengths: Vec<usize> = (7..=if settings.is_quick() { 11 } else { 13 }).map(|e| 1 << e).collect();
    let repeats = 2 + settings.seeds * if settings.is_quick() { 1 } else { 2 };
    let config = trials.model.config();
    let transformer = Transformer::like(config)?;
    let shape = trials.lab.shape();
    let mut measured = Measured {
        bytes: [
            vec![4 * (shape.total_len() - shape.n_layer * shape.sidecar.len()); lengths.len()],
            lengths.iter().map(|n| n * transformer.bytes_per_token()).collect(),
        ],
        lengths,
        times: [Vec::new(), Vec::new()],
        parameters: [config.parameters() as usize, transformer.parameters()],
        queries: Vec::new(),
        sizes: transformer.describe(),
    };
    let tokens: Vec<u32> = (0..*measured.lengths.last().unwrap_or(&1) as u32).map(|i| (i * 7919) % config.vocab_size as u32).collect();
    let steps = (repeats * measured.lengths.len()) as u64;
    for repeat in 0..repeats {
        let mut row = [Vec::new(), Vec::new()];
        for (i, &n) in measured.lengths.iter().enumerate() {
            control.report((repeat * measured.lengths.len() + i) as u64, steps, "lengths");
            // The readers alternate at each length, so that other load on the machine affects both.
            row[0].push(timed(|| read(trials, &tokens[..n], control))?);
            row[1].push(timed(|| transformer.read(&tokens[..n], CHUNK, control))?);
        }
        // The first repetition warms caches and thread pools, and is discarded.
        if repeat > 0 {
            let [a, b] = row;
            measured.times[0].push(a);
            measured.times[1].push(b);
            live.show(|| report(&measured, settings));
        }
    }
    let tasks = trials.lab.tasks().len();
    let count = settings.seeds * if settings.is_quick() { 8 } else { 20 };
    for i in 0..count {
        control.report(i as u64, count as u64, "queries");
        let task = draw(&(0..tasks).collect::<Vec<_>>(), 1, &mut rng(settings.seed, "cost", i))[0];
        measured.queries.extend(query(trials, settings, task, i, control)?);
    }
    Ok(report(&measured, settings))
}

fn timed<T>(work: impl FnOnce() -> Result<T>) -> Result<Took> {
    let (began, before) = (Instant::now(), processor_seconds());
    work()?;
    let wall = began.elapsed().as_secs_f64();
    let processor = before.zip(processor_seconds()).map(|(before, now)| now - before);
    Ok(Took { wall, processor: processor.filter(|s| *s > 0.0).unwrap_or(wall) })
}

/// Processor seconds of this process's threads so far, where Linux reports them (nanoseconds, the
/// first number of each thread's `schedstat`).
fn processor_seconds() -> Option<f64> {
    let mut nanoseconds = 0u64;
    for thread in std::fs::read_dir("/proc/self/task").ok()? {
        let text = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        nanoseconds += text.split(' ').next()?.parse::<u64>().ok()?;
    }
    Some(nanoseconds as f64 * 1e-9)
}

fn read(trials: &Trials<'_>, tokens: &[u32], control: Control<'_>) -> Result<()> {
    control.check()?;
    let prompt = Prompt { tokens, initial: None, snapshots: &[], want: Want::LastLogits };
    trials.model.network.prefill(&[prompt], control.with_progress(&|_| {})).map(drop)
}

/// Times a one-example query in two ways: read it, rank, mix with the best skills and ask; or read
/// those skills' examples again, then the query, and ask.
fn query(trials: &Trials<'_>, settings: &Settings, task: usize, i: usize, control: Control<'_>) -> Result<Option<Query>> {
    let (library, view, spec) = (trials.lab.library(), trials.lab.default_view(), trials.lab.split_spec());
    let of = &trials.lab.tasks()[task];
    let Ok(split) = spec.draw(of) else { return Ok(None) };
    let chosen = draw(&split.test, 2, &mut rng(settings.seed, &of.name, i));
    let [shown, asked] = chosen[..] else { return Ok(None) };
    let shown = trials.prompt([&of.pairs[shown]])?;
    let (tail, answer) = trials.question(&of.pairs[asked])?;
    let ask = |state: State| trials.ask(&[Ask { states: vec![state], tail: tail.clone(), answer: answer.clone() }], control);
    let began = Instant::now();
    let state = trials.states(&[(None, &shown)], control)?.remove(0);
    let ranking = library.rank(&state, &view, None)?;
    let best: Vec<usize> = ranking.ranking.iter().take(SKILLS).filter_map(|s| library.find(&s.skill)).collect();
    let mut states = vec![state];
    for &skill in &best {
        states.push(library.state(skill)?);
    }
    ask(mix::mean(&states, &vec![1.0; states.len()])?)?;
    let mixed = began.elapsed().as_secs_f64();
    let mut text: Vec<Pair> = Vec::new();
    for skill in best {
        let meta = &library.skills()[skill];
        let examples = trials.lab.tasks().iter().find(|t| t.name == meta.task).and_then(|t| Some((t, spec.draw(t).ok()?)));
        let set = meta.id.rsplit('/').next().and_then(|s| s.parse::<usize>().ok()).unwrap_or(0);
        let Some((other, split)) = examples.filter(|(_, s)| set < s.sets.len()) else { return Ok(None) };
        text.extend(split.sets[set].iter().map(|&p| other.pairs[p].clone()));
    }
    let long = [trials.prompt(&text)?, shown[trials.prompt([])?.len()..].to_vec()].concat();
    let began = Instant::now();
    let state = trials.states(&[(None, &long)], control)?.remove(0);
    ask(state)?;
    let again = began.elapsed().as_secs_f64();
    let question = tail.len() + answer.len() - 1;
    Ok(Some(Query { task, mix: (shown.len() + question, mixed), again: (long.len() + question, again) }))
}

/// The exponent b of y = a·x^b, by least squares on logarithms.
fn exponent(x: &[usize], y: &[f64]) -> f64 {
    let logs: Vec<(f64, f64)> = x.iter().zip(y).map(|(x, y)| ((*x as f64).ln(), y.ln())).collect();
    let n = logs.len() as f64;
    let (mx, my) = (logs.iter().map(|l| l.0).sum::<f64>() / n, logs.iter().map(|l| l.1).sum::<f64>() / n);
    logs.iter().map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / logs.iter().map(|(x, _)| (x - mx).powi(2)).sum::<f64>()
}

impl Measured {
    /// Exponents of processor time, one per repetition, over the lengths from index `from` on.
    fn exponents(&self, reader: usize, from: usize) -> Vec<f64> {
        let processor = |t: &[Took]| t[from..].iter().map(|t| t.processor).collect::<Vec<_>>();
        self.times[reader].iter().map(|t| exponent(&self.lengths[from..], &processor(t))).collect()
    }

    /// The seconds of each repetition, for one reader and length.
    fn seconds(&self, reader: usize, length: usize, of: fn(&Took) -> f64) -> Vec<f64> {
        self.times[reader].iter().map(|t| of(&t[length])).collect()
    }
}

fn report(m: &Measured, settings: &Settings) -> Report {
    let interval = |values: &[f64]| -> Interval {
        let values: Vec<(usize, f64)> = values.iter().copied().enumerate().collect();
        bootstrap(&values, settings.resamples, settings.seed)
    };
    let mut table =
        Table::new("by-length", &["reader", "tokens", "processor seconds", "low", "high", "seconds waited", "bytes kept of the context"]);
    let mut exponents = Table::new("exponents", &["reader", "what", "tokens", "exponent", "low", "high", "repetitions"]);
    let (mut time, mut memory) = (Vec::new(), Vec::new());
    let late = m.lengths.len().saturating_sub(3);
    for (r, reader) in READERS.iter().enumerate() {
        let mut curve = Vec::new();
        for (l, &length) in m.lengths.iter().enumerate() {
            let i = interval(&m.seconds(r, l, |t| t.processor));
            let waited = interval(&m.seconds(r, l, |t| t.wall));
            let mut row = vec![(*reader).to_string(), length.to_string()];
            row.extend([i.mean, i.low, i.high].map(|v| format!("{v:.5}")));
            row.extend([format!("{:.5}", waited.mean), m.bytes[r][l].to_string()]);
            table.rows.push(row);
            curve.push(((length as f64).log2(), i.mean.log10()));
        }
        time.push(((*reader).to_string(), curve));
        let bytes: Vec<f64> = m.bytes[r].iter().map(|b| *b as f64).collect();
        memory.push(((*reader).to_string(), m.lengths.iter().zip(&bytes).map(|(n, b)| ((*n as f64).log2(), b.log10())).collect()));
        for (what, from) in [("time, all lengths", 0), ("time, the three longest", late)] {
            let i = interval(&m.exponents(r, from));
            let mut row = vec![(*reader).to_string(), what.into(), format!("{} to {}", m.lengths[from], m.lengths[m.lengths.len() - 1])];
            row.extend([i.mean, i.low, i.high].map(|v| format!("{v:.3}")));
            row.push(i.n.to_string());
            exponents.rows.push(row);
        }
        let kept = format!("{:.3}", exponent(&m.lengths, &bytes));
        let span = format!("{} to {}", m.lengths[0], m.lengths[m.lengths.len() - 1]);
        exponents.rows.push(vec![(*reader).into(), "bytes kept (exact)".into(), span, kept.clone(), kept.clone(), kept, "1".into()]);
    }
    let pair = |f: &dyn Fn(usize) -> f64, n: usize| interval(&(0..n).map(f).collect::<Vec<_>>());
    let (network, transformer) = (m.exponents(0, late), m.exponents(1, late));
    let n = network.len();
    let longest = m.lengths.len() - 1;
    let (fast, slow) = (m.seconds(0, longest, |t| t.processor), m.seconds(1, longest, |t| t.processor));
    let mut report = Report {
        setup: vec![
            format!("Mamba: the lab's model, {} parameters; Transformer: {} parameters, {}", m.parameters[0], m.parameters[1], m.sizes),
            format!("both read in pieces of {CHUNK} tokens and give the logits after the last one; {} threads; the first of the repetitions is thrown away", rayon::current_num_threads()),
            "processor seconds: of all threads, as Linux counts them (elsewhere seconds waited); seconds waited include what other programs took".into(),
            "the two programs are not tuned alike (our kernels; candle-transformers' Llama): exponents compare, seconds only say what a user waits for".into(),
            "bytes kept: SSM states and convolution windows in f32; keys and values in f32: from the tensors' sizes, not from the process's memory".into(),
            format!("queries: one example and a question; retrieved: the {SKILLS} best skills, averaged with the query; read again: the examples of these skills, then the query"),
            "intervals are over repetitions or queries on one machine; other machines differ by more than that".into(),
        ],
        figures: vec![
            Figure::curves("time", ["log2 of the tokens", "log10 of the processor seconds"], time),
            Figure::curves("memory", ["log2 of the tokens", "log10 of the bytes kept of the context"], memory),
        ],
        tables: vec![table, exponents],
        findings: vec![
            Finding::new(
                format!("Mamba's reading grows linearly (exponent at most {LINEAR} over the three longest)"),
                format!("{LINEAR} minus the exponent:"),
                0.0,
                pair(&|i| LINEAR - network[i], n),
            ),
            Finding::new(
                format!("The Transformer's reading grows faster than linearly (exponent above {LINEAR} over the three longest)"),
                "exponent",
                LINEAR,
                interval(&transformer),
            ),
            Finding::new("The Transformer's exponent is larger than Mamba's", "difference of exponents", 0.0, pair(&|i| transformer[i] - network[i], n)),
            Finding::new(format!("At {} tokens Mamba takes less processor time", m.lengths[longest]), "processor seconds saved", 0.0, pair(&|i| slow[i] - fast[i], n)),
        ],
        ..Report::default()
    };
    add_queries(&mut report, m, settings);
    report
}

fn add_queries(report: &mut Report, m: &Measured, settings: &Settings) {
    if m.queries.is_empty() {
        return;
    }
    let of = |value: &dyn Fn(&Query) -> f64| {
        bootstrap(&m.queries.iter().map(|q| (q.task, value(q))).collect::<Vec<_>>(), settings.resamples, settings.seed)
    };
    let mut table = Table::new("retrieval", &["way", "tokens read", "milliseconds", "low", "high", "queries"]);
    for (way, tokens, ms) in [
        ("retrieve and mix", of(&|q| q.mix.0 as f64), of(&|q| q.mix.1 * 1e3)),
        ("read the examples again", of(&|q| q.again.0 as f64), of(&|q| q.again.1 * 1e3)),
    ] {
        let mut row = vec![way.to_string(), format!("{:.1}", tokens.mean)];
        row.extend([ms.mean, ms.low, ms.high].map(|v| format!("{v:.3}")));
        row.push(ms.n.to_string());
        table.rows.push(row);
    }
    report.tables.push(table);
    report.findings.push(Finding::new(
        format!("Retrieving and mixing {SKILLS} skills is at least twice as fast as reading their examples again"),
        "log2 of the ratio of times",
        1.0,
        of(&|q| (q.again.1 / q.mix.1).log2()),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_are_those_of_the_law() {
        let x = [128, 256, 512, 1024];
        for law in [0.0, 1.0, 1.7, 2.0] {
            let y: Vec<f64> = x.iter().map(|x| 3.0 * f64::from(*x as u32).powf(law)).collect();
            assert!((exponent(&x, &y) - law).abs() < 1e-9);
        }
    }
}
