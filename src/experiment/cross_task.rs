//! Does a mix of two tasks' states help either task? Equal mixes of all pairs of some tasks, and
//! sweeps of the share α for some pairs. And do the library's skills of trained tasks help unseen
//! ones (`carried`)?
//!
//! "Best of many pairs" alone is not a finding, so pairs are chosen on one half of the questions
//! and measured on the other half.

use super::carried::Carried;
use super::compare::Rows;
use super::group::Group;
use super::sweep;
use super::{Figure, Finding, Heat, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::Result;
use crate::lab::trials::{Ask, Score, Trials, random_like, shuffled_labels};
use crate::soup::mix;
use crate::state::State;
use crate::stats::bootstrap;
use crate::task::{Pair, Task, draw, rng};
use std::collections::BTreeMap;

const SHOTS: usize = 32;
/// Number of pairs called best.
const BEST: usize = 10;
/// A change within this share of the α axis is called phase-like. It is half the width of a
/// straight line (our choice).
const NARROW: f64 = 0.25;
const NAMES: [&str; 8] = [
    "own skill",
    "0-shot",
    "half another task",
    "half a second skill of its own",
    "half a random state of equal norm",
    "half its own examples with shuffled labels",
    "another task's skill",
    "logit ensemble with another task",
];

/// A task with its draws.
struct Side<'a> {
    /// Its index in the lab.
    t: usize,
    task: &'a Task,
    draws: Vec<Draw>,
}

/// The states of one seed, and the questions they are asked.
struct Draw {
    zero: State,
    own: State,
    second: State,
    random: State,
    shuffled: State,
    questions: Vec<Question>,
}

/// A test pair: its index in the task, its unfinished line, its answer.
struct Question {
    pair: usize,
    tail: Vec<u32>,
    answer: Vec<u32>,
}

/// The effect of half of another task's skill on one question: nats saved, answers gained.
struct Gain {
    pair: usize,
    nats: f64,
    hits: f64,
}

/// One pair of tasks, measured along α.
struct Sweep {
    a: usize,
    b: usize,
    /// α, then p(right answer) of each question of `a` and of each of `b`.
    points: Vec<(f64, [Vec<f64>; 2])>,
}

/// Measurements on the pairs within a group of tasks.
struct Measured {
    group: Group,
    names: Vec<String>,
    halves: Rows,
    gains: BTreeMap<(usize, usize), Vec<Gain>>,
    sweeps: Vec<Sweep>,
}

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let mut all: Vec<Measured> = Vec::new();
    let mut carried = Carried::default();
    for group in Group::of(trials.lab) {
        let sides = sides(trials, settings, group, control)?;
        all.push(Measured::new(group, &sides));
        let place = all.len() - 1;
        for a in 0..sides.len() {
            control.check()?;
            control.report(a as u64, sides.len() as u64, "tasks");
            for seed in 0..sides[a].draws.len() {
                halves(trials, &sides, a, seed, &mut all[place], control)?;
            }
            live.show(|| report(&all, &carried, trials, settings));
        }
        let mut show = |all: &[Measured]| live.show(|| report(all, &carried, trials, settings));
        sweeps(trials, settings, &sides, &mut all, &mut show, control)?;
    }
    carried.measure(trials, settings, control, &mut |carried| live.show(|| report(&all, carried, trials, settings)))?;
    Ok(report(&all, &carried, trials, settings))
}

