//! Plays a session without a terminal.
//!
//! The clock is virtual: once the engine is at rest, it jumps to the state's next deadline. So a
//! pause takes no time, and a session gives the same results on a slow machine and on a fast one.

use crate::app::decay::DecayAction;
use crate::app::session::{self, Session, expect::compare};
use crate::app::show::leaves_no_file;
use crate::app::{Action, Effect, Options, State, update};
use crate::control::Control;
use crate::engine::{Engine, Event, JobKind, News, Open};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// The report of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Its number, from 1.
    pub step: usize,
    /// Its chapter, if it starts one.
    pub chapter: String,
    /// Expectations that hold.
    pub held: Vec<String>,
    /// Expectations that do not, each with the value found instead.
    pub broken: Vec<String>,
}

/// Who watches a session that is played without a terminal.
pub trait Audience {
    /// Whether [`Self::key`] is of interest: then what each key alone leads to is waited for.
    fn watches_keys(&self) -> bool;

    /// A key of a step (from 1) was pressed, and what the lab does at once is done.
    ///
    /// # Errors
    /// Whatever ends the session.
    fn key(&mut self, step: usize, state: &State) -> Result<()>;

    /// A step has come to rest.
    ///
    /// # Errors
    /// Whatever ends the session.
    fn step(&mut self, report: &StepReport, state: &State) -> Result<()>;
}

/// An audience that looks at the steps only.
struct Steps<'a>(&'a mut dyn FnMut(&StepReport, &State) -> Result<()>);

impl Audience for Steps<'_> {
    fn watches_keys(&self) -> bool {
        false
    }

    fn key(&mut self, _: usize, _: &State) -> Result<()> {
        Ok(())
    }

    fn step(&mut self, report: &StepReport, state: &State) -> Result<()> {
        (self.0)(report, state)
    }
}

struct Player {
    /// Whether changes of the library count as already made.
    sitting: bool,
    state: State,
    engine: Engine,
    events: Receiver<Event>,
}

/// Plays `session` on the lab that `open` opens; `seen` gets each step's report and the state after
/// it. Progress counts steps.
///
/// # Errors
/// The engine's error if there is no model; [`Error::Input`] if `options` bind keys wrongly;
/// [`Error::Cancelled`]; any error that `seen` returns. An expectation that does not hold is not an
/// error: it is in the reports.
pub fn play(
    session: &Session,
    options: Options,
    open: Open,
    control: Control<'_>,
    seen: &mut dyn FnMut(&StepReport, &State) -> Result<()>,
) -> Result<Vec<StepReport>> {
    play_to(session, options, open, control, &mut Steps(seen))
}

/// Plays as [`play`] does, to an audience that may look at every key.
///
/// # Errors
/// As [`play`]; whatever the audience returns.
pub fn play_to(
    session: &Session,
    options: Options,
    open: Open,
    control: Control<'_>,
    audience: &mut dyn Audience,
) -> Result<Vec<StepReport>> {
    let (send, events) = channel();
    let tell = Arc::new(move |event| {
        // After the last step the receiver is gone and nothing is lost: the engine ends next.
        let _ = send.send(event);
    });
    // The session decides whether the evidence is used.
    let options = Options { evidence: session.evidence, ..options };
    let mut player = Player { sitting: session.sitting, state: State::new(options)?, engine: Engine::start(open, tell)?, events };
    player.opened(control)?;
    let mut reports = Vec::new();
    for (i, step) in session.step.iter().enumerate() {
        control.report(i as u64, session.step.len() as u64, "steps");
        for input in step.inputs().map_err(Error::Input)? {
            // A command acts on what is on screen (the ranking's first row), so it waits for
            // results; text does not.
            if !player.state.takes_text() {
                player.rest(control)?;
            }
            let effects = session::input(&mut player.state, input);
            player.carry_out(effects);
            if audience.watches_keys() {
                player.results(control)?;
                audience.key(i + 1, &player.state)?;
            }
        }
        player.rest(control)?;
        let (held, broken) = compare(&step.expect, &player.state);
        let report = StepReport { step: i + 1, chapter: step.chapter.clone(), held, broken };
        audience.step(&report, &player.state)?;
        reports.push(report);
        if player.state.quitting {
            break;
        }
    }
    Ok(reports)
}

impl Player {
    fn apply(&mut self, action: Action) {
        let effects = update(&mut self.state, action);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(job) if self.sitting && job.request.kind() == JobKind::Edit || !leaves_no_file(&job.request) => {
                    self.apply(Action::Engine(job.event(News::Done)));
                }
                Effect::Send(job) => self.engine.send(job),
                Effect::Cancel(kind) => self.engine.cancel(kind),
                Effect::ReadDocument(path) => {
                    let text = crate::text::file(&path);
                    self.apply(Action::Decay(DecayAction::opened(path, text)));
                }
                // There is no terminal to copy to, to save a picture of, or to release, and no
                // sitting to record or to leave.
                Effect::Copy(_)
                | Effect::SaveCopy(_)
                | Effect::Mouse(_)
                | Effect::SaveFrame(_)
                | Effect::Redraw
                | Effect::Suspend
                | Effect::Quit
                | Effect::Journal(_)
                | Effect::SaveSession(_)
                | Effect::Snapshots { .. }
                | Effect::ListSittings
                | Effect::Resume(_)
                | Effect::Play(_) => {}
            }
        }
    }

    /// The next event of the engine.
    fn event(&mut self, control: Control<'_>) -> Result<Event> {
        loop {
            control.check()?;
            match self.events.recv_timeout(Duration::from_millis(50)) {
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Model("the engine has stopped".into())),
            }
        }
    }

    /// Waits for the model and the library, or for the reason why there is none.
    fn opened(&mut self, control: Control<'_>) -> Result<()> {
        while self.state.model.is_none() || self.state.library.is_none() {
            let event = self.event(control)?;
            if let Event::Job { kind: JobKind::Open, news: News::Failed { message, .. }, .. } = &event {
                return Err(Error::Model(message.clone()));
            }
            self.apply(Action::Engine(event));
        }
        self.rest(control)
    }

    /// Until nothing runs; what a pause would begin is not begun.
    fn results(&mut self, control: Control<'_>) -> Result<()> {
        while self.state.jobs.any() {
            let event = self.event(control)?;
            self.apply(Action::Engine(event));
        }
        Ok(())
    }

    /// Until nothing runs and no work is due.
    fn rest(&mut self, control: Control<'_>) -> Result<()> {
        loop {
            while let Ok(event) = self.events.try_recv() {
                self.apply(Action::Engine(event));
            }
            if self.state.jobs.any() {
                let event = self.event(control)?;
                self.apply(Action::Engine(event));
                continue;
            }
            match self.state.work_at() {
                Some(at) => self.apply(Action::Tick(at.max(self.state.clock + 1))),
                None => return Ok(()),
            }
        }
    }
}
