//! Arbitrary labels: if each set of examples lacks some labels, does mixing their states supply
//! them? There are four kinds of words with four arbitrary labels, and every set of eight examples
//! shows two of the four.

use super::compare::Rows;
use super::{Live, Report, Settings};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::trials::{Ask, Trials, shuffled_labels};
use crate::soup::{decay, mix, picaso};
use crate::state::State;
use crate::task::{Pair, draw, rng};
use std::collections::BTreeMap;

/// The task whose outputs are the kinds.
const KINDS: &str = "noun_category";
const LABELS: [&str; 12] = ["red", "seven", "left", "north", "yes", "plus", "alpha", "high", "soon", "open", "old", "even"];
/// The two kinds that each set shows.
const SETS: [[usize; 2]; 4] = [[0, 1], [2, 3], [0, 2], [1, 3]];
const NAMES: [&str; 9] = [
    "0-shot",
    "one set of 8",
    "mean 4 x 8",
    "sum 4 x 8",
    "A-decay 4 x 8",
    "PICASO-S 4 x 8",
    "logit ensemble 4 x 8",
    "one pass of 32",
    "one pass of 32, shuffled labels",
];

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let kinds = trials.lab.tasks().iter().find(|t| t.name == KINDS);
    let kinds =
        kinds.ok_or_else(|| Error::Input(format!("the experiment draws its words from the task `{KINDS}`, which is not available")))?;
    let mut words: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, pair) in kinds.pairs.iter().enumerate() {
        words.entry(&pair.output).or_default().push(i);
    }
    let words: Vec<Vec<usize>> = words.into_values().filter(|w| w.len() >= 20).collect();
    let rates = trials.model.network.decay();
    let mut rows = Rows::new(&NAMES);
    let episodes = 16 * settings.seeds * settings.per_task;
    for episode in 0..episodes {
        control.check()?;
        control.report(episode as u64, episodes as u64, "episodes");
        let mut random = rng(settings.seed, "labels", episode);
        let chosen = draw(&(0..words.len()).collect::<Vec<_>>(), 4, &mut random);
        let labels = draw(&(0..LABELS.len()).collect::<Vec<_>>(), 4, &mut random);
        let pools: Vec<Vec<usize>> = chosen.iter().map(|&k| draw(&words[k], 9, &mut random)).collect();
        let pair = |kind: usize, at: usize| Pair { input: kinds.pairs[pools[kind][at]].input.clone(), output: LABELS[labels[kind]].into() };
        // Each kind is in two sets, with words 0..4 in one and 4..8 in the other. Word 8 is asked.
        let mut used = [0; 4];
        let mut sets: Vec<Vec<Pair>> = Vec::new();
        for of_set in SETS {
            let mut set = Vec::new();
            for kind in of_set {
                set.extend((used[kind]..used[kind] + 4).map(|at| pair(kind, at)));
                used[kind] += 4;
            }
            let order = draw(&(0..8).collect::<Vec<_>>(), 8, &mut random);
            sets.push(order.into_iter().map(|i| set[i].clone()).collect());
        }
        let all: Vec<Pair> = sets.concat();
        let mut texts = vec![trials.prompt([])?, trials.prompt(&all)?, trials.prompt(&shuffled_labels(&all))?];
        for set in &sets {
            texts.push(trials.prompt(set)?);
        }
        let read: Vec<(Option<&State>, &[u32])> = texts.iter().map(|t| (None, &t[..])).collect();
        let states = trials.states(&read, control)?;
        let eights = &states[3..];
        let candidates: [Vec<State>; 9] = [
            vec![states[0].clone()],
            vec![eights[0].clone()],
            vec![mix::mean(eights, &[1.0; 4])?],
            vec![mix::weighted_sum(eights, &[1.0; 4])?],
            vec![decay::compose(eights, &[1.0; 4], rates, 1.0, 1.0)?],
            vec![picaso::all_orders(eights, rates)?],
            eights.to_vec(),
            vec![states[1].clone()],
            vec![states[2].clone()],
        ];
        let mut asks = Vec::new();
        for kind in 0..4 {
            let (tail, answer) = trials.question(&pair(kind, 8))?;
            asks.extend(candidates.iter().map(|c| Ask { states: c.clone(), tail: tail.clone(), answer: answer.clone() }));
        }
        for scores in trials.ask(&asks, control)?.chunks(NAMES.len()) {
            rows.push(episode, scores);
        }
        live.show(|| report(&rows, settings));
    }
    Ok(report(&rows, settings))
}

fn report(rows: &Rows, settings: &Settings) -> Report {
    let mut report = rows.report("rules", settings);
    report.setup = vec![
        "four kinds of nouns, four arbitrary labels an episode, drawn anew; each set of 8 shows two of the four, the question's word is in none (ours)".into(),
        format!("the words are those of `{KINDS}`, a task of the bundled model's training; the labels are arbitrary, so no training can have told them"),
        "episodes are resampled whole".into(),
    ];
    report.findings = vec![
        rows.finding("The mean of four sets knows what one set lacks", "mean 4 x 8", "one set of 8", 0.0, settings),
        rows.finding("The mean of four sets matches one pass over all", "mean 4 x 8", "one pass of 32", -0.01, settings),
        rows.finding("The mean is better than the sum", "mean 4 x 8", "sum 4 x 8", 0.0, settings),
        rows.finding("The mean is better than A-decay", "mean 4 x 8", "A-decay 4 x 8", 0.0, settings),
        rows.finding("The mean matches the logit ensemble", "mean 4 x 8", "logit ensemble 4 x 8", -0.01, settings),
    ];
    report
}