/// Measures sweeps for some pairs of the last group.
fn sweeps(
    trials: &Trials<'_>,
    settings: &Settings,
    sides: &[Side<'_>],
    all: &mut [Measured],
    show: &mut dyn FnMut(&[Measured]),
    control: Control<'_>,
) -> Result<()> {
    let last = all.len() - 1;
    let pairs: Vec<usize> = (0..sides.len() * sides.len()).filter(|i| i / sides.len() < i % sides.len()).collect();
    let count = if settings.is_quick() { 10 } else { 40 };
    let chosen = draw(&pairs, count, &mut rng(settings.seed, "sweeps", 0));
    for (i, pair) in chosen.iter().enumerate() {
        control.check()?;
        control.report(i as u64, chosen.len() as u64, "sweeps");
        let mut sweep = Sweep { a: pair / sides.len(), b: pair % sides.len(), points: Vec::new() };
        for step in 0..=8 {
            sweep.measure(f64::from(step) / 8.0, trials, sides, control)?;
        }
        all[last].sweeps.push(sweep);
        show(all);
    }
    // On a coarse grid the spacing limits the width of steep changes, so add points there.
    let sweeps = &mut all[last].sweeps;
    let mut order: Vec<usize> = (0..sweeps.len()).collect();
    order.sort_by(|a, b| sweeps[*b].jump().total_cmp(&sweeps[*a].jump()));
    order.truncate(sweeps.len().div_ceil(2));
    for (i, s) in order.iter().enumerate() {
        control.check()?;
        control.report(i as u64, order.len() as u64, "closer looks");
        for step in 0..4 {
            let curve = sweeps[*s].mean(step % 2);
            if let Some(alpha) = sweep::next_point(&curve) {
                sweeps[*s].measure(alpha, trials, sides, control)?;
            }
        }
    }
    Ok(())
}

impl Measured {
    fn new(group: Group, sides: &[Side<'_>]) -> Self {
        let names = sides.iter().map(|s| s.task.name.clone()).collect();
        Self { group, names, halves: Rows::new(&NAMES), gains: BTreeMap::new(), sweeps: Vec::new() }
    }
}

/// Draws tasks of a group that have two disjoint example sets, and reads their states.
fn sides<'a>(trials: &Trials<'a>, settings: &Settings, group: Group, control: Control<'_>) -> Result<Vec<Side<'a>>> {
    let count = if settings.is_quick() { 12 } else { 30 };
    let mut sides: Vec<Side<'a>> = Vec::new();
    for seed in settings.seed..settings.seed + settings.seeds as u64 {
        let mut splits = trials.splits(2, SHOTS, seed)?;
        splits.retain(|(t, ..)| group.holds(trials.lab, *t));
        let mut chosen = draw(&(0..splits.len()).collect::<Vec<_>>(), count, &mut rng(settings.seed, "tasks", 0));
        chosen.sort_unstable();
        for (place, &n) in chosen.iter().enumerate() {
            control.check()?;
            let (t, task, split) = &splits[n];
            let set = |s: usize| split.sets[s].iter().map(|&i| task.pairs[i].clone()).collect::<Vec<Pair>>();
            let texts = [trials.prompt([])?, trials.prompt(&set(0))?, trials.prompt(&set(1))?, trials.prompt(&shuffled_labels(&set(0)))?];
            let states = trials.states(&texts.each_ref().map(|t| (None, &t[..])), control)?;
            let [zero, own, second, shuffled] = &states[..] else { continue };
            // Pairs with even and with odd index are the two halves for choosing pairs, in all
            // draws.
            let mut questions = Vec::new();
            for odd in 0..2 {
                let half: Vec<usize> = split.test.iter().copied().filter(|i| i % 2 == odd).collect();
                for pair in draw(&half, 2 * settings.per_task, &mut rng(seed, &task.name, odd)) {
                    let (tail, answer) = trials.question(&task.pairs[pair])?;
                    questions.push(Question { pair, tail, answer });
                }
            }
            let random = random_like(own, &mut rng(seed, "noise", *t))?;
            if sides.len() == place {
                sides.push(Side { t: *t, task, draws: Vec::new() });
            }
            sides[place].draws.push(Draw {
                zero: zero.clone(),
                own: own.clone(),
                second: second.clone(),
                random,
                shuffled: shuffled.clone(),
                questions,
            });
        }
    }
    Ok(sides)
}

fn half(a: &State, b: &State) -> Result<State> {
    share(a, b, 0.5)
}

/// α·a + (1 − α)·b.
fn share(a: &State, b: &State, alpha: f64) -> Result<State> {
    mix::weighted_sum(&[a.clone(), b.clone()], &[alpha, 1.0 - alpha])
}

/// Scores one task's questions of one seed on its own skill, on the other states and on equal mixes
/// with them.
fn halves(trials: &Trials<'_>, sides: &[Side<'_>], a: usize, seed: usize, measured: &mut Measured, control: Control<'_>) -> Result<()> {
    let asked = &sides[a].draws[seed];
    let put = |states: &[State]| -> Result<Vec<Score>> {
        trials.ask(&asked.questions.iter().map(|q| q.put(states)).collect::<Vec<_>>(), control)
    };
    let own = put(std::slice::from_ref(&asked.own))?;
    let zero = put(std::slice::from_ref(&asked.zero))?;
    let second = put(&[half(&asked.own, &asked.second)?])?;
    let random = put(&[half(&asked.own, &asked.random)?])?;
    let shuffled = put(&[half(&asked.own, &asked.shuffled)?])?;
    for (b, other) in sides.iter().enumerate() {
        let of = if a == b { &asked.second } else { &other.draws[seed].own };
        let mixed = if a == b { second.clone() } else { put(&[half(&asked.own, of)?])? };
        if a != b {
            let (alone, both) = (put(std::slice::from_ref(of))?, put(&[asked.own.clone(), of.clone()])?);
            for q in 0..own.len() {
                measured.halves.push(sides[a].t, &[own[q], zero[q], mixed[q], second[q], random[q], shuffled[q], alone[q], both[q]]);
            }
        }
        let gains = measured.gains.entry((a, b)).or_default();
        gains.extend(own.iter().zip(&mixed).enumerate().map(|(q, (own, mixed))| Gain {
            pair: asked.questions[q].pair,
            nats: own.nll - mixed.nll,
            hits: f64::from(u8::from(mixed.hit)) - f64::from(u8::from(own.hit)),
        }));
    }
    Ok(())
}

impl Question {
    fn put(&self, states: &[State]) -> Ask {
        Ask { states: states.to_vec(), tail: self.tail.clone(), answer: self.answer.clone() }
    }
}

impl Sweep {
    /// Measures the point at α and inserts it.
    fn measure(&mut self, alpha: f64, trials: &Trials<'_>, sides: &[Side<'_>], control: Control<'_>) -> Result<()> {
        let mut asks = [Vec::new(), Vec::new()];
        for (a, b) in sides[self.a].draws.iter().zip(&sides[self.b].draws) {
            let mixed = share(&a.own, &b.own, alpha)?;
            for (asks, draw) in asks.iter_mut().zip([a, b]) {
                asks.extend(draw.questions.iter().map(|q| q.put(std::slice::from_ref(&mixed))));
            }
        }
        let p = |asks: &[Ask]| -> Result<Vec<f64>> { Ok(trials.ask(asks, control)?.iter().map(|s| (-s.nll).exp()).collect()) };
        let point = (alpha, [p(&asks[0])?, p(&asks[1])?]);
        let place = self.points.partition_point(|(a, _)| *a < alpha);
        self.points.insert(place, point);
        Ok(())
    }

    /// Mean p(right answer) along α for one of the two tasks.
    fn mean(&self, side: usize) -> Vec<(f64, f64)> {
        self.points.iter().map(|(a, p)| (*a, p[side].iter().sum::<f64>() / p[side].len() as f64)).collect()
    }

    /// p(right answer) along α for one question.
    fn question(&self, side: usize, q: usize) -> Vec<(f64, f64)> {
        self.points.iter().map(|(a, p)| (*a, p[side][q])).collect()
    }

    fn jump(&self) -> f64 {
        sweep::largest_jump(&self.mean(0)).max(sweep::largest_jump(&self.mean(1)))
    }

    /// Widths of the changes of `of(p(right answer))` of single questions, ascending.
    fn widths(&self, of: fn(f64) -> f64) -> Vec<f64> {
        let sides = self.points.first().map_or([0, 0], |(_, p)| [p[0].len(), p[1].len()]);
        let curve = |s: usize, q: usize| self.question(s, q).into_iter().map(|(a, p)| (a, of(p))).collect::<Vec<_>>();
        let curve = &curve;
        let mut widths: Vec<f64> = (0..2).flat_map(|s| (0..sides[s]).filter_map(move |q| sweep::width(&curve(s, q)))).collect();
        widths.sort_by(f64::total_cmp);
        widths
    }
}

