//! The terminal: one loop that passes keys and engine events to `update`, carries out its effects,
//! and draws what changed.
//!
//! - [`tui`]: entering, leaving and writing to the terminal; [`encode`]: changed cells as escape
//!   sequences; [`watch`]: the thread that notices a terminal that is gone.
//! - [`input`]: the thread that reads keys, pastes and the mouse; [`out`]: writing to a terminal
//!   that may stop taking output; [`signals`]: SIGTERM, SIGHUP, SIGQUIT, SIGTSTP; [`caps`]: colours
//!   and glyphs by the environment; [`background`]: light or dark, as the terminal answers;
//!   [`clipboard`]: OSC 52; [`cast`]: what is written, recorded.
//!
//! Nothing is written while nothing visible changes: a frame is drawn into a buffer only after an
//! event, compared with the one on screen, and only differing cells go out, at most thirty times a
//! second (five on a slow line), inside a synchronized update.

pub mod background;
pub mod caps;
pub mod cast;
pub mod clipboard;
pub mod encode;
pub mod input;
pub mod out;
pub mod signals;
pub mod tui;
pub mod watch;

use crate::app::decay::DecayAction;
use crate::app::screen::ScreenAction;
use crate::app::session::SessionAction;
use crate::app::{Action, Effect, EngineHandle, FrameFormat, Key, KeyCode, Options, State, update};
use crate::engine::{Event, News};
use crate::error::{Error, Result};
use crate::files;
use crate::session::journal::{self, Journal};
use crate::session::snapshots::Keeper;
use crate::ui::{self, export};
use input::{Input, Inputs};
use signals::{Signal, Signals};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tui::Tui;

/// The least time between two frames.
const FRAME: Duration = Duration::from_millis(33);
/// The same on a slow line.
const SLOW_FRAME: Duration = Duration::from_millis(200);
/// The most events taken in before a frame is drawn.
const BATCH: usize = 64;

/// The terminal with its recording.
type Screen = Tui<cast::Tee<BufWriter<out::Out>>>;

/// What is written besides the screen.
#[derive(Default)]
pub struct Files {
    /// The journal of this sitting.
    pub journal: Option<Journal>,
    /// Snapshots of soups.
    pub snapshots: Option<Keeper>,
    /// The file that records what the terminal shows.
    pub record: Option<PathBuf>,
    /// Reports, from other threads, of what goes wrong with them.
    pub complaints: Complaints,
}

/// A channel from other threads to the screen.
pub struct Complaints(UnboundedSender<Action>, UnboundedReceiver<Action>);

impl Default for Complaints {
    fn default() -> Self {
        let (send, receive) = unbounded_channel();
        Self(send, receive)
    }
}

impl Complaints {
    /// A function that reports what went wrong, followed by what it means for the user (`so`).
    pub fn sender(&self, so: &'static str) -> impl Fn(Error) + Send + use<> {
        complain(self.0.clone(), so)
    }

    /// Says a sentence.
    pub fn say(&self, sentence: String) {
        // It cannot fail: the other end is here.
        let _ = self.0.send(Action::Complain(sentence));
    }
}

fn complain(tell: UnboundedSender<Action>, so: &'static str) -> impl Fn(Error) + Send + use<> {
    move |error| {
        // This fails only after the loop has ended, when nobody listens.
        let _ = tell.send(Action::Complain(format!("{error}. {so}")));
    }
}

/// How the lab was left.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Left {
    /// The journal, if anything was written to it.
    pub journal: Option<PathBuf>,
    /// What comes next.
    pub then: Then,
    /// The signal that ended it, by its number.
    pub signal: Option<i32>,
}

/// What comes after the lab.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum Then {
    /// The end.
    #[default]
    End,
    /// The sitting of this journal, resumed.
    Resume(PathBuf),
    /// This journal, played.
    Play(PathBuf),
}

/// Runs the lab on the terminal until the user leaves. `ask_background`: whether to ask the
/// terminal if it is light or dark, because nothing else says so. `events` are the engine's; when
/// it closes, the lab goes on without an engine.
///
/// # Errors
/// [`Error::Input`] if standard output is not a terminal or a key is bound twice; [`Error::Io`] if
/// the terminal cannot be written to or the recording cannot be begun.
pub fn run(
    options: Options,
    ask_background: bool,
    files: Files,
    engine: impl EngineHandle,
    events: UnboundedReceiver<Event>,
) -> Result<Left> {
    // A resumed sitting's clock goes on from where it was.
    let from = options.resume.as_ref().map_or(0, crate::app::session::Resume::clock);
    let state = State::new(options)?;
    if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        return Err(Error::Input(
            "The lab needs a terminal, and standard output is not one; `state-soup --help` lists the commands that work without.".into(),
        ));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Error::io("terminal"))?;
    let Files { journal, snapshots, record, complaints: Complaints(tell, told) } = files;
    let cast = match record {
        Some(path) => {
            let size = crossterm::terminal::size().map_err(Error::io("terminal"))?;
            Some(Rc::new(cast::Cast::create(&path, size, complain(tell.clone(), "The recording ends here."))?))
        }
        None => None,
    };
    // Before the terminal is taken: a signal that comes at once must not leave it in raw mode.
    let signals = Signals::new().map_err(Error::io("terminal"))?;
    tui::install_panic_hook();
    let mut tui = Tui::enter(cast.clone()).map_err(Error::io("terminal"))?;
    let mut lab = Lab { state, engine, started: Instant::now(), from, journal, snapshots, tell, then: Then::End, signal: None };
    let result = runtime.block_on(lab.live(&mut tui, ask_background, signals, events, told));
    tracing::info!("left after {:.0?}; {:?} bytes and frames written", lab.started.elapsed(), tui.written());
    let given_back = tui.leave();
    drop(tui);
    if let Some(cast) = cast.and_then(Rc::into_inner) {
        cast.finish();
    }
    if let Some(snapshots) = lab.snapshots {
        snapshots.finish();
    }
    let left = Left { journal: lab.journal.and_then(Journal::finish), then: lab.then, signal: lab.signal };
    // After a hang-up the lab ends with a terminal that is gone; there is nobody to tell.
    match result.and(given_back) {
        Err(error) if tui::is_gone(&error) => Ok(Left { signal: left.signal.or(Some(signals::HANG_UP)), ..left }),
        Err(error) => Err(Error::io("terminal")(error)),
        Ok(()) => Ok(left),
    }
}

