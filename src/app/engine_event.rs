//! What the engine tells, applied to the state. Results of older generations are dropped here.

use super::effect::Effect;
use super::lab::{self, ShownAnswer};
use super::session::Entry;
use super::state::{State, Tab};
use super::{decay, experiments, instrument, library, map, screen};
use crate::engine::{Event, JobKind};
use crate::lab::AnswerFrom;

/// Applies one event.
pub fn apply(state: &mut State, event: Event) -> Vec<Effect> {
    let clock = state.clock;
    match event {
        Event::Model(model) => {
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
        Event::Evidence { generation, evidence } => {
            if state.jobs.is_current(JobKind::Weigh, generation) {
                state.lab.take_evidence(evidence);
            }
            Vec::new()
        }
        Event::Gain { generation, gain } => {
            if state.jobs.is_current(JobKind::Ask, generation) {
                state.lab.gain = Some((generation, gain));
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
        Event::Decay { generation, view } => {
            if state.jobs.is_current(JobKind::Decay, generation) {
                decay::take(state, view);
            }
            Vec::new()
        }
        Event::Placed { generation, placed } => {
            if state.jobs.is_current(JobKind::Place, generation) {
                map::take_placed(state, placed);
            }
            Vec::new()
        }
        Event::Report { generation, report } => {
            if state.jobs.is_current(JobKind::Inspect, generation) {
                state.shelf.report = Some(*report);
            }
            Vec::new()
        }
        Event::Checked { generation, health } => {
            if state.jobs.is_current(JobKind::Check, generation) {
                library::take_health(state, health);
            }
            Vec::new()
        }
        Event::Experiment { generation, report, complete } => {
            if state.jobs.is_current(JobKind::Experiment, generation) {
                experiments::take(state, report, complete)
            } else {
                Vec::new()
            }
        }
        Event::Loaded { generation, reports, left_out } => {
            if state.jobs.is_current(JobKind::Results, generation) {
                experiments::loaded(state, reports, &left_out);
            }
            Vec::new()
        }
        Event::Saved { generation, folders, kept } => {
            if state.jobs.is_current(JobKind::Results, generation) {
                experiments::saved(state, &folders, &kept);
            }
            Vec::new()
        }
        Event::Instrument { generation, reading } => {
            if state.jobs.is_current(reading.kind(), generation) {
                instrument::take(state, reading);
            }
            Vec::new()
        }
        Event::Done { generation, kind } => {
            if state.jobs.is_current(kind, generation) {
                state.jobs.finish(kind);
                ended(state, kind, None)
            } else {
                Vec::new()
            }
        }
        Event::Failed { generation, kind, cancelled, message } => {
            if !state.jobs.is_current(kind, generation) {
                return Vec::new();
            }
            state.jobs.finish(kind);
            let ended = ended(state, kind, Some(&message));
            instrument::failed(state, kind);
            if kind == JobKind::Decay && !cancelled {
                // It stands where the numbers would: while a text is typed it is too short until it is long enough.
                decay::refuse(state, message);
            } else if cancelled {
                let standing = if kind == JobKind::Map { map::standing(state) } else { None };
                state.say(standing.unwrap_or_else(|| format!("{} stopped.", work_name(kind))));
            } else {
                state.complain(message);
            }
            ended
        }
    }
}

/// What a kind of work is called in sentences.
pub fn work_name(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Open => "Loading the model",
        JobKind::Build => "Building the library",
        JobKind::Check => "Checking the library",
        JobKind::Rank => "Ranking",
        JobKind::Weigh => "Reading the evidence",
        JobKind::Ask => "Answering",
        JobKind::Map => "Drawing the map",
        JobKind::Decay => "Comparing the rules",
        JobKind::Place => "Placing the query",
        JobKind::Inspect => "Reading the skill",
        JobKind::Edit => "Changing the library",
        JobKind::Experiment => "Measuring",
        JobKind::Results => "Reading or writing the results",
        JobKind::Ecg => "The skill ECG",
        JobKind::Landscape => "The landscape",
        JobKind::Attribution => "The attribution",
        JobKind::Verdict => "The verdict",
        JobKind::Autopsy => "The autopsy",
        JobKind::Compare => "Comparing the soups",
    }
}

/// What follows a job's end; `failure` says why it ended badly.
fn ended(state: &mut State, kind: JobKind, failure: Option<&str>) -> Vec<Effect> {
    match kind {
        // Answers that the newest request did not ask for (the soup was emptied) go with its end.
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
            // The map that was asked for before the library grew is drawn again once the library is at rest.
            if state.tab == Tab::Map { map::shown(state) } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}
