//! What keys do, as macros on the state with its deterministic engine: `hot -> cold<enter><ctrl-p>`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod common;

use common::{Lab, busy, options};
use state_soup::app::decay::DecayAction;
use state_soup::app::overlay::Overlay;
use state_soup::app::{Action, Effect, Focus, Tab};
use state_soup::engine::{AnswerFrom, DecaySource, Event, JobKind, LibraryEdit, MapMethod, Request};
use state_soup::library::Metric;
use std::sync::Arc;

fn weights(lab: &Lab) -> Vec<f64> {
    lab.state.lab.bench.soup.ingredients.iter().map(|i| i.weight).collect()
}

#[test]
fn typing_ranks_at_once_and_asks_after_a_pause() {
    let mut lab = Lab::ready(options());
    lab.keys("hot -> cold<enter>big ->");
    assert_eq!(lab.state.lab.query_text(), "hot -> cold\nbig ->");
    assert_eq!(lab.sent(JobKind::Rank).len(), "hot -> cold\nbig ->".len());
    assert_eq!(lab.sent(JobKind::Ask).len(), 0, "no answer is asked for while typing");
    assert_eq!(lab.state.lab.ranking.as_ref().unwrap().by_task[0].task, "antonym");
    lab.idle();
    assert_eq!(lab.sent(JobKind::Ask).len(), 1);
    let Request::Ask(request) = &lab.sent(JobKind::Ask)[0].request else { panic!() };
    assert_eq!(request.query, "hot -> cold\nbig ->");
    assert!(!request.from.contains(&AnswerFrom::Soup), "there is no soup yet");
    assert!(lab.state.lab.answers[1].is_some() && lab.state.lab.answers[3].is_none());
}

#[test]
fn characters_in_the_editor_are_never_commands_but_chords_are() {
    let mut lab = Lab::ready(options());
    lab.keys("q?:1u+");
    assert_eq!(lab.state.lab.query_text(), "q?:1u+");
    assert!(!lab.state.quitting && lab.state.overlay.is_none());
    lab.keys("<f3>");
    assert_eq!(lab.state.tab, Tab::Map);
    lab.keys("<f2><ctrl-p>");
    assert!(matches!(lab.state.overlay, Some(Overlay::Palette { .. })));
    lab.keys("q");
    assert!(!lab.state.quitting, "a letter in the palette is text");
    lab.keys("<ctrl-q>");
    assert!(lab.state.quitting);
}

#[test]
fn escape_leaves_the_editor_and_tab_walks_the_panes() {
    let mut lab = Lab::ready(options());
    lab.keys("a<esc>");
    assert_eq!(lab.state.focus(), Focus::Ranking);
    let mut seen = Vec::new();
    for _ in 0..5 {
        lab.keys("<tab>");
        seen.push(lab.state.focus());
    }
    assert_eq!(seen, [Focus::Soup, Focus::Answers, Focus::Target, Focus::Query, Focus::Ranking]);
    lab.keys("<backtab>");
    assert_eq!(lab.state.focus(), Focus::Query);
    lab.keys("<esc>q");
    assert!(lab.state.quitting);
}

#[test]
fn a_soup_is_made_with_keys_and_undone() {
    let mut lab = busy(options());
    assert_eq!(weights(&lab), [0.6, 0.25, 0.15]);
    lab.keys("<home><right><shift-left>");
    assert_eq!(weights(&lab)[0], 0.69);
    lab.keys("n");
    assert!((weights(&lab).iter().sum::<f64>() - 1.0).abs() < 1e-9);
    assert!((weights(&lab)[2] - 0.15).abs() < 1e-9, "the locked weight stays");
    lab.keys("<down>m");
    assert!(lab.state.lab.bench.soup.ingredients[1].muted);
    lab.keys("x");
    assert_eq!(weights(&lab).len(), 2);
    lab.keys("u");
    assert_eq!(weights(&lab).len(), 3);
    lab.keys("uuu");
    assert_eq!(weights(&lab), [0.6, 0.25, 0.15]);
    lab.keys("UUU<esc>");
    assert!(lab.state.lab.bench.soup.ingredients[1].muted);
    let before = lab.sent(JobKind::Ask).len();
    lab.idle();
    assert_eq!(lab.sent(JobKind::Ask).len(), before + 1, "however many edits, one request");
}

