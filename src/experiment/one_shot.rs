//! Does the mean of many short states match one long state? Compares 32 × 1, 8 × 4 and 4 × 8 with 1
//! × 32 examples of the same set.

use super::group::Group;
use super::{Live, Report, Settings, compare};
use crate::control::Control;
use crate::error::Result;
use crate::lab::trials::{Ask, Trials, random_like, shuffled_labels};
use crate::soup::{decay, mix, picaso};
use crate::state::State;
use crate::task::{Pair, draw, rng};

const SHOTS: usize = 32;
const NAMES: [&str; 13] = [
    "0-shot",
    "1-shot",
    "32-shot",
    "mean 32 x 1",
    "mean 8 x 4",
    "mean 4 x 8",
    "sum 4 x 8",
    "A-decay 4 x 8",
    "PICASO-S 4 x 8",
    "logit ensemble 4 x 8",
    "32-shot, shuffled labels",
    "32-shot of another task",
    "random state, norm of 32-shot",
];

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let mut rows = compare::Rows::new(&NAMES);
    let rates = trials.model.network.decay();
    for seed in settings.seed..settings.seed + settings.seeds as u64 {
        let splits = trials.splits(1, SHOTS, seed)?;
        for (n, (t, task, split)) in splits.iter().enumerate() {
            control.check()?;
            control.report(((seed - settings.seed) as usize * splits.len() + n) as u64, (settings.seeds * splits.len()) as u64, "tasks");
            let pairs: Vec<Pair> = split.sets[0].iter().map(|&i| task.pairs[i].clone()).collect();
            let (_, other, other_split) = &splits[(n + splits.len() / 2) % splits.len()];
            let other: Vec<Pair> = other_split.sets[0].iter().map(|&i| other.pairs[i].clone()).collect();
            let mut texts =
                vec![trials.prompt([])?, trials.prompt(&pairs)?, trials.prompt(&shuffled_labels(&pairs))?, trials.prompt(&other)?];
            for size in [1, 4, 8] {
                for part in pairs.chunks(size) {
                    texts.push(trials.prompt(part)?);
                }
            }
            let read: Vec<(Option<&State>, &[u32])> = texts.iter().map(|t| (None, &t[..])).collect();
            let states = trials.states(&read, control)?;
            let (zero, full, shuffled, wrong) = (&states[0], &states[1], &states[2], &states[3]);
            let (ones, fours, eights) = (&states[4..36], &states[36..44], &states[44..48]);
            let mean = |s: &[State]| mix::mean(s, &vec![1.0; s.len()]);
            let candidates: Vec<Vec<State>> = vec![
                vec![zero.clone()],
                vec![ones[0].clone()],
                vec![full.clone()],
                vec![mean(ones)?],
                vec![mean(fours)?],
                vec![mean(eights)?],
                vec![mix::weighted_sum(eights, &[1.0; 4])?],
                vec![decay::compose(eights, &[1.0; 4], rates, 1.0, 1.0)?],
                vec![picaso::all_orders(eights, rates)?],
                eights.to_vec(),
                vec![shuffled.clone()],
                vec![wrong.clone()],
                vec![random_like(full, &mut rng(seed, "noise", *t))?],
            ];
            let mut asks = Vec::new();
            for i in draw(&split.test, settings.per_task, &mut rng(seed, &task.name, 1)) {
                let (tail, answer) = trials.question(&task.pairs[i])?;
                asks.extend(candidates.iter().map(|c| Ask { states: c.clone(), tail: tail.clone(), answer: answer.clone() }));
            }
            for scores in trials.ask(&asks, control)?.chunks(NAMES.len()) {
                rows.push(*t, scores);
            }
            live.show(|| report(&rows, trials, settings));
        }
    }
    Ok(report(&rows, trials, settings))
}

fn report(rows: &compare::Rows, trials: &Trials<'_>, settings: &Settings) -> Report {
    let mut report = Report {
        setup: vec![
            format!(
                "{} seeds, {} test pairs a task and seed; test pairs are in none of the 32 examples",
                settings.seeds, settings.per_task
            ),
            "every short state is read from its own beginning-of-text token (ours); windows and sidecars as the rules' documentation says"
                .into(),
            "`matches` is claimed if the difference is above -0.01 (ours)".into(),
        ],
        ..Report::default()
    };
    let family = |t: usize| trials.lab.tasks()[t].family.clone();
    for group in Group::of(trials.lab) {
        let rows = rows.only(group, trials.lab);
        report.tables.push(rows.table(&group.name("rules"), settings));
        report.tables.push(rows.table_by(&group.name("accuracy-by-family"), &family));
        for (name, rule) in [("mean-32x1-by-family", "mean 32 x 1"), ("mean-4x8-by-family", "mean 4 x 8")] {
            report.tables.push(rows.difference_by(&group.name(name), rule, "32-shot", &family, settings));
        }
        for (claim, better, worse, threshold) in [
            ("The mean of 32 one-shot states matches one 32-shot state", "mean 32 x 1", "32-shot", -0.01),
            ("The mean of 4 eight-shot states matches one 32-shot state", "mean 4 x 8", "32-shot", -0.01),
            ("The mean of 32 one-shot states is better than one one-shot state", "mean 32 x 1", "1-shot", 0.0),
            ("The mean of 4 eight-shot states is better than their sum", "mean 4 x 8", "sum 4 x 8", 0.0),
            ("The mean of 4 eight-shot states matches their logit ensemble", "mean 4 x 8", "logit ensemble 4 x 8", -0.01),
            ("A 32-shot state is better than one of shuffled labels", "32-shot", "32-shot, shuffled labels", 0.0),
        ] {
            report.findings.push(rows.finding(&group.claim(claim), better, worse, threshold, settings));
        }
    }
    report
}
