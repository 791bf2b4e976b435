//! Does adding retrieved states help a query of few examples?

use super::compare::Rows;
use super::few_shot::{self, AUTO, ENSEMBLE, GATED, HALF, Named, POSTERIOR, PRIMED, Posed, SHOTS};
use super::group::Group;
use super::{Figure, Live, Report, Settings};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::trials::{Candidate, Trials, random_like};
use crate::library::RankView;
use crate::soup::{Resolver, mix};
use crate::state::State;
use crate::task::draw;

/// Softmax temperature of the weights by similarity. It is small because the cosines of good skills
/// differ by a few hundredths.
const TAU: f64 = 0.02;
/// Soups that weigh the skills by evidence.
const BY_EVIDENCE: [Named; 6] = [AUTO, POSTERIOR, PRIMED, HALF, GATED, ENSEMBLE];

pub fn run(trials: &Trials<'_>, settings: &Settings, control: Control<'_>, live: &mut Live<'_>) -> Result<Report> {
    let view = trials.lab.default_view();
    let mut by_k = SHOTS.map(|_| Rows::default());
    few_shot::pose(trials, settings, &|task| few_shot::draws(trials.lab, settings, task), control, &mut |mut posed| {
        let candidates = candidates(trials, &mut posed, &view, control)?;
        by_k[posed.k].add(posed.t, &trials.put(candidates, &posed.asked, control)?);
        live.show(|| report(&by_k, trials, settings));
        Ok(())
    })?;
    Ok(report(&by_k, trials, settings))
}

/// All candidates that are asked the question.
fn candidates(trials: &Trials<'_>, posed: &mut Posed<'_>, view: &RankView, control: Control<'_>) -> Result<Vec<Candidate>> {
    let library = trials.lab.library();
    let text = posed.text(trials.lab.template());
    let (task, random) = (posed.task, &mut posed.random);
    let first = posed.split.sets[0].iter().map(|&i| &task.pairs[i]);
    let texts = [trials.prompt([])?, trials.prompt(first.chain(&posed.shown))?];
    let mut read = trials.states(&texts.each_ref().map(|t| (None, &t[..])), control)?.into_iter();
    let (Some(zero), Some(full)) = (read.next(), read.next()) else {
        return Err(Error::Model("the model returned too few states".into()));
    };
    let quiet = control.with_progress(&|_| {});
    trials.lab.at(&text, view, &[], quiet, |mixer| {
        let query = mixer.query()?;
        let ranking = mixer.ranking()?;
        let best = &ranking.ranking[..ranking.ranking.len().min(8)];
        let eight: Vec<State> = best.iter().map(|s| mixer.skill(&s.skill)).collect::<Result<_>>()?;
        let top = &eight[..eight.len().min(3)];
        let right = ranking.ranking.iter().filter(|s| s.task == task.name).take(3);
        let right: Vec<State> = right.map(|s| mixer.skill(&s.skill)).collect::<Result<_>>()?;
        let scores: Vec<f64> = best.iter().take(3).map(|s| f64::from(s.score)).collect();
        let strangers: Vec<usize> = (0..library.len()).filter(|&i| library.skills()[i].task != task.name).collect();
        let Some(&stranger) = draw(&strangers, 1, random).first() else {
            return Err(Error::Input("the library has the skills of one task alone; the experiment needs another's".into()));
        };
        let stranger = library.state(stranger)?;
        let with = |states: &[State], lambda: f64| {
            let mixed = mix::mean(states, &vec![1.0; states.len()])?;
            mix::weighted_sum(&[query.clone(), mixed], &[1.0 - lambda, lambda])
        };
        let three = with(top, 0.75)?;
        let weighed = mix::weighted_sum(top, &mix::softmax(&scores, TAU)?)?;
        let of_layers: Vec<f64> = (0..query.shape().n_layer).map(|l| f64::from(u8::from(view.layers.contains(&l)))).collect();
        let one = Candidate::one;
        let mut candidates = vec![
            one("0-shot", zero),
            one("query", query.clone()),
            one("best skill", top[0].clone()),
            one("mean(top 3)", mix::mean(top, &vec![1.0; top.len()])?),
            one("query + top 1", with(&top[..1], 0.5)?),
            one("query + top 3", three.clone()),
            one("query + top 3, lambda 0.5", with(top, 0.5)?),
            one("query + top 3, lambda 0.25", with(top, 0.25)?),
            one("query + top 8", with(&eight, 8.0 / 9.0)?),
            one("query + top 3, window of the query", mix::with_window(&three, &query)?),
            one("query + top 3, layers of the ranking", mix::blend_layers(&three, &query, &of_layers)?),
            one("query + 3 skills of the right task", with(&right, 0.75)?),
            one("query + top 3, weights by similarity", mix::weighted_sum(&[query.clone(), weighed], &[0.25, 0.75])?),
            one("query + a skill of another task", with(&[stranger], 0.5)?),
            one("query + random state", with(&[random_like(&top[0], random)?], 0.5)?),
            one("32-shot and the query", full),
        ];
        for soup in BY_EVIDENCE {
            candidates.push(soup.at(mixer)?);
        }
        Ok(candidates)
    })
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
    report.setup.extend(BY_EVIDENCE.iter().map(Named::told));
    for group in Group::of(trials.lab) {
        let by_k: Vec<Rows> = by_k.iter().map(|rows| rows.only(group, trials.lab)).collect();
        for (rows, k) in by_k.iter().zip(SHOTS) {
            report.tables.push(rows.table(&group.name(&format!("k-{k}")), settings));
            add_findings(&mut report, rows, group, k, settings);
        }
        report.figures.push(curves(&by_k, group));
    }
    report
}

