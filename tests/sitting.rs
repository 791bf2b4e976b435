//! A sitting: the journal on disk, going on with it, the session made of it, and sessions played on the screen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod common;

use common::{Lab, options};
use state_soup::app::session::{Entry, Input, Session, rows};
use state_soup::app::show::{Phase, SPEED, Show};
use state_soup::app::{Action, Effect, Focus, Options, Tab};
use state_soup::engine::JobKind;
use state_soup::session::journal::{Header, Journal, KEPT, Read, files, save, sittings};
use std::io::Write;

fn entries(lab: &Lab) -> Vec<Entry> {
    lab.effects.iter().filter_map(|e| if let Effect::Journal(entry) = e { Some(entry.clone()) } else { None }).collect()
}

fn header() -> Header {
    Header::new("bundled", serde_json::json!({ "template": "arrow" }))
}

fn written(folder: &std::path::Path, entries: &[Entry]) -> std::path::PathBuf {
    let mut journal = Journal::create(folder, &header(), |e| panic!("{e}")).unwrap();
    entries.iter().for_each(|entry| journal.add(entry));
    journal.finish().unwrap()
}

/// A sitting with everything in it: text, a paste, commands, prompts, the palette, a change of the library, other tabs.
fn worked() -> Lab {
    let mut lab = Lab::ready(options());
    lab.act(Action::Tick(1000));
    lab.keys("hot -> cold<enter>");
    lab.act(Action::Pasted("rich -> poor\nbig ->".into()));
    lab.idle();
    lab.act(Action::Tick(5000));
    lab.keys("<esc><enter><down><enter>o<home>=<ctrl-u>0.6<enter>").idle();
    lab.keys(":normalise<enter>").idle();
    lab.keys("5x2mn1").idle();
    lab
}

#[test]
fn a_journal_reads_as_it_was_written_and_a_torn_line_is_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let lab = worked();
    let all = entries(&lab);
    assert!(matches!(&all[0], Entry::Model(f) if *f == common::model().fingerprint));
    let path = written(dir.path(), &all);
    let read = Read::open(&path).unwrap();
    assert_eq!(read.entries, all);
    assert_eq!(read.header.model, "bundled");
    assert!(read.inputs().iter().any(|(t, i)| *t == 1000 && matches!(i, Input::Paste(text) if text.contains('\n'))));

    // The machine dies half-way through a line.
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"t\":9000,\"ke").unwrap();
    let (mut journal, torn) = Journal::append(&path, |e| panic!("{e}")).unwrap();
    assert_eq!(torn.entries, all);
    assert!(Journal::append(&path, |_| {}).is_err_and(|e| e.to_string().contains("still runs")), "one lab a journal");
    journal.add(&Entry::Input(9500, Input::Key("x".parse().unwrap())));
    journal.finish().unwrap();
    let read = Read::open(&path).unwrap();
    assert_eq!(read.entries.len(), all.len() + 1, "the torn line is gone, the new one stands on its own");
    assert_eq!(read.entries.last(), Some(&Entry::Input(9500, Input::Key("x".parse().unwrap()))));

    // A line that is wrong but whole is not skipped in silence.
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"t\":1,\"key\":\"f99\"}\n").unwrap();
    let message = Read::open(&path).unwrap_err().to_string();
    assert!(message.contains("f99") && message.contains(&format!("line {}", all.len() + 3)), "{message}");
}

#[test]
fn only_sittings_with_a_key_are_kept_and_only_the_newest() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::create(dir.path(), &header(), |e| panic!("{e}")).unwrap();
    journal.add(&Entry::Model("5ba9".into()));
    assert_eq!(journal.finish(), None);
    assert!(files(dir.path()).is_empty(), "nothing was done, nothing is left");
    for old in 0..KEPT + 3 {
        std::fs::write(dir.path().join(format!("20200101T0000{old:02}-1.jsonl")), "{}\n").unwrap();
    }
    let path = written(dir.path(), &[Entry::Input(1, Input::Key("a".parse().unwrap()))]);
    let kept = files(dir.path());
    assert_eq!((kept.len(), &kept[0]), (KEPT, &path));
    let found = sittings(dir.path(), None);
    assert_eq!((found.len(), found[0].inputs, found[0].words.as_str()), (1, 1, "a"), "files that are none of a journal are left out");
    assert!(sittings(dir.path(), Some(&path)).is_empty(), "one's own is not an earlier one");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_disk_that_refuses_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("file");
    std::fs::write(&blocked, "").unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let mut journal = Journal::create(&blocked.join("journals"), &header(), move |e| tell.send(e.to_string()).unwrap()).unwrap();
    for _ in 0..3 {
        journal.add(&Entry::Input(1, Input::Key("a".parse().unwrap())));
    }
    journal.finish();
    let told: Vec<String> = told.iter().collect();
    assert!(told.len() == 1 && told[0].contains("jsonl"), "{told:?}");
}

