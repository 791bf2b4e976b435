//! A sitting: the journal on disk, going on with it, the session made of it, and sessions played on
//! the screen.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use crate::common::{self, Lab, options};
use state_soup::app::experiments::Stand;
use state_soup::app::instrument::sides::Snapshot;
use state_soup::app::session::{Entry, Input, Session, rows};
use state_soup::app::show::{Phase, SPEED, Show};
use state_soup::app::{Action, Effect, Focus, Options, Tab};
use state_soup::engine::{JobKind, News, Request, ResultsRequest};
use state_soup::session::journal::{Header, Journal, KEPT, Read, files, newest, save, sittings};
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

/// A sitting with everything in it: text, a paste, commands, prompts, the palette, a change of the
/// library, other tabs.
fn worked() -> Lab {
    let mut lab = Lab::ready(options());
    lab.act(Action::Tick(1000));
    lab.keys("hot -> cold<enter>");
    lab.act(Action::Pasted("rich -> poor\nbig ->".into()));
    lab.idle();
    lab.act(Action::Tick(5000));
    lab.keys("<esc>");
    lab.act(Action::Pasted("x".into()));
    lab.keys("<enter><down><enter>o<home>=<ctrl-u>0.6<enter>").idle();
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
    assert!(!read.inputs().iter().any(|(_, i)| matches!(i, Input::Paste(text) if text == "x")), "pasted where it means nothing");
    assert!(read.inputs().iter().any(|(t, i)| *t == 1000 && matches!(i, Input::Paste(text) if text.contains('\n'))));

    // The machine dies half-way through a line.
    std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"t\":9000,\"ke").unwrap();
    let (mut journal, torn) = Journal::append(&path, |e| panic!("{e}")).unwrap();
    assert_eq!(torn.entries, all);
    assert!(Journal::append(&path, |_| {}).is_err_and(|e| e.to_string().contains("still running")), "one lab a journal");
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
fn an_empty_journal_does_not_hide_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let path = written(dir.path(), &[Entry::Input(1, Input::Key("a".parse().unwrap()))]);
    assert_eq!(newest(dir.path()), (Some(path.clone()), Vec::new()));
    // A full disk takes a name, or half a line, and nothing more.
    for (name, text) in [("29990101T000000-1.jsonl", ""), ("29990101T000001-1.jsonl", "{\"journal\":1,")] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    let (found, passed) = newest(dir.path());
    assert_eq!(found, Some(path));
    assert!(passed.len() == 2 && passed.iter().all(|s| s.contains("29990101") && s.contains("is empty")), "{passed:?}");
}

