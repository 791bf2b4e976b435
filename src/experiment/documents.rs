//! Soups of many independently read documents, without fine-tuning: how much of one document is
//! left in a soup of n, and at which n it is lost.

use super::{Figure, Finding, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::trials::{Ask, Trials, random_like};
use crate::model::{Prompt, Want};
use crate::soup::{decay, mix};
use crate::state::State;
use crate::stats::{Interval, bootstrap};
use crate::task::{draw, rng};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Tokens per document (at most, if it is made of whole examples).
const LENGTH: usize = 64;
/// Predicted tokens of the text after a document.
const AFTER: usize = 48;
/// Questions about a document made of examples.
const QUESTIONS: usize = 3;
/// Most tokens that one pass reads. This is already far beyond the bundled model's training length.
const LONGEST_PASS: usize = 4096;
const RULES: [&str; 9] = [
    "its document alone",
    "one pass over all",
    "mean",
    "mean, norms matched",
    "sum",
    "A-decay",
    "another document alone",
    "random state, norm of its document",
    "empty",
];

/// A document, with what measures how much of it a state knows.
struct Document {
    tokens: Vec<u32>,
    after: After,
}

enum After {
    /// The text that follows the document. Its first token is read but not predicted.
    Text(Vec<u32>),
    /// Test pairs of the document's task: unfinished line and answer. Each is asked separately.
    Questions(Vec<(Vec<u32>, Vec<u32>)>),
}

/// Losses `[n][rule][round]`: nats per token of prose, or nats per answer; NaN if not measured.
type Losses = Vec<Vec<Vec<f64>>>;

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let sizes: Vec<usize> = (1..=if settings.is_quick() { 6 } else { 8 }).map(|e| 1 << e).collect();
    let rounds = 8 * settings.seeds * settings.per_task.min(4);
    let most = sizes.last().copied().unwrap_or(2);
    let source = Source::new(trials, settings)?;
    let mut losses: Losses = vec![vec![Vec::new(); RULES.len()]; sizes.len()];
    for round in 0..rounds {
        control.check()?;
        control.report(round as u64, rounds as u64, "rounds");
        let mut random = rng(settings.seed, "souped documents", round);
        let documents = source.draw(trials, most, &mut random)?;
        let texts: Vec<(Option<&State>, &[u32])> = documents.iter().map(|d| (None, &d.tokens[..])).collect();
        let states = trials.states(&texts, control)?;
        let passes = one_pass(trials, &documents, &sizes, control)?;
        for (s, &n) in sizes.iter().enumerate() {
            let asked = random.random_range(0..n);
            let soups = soups(trials, &states[..n], asked, passes.get(s), &mut random)?;
            let read = losses_of(trials, &soups, &documents[asked].after, control)?;
            for (loss, of_rule) in losses[s].iter_mut().zip(read) {
                loss.push(of_rule);
            }
        }
        live.show(|| report(&sizes, &losses, settings));
    }
    Ok(report(&sizes, &losses, settings))
}

/// Where documents come from.
enum Source {
    /// Windows of the user's prose, tokenised.
    Text(Vec<u32>),
    /// Examples of tasks: each document is of one task.
    Tasks,
}

impl Source {
    fn new(trials: &Trials<'_>, settings: &Settings) -> Result<Self> {
        let Some(path) = &settings.text else { return Ok(Self::Tasks) };
        let text = crate::files::text(path, crate::files::LARGE)?;
        let tokens = trials.model.tokenizer.encode(&text)?;
        let size = LENGTH + AFTER + 1;
        if tokens.len() < 4 * size {
            return Err(Error::Input(format!("{} has {} tokens; at least {} are needed", path.display(), tokens.len(), 4 * size)));
        }
        Ok(Self::Text(tokens))
    }