/// ln(p/(1 − p)), with p clamped to 1e-6 from 0 and 1. A change that the softmax makes a jump in p
/// may be even in log-odds.
fn log_odds(p: f64) -> f64 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

fn report(all: &[Measured], carried: &Carried, trials: &Trials<'_>, settings: &Settings) -> Report {
    let counts: Vec<String> = all.iter().map(|m| m.names.len().to_string()).collect();
    let mut report = Report {
        setup: vec![
            format!(
                "skills of {SHOTS} examples; {} tasks, all ordered pairs{}; questions are in no skill's examples",
                counts.join(" and "),
                if all.len() > 1 { " within trained and within unseen tasks" } else { "" }
            ),
            "half: 0.5 of the task's own skill and 0.5 of the other state, windows included".into(),
            format!(
                "best pairs: the {BEST} that save most nats on the questions of even number, measured on those of odd number (numbers of the task's list)"
            ),
            format!(
                "width: the stretch of alpha between 25 % and 75 % of the change of p(answer); 0.5 on a straight line; phase-like below {NARROW} (ours); changes below {} are left out",
                sweep::MOVED
            ),
            "half of the sweeps, those with the steepest changes, are measured at four more alphas where they are steepest".into(),
        ],
        ..Report::default()
    };
    for measured in all {
        add_halves(&mut report, measured, settings);
        add_pairs(&mut report, measured, settings);
        add_sweeps(&mut report, measured, settings);
    }
    carried.add_to(&mut report, trials, settings);
    report
}

