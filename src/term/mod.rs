//! The terminal: one loop that carries keys and engine events to `update`, effects outwards, and draws what changed.
//!
//! - [`tui`]: entering, leaving and writing to the terminal; [`encode`]: changed cells as escape sequences; [`watch`]: the thread that notices a terminal that is gone.
//! - [`signals`]: SIGTERM, SIGHUP, SIGTSTP; [`caps`]: colours and glyphs by the environment; [`background`]: light or dark by the
//!   terminal's own word; [`keys`]: crossterm's keys as ours; [`clipboard`]: OSC 52.
//!
//! Nothing is written while nothing visible changes: a frame is drawn into a buffer only after an event, compared with the one on
//! screen, and only differing cells go out, at most thirty times a second (five on a slow line), inside a synchronized update.

pub mod background;
pub mod caps;
pub mod clipboard;
pub mod encode;
pub mod keys;
pub mod signals;
pub mod tui;
pub mod watch;

use crate::app::screen::ScreenAction;
use crate::app::{Action, Effect, EngineHandle, FrameFormat, Motion, Options, State, update};
use crate::engine::Event;
use crate::error::{Error, Result};
use crate::ui::{self, export};
use background::{Heard, Listener};
use crossterm::event::{Event as Input, EventStream, KeyEventKind, MouseButton, MouseEvent, MouseEventKind};
use futures::StreamExt;
use futures::future::poll_immediate;
use signals::{Signal, Signals};
use std::io::Write;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::UnboundedReceiver;
use tui::Tui;

/// Least time between two frames.
const FRAME: Duration = Duration::from_millis(33);
/// The same on a slow line.
const SLOW_FRAME: Duration = Duration::from_millis(200);
/// Events taken in before a frame is drawn at the latest.
const BATCH: usize = 64;

