//! What keys do, as macros on the state with its deterministic engine: `hot ->
//! cold<enter><ctrl-p>`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use crate::common::{self, Lab, busy, options};
use state_soup::app::decay::DecayAction;
use state_soup::app::overlay::Overlay;
use state_soup::app::{Action, Effect, Focus, Options, Tab};
use state_soup::engine::{Event, Generation, JobKind, News, Request, ResultsRequest};
use state_soup::guide::TOPICS;
use state_soup::lab::{AnswerFrom, AskRequest, DecaySource, Decoding, Evidence, LibraryEdit, MapMethod};
use state_soup::library::Metric;
use state_soup::soup::{Recipe, Soup};
use std::sync::Arc;

/// A job that ended badly.
fn failed(kind: JobKind, generation: Generation, message: &str) -> Event {
    Event::Job { generation, kind, news: News::Failed { cancelled: false, message: message.into() } }
}

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
    lab.act(Action::Engine(failed(JobKind::Decay, generation, &message)));
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
        lab.act(Action::Engine(Event::Library(Arc::new(state_soup::lab::LibraryView { missing: 7, ..common::library() }))));
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
    lab.act(Action::Engine(failed(JobKind::Ask, generation, "The model is too small.")));
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
    use state_soup::app::State;
    let bind = |id: &str, key: &str| Options { keys: vec![(id.into(), vec![key.parse().unwrap()])], ..options() };
    assert!(State::new(bind("quit", "Q")).is_ok());
    let error = State::new(bind("quit", "?")).unwrap_err().to_string();
    assert!(error.contains("`help`") && error.contains("`quit`"), "{error}");
    assert!(State::new(bind("nothing", "a")).unwrap_err().to_string().contains("nothing"));
}

#[test]
fn experiments_run_one_after_the_other_and_are_not_run_twice() {
    use state_soup::app::experiments::{Stand, View};
    use state_soup::experiment::ALL;
    let mut lab = busy(options());
    lab.keys("4<down><enter>");
    let Request::Experiment { name, settings } = &lab.sent(JobKind::Experiment)[0].request else { panic!() };
    assert_eq!((name.as_str(), settings), (ALL[1].name, &state_soup::experiment::Settings::quick()));
    assert_eq!(lab.state.experiments.stand(1), Stand::Done);
    lab.keys("<enter>");
    assert_eq!(lab.sent(JobKind::Experiment).len(), 1, "it is done");
    lab.keys("R");
    assert_eq!(lab.sent(JobKind::Experiment).len(), 2);
    lab.keys("a");
    assert_eq!(lab.sent(JobKind::Experiment).len(), 1 + ALL.len(), "all but the one that is done");
    assert!((0..ALL.len()).all(|i| lab.state.experiments.stand(i) == Stand::Done));
    lab.keys("t<enter>");
    let Request::Experiment { settings, .. } = &lab.sent(JobKind::Experiment).last().unwrap().request else { panic!() };
    assert_eq!(*settings, state_soup::experiment::Settings::thorough());
    assert!(lab.sent(JobKind::Results).is_empty(), "nothing is written unless a folder is known");
    // The picture: curves are walked up and down, the axis left and right.
    lab.keys("<tab><down><left>");
    assert_eq!((lab.state.experiments.curve, lab.state.experiments.at), (1, Some(4)));
    lab.keys("y");
    assert!(matches!(lab.effects.last(), Some(Effect::Copy(text)) if text.starts_with("curve\tlog2 of the examples")));
    lab.keys("]y");
    assert!(matches!(lab.effects.last(), Some(Effect::Copy(text)) if text.starts_with("layer\t1\t2")), "the heat map is next");
    lab.keys("v");
    assert_eq!(lab.state.experiments.view, View::Table);
    lab.keys("e<ctrl-u>out<enter>");
    let Request::Results(ResultsRequest::Save { dir, reports, replace }) = &lab.sent(JobKind::Results)[0].request else { panic!() };
    assert_eq!((dir.to_str(), reports.len(), *replace), (Some("out"), ALL.len(), true));
    assert!(lab.state.notice.as_ref().unwrap().text.contains("out/retrieval"));
}

