//! Every shipped session, played on the bundled model: what its file expects must hold.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use state_soup::app::Options;
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

    // And an expectation that does not hold is said to be broken.
    let wrong =
        "title = 'x'\n[[step]]\nkeys = 'hot -> cold'\nexpect = { task = 'country_capital', skills = 1000000, answer = { soup = 'a' } }";
    let reports = played(&Session::parse(wrong).unwrap(), &library);
    assert_eq!((reports[0].held.len(), reports[0].broken.len()), (0, 3));
    assert!(reports[0].broken[0].contains("country_capital") && reports[0].broken[0].contains("antonym"));
}
