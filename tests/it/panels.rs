//! What the keys of the Lab's instruments do, as macros on the state with its deterministic engine.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use crate::common::{self, Lab, busy, options};
use state_soup::app::instrument::Panel;
use state_soup::app::overlay::Overlay;
use state_soup::app::{Action, Effect};
use state_soup::engine::{Event, JobKind, News, Request};
use state_soup::lab::Instrument;
use std::sync::Arc;

fn weights(lab: &Lab) -> Vec<f64> {
    lab.state.lab.bench.soup.ingredients.iter().map(|i| i.weight).collect()
}

fn panel(lab: &Lab) -> &Panel {
    let Some(Overlay::Instrument(panel)) = &lab.state.overlay else { panic!("no panel is open: {:?}", lab.state.notice) };
    panel
}

fn soup_answer(lab: &Lab) -> Option<String> {
    lab.state.lab.answers[3].as_ref().map(|a| a.answer.origin.clone())
}

#[test]
fn the_other_soup_is_kept_whole_with_its_answer_and_history() {
    let mut lab = busy(options());
    let (first, answer) = (weights(&lab), soup_answer(&lab));
    assert!(answer.is_some());
    lab.keys("b");
    assert_eq!((weights(&lab), lab.state.lab.instruments.sides.letter()), (first.clone(), Some("B")));
    lab.keys("<home><right>").idle();
    assert_eq!(weights(&lab)[0], 0.7);
    let other = soup_answer(&lab);
    assert_ne!(other, answer);
    lab.answering = false;
    lab.keys("b");
    assert_eq!((weights(&lab), soup_answer(&lab)), (first.clone(), answer), "A as it was, its answer at once");
    let asked = lab.sent(JobKind::Ask).len();
    lab.idle();
    assert_eq!(lab.sent(JobKind::Ask).len(), asked + 1, "and asked again, as the query may have changed");
    lab.keys("b");
    assert_eq!((weights(&lab)[0], soup_answer(&lab)), (0.7, other));
    lab.keys("u");
    assert_eq!(weights(&lab), first, "B's own history");
    lab.keys("Ub<home>=<ctrl-u>0.1<enter>B");
    let [a, b] = lab.state.lab.instruments.sides.both(&lab.state.lab.bench).unwrap();
    assert_eq!((a, b.ingredients[0].weight), (b, 0.1), "B is now the same");
    lab.keys("bu");
    assert_eq!(weights(&lab)[0], 0.7, "and what it was is not lost");
}

#[test]
fn snapshots_are_taken_named_restored_and_deleted() {
    let mut lab = busy(options());
    lab.keys("w<home><right>ww");
    let names = |lab: &Lab| lab.state.lab.instruments.sides.snapshots.iter().map(|s| s.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&lab), ["soup 1", "soup 2"], "the same soup is kept once");
    lab.keys("Wr<ctrl-u>evenings<enter><down>r<ctrl-u>evenings<enter>");
    let Panel::Snapshots { naming, .. } = panel(&lab) else { panic!() };
    assert!(naming.is_some(), "a name that is taken is refused");
    lab.keys("<esc>");
    assert_eq!(names(&lab), ["evenings", "soup 2"]);
    lab.keys("xu<home>");
    assert_eq!(names(&lab), ["evenings", "soup 2"]);
    lab.keys("<enter>");
    assert!(lab.state.overlay.is_none());
    assert_eq!(weights(&lab)[0], 0.6);
    lab.keys("u");
    assert_eq!(weights(&lab)[0], 0.7, "restoring is undone like any change");
    lab.keys("W<end>x<esc>");
    assert_eq!(names(&lab), ["evenings"]);
    lab.keys("Wb");
    assert_eq!(lab.state.lab.instruments.sides.both(&lab.state.lab.bench).unwrap()[1].ingredients[0].weight, 0.6);
}

#[test]
fn the_diff_asks_both_soups_at_the_present_query() {
    let mut lab = busy(options());
    lab.keys("D");
    assert!(lab.state.overlay.is_none() && lab.state.notice.is_some(), "there is only one soup");
    lab.keys("b<home><right>D");
    let Request::Instrument(asked) = &lab.sent(JobKind::Compare)[0].request else { panic!() };
    let Instrument::Compare(request) = &**asked else { panic!() };
    let soups = request.soups.each_ref().map(|s| s.as_ref().unwrap().to_string());
    assert!(soups[0].contains("0.6*") && soups[1].contains("0.7*"), "{soups:?}");
    assert_eq!(request.ask.target.as_deref(), Some("small"));
    let view = lab.state.lab.instruments.comparison.as_ref().unwrap();
    assert_ne!(view.answers[0].as_ref().unwrap().target_logprob, view.answers[1].as_ref().unwrap().target_logprob);
    lab.keys("<esc>bD");
    assert_eq!(lab.sent(JobKind::Compare).len(), 1, "what is known is not asked again, whichever side is on the bench");
}

#[test]
fn layers_are_weighed_with_keys() {
    let mut lab = busy(options());
    lab.keys("c");
    assert_eq!(lab.state.lab.bench.soup.layer_weights, Some(vec![1.0; 12]));
    lab.keys("ccc<end>]]<left><shift-right>");
    let curve = lab.state.lab.bench.soup.layer_weights.clone().unwrap();
    assert_eq!(lab.state.lab.bench.layer, 2);
    assert_eq!(curve[5..7], [1.0, 1.0], "the bump is where the ranking looks");
    let bump = state_soup::app::soup_edit::curve::CurveShape::Bump.weights(12, &(5..7));
    assert!((curve[2] - (bump[2] - 0.09)).abs() < 1e-9, "{curve:?}");
    lab.keys("[[<enter><ctrl-u>0.75<enter>");
    assert_eq!(lab.state.lab.bench.soup.layer_weights.as_ref().unwrap()[0], 0.75);
    lab.idle();
    assert!(soup_answer(&lab).unwrap().contains("0.75"));
    lab.keys("z");
    assert_eq!(lab.state.lab.bench.soup.layer_weights, None);
    lab.keys("u");
    assert_eq!(lab.state.lab.bench.soup.layer_weights.as_ref().unwrap()[0], 0.75);
}