#[test]
fn escape_stops_an_experiment_and_what_is_done_is_kept() {
    use state_soup::app::experiments::Stand;
    let mut lab = busy(options());
    lab.answering = false;
    lab.keys("4a");
    let job = lab.sent(JobKind::Experiment)[0].clone();
    let replies = common::replies(&job);
    lab.act(Action::Engine(job.event(News::Progress { done: 1, total: 4, unit: "tasks" })));
    assert_eq!((lab.state.experiments.stand(0), lab.state.experiments.stand(1)), (Stand::Running, Stand::Waiting));
    for event in replies.clone() {
        lab.act(Action::Engine(event));
    }
    assert_eq!((lab.state.experiments.stand(0), lab.state.experiments.stand(1)), (Stand::Done, Stand::Running));
    // The second has shown its first figures when it is stopped.
    let second = lab.sent(JobKind::Experiment)[1].clone();
    lab.act(Action::Engine(common::replies(&second).remove(0)));
    lab.keys("<esc>");
    assert!(lab.effects.iter().any(|e| matches!(e, Effect::Cancel(JobKind::Experiment))));
    assert_eq!(
        (lab.state.experiments.stand(0), lab.state.experiments.stand(1), lab.state.experiments.stand(2)),
        (Stand::Done, Stand::Stopped, Stand::NotRun)
    );
    let before = lab.state.experiments.report(1).cloned();
    for event in common::replies(&second) {
        lab.act(Action::Engine(event));
    }
    assert_eq!(lab.state.experiments.report(1), before.as_ref(), "what comes after the end is dropped");
    assert_eq!(lab.sent(JobKind::Experiment).len(), 2);
    lab.keys("<esc>a");
    assert_eq!(lab.state.experiments.running, Some(1), "the first one is not run again");
    // One that fails says why, and the next one starts.
    let third = lab.sent(JobKind::Experiment)[2].clone();
    lab.act(Action::Engine(failed(JobKind::Experiment, third.generation, "Too few tasks.")));
    assert_eq!((lab.state.experiments.stand(1), lab.state.experiments.running), (Stand::Failed, Some(2)));
}

#[test]
fn earlier_results_are_read_once_and_new_ones_written() {
    use state_soup::app::experiments::Stand;
    let mut lab = busy(Options { results: Some("results".into()), ..options() });
    lab.answering = false;
    lab.keys("4");
    let load = lab.sent(JobKind::Results)[0].clone();
    let reports = vec![Arc::new(common::experiment("retrieval", &state_soup::experiment::Settings::thorough()))];
    let left_out = vec!["The report in results/card is of another model.".to_owned()];
    lab.act(Action::Engine(load.event(News::Loaded { reports, left_out })));
    lab.act(Action::Engine(load.event(News::Done)));
    assert_eq!(lab.state.experiments.stand(0), Stand::Done);
    assert!(lab.state.experiments.entries[0].loaded && lab.state.notice.as_ref().unwrap().text.contains("another model"));
    lab.keys("<esc>14");
    assert_eq!(lab.sent(JobKind::Results).len(), 1, "read once");
    lab.keys("t<enter>");
    assert!(lab.sent(JobKind::Experiment).is_empty(), "it was measured with these settings before");
    lab.answering = true;
    lab.keys("t<enter>");
    let Request::Results(ResultsRequest::Save { replace, .. }) = &lab.sent(JobKind::Results)[1].request else { panic!() };
    assert!(!replace, "a thorough report is not written over by a quick one");
}

#[test]
fn the_map_is_searched_zoomed_and_linked_with_the_ranking() {
    let mut lab = busy(options());
    lab.keys("2");
    let id = |lab: &Lab| lab.state.map.picked().unwrap().to_owned();
    lab.keys("/geo country<enter>");
    assert!(id(&lab).contains("country"), "{}", id(&lab));
    let found = state_soup::app::map::found(&lab.state);
    assert_eq!(found.len(), 15, "country_capital, country_currency, city_country");
    let first = lab.state.map.pick;
    lab.keys("n");
    assert_eq!(lab.state.map.pick, found[(found.iter().position(|p| *p == first).unwrap() + 1) % 15]);
    lab.keys("N/nothing like it<enter>");
    let Some(Overlay::Prompt { error: Some(error), .. }) = &lab.state.overlay else { panic!("the prompt stays open") };
    assert!(error.contains("nothing like it"));
    lab.keys("<esc>");
    assert_eq!(lab.state.map.pick, first);
    // The ranking's selection went along, and comes back with one of its own.
    let task = id(&lab).split('/').next().unwrap().to_owned();
    assert_eq!(lab.state.lab.selected_skill().unwrap().split('/').next(), Some(task.as_str()));
    lab.keys("1<backtab>");
    assert_eq!(lab.state.focus(), Focus::Ranking);
    lab.keys("<home>2");
    assert_eq!(lab.state.map.picked(), lab.state.lab.selected_skill());
    lab.keys("zz");
    assert!((lab.state.map.zoom - 2.25).abs() < 1e-6);
    let centre = lab.state.map.centre;
    lab.keys("<shift-right>");
    assert!(lab.state.map.centre[0] > centre[0] || centre[0] == 1.0);
    lab.keys("<home>");
    assert!(state_soup::app::map::bounds(&lab.state.map.map.as_ref().unwrap().points).is_some());
    lab.keys("0<shift-left>");
    assert_eq!((lab.state.map.zoom, lab.state.map.centre), (1.0, [0.5; 2]), "the whole map cannot be moved");
}

