//! Does a k-shot query find its task's states? Measured by k, layer, part and similarity, and for
//! evidence.

use super::few_shot;
use super::group::Group;
use super::{Figure, Finding, Heat, Live, Report, Settings, Table};
use crate::control::Control;
use crate::error::Result;
use crate::lab::trials::{Trials, shuffled_labels};
use crate::lab::{CANDIDATES, Lab};
use crate::library::{Library, Metric, Part, RankView};
use crate::model::{Prompt, Want};
use crate::state::State;
use crate::stats::{Interval, bootstrap};
use crate::task::{Pair, Split, Task, draw, rng};
use std::collections::BTreeMap;

const SHOTS: [usize; 6] = [1, 2, 4, 8, 16, 32];
/// Most examples in a query that is ranked by evidence, which reads the query from every candidate.
const LONGEST_READ: usize = 8;
/// The claimed share of queries whose right task is ranked first (our choice).
const FIRST: f64 = 0.9;
/// Indices of two views in [`views`].
const DEFAULT: usize = 0;
const EVIDENCE: usize = 1;

/// A query's state.
struct Query {
    k: usize,
    shuffled: bool,
    state: State,
    /// The task that evidence ranks first, if the query was ranked by evidence.
    by_evidence: Option<String>,
}

/// A way of ranking, with its name.
struct View {
    name: String,
    order: Order,
    /// The part, if the view is a single layer of it. The other views have their own curve in the
    /// figure.
    single: Option<Part>,
}

/// What tasks are ranked by.
enum Order {
    Similarity(RankView),
    Evidence,
}

/// The results so far.
struct Found<'a> {
    lab: &'a Lab,
    views: Vec<View>,
    /// (view, k, shuffled) → (task, 1 if right else 0).
    hits: BTreeMap<(usize, usize, bool), Vec<(usize, f64)>>,
    /// k → (task, right by evidence minus right by the default view), for queries ranked by both.
    gains: BTreeMap<usize, Vec<(usize, f64)>>,
    /// (right task, task found instead) → count, for the default view and one example.
    confusion: BTreeMap<(usize, String), usize>,
}

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let library = trials.lab.library();
    let tasks = trials.lab.tasks();
    let views = views(&trials.lab.default_view(), trials.lab.shape().n_layer);
    let mut found = Found { lab: trials.lab, views, hits: BTreeMap::new(), gains: BTreeMap::new(), confusion: BTreeMap::new() };
    let spec = trials.lab.split_spec();
    let rounds = settings.seeds * settings.per_task;
    // Rounds are the outer loop, so that partial reports cover all tasks.
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
    let similarity = |view: RankView| Order::Similarity(view);
    let whole = |name: &str, order: Order| View { name: name.into(), order, single: None };
    let mut views = vec![
        whole("default", similarity(default.clone())),
        whole("evidence", Order::Evidence),
        whole("L2", similarity(RankView { metric: Metric::L2, ..default.clone() })),
        whole("z-scored", similarity(RankView { metric: Metric::ZCosine, ..default.clone() })),
        whole("conv", similarity(RankView { part: Part::Conv, ..default.clone() })),
        whole("conv, z-scored", similarity(RankView { part: Part::Conv, metric: Metric::ZCosine, ..default.clone() })),
    ];
    for part in [Part::Ssm, Part::Conv] {
        for layer in 0..n_layer {
            let view = RankView { metric: Metric::Cosine, layers: layer..layer + 1, part };
            views.push(View { name: format!("{part} {layer}"), order: similarity(view), single: Some(part) });
        }
    }
    views
}

