//! Every experiment on the bundled model with a few tasks: it runs, it repeats, and what must hold of any model holds.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use state_soup::control::{Cancel, Control, quiet};
use state_soup::engine::{Lab, Setup};
use state_soup::experiment::{ALL, Report, Settings, Verdict, find};
use state_soup::library::BuildSettings;
use state_soup::task::bundled;
use std::sync::OnceLock;

const TASKS: [&str; 6] = ["antonym", "capitalize", "country_capital", "noun_category", "number_words", "present_past"];

fn lab() -> &'static Lab {
    static LAB: OnceLock<(tempfile::TempDir, Lab)> = OnceLock::new();
    &LAB.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let setup = Setup {
            build: BuildSettings { sets: 2, ..BuildSettings::default() },
            tasks: bundled().iter().filter(|t| TASKS.contains(&t.name.as_str())).cloned().collect(),
            ..common::bundled(&dir.path().join("library"))
        };
        let lab = quiet(|control| Lab::open(setup, control)).unwrap();
        quiet(|control| lab.build(control, &|_| {})).unwrap();
        (dir, lab)
    })
    .1
}

fn settings() -> Settings {
    Settings { seeds: 1, per_task: 1, resamples: 200, ..Settings::quick() }
}

fn report(name: &str) -> Report {
    quiet(|control| find(name).unwrap().run(lab(), &settings(), control)).unwrap()
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
    assert_eq!(verdicts(&report("exactness"))[..2], [Verdict::Supported; 2]);
    // PICASO-S is invariant, PICASO-R to rotations only, A-decay to neither.
    assert_eq!(verdicts(&report("permutation")), [Verdict::Supported; 4]);
}

#[test]
fn a_run_repeats() {
    let (a, b) = (report("one-shot-soup"), report("one-shot-soup"));
    let numbers = |r: &Report| r.tables.iter().flat_map(|t| t.rows.concat()).collect::<Vec<_>>();
    assert_eq!(numbers(&a), numbers(&b));
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
