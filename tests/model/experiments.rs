//! Every experiment on the bundled model with a few tasks: it runs, it repeats, and what must hold
//! of any model holds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::common;
use state_soup::control::{Cancel, Control, quiet};
use state_soup::experiment::optimise::{choose, measure, query_of};
use state_soup::experiment::{ALL, Heat, Picture, Report, Settings, Table, find};
use state_soup::lab::{Lab, Setup};
use state_soup::library::BuildSettings;
use state_soup::soup::Recipe;
use state_soup::stats::Verdict;
use state_soup::task::bundled;
use std::io::Write;
use std::path::Path;
use std::sync::OnceLock;

const TASKS: [&str; 6] = ["antonym", "capitalize", "country_capital", "noun_category", "number_words", "present_past"];

fn lab() -> &'static Lab {
    static LAB: OnceLock<(tempfile::TempDir, Lab)> = OnceLock::new();
    &LAB.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let lab = lab_of(&TASKS, dir.path());
        (dir, lab)
    })
    .1
}

/// A lab of some tasks with two skills of each.
fn lab_of(tasks: &[&str], dir: &Path) -> Lab {
    let setup = Setup {
        build: BuildSettings { sets: 2, ..BuildSettings::default() },
        tasks: bundled().iter().filter(|t| tasks.contains(&t.name.as_str())).cloned().collect(),
        ..common::bundled(&dir.join("library"))
    };
    let lab = quiet(|control| Lab::open(setup, control)).unwrap();
    quiet(|control| lab.build(control, &|_| {})).unwrap();
    lab
}

/// Few draws, and few queries of `everyday`.
fn settings() -> Settings {
    static QUERIES: OnceLock<tempfile::NamedTempFile> = OnceLock::new();
    let queries = QUERIES.get_or_init(|| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "# two\nold -> young\\nhot ->\tcold|cool\nJapan -> Tokyo\\nItaly -> Rome\\nFrance ->\tParis\n").unwrap();
        file
    });
    Settings { seeds: 1, per_task: 1, resamples: 200, queries: Some(queries.path().into()), ..Settings::quick() }
}

fn run(name: &str) -> Report {
    quiet(|control| find(name).unwrap().run(lab(), &settings(), control)).unwrap()
}

/// An experiment's report, measured once for all tests of this file.
fn report(name: &str) -> &'static Report {
    static REPORTS: [OnceLock<Report>; ALL.len()] = [const { OnceLock::new() }; ALL.len()];
    let at = ALL.iter().position(|e| e.name == name).unwrap();
    REPORTS[at].get_or_init(|| run(name))
}

fn verdicts(report: &Report) -> Vec<Verdict> {
    report.findings.iter().map(|f| f.verdict).collect()
}

#[test]
fn every_experiment_measures_something_and_can_be_written() {
    let dir = tempfile::tempdir().unwrap();
    for e in ALL {
        let report = report(e.name);
        assert!(!report.findings.is_empty() && !report.tables.is_empty(), "{}", e.name);
        assert!(report.findings.iter().all(|f| f.interval.mean.is_finite() && f.interval.low <= f.interval.high), "{}", e.name);
        assert!(report.tables.iter().all(|t| t.rows.iter().all(|r| r.len() == t.columns.len())), "{}", e.name);
        report.write(&dir.path().join(e.name)).unwrap();
        assert!(dir.path().join(e.name).join("report.md").is_file());
    }
}

#[test]
fn the_algebra_holds_on_the_real_model() {
    // One linear layer with halo is exact; error appears with depth.
    assert_eq!(verdicts(report("exactness"))[..2], [Verdict::Supported; 2]);
    // PICASO-S is invariant, PICASO-R to rotations only, A-decay to neither.
    assert_eq!(verdicts(report("permutation")), [Verdict::Supported; 4]);
}

fn table<'a>(report: &'a Report, name: &str) -> &'a Table {
    report.tables.iter().find(|t| t.name == name).unwrap()
}

fn heat<'a>(report: &'a Report, name: &str) -> &'a Heat {
    match &report.figures.iter().find(|f| f.name == name).unwrap().picture {
        Picture::Heat(heat) => heat,
        Picture::Curves(_) => panic!("{name} is no heat map"),
    }
}

/// The number in a column of the row that starts with these cells.
fn number(table: &Table, row: &[&str], column: usize) -> f64 {
    table.rows.iter().find(|r| r.iter().zip(row).all(|(a, b)| a == b)).unwrap()[column].parse().unwrap()
}

