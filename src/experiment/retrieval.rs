//! Does a k-shot query find its task's states? By k, layer, part and similarity.

use super::stats::bootstrap;
use super::trials::{Trials, shuffled_labels};
use super::{Figure, Finding, Report, Settings, Table};
use crate::control::Control;
use crate::error::Result;
use crate::library::{Metric, Part, RankView};
use crate::model::{Prompt, Want};
use crate::state::State;
use crate::task::{Pair, draw, rng};
use std::collections::BTreeMap;

const SHOTS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// A query's state and whose it is.
struct Query {
    task: usize,
    k: usize,
    shuffled: bool,
    state: State,
}

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>) -> Result<Report> {
    let library = trials.lab.library();
    let queries = queries(trials, settings, control)?;
    let default = trials.lab.default_view();
    let mut views = vec![("default".to_string(), default.clone())];
    for part in [Part::Ssm, Part::Conv] {
        for layer in 0..trials.lab.shape().n_layer {
            views.push((format!("{part} {layer}"), RankView { metric: Metric::Cosine, layers: layer..layer + 1, part }));
        }
    }
    for (name, metric) in [("L2", Metric::L2), ("z-scored", Metric::ZCosine)] {
        views.push((name.into(), RankView { metric, ..default.clone() }));
    }
    // (view, k, shuffled) → right or wrong by task.
    let mut hits: BTreeMap<(usize, usize, bool), Vec<(usize, f64)>> = BTreeMap::new();
    let mut confusion: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (i, q) in queries.iter().enumerate() {
        control.check()?;
        control.report(i as u64, queries.len() as u64, "queries");
        for (v, (_, view)) in views.iter().enumerate().filter(|(v, _)| *v == 0 || !q.shuffled) {
            let ranking = library.rank(&q.state, view, None)?;
            let (found, wanted) = (&ranking.by_task[0].task, &trials.lab.tasks()[q.task].name);
            hits.entry((v, q.k, q.shuffled)).or_default().push((q.task, f64::from(u8::from(found == wanted))));
            if v == 0 && !q.shuffled && q.k == 1 && found != wanted {
                *confusion.entry((wanted.clone(), found.clone())).or_default() += 1;
            }
        }
    }
    let chance = 1.0 / trials.lab.tasks().len() as f64;
    let interval = |v, k, shuffled| hits.get(&(v, k, shuffled)).map(|h| bootstrap(h, settings.resamples, settings.seed));
    let mut report = Report {
        setup: vec![
            format!("{} tasks in the library, chance {chance:.3}; query pairs are in no skill's examples", trials.lab.tasks().len()),
            format!("default view: cosine of SSM states averaged over the layers {}..{} (ours)", default.layers.start, default.layers.end),
            "shuffled labels: the same words, answers moved to other lines; what remains is content, not the mapping".into(),
        ],
        ..Report::default()
    };
    if let Some(one) = interval(0, 1, false) {
        report.findings.push(Finding::new("One example finds its task more often than chance", "accuracy", chance, one));
    }
    let rise: Vec<(usize, f64)> = per_task(&hits, 1).into_iter().zip(per_task(&hits, 4)).map(|((t, a), (_, b))| (t, b - a)).collect();
    report.findings.push(Finding::new(
        "Four examples find it more often than one",
        "difference in accuracy by task",
        0.0,
        bootstrap(&rise, settings.resamples, settings.seed),
    ));
    let mut by_k = Table::new("by-k", &["view", "k", "accuracy", "low", "high", "queries"]);
    let mut curves = Vec::new();
    for (v, (name, _)) in views.iter().enumerate() {
        for shuffled in [false, true] {
            let mut curve = Vec::new();
            for k in SHOTS {
                let Some(i) = interval(v, k, shuffled) else { continue };
                let label = if shuffled { format!("{name}, shuffled labels") } else { name.clone() };
                by_k.rows.push(vec![
                    label,
                    k.to_string(),
                    format!("{:.4}", i.mean),
                    format!("{:.4}", i.low),
                    format!("{:.4}", i.high),
                    i.n.to_string(),
                ]);
                curve.push(((k as f64).log2(), i.mean));
            }
            if !curve.is_empty() && (v == 0 || !name.contains(' ')) {
                curves.push((if shuffled { format!("{name}, shuffled labels") } else { name.clone() }, curve));
            }
        }
    }
    curves.push(("chance".into(), vec![(0.0, chance), (5.0, chance)]));
    report.figures.push(Figure { name: "by-k".into(), axes: ["log2 of the examples".into(), "right task first".into()], curves });
    let layers = |part: &str, k: usize| -> Vec<(f64, f64)> {
        let of = views.iter().enumerate().filter_map(|(v, (name, _))| Some((v, name.strip_prefix(part)?.trim().parse::<f64>().ok()?)));
        of.filter_map(|(v, layer)| Some((layer, interval(v, k, false)?.mean))).collect()
    };
    let by_layer = [("ssm", 1), ("ssm", 4), ("conv", 1), ("conv", 4)];
    let curves = by_layer.map(|(part, k)| (format!("{part}, k = {k}"), layers(part, k))).to_vec();
    report.figures.push(Figure { name: "by-layer".into(), axes: ["layer".into(), "right task first".into()], curves });
    report.tables.push(by_k);
    let mut table = Table::new("confusion", &["task", "found instead at k = 1", "times"]);
    let mut worst: Vec<_> = confusion.into_iter().collect();
    worst.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    table.rows.extend(worst.into_iter().take(40).map(|((a, b), n)| vec![a, b, n.to_string()]));
    report.tables.push(table);
    Ok(report)
}

