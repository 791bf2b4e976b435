//! Every shipped session, played on the bundled model: what its file expects must hold.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::common;
use state_soup::app::session::export;
use state_soup::app::{Options, State};
use state_soup::control::quiet;
use state_soup::engine::opener;
use state_soup::session::{Session, StepReport, play};
use std::path::Path;

fn played(session: &Session, library: &Path) -> Vec<StepReport> {
    let setup = common::bundled(library);
    quiet(|control| play(session, Options::default(), opener(setup), control, &mut |_, _| Ok(()))).unwrap()
}

/// One test, so that the library is built once: by the lab itself, while the first session waits for it.
#[test]
fn the_shipped_sessions_hold() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions");
    for name in ["tour", "retrieval", "few-shot", "decay", "cross-task"] {
        let session = Session::parse(&std::fs::read_to_string(folder.join(name).with_extension("toml")).unwrap()).unwrap();
        let reports = played(&session, &library);
        assert_eq!(reports.len(), session.step.len());
        let broken: Vec<_> = reports.iter().flat_map(|r| &r.broken).collect();
        assert!(broken.is_empty(), "{name}: {broken:?}");
        assert!(reports.iter().map(|r| r.held.len()).sum::<usize>() >= 3, "{name} checks something");
    }
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 5, "a session that is not in this list is not tested");

    // A sitting made into a session while it goes on: played again, it holds what it showed.
    let sitting = "title = 'x'\n[[step]]\nkeys = '<alt-c>A query<enter>hot -> cold<enter>big ->'\n\
        [[step]]\nkeys = '<alt-n>It knows.<enter><alt-c>A soup<enter><esc>t<enter><down><enter>6'";
    let mut made = None;
    let mut seen = |_: &StepReport, state: &State| {
        made = export::session(state, "made").ok();
        Ok(())
    };
    let sitting = Session::parse(sitting).unwrap();
    quiet(|control| play(&sitting, Options::default(), opener(common::bundled(&library)), control, &mut seen)).unwrap();
    let made = made.unwrap();
    assert_eq!(made.step.iter().map(|s| s.chapter.as_str()).collect::<Vec<_>>(), ["A query", "A soup"]);
    let reports = played(&made, &library);
    let (held, broken): (Vec<_>, Vec<_>) =
        (reports.iter().flat_map(|r| &r.held).collect(), reports.iter().flat_map(|r| &r.broken).collect());
    assert!(broken.is_empty() && held.len() == 3, "{held:?} {broken:?}");

    // And an expectation that does not hold is said to be broken.
    let wrong = "title = 'x'\nevidence = true\n[[step]]\nkeys = 'hot -> cold'\nexpect = { task = 'country_capital', skills = 1000000, answer = { soup = 'a' } }";
    let reports = played(&Session::parse(wrong).unwrap(), &library);
    assert_eq!((reports[0].held.len(), reports[0].broken.len()), (0, 3));
    assert!(reports[0].broken[0].contains("country_capital") && reports[0].broken[0].contains("antonym"));
}
