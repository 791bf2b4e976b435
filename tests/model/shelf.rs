//! The Library tab's work: on a real library with the bundled model (skills added, damaged,
//! checked, made again, while other work runs), and by keys on the state with its deterministic
//! engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::common::{self, busy, options};
use state_soup::app::overlay::Overlay;
use state_soup::app::{Action, Effect};
use state_soup::control::quiet;
use state_soup::engine::{Engine, Event, Job, JobKind, News, Request, opener};
use state_soup::lab::{BuildRequest, Lab, LibraryEdit, Setup};
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
    assert!(say(quiet(|c| lab.add_task("nothing", 9, 7, c))).contains("not available"));
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

/// The library has one lock: a change that overtakes a build goes through the build's writer
/// instead of waiting for it for ever.
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
        match events.recv_timeout(Duration::from_mins(1)).expect("the change never comes through") {
            Event::Job { kind: JobKind::Build, news: News::Progress { done, total, .. }, .. } if !asked && done > 0 => {
                assert!(done < total);
                asked = true;
                let edit = LibraryEdit::AddText { name: "mine".into(), text: "sun -> moon\n".into() };
                engine.send(Job { generation: 1, request: Request::Edit(edit) });
            }
            Event::Job { kind: JobKind::Edit, news: News::Done, .. } => break,
            Event::Job { kind: JobKind::Build, news: News::Done, .. } => panic!("the change waited for the build"),
            Event::Job { news: News::Failed { message, .. }, .. } => panic!("{message}"),
            _ => {}
        }
    }
}

#[test]
fn a_check_marks_what_is_damaged_and_b_reads_it_again() {
    use state_soup::app::library::{SkillHealth, health};
    let mut lab = busy(options());
    lab.keys("5").idle();
    assert_eq!(health(&lab.state, 1), SkillHealth::Unchecked);
    lab.keys("v");
    let notice = lab.state.notice.clone().unwrap();
    assert!(notice.bad && notice.text.contains("17 of 80 skills are damaged (shard-00000.safetensors and 1 more)"), "{}", notice.text);
    assert_eq!(health(&lab.state, 0), SkillHealth::Whole);
    assert!(matches!(health(&lab.state, 1), SkillHealth::Bad(why) if why.contains("NaN")));
    assert!(matches!(health(&lab.state, 32), SkillHealth::Bad(why) if why.contains("BLAKE3")));
    lab.keys("b");
    let Request::Build(request) = &lab.sent(JobKind::Build)[0].request else { panic!() };
    assert!(request.missing && request.anew.len() == 17 && request.anew[0] == "antonym/1", "{request:?}");
    // A file's health says nothing of a skill that lies in another one since.
    let mut moved = common::library();
    moved.files[1] = "shard-00009.safetensors".into();
    lab.act(Action::Engine(Event::Library(Arc::new(moved))));
    assert_eq!(health(&lab.state, 1), SkillHealth::Unchecked);

    lab.answering = false;
    lab.keys("<esc>v");
    let job = lab.sent(JobKind::Check).last().copied().unwrap().clone();
    lab.keys("<esc>");
    assert!(matches!(lab.effects.last(), Some(Effect::Cancel(JobKind::Check))));
    lab.state.shelf.health = None;
    for event in common::replies(&job) {
        lab.act(Action::Engine(event));
    }
    assert!(lab.state.shelf.health.is_none(), "a check called off says nothing any more");
}

#[test]
fn a_skill_is_added_from_a_task_by_its_name() {
    let mut lab = busy(options());
    lab.keys("5A").idle();
    let typed =
        |lab: &common::Lab| if let Some(Overlay::Prompt { input, .. }) = &lab.state.overlay { input.text().to_owned() } else { panic!() };
    assert_eq!(typed(&lab), "antonym 32 0", "of the selected skill's task");
    lab.keys("<ctrl-u>country_c<tab>");
    assert_eq!(typed(&lab), "country_c", "capital or currency");
    lab.keys("u<tab>8 3");
    assert_eq!(typed(&lab), "country_currency 8 3");
    lab.keys("<ctrl-u>antonim<enter>");
    let Some(Overlay::Prompt { error: Some(error), .. }) = &lab.state.overlay else { panic!() };
    assert_eq!(error, "There is no task `antonim`; did you mean `antonym`?");
    for wrong in ["antonym 0", "antonym x", "antonym 4 0 1", "antonym 4 -1"] {
        lab.keys(&format!("<ctrl-u>{wrong}<enter>"));
        assert!(matches!(&lab.state.overlay, Some(Overlay::Prompt { error: Some(_), .. })), "{wrong}");
    }
    lab.answering = false;
    lab.keys("<ctrl-u>antonym 8 3<enter>");
    let job = lab.sent(JobKind::Edit)[0].clone();
    let Request::Edit(edit) = &job.request else { panic!() };
    assert_eq!(*edit, LibraryEdit::AddTask { task: "antonym".into(), shots: 8, seed: 3 });
    let mut view = common::library();
    view.skills.push(common::skill("antonym", "lexical", 5));
    view.files.push("shard-00005.safetensors".into());
    lab.act(Action::Engine(Event::Library(Arc::new(view))));
    assert_eq!(state_soup::app::library::selected(&lab.state).unwrap().id, "antonym/5", "it is selected where it is seen");
    assert!(lab.state.map.outdated && lab.state.jobs.is_running(JobKind::Rank));
}

#[test]
fn skills_are_read_again_and_that_is_taken_back() {
    let mut lab = busy(options());
    lab.keys("5<down>").idle();
    lab.keys("<alt-b>");
    let request = |lab: &common::Lab| {
        if let Request::Build(request) = &lab.sent(JobKind::Build).last().unwrap().request { request.clone() } else { panic!() }
    };
    assert_eq!((request(&lab).missing, request(&lab).anew.len()), (false, 5));
    assert!(lab.state.notice.as_ref().unwrap().text.contains("5 skills are new; u brings"));
    lab.keys("B");
    assert_eq!(request(&lab).anew, ["antonym/1"]);
    lab.keys("uu");
    let edits: Vec<_> = lab.sent(JobKind::Edit).iter().map(|j| format!("{:?}", j.request)).collect();
    assert!(edits[0].contains("SwapBack([\"antonym/1\"])") && edits[1].contains("antonym/4"), "{edits:?}");
    // Called off half way, nobody knows which are new: there is nothing to take back.
    lab.answering = false;
    lab.keys("BB");
    assert_eq!(lab.sent(JobKind::Build).len(), 3, "one at a time");
    lab.keys("<esc><esc>");
    assert!(lab.state.notice.as_ref().unwrap().text.contains("the others as they were") && lab.state.shelf.undo.is_empty());
}
