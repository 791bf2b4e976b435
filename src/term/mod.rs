//! The terminal: one loop that carries keys and engine events to `update`, effects outwards, and draws what changed.
//!
//! - [`tui`]: entering, leaving and writing to the terminal; [`watch`]: the thread that notices a terminal that is gone.
//! - [`signals`]: SIGTERM, SIGHUP, SIGTSTP; [`caps`]: colours and glyphs by the environment; [`keys`]: crossterm's keys as ours;
//!   [`clipboard`]: OSC 52.
//!
//! Nothing is written while nothing visible changes: a frame is drawn into a buffer only after an event, compared with the one on
//! screen, and only differing cells go out, at most thirty times a second, inside a synchronized update.

pub mod caps;
pub mod clipboard;
pub mod keys;
pub mod signals;
pub mod tui;
pub mod watch;

use crate::app::decay::DecayAction;
use crate::app::{Action, Effect, EngineHandle, FrameFormat, Options, State, update};
use crate::engine::Event;
use crate::error::{Error, Result};
use crate::ui::export;
use crossterm::event::{Event as Input, EventStream, KeyEventKind};
use futures::StreamExt;
use futures::future::poll_immediate;
use signals::{Signal, Signals};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tui::Tui;

/// Least time between two frames.
const FRAME: Duration = Duration::from_millis(33);
/// Events taken in before a frame is drawn at the latest.
const BATCH: usize = 64;

/// Runs the lab on the terminal until the user leaves. `events` are the engine's; when it closes, the lab goes on without an engine.
///
/// # Errors
/// [`Error::Input`] if standard output is no terminal or a key is bound twice; [`Error::Io`] if the terminal cannot be written to.
pub fn run(options: Options, engine: impl EngineHandle, events: UnboundedReceiver<Event>) -> Result<()> {
    let state = State::new(options)?;
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        return Err(Error::Input(
            "The lab needs a terminal, and standard output is none; `state-soup --help` lists the commands that work without.".into(),
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::io("terminal"))?;
    tui::install_panic_hook();
    let mut tui = Tui::enter().map_err(Error::io("terminal"))?;
    let result = runtime.block_on(Lab { state, engine, started: Instant::now() }.live(&mut tui, events));
    let left = tui.leave();
    // A terminal that is gone is how the lab ends after a hang-up; there is nobody to tell.
    match result.and(left) {
        Err(error) if !tui::is_gone(&error) => Err(Error::io("terminal")(error)),
        _ => Ok(()),
    }
}

struct Lab<E> {
    state: State,
    engine: E,
    started: Instant,
}

/// What the loop does next.
#[derive(PartialEq)]
enum Next {
    Go,
    Quit,
}

impl<E: EngineHandle> Lab<E> {
    async fn live<W: Write>(&mut self, tui: &mut Tui<W>, mut events: UnboundedReceiver<Event>) -> std::io::Result<()> {
        tui.draw(&self.state)?;
        let mut drawn = Instant::now();
        let mut signals = Signals::new()?;
        let mut gone = watch::watch();
        let mut input = EventStream::new();
        let mut engine_lives = true;
        let mut dirty = false;
        loop {
            let wake = self.state.wake_at().map(|at| self.started + Duration::from_millis(at));
            let frame = dirty.then(|| drawn + FRAME);
            let deadline = [wake, frame].into_iter().flatten().min();
            let mut actions = Vec::new();
            // Signals first, then keys, then the engine: a flood of results never keeps a key waiting.
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Quit => actions.push(Action::Quit),
                    Signal::Suspend => actions.push(Action::Suspend),
                },
                () = gone.wait() => return Err(std::io::ErrorKind::BrokenPipe.into()),
                key = input.next() => match key {
                    Some(Ok(event)) => {
                        actions.extend(self.take_input(event));
                        while actions.len() < BATCH && let Some(Some(Ok(event))) = poll_immediate(input.next()).await {
                            // (A poll without this task's waker would leave crossterm's stream with nobody to wake.)
                            // Keys are looked up in the state that the keys before them made.
                            if self.apply(tui, std::mem::take(&mut actions))? == Next::Quit {
                                return Ok(());
                            }
                            actions.extend(self.take_input(event));
                        }
                    }
                    Some(Err(error)) => return Err(error),
                    None => return Err(std::io::ErrorKind::BrokenPipe.into()),
                },
                event = events.recv(), if engine_lives => {
                    engine_lives = event.is_some();
                    let gone = || Action::Complain("The engine has stopped; nothing can be computed any more.".into());
                    actions.push(event.map_or_else(gone, Action::Engine));
                    while actions.len() < BATCH && let Ok(event) = events.try_recv() {
                        actions.push(Action::Engine(event));
                    }
                }
                () = sleep_until(deadline) => {}
            }
            if self.apply(tui, actions)? == Next::Quit {
                return Ok(());
            }
            dirty = true;
            if drawn.elapsed() >= FRAME {
                tui.draw(&self.state)?;
                drawn = Instant::now();
                dirty = false;
            }
        }
    }

    /// The action of a terminal event in the present state.
    fn take_input(&self, event: Input) -> Option<Action> {
        match event {
            Input::Key(key) if key.kind != KeyEventKind::Release => keys::key(key).and_then(|key| self.state.action_for(key)),
            Input::Paste(text) => Some(Action::Paste(text)),
            // A resize needs no action: every frame asks for the size.
            _ => None,
        }
    }

    /// Applies actions and carries out their effects.
    fn apply<W: Write>(&mut self, tui: &mut Tui<W>, actions: Vec<Action>) -> std::io::Result<Next> {
        let clock = self.started.elapsed().as_millis() as u64;
        let mut queue = std::collections::VecDeque::from([Action::Tick(clock)]);
        queue.extend(actions);
        while let Some(action) = queue.pop_front() {
            for effect in update(&mut self.state, action) {
                match effect {
                    Effect::Send(job) => self.engine.send(job),
                    Effect::Cancel(kind) => self.engine.cancel(kind),
                    Effect::Copy(text) => clipboard::copy(tui.writer(), &text)?,
                    Effect::ReadDocument(path) => {
                        let text = crate::text::file(&path);
                        queue.push_back(Action::Decay(DecayAction::opened(path, text)));
                    }
                    Effect::Redraw => tui.forget()?,
                    Effect::Quit => return Ok(Next::Quit),
                    Effect::Suspend => {
                        if let Some(why) = tui.suspend()? {
                            queue.push_back(Action::Complain(why));
                        }
                    }
                    Effect::SaveFrame(format) => queue.push_back(self.save_frame(tui, format)),
                }
            }
        }
        Ok(Next::Go)
    }

    /// Writes the frame on screen beside the user's files, under the first free name.
    fn save_frame<W: Write>(&self, tui: &Tui<W>, format: FrameFormat) -> Action {
        let light = self.state.look.background == crate::app::Background::Light;
        let text = export::frame(tui.shown(), format, light);
        for number in 1..10_000 {
            let name = format!("state-soup-{number}.{}", format.extension());
            match std::fs::OpenOptions::new().write(true).create_new(true).open(&name).and_then(|mut file| file.write_all(text.as_bytes()))
            {
                Ok(()) => return Action::Notice(format!("The screen is in {name}.")),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Action::Complain(format!("The screen could not be saved as {name}: {error}.")),
            }
        }
        Action::Complain("There are 9999 saved screens in this folder already.".into())
    }
}

/// Sleeps until a time, or for ever.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
