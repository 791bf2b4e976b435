//! Runs: one at a time, the others queued.

use super::results::save;
use crate::app::effect::Effect;
use crate::app::state::State;
use crate::engine::Request;
use crate::experiment::{ALL, Report};
use std::sync::Arc;

/// Starts the next experiment, if none is running.
pub fn next(state: &mut State) -> Vec<Effect> {
    if state.experiments.running.is_some() {
        return Vec::new();
    }
    let Some(index) = state.experiments.queue.pop_front() else { return Vec::new() };
    state.experiments.running = Some(index);
    let entry = &mut state.experiments.entries[index];
    (entry.partial, entry.failed) = (None, None);
    let request = Request::Experiment { name: ALL[index].name.into(), settings: state.experiments.settings() };
    vec![state.jobs.send(request, state.clock)]
}

/// Takes a report of the running one; a complete report is written to the results folder.
pub fn take(state: &mut State, report: Arc<Report>, complete: bool) -> Vec<Effect> {
    let Some(index) = state.experiments.running else { return Vec::new() };
    let entry = &mut state.experiments.entries[index];
    if !complete {
        entry.partial = Some(report);
        return Vec::new();
    }
    (entry.report, entry.partial, entry.loaded) = (Some(Arc::clone(&report)), None, false);
    let Some(dir) = state.experiments.results.clone() else { return Vec::new() };
    save(state, dir, vec![report], false)
}

/// The running one has ended. `failure` says why it failed; `None` if it completed or was
/// cancelled.
pub fn ended(state: &mut State, failure: Option<String>) -> Vec<Effect> {
    if let Some(index) = state.experiments.running.take() {
        let entry = &mut state.experiments.entries[index];
        entry.failed = failure;
        if entry.report.is_some() {
            entry.partial = None;
        }
    }
    next(state)
}

/// Cancels the running one and empties the queue; complete reports stay.
pub fn stop(state: &mut State) {
    state.experiments.queue.clear();
    // The queue is empty, so nothing follows.
    ended(state, None);
}
