//! Does adding retrieved states help a query of few examples?

use super::compare::Rows;
use super::trials::{Ask, Trials, random_like};
use super::{Figure, Live, Report, Settings};
use crate::control::Control;
use crate::error::Result;
use crate::soup::mix;
use crate::state::State;
use crate::task::{Pair, draw, rng};

const SHOTS: [usize; 4] = [1, 2, 4, 8];
/// Temperature of the weights by similarity: cosines of good skills differ by a few hundredths.
const TAU: f64 = 0.02;
const NAMES: [&str; 16] = [
    "0-shot",
    "query",
    "best skill",
    "mean(top 3)",
    "query + top 1",
    "query + top 3",
    "query + top 3, lambda 0.5",
    "query + top 3, lambda 0.25",
    "query + top 8",
    "query + top 3, window of the query",
    "query + top 3, layers of the ranking",
    "query + 3 skills of the right task",
    "query + top 3, weights by similarity",
    "query + a skill of another task",
    "query + random state",
    "32-shot and the query",
];

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let library = trials.lab.library();
    let view = trials.lab.default_view();
    let spec = trials.lab.split_spec();
    let mut by_k: Vec<Rows> = SHOTS.iter().map(|_| Rows::new(&NAMES)).collect();
    let tasks = trials.lab.tasks();
    for (t, task) in tasks.iter().enumerate() {
        let Ok(split) = spec.draw(task) else { continue };
        control.report(t as u64, tasks.len() as u64, "tasks");
        for (rows, k) in by_k.iter_mut().zip(SHOTS) {
            for round in 0..settings.seeds * settings.per_task.div_ceil(2) {
                control.check()?;
                let mut random = rng(settings.seed, &task.name, round * 100 + k);
                let chosen = draw(&split.test, k + 1, &mut random);
                let Some((&asked, shown)) = chosen.split_last().filter(|(_, shown)| shown.len() == k) else { continue };
                let shown: Vec<Pair> = shown.iter().map(|&i| task.pairs[i].clone()).collect();
                let first = split.sets[0].iter().map(|&i| task.pairs[i].clone());
                let texts =
                    [trials.prompt([])?, trials.prompt(&shown)?, trials.prompt(&first.chain(shown.iter().cloned()).collect::<Vec<_>>())?];
                let states = trials.states(&texts.each_ref().map(|t| (None, &t[..])), control)?;
                let [zero, query, full] = &states[..] else { continue };
                let ranking = library.rank(query, &view, None)?;
                let skill = |id: &str| library.find(id).map(|i| library.state(i)).transpose();
                let best = &ranking.ranking[..ranking.ranking.len().min(8)];
                let eight: Vec<State> = best.iter().filter_map(|s| skill(&s.skill).transpose()).collect::<Result<_>>()?;
                let top = &eight[..eight.len().min(3)];
                let right = ranking.ranking.iter().filter(|s| s.task == task.name).take(3);
                let right: Vec<State> = right.filter_map(|s| skill(&s.skill).transpose()).collect::<Result<_>>()?;
                let scores: Vec<f64> = best.iter().take(3).map(|s| f64::from(s.score)).collect();
                let strangers: Vec<usize> = (0..library.len()).filter(|&i| library.skills()[i].task != task.name).collect();
                let stranger = library.state(draw(&strangers, 1, &mut random)[0])?;
                let with = |states: &[State], lambda: f64| {
                    let mixed = mix::mean(states, &vec![1.0; states.len()])?;
                    mix::weighted_sum(&[query.clone(), mixed], &[1.0 - lambda, lambda])
                };
                let three = with(top, 0.75)?;
                let weighed = mix::weighted_sum(top, &mix::softmax(&scores, TAU)?)?;
                let of_layers: Vec<f64> = (0..query.shape().n_layer).map(|l| f64::from(u8::from(view.layers.contains(&l)))).collect();
                let candidates = [
                    zero.clone(),
                    query.clone(),
                    top[0].clone(),
                    mix::mean(top, &vec![1.0; top.len()])?,
                    with(&top[..1], 0.5)?,
                    three.clone(),
                    with(top, 0.5)?,
                    with(top, 0.25)?,
                    with(&eight, 8.0 / 9.0)?,
                    mix::with_window(&three, query)?,
                    mix::blend_layers(&three, query, &of_layers)?,
                    with(&right, 0.75)?,
                    mix::weighted_sum(&[query.clone(), weighed], &[0.25, 0.75])?,
                    with(&[stranger], 0.5)?,
                    with(&[random_like(&top[0], &mut random)?], 0.5)?,
                    full.clone(),
                ];
                let (tail, answer) = trials.question(&task.pairs[asked])?;
                let asks: Vec<Ask> =
                    candidates.into_iter().map(|s| Ask { states: vec![s], tail: tail.clone(), answer: answer.clone() }).collect();
                rows.push(t, &trials.ask(&asks, control)?);
            }
        }
        live.show(|| report(&by_k, trials, settings));
    }
    Ok(report(&by_k, trials, settings))
}

fn report(by_k: &[Rows], trials: &Trials<'_>, settings: &Settings) -> Report {
    let view = trials.lab.default_view();
    let mut report = Report {
        setup: vec![
            "query + top r: (1 - lambda) query + lambda mean(top r), lambda = r / (r + 1) unless given (ours)".into(),
            format!("weights by similarity: softmax(cosine / {TAU}) (ours)"),
            "query examples and questions are from pairs that are in no skill's examples".into(),
            format!("ranked by cosine averaged over the layers {}..{}", view.layers.start, view.layers.end),
        ],
        ..Report::default()
    };
    for (rows, k) in by_k.iter().zip(SHOTS) {
        report.tables.push(rows.table(&format!("k-{k}"), settings));
        let claim = format!("At k = {k}, adding the three best skills helps the query");
        report.findings.push(rows.finding(&claim, "query + top 3", "query", 0.0, settings));
        let claim = format!("At k = {k}, the mix is better than the three best skills alone");
        report.findings.push(rows.finding(&claim, "query + top 3", "mean(top 3)", 0.0, settings));
        // Why a mix helps or does not: what is lost to wrong skills, and what to the other choices.
        for (why, other) in [
            ("wrong skills among the three cost answers", "query + 3 skills of the right task"),
            ("a smaller share of the skills is better than the plain average", "query + top 3, lambda 0.5"),
            ("the query's own window is better than the mixed one", "query + top 3, window of the query"),
            ("mixing only the layers of the ranking is better than mixing all", "query + top 3, layers of the ranking"),
            ("weights by similarity are better than equal ones", "query + top 3, weights by similarity"),
        ] {
            let claim = format!("At k = {k}, {why}");
            report.findings.push(rows.saved(&claim, other, "query + top 3", 0.0, settings));
        }
    }
    let curve =
        |name: &str| (name.to_string(), SHOTS.iter().zip(by_k).map(|(k, rows)| ((*k as f64).log2(), rows.accuracy(name))).collect());
    let shown =
        ["query", "best skill", "mean(top 3)", "query + top 3", "query + a skill of another task", "32-shot and the query", "0-shot"];
    let curves = shown.iter().map(|n| curve(n)).collect();
    report.figures.push(Figure::curves("by-k", ["log2 of the query's examples", "exact answers"], curves));
    report
}