#[test]
fn going_on_gives_the_same_lab() {
    let dir = tempfile::tempdir().unwrap();
    let before = worked();
    let read = Read::open(&written(dir.path(), &entries(&before))).unwrap();
    let mut after = Lab::new(Options { resume: Some(read.resume()), ..options() });
    after.act(Action::Tick(5000));
    after.keys("keys that come too early wait");
    after.act(Action::Engine(state_soup::engine::Event::Model(common::model())));
    after.act(Action::Engine(state_soup::engine::Event::Library(std::sync::Arc::new(common::library()))));
    after.idle();
    let (a, b) = (&before.state, &after.state);
    assert!(b.resume.is_none() && b.clock >= 5000);
    assert_eq!((a.tab, a.focus_of), (b.tab, b.focus_of));
    assert_eq!(a.lab.query_text(), b.lab.query_text());
    assert_eq!(a.lab.bench.soup, b.lab.bench.soup);
    assert_eq!(a.lab.ranking, b.lab.ranking);
    assert_eq!(a.map.request, b.map.request);
    assert_eq!(a.map.picked(), b.map.picked());
    let done = |lab: &Lab| lab.state.session.log.iter().map(|m| (m.clock, m.what.clone(), m.aside)).collect::<Vec<_>>();
    assert_eq!(done(&before), done(&after));
    assert_eq!(after.sent(JobKind::Edit).len(), 0, "the library was changed then; it is not changed again");
    assert_eq!(after.sent(JobKind::Ask).len(), 1, "answers are asked for once, at the end");
    assert!(b.lab.answers.iter().all(Option::is_some));
    assert!(b.notice.as_ref().is_some_and(|n| n.text.contains("where you were")), "{:?}", b.notice);
    assert!(entries(&after).iter().all(|e| matches!(e, Entry::Model(_))), "nothing is written down twice");
    after.keys("<alt-1>i!");
    assert_eq!(entries(&after).len(), 4, "and the journal goes on");
    assert!(after.state.lab.query_text().ends_with('!'));
}

#[test]
fn going_on_with_another_model_is_said_and_escape_stops_it() {
    let inputs = vec![(10, Input::Key("a".parse().unwrap())), (20, Input::Key("b".parse().unwrap()))];
    let resume = state_soup::app::session::Resume::new(inputs, Some("another".into()));
    let lab = Lab::ready(Options { resume: Some(resume.clone()), ..options() });
    assert_eq!(lab.state.lab.query_text(), "ab");
    assert!(lab.state.notice.as_ref().is_some_and(|n| n.bad && n.text.contains("another model")));
    let mut lab = Lab::new(Options { resume: Some(resume), ..options() });
    lab.keys("<esc>");
    assert!(lab.state.resume.is_none());
    assert!(lab.state.notice.as_ref().unwrap().text.contains("2 of 2") || lab.state.notice.as_ref().unwrap().text.contains("0 of 2"));
}

/// What `worked` is as a session, with chapters and a note set from everywhere.
fn told() -> (Lab, Session) {
    let mut lab = Lab::ready(options());
    lab.keys("<alt-c>A query<enter>hot -> cold<enter>big ->").idle();
    lab.keys("<alt-n>It knows the task.<enter>").idle();
    lab.keys("<ctrl-p>start a chapter<enter>A soup<enter><esc><enter><down><enter>").idle();
    lab.keys("6cThe map<enter>").idle();
    assert_eq!(lab.state.tab, Tab::Session);
    lab.keys("2").idle();
    lab.keys("m6wtalk<enter>");
    let session = lab.effects.iter().find_map(|e| if let Effect::SaveSession(s) = e { Some(s.clone()) } else { None }).unwrap();
    (lab, session)
}

#[test]
fn a_sitting_is_exported_with_chapters_and_what_it_showed() {
    let (lab, session) = told();
    let dir = tempfile::tempdir().unwrap();
    let path = save(dir.path(), &session).unwrap();
    assert!(save(dir.path(), &session).is_err(), "a file that is there is not written over");
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(Session::parse(&text).unwrap(), session, "{text}");
    let steps: Vec<(&str, &str, &str)> = session.step.iter().map(|s| (s.chapter.as_str(), s.note.as_str(), s.keys.as_str())).collect();
    assert_eq!(
        steps,
        [
            ("A query", "It knows the task.", "hot -> cold<enter>big ->"),
            ("A soup", "", "<esc><enter><down><enter>"),
            ("The map", "", "<alt-2>m"),
        ]
    );
    let soup = lab.state.lab.bench.soup.to_recipe().map(|r| r.to_string());
    assert_eq!(session.step[0].expect.task.as_deref(), Some("antonym"));
    assert_eq!((&session.step[0].expect.soup, &session.step[1].expect.soup), (&None, &soup));
    let listed = rows(&lab.state);
    let kinds: Vec<&str> = listed.iter().map(|r| r.kind).collect();
    assert_eq!(kinds[..4], ["chapter", "typed", "note", "chapter"]);
    assert_eq!((listed[1].text.as_str(), listed[1].led.as_str()), ("hot -> cold<enter>big ->", "antonym first"));
    assert!(listed.iter().any(|r| r.led.contains(soup.as_deref().unwrap())), "{listed:#?}");
}

