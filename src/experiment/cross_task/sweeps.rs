//! Mixes of two tasks' skills along the share α, measured more densely where they change most.

use super::Measured;
use super::curve;
use super::sides::{Side, share};
use crate::control::Control;
use crate::error::Result;
use crate::experiment::{Figure, Finding, Report, Settings, Table};
use crate::lab::trials::{Ask, Trials};
use crate::stats::bootstrap;
use crate::task::{draw, rng};
use std::collections::BTreeMap;

/// A change within this share of the α axis is called phase-like. It is half the width of a
/// straight line (our choice).
pub const NARROW: f64 = 0.25;

/// One pair of tasks, measured along α.
pub struct Sweep {
    a: usize,
    b: usize,
    /// α, then p(right answer) of each question of `a` and of each of `b`.
    points: Vec<(f64, [Vec<f64>; 2])>,
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
        curve::largest_jump(&self.mean(0)).max(curve::largest_jump(&self.mean(1)))
    }

    /// Widths of the changes of `of(p(right answer))` of single questions, ascending.
    fn widths(&self, of: fn(f64) -> f64) -> Vec<f64> {
        let sides = self.points.first().map_or([0, 0], |(_, p)| [p[0].len(), p[1].len()]);
        let curve = |s: usize, q: usize| self.question(s, q).into_iter().map(|(a, p)| (a, of(p))).collect::<Vec<_>>();
        let curve = &curve;
        let mut widths: Vec<f64> = (0..2).flat_map(|s| (0..sides[s]).filter_map(move |q| curve::width(&curve(s, q)))).collect();
        widths.sort_by(f64::total_cmp);
        widths
    }
}

/// Measures sweeps for some pairs of the last group.
pub fn sweeps(
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
            if let Some(alpha) = curve::next_point(&curve) {
                sweeps[*s].measure(alpha, trials, sides, control)?;
            }
        }
    }
    Ok(())
}

/// ln(p/(1 − p)), with p clamped to 1e-6 from 0 and 1. A change that the softmax makes a jump in p
/// may be even in log-odds.
fn log_odds(p: f64) -> f64 {
    let p = p.clamp(1e-6, 1.0 - 1e-6);
    (p / (1.0 - p)).ln()
}

/// Adds the α curves and the widths of their changes.
pub fn add_sweeps(report: &mut Report, measured: &Measured, settings: &Settings) {
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
        let of_means_here = [curve::width(&first), curve::width(&second)];
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