    fn draw(&self, trials: &Trials<'_>, n: usize, random: &mut ChaCha8Rng) -> Result<Vec<Document>> {
        let bos = trials.prompt([])?;
        match self {
            Self::Text(tokens) => {
                let body = LENGTH - bos.len();
                let windows: Vec<&[u32]> = tokens.chunks_exact(body + AFTER + 1).collect();
                let order = draw(&(0..windows.len()).collect::<Vec<_>>(), n, random);
                // If the text is too short, documents repeat in the soup.
                let cut = |i: usize| Document {
                    tokens: [&bos[..], &windows[i][..body]].concat(),
                    after: After::Text(windows[i][body..].to_vec()),
                };
                Ok(order.iter().cycle().take(n).map(|&i| cut(i)).collect())
            }
            Self::Tasks => {
                let tasks = trials.lab.tasks();
                let order = draw(&(0..tasks.len()).collect::<Vec<_>>(), n, random);
                let spec = trials.lab.split_spec();
                let mut documents = Vec::with_capacity(n);
                for &t in order.iter().cycle().take(n) {
                    let task = &tasks[t];
                    let Ok(split) = spec.draw(task) else { continue };
                    let rest: Vec<usize> = split.sets.concat().into_iter().chain(split.spare).collect();
                    let mut tokens = bos.clone();
                    let order = draw(&rest, rest.len(), random);
                    for example in trials.examples(order.iter().map(|&i| &task.pairs[i]))? {
                        if tokens.len() + example.len() > LENGTH {
                            break;
                        }
                        tokens.extend(example);
                    }
                    let mut asked = Vec::new();
                    for i in draw(&split.test, QUESTIONS, random) {
                        asked.push(trials.question(&task.pairs[i])?);
                    }
                    documents.push(Document { tokens, after: After::Questions(asked) });
                }
                if documents.len() < n {
                    return Err(Error::Input("some tasks are too small to make documents of".into()));
                }
                Ok(documents)
            }
        }
    }
}

/// The states after reading the first n documents in one pass, for each n whose tokens fit into
/// [`LONGEST_PASS`].
fn one_pass(trials: &Trials<'_>, documents: &[Document], sizes: &[usize], control: Control<'_>) -> Result<Vec<State>> {
    let end = |n: usize| documents[..n].iter().map(|d| d.tokens.len()).sum::<usize>();
    let ends: Vec<usize> = sizes.iter().map(|n| end(*n)).filter(|end| *end <= LONGEST_PASS).collect();
    let longest = ends.last().copied().unwrap_or(0);
    let tokens: Vec<u32> = documents.iter().flat_map(|d| &d.tokens).copied().take(longest).collect();
    let prompt = Prompt { tokens: &tokens, initial: None, snapshots: &ends, want: Want::State };
    Ok(trials.model.network.prefill(&[prompt], control.with_progress(&|_| {}))?.into_iter().flat_map(|r| r.snapshots).collect())
}

/// The state of each rule, in the order of [`RULES`]. All get the convolution window of the
/// document asked about, so that SSM states are compared and not the last three tokens.
fn soups(trials: &Trials<'_>, states: &[State], asked: usize, pass: Option<&State>, random: &mut ChaCha8Rng) -> Result<Vec<Option<State>>> {
    let ones = vec![1.0; states.len()];
    let own = &states[asked];
    let mean = mix::mean(states, &ones)?;
    let soups = [
        Some(own.clone()),
        pass.cloned(),
        Some(mean.clone()),
        Some(mix::match_norm(&mean, states)?),
        Some(mix::weighted_sum(states, &ones)?),
        Some(decay::compose(states, &ones, trials.model.network.decay(), 1.0, 1.0)?),
        Some(states[(asked + 1) % states.len()].clone()),
        Some(random_like(own, random)?),
        Some(State::zeros(own.shape())),
    ];
    soups.into_iter().map(|s| s.map(|s| mix::with_window(&s, own)).transpose()).collect()
}

/// Nats per token of the text that follows, or nats per answer, for each state; NaN where there is
/// no state.
fn losses_of(trials: &Trials<'_>, soups: &[Option<State>], after: &After, control: Control<'_>) -> Result<Vec<f64>> {
    let mean = |values: &mut dyn ExactSizeIterator<Item = f64>| {
        let n = values.len() as f64;
        values.sum::<f64>() / n
    };
    let states = || soups.iter().flatten();
    let losses: Vec<f64> = match after {
        After::Text(tokens) => {
            let prompts: Vec<Prompt<'_>> =
                states().map(|s| Prompt { tokens, initial: Some(s), snapshots: &[], want: Want::LogProbs }).collect();
            let read = trials.model.network.prefill(&prompts, control.with_progress(&|_| {}))?;
            read.iter().map(|r| mean(&mut r.logprobs.iter().map(|p| -f64::from(*p)))).collect()
        }
        After::Questions(asked) => {
            let ask = |s: &State, q: &(Vec<u32>, Vec<u32>)| Ask { states: vec![s.clone()], tail: q.0.clone(), answer: q.1.clone() };
            let asks: Vec<Ask> = states().flat_map(|s| asked.iter().map(move |q| ask(s, q))).collect();
            trials.ask(&asks, control)?.chunks(asked.len()).map(|s| mean(&mut s.iter().map(|s| s.nll))).collect()
        }
    };
    let mut losses = losses.into_iter();
    Ok(soups.iter().map(|s| s.as_ref().and_then(|_| losses.next()).unwrap_or(f64::NAN)).collect())
}