#[test]
fn a_moving_map_is_paused_stepped_and_let_go_on() {
    let mut lab = busy(options());
    lab.answering = false;
    lab.keys("2mm");
    assert_eq!(lab.state.map.request.method, MapMethod::OneShot);
    lab.keys("mm");
    let job = lab.sent(JobKind::Map).last().copied().cloned().unwrap();
    let Request::Map(request) = &job.request else { panic!() };
    assert_eq!(request.method, MapMethod::Tsne);
    let frame = |epoch, finished| Arc::new(state_soup::lab::MapView { epoch, finished, ..common::map(request) });
    lab.act(Action::Engine(job.event(News::Map(frame(120, false)))));
    let stop = |lab: &mut Lab, generation: u64, epoch: usize| {
        assert!(matches!(lab.effects.last(), Some(Effect::Cancel(JobKind::Map))));
        let mut report = |news| lab.act(Action::Engine(Event::Job { generation, kind: JobKind::Map, news }));
        report(News::Map(frame(epoch, false)));
        report(News::Failed { cancelled: true, message: "cancelled".into() });
        assert!(lab.state.map.is_paused(lab.state.jobs.is_running(JobKind::Map)));
        assert_eq!(lab.state.map.map.as_ref().unwrap().epoch, epoch, "where the engine stopped");
        let said = &lab.state.notice.as_ref().unwrap().text;
        assert!(said.contains(&format!("iteration {epoch} of 1000")), "{said}");
    };
    lab.keys("<space>");
    stop(&mut lab, job.generation, 123);
    lab.keys("<space><esc><esc>");
    let on = lab.sent(JobKind::Map).last().copied().cloned().unwrap();
    stop(&mut lab, on.generation, 129);
    lab.keys("s");
    let step = lab.sent(JobKind::Map).last().copied().cloned().unwrap();
    assert!(matches!(step.request, Request::MapOn { epochs: 1, .. }));
    lab.act(Action::Engine(step.event(News::Map(frame(130, false)))));
    lab.act(Action::Engine(step.event(News::Done)));
    assert!(lab.sent(JobKind::Place).is_empty(), "the query is placed on a finished map only");
    lab.keys("<space>");
    let on = lab.sent(JobKind::Map).last().copied().cloned().unwrap();
    assert!(matches!(on.request, Request::MapOn { epochs: usize::MAX, .. }));
    lab.act(Action::Engine(on.event(News::Map(frame(1000, true)))));
    lab.act(Action::Engine(on.event(News::Done)));
    assert_eq!(lab.sent(JobKind::Place).len(), 1);
    lab.keys("<space>");
    assert_eq!(lab.sent(JobKind::Map).len(), 8, "a finished map does not go on");
}

#[test]
fn the_query_is_placed_on_the_map_and_again_when_it_changes() {
    let mut lab = busy(options());
    lab.keys("2");
    assert_eq!(lab.state.map.placed.as_ref().unwrap().trail.len(), 3);
    lab.keys("12");
    assert_eq!(lab.sent(JobKind::Place).len(), 1, "its place is known");
    lab.keys("1i<enter>a -> b<f3>");
    assert_eq!(lab.sent(JobKind::Place).len(), 2);
    let Request::Place(query) = &lab.sent(JobKind::Place)[1].request else { panic!() };
    assert_eq!(*query, lab.state.lab.query_text());
}

#[test]
fn every_draw_of_the_screen_begins_from_the_seed_of_the_command_line() {
    let mut lab = busy(Options { seed: 7, ..options() });
    lab.answering = false;
    lab.keys("4<enter>2");
    let Request::Experiment { settings, .. } = &lab.sent(JobKind::Experiment)[0].request else { panic!() };
    assert_eq!(settings.seed, 7);
    let Request::Map(request) = &lab.sent(JobKind::Map)[0].request else { panic!() };
    assert_eq!(request.seed, 7);
    lab.keys("1:greedy or sampled<enter>");
    assert!(matches!(lab.state.lab.decoding, Decoding::Sample { seed: 7, .. }), "{:?}", lab.state.lab.decoding);
}

