//! Applies the engine's reports to the state. Results of older generations are dropped only here.

use super::effect::Effect;
use super::lab::{self, ShownAnswer};
use super::session::Entry;
use super::state::{State, Tab};
use super::update::none;
use super::{decay, experiments, instrument, library, map, screen};
use crate::engine::{Event, Generation, JobKind, News};
use crate::lab::{AnswerFrom, ModelView};
use std::sync::Arc;

/// Applies one event. A job's results count only while no newer job of its kind has been sent.
pub fn apply(state: &mut State, event: Event) -> Vec<Effect> {
    match event {
        Event::Model(model) => take_model(state, model),
        Event::Library(library) => library::take(state, library),
        Event::Job { generation, kind, .. } if !state.jobs.is_current(kind, generation) => Vec::new(),
        Event::Job { generation, kind, news } => take(state, kind, generation, news),
    }
}

fn take_model(state: &mut State, model: Arc<ModelView>) -> Vec<Effect> {
    state.jobs.finish(JobKind::Open);
    state.lab.fit_layers(model.layout.n_layer);
    state.map.request.layer = state.map.request.layer.min(model.layout.n_layer.saturating_sub(1));
    let mut effects = vec![Effect::Journal(Entry::Model(model.fingerprint.clone()))];
    state.model = Some(model);
    effects.extend(lab::query_changed(state));
    if state.tab == Tab::Decay {
        effects.extend(decay::shown(state));
    }
    effects
}

/// Takes a report of the newest job of a kind.
#[allow(clippy::unit_arg)] // `none(change)` keeps one change on one line.
fn take(state: &mut State, kind: JobKind, generation: Generation, news: News) -> Vec<Effect> {
    match news {
        News::Progress { done, total, unit } => none(if !screen::too_soon(state, kind, unit) {
            state.jobs.progress(kind, done, total, unit, state.clock);
        }),
        News::Ranking(ranking) => none(state.lab.take_ranking(ranking)),
        News::Evidence(evidence) => none(state.lab.take_evidence(evidence)),
        News::Gain(gain) => none(state.lab.gain = Some((generation, gain))),
        News::Answer(answer) => none(if let Some(at) = AnswerFrom::ALL.iter().position(|f| *f == answer.from) {
            state.lab.answers[at] = Some(ShownAnswer { answer, generation });
        }),
        News::Map(map) => none(map::take(state, map)),
        News::Decay(view) => none(decay::take(state, view)),
        News::Placed(placed) => none(map::take_placed(state, placed)),
        News::Report(report) => none(state.shelf.report = Some(*report)),
        News::Checked(health) => none(library::take_health(state, health)),
        News::Experiment { report, complete } => experiments::take(state, report, complete),
        News::Loaded { reports, left_out } => none(experiments::loaded(state, reports, &left_out)),
        News::Saved { folders, kept } => none(experiments::saved(state, &folders, &kept)),
        News::Reading(reading) => none(instrument::take(state, reading)),
        News::Done => {
            state.jobs.finish(kind);
            ended(state, kind, None)
        }
        News::Failed { cancelled, message } => failed(state, kind, cancelled, message),
    }
}

fn failed(state: &mut State, kind: JobKind, cancelled: bool, message: String) -> Vec<Effect> {
    state.jobs.finish(kind);
    let ended = ended(state, kind, Some(&message));
    instrument::failed(state, kind);
    if kind == JobKind::Decay && !cancelled {
        // The message stands where the numbers would. It is no notice, because a text being typed
        // is too short until it is long enough.
        decay::refuse(state, message);
    } else if cancelled {
        let standing = if kind == JobKind::Map { map::standing(state) } else { None };
        state.say(standing.unwrap_or_else(|| format!("{} stopped.", kind.about().name)));
    } else {
        state.complain(message);
    }
    ended
}

/// Follows up the end of a job; `failure` says why it failed.
fn ended(state: &mut State, kind: JobKind, failure: Option<&str>) -> Vec<Effect> {
    match kind {
        // Answers that the newest request did not cover (the soup was emptied) are removed at its
        // end.
        JobKind::Ask if failure.is_none() => {
            let newest = state.jobs.generation(JobKind::Ask);
            for slot in &mut state.lab.answers {
                if slot.as_ref().is_some_and(|a| a.generation != newest) {
                    *slot = None;
                }
            }
            Vec::new()
        }
        JobKind::Map if failure.is_none() => map::place_query(state),
        JobKind::Edit => library::next_edit(state),
        JobKind::Experiment => experiments::ended(state, failure.map(str::to_owned)),
        JobKind::Build => {
            library::built(state, failure.is_none());
            // A map requested before the library grew is drawn again once the build has ended.
            if state.tab == Tab::Map { map::shown(state) } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}
