//! Every ordered pair of tasks, as heat maps, and the best of them.

use super::Measured;
use crate::experiment::{Figure, Finding, Heat, Report, Settings, Table};
use crate::stats::bootstrap;

/// Number of pairs called best.
pub const BEST: usize = 10;

/// The effect of half of another task's skill on one question: nats saved, answers gained.
pub struct Gain {
    pub pair: usize,
    pub nats: f64,
    pub hits: f64,
}

/// Adds the heat maps and the best pairs.
pub fn add_pairs(report: &mut Report, measured: &Measured, settings: &Settings) {
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