/// Mean accuracy of each task at k under the default view.
fn per_task(hits: &BTreeMap<(usize, usize, bool), Vec<(usize, f64)>>, k: usize) -> Vec<(usize, f64)> {
    let mut by: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (task, hit) in hits.get(&(0, k, false)).into_iter().flatten() {
        by.entry(*task).or_default().push(*hit);
    }
    by.into_iter().map(|(t, h)| (t, h.iter().sum::<f64>() / h.len() as f64)).collect()
}

fn queries(trials: &Trials<'_>, settings: &Settings, control: Control<'_>) -> Result<Vec<Query>> {
    let mut queries = Vec::new();
    let spec = trials.lab.split_spec();
    let rounds = settings.seeds * settings.per_task;
    for (t, task) in trials.lab.tasks().iter().enumerate() {
        let Ok(split) = spec.draw(task) else { continue };
        for round in 0..rounds {
            control.report((t * rounds + round) as u64, (trials.lab.tasks().len() * rounds) as u64, "texts");
            control.check()?;
            let chosen = draw(&split.test, 32, &mut rng(settings.seed, &task.name, round));
            let pairs: Vec<Pair> = chosen.iter().map(|&i| task.pairs[i].clone()).collect();
            for (pairs, shuffled) in [(pairs.clone(), false), (shuffled_labels(&pairs), true)] {
                let mut ends = Vec::new();
                let mut tokens = trials.prompt([])?;
                for (i, pair) in pairs.iter().enumerate() {
                    tokens.extend(trials.example(pair)?);
                    if SHOTS.contains(&(i + 1)) {
                        ends.push((i + 1, tokens.len()));
                    }
                }
                let snapshots: Vec<usize> = ends.iter().map(|(_, at)| *at).collect();
                let prompt = Prompt { tokens: &tokens, initial: None, snapshots: &snapshots, want: Want::State };
                let read = trials.model.mamba.prefill(&[prompt], control.with_progress(&|_| {}))?;
                let states = read.into_iter().flat_map(|r| r.snapshots);
                queries.extend(ends.iter().zip(states).map(|((k, _), state)| Query { task: t, k: *k, shuffled, state }));
            }
        }
    }
    Ok(queries)
}