#[test]
fn a_wrong_value_is_explained_and_kept_for_correction() {
    let mut lab = busy(options());
    lab.keys("<home><enter>x<enter>");
    let Some(Overlay::Prompt { error, .. }) = &lab.state.overlay else { panic!("the prompt stays open") };
    assert!(error.as_ref().unwrap().contains("not a number"));
    lab.keys("<ctrl-u>0.5<enter>");
    assert!(lab.state.overlay.is_none());
    assert_eq!(weights(&lab)[0], 0.5);
}

#[test]
fn the_view_of_the_ranking_is_switched() {
    let mut lab = busy(options());
    lab.keys("<backtab>");
    assert_eq!(lab.state.focus(), Focus::Ranking);
    lab.keys("m");
    assert_eq!(lab.state.lab.view.metric, Metric::ZCosine);
    lab.keys("]");
    assert_eq!(lab.state.lab.view.layers, 6..8);
    lab.keys("{");
    assert_eq!(lab.state.lab.view.layers, 6..7);
    lab.keys("{");
    assert_eq!(lab.state.lab.view.layers, 6..7, "a range is never empty");
    lab.keys("L<ctrl-u>10..<enter>]");
    assert_eq!(lab.state.lab.view.layers, 10..12, "nor does it leave the model");
    let Request::Rank { view, .. } = &lab.sent(JobKind::Rank).last().unwrap().request else { panic!() };
    assert_eq!(view.layers, 10..12);
    let skill = lab.state.lab.selected_skill().unwrap().to_owned();
    lab.keys("t");
    assert_eq!(lab.state.lab.selected_skill(), Some(skill.as_str()), "the selection stays on its skill");
}

#[test]
fn stale_results_are_dropped() {
    let mut lab = Lab::ready(options());
    lab.answering = false;
    lab.keys("hot");
    let first = lab.sent(JobKind::Rank)[0].clone();
    let last = lab.sent(JobKind::Rank)[2].clone();
    for job in [first, last] {
        let before = lab.state.lab.ranking.clone();
        let newest = job.generation == 3;
        for event in common::replies(&job) {
            lab.act(Action::Engine(event));
        }
        assert_eq!(lab.state.lab.ranking != before, newest);
    }
    assert!(!lab.state.jobs.is_running(JobKind::Rank));
}

#[test]
fn emptying_the_query_clears_and_cancels() {
    let mut lab = Lab::ready(options());
    lab.answering = false;
    lab.keys("a<backspace>");
    assert!(lab.effects.iter().any(|e| matches!(e, Effect::Cancel(JobKind::Rank))));
    assert!(lab.state.lab.ranking.is_none());
    lab.idle();
    assert_eq!(lab.sent(JobKind::Ask).len(), 0);
}

#[test]
fn the_map_is_asked_for_when_it_comes_to_the_front() {
    let mut lab = busy(options());
    lab.keys("2");
    let requests = lab.sent(JobKind::Map);
    let Request::Map(request) = &requests[0].request else { panic!() };
    assert_eq!((request.layer, request.method, requests.len()), (5, MapMethod::Pca, 1));
    assert_eq!(lab.state.map.picked(), lab.state.lab.selected_skill(), "the pick is the ranking's selection");
    lab.keys("12");
    assert_eq!(lab.sent(JobKind::Map).len(), 1, "the same map is not made twice");
    lab.keys("m]]");
    lab.idle();
    let Request::Map(request) = &lab.sent(JobKind::Map).last().unwrap().request else { panic!() };
    assert_eq!((request.layer, request.method), (7, MapMethod::Tsne));
    assert_eq!(lab.sent(JobKind::Map).len(), 3, "held keys are one request");
    let before = lab.state.lab.bench.soup.ingredients.len();
    lab.keys("<tab><down><enter>");
    assert_eq!(lab.state.lab.bench.soup.ingredients.len(), before + 1, "a neighbour goes into the soup");
}