fn report(sizes: &[usize], losses: &Losses, settings: &Settings) -> Report {
    let unit = if settings.text.is_some() { "a token" } else { "an answer" };
    let at = |name: &str| RULES.iter().position(|r| *r == name).unwrap_or_default();
    // Each round is its own resampling group, because rounds are drawn independently.
    let interval = |s: usize, of: &dyn Fn(&dyn Fn(&str) -> f64) -> f64| -> Interval {
        let rounds = losses[s][0].len();
        let value = |round: usize| of(&|name: &str| losses[s][at(name)][round]);
        let values: Vec<(usize, f64)> = (0..rounds).map(|r| (r, value(r))).filter(|(_, v)| v.is_finite()).collect();
        bootstrap(&values, settings.resamples, settings.seed)
    };
    let mut table =
        Table::new("by-n", &["documents", "rule", &format!("nats {unit}"), "low", "high", "saved over empty", "low", "high", "rounds"]);
    let mut curves: Vec<(String, Vec<(f64, f64)>)> = RULES.iter().map(|r| ((*r).to_string(), Vec::new())).collect();
    for (s, n) in sizes.iter().enumerate() {
        for (r, rule) in RULES.iter().enumerate() {
            let own = interval(s, &|loss| loss(rule));
            if own.n == 0 {
                continue;
            }
            let saved = interval(s, &|loss| loss("empty") - loss(rule));
            let mut row = vec![n.to_string(), (*rule).to_string()];
            row.extend([own.mean, own.low, own.high, saved.mean, saved.low, saved.high].map(|v| format!("{v:.4}")));
            row.push(own.n.to_string());
            table.rows.push(row);
            curves[r].1.push(((*n as f64).log2(), own.mean));
        }
    }
    let mut report = Report {
        setup: vec![
            match &settings.text {
                Some(path) => format!("documents: windows of {LENGTH} tokens of {}, {AFTER} predicted after them", path.display()),
                None => format!(
                    "documents: whole examples of one task each, at most {LENGTH} tokens, asked {QUESTIONS} test pairs of that task (prose with --text)"
                ),
            },
            format!("nats: {unit}, of one of the n documents, its place drawn anew; natural log; the model was not tuned to soups"),
            format!(
                "one pass: the n documents read one after the other, up to {LONGEST_PASS} tokens; every state meets the question with its document's convolution window"
            ),
        ],
        tables: vec![table],
        figures: vec![Figure::curves("by-n", ["log2 of the documents", &format!("nats {unit}")], curves)],
        ..Report::default()
    };
    for (s, n) in sizes.iter().enumerate() {
        for (claim, of) in [
            (
                "the mean still predicts better than an empty state",
                (|l: &dyn Fn(&str) -> f64| l("empty") - l("mean")) as fn(&dyn Fn(&str) -> f64) -> f64,
            ),
            ("its document alone predicts better than an empty state (or there is nothing to lose)", |l| {
                l("empty") - l("its document alone")
            }),
            ("the mean keeps half of what its document alone gives", |l| {
                (l("empty") - l("mean")) - 0.5 * (l("empty") - l("its document alone"))
            }),
            ("the mean predicts better than the sum", |l| l("sum") - l("mean")),
            ("the mean predicts better than A-decay", |l| l("A-decay") - l("mean")),
            ("one pass predicts better than the mean", |l| l("mean") - l("one pass over all")),
        ] {
            let effect = interval(s, &|loss| of(loss));
            if effect.n > 0 {
                report.findings.push(Finding::new(format!("{n} documents: {claim}"), format!("nats {unit}"), 0.0, effect));
            }
        }
    }
    report
}
