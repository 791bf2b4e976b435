//! The bundled model's accuracy on the lab's tasks, by number of examples. Pairs seen in training,
//! pairs never seen, and tasks never seen are reported separately.

use super::{Finding, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::Result;
use crate::lab::trials::{Ask, Trials};
use crate::model::{Prompt, Want};
use crate::stats::bootstrap;
use crate::task::{Pair, draw, rng};
use std::collections::{BTreeMap, HashSet};

const SHOTS: [usize; 6] = [0, 1, 4, 8, 16, 32];
/// (kind of pair asked, number of examples) → (task, 1 if right else 0).
type Hits = BTreeMap<(&'static str, usize), Vec<(usize, f64)>>;
const SEEN: &str = "seen in training";
const NEVER: &str = "never seen in training";
const TASK_NEVER: &str = "of a task never seen in training";
/// The lab's pairs that training never saw, with columns task, input, output, reason.
const UNSEEN: &str = include_str!("../../assets/bundled/train/split.tsv");

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let unseen: HashSet<(&str, &str, &str)> = UNSEEN
        .lines()
        .skip(1)
        .filter_map(|l| {
            let mut fields = l.split('\t');
            Some((fields.next()?, fields.next()?, fields.next()?))
        })
        .collect();
    let mut hits = Hits::new();
    let tasks = trials.lab.tasks();
    for (t, task) in tasks.iter().enumerate() {
        control.check()?;
        control.report(t as u64, tasks.len() as u64, "tasks");
        let is_unseen = |i: &usize| unseen.contains(&(task.name.as_str(), task.pairs[*i].input.as_str(), task.pairs[*i].output.as_str()));
        let (never, shown): (Vec<usize>, Vec<usize>) = (0..task.pairs.len()).partition(is_unseen);
        // No pair of an unseen task was seen, neither the examples nor the question.
        let (kind, never, shown) = if shown.is_empty() { (TASK_NEVER, shown, never) } else { (SEEN, never, shown) };
        for round in 0..settings.seeds * settings.per_task {
            let mut random = rng(settings.seed, &task.name, round);
            let context = draw(&shown, 33.min(shown.len()), &mut random);
            let Some((&last, context)) = context.split_last() else { continue };
            let asked_never = draw(&never, 1, &mut random);
            let mut tokens = trials.prompt([])?;
            let mut ends = vec![(0, tokens.len())];
            for (i, example) in trials.examples(context.iter().map(|&p| &task.pairs[p]))?.into_iter().enumerate() {
                tokens.extend(example);
                if SHOTS.contains(&(i + 1)) {
                    ends.push((i + 1, tokens.len()));
                }
            }
            let snapshots: Vec<usize> = ends.iter().map(|(_, at)| *at).collect();
            let prompt = Prompt { tokens: &tokens, initial: None, snapshots: &snapshots, want: Want::State };
            let states: Vec<_> =
                trials.model.network.prefill(&[prompt], control.with_progress(&|_| {}))?.into_iter().flat_map(|r| r.snapshots).collect();
            let asked: Vec<(&'static str, &Pair)> =
                std::iter::once((kind, &task.pairs[last])).chain(asked_never.iter().map(|&i| (NEVER, &task.pairs[i]))).collect();
            let mut asks = Vec::new();
            for (_, pair) in &asked {
                let (tail, answer) = trials.question(pair)?;
                asks.extend(states.iter().map(|s| Ask { states: vec![s.clone()], tail: tail.clone(), answer: answer.clone() }));
            }
            let scores = trials.ask(&asks, control)?;
            for ((group, _), scores) in asked.iter().zip(scores.chunks(ends.len())) {
                for ((k, _), score) in ends.iter().zip(scores) {
                    hits.entry((*group, *k)).or_default().push((t, f64::from(u8::from(score.hit))));
                }
            }
        }
        live.show(|| report(&hits, settings));
    }
    Ok(report(&hits, settings))
}

fn report(hits: &Hits, settings: &Settings) -> Report {
    let mut table = Table::new("accuracy", &["pairs asked", "examples", "accuracy", "low", "high", "questions"]);
    let mut report = Report {
        setup: vec![
            "examples are pairs that training saw; the question is one more of them, or a pair that training never saw (train/split.tsv)"
                .into(),
            "of a task that training never saw, examples and question are any of its pairs".into(),
            "exact greedy answers, template as the library's".into(),
        ],
        ..Report::default()
    };
    for ((group, k), values) in hits {
        let i = bootstrap(values, settings.resamples, settings.seed);
        let row = [
            (*group).to_string(),
            k.to_string(),
            format!("{:.4}", i.mean),
            format!("{:.4}", i.low),
            format!("{:.4}", i.high),
            i.n.to_string(),
        ];
        table.rows.push(row.to_vec());
        for (of, claim, threshold) in [
            (SEEN, "Tasks of training are answered after 32 examples", 0.95),
            (TASK_NEVER, "Tasks that training never saw are answered after 32 examples at least every other time", 0.5),
        ] {
            if (*group, *k) == (of, 32) {
                report.findings.push(Finding::new(claim, "accuracy", threshold, i));
            }
        }
    }
    report.tables.push(table);
    report
}
