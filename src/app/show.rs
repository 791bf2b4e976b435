//! A session played on the screen. Its keys are typed at a set speed, the lab comes to rest after
//! each step, and each chapter waits for the presenter. Everything happens in `update`, driven by
//! the clock and by the engine's events.

use super::effect::Effect;
use super::instrument::sides;
use super::key::{Key, KeyCode};
use super::session::expect::compare;
use super::session::{self, Input, Session, resume};
use super::state::State;
use super::update::update;
use crate::engine::{JobKind, Request, ResultsRequest};

/// Initial speed in keys per second.
pub const SPEED: f64 = 12.0;
/// The pause after a command, in multiples of that after a character, so that the audience can
/// follow.
const COMMAND: f64 = 6.0;
/// Milliseconds of pause after a step, at the initial speed.
const REST: f64 = 1500.0;

/// The phase of the show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Waits for the presenter: before the first step and before every chapter.
    Waiting,
    /// Types the keys of a step.
    Typing,
    /// Waits for the lab to come to rest after a step.
    Settling,
    /// Has played every step.
    Over,
}

/// A session on the screen.
#[derive(Clone, Debug)]
pub struct Show {
    /// The session.
    pub session: Session,
    /// The inputs of every step.
    inputs: Vec<Vec<Input>>,
    /// The current step, or the next one while the show waits.
    pub step: usize,
    /// The index of the next input in the step.
    key: usize,
    /// The current phase.
    pub phase: Phase,
    /// Speed in keys per second.
    pub speed: f64,
    /// Whether this step is typed without pauses.
    rush: bool,
    /// The clock at which it continues.
    next_at: u64,
    /// Whether it is played on a copy of the library.
    pub on_copy: bool,
    /// Expectations that held.
    pub held: usize,
    /// Expectations that did not hold, as sentences.
    pub broken: Vec<String>,
}

impl Show {
    /// A show at its beginning.
    ///
    /// # Errors
    /// A sentence that names an invalid key.
    pub fn new(session: Session, speed: f64) -> Result<Self, String> {
        let inputs = session.step.iter().map(session::Step::inputs).collect::<Result<_, _>>()?;
        let (step, key, phase, rush) = (0, 0, Phase::Waiting, false);
        Ok(Self { session, inputs, step, key, phase, speed, rush, next_at: 0, on_copy: false, held: 0, broken: Vec::new() })
    }

    /// The step whose chapter and note are shown now: while the show waits, the step just played.
    pub fn told(&self) -> Option<usize> {
        if self.phase == Phase::Waiting { self.step.checked_sub(1) } else { Some(self.step.min(self.session.step.len() - 1)) }
    }

    /// The chapter of a step: the last one that was named.
    pub fn chapter(&self, step: usize) -> &str {
        let named = self.session.step.iter().take(step + 1).rev().find(|s| !s.chapter.is_empty());
        named.map_or("", |s| &s.chapter)
    }

    /// The clock at which it continues by itself, if it does.
    pub fn wake_at(&self, clock: u64) -> Option<u64> {
        (matches!(self.phase, Phase::Typing | Phase::Settling) && self.next_at > clock).then_some(self.next_at)
    }

    fn let_go(&mut self, clock: u64) {
        match self.phase {
            Phase::Waiting => (self.phase, self.next_at) = (Phase::Typing, clock),
            Phase::Typing | Phase::Settling => (self.rush, self.next_at) = (true, clock),
            Phase::Over => {}
        }
    }

    /// Advances to the next step; the show waits if that starts a chapter.
    fn advance(&mut self, clock: u64) {
        self.step += 1;
        self.key = 0;
        self.phase = match self.session.step.get(self.step) {
            None => Phase::Over,
            Some(step) if step.chapter.is_empty() => Phase::Typing,
            Some(_) => Phase::Waiting,
        };
        self.next_at = if self.rush { clock } else { clock + (REST * SPEED / self.speed) as u64 };
        self.rush = false;
    }
}

/// A key pressed by the presenter. Only the show's keys and those that work everywhere count;
/// others would disturb the show.
pub fn key(state: &mut State, key: Key) -> Vec<Effect> {
    let clock = state.clock;
    let command = state.keymap.command(state, key).filter(|c| c.over_overlays && key.typed().is_none());
    let Some(show) = &mut state.show else { return Vec::new() };
    match (key.code, key.typed()) {
        (_, Some(' ')) | (KeyCode::PageDown | KeyCode::Enter, _) if show.phase != Phase::Over => show.let_go(clock),
        (_, Some('+' | '=')) => show.speed = (show.speed * 1.5).min(200.0),
        (_, Some('-')) => show.speed = (show.speed / 1.5).max(1.0),
        (_, Some(' ' | 'q')) | (KeyCode::PageDown | KeyCode::Enter | KeyCode::Esc, _) => {
            let copy = if show.on_copy { " (Its library is a copy: what you change in it is not kept.)" } else { "" };
            state.show = None;
            state.say(format!("The session ends here; the lab is yours.{copy}"));
            return sides::settle(state);
        }
        _ => {
            let Some(command) = command else { return Vec::new() };
            let action = (command.action)(state);
            return update(state, action);
        }
    }
    go_on(state)
}

/// Whether a request writes no report of an experiment.
pub fn leaves_no_file(request: &Request) -> bool {
    !matches!(request, Request::Results(ResultsRequest::Save { .. }))
}

/// Types the inputs that are due.
pub fn go_on(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    loop {
        let clock = state.clock;
        let opened = state.model.is_some() && state.library.is_some();
        let (busy, text) = (state.jobs.any(), state.takes_text());
        let due = state.work_at().is_some();
        let Some(show) = state.show.as_mut().filter(|show| opened && show.next_at <= clock) else { break };
        match show.phase {
            Phase::Waiting | Phase::Over => break,
            // A command acts on what is on screen, so it waits for running results; text does not.
            Phase::Typing if busy && !text => break,
            Phase::Typing => match show.inputs[show.step].get(show.key).cloned() {
                None => show.phase = Phase::Settling,
                Some(input) => {
                    show.key += 1;
                    let pace = match &input {
                        Input::Key(key) if text && key.typed().is_some() => 1.0,
                        Input::Snapshots(_) => 0.0,
                        Input::Key(_) | Input::Paste(_) => COMMAND,
                    };
                    show.next_at = if show.rush { clock } else { clock + (1000.0 * pace / show.speed) as u64 };
                    effects.extend(session::input(state, input));
                }
            },
            Phase::Settling if busy || due => break,
            Phase::Settling => {
                let expect = show.session.step[show.step].expect.clone();
                let (held, broken) = compare(&expect, state);
                if let Some(show) = &mut state.show {
                    show.held += held.len();
                    show.broken.extend(broken);
                    show.advance(clock);
                }
            }
        }
    }
    // A show leaves no files and does not end the program; only the presenter ends it.
    let Some(show) = &state.show else { return effects };
    let wanted = if show.session.sitting { |r: &Request| leaves_no_file(r) && r.kind() != JobKind::Edit } else { leaves_no_file };
    state.quitting = false;
    resume::only(state, effects, wanted)
}