struct Lab<E> {
    state: State,
    engine: E,
    started: Instant,
    /// The clock at the start.
    from: u64,
    journal: Option<Journal>,
    snapshots: Option<Keeper>,
    /// Where threads that look something up leave what they found.
    tell: UnboundedSender<Action>,
    then: Then,
    /// The signal that asked for the end.
    signal: Option<i32>,
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
        ask_background: bool,
        mut signals: Signals,
        mut events: UnboundedReceiver<Event>,
        mut told: UnboundedReceiver<Action>,
    ) -> std::io::Result<()> {
        if self.state.screen.mouse {
            tui.set_mouse(true)?;
        }
        tui.draw(&self.state)?;
        if ask_background {
            // After the first frame; nothing waits for the answer.
            tui.writer().write_all(background::QUESTION.as_bytes())?;
            tui.writer().flush()?;
        }
        let mut drawn = Instant::now();
        let mut gone = watch::watch();
        let mut inputs = Inputs::start()?;
        let mut engine_lives = true;
        let mut dirty = false;
        loop {
            let wake = self.state.wake_at().map(|at| self.started + Duration::from_millis(at.saturating_sub(self.from)));
            let least = if self.state.screen.low_bandwidth { SLOW_FRAME } else { FRAME };
            let frame = dirty.then(|| drawn + least);
            let deadline = [wake, frame].into_iter().flatten().min();
            let mut actions = Vec::new();
            // Signals first, then keys, then the engine: a flood of results never keeps a key
            // waiting.
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Signal::Quit(raw) => {
                        self.signal = Some(raw);
                        actions.push(Action::Quit);
                    }
                    Signal::Suspend => actions.push(Action::Suspend),
                    // Every frame asks for the size.
                    Signal::Resize => {}
                },
                () = gone.wait() => return Err(std::io::ErrorKind::BrokenPipe.into()),
                input = inputs.next() => {
                    actions.extend(self.take_input(tui, input?));
                    while actions.len() < BATCH && let Some(input) = inputs.waiting() {
                        actions.extend(self.take_input(tui, input));
                    }
                }
                event = events.recv(), if engine_lives => {
                    engine_lives = event.is_some();
                    let gone = || Action::Complain("The engine has stopped; nothing can be computed any more.".into());
                    if let Some(Event::Job { kind, news: News::Failed { cancelled: false, message }, .. }) = &event {
                        tracing::warn!("{kind:?} failed: {message}");
                    }
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
            if drawn.elapsed() >= least {
                tui.draw(&self.state)?;
                drawn = Instant::now();
                dirty = false;
            }
        }
    }

    /// The action of what a person or the terminal did, if it has one. The mouse points at
    /// what is there in the picture on screen.
    fn take_input(&self, tui: &Screen, input: Input) -> Option<Action> {
        let target = |column, row| ui::hit(&self.state, tui.shown().area, column, row);
        Some(Action::Key(match input {
            Input::Key(key) => key,
            Input::Paste(text) => return Some(Action::Pasted(text)),
            Input::Background(found) => {
                tracing::info!("the terminal says its background is {found:?}");
                return Some(Action::Screen(ScreenAction::Background(found)));
            }
            Input::Press(column, row) => Key::plain(KeyCode::Click(target(column, row)?)),
            Input::Wheel(column, row, up) => Key::plain(KeyCode::Wheel(target(column, row)?, up)),
        }))
    }

    /// Applies actions and carries out their effects.
    fn apply(&mut self, tui: &mut Screen, actions: Vec<Action>) -> std::io::Result<Next> {
        let clock = self.from + self.started.elapsed().as_millis() as u64;
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
                    Effect::ReadDocument(path) => {
                        let text = crate::text::file(&path);
                        queue.push_back(Action::Decay(DecayAction::opened(path, text)));
                    }
                    Effect::SaveCopy(text) => queue.push_back(save("copy", "txt", "The text", &text)),
                    Effect::Mouse(taken) => tui.set_mouse(taken)?,
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
                    Effect::Snapshots { before, after } => {
                        if let Some(keeper) = &self.snapshots {
                            keeper.change(before, after);
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

    /// Looks up the earlier sittings on a separate thread: fifty files may take a while.
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

    /// Writes the frame on screen to a file.
    fn save_frame(&self, tui: &Screen, format: FrameFormat) -> Action {
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
        match files::create_new(&path, text.as_bytes()) {
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