impl Found<'_> {
    fn add(&mut self, library: &Library, task: usize, query: &Query) -> Result<()> {
        let wanted = &self.lab.tasks()[task].name;
        let mut right = BTreeMap::new();
        for (v, View { order, .. }) in self.views.iter().enumerate().filter(|(v, _)| *v == DEFAULT || !query.shuffled) {
            let found = match (order, &query.by_evidence) {
                (Order::Similarity(how), _) => library.rank(&query.state, how, None)?.by_task[0].task.clone(),
                (Order::Evidence, Some(found)) => found.clone(),
                (Order::Evidence, None) => continue,
            };
            let hit = f64::from(u8::from(found == *wanted));
            right.insert(v, hit);
            self.hits.entry((v, query.k, query.shuffled)).or_default().push((task, hit));
            if v == DEFAULT && !query.shuffled && query.k == 1 && found != *wanted {
                *self.confusion.entry((task, found)).or_default() += 1;
            }
        }
        if let (Some(evidence), Some(default)) = (right.get(&EVIDENCE), right.get(&DEFAULT)) {
            self.gains.entry(query.k).or_default().push((task, evidence - default));
        }
        Ok(())
    }

    /// (task, 1 if right else 0) for the tasks of one group.
    fn hits(&self, group: Group, view: usize, k: usize, shuffled: bool) -> Vec<(usize, f64)> {
        self.of(group, self.hits.get(&(view, k, shuffled)))
    }

    fn of(&self, group: Group, values: Option<&Vec<(usize, f64)>>) -> Vec<(usize, f64)> {
        values.into_iter().flatten().filter(|(task, _)| group.holds(self.lab, *task)).copied().collect()
    }

    fn report(&self, settings: &Settings) -> Report {
        let view = self.lab.default_view();
        let tasks = self.lab.tasks().len();
        let chance = 1.0 / tasks as f64;
        let mut report = Report {
            setup: vec![
                format!("{tasks} tasks in the library, chance {chance:.3}; query pairs are in no skill's examples"),
                format!("default view: cosine of SSM states averaged over the layers {}..{} (ours)", view.layers.start, view.layers.end),
                format!(
                    "evidence: the likeliest of the {CANDIDATES} tasks that are best by the default view, by what the query's examples say of them"
                ),
                format!(
                    "evidence is asked of queries of at most {LONGEST_READ} examples, of the first draws of each task; differences are of the same queries"
                ),
                "shuffled labels: the same words, answers moved to other lines; what remains is content, not the mapping".into(),
            ],
            ..Report::default()
        };
        for group in Group::of(self.lab) {
            self.add_findings(&mut report, group, chance, settings);
            self.add_views(&mut report, group, chance, settings);
            report.figures.extend([Part::Ssm, Part::Conv].map(|part| self.layers_by_k(part, group)));
            report.tables.push(self.confusions(group));
        }
        report
    }

    fn add_findings(&self, report: &mut Report, group: Group, chance: f64, settings: &Settings) {
        let interval = |values: &[(usize, f64)]| bootstrap(values, settings.resamples, settings.seed);
        let mut add = |claim: &str, effect: &str, threshold: f64, interval: Interval| {
            report.findings.push(Finding::new(group.claim(claim), effect, threshold, interval));
        };
        let one = interval(&self.hits(group, DEFAULT, 1, false));
        add("One example finds its task more often than chance", "accuracy", chance, one);
        let (one, four) = (self.per_task(group, 1), self.per_task(group, 4));
        let rise: Vec<(usize, f64)> = one.iter().filter_map(|(t, a)| Some((*t, four.get(t)? - a))).collect();
        add("Four examples find it more often than one", "difference in accuracy by task", 0.0, interval(&rise));
        for k in [1, 2] {
            for (view, told) in [(DEFAULT, "cosine"), (EVIDENCE, "evidence")] {
                let claim = format!("At k = {k}, {told} puts the right task first for more than {FIRST} of the queries");
                add(&claim, "accuracy", FIRST, interval(&self.hits(group, view, k, false)));
            }
            let claim = format!("At k = {k}, evidence finds the task more often than cosine");
            add(&claim, "difference in accuracy:", 0.0, interval(&self.of(group, self.gains.get(&k))));
        }
    }

    /// Adds the table and the curves of all views.
    fn add_views(&self, report: &mut Report, group: Group, chance: f64, settings: &Settings) {
        let mut by_k = Table::new(&group.name("by-k"), &["view", "k", "accuracy", "low", "high", "queries"]);
        let mut curves = Vec::new();
        for (v, View { name, single, .. }) in self.views.iter().enumerate() {
            for shuffled in [false, true] {
                let label = if shuffled { format!("{name}, shuffled labels") } else { name.clone() };
                let mut curve = Vec::new();
                for k in SHOTS {
                    let hits = self.hits(group, v, k, shuffled);
                    if hits.is_empty() {
                        continue;
                    }
                    let i = bootstrap(&hits, settings.resamples, settings.seed);
                    let mut row = vec![label.clone(), k.to_string()];
                    row.extend([i.mean, i.low, i.high].map(|v| format!("{v:.4}")));
                    row.push(i.n.to_string());
                    by_k.rows.push(row);
                    curve.push(((k as f64).log2(), i.mean));
                }
                if single.is_none() && !curve.is_empty() {
                    curves.push((label, curve));
                }
            }
        }
        for k in SHOTS {
            let chance = format!("{chance:.4}");
            by_k.rows.push(vec!["chance".into(), k.to_string(), chance.clone(), chance.clone(), chance, "0".into()]);
        }
        curves.push(("chance".into(), vec![(0.0, chance), (5.0, chance)]));
        report.figures.push(Figure::curves(&group.name("by-k"), ["log2 of the examples", "right task first"], curves));
        report.tables.push(by_k);
    }

    /// The 40 most frequent wrong tasks at k = 1.
    fn confusions(&self, group: Group) -> Table {
        let mut table = Table::new(&group.name("confusion"), &["task", "found instead at k = 1", "times"]);
        let mut worst: Vec<_> = self.confusion.iter().filter(|((task, _), _)| group.holds(self.lab, *task)).collect();
        worst.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
        let name = |task: usize| self.lab.tasks()[task].name.clone();
        table.rows.extend(worst.into_iter().take(40).map(|((task, found), n)| vec![name(*task), found.clone(), n.to_string()]));
        table
    }

    /// Accuracy of single layers, by k.
    fn layers_by_k(&self, part: Part, group: Group) -> Figure {
        let layers: Vec<usize> = (0..self.views.len()).filter(|&v| self.views[v].single == Some(part)).collect();
        let mean = |v: usize, k: usize| {
            let hits = self.hits(group, v, k, false);
            hits.iter().map(|(_, h)| h).sum::<f64>() / hits.len() as f64
        };
        let heat = Heat {
            rows: layers.iter().map(|&v| self.views[v].name.clone()).collect(),
            columns: SHOTS.iter().map(|k| format!("k = {k}")).collect(),
            value: "right task first".into(),
            values: layers.iter().map(|&v| SHOTS.iter().map(|&k| mean(v, k)).collect()).collect(),
        };
        Figure::heat(&group.name(&format!("{part}-layer-by-k")), ["examples in the query", "layer"], heat)
    }

    /// Mean accuracy of each task at k under the default view.
    fn per_task(&self, group: Group, k: usize) -> BTreeMap<usize, f64> {
        let mut by: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for (task, hit) in self.hits(group, DEFAULT, k, false) {
            by.entry(task).or_default().push(hit);
        }
        by.into_iter().map(|(t, h)| (t, h.iter().sum::<f64>() / h.len() as f64)).collect()
    }
}