/// Adds the effects of half of another task's skill.
fn add_halves(report: &mut Report, measured: &Measured, settings: &Settings) {
    let Measured { group, halves: rows, .. } = measured;
    report.tables.push(rows.table(&group.name("halves"), settings));
    let (own, other, random) = ("own skill", "half another task", "half a random state of equal norm");
    let saved = |claim: &str, better: &str, worse: &str, threshold| rows.saved(&group.claim(claim), better, worse, threshold, settings);
    report.findings.extend([
        saved("Half of another task's skill harms the answers", own, other, 0.0),
        rows.finding(&group.claim("Half of another task's skill costs exact answers"), own, other, 0.0, settings),
        saved("Half of another task's skill harms more than half of a random state", random, other, 0.0),
        saved("Half of a second skill of its own helps", "half a second skill of its own", own, 0.0),
        saved("The mix keeps what the logit ensemble keeps", other, "logit ensemble with another task", -0.1),
    ]);
}

/// Adds the heat maps and the best pairs.
fn add_pairs(report: &mut Report, measured: &Measured, settings: &Settings) {
    let names = &measured.names;
    let mean = |gains: &mut dyn Iterator<Item = f64>| {
        let (sum, n) = gains.fold((0.0, 0usize), |(s, n), g| (s + g, n + 1));
        sum / n as f64
    };
    for (name, value, of) in [
        ("nats-saved", "nats an answer saved by half of the column's skill", (|g: &Gain| g.nats) as fn(&Gain) -> f64),
        ("answers-gained", "exact answers gained by half of the column's skill", |g: &Gain| g.hits),
    ] {
        let cell = |a: usize, b: usize| measured.gains.get(&(a, b)).map_or(f64::NAN, |g| mean(&mut g.iter().map(of)));
        let values = (0..names.len()).map(|a| (0..names.len()).map(|b| cell(a, b)).collect()).collect();
        let heat = Heat { rows: names.clone(), columns: names.clone(), value: value.into(), values };
        report.figures.push(Figure::heat(&measured.group.name(name), ["task mixed in (its own name: a second skill)", "task asked"], heat));
    }
    let part = |odd: usize, gains: &[Gain]| gains.iter().filter(|g| g.pair % 2 == odd).map(|g| (g.pair, g.nats)).collect::<Vec<_>>();
    let mut pairs: Vec<(f64, usize, usize, &Vec<Gain>)> = Vec::new();
    for ((a, b), gains) in measured.gains.iter().filter(|((a, b), _)| a != b) {
        pairs.push((mean(&mut part(0, gains).iter().map(|(_, g)| *g)), *a, *b, gains));
    }
    pairs.retain(|(nats, ..)| nats.is_finite());
    pairs.sort_by(|x, y| y.0.total_cmp(&x.0));
    let all = pairs.len();
    pairs.truncate(BEST);
    let mut table = Table::new(
        &measured.group.name("best-pairs"),
        &[
            "asked",
            "mixed in",
            "nats saved, choosing half",
            "nats saved, other half",
            "low",
            "high",
            "answers gained, other half",
            "questions",
        ],
    );
    let mut held_out = Vec::new();
    for (i, (chosen, a, b, gains)) in pairs.iter().enumerate() {
        let other = part(1, gains);
        let interval = bootstrap(&other, settings.resamples, settings.seed);
        held_out.extend(other.iter().map(|(_, nats)| (i, *nats)));
        let hits = mean(&mut gains.iter().filter(|g| g.pair % 2 == 1).map(|g| g.hits));
        let mut row = vec![names[*a].clone(), names[*b].clone()];
        row.extend([*chosen, interval.mean, interval.low, interval.high, hits].map(|v| format!("{v:.4}")));
        row.push(interval.n.to_string());
        table.rows.push(row);
    }
    report.tables.push(table);
    let claim = format!("The {} best of {all} ordered pairs, chosen on one half of the questions, help on the other half", pairs.len());
    let claim = measured.group.claim(&claim);
    report.findings.push(Finding::new(claim, "nats an answer saved", 0.0, bootstrap(&held_out, settings.resamples, settings.seed)));
}

