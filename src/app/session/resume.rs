//! Replays a sitting's keys to the lab, as fast as the lab takes them, so that it ends where it was
//! left.
//!
//! Commands act on what is on screen (the ranking's first row), so results that they may depend on
//! are computed again. Answers are computed only at the end. Effects on the world outside are not
//! repeated: changes of the library, copies, saved files, quitting.

use super::Input;
use crate::app::effect::Effect;
use crate::app::instrument::sides;
use crate::app::state::State;
use crate::app::{engine_event, experiments, lab, update};
use crate::engine::{JobKind, News, Request};
use std::collections::VecDeque;

/// The inputs still to be replayed.
#[derive(Clone, Debug, PartialEq)]
pub struct Resume {
    /// Inputs with their clock, in order.
    pub inputs: VecDeque<(u64, Input)>,
    /// The fingerprint of the model it was made with, if known.
    pub model: Option<String>,
    /// Total number of keys and pastes.
    pub total: usize,
}

impl Resume {
    /// The whole of a sitting.
    pub fn new(inputs: Vec<(u64, Input)>, model: Option<String>) -> Self {
        Self { total: inputs.iter().filter(|(_, input)| is_done(input)).count(), inputs: inputs.into(), model }
    }

    /// The clock of the last input, from which the clock continues.
    pub fn clock(&self) -> u64 {
        self.inputs.back().map_or(0, |(clock, _)| *clock)
    }
}

/// Whether the input came from a person.
fn is_done(input: &Input) -> bool {
    !matches!(input, Input::Snapshots(_))
}

/// Whether the lab can take the next input.
fn ready(state: &State) -> bool {
    let building = state.jobs.is_running(JobKind::Build) || state.library.as_ref().is_none_or(|l| l.missing > 0 && l.skills.is_empty());
    if state.model.is_none() || building {
        return false;
    }
    // Text needs no results.
    let next = state.resume.as_ref().and_then(|r| r.inputs.front());
    let text = state.takes_text() && next.is_some_and(|(_, input)| !matches!(input, Input::Key(key) if key.typed().is_none()));
    text || !state.jobs.kinds().any(|kind| kind.about().awaited)
}

/// Replays as many inputs as the lab can take now.
pub fn go_on(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    while state.resume.is_some() && ready(state) {
        let Some((clock, input)) = state.resume.as_mut().and_then(|r| r.inputs.pop_front()) else {
            effects.extend(end(state));
            break;
        };
        state.clock = state.clock.max(clock);
        let mut made = update::due(state);
        made.extend(super::input(state, input));
        effects.extend(only(state, made, |request| request.kind().about().awaited));
        state.quitting = false;
    }
    effects
}

/// Keeps the effects that change nothing outside, and of the jobs those that are `wanted`; the
/// other jobs count as done.
pub fn only(state: &mut State, made: Vec<Effect>, wanted: fn(&Request) -> bool) -> Vec<Effect> {
    let mut kept = Vec::new();
    let mut queue = VecDeque::from(made);
    while let Some(effect) = queue.pop_front() {
        match effect {
            Effect::Send(job) if !wanted(&job.request) => {
                queue.extend(engine_event::apply(state, job.event(News::Done)));
            }
            Effect::Send(_) | Effect::Cancel(_) | Effect::ListSittings | Effect::Redraw => kept.push(effect),
            _ => {}
        }
    }
    kept
}

/// Ends the replay, and requests the answers to the current query.
fn end(state: &mut State) -> Vec<Effect> {
    let Some(resume) = state.resume.take() else { return Vec::new() };
    // The log of that sitting's deletions may no longer match the library.
    state.shelf.undo.clear();
    let left = resume.inputs.iter().filter(|(_, input)| is_done(input)).count();
    let mut effects = sides::settle(state);
    let same = resume.model.is_none() || resume.model.as_deref() == state.model.as_deref().map(|m| m.fingerprint.as_str());
    if left > 0 {
        state.say(format!("Stopped: {} of {} keys were given again.", resume.total - left, resume.total));
    } else if same {
        state.say(format!("You are where you were: {} keys were given again.", resume.total));
    } else {
        state.complain("That sitting was with another model: the same keys were given to this one, and its results differ.");
    }
    effects.extend(lab::query_changed(state));
    effects.extend(experiments::look_again(state));
    effects
}

/// Stops the replay where it is; the remaining inputs are dropped.
pub fn stop(state: &mut State) -> Vec<Effect> {
    end(state)
}
