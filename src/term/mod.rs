//! The terminal: one loop that carries keys and engine events to `update`, effects outwards, and draws what changed.
//!
//! - [`tui`]: entering, leaving and writing to the terminal; [`watch`]: the thread that notices a terminal that is gone.
//! - [`signals`]: SIGTERM, SIGHUP, SIGTSTP; [`caps`]: colours and glyphs by the environment; [`keys`]: crossterm's keys as ours;
//!   [`clipboard`]: OSC 52; [`cast`]: what is written, recorded.
//!
//! Nothing is written while nothing visible changes: a frame is drawn into a buffer only after an event, compared with the one on
//! screen, and only differing cells go out, at most thirty times a second, inside a synchronized update.

pub mod caps;
pub mod cast;
pub mod clipboard;
pub mod keys;
pub mod signals;
pub mod tui;
pub mod watch;

use crate::app::decay::DecayAction;
use crate::app::session::SessionAction;
use crate::app::{Action, Effect, EngineHandle, FrameFormat, Options, State, update};
use crate::engine::Event;
use crate::error::{Error, Result};
use crate::session::journal::{self, Journal};
use crate::ui::export;
use crossterm::event::{Event as Input, EventStream, KeyEventKind};
use futures::StreamExt;
use futures::future::poll_immediate;
use signals::{Signal, Signals};
use std::io::{BufWriter, Stdout, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tui::Tui;

/// Least time between two frames.
const FRAME: Duration = Duration::from_millis(33);
/// Events taken in before a frame is drawn at the latest.
const BATCH: usize = 64;

/// The terminal with its recording.
type Screen = Tui<cast::Tee<BufWriter<Stdout>>>;

/// What is written besides the screen.
#[derive(Default)]
pub struct Files {
    /// The journal of this sitting.
    pub journal: Option<Journal>,
    /// Where what the terminal shows is recorded.
    pub record: Option<PathBuf>,
    /// What goes wrong with them, from other threads.
    pub complaints: Complaints,
}

/// A way from other threads to the screen.
pub struct Complaints(UnboundedSender<Action>, UnboundedReceiver<Action>);

impl Default for Complaints {
    fn default() -> Self {
        let (send, receive) = unbounded_channel();
        Self(send, receive)
    }
}

impl Complaints {
    /// Says what went wrong, with what it means for the user after it.
    pub fn sender(&self, so: &'static str) -> impl FnOnce(Error) + Send + 'static {
        let send = self.0.clone();
        move |error| {
            // After the loop has ended nobody listens.
            let _ = send.send(Action::Complain(format!("{error}. {so}")));
        }
    }
}

/// How the lab was left.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The journal, if anything was written to it.
    pub journal: Option<PathBuf>,
    /// What is to come now.
    pub then: Then,
}

/// What comes after the lab.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// The end.
    #[default]
    End,
    /// The sitting of this journal.
    Resume(PathBuf),
    /// This journal, played.
    Play(PathBuf),
}