#[test]
fn chapters_and_notes_can_be_taken_away() {
    let (mut lab, _) = told();
    let at = rows(&lab.state).iter().position(|r| r.kind == "note").unwrap();
    lab.keys("<home>").keys(&"<down>".repeat(at)).keys("x");
    assert!(rows(&lab.state).iter().all(|r| r.kind != "note"));
    lab.keys("<home>").keys(&"<down>".repeat(1)).keys("x");
    assert!(rows(&lab.state).iter().any(|r| r.kind == "typed"), "what was done cannot be");
}

#[test]
fn a_journal_is_played_without_changing_the_library_again() {
    let dir = tempfile::tempdir().unwrap();
    let before = worked();
    let session = Read::open(&written(dir.path(), &entries(&before))).unwrap().session();
    let mut lab = Lab::ready(Options { show: Some(Show::new(session, 200.0).unwrap()), ..options() });
    lab.keys(" ");
    assert_eq!(run(&mut lab), Phase::Over);
    assert_eq!(lab.state.lab.bench.soup, before.state.lab.bench.soup);
    assert_eq!(lab.state.lab.query_text(), before.state.lab.query_text());
    assert_eq!((before.sent(JobKind::Edit).len(), lab.sent(JobKind::Edit).len()), (1, 0));
}

/// Lets a show run until it waits or is over.
fn run(lab: &mut Lab) -> Phase {
    for _ in 0..10_000 {
        let Some(at) = lab.state.wake_at() else { break };
        lab.act(Action::Tick(at));
        if lab.state.show.as_ref().is_none_or(|s| matches!(s.phase, Phase::Waiting | Phase::Over)) {
            break;
        }
    }
    lab.state.show.as_ref().unwrap().phase
}

#[test]
fn an_exported_session_plays_on_the_screen_and_holds() {
    let (before, session) = told();
    let mut lab = Lab::ready(Options { show: Some(Show::new(session, SPEED).unwrap()), ..options() });
    assert_eq!(run(&mut lab), Phase::Waiting, "it waits before the first chapter");
    assert_eq!(lab.state.lab.query_text(), "");
    lab.keys("x<tab>5");
    assert_eq!(lab.state.lab.query_text(), "", "keys that are none of the show's do not disturb it");
    let began = lab.state.clock;
    lab.keys(" ");
    assert_eq!(run(&mut lab), Phase::Waiting);
    let typed = "hot -> cold_big ->".len() as f64;
    assert!((lab.state.clock - began) as f64 >= (typed - 1.0) / SPEED * 1000.0, "it is typed at a speed");
    assert_eq!(lab.state.lab.query_text(), "hot -> cold\nbig ->");
    assert_eq!(lab.state.show.as_ref().unwrap().told(), Some(0));
    lab.keys("<pgdn>");
    assert_eq!(run(&mut lab), Phase::Waiting);
    assert_eq!(lab.state.lab.bench.soup, before.state.lab.bench.soup);
    let began = lab.state.clock;
    lab.keys("  ");
    assert_eq!(run(&mut lab), Phase::Over);
    assert_eq!(lab.state.clock, began, "twice: without waiting");
    assert_eq!(lab.state.tab, Tab::Map);
    let show = lab.state.show.as_ref().unwrap();
    assert_eq!((show.held, show.broken.as_slice()), (5, [].as_slice()));
    lab.keys(" ");
    assert!(lab.state.show.is_none() && !lab.state.quitting, "then the lab is the user's");
    lab.keys("1");
    assert_eq!(lab.state.tab, Tab::Lab);
}

#[test]
fn a_show_tells_what_does_not_hold_and_can_be_left() {
    let text = "title = 'x'\n[[step]]\nkeys = 'hot<esc>q'\nexpect = { task = 'country_capital' }\n[[step]]\nchapter = 'b'\nkeys = 'a'";
    let show = Show::new(Session::parse(text).unwrap(), SPEED).unwrap();
    let mut lab = Lab::ready(Options { show: Some(show), ..options() });
    lab.keys(" ");
    assert_eq!(run(&mut lab), Phase::Waiting);
    assert!(!lab.state.quitting, "a session does not end the program");
    let broken = &lab.state.show.as_ref().unwrap().broken;
    assert!(broken.len() == 1 && broken[0].contains("country_capital"), "{broken:?}");
    lab.keys("++-<alt-p>");
    assert!((lab.state.show.as_ref().unwrap().speed - SPEED * 1.5).abs() < 1e-9 && lab.state.present);
    lab.keys("q");
    assert!(lab.state.show.is_none() && !lab.state.quitting);
    lab.keys("q");
    assert!(lab.state.quitting);
    assert_eq!(lab.state.focus(), Focus::Ranking);
}