#[test]
fn the_decay_tab_compares_a_sample_and_gamma_steps_are_one_request() {
    let mut lab = busy(options());
    lab.keys("3");
    let [job] = lab.sent(JobKind::Decay)[..] else { panic!() };
    let Request::Decay(request) = &job.request else { panic!() };
    assert_eq!((&request.source, request.cut.chunks, request.cut.length, request.gamma), (&DecaySource::Sample(0), 4, 64, 1.0));
    assert_eq!(lab.state.decay.text(), *lab.state.decay.view.as_ref().unwrap().text, "the sample is in the editor");
    assert!(lab.state.decay.marked);
    lab.keys("13");
    assert_eq!(lab.sent(JobKind::Decay).len(), 1, "the same comparison is not made twice");
    lab.keys("<<><<><<><<>,,>");
    assert_eq!(lab.state.decay.gamma, 0.68);
    assert!(lab.state.decay.is_behind());
    lab.idle();
    assert_eq!(lab.sent(JobKind::Decay).len(), 2, "held keys are one request");
    assert!(!lab.state.decay.is_behind());
    lab.keys("=<ctrl-u>-1<enter>");
    let Some(Overlay::Prompt { error: Some(error), .. }) = &lab.state.overlay else { panic!() };
    assert!(error.contains("0 or more"), "{error}");
    lab.keys("<ctrl-u>inf<enter><esc>");
    let Request::Decay(request) = &lab.sent(JobKind::Decay).last().unwrap().request else { panic!() };
    assert_eq!(request.gamma, f64::INFINITY);
    lab.keys("]}m<ctrl-u>32<enter>");
    let Request::Decay(request) = &lab.sent(JobKind::Decay).last().unwrap().request else { panic!() };
    assert_eq!((request.cut.chunks, request.cut.length, request.cut.after), (5, 128, 32));
    lab.keys(&"[".repeat(9));
    assert_eq!(lab.state.decay.cut.chunks, 2);
    assert!(lab.state.notice.as_ref().is_some_and(|n| n.text.contains("2 to 64 chunks")));
}

