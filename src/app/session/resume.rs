//! A sitting's keys given to the lab again, as fast as it takes them, so that the lab is where it
//! was left.
//!
//! Commands act on what they find (the ranking's first row), so what they may depend on is computed
//! again; answers are not, until the end. What reached the world outside has happened already:
//! changes of the library, copies, saved files, the end.

use super::Input;
use crate::app::effect::Effect;
use crate::app::instrument::sides;
use crate::app::state::State;
use crate::app::{engine_event, update};
use crate::app::{experiments, lab};
use crate::engine::News;
use crate::engine::{JobKind, Request};
use std::collections::VecDeque;

/// What is still to be given.
#[derive(Clone, Debug, PartialEq)]
pub struct Resume {
    /// Inputs with their clock, in order.
    pub inputs: VecDeque<(u64, Input)>,
    /// The model it was done with, by fingerprint, if that is known.
    pub model: Option<String>,
    /// How many keys and pastes there were.
    pub total: usize,
}

impl Resume {
    /// All of a sitting.
    pub fn new(inputs: Vec<(u64, Input)>, model: Option<String>) -> Self {
        Self { total: inputs.iter().filter(|(_, input)| is_done(input)).count(), inputs: inputs.into(), model }
    }

    /// The clock of the last input: where the clock goes on from.
    pub fn clock(&self) -> u64 {
        self.inputs.back().map_or(0, |(clock, _)| *clock)
    }
}

/// Whether a person did it.
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

/// Gives as many inputs as the lab can take now.
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

/// Keeps effects that change nothing outside, and of the jobs those that are `wanted`; the others
/// count as done.
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

/// Ends it, with the answers to what is there now.
fn end(state: &mut State) -> Vec<Effect> {
    let Some(resume) = state.resume.take() else { return Vec::new() };
    // What was deleted then cannot be told from what is there now.
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

/// Leaves the lab where it is; the rest of the inputs is dropped.
pub fn stop(state: &mut State) -> Vec<Effect> {
    end(state)
}