/// Adds the α curves and the widths of their changes.
fn add_sweeps(report: &mut Report, measured: &Measured, settings: &Settings) {
    let mut table = Table::new(&measured.group.name("sweeps"), &["pair", "alpha", "p(answer) of the first", "p(answer) of the second"]);
    let mut widths = Table::new(
        &measured.group.name("widths"),
        &["pair", "of the first", "of the second", "of single answers, median", "of their log-odds, median", "single answers", "points"],
    );
    let mut pooled = BTreeMap::<u64, Vec<[f64; 2]>>::new();
    let (mut of_means, mut of_answers, mut of_odds) = (Vec::new(), Vec::new(), Vec::new());
    let mut steepest: Option<(f64, String, Vec<(f64, f64)>)> = None;
    for (i, sweep) in measured.sweeps.iter().enumerate() {
        let pair = format!("{} / {}", measured.names[sweep.a], measured.names[sweep.b]);
        let (first, second) = (sweep.mean(0), sweep.mean(1));
        for ((alpha, a), (_, b)) in first.iter().zip(&second) {
            table.rows.push(vec![pair.clone(), format!("{alpha:.5}"), format!("{a:.4}"), format!("{b:.4}")]);
            if (alpha * 8.0).fract() == 0.0 {
                pooled.entry((alpha * 8.0) as u64).or_default().push([*a, *b]);
            }
        }
        let of_means_here = [sweep::width(&first), sweep::width(&second)];
        of_means.extend(of_means_here.iter().flatten().map(|w| (i, NARROW - w)));
        let (single, odds) = (sweep.widths(|p| p), sweep.widths(log_odds));
        of_answers.extend(single.iter().map(|w| (i, NARROW - w)));
        of_odds.extend(odds.iter().map(|w| (i, NARROW - w)));
        let number = |w: Option<f64>| w.map_or_else(|| "-".into(), |w| format!("{w:.4}"));
        widths.rows.push(vec![
            pair.clone(),
            number(of_means_here[0]),
            number(of_means_here[1]),
            number(single.get(single.len() / 2).copied()),
            number(odds.get(odds.len() / 2).copied()),
            single.len().to_string(),
            sweep.points.len().to_string(),
        ]);
        if steepest.as_ref().is_none_or(|(jump, ..)| sweep.jump() > *jump) {
            steepest = Some((sweep.jump(), pair, first));
        }
    }
    if measured.sweeps.is_empty() {
        return;
    }
    let curve = |of: fn(&[f64; 2]) -> f64| -> Vec<(f64, f64)> {
        pooled.iter().map(|(a, p)| (*a as f64 / 8.0, p.iter().map(of).sum::<f64>() / p.len() as f64)).collect()
    };
    let mut curves = vec![
        ("first task, mean of pairs".to_string(), curve(|p| p[0])),
        ("second task, mean of pairs".to_string(), curve(|p| p[1])),
        ("both together, mean of pairs".to_string(), curve(|p| f64::midpoint(p[0], p[1]))),
    ];
    curves.extend(steepest.map(|(_, pair, curve)| (format!("first of {pair}"), curve)));
    report.figures.push(Figure::curves(
        &measured.group.name("sweep"),
        ["alpha: share of the first task's skill", "p(right answer)"],
        curves,
    ));
    report.tables.extend([table, widths]);
    for (claim, values) in [
        (
            format!("A task's mean answer probability changes within {NARROW} of the alpha axis (phase-like; contradicted: smooth)"),
            of_means,
        ),
        (format!("Single answers change within {NARROW} of the alpha axis (phase-like; contradicted: smooth)"), of_answers),
        (format!("Their log-odds change within {NARROW} of the alpha axis (contradicted: the softmax is sharp, not the mix)"), of_odds),
    ] {
        let interval = bootstrap(&values, settings.resamples, settings.seed);
        if interval.n > 0 {
            report.findings.push(Finding::new(
                measured.group.claim(&claim),
                format!("{NARROW} minus the width of 25-75 %:"),
                0.0,
                interval,
            ));
        }
    }
}