#[test]
fn single_layers_are_compared_by_k() {
    let report = report("retrieval");
    let (ssm, conv) = (heat(report, "ssm-layer-by-k"), heat(report, "conv-layer-by-k"));
    assert_eq!((ssm.rows.len(), ssm.columns.len(), conv.rows.len()), (12, 6, 12));
    let by_k = table(report, "by-k");
    assert!((ssm.values[4][2] - number(by_k, &["ssm 4", "4"], 2)).abs() < 1e-4);
    // Six tasks, four examples: the states know which task it is better than chance at every middle
    // layer.
    assert!(ssm.values[3..8].iter().all(|row| row[2] > 0.5), "{:?}", ssm.values);
    number(by_k, &["conv, z-scored", "1"], 2);
    // Evidence is asked of the same queries, but of no long ones.
    assert_eq!((number(by_k, &["evidence", "8"], 5), number(by_k, &["default", "8"], 5)), (6.0, 6.0));
    assert!(!by_k.rows.iter().any(|r| r[0] == "evidence" && r[1] == "16"));
    assert!((number(by_k, &["chance", "1"], 2) - 1.0 / 6.0).abs() < 1e-4);
}

#[test]
fn everyday_queries_are_answered_by_every_source() {
    let report = report("everyday");
    let right = table(report, "right");
    assert!(right.rows.len() == 9 && right.rows.iter().all(|r| r[4] == "2"), "{:?}", right.rows);
    assert_eq!(table(report, "right-by-examples").rows.iter().filter(|r| r[0] == "2" && r[5] == "1").count(), 9);
    let answers = table(report, "answers");
    assert_eq!((answers.rows[0][0].as_str(), answers.rows[0][1].as_str()), ("old -> young / hot ->", "cold | cool"));
    assert!(report.run_value("settings").unwrap().contains("queries "));
}

#[test]
fn unseen_tasks_are_reported_apart() {
    let dir = tempfile::tempdir().unwrap();
    let lab = lab_of(&["add_question", "antonym", "capitalize", "prefix_the"], dir.path());
    let run = |name: &str| quiet(|control| find(name).unwrap().run(&lab, &settings(), control)).unwrap();
    let claims = |report: &Report, start: &str| report.findings.iter().filter(|f| f.claim.starts_with(start)).count();
    let mix = run("retrieve-mix");
    assert_eq!((claims(&mix, "Trained tasks: "), claims(&mix, "Unseen tasks: ")), (mix.findings.len() / 2, mix.findings.len() / 2));
    // Two tasks each; the unseen ones are drawn six times.
    let questions = |report: &Report, name: &str| number(table(report, name), &["auto"], 7);
    assert_eq!((questions(&mix, "k-1-trained"), questions(&mix, "k-1-unseen")), (2.0, 12.0));
    let unknown = run("unknown");
    let counts = ["k-8", "k-8-trained", "k-8-unseen"].map(|name| questions(&unknown, name));
    assert_eq!((counts, questions(&unknown, "all-k")), ([4.0, 2.0, 12.0], 16.0));
    let cross = run("cross-task");
    assert_eq!(questions(&cross, "carried-over-k-4"), 12.0);
    assert_eq!(claims(&cross, "Unseen tasks, trained tasks' skills: "), 8);
    let kinds = run("card");
    number(table(&kinds, "accuracy"), &["of a task never seen in training", "32"], 2);
}

#[test]
fn mixes_of_two_tasks_are_swept_and_looked_at_more_closely() {
    let report = report("cross-task");
    let nats = heat(report, "nats-saved");
    assert_eq!((nats.rows.len(), nats.values[0].len()), (TASKS.len(), TASKS.len()));
    assert!(nats.values.iter().flatten().all(|v| v.is_finite()));
    let halves = table(report, "halves");
    assert!(number(halves, &["own skill"], 1) > number(halves, &["another task's skill"], 1));
    // Every pair from one end to the other, half of them at four more places.
    let widths = table(report, "widths");
    let points: Vec<&str> = widths.rows.iter().map(|r| r[6].as_str()).collect();
    assert_eq!((points.len(), points.iter().filter(|p| **p == "13").count()), (10, 5), "{points:?}");
    let ends = |alpha: &str| table(report, "sweeps").rows.iter().filter(|r| r[1] == alpha).count();
    assert_eq!((ends("0.00000"), ends("1.00000")), (10, 10));
    assert!(report.findings.iter().any(|f| f.claim.contains("best of 30 ordered pairs")));
}

#[test]
fn a_soup_of_documents_thins_out() {
    let report = report("documents");
    let by_n = table(report, "by-n");
    let saved = |n: &str, rule: &str| number(by_n, &[n, rule], 5);
    assert!(saved("2", "its document alone") > 0.0);
    assert!(saved("2", "mean") > saved("64", "mean"), "{} {}", saved("2", "mean"), saved("64", "mean"));
    assert_eq!(saved("64", "empty"), 0.0);
}