/// The queries of one draw of test pairs, read once unchanged and once with shuffled labels: the
/// state after each number of examples in [`SHOTS`].
fn queries(trials: &Trials<'_>, settings: &Settings, task: &Task, split: &Split, round: usize, control: Control<'_>) -> Result<Vec<Query>> {
    let chosen = draw(&split.test, 32, &mut rng(settings.seed, &task.name, round));
    let pairs: Vec<Pair> = chosen.iter().map(|&i| task.pairs[i].clone()).collect();
    let mut queries = Vec::new();
    for (pairs, shuffled) in [(pairs.clone(), false), (shuffled_labels(&pairs), true)] {
        let mut ends = Vec::new();
        let mut tokens = trials.prompt([])?;
        for (i, example) in trials.examples(&pairs)?.into_iter().enumerate() {
            tokens.extend(example);
            if SHOTS.contains(&(i + 1)) {
                ends.push((i + 1, tokens.len()));
            }
        }
        let snapshots: Vec<usize> = ends.iter().map(|(_, at)| *at).collect();
        let prompt = Prompt { tokens: &tokens, initial: None, snapshots: &snapshots, want: Want::State };
        let read = trials.model.network.prefill(&[prompt], control.with_progress(&|_| {}))?;
        let states = read.into_iter().flat_map(|r| r.snapshots);
        for ((k, _), state) in ends.into_iter().zip(states) {
            let read = !shuffled && k <= LONGEST_READ && round < few_shot::draws(trials.lab, settings, task);
            let by_evidence = if read { first_by_evidence(trials, &pairs[..k], control)? } else { None };
            queries.push(Query { k, shuffled, state, by_evidence });
        }
    }
    Ok(queries)
}

/// The task that evidence ranks first.
fn first_by_evidence(trials: &Trials<'_>, pairs: &[Pair], control: Control<'_>) -> Result<Option<String>> {
    let query: String = pairs.iter().map(|pair| trials.lab.template().example(pair)).collect();
    let quiet = control.with_progress(&|_| {});
    trials.lab.at(&query, &trials.lab.default_view(), &[], quiet, |mixer| Ok(mixer.evidence()?.tasks.first().map(|t| t.task.clone())))
}