#[test]
fn the_guide_is_read_from_the_help_and_back() {
    let mut lab = Lab::ready(options());
    let guide = |lab: &Lab| match &lab.state.overlay {
        Some(Overlay::Guide(reading)) => Some((TOPICS[reading.topic].name, reading.scroll)),
        _ => None,
    };
    lab.keys("<esc>2?");
    assert!(matches!(lab.state.overlay, Some(Overlay::Help { .. })), "the keys that work here come first");
    lab.keys("<tab>");
    assert_eq!(guide(&lab), Some(("map", None)), "the page on this tab is selected");
    lab.keys("<up>k<home><down><down><end><up>");
    assert_eq!(guide(&lab), Some((TOPICS[TOPICS.len() - 2].name, None)));
    lab.keys("<enter>");
    assert_eq!(guide(&lab).unwrap().1, Some(0));
    lab.keys("<down><pgdn><up>");
    assert_eq!(guide(&lab).unwrap().1, Some(10));
    lab.keys("<end>");
    let end = guide(&lab).unwrap().1.unwrap();
    lab.keys("<down><pgdn>");
    assert_eq!(guide(&lab).unwrap().1, Some(end), "a page ends");
    lab.keys("<up>");
    assert_eq!(guide(&lab).unwrap().1, Some(end - 1));
    lab.keys("<left>");
    assert_eq!(guide(&lab).unwrap().1, None, "back to the list");
    lab.keys("?");
    assert!(matches!(lab.state.overlay, Some(Overlay::Help { .. })), "and to the keys");
    lab.keys("<tab><enter><esc>");
    assert!(lab.state.overlay.is_none());
    lab.keys(":guide<enter>");
    assert_eq!(guide(&lab), Some(("map", None)), "the palette has it too");
    lab.act(Action::Paste("no text goes in here".into()));
    lab.keys("qzx<ctrl-q>");
    assert!(lab.state.quitting);
}

#[test]
fn a_copy_goes_to_the_clipboard_or_to_a_file() {
    let mut lab = busy(options());
    lab.keys("y");
    assert!(matches!(lab.effects.last(), Some(Effect::Copy(text)) if text.contains("0.6")), "{:?}", lab.effects.last());
    lab.keys("Y");
    assert!(matches!(lab.effects.last(), Some(Effect::SaveCopy(text)) if text.contains("0.6")));
    lab.keys("i");
    lab.act(Action::Paste("hot -> cold\n".repeat(8000)));
    lab.keys("<esc>");
    lab.keys("i<ctrl-p>copy<enter>");
    assert!(matches!(lab.effects.last(), Some(Effect::SaveCopy(text)) if text.len() > 80_000), "too long for a clipboard");
}

#[test]
fn on_a_slow_line_progress_is_told_once_a_second() {
    let mut lab = Lab::new(options());
    lab.answering = false;
    lab.act(Action::Engine(Event::Model(common::model())));
    lab.act(Action::Engine(Event::Library(Arc::new(state_soup::lab::LibraryView { missing: 7, ..common::library() }))));
    let generation = lab.state.jobs.generation(JobKind::Build);
    let report = |lab: &mut Lab, clock: u64, done: u64| {
        lab.act(Action::Tick(clock));
        lab.act(Action::Engine(Event::Job { generation, kind: JobKind::Build, news: News::Progress { done, total: 100, unit: "skills" } }));
        lab.state.jobs.running(JobKind::Build).unwrap().done
    };
    assert_eq!([report(&mut lab, 1000, 1), report(&mut lab, 1100, 2)], [1, 2]);
    lab.keys("<alt-l>");
    assert!(lab.state.screen.low_bandwidth);
    assert_eq!([report(&mut lab, 1200, 3), report(&mut lab, 2099, 4), report(&mut lab, 2100, 5)], [2, 2, 5]);
}

#[test]
fn the_mouse_is_off_until_a_key_takes_it() {
    let mut lab = busy(options());
    assert!(!lab.state.screen.mouse);
    lab.keys("<f6>");
    assert!(lab.state.screen.mouse && matches!(lab.effects.last(), Some(Effect::Mouse(true))));
    lab.keys("?<f6>");
    assert!(!lab.state.screen.mouse && matches!(lab.effects.last(), Some(Effect::Mouse(false))), "above overlays too");
}

#[test]
fn the_terminals_word_on_its_background_counts_until_the_user_says_otherwise() {
    use state_soup::app::Background;
    use state_soup::app::screen::ScreenAction;
    let mut lab = busy(options());
    lab.act(Action::Screen(ScreenAction::Background(Background::Light)));
    assert_eq!(lab.state.look.background, Background::Light);
    lab.keys("<f8>");
    lab.act(Action::Screen(ScreenAction::Background(Background::Light)));
    assert_eq!(lab.state.look.background, Background::Dark, "a late answer does not overrule a person");
}

/// As the lab is opened by a person: what the query's examples say moves the ranking and chooses
/// the soup.
fn weighing() -> Options {
    Options { evidence: true, ..options() }
}

fn told(lab: &Lab) -> Evidence {
    (**lab.state.lab.evidence.as_ref().unwrap()).clone()
}