#[test]
fn what_is_kept_of_a_context_is_constant_or_grows_with_it() {
    let report = report("cost");
    let exponents = table(report, "exponents");
    assert_eq!(number(exponents, &["Mamba", "bytes kept (exact)"], 3), 0.0);
    assert_eq!(number(exponents, &["Transformer", "bytes kept (exact)"], 3), 1.0);
    // Times are measured, not promised.
    let retrieval = table(report, "retrieval");
    assert!(["retrieve and mix", "read the examples again"].iter().all(|way| number(retrieval, &[way], 1) > 0.0));
}

#[test]
fn chosen_weights_fit_their_examples_and_are_a_recipe() {
    let lab = lab();
    let query = query_of(lab, 0, 3, 4, 0).unwrap();
    assert!(query.questions.iter().all(|q| query.examples.iter().all(|e| e.input != q.input)));
    let chosen = quiet(|control| choose(lab, &query.examples, 3, control)).unwrap();
    let left_out = |name: &str| chosen.candidates.iter().find(|c| c.name == name).unwrap().left_out;
    assert!(left_out("weights") <= left_out("plain mean") + 1e-3);
    assert!(left_out("weights and layers") <= left_out("weights"));
    assert!(left_out("greedy soup") <= left_out("query").min(left_out("best skill")) + 1e-3);
    assert!((chosen.weights.iter().sum::<f64>() - 1.0).abs() < 1e-9 && chosen.weights.len() == 4);
    let text = chosen.examples.concat();
    for candidate in &chosen.candidates {
        let recipe: Recipe = candidate.recipe.parse().unwrap();
        quiet(|control| lab.mix(&recipe, Some(&text), &lab.default_view(), control)).unwrap();
    }
    let again = quiet(|control| measure(lab, &[query], 3, &settings(), control)).unwrap();
    assert_eq!(again.0, [chosen]);
    assert_eq!(again.1.findings[0].interval.n, 4);
    let one = query_of(lab, 0, 1, 0, 0).unwrap();
    let message = quiet(|control| choose(lab, &one.examples, 3, control)).unwrap_err().to_string();
    assert!(message.contains("at least two"), "{message}");
}

#[test]
fn a_run_repeats() {
    for name in ["one-shot-soup", "clusters"] {
        let (a, b) = (report(name), run(name));
        assert_eq!((&a.findings, &a.tables, &a.figures), (&b.findings, &b.tables, &b.figures), "{name}");
    }
}

#[test]
fn what_is_shown_on_the_way_is_the_report_growing() {
    let mut shown = Vec::new();
    let e = find("one-shot-soup").unwrap();
    let last = quiet(|control| e.stream(lab(), &settings(), control, &mut |r| shown.push(r.clone()))).unwrap();
    let questions = |r: &Report| r.findings[0].interval.n;
    let first = &shown[0];
    assert_eq!((first.name.as_str(), first.findings.len()), ("one-shot-soup", last.findings.len()));
    assert!(questions(first) < questions(&last), "{} of {}", questions(first), questions(&last));
    assert!(shown.windows(2).all(|w| questions(&w[0]) < questions(&w[1])));
}

#[test]
fn what_is_done_is_not_done_again() {
    let dir = tempfile::tempdir().unwrap();
    let e = find("clusters").unwrap();
    let done = |settings: &Settings| e.done(dir.path(), lab(), settings);
    assert!(done(&settings()).is_none());
    let report = report("clusters");
    report.write(&dir.path().join("clusters")).unwrap();
    assert_eq!(done(&settings()).unwrap().tables, report.tables);
    assert!(done(&Settings { seed: 1, ..settings() }).is_none());
    std::fs::rename(dir.path().join("clusters"), dir.path().join("card")).unwrap();
    assert!(find("card").unwrap().done(dir.path(), lab(), &settings()).is_none());
}

#[test]
fn a_run_can_be_called_off() {
    let cancel = Cancel::new();
    let stop = |_| cancel.cancel();
    let result = find("retrieval").unwrap().run(lab(), &settings(), Control::new(&cancel, &stop));
    assert_eq!(result.unwrap_err().to_string(), "cancelled");
}

#[test]
fn wrong_requests_are_told() {
    let message = find("retreival").err().unwrap().to_string();
    assert!(message.contains("retreival") && message.contains("retrieval, clusters"), "{message}");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "too short").unwrap();
    let settings = Settings { text: Some(file.path().into()), ..settings() };
    let message = quiet(|control| find("sequential").unwrap().run(lab(), &settings, control)).unwrap_err().to_string();
    assert!(message.contains("tokens; two documents of"), "{message}");
}
