//! Do states cluster by task? Which layers separate tasks, without any query?

use super::{Figure, Finding, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::Result;
use crate::lab::trials::Trials;
use crate::library::Part;
use crate::project::{Lengths, Space, silhouette};
use crate::stats::bootstrap;

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let library = trials.lab.library();
    let n_layer = trials.lab.shape().n_layer;
    let skills = library.skills();
    let mut table = Table::new("purity", &["part", "layer", "purity", "low", "high", "cosine within", "cosine between", "silhouette"]);
    let mut curves = Vec::new();
    let mut report = Report::default();
    let place = |name: &str| trials.lab.tasks().iter().position(|t| t.name == name).unwrap_or(usize::MAX);
    let labels: Vec<usize> = skills.iter().map(|s| place(&s.task)).collect();
    // A task with one skill has no other skill that could be its nearest.
    let counted: Vec<bool> = skills.iter().map(|s| skills.iter().filter(|o| o.task == s.task).count() > 1).collect();
    let chance: f64 = skills.iter().map(|s| (skills.iter().filter(|o| o.task == s.task).count() - 1) as f64).sum::<f64>()
        / (skills.len().max(2) * (skills.len().max(2) - 1)) as f64;
    report.setup = vec![
        format!("{} skills of 32 examples from disjoint sets; nearest by raw cosine in the original space, not on a map", skills.len()),
        format!("chance {chance:.4}; tasks with a single skill are left out of the shares"),
    ];
    for part in [Part::Ssm, Part::Conv] {
        let mut curve = Vec::new();
        for layer in 0..n_layer {
            control.check()?;
            control.report((layer + if part == Part::Ssm { 0 } else { n_layer }) as u64, 2 * n_layer as u64, "layers");
            library.check_whole()?;
            let rows = library.matrix(part, layer);
            let space = Space::of(&rows, skills.len(), rows.len() / skills.len(), Lengths::Unit, control.with_progress(&|_| {}))?;
            let near = space.nearest(skills.len() - 1);
            let same = |i: usize, j: usize| skills[i].task == skills[j].task;
            let pure: Vec<(usize, f64)> = (0..skills.len())
                .filter(|&i| counted[i])
                .map(|i| (labels[i], near[i].first().map_or(0.0, |(j, _)| f64::from(u8::from(same(i, *j))))))
                .collect();
            let mean = |within: bool| {
                let all = near
                    .iter()
                    .enumerate()
                    .flat_map(|(i, near)| near.iter().filter(move |(j, _)| same(i, *j) == within).map(|(_, c)| f64::from(*c)));
                let (sum, n) = all.fold((0.0, 0usize), |(s, n), c| (s + c, n + 1));
                sum / n as f64
            };
            let interval = bootstrap(&pure, settings.resamples, settings.seed);
            let number = |v: f64| format!("{v:.4}");
            table.rows.push(vec![
                part.to_string(),
                layer.to_string(),
                number(interval.mean),
                number(interval.low),
                number(interval.high),
                number(mean(true)),
                number(mean(false)),
                silhouette(&space, &labels).map_or("-".into(), number),
            ]);
            curve.push((layer as f64, interval.mean));
            live.show(|| Report { tables: vec![table.clone()], figures: vec![purity(&curves, Some((part, &curve)))], ..report.clone() });
            if part == Part::Ssm && layer == n_layer / 2 {
                let claim = format!("At the middle layer ({layer}) a state's nearest other state is of its own task");
                report.findings.push(Finding::new(claim, "share", chance, interval));
            }
        }
        curves.push((part.to_string(), curve));
    }
    report.figures.push(purity(&curves, None));
    report.tables.push(table);
    Ok(report)
}

fn purity(curves: &[(String, Vec<(f64, f64)>)], unfinished: Option<(Part, &Vec<(f64, f64)>)>) -> Figure {
    let last = unfinished.map(|(part, curve)| (part.to_string(), curve.clone()));
    Figure::curves("purity", ["layer", "nearest state of the same task"], curves.iter().cloned().chain(last).collect())
}