fn asked(lab: &Lab) -> AskRequest {
    let Request::Ask(request) = &lab.sent(JobKind::Ask).last().unwrap().request else { panic!() };
    request.clone()
}

fn names(soup: &Soup) -> Vec<&str> {
    soup.ingredients.iter().map(|i| i.skill.as_str()).collect()
}

#[test]
fn evidence_is_asked_for_once_after_a_pause() {
    let mut lab = Lab::ready(weighing());
    assert_eq!(lab.sent(JobKind::Weigh).len(), 0, "there is no query");
    lab.keys("hot -> cold<enter>big ->");
    assert_eq!(lab.sent(JobKind::Weigh).len(), 0, "not while typing");
    lab.idle();
    let [job] = lab.sent(JobKind::Weigh)[..] else { panic!() };
    let Request::Weigh { query, view } = &job.request else { panic!() };
    assert_eq!((query.as_str(), view), ("hot -> cold\nbig ->", &lab.state.lab.view));
    let place = |kind| lab.effects.iter().position(|e| matches!(e, Effect::Send(j) if j.request.kind() == kind)).unwrap();
    assert!(place(JobKind::Weigh) < place(JobKind::Ask), "the answers follow from it");
    assert_eq!(lab.sent(JobKind::Ask).len(), 1);
    assert_eq!(told(&lab), common::evidence("hot -> cold\nbig ->", &lab.state.lab.view));
    assert!(lab.state.lab.present_evidence().is_some());

    // Every key puts it off.
    let mut lab = Lab::ready(weighing());
    let wait = |lab: &mut Lab, by: u64| {
        let at = lab.state.clock + by;
        lab.act(Action::Tick(at));
        lab.sent(JobKind::Weigh).len()
    };
    let mut seen = Vec::new();
    for key in ["a", " ", "-", ">"] {
        lab.keys(key);
        seen.push(wait(&mut lab, state_soup::app::lab::WEIGH_AFTER_MS - 1));
    }
    assert_eq!(seen, [0; 4]);
    assert_eq!(wait(&mut lab, 1), 1);
    assert_eq!(lab.sent(JobKind::Ask).len(), 0, "the answers wait longer");
    lab.idle();
    assert_eq!((lab.sent(JobKind::Weigh).len(), lab.sent(JobKind::Ask).len()), (1, 1));
}

#[test]
fn an_edit_of_the_unfinished_line_asks_for_no_evidence() {
    let mut lab = Lab::ready(weighing());
    let weighed = |lab: &mut Lab, keys: &str| {
        lab.keys(keys).idle();
        (lab.sent(JobKind::Weigh).len(), lab.sent(JobKind::Ask).len())
    };
    assert_eq!(weighed(&mut lab, "hot -> cold<enter>"), (1, 0), "there is nothing to answer yet");
    assert_eq!(weighed(&mut lab, "big ->"), (1, 1), "the examples are the same; the answers are not");
    assert_eq!(weighed(&mut lab, "<backspace><backspace><backspace><backspace>"), (1, 2));
    assert!(lab.state.lab.present_evidence().is_some(), "what was said still holds");
    assert_eq!(weighed(&mut lab, "g -> small"), (2, 3), "an answer makes an example of it");
    assert_eq!(told(&lab).shots, 2);
    assert_eq!(weighed(&mut lab, "<enter>"), (2, 3), "it was one before the line was ended");
    assert_eq!(weighed(&mut lab, "<backspace><backspace>"), (3, 4), "an example was edited");
    assert_eq!(told(&lab).read, "hot -> cold\nbig -> smal\n");
    assert_eq!(weighed(&mut lab, "<esc>m"), (4, 5), "another similarity proposes others");
    lab.keys("}").idle();
    let Request::Weigh { view, .. } = &lab.sent(JobKind::Weigh)[4].request else { panic!() };
    assert_eq!(*view, lab.state.lab.view);
}