/// Runs the lab on the terminal until the user leaves. `events` are the engine's; when it closes, the lab goes on without an engine.
///
/// # Errors
/// [`Error::Input`] if standard output is no terminal or a key is bound twice; [`Error::Io`] if the terminal cannot be written to or the recording cannot be begun.
pub fn run(options: Options, files: Files, engine: impl EngineHandle, events: UnboundedReceiver<Event>) -> Result<Left> {
    // A resumed sitting's clock goes on from where it was.
    let from = options.resume.as_ref().map_or(0, crate::app::session::Resume::clock);
    let state = State::new(options)?;
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        return Err(Error::Input(
            "The lab needs a terminal, and standard output is none; `state-soup --help` lists the commands that work without.".into(),
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::io("terminal"))?;
    let Files { journal, record, complaints: Complaints(tell, told) } = files;
    let cast = match record {
        Some(path) => {
            let size = crossterm::terminal::size().map_err(Error::io("terminal"))?;
            let complain = Complaints(tell.clone(), unbounded_channel().1).sender("The recording ends here.");
            Some(Rc::new(cast::Cast::create(&path, size, complain)?))
        }
        None => None,
    };
    tui::install_panic_hook();
    let mut tui = Tui::enter(cast.clone()).map_err(Error::io("terminal"))?;
    let mut lab = Lab { state, engine, started: Instant::now(), from, journal, tell, then: Then::End };
    let result = runtime.block_on(lab.live(&mut tui, events, told));
    let given_back = tui.leave();
    drop(tui);
    if let Some(cast) = cast.and_then(Rc::into_inner) {
        cast.finish();
    }
    let left = Left { journal: lab.journal.and_then(Journal::finish), then: lab.then };
    // A terminal that is gone is how the lab ends after a hang-up; there is nobody to tell.
    match result.and(given_back) {
        Err(error) if !tui::is_gone(&error) => Err(Error::io("terminal")(error)),
        _ => Ok(left),
    }
}

struct Lab<E> {
    state: State,
    engine: E,
    started: Instant,
    /// The clock at the start.
    from: u64,
    journal: Option<Journal>,
    /// Where threads that look something up leave what they found.
    tell: UnboundedSender<Action>,
    then: Then,
}

/// What the loop does next.
#[derive(PartialEq)]
enum Next {
    Go,
    Quit,
}

impl<E: EngineHandle> Lab<E> {
    async fn live(
        &mut self,
        tui: &mut Screen,
        mut events: UnboundedReceiver<Event>,
        mut told: UnboundedReceiver<Action>,
    ) -> std::io::Result<()> {
        tui.draw(&self.state)?;
        let mut drawn = Instant::now();
        let mut signals = Signals::new()?;
        let mut gone = watch::watch();
        let mut input = EventStream::new();
        let mut engine_lives = true;
        let mut dirty = false;
        loop {
            let wake = self.state.wake_at().map(|at| self.started + Duration::from_millis(at.saturating_sub(self.from)));
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
                        actions.extend(take_input(event));
                        while actions.len() < BATCH && let Some(Some(Ok(event))) = poll_immediate(input.next()).await {
                            // (A poll without this task's waker would leave crossterm's stream with nobody to wake.)
                            actions.extend(take_input(event));
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
                Some(action) = told.recv() => actions.push(action),
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

    /// Applies actions and carries out their effects.
    fn apply(&mut self, tui: &mut Screen, actions: Vec<Action>) -> std::io::Result<Next> {
        let clock = self.from + self.started.elapsed().as_millis() as u64;
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
                    Effect::Resume(path) => {
                        self.then = Then::Resume(path.into());
                        return Ok(Next::Quit);
                    }
                    Effect::Play(path) => {
                        self.then = Then::Play(path.into());
                        return Ok(Next::Quit);
                    }
                    Effect::Journal(entry) => {
                        if let Some(journal) = &mut self.journal {
                            journal.add(&entry);
                        }
                    }
                    Effect::ListSittings => self.list_sittings(),
                    Effect::SaveSession(session) => queue.push_back(match journal::save(".".as_ref(), &session) {
                        Ok(path) => Action::Notice(format!("The session is in {}.", path.display())),
                        Err(error) => Action::Complain(format!("The session is not saved: {error}.")),
                    }),
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

    /// Looks the earlier sittings up, on a thread of its own: fifty files may take a while.
    fn list_sittings(&self) {
        let (tell, own) = (self.tell.clone(), self.journal.as_ref().map(|j| j.path().to_owned()));
        let work = move || {
            let found = journal::folder().map(|folder| journal::sittings(&folder, own.as_deref())).unwrap_or_default();
            let _ = tell.send(Action::Session(SessionAction::Sittings(found)));
        };
        if let Err(error) = std::thread::Builder::new().name("sittings".into()).spawn(work) {
            let _ = self.tell.send(Action::Complain(format!("The earlier sittings cannot be looked up: {error}.")));
        }
    }

    /// Writes the frame on screen beside the user's files, under the first free name.
    fn save_frame(&self, tui: &Screen, format: FrameFormat) -> Action {
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

/// The action of a terminal event.
fn take_input(event: Input) -> Option<Action> {
    match event {
        Input::Key(key) if key.kind != KeyEventKind::Release => keys::key(key).map(Action::Key),
        Input::Paste(text) => Some(Action::Pasted(text)),
        // A resize needs no action: every frame asks for the size.
        _ => None,
    }
}

/// Sleeps until a time, or for ever.
async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
