//! What the engine tells, applied to the state. Results of older generations are dropped here.

use super::effect::Effect;
use super::lab::{self, ShownAnswer};
use super::state::{State, Tab};
use super::{library, map, screen};
use crate::engine::{AnswerFrom, Event, JobKind};

/// Applies one event.
pub fn apply(state: &mut State, event: Event) -> Vec<Effect> {
    let clock = state.clock;
    match event {
        Event::Model(model) => {
            state.jobs.finish(JobKind::Open);
            state.lab.fit_layers(model.shape.n_layer);
            state.map.request.layer = state.map.request.layer.min(model.shape.n_layer.saturating_sub(1));
            state.model = Some(model);
            lab::query_changed(state)
        }
        Event::Library(library) => library::take(state, library),
        Event::Progress { generation, kind, done, total, unit } => {
            if state.jobs.is_current(kind, generation) && !screen::too_soon(state, kind, unit) {
                state.jobs.progress(kind, done, total, unit, clock);
            }
            Vec::new()
        }
        Event::Ranking { generation, ranking } => {
            if state.jobs.is_current(JobKind::Rank, generation) {
                state.lab.take_ranking(ranking);
            }
            Vec::new()
        }
        Event::Answer { generation, answer } => {
            if state.jobs.is_current(JobKind::Ask, generation)
                && let Some(at) = AnswerFrom::ALL.iter().position(|f| *f == answer.from)
            {
                state.lab.answers[at] = Some(ShownAnswer { answer, generation });
            }
            Vec::new()
        }
        Event::Map { generation, map } => {
            if state.jobs.is_current(JobKind::Map, generation) {
                map::take(state, map);
            }
            Vec::new()
        }
        Event::Report { generation, report } => {
            if state.jobs.is_current(JobKind::Inspect, generation) {
                state.shelf.report = Some(*report);
            }
            Vec::new()
        }
        Event::Done { generation, kind } => {
            if state.jobs.is_current(kind, generation) {
                state.jobs.finish(kind);
                ended(state, kind, true)
            } else {
                Vec::new()
            }
        }
        Event::Failed { generation, kind, cancelled, message } => {
            if !state.jobs.is_current(kind, generation) {
                return Vec::new();
            }
            state.jobs.finish(kind);
            if cancelled {
                state.say(format!("{} stopped.", work_name(kind)));
            } else {
                state.complain(message);
            }
            ended(state, kind, false)
        }
    }
}

/// What a kind of work is called in sentences.
pub fn work_name(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Open => "Loading the model",
        JobKind::Build => "Building the library",
        JobKind::Rank => "Ranking",
        JobKind::Ask => "Answering",
        JobKind::Map => "Drawing the map",
        JobKind::Inspect => "Reading the skill",
        JobKind::Edit => "Changing the library",
    }
}

fn ended(state: &mut State, kind: JobKind, well: bool) -> Vec<Effect> {
    match kind {
        // Answers that the newest request did not ask for (the soup was emptied) go with its end.
        JobKind::Ask if well => {
            let newest = state.jobs.generation(JobKind::Ask);
            for slot in &mut state.lab.answers {
                if slot.as_ref().is_some_and(|a| a.generation != newest) {
                    *slot = None;
                }
            }
            Vec::new()
        }
        JobKind::Edit => library::next_edit(state),
        // The map that was asked for before the library grew is drawn again once the library is at rest.
        JobKind::Build if state.tab == Tab::Map => map::shown(state),
        _ => Vec::new(),
    }
}