/// An experiment that was run in a sitting is not run again when that is gone on with: its report
/// is read.
#[test]
fn going_on_shows_what_experiments_had_found() {
    let dir = tempfile::tempdir().unwrap();
    let with_results = || Options { results: Some("results".into()), ..options() };
    let mut before = Lab::ready(with_results());
    before.keys("<alt-4>").idle();
    before.keys("<enter>").idle();
    assert_eq!(before.state.experiments.stand(0), Stand::Done);
    let read = Read::open(&written(dir.path(), &entries(&before))).unwrap();
    let mut after = Lab::new(Options { resume: Some(read.resume()), ..with_results() });
    after.act(Action::Engine(state_soup::engine::Event::Model(common::model())));
    after.act(Action::Engine(state_soup::engine::Event::Library(std::sync::Arc::new(common::library()))));
    assert!(after.state.resume.is_none());
    let asked = after.sent(JobKind::Results);
    assert!(matches!(asked.last().map(|j| &j.request), Some(Request::Results(ResultsRequest::Load(_)))), "{asked:?}");
    let (load, report) = (asked.last().copied().unwrap().clone(), before.state.experiments.report(0).unwrap().clone());
    after.act(Action::Engine(load.event(News::Loaded { reports: vec![report], left_out: Vec::new() })));
    assert_eq!(after.state.experiments.stand(0), Stand::Done);
    assert!(after.sent(JobKind::Experiment).is_empty(), "it is not run again");
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
    assert_eq!(journal.finish(), None);
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

/// A paste is not its text typed: to a prompt a line break is Enter.
#[test]
fn what_was_pasted_is_pasted_again() {
    let mut before = Lab::ready(options());
    before.keys("<esc><esc>5/");
    assert_eq!(before.state.focus(), Focus::Filter);
    before.act(Action::Pasted("antonym\r\n/3".into()));
    before.keys("<esc>3e<ctrl-u>");
    before.act(Action::Pasted("hot -> cold\n<enter> big -> small\n".into()));
    before.idle();
    before.keys("<esc><alt-1>o=<ctrl-u>");
    before.act(Action::Pasted("1\n2".into()));
    let state = |lab: &Lab| {
        let s = &lab.state;
        (s.tab, s.focus(), s.shelf.filter.text().to_owned(), s.decay.text().replace('\n', "|"), format!("{:?}", s.overlay))
    };
    let seen = state(&before);
    assert_eq!(seen.2, "antonym /3", "a line of one line takes it all");
    assert!(seen.3.contains("cold|<enter> big"), "{}", seen.3);

    let dir = tempfile::tempdir().unwrap();
    let read = Read::open(&written(dir.path(), &entries(&before))).unwrap();
    let mut played = Lab::ready(Options { show: Some(Show::new(read.session(), 200.0).unwrap()), ..options() });
    played.keys(" ");
    assert_eq!(run(&mut played), Phase::Over);
    assert_eq!(state(&played), seen);
    let resumed = Lab::ready(Options { resume: Some(read.resume()), ..options() });
    assert_eq!(state(&resumed), seen);

    before.keys("<esc><alt-6>wtalk<enter>");
    let session = before.effects.iter().find_map(|e| if let Effect::SaveSession(s) = e { Some(s.clone()) } else { None }).unwrap();
    let text = std::fs::read_to_string(save(dir.path(), &session).unwrap()).unwrap();
    let session = Session::parse(&text).unwrap();
    let mut played = Lab::ready(Options { show: Some(Show::new(session, 200.0).unwrap()), ..options() });
    played.keys(" ");
    assert_eq!(run(&mut played), Phase::Over);
    let again = state(&played);
    assert_eq!((again.2, again.3), (seen.2, seen.3), "{text}");
}

fn kept(name: &str, skills: &[&str]) -> Snapshot {
    let ingredients = skills.iter().map(|s| state_soup::soup::Ingredient::new(*s)).collect();
    Snapshot { name: name.into(), soup: state_soup::soup::Soup { ingredients, ..state_soup::soup::Soup::default() } }
}

fn names(lab: &Lab) -> Vec<&str> {
    lab.state.lab.instruments.sides.snapshots.iter().map(|s| s.name.as_str()).collect()
}

/// The lists that were to be kept on disk.
fn saved(lab: &Lab) -> Vec<Vec<Snapshot>> {
    lab.effects.iter().filter_map(|e| if let Effect::Snapshots { after, .. } = e { Some(after.clone()) } else { None }).collect()
}

#[test]
fn snapshots_outlive_the_sitting_and_what_does_not_fit_is_refused() {
    let on_disk = vec![kept("soup 1", &["antonym/0", "antonym/1"]), kept("other", &["antonym/0", "poetry/7", "limericks"])];
    let mut lab = Lab::ready(Options { snapshots: Some(on_disk.clone()), ..options() });
    lab.keys("hot ->").idle();
    lab.keys("<esc>W<down><enter>");
    let said = lab.state.notice.clone().unwrap();
    assert!(said.bad && said.text == "`other` does not fit: this library lacks poetry/7, limericks.", "{said:?}");
    assert!(lab.state.lab.bench.soup.ingredients.is_empty() && saved(&lab).is_empty());
    lab.keys("<esc>W<enter>");
    assert_eq!(lab.state.lab.bench.soup, on_disk[0].soup);
    lab.keys("o<home><right>w");
    assert_eq!(names(&lab), ["soup 1", "other", "soup 2"], "a name that is taken is not given twice");
    lab.keys("W<down>xu<home>r<ctrl-u>mine<enter><esc>");
    let lists: Vec<Vec<String>> = saved(&lab).iter().map(|l| l.iter().map(|s| s.name.clone()).collect()).collect();
    let list = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
    let all = list(&["soup 1", "other", "soup 2"]);
    assert_eq!(lists, [all.clone(), list(&["soup 1", "soup 2"]), all, list(&["mine", "other", "soup 2"])], "each change, and its undo");

    let mut lab = Lab::ready(Options { snapshots: Some(vec![Snapshot { soup: layered(9..20), ..on_disk[0].clone() }]), ..options() });
    lab.keys("<esc>Wb");
    assert!(lab.state.notice.as_ref().unwrap().text.contains("layers 9 to 19, this model has 0 to 11"), "{:?}", lab.state.notice);
    let mut lab = Lab::ready(options());
    lab.keys("hot ->").idle();
    lab.keys("<esc><enter>w");
    assert!(names(&lab) == ["soup 1"] && saved(&lab).is_empty(), "where none are kept on disk none are");
}

fn layered(layers: std::ops::Range<usize>) -> state_soup::soup::Soup {
    state_soup::soup::Soup { layers: Some(layers), ..kept("", &["antonym/0"]).soup }
}

#[test]
fn a_sitting_with_snapshots_is_gone_on_with_played_and_exported() {
    let on_disk = vec![kept("a", &["antonym/0"]), kept("b", &["synonym/1", "antonym/2"])];
    let mut before = Lab::ready(Options { snapshots: Some(on_disk.clone()), ..options() });
    before.keys("hot ->").idle();
    before.keys("<esc>W<down><enter><enter>wW<home>x<esc>").idle();
    let list = before.state.lab.instruments.sides.snapshots.clone();
    assert_eq!(names(&before), ["b", "soup 1"]);
    let dir = tempfile::tempdir().unwrap();
    let all = entries(&before);
    assert!(matches!(&all[1], Entry::Input(_, Input::Snapshots(list)) if *list == on_disk), "told before the first key");
    let read = Read::open(&written(dir.path(), &all)).unwrap();
    assert_eq!(read.entries, all);

    // Since then another sitting has kept one more.
    let since = [list.clone(), vec![kept("c", &["antonym/4"])]].concat();
    let mut after = Lab::ready(Options { resume: Some(read.resume()), snapshots: Some(since.clone()), ..options() });
    assert_eq!(after.state.lab.bench.soup, before.state.lab.bench.soup, "`b` was the second one then");
    assert_eq!(after.state.lab.instruments.sides.snapshots, since);
    assert!(saved(&after).is_empty());
    let told = |e: &Entry| matches!(e, Entry::Input(_, Input::Snapshots(list)) if *list == since);
    assert!(entries(&after).iter().any(told), "for the next time");
    after.keys("W<home>x");
    assert_eq!(saved(&after), [since[1..].to_vec()]);

    let mut lab =
        Lab::ready(Options { show: Some(Show::new(read.session(), 200.0).unwrap()), snapshots: Some(since.clone()), ..options() });
    lab.keys(" ");
    assert_eq!(run(&mut lab), Phase::Over);
    assert_eq!(lab.state.lab.bench.soup, before.state.lab.bench.soup);
    assert_eq!(lab.state.lab.instruments.sides.snapshots, list);
    lab.keys(" ");
    assert_eq!((&lab.state.lab.instruments.sides.snapshots, saved(&lab).len()), (&since, 0), "what is played is not kept");

    before.keys("<alt-6>wtalk<enter>");
    let session = before.effects.iter().find_map(|e| if let Effect::SaveSession(s) = e { Some(s.clone()) } else { None }).unwrap();
    assert_eq!(session.step[0].snapshots.as_ref(), Some(&on_disk));
    let text = std::fs::read_to_string(save(dir.path(), &session).unwrap()).unwrap();
    assert_eq!(Session::parse(&text).unwrap(), session, "{text}");
    assert!(rows(&before.state).iter().any(|r| r.kind == "snapshots" && r.text == "a, b"));
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
    lab.keys("<home><down>x");
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