#[test]
fn evidence_that_is_not_whole_is_asked_for_again_and_old_evidence_dropped() {
    let mut lab = Lab::ready(weighing());
    lab.answering = false;
    lab.keys("hot -> cold<enter>").idle();
    let first = lab.sent(JobKind::Weigh)[0].clone();
    let (query, view) = (lab.state.lab.query_text(), lab.state.lab.view.clone());
    let rank = lab.sent(JobKind::Rank).last().copied().cloned().unwrap();
    common::replies(&rank).into_iter().for_each(|event| lab.act(Action::Engine(event)));
    let part = Evidence { asked: 24, ..common::evidence(&query, &view) };
    lab.act(Action::Engine(first.event(News::Evidence(Arc::new(part.clone())))));
    assert_eq!(told(&lab), part, "shown as far as it goes");
    assert!(!told(&lab).is_whole());
    assert_eq!(lab.state.lab.bench.soup, part.auto);
    // It is called off by the next one: what has come of it was not the last word.
    lab.keys("b").idle();
    let second = lab.sent(JobKind::Weigh)[1].clone();
    let late = Evidence { tasks: Vec::new(), ..part.clone() };
    lab.act(Action::Engine(first.event(News::Evidence(Arc::new(late)))));
    assert_eq!(told(&lab), part, "what comes late is dropped");
    lab.answering = true;
    common::replies(&second).into_iter().for_each(|event| lab.act(Action::Engine(event)));
    assert!(told(&lab).is_whole());
    let rank = lab.sent(JobKind::Rank).last().copied().cloned().unwrap();
    common::replies(&rank).into_iter().for_each(|event| lab.act(Action::Engine(event)));
    lab.keys("i").idle();
    assert_eq!(lab.sent(JobKind::Weigh).len(), 2, "now it is known");
    // A job that fails says why; the next pause asks again.
    lab.answering = false;
    lab.keys("g -> small").idle();
    let third = lab.sent(JobKind::Weigh)[2].clone();
    let failed = failed(JobKind::Weigh, third.generation, "No room.");
    lab.act(Action::Engine(failed));
    assert!(lab.state.notice.as_ref().is_some_and(|n| n.bad && n.text.contains("No room")));
    lab.keys("<f5>").idle();
    lab.keys("e").idle();
    assert_eq!(lab.sent(JobKind::Weigh).len(), 4);
}

#[test]
fn the_soup_follows_the_evidence_until_a_person_takes_it() {
    let mut lab = Lab::ready(weighing());
    assert!(lab.state.lab.bench.auto);
    lab.keys("hot -> cold<enter>big ->").idle();
    let soup = told(&lab).auto;
    assert_eq!((&lab.state.lab.bench.soup, names(&soup)[0]), (&soup, "antonym"));
    assert!(!lab.state.lab.bench.can_undo(), "a person did nothing");
    let request = asked(&lab);
    assert_eq!((request.soup, request.by_evidence), (Some(Recipe::Auto), true));
    assert!(request.from.contains(&AnswerFrom::Soup));
    assert_eq!(lab.state.lab.bench.text().unwrap(), "auto");
    let (generation, gain) = lab.state.lab.gain.unwrap();
    assert_eq!((generation, gain.nats), (lab.state.jobs.generation(JobKind::Ask), 0.82));
    // Another query, another soup.
    lab.keys("<enter>nothing -> like it").idle();
    assert_eq!((&lab.state.lab.bench.soup, lab.state.lab.bench.soup.lambda), (&told(&lab).auto, 0.0));
    lab.keys(&"<backspace>".repeat("\nnothing -> like it".len())).idle();
    assert_eq!((lab.state.lab.query_text().as_str(), &lab.state.lab.bench.soup), ("hot -> cold\nbig ->", &soup));

    // Enter on a task of the ranking: the soup is one's own, with that skill in it.
    lab.keys("<esc><down><down><down><enter>");
    let skill = lab.state.lab.selected_skill().unwrap().to_owned();
    assert!(!lab.state.lab.bench.auto);
    assert_eq!(names(&lab.state.lab.bench.soup), [names(&soup), vec![&skill]].concat());
    lab.idle();
    let request = asked(&lab);
    assert_eq!(request.soup, lab.state.lab.bench.soup.to_recipe());
    assert!(request.by_evidence, "the best skill is still the evidence's");
    // It stays one's own, whatever is typed.
    let own = lab.state.lab.bench.soup.clone();
    lab.keys("i<enter>rich -> poor").idle();
    assert_eq!((told(&lab).shots, &lab.state.lab.bench.soup), (2, &own));
    lab.keys(&"<backspace>".repeat("\nrich -> poor".len())).idle();
    assert_eq!(lab.state.lab.bench.soup, own);
    // `u` gives it back to the evidence; `U` takes it again.
    lab.keys("<esc>u");
    assert_eq!((lab.state.lab.bench.auto, &lab.state.lab.bench.soup), (true, &soup));
    lab.idle();
    assert_eq!(asked(&lab).soup, Some(Recipe::Auto));
    lab.keys("U").idle();
    assert_eq!((lab.state.lab.bench.auto, &lab.state.lab.bench.soup), (false, &own));
    assert_eq!(asked(&lab).soup, own.to_recipe());
}

