//! A real library with the bundled model: skills added, damaged, checked, made again, while other work runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use state_soup::control::quiet;
use state_soup::engine::{BuildRequest, Engine, Event, Job, JobKind, Lab, LibraryEdit, Request, Setup, opener};
use state_soup::library::{BuildSettings, SkillOrigin};
use state_soup::task::SplitSpec;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Two tasks of two skills.
fn small(library: &Path) -> Setup {
    let tasks = state_soup::task::bundled().iter().filter(|t| ["antonym", "country_capital"].contains(&t.name.as_str())).cloned().collect();
    Setup { tasks, build: BuildSettings { sets: 2, shots: 4, ..BuildSettings::default() }, ..common::bundled(library) }
}

fn ids(lab: &Lab) -> Vec<String> {
    lab.library().skills().iter().map(|s| s.id.clone()).collect()
}

#[test]
fn a_skill_of_a_task_keeps_clear_of_the_test_split_and_says_how_it_was_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let lab = quiet(|c| Lab::open(small(&dir.path().join("library")), c)).unwrap();
    quiet(|c| lab.build(c, &|_| {})).unwrap();
    quiet(|c| lab.add_task("antonym", 9, 7, c)).unwrap();
    assert_eq!(ids(&lab).last().unwrap(), "antonym/2", "beside what a build makes");
    let meta = lab.library().skills()[4].clone();
    let SkillOrigin::Drawn { shots: 9, seed: 7, ref template, .. } = meta.origin else { panic!("{meta:?}") };
    assert_eq!((template.as_str(), meta.family.as_str()), ("arrow", "lexical"));
    let report = quiet(|c| lab.inspect("antonym/2", c)).unwrap();
    let task = lab.tasks().iter().find(|t| t.name == "antonym").unwrap();
    let spec: SplitSpec = lab.split_spec();
    let (split, drawn) = (spec.draw(task).unwrap(), spec.extra(task, 9, 7).unwrap());
    assert!(drawn.len() == 9 && drawn.iter().all(|i| !split.test.contains(i)), "{drawn:?}");
    assert_eq!(report.preview[0], format!("{} -> {}", task.pairs[drawn[0]].input, task.pairs[drawn[0]].output));
    assert_ne!(drawn, spec.extra(task, 9, 8).unwrap());
    let room = task.pairs.len() - split.test.len();
    assert_eq!(spec.extra(task, room, 0).unwrap().len(), room);

    let say = |result: state_soup::error::Result<()>| result.unwrap_err().to_string();
    assert!(say(quiet(|c| lab.add_task("antonym", 9, 7, c))).contains("antonym/2 was made of the same text"));
    assert!(say(quiet(|c| lab.add_task("antonym", room + 1, 7, c))).contains(&format!("reads 1 to {room}")));
    assert!(say(quiet(|c| lab.add_task("nothing", 9, 7, c))).contains("not at hand"));
    assert_eq!(ids(&lab).len(), 5);
}

