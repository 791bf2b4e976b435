//! Every shipped session, played on the bundled model: what its file expects must hold.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::common;
use crate::fixture::{copy, whole};
use state_soup::app::session::export;
use state_soup::app::{Options, State};
use state_soup::control::quiet;
use state_soup::engine::opener;
use state_soup::session::{Session, StepReport, play};
use std::path::{Path, PathBuf};

fn played(session: &Session, library: &Path) -> Vec<StepReport> {
    let setup = common::bundled(library);
    quiet(|control| play(session, Options::default(), opener(setup), control, &mut |_, _| Ok(()))).unwrap()
}

/// A folder with a library of the test's own, of all bundled tasks.
fn library() -> tempfile::TempDir {
    copy(whole().library().path())
}

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions")
}

/// Plays a shipped session; each is a test of its own, so that they run side by side.
fn holds(name: &str) {
    let library = library();
    let session = Session::parse(&std::fs::read_to_string(shipped().join(name).with_extension("toml")).unwrap()).unwrap();
    let reports = played(&session, library.path());
    assert_eq!(reports.len(), session.step.len());
    let broken: Vec<_> = reports.iter().flat_map(|r| &r.broken).collect();
    assert!(broken.is_empty(), "{name}: {broken:?}");
    assert!(reports.iter().map(|r| r.held.len()).sum::<usize>() >= 3, "{name} checks something");
}

macro_rules! each_holds {
    ($($test:ident: $name:literal),*) => {
        $(#[test]
        fn $test() {
            holds($name);
        })*

        #[test]
        fn every_shipped_session_is_played() {
            let tested = std::collections::BTreeSet::from([$(format!("{}.toml", $name)),*]);
            let there = std::fs::read_dir(shipped()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
            assert_eq!(there.collect::<std::collections::BTreeSet<_>>(), tested, "a session that is not in this list is not tested");
        }
    };
}

each_holds! { tour: "tour", retrieval: "retrieval", few_shot: "few-shot", decay: "decay", cross_task: "cross-task" }

/// Where there is no library the lab builds one, and the session waits for it.
#[test]
fn a_session_waits_for_the_library_to_be_built() {
    let dir = tempfile::tempdir().unwrap();
    let mut setup = common::bundled(&dir.path().join("library"));
    setup.tasks.retain(|t| ["antonym", "country_capital", "uppercase"].contains(&t.name.as_str()));
    setup.build.sets = 2;
    let text = "title = 'x'\nevidence = true\n[[step]]\nkeys = 'hot -> cold<enter>big ->'\nexpect = { skills = 6, task = 'antonym' }";
    let session = Session::parse(text).unwrap();
    let reports = quiet(|control| play(&session, Options::default(), opener(setup), control, &mut |_, _| Ok(()))).unwrap();
    assert_eq!((reports[0].held.len(), reports[0].broken.len()), (2, 0), "{:?}", reports[0].broken);
}

#[test]
fn a_sitting_made_into_a_session_holds_what_it_showed() {
    let library = library();
    let library = library.path();
    // A sitting made into a session while it goes on: played again, it holds what it showed.
    let sitting = "title = 'x'\n[[step]]\nkeys = '<alt-c>A query<enter>hot -> cold<enter>big ->'\n\
        [[step]]\nkeys = '<alt-n>It knows.<enter><alt-c>A soup<enter><esc>t<enter><down><enter>6'";
    let mut made = None;
    let mut seen = |_: &StepReport, state: &State| {
        made = export::session(state, "made").ok();
        Ok(())
    };
    let sitting = Session::parse(sitting).unwrap();
    quiet(|control| play(&sitting, Options::default(), opener(common::bundled(library)), control, &mut seen)).unwrap();
    let made = made.unwrap();
    assert_eq!(made.step.iter().map(|s| s.chapter.as_str()).collect::<Vec<_>>(), ["A query", "A soup"]);
    let reports = played(&made, library);
    let (held, broken): (Vec<_>, Vec<_>) =
        (reports.iter().flat_map(|r| &r.held).collect(), reports.iter().flat_map(|r| &r.broken).collect());
    assert!(broken.is_empty() && held.len() == 3, "{held:?} {broken:?}");
}

#[test]
fn an_expectation_that_does_not_hold_is_broken() {
    let library = library();
    let wrong = "title = 'x'\nevidence = true\n[[step]]\nkeys = 'hot -> cold'\nexpect = { task = 'country_capital', skills = 1000000, answer = { soup = 'a' } }";
    let reports = played(&Session::parse(wrong).unwrap(), library.path());
    assert_eq!((reports[0].held.len(), reports[0].broken.len()), (0, 3));
    assert!(reports[0].broken[0].contains("country_capital") && reports[0].broken[0].contains("antonym"));
}