#[test]
fn every_edit_of_the_soup_makes_it_ones_own_and_a_gives_it_back() {
    for edit in ["<home><right>", "<home>m", "<home>x", "r", "C", "<home><enter><ctrl-u>0.25<enter>"] {
        let mut lab = Lab::ready(weighing());
        lab.keys("hot -> cold<enter>big ->").idle();
        let soup = told(&lab).auto;
        lab.keys("<esc>o").keys(edit);
        assert!(!lab.state.lab.bench.auto && lab.state.lab.bench.soup != soup, "{edit}");
        assert!(edit != "C" || lab.state.lab.bench.soup == Soup::default(), "the evidence's λ and window go with its tasks");
        lab.idle();
        assert_ne!(asked(&lab).soup, Some(Recipe::Auto), "{edit}");
        lab.keys("a");
        assert_eq!((lab.state.lab.bench.auto, &lab.state.lab.bench.soup), (true, &soup), "{edit}");
        lab.idle();
        assert_eq!(asked(&lab).soup, Some(Recipe::Auto), "{edit}");
        // And that can be taken back as well.
        lab.keys("u");
        assert!(!lab.state.lab.bench.auto && lab.state.lab.bench.soup != soup, "{edit}");
        lab.keys("uU");
        assert!(!lab.state.lab.bench.auto, "{edit}");
    }
    // What changes nothing leaves it to the evidence; so does moving about in it.
    let mut lab = Lab::ready(weighing());
    lab.keys("hot -> cold<enter>big ->").idle();
    let before = lab.sent(JobKind::Ask).len();
    lab.keys("<esc>o<down><up><home>=<enter>a").idle();
    assert!(lab.state.lab.bench.auto && !lab.state.lab.bench.can_undo());
    assert_eq!(lab.sent(JobKind::Ask).len(), before);
    // It follows what the evidence says by then, not what it said when it was left.
    lab.keys("<home>x").idle();
    lab.keys("<esc>i<enter>France -> Paris").idle();
    let soup = told(&lab).auto;
    lab.keys("<esc>oa");
    assert_eq!((lab.state.lab.bench.auto, &lab.state.lab.bench.soup), (true, &soup));
}

/// Between the change and its undoing the query has changed: the soup that is given back is the
/// evidence's of now.
#[test]
fn a_soup_given_back_by_undo_is_what_the_evidence_says_now() {
    let mut lab = Lab::ready(weighing());
    lab.keys("France -> Paris<enter>").idle();
    let then = told(&lab).auto;
    lab.keys("<esc><down><down><down><enter>").idle();
    lab.keys("i<ctrl-u><backspace>").idle();
    lab.keys("<enter>hot -> cold").idle();
    let now = told(&lab).auto;
    assert_ne!(then, now);
    lab.keys("<esc>u");
    assert!(lab.state.lab.bench.auto);
    lab.idle();
    assert_eq!(asked(&lab).soup, Some(Recipe::Auto));
    assert_eq!(lab.state.lab.bench.soup, now, "the answer on screen is of this soup");
}

#[test]
fn the_list_is_ordered_by_evidence_or_by_similarity() {
    let mut lab = Lab::ready(weighing());
    lab.keys("hot -> cold<enter>big ->").idle();
    let order = |lab: &Lab| lab.state.lab.ranking.as_ref().unwrap().by_task.iter().map(|t| t.task.clone()).collect::<Vec<_>>();
    let similar = common::ranking("hot -> cold\nbig ->", &lab.state.lab.view);
    let by_similarity: Vec<String> = similar.by_task.iter().map(|t| t.task.clone()).collect();
    assert_eq!(order(&lab), by_similarity, "the evidence of these tests is in that order too");
    // Evidence that puts the first after the third and has read five.
    let mut evidence = told(&lab);
    evidence.tasks.truncate(5);
    evidence.tasks[..3].rotate_left(1);
    let by_evidence: Vec<String> = [1, 2, 0].into_iter().chain(3..16).map(|i: usize| by_similarity[i].clone()).collect();
    let generation = lab.state.jobs.generation(JobKind::Weigh);
    lab.keys("<esc>");
    lab.act(Action::Engine(Event::Job { generation, kind: JobKind::Weigh, news: News::Evidence(Arc::new(evidence)) }));
    assert_eq!(order(&lab), by_evidence);
    assert_eq!(lab.state.lab.selected, 0, "the first stays the first");
    assert_eq!(lab.state.lab.selected_skill(), Some(similar.by_task[1].skill.as_str()));
    let sent =
        lab.effects.iter().filter(|e| matches!(e, Effect::Send(j) if matches!(j.request.kind(), JobKind::Rank | JobKind::Weigh))).count();
    lab.keys("<down>");
    let skill = lab.state.lab.selected_skill().unwrap().to_owned();
    lab.keys("e");
    assert_eq!(order(&lab), by_similarity);
    assert_eq!((lab.state.lab.selected, lab.state.lab.selected_skill()), (2, Some(skill.as_str())), "the selection stays on its task");
    lab.keys("e");
    assert_eq!((order(&lab), lab.state.lab.selected), (by_evidence, 1));
    lab.keys("e<f5>");
    assert!(!asked(&lab).by_evidence, "the best skill is the most similar one");
    lab.keys("e<f5>");
    assert!(asked(&lab).by_evidence);
    let now =
        lab.effects.iter().filter(|e| matches!(e, Effect::Send(j) if matches!(j.request.kind(), JobKind::Rank | JobKind::Weigh))).count();
    assert_eq!(sent, now, "all of it was known");
    // Single skills are always in the order of similarity.
    lab.keys("t");
    let skills: Vec<&str> = lab.state.lab.ranking.as_ref().unwrap().ranking.iter().map(|s| s.skill.as_str()).collect();
    assert_eq!(skills, similar.ranking.iter().map(|s| s.skill.as_str()).collect::<Vec<_>>());
}

