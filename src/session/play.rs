//! Playing a session without a terminal.
//!
//! The clock is virtual: it jumps to the next deadline of the state once the engine is at rest, so that a pause costs no time and a
//! session gives the same on a slow machine and on a fast one.

use super::file::{Expect, Session};
use crate::app::{Action, Effect, Options, State, update};
use crate::control::Control;
use crate::engine::{AnswerFrom, Engine, Event, JobKind, Open};
use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How a step went.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// Its number, from 1.
    pub step: usize,
    /// Its chapter, if it starts one.
    pub chapter: String,
    /// Expectations that hold.
    pub held: Vec<String>,
    /// Expectations that do not, each with what was found instead.
    pub broken: Vec<String>,
}

struct Player {
    state: State,
    engine: Engine,
    events: Receiver<Event>,
}

/// Plays `session` on the lab that `open` opens; `seen` gets each step's report and the state after it. Reports steps as progress.
///
/// # Errors
/// The engine's if there is no model; [`Error::Input`] if `options` bind keys wrongly; [`Error::Cancelled`]; whatever `seen` returns. An expectation that does not
/// hold is no error: it is in the reports.
pub fn play(
    session: &Session,
    options: Options,
    open: Open,
    control: Control<'_>,
    seen: &mut dyn FnMut(&StepReport, &State) -> Result<()>,
) -> Result<Vec<StepReport>> {
    let (send, events) = channel();
    let tell = Arc::new(move |event| {
        // After the last step nobody listens, and nothing is lost: the engine ends next.
        let _ = send.send(event);
    });
    let mut player = Player { state: State::new(options)?, engine: Engine::start(open, tell)?, events };
    player.opened(control)?;
    let mut reports = Vec::new();
    for (i, step) in session.step.iter().enumerate() {
        control.report(i as u64, session.step.len() as u64, "steps");
        for key in step.keys().map_err(Error::Input)? {
            // A command acts on what it finds (the ranking's first row), so results come in before it; text needs none.
            if !player.state.takes_text() {
                player.rest(control)?;
            }
            if let Some(action) = player.state.action_for(key) {
                player.apply(action);
            }
        }
        player.rest(control)?;
        let (held, broken) = compare(&step.expect, &player.state);
        let report = StepReport { step: i + 1, chapter: step.chapter.clone(), held, broken };
        seen(&report, &player.state)?;
        reports.push(report);
        if player.state.quitting {
            break;
        }
    }
    Ok(reports)
}

impl Player {
    fn apply(&mut self, action: Action) {
        for effect in update(&mut self.state, action) {
            match effect {
                Effect::Send(job) => self.engine.send(job),
                Effect::Cancel(kind) => self.engine.cancel(kind),
                // There is no terminal to copy to, to save a picture of, or to give back.
                Effect::Copy(_)
                | Effect::SaveCopy(_)
                | Effect::Mouse(_)
                | Effect::SaveFrame(_)
                | Effect::Redraw
                | Effect::Suspend
                | Effect::Quit => {}
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
            if let Event::Failed { kind: JobKind::Open, message, .. } = &event {
                return Err(Error::Model(message.clone()));
            }
            self.apply(Action::Engine(event));
        }
        self.rest(control)
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

/// What of the expectations holds and what does not.
fn compare(expect: &Expect, state: &State) -> (Vec<String>, Vec<String>) {
    let (mut held, mut broken) = (Vec::new(), Vec::new());
    let mut check = |holds: bool, wanted: String, found: String| {
        if holds { held.push(wanted) } else { broken.push(format!("{wanted}, but found {found}")) }
    };
    let ranking = state.lab.ranking.as_deref();
    let tasks: Vec<&str> = ranking.map(|r| r.by_task.iter().map(|t| t.task.as_str()).collect()).unwrap_or_default();
    let three = &tasks[..tasks.len().min(3)];
    if let Some(task) = &expect.task {
        check(tasks.first() == Some(&task.as_str()), format!("`{task}` is ranked first"), format!("{three:?}"));
    }
    if let Some(task) = &expect.among_three {
        check(three.contains(&task.as_str()), format!("`{task}` is among the first three"), format!("{three:?}"));
    }
    if let Some(least) = expect.margin {
        let margin = ranking.map_or(0.0, |r| r.margin);
        check(margin >= least, format!("the margin is at least {least}"), margin.to_string());
    }
    let answer = |name: &str| {
        let at = AnswerFrom::ALL.iter().position(|f| f.name() == name)?;
        state.lab.answers[at].as_ref().map(|shown| &shown.answer)
    };
    for (from, wanted) in &expect.answer {
        let text = answer(from).map(|a| a.text.trim().lines().next().unwrap_or_default());
        check(text == Some(wanted.trim()), format!("{from} answers `{}`", wanted.trim()), format!("{text:?}"));
    }
    for pair in expect.likelier.windows(2) {
        let [a, b] = [0, 1].map(|i| answer(&pair[i]).and_then(|a| a.target_logprob));
        check(
            matches!((a, b), (Some(a), Some(b)) if a > b),
            format!("the target is likelier from {} than from {}", pair[0], pair[1]),
            format!("{a:?} and {b:?}"),
        );
    }
    if let Some(wanted) = &expect.soup {
        let soup = state.lab.bench.soup.to_recipe().map(|r| r.to_string());
        check(soup.as_ref() == Some(wanted), format!("the soup is {wanted}"), format!("{soup:?}"));
    }
    if let Some(least) = expect.skills {
        check(state.skill_count() >= least, format!("the library has {least} skills or more"), state.skill_count().to_string());
    }
    if let Some(least) = expect.trust {
        let trust = state.map.map.as_ref().and_then(|v| v.trust);
        check(trust.is_some_and(|t| t >= least), format!("the map's trustworthiness is at least {least}"), format!("{trust:?}"));
    }
    if let Some(part) = &expect.notice {
        let notice = state.notice.as_ref().map(|n| n.text.as_str());
        check(notice.is_some_and(|n| n.contains(part)), format!("the lab says `{part}`"), format!("{notice:?}"));
    }
    (held, broken)
}
