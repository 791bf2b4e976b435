//! Does a k-shot query find its task's states? By k, layer, part and similarity.

use super::stats::bootstrap;
use super::trials::{Trials, shuffled_labels};
use super::{Figure, Finding, Heat, Interval, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::Result;
use crate::library::{Library, Metric, Part, RankView};
use crate::model::{Prompt, Want};
use crate::state::State;
use crate::task::{Pair, Split, Task, draw, rng};
use std::collections::BTreeMap;

const SHOTS: [usize; 6] = [1, 2, 4, 8, 16, 32];

/// A query's state.
struct Query {
    k: usize,
    shuffled: bool,
    state: State,
}

/// A way of ranking, and what it is called.
struct View {
    name: String,
    view: RankView,
    /// A curve of its own in the figure; the others are single layers.
    whole: bool,
}

/// What was found, so far.
struct Found<'a> {
    tasks: &'a [Task],
    views: Vec<View>,
    /// (view, k, shuffled) → right or wrong by task.
    hits: BTreeMap<(usize, usize, bool), Vec<(usize, f64)>>,
    /// (wanted, found instead) → times, default view, one example.
    confusion: BTreeMap<(String, String), usize>,
}

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let library = trials.lab.library();
    let tasks = trials.lab.tasks();
    let views = views(&trials.lab.default_view(), trials.lab.shape().n_layer);
    let mut found = Found { tasks, views, hits: BTreeMap::new(), confusion: BTreeMap::new() };
    let spec = trials.lab.split_spec();
    let rounds = settings.seeds * settings.per_task;
    // Round by round, not task by task: what is shown on the way is of all tasks.
    for round in 0..rounds {
        for (t, task) in tasks.iter().enumerate() {
            control.check()?;
            control.report((round * tasks.len() + t) as u64, (rounds * tasks.len()) as u64, "queries");
            let Ok(split) = spec.draw(task) else { continue };
            for query in queries(trials, settings, task, &split, round, control)? {
                found.add(&library, t, &query)?;
            }
            live.show(|| found.report(settings));
        }
    }
    Ok(found.report(settings))
}

fn views(default: &RankView, n_layer: usize) -> Vec<View> {
    let whole = |name: &str, view: RankView| View { name: name.into(), view, whole: true };
    let mut views = vec![
        whole("default", default.clone()),
        whole("L2", RankView { metric: Metric::L2, ..default.clone() }),
        whole("z-scored", RankView { metric: Metric::ZCosine, ..default.clone() }),
        whole("conv", RankView { part: Part::Conv, ..default.clone() }),
        whole("conv, z-scored", RankView { part: Part::Conv, metric: Metric::ZCosine, ..default.clone() }),
    ];
    for part in [Part::Ssm, Part::Conv] {
        for layer in 0..n_layer {
            let view = RankView { metric: Metric::Cosine, layers: layer..layer + 1, part };
            views.push(View { name: format!("{part} {layer}"), view, whole: false });
        }
    }
    views
}