/// Adds the findings on queries of k examples.
fn add_findings(report: &mut Report, rows: &Rows, group: Group, k: usize, settings: &Settings) {
    let full = "32-shot and the query";
    for (what, better, worse, threshold) in [
        ("adding the three best skills helps the query", "query + top 3", "query", 0.0),
        ("the mix is better than the three best skills alone", "query + top 3", "mean(top 3)", 0.0),
        ("auto helps the query", "auto", "query", 0.0),
        ("auto is as good as 32 examples and the query", "auto", full, -0.01),
        ("auto is better than 32 examples and the query", "auto", full, 0.0),
    ] {
        let claim = group.claim(&format!("At k = {k}, {what}"));
        report.findings.push(rows.finding(&claim, better, worse, threshold, settings));
    }
    // Why a mix helps or not: the loss from wrong skills, and from each of the other choices.
    for (why, other) in [
        ("wrong skills among the three cost answers", "query + 3 skills of the right task"),
        ("a smaller share of the skills is better than the plain average", "query + top 3, lambda 0.5"),
        ("the query's own window is better than the mixed one", "query + top 3, window of the query"),
        ("mixing only the layers of the ranking is better than mixing all", "query + top 3, layers of the ranking"),
        ("weights by similarity are better than equal ones", "query + top 3, weights by similarity"),
    ] {
        let claim = group.claim(&format!("At k = {k}, {why}"));
        report.findings.push(rows.saved(&claim, other, "query + top 3", 0.0, settings));
    }
}

/// Accuracy against the number of examples.
fn curves(by_k: &[Rows], group: Group) -> Figure {
    let curve =
        |name: &str| (name.to_string(), SHOTS.iter().zip(by_k).map(|(k, rows)| ((*k as f64).log2(), rows.accuracy(name))).collect());
    let shown = ["query", "best skill", "mean(top 3)", "query + top 3", "posterior soup", "auto", "32-shot and the query", "0-shot"];
    let curves = shown.iter().map(|n| curve(n)).collect();
    Figure::curves(&group.name("by-k"), ["log2 of the query's examples", "exact answers"], curves)
}