/// Runs the lab on the terminal until the user leaves. `ask_background`: whether nobody has said if the terminal is light or dark, so that it is asked. `events` are the engine's; when it closes, the lab goes on without an engine.
///
/// # Errors
/// [`Error::Input`] if standard output is no terminal or a key is bound twice; [`Error::Io`] if the terminal cannot be written to.
pub fn run(options: Options, ask_background: bool, engine: impl EngineHandle, events: UnboundedReceiver<Event>) -> Result<()> {
    let state = State::new(options)?;
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        return Err(Error::Input(
            "The lab needs a terminal, and standard output is none; `state-soup --help` lists the commands that work without.".into(),
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::io("terminal"))?;
    // Before the terminal is taken: a signal that comes at once must not leave it in raw mode.
    let signals = {
        let _inside = runtime.enter();
        Signals::new().map_err(Error::io("terminal"))?
    };
    tui::install_panic_hook();
    let mut tui = Tui::enter().map_err(Error::io("terminal"))?;
    let listener = Listener::new(ask_background);
    let mut lab = Lab { state, engine, started: Instant::now(), listener };
    let result = runtime.block_on(lab.live(&mut tui, ask_background, signals, events));
    tracing::info!("left after {:.0?}; {:?} bytes and frames written", lab.started.elapsed(), tui.written());
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
    listener: Listener,
}

/// What the loop does next.
#[derive(PartialEq)]
enum Next {
    Go,
    Quit,
}

impl<E: EngineHandle> Lab<E> {
    async fn live<W: Write>(
        &mut self,
        tui: &mut Tui<W>,
        ask_background: bool,
        mut signals: Signals,
        mut events: UnboundedReceiver<Event>,
    ) -> std::io::Result<()> {
        if self.state.screen.mouse {
            tui.set_mouse(true)?;
        }
        tui.draw(&self.state)?;
        if ask_background {
            // After the first frame, and nobody waits for the answer.
            tui.writer().write_all(background::QUESTION.as_bytes())?;
            tui.writer().flush()?;
        }
        let mut drawn = Instant::now();
        let mut gone = watch::watch();
        let mut input = EventStream::new();
        let mut engine_lives = true;
        let mut dirty = false;
        loop {
            let wake = self.state.wake_at().map(|at| self.started + Duration::from_millis(at));
            let least = if self.state.screen.low_bandwidth { SLOW_FRAME } else { FRAME };
            let frame = dirty.then(|| drawn + least);
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
                        if self.take_input(tui, event)? == Next::Quit {
                            return Ok(());
                        }
                        for _ in 1..BATCH {
                            // (A poll without this task's waker would leave crossterm's stream with nobody to wake.)
                            let Some(Some(Ok(event))) = poll_immediate(input.next()).await else { break };
                            if self.take_input(tui, event)? == Next::Quit {
                                return Ok(());
                            }
                        }
                    }
                    Some(Err(error)) => return Err(error),
                    None => return Err(std::io::ErrorKind::BrokenPipe.into()),
                },
                event = events.recv(), if engine_lives => {
                    engine_lives = event.is_some();
                    let gone = || Action::Complain("The engine has stopped; nothing can be computed any more.".into());
                    if let Some(Event::Failed { kind, cancelled: false, message, .. }) = &event {
                        tracing::warn!("{kind:?} failed: {message}");
                    }
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
            if drawn.elapsed() >= least {
                tui.draw(&self.state)?;
                drawn = Instant::now();
                dirty = false;
            }
        }
    }

    /// Applies a terminal event. Every key is looked up in the state that the keys before it made.
    fn take_input<W: Write>(&mut self, tui: &mut Tui<W>, event: Input) -> std::io::Result<Next> {
        let action = match event {
            Input::Key(key) if key.kind != KeyEventKind::Release => {
                let Some(key) = keys::key(key) else { return Ok(Next::Go) };
                match self.listener.take(key) {
                    Heard::Keys(keys) => {
                        for key in keys {
                            let action = self.state.action_for(key);
                            if self.apply(tui, action.into_iter().collect())? == Next::Quit {
                                return Ok(Next::Quit);
                            }
                        }
                        return Ok(Next::Go);
                    }
                    Heard::Held => None,
                    Heard::Background(found) => {
                        tracing::info!("the terminal says its background is {found:?}");
                        Some(Action::Screen(ScreenAction::Background(found)))
                    }
                }
            }
            Input::Paste(text) => Some(Action::Paste(text)),
            Input::Mouse(event) => self.pointed(tui, event),
            // A resize needs no action: every frame asks for the size.
            _ => None,
        };
        self.apply(tui, action.into_iter().collect())
    }

    /// The action of a press or a turn of the wheel, by what lies there in the present picture.
    fn pointed<W: Write>(&self, tui: &Tui<W>, event: MouseEvent) -> Option<Action> {
        let target = || ui::hit(&self.state, tui.shown().area, event.column, event.row);
        let action = match event.kind {
            MouseEventKind::Down(MouseButton::Left) => ScreenAction::Click(target()?),
            MouseEventKind::ScrollUp => ScreenAction::Wheel(target()?, Motion::Up),
            MouseEventKind::ScrollDown => ScreenAction::Wheel(target()?, Motion::Down),
            _ => return None,
        };
        Some(Action::Screen(action))
    }

    /// Applies actions and carries out their effects.
    fn apply<W: Write>(&mut self, tui: &mut Tui<W>, actions: Vec<Action>) -> std::io::Result<Next> {
        let clock = self.started.elapsed().as_millis() as u64;
        let (bytes, frames) = tui.written();
        let written = Action::Screen(ScreenAction::Written { bytes, frames });
        let mut queue = std::collections::VecDeque::from([Action::Tick(clock), written]);
        queue.extend(actions);
        while let Some(action) = queue.pop_front() {
            for effect in update(&mut self.state, action) {
                match effect {
                    Effect::Send(job) => {
                        tracing::debug!("asked for {:?}, generation {}", job.request.kind(), job.generation);
                        self.engine.send(job);
                    }
                    Effect::Cancel(kind) => self.engine.cancel(kind),
                    Effect::Copy(text) => clipboard::copy(tui.writer(), &text)?,
                    Effect::SaveCopy(text) => queue.push_back(save("copy", "txt", "The text", &text)),
                    Effect::Mouse(taken) => tui.set_mouse(taken)?,
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

    /// Writes the frame on screen to a file.
    fn save_frame<W: Write>(&self, tui: &Tui<W>, format: FrameFormat) -> Action {
        let light = self.state.look.background == crate::app::Background::Light;
        save("", format.extension(), "The screen", &export::frame(tui.shown(), format, light))
    }
}

/// Writes a text beside the user's files, under the first free name, and says where it is.
fn save(part: &str, extension: &str, what: &str, text: &str) -> Action {
    let folder = std::env::current_dir().unwrap_or_default();
    for number in 1..10_000 {
        let dash = if part.is_empty() { "" } else { "-" };
        let path = folder.join(format!("state-soup{dash}{part}-{number}.{extension}"));
        match std::fs::OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes())) {
            Ok(()) => return Action::Notice(format!("{what} is in {}.", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Action::Complain(format!("{what} could not be saved as {}: {error}.", path.display())),
        }
    }
    Action::Complain(format!("There are 9999 files of this kind in {} already.", folder.display()))
}

/// Sleeps until a time, or for ever.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