impl Found<'_> {
    fn add(&mut self, library: &Library, task: usize, query: &Query) -> Result<()> {
        for (v, View { view, .. }) in self.views.iter().enumerate().filter(|(v, _)| *v == 0 || !query.shuffled) {
            let ranking = library.rank(&query.state, view, None)?;
            let (found, wanted) = (&ranking.by_task[0].task, &self.tasks[task].name);
            self.hits.entry((v, query.k, query.shuffled)).or_default().push((task, f64::from(u8::from(found == wanted))));
            if v == 0 && !query.shuffled && query.k == 1 && found != wanted {
                *self.confusion.entry((wanted.clone(), found.clone())).or_default() += 1;
            }
        }
        Ok(())
    }

    fn interval(&self, view: usize, k: usize, shuffled: bool, settings: &Settings) -> Option<Interval> {
        self.hits.get(&(view, k, shuffled)).map(|h| bootstrap(h, settings.resamples, settings.seed))
    }

    fn report(&self, settings: &Settings) -> Report {
        let chance = 1.0 / self.tasks.len() as f64;
        let layers = &self.views[0].view.layers;
        let mut report = Report {
            setup: vec![
                format!("{} tasks in the library, chance {chance:.3}; query pairs are in no skill's examples", self.tasks.len()),
                format!("default view: cosine of SSM states averaged over the layers {}..{} (ours)", layers.start, layers.end),
                "shuffled labels: the same words, answers moved to other lines; what remains is content, not the mapping".into(),
            ],
            ..Report::default()
        };
        if let Some(one) = self.interval(0, 1, false, settings) {
            report.findings.push(Finding::new("One example finds its task more often than chance", "accuracy", chance, one));
        }
        let (one, four) = (self.per_task(1), self.per_task(4));
        let rise: Vec<(usize, f64)> = one.iter().filter_map(|(t, a)| Some((*t, four.get(t)? - a))).collect();
        let rise = bootstrap(&rise, settings.resamples, settings.seed);
        report.findings.push(Finding::new("Four examples find it more often than one", "difference in accuracy by task", 0.0, rise));
        let mut by_k = Table::new("by-k", &["view", "k", "accuracy", "low", "high", "queries"]);
        let mut curves = Vec::new();
        for (v, View { name, whole, .. }) in self.views.iter().enumerate() {
            for shuffled in [false, true] {
                let label = if shuffled { format!("{name}, shuffled labels") } else { name.clone() };
                let mut curve = Vec::new();
                for k in SHOTS {
                    let Some(i) = self.interval(v, k, shuffled, settings) else { continue };
                    let mut row = vec![label.clone(), k.to_string()];
                    row.extend([i.mean, i.low, i.high].map(|v| format!("{v:.4}")));
                    row.push(i.n.to_string());
                    by_k.rows.push(row);
                    curve.push(((k as f64).log2(), i.mean));
                }
                if *whole && !curve.is_empty() {
                    curves.push((label, curve));
                }
            }
        }
        curves.push(("chance".into(), vec![(0.0, chance), (5.0, chance)]));
        report.figures.push(Figure::curves("by-k", ["log2 of the examples", "right task first"], curves));
        report.figures.extend([Part::Ssm, Part::Conv].map(|part| self.layers_by_k(part)));
        report.tables.push(by_k);
        let mut table = Table::new("confusion", &["task", "found instead at k = 1", "times"]);
        let mut worst: Vec<_> = self.confusion.iter().collect();
        worst.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        table.rows.extend(worst.into_iter().take(40).map(|((a, b), n)| vec![a.clone(), b.clone(), n.to_string()]));
        report.tables.push(table);
        report
    }

    /// Accuracy of single layers.
    fn layers_by_k(&self, part: Part) -> Figure {
        let layers: Vec<usize> = (0..self.views.len()).filter(|&v| !self.views[v].whole && self.views[v].view.part == part).collect();
        let mean = |v: usize, k: usize| {
            let hits = self.hits.get(&(v, k, false)).map_or(&[][..], Vec::as_slice);
            hits.iter().map(|(_, h)| h).sum::<f64>() / hits.len() as f64
        };
        let heat = Heat {
            rows: layers.iter().map(|&v| self.views[v].name.clone()).collect(),
            columns: SHOTS.iter().map(|k| format!("k = {k}")).collect(),
            value: "right task first".into(),
            values: layers.iter().map(|&v| SHOTS.iter().map(|&k| mean(v, k)).collect()).collect(),
        };
        Figure::heat(&format!("{part}-layer-by-k"), ["examples in the query", "layer"], heat)
    }

    /// Mean accuracy of each task at k under the default view.
    fn per_task(&self, k: usize) -> BTreeMap<usize, f64> {
        let mut by: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (task, hit) in self.hits.get(&(0, k, false)).into_iter().flatten() {
            by.entry(*task).or_default().push(*hit);
        }
        by.into_iter().map(|(t, h)| (t, h.iter().sum::<f64>() / h.len() as f64)).collect()
    }
}

/// One draw of test pairs, read once as they are and once with shuffled labels; the state after each number of examples.
fn queries(trials: &Trials<'_>, settings: &Settings, task: &Task, split: &Split, round: usize, control: Control<'_>) -> Result<Vec<Query>> {
    let chosen = draw(&split.test, 32, &mut rng(settings.seed, &task.name, round));
    let pairs: Vec<Pair> = chosen.iter().map(|&i| task.pairs[i].clone()).collect();
    let mut queries = Vec::new();
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
        queries.extend(ends.iter().zip(states).map(|((k, _), state)| Query { k: *k, shuffled, state }));
    }
    Ok(queries)
}