#[test]
fn the_ecg_starts_at_the_rankings_last_token_and_is_scrubbed() {
    let mut lab = busy(options());
    lab.keys("E");
    let view = Arc::clone(lab.state.lab.instruments.ecg.as_ref().unwrap());
    let cursor = |lab: &Lab| if let Panel::Ecg { cursor } = panel(lab) { *cursor } else { panic!() };
    assert!(view.ranked < view.tokens.len());
    assert_eq!(cursor(&lab), view.ranked - 1);
    lab.keys("<left><left>");
    assert_eq!(cursor(&lab), view.ranked - 3);
    lab.keys("<end><right>");
    assert_eq!(cursor(&lab), view.tokens.len() - 1);
    lab.keys("<esc>E");
    assert_eq!(lab.sent(JobKind::Ecg).len(), 1);
    lab.keys("<esc>i!<esc>E");
    assert_eq!(lab.sent(JobKind::Ecg).len(), 2, "another query is read anew");
    lab.keys("<esc>i<enter>a -> b<enter>c -><esc>E");
    let view = lab.state.lab.instruments.ecg.as_ref().unwrap();
    assert_eq!(cursor(&lab), view.ranked - 1, "and the cursor is at its end");
}

#[test]
fn the_landscape_sets_the_weights() {
    let mut lab = busy(options());
    lab.keys("<home><down><down>l<up><up>T");
    let mix = |lab: &Lab| if let Panel::Landscape { mix } = panel(lab) { mix.clone() } else { panic!() };
    assert_eq!(mix(&lab), [10, 4, 2], "the mix nearest to 0.6, 0.25, 0.15");
    lab.keys("<up><up><right>");
    assert_eq!(mix(&lab), [12, 1, 3]);
    lab.keys("b");
    assert_eq!(mix(&lab), [8, 3, 5], "the likeliest");
    lab.keys("<enter>");
    assert!(lab.state.overlay.is_none());
    assert_eq!(weights(&lab), [0.5, 0.1875, 0.3125]);
    lab.keys("u");
    assert_eq!(weights(&lab), [0.6, 0.25, 0.15]);
    lab.keys("T<esc>");
    assert_eq!(lab.sent(JobKind::Landscape).len(), 1, "other weights, the same landscape");
    lab.keys("mT<right><right><enter>");
    assert_eq!(weights(&lab)[0], 0.6, "a muted ingredient keeps its weight");
    assert_eq!(weights(&lab)[1..].iter().sum::<f64>(), 1.0);
    lab.keys("<down>mT");
    assert!(lab.state.overlay.is_none(), "one ingredient has no landscape");
    assert!(lab.state.notice.as_ref().unwrap().text.contains("two or three"));
}

#[test]
fn what_is_missing_is_said() {
    let mut lab = busy(options());
    lab.keys("<tab>t<ctrl-u><enter>A");
    assert!(lab.state.notice.as_ref().unwrap().text.contains("target"));
    lab.keys("T");
    assert!(lab.state.notice.as_ref().unwrap().text.contains("target"));
    lab.keys("oCV");
    assert!(lab.state.notice.as_ref().unwrap().text.contains("soup"));
    lab.keys("X");
    assert!(lab.state.overlay.is_none());
    assert_eq!([JobKind::Attribution, JobKind::Landscape, JobKind::Verdict, JobKind::Autopsy].map(|k| lab.sent(k).len()), [0; 4]);
}

#[test]
fn work_of_a_closed_panel_is_called_off_and_failures_are_seen() {
    let mut lab = busy(options());
    lab.answering = false;
    lab.keys("A<esc>");
    assert!(lab.effects.iter().any(|e| matches!(e, Effect::Cancel(JobKind::Attribution))));
    lab.keys("X");
    let generation = lab.state.jobs.generation(JobKind::Autopsy);
    lab.act(Action::Engine(Event::Job {
        generation,
        kind: JobKind::Autopsy,
        news: News::Failed { cancelled: false, message: "It broke.".into() },
    }));
    assert!(lab.state.overlay.is_none() && lab.state.notice.as_ref().unwrap().text == "It broke.");
    lab.keys("<esc>V<esc>");
    assert!(lab.effects.iter().any(|e| matches!(e, Effect::Cancel(JobKind::Verdict))), "the verdict runs without a panel; Esc stops it");
}

#[test]
fn readings_of_an_older_request_are_dropped() {
    let mut lab = busy(options());
    lab.answering = false;
    lab.keys("V");
    let old = lab.sent(JobKind::Verdict)[0].clone();
    lab.keys("VV");
    for event in common::replies(&old) {
        lab.act(Action::Engine(event));
    }
    assert!(lab.state.lab.instruments.verdict.is_none());
    let new = lab.sent(JobKind::Verdict)[1].clone();
    for event in common::replies(&new) {
        lab.act(Action::Engine(event));
    }
    assert_eq!(lab.state.lab.instruments.verdict.as_ref().unwrap().against.len(), 2);
}