#[test]
fn an_order_by_evidence_is_of_the_present_query() {
    let mut lab = Lab::ready(weighing());
    lab.keys("hot -> cold<enter>").idle();
    let order = |lab: &Lab| lab.state.lab.ranking.as_ref().unwrap().by_task.iter().map(|t| t.task.clone()).collect::<Vec<_>>();
    let mut evidence = told(&lab);
    evidence.tasks.reverse();
    let turned: Vec<String> = evidence.tasks.iter().map(|t| t.task.clone()).collect();
    let generation = lab.state.jobs.generation(JobKind::Weigh);
    lab.act(Action::Engine(Event::Job { generation, kind: JobKind::Weigh, news: News::Evidence(Arc::new(evidence)) }));
    assert_eq!(order(&lab)[..12], turned);
    // The unfinished line alone: the same examples, the same order.
    lab.keys("b");
    assert_eq!(order(&lab)[..12], turned);
    // Another example: by similarity until its evidence is there.
    lab.keys("ig -> small");
    let similar = common::ranking("hot -> cold\nbig -> small", &lab.state.lab.view);
    assert_eq!(order(&lab), similar.by_task.iter().map(|t| t.task.clone()).collect::<Vec<_>>());
    assert!(lab.state.lab.present_evidence().is_none());
    lab.idle();
    assert!(lab.state.lab.present_evidence().is_some());
}

#[test]
fn an_emptied_query_has_no_evidence_and_no_soup() {
    let mut lab = Lab::ready(weighing());
    lab.answering = false;
    lab.keys("a -> b").idle();
    lab.keys(&"<backspace>".repeat(6));
    assert!(lab.effects.iter().any(|e| matches!(e, Effect::Cancel(JobKind::Weigh))));
    lab.answering = true;
    lab.keys("hot -> cold").idle();
    assert_eq!(names(&lab.state.lab.bench.soup)[0], "antonym");
    let sent = lab.sent(JobKind::Weigh).len();
    lab.keys(&"<backspace>".repeat(11)).idle();
    assert_eq!((lab.state.lab.query_text().as_str(), lab.sent(JobKind::Weigh).len()), ("", sent));
    assert!(lab.state.lab.evidence.is_none() && lab.state.lab.ranking.is_none());
    assert_eq!((lab.state.lab.bench.auto, &lab.state.lab.bench.soup), (true, &Soup::default()));
}

/// What was recorded before there was evidence plays as it did.
#[test]
fn without_evidence_none_is_asked_for_and_the_soup_is_a_persons() {
    assert!(!Options::default().evidence);
    let mut lab = busy(options());
    let own = lab.state.lab.bench.soup.clone();
    assert_eq!(names(&own).len(), 3);
    lab.keys("<esc>i<enter>early -> late<enter>").idle();
    lab.keys("<esc>em]}").idle();
    lab.keys("oa<home>m<esc>").idle();
    lab.keys("<f5>2<esc>1<backtab>e<f5>").idle();
    let muted = state_soup::soup::Ingredient { muted: true, ..own.ingredients[0].clone() };
    assert_eq!(lab.state.lab.bench.soup.ingredients[0], muted);
    assert_eq!(lab.state.lab.bench.soup.ingredients[1..], own.ingredients[1..]);
    assert!(lab.sent(JobKind::Weigh).is_empty() && !lab.sent(JobKind::Rank).is_empty());
    assert!(lab.state.lab.evidence.is_none() && !lab.state.lab.bench.auto && lab.state.lab.weigh_at.is_none());
    for job in lab.sent(JobKind::Ask) {
        let Request::Ask(request) = &job.request else { panic!() };
        assert!(!request.by_evidence && request.soup != Some(Recipe::Auto), "{request:?}");
    }
    let similar = common::ranking(&lab.state.lab.query_text(), &lab.state.lab.view);
    let shown = lab.state.lab.ranking.as_ref().unwrap();
    assert!(shown.by_task.iter().zip(&similar.by_task).all(|(a, b)| a.task == b.task));
}