#[test]
fn a_document_is_typed_pasted_or_opened() {
    let mut lab = busy(options());
    lab.keys("3e");
    lab.act(Action::Paste("pasted\r\nlines\n".into()));
    lab.keys("q").idle();
    assert!(!lab.state.quitting, "a letter in the editor is text");
    assert!(lab.state.decay.text().starts_with("pasted\nlines\nq"), "{}", lab.state.decay.text());
    let sources = |lab: &Lab| {
        let of = |j: &&state_soup::engine::Job| if let Request::Decay(r) = &j.request { r.source.clone() } else { unreachable!() };
        lab.sent(JobKind::Decay).iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(sources(&lab).len(), 2, "the sample, then what was typed after a pause");
    assert_eq!(sources(&lab)[1], DecaySource::Text(lab.state.decay.text().into()));

    lab.keys("<esc>o<ctrl-u>notes.txt<enter>");
    assert!(matches!(lab.effects.last(), Some(Effect::ReadDocument(path)) if path == "notes.txt"));
    let opened = |text: Result<&str, &str>| {
        let text = text.map(String::from).map_err(String::from);
        Action::Decay(DecayAction::Opened { path: "notes.txt".into(), text })
    };
    lab.act(opened(Err("notes.txt is not UTF-8 text")));
    assert!(lab.state.notice.as_ref().is_some_and(|n| n.bad && n.text.contains("not UTF-8")));
    assert_eq!(sources(&lab).len(), 2);
    lab.act(opened(Ok("another text")));
    assert_eq!(sources(&lab)[2], DecaySource::Text("another text".into()));
    assert_eq!((lab.state.decay.text().as_str(), lab.state.decay.origin_text().as_str()), ("another text", "notes.txt"));
    lab.keys("<esc>s");
    assert_eq!(sources(&lab)[3], DecaySource::Sample(0));
    lab.keys("s");
    assert_eq!(sources(&lab)[4], DecaySource::Sample(1));
}

#[test]
fn a_document_that_is_too_short_is_told_where_the_numbers_would_be() {
    let mut lab = busy(options());
    lab.keys("3");
    lab.answering = false;
    lab.keys("r");
    let generation = lab.state.jobs.generation(JobKind::Decay);
    let message = "the document has 3 tokens".to_owned();
    lab.act(Action::Engine(Event::Failed { generation, kind: JobKind::Decay, cancelled: false, message: message.clone() }));
    assert!(lab.state.notice.is_none() && lab.state.decay.view.is_none());
    assert_eq!(lab.state.decay.refused, Some(message));
    lab.keys("13");
    assert!(!lab.state.jobs.is_running(JobKind::Decay), "what was refused is not asked for again by looking at it");
    lab.keys("r");
    assert!(lab.state.decay.refused.is_none() && lab.state.jobs.is_running(JobKind::Decay));
    lab.keys("<esc>");
    assert!(lab.effects.iter().any(|e| matches!(e, Effect::Cancel(JobKind::Decay))));
}

#[test]
fn the_selected_rule_follows_its_row_and_tables_are_copied() {
    let mut lab = busy(options());
    lab.keys("3<home><down><down>");
    assert_eq!(lab.state.decay.selected().unwrap().rule.name(), "A-decay");
    lab.keys("tj");
    let after = lab.state.decay.rule;
    let order = lab.state.decay.order();
    assert_eq!(order.iter().position(|r| *r == after), order.iter().position(|r| *r == 2).map(|at| at + 1));
    let mut copied = |keys: &str| {
        lab.keys(keys).keys("y");
        let Some(Effect::Copy(text)) = lab.effects.last() else { panic!() };
        text.clone()
    };
    let rules = copied("");
    assert!(rules.starts_with("rule\tnats a token\tperplexity\tminus full pass\nfull pass\t") && rules.lines().count() == 11);
    let positions = copied("<tab>");
    assert!(positions.lines().count() == 65 && positions.lines().all(|l| l.split('\t').count() == 4));
    assert_eq!(copied("<tab>").lines().count(), 13);
    lab.keys("<down>");
    assert_eq!((lab.state.focus(), lab.state.decay.layer), (Focus::Layers, 1));
    lab.keys("<backtab><right><right><left>");
    assert_eq!(lab.state.decay.position, 1);
}

#[test]
fn the_library_is_filtered_tagged_deleted_and_restored() {
    let mut lab = busy(options());
    lab.keys("5/geo capital<enter>").idle();
    assert_eq!(state_soup::app::library::visible(&lab.state).len(), 5);
    assert_eq!(lab.state.shelf.report.as_ref().unwrap().meta.id, "country_capital/0");
    lab.keys("t<ctrl-u>talk, demo talk<enter>");
    lab.keys("<down>x");
    assert_eq!(state_soup::app::library::visible(&lab.state).len(), 4);
    lab.keys("u");
    assert_eq!(state_soup::app::library::visible(&lab.state).len(), 5);
    let edits: Vec<LibraryEdit> =
        lab.sent(JobKind::Edit).iter().map(|j| if let Request::Edit(e) = &j.request { e.clone() } else { panic!() }).collect();
    let id = |n: usize| format!("country_capital/{n}");
    assert_eq!(
        edits,
        [LibraryEdit::Tag(id(0), vec!["talk".into(), "demo".into()]), LibraryEdit::Delete(id(1)), LibraryEdit::Restore(id(1))]
    );
}

#[test]
fn library_changes_wait_for_each_other() {
    let mut lab = Lab::ready(options());
    lab.answering = false;
    lab.keys("<esc>5xx");
    assert_eq!(lab.sent(JobKind::Edit).len(), 1);
    let job = lab.sent(JobKind::Edit)[0].clone();
    for event in common::replies(&job) {
        lab.act(Action::Engine(event));
    }
    assert_eq!(lab.sent(JobKind::Edit).len(), 2);
}

#[test]
fn a_skill_is_added_from_text() {
    let mut lab = Lab::ready(options());
    lab.keys("a -> b<esc>5a<enter>");
    lab.keys("<ctrl-s>");
    let Some(Overlay::AddSkill { error: Some(error), .. }) = &lab.state.overlay else { panic!() };
    assert!(error.contains("name"), "{error}");
    lab.keys("<tab>mine<enter><ctrl-s>");
    let Request::Edit(edit) = &lab.sent(JobKind::Edit)[0].request else { panic!() };
    assert_eq!(*edit, LibraryEdit::AddText { name: "mine".into(), text: "a -> b".into() });
}

#[test]
fn the_missing_skills_are_built_once_and_escape_stops_it() {
    let mut lab = Lab::new(options());
    lab.answering = false;
    lab.act(Action::Engine(Event::Model(common::model())));
    for _ in 0..2 {
        lab.act(Action::Engine(Event::Library(Arc::new(state_soup::engine::LibraryView { missing: 7, ..common::library() }))));
    }
    assert_eq!(lab.sent(JobKind::Build).len(), 1);
    lab.keys("<esc><esc>");
    assert!(lab.effects.iter().any(|e| matches!(e, Effect::Cancel(JobKind::Build))));
    assert!(!lab.state.jobs.is_running(JobKind::Build));
}

#[test]
fn every_command_is_in_the_palette_and_runs_from_it() {
    for command in state_soup::app::command::all().filter(|c| !c.hidden) {
        let mut lab = busy(options());
        lab.keys("<ctrl-p>");
        let found = state_soup::app::overlay::matches(&lab.state, command.name);
        assert!(found.iter().any(|c| c.id == command.id), "{}", command.id);
        let at = found.iter().position(|c| c.id == command.id).unwrap();
        lab.keys(command.name).keys(&"<down>".repeat(at)).keys("<enter>");
        let open = matches!(lab.state.overlay, Some(Overlay::Palette { .. }));
        assert_eq!(open, command.id == "palette", "{} was run", command.id);
    }
}

#[test]
fn failures_stay_until_escape_and_hints_go_by_themselves() {
    let mut lab = busy(options());
    let generation = lab.state.jobs.generation(JobKind::Ask);
    lab.act(Action::Engine(Event::Failed { generation, kind: JobKind::Ask, cancelled: false, message: "The model is too small.".into() }));
    lab.act(Action::Tick(1_000_000));
    assert!(lab.state.notice.as_ref().is_some_and(|n| n.bad));
    lab.keys("<esc>");
    assert!(lab.state.notice.is_none());
    lab.keys("y");
    assert!(lab.state.notice.is_some());
    lab.act(Action::Tick(2_000_000));
    assert!(lab.state.notice.is_none());
}

#[test]
fn keys_can_be_bound_anew_and_clashes_are_refused() {
    use state_soup::app::{Options, State};
    let bind = |id: &str, key: &str| Options { keys: vec![(id.into(), vec![key.parse().unwrap()])], ..options() };
    assert!(State::new(bind("quit", "Q")).is_ok());
    let error = State::new(bind("quit", "?")).unwrap_err().to_string();
    assert!(error.contains("`help`") && error.contains("`quit`"), "{error}");
    assert!(State::new(bind("nothing", "a")).unwrap_err().to_string().contains("nothing"));
}