#[test]
fn what_is_damaged_is_found_and_made_again_with_its_tags_and_nothing_else_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let library = dir.path().join("library");
    let lab = quiet(|c| Lab::open(small(&library), c)).unwrap();
    quiet(|c| lab.build(c, &|_| {})).unwrap();
    quiet(|c| lab.add_task("antonym", 9, 7, c)).unwrap();
    quiet(|c| lab.add_text("mine", "sun -> moon\n", c)).unwrap();
    let tag = Request::Edit(LibraryEdit::Tag("antonym/2".into(), vec!["liked".into()]));
    run(&lab, tag);
    let before: Vec<_> = (0..6).map(|i| lab.library().state(i).unwrap()).collect();
    assert_eq!(quiet(|c| lab.check(c)).unwrap().sentences().next(), None);

    // The drawn skill's file goes while the library is open, a byte of the typed one's changes.
    let files: Vec<String> = lab.library().files().map(str::to_owned).collect();
    std::fs::remove_file(library.join(&files[4])).unwrap();
    let path = library.join(&files[5]);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let health = quiet(|c| lab.check(c)).unwrap();
    assert_eq!(health.bad_skills().collect::<Vec<_>>(), ["antonym/2", "mine/0"]);
    assert!(health.of(&files[4]).unwrap().fault.as_ref().unwrap().contains("is missing"), "{health:?}");
    drop(lab);

    // Opened again, one skill is lost, one is only known to be bad by the check.
    let lab = quiet(|c| Lab::open(small(&library), c)).unwrap();
    assert_eq!((ids(&lab).len(), lab.library_view().missing), (5, 1));
    let request = BuildRequest { missing: true, anew: vec!["mine/0".into()] };
    let report = quiet(|c| lab.make(&request, c, &|_| {})).unwrap();
    assert_eq!((report.built, ids(&lab).len(), lab.library_view().missing), (2, 6, 0));
    assert_eq!(quiet(|c| lab.check(c)).unwrap().bad_skills().next(), None);
    for (id, state) in ["antonym/2", "mine/0"].iter().zip(&before[4..]) {
        let at = lab.library().find(id).unwrap();
        let again = lab.library().state(at).unwrap();
        assert!(again.ssm().iter().zip(state.ssm()).all(|(a, b)| (a - b).abs() < 1e-2 * b.abs().max(0.1)), "{id} reads as before");
    }
    assert_eq!(lab.library().skills()[lab.library().find("antonym/2").unwrap()].tags, ["liked"]);
    assert!((0..4).all(|i| lab.library().state(i).unwrap() == before[i]));
}

fn run(lab: &Lab, request: Request) {
    let tell: state_soup::engine::Outbox = Arc::new(|_| {});
    quiet(|c| state_soup::engine::Work::run(lab, &Job { generation: 1, request }, &tell, c)).unwrap();
}

#[test]
fn skills_made_anew_can_be_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let lab = quiet(|c| Lab::open(small(&dir.path().join("library")), c)).unwrap();
    quiet(|c| lab.build(c, &|_| {})).unwrap();
    let file = |id: &str| lab.library_view().files[lab.library().find(id).unwrap()].clone();
    let (old, other) = (file("antonym/1"), file("antonym/0"));
    let request = BuildRequest { missing: false, anew: vec!["antonym/1".into()] };
    assert_eq!(quiet(|c| lab.make(&request, c, &|_| {})).unwrap().built, 1);
    assert!(file("antonym/1") != old && file("antonym/0") == other && ids(&lab).len() == 4);
    run(&lab, Request::Edit(LibraryEdit::SwapBack(vec!["antonym/1".into()])));
    assert_eq!((file("antonym/1"), ids(&lab).len()), (old, 4));
    let unknown = BuildRequest { missing: false, anew: vec!["z/0".into()] };
    assert!(quiet(|c| lab.make(&unknown, c, &|_| {})).unwrap_err().to_string().contains("no skill `z/0`"));
}

/// The library has one lock: a change that overtakes a build goes through the build's writer instead of waiting for it for ever.
#[test]
fn a_change_overtakes_a_build() {
    let dir = tempfile::tempdir().unwrap();
    let (send, events) = channel();
    let setup = common::bundled(&dir.path().join("library"));
    let engine = Engine::start(opener(setup), Arc::new(move |event| drop(send.send(event)))).unwrap();
    let build = BuildRequest { missing: true, anew: Vec::new() };
    engine.send(Job { generation: 1, request: Request::Build(build) });
    let mut asked = false;
    loop {
        match events.recv_timeout(Duration::from_secs(60)).expect("the change never comes through") {
            Event::Progress { kind: JobKind::Build, done, total, .. } if !asked && done > 0 => {
                assert!(done < total);
                asked = true;
                let edit = LibraryEdit::AddText { name: "mine".into(), text: "sun -> moon\n".into() };
                engine.send(Job { generation: 1, request: Request::Edit(edit) });
            }
            Event::Done { kind: JobKind::Edit, .. } => break,
            Event::Done { kind: JobKind::Build, .. } => panic!("the change waited for the build"),
            Event::Failed { message, .. } => panic!("{message}"),
            _ => {}
        }
    }
}
