//! Entering, leaving and writing to the terminal.

use super::cast::{Cast, Tee};
use super::encode;
use super::out::{self, Out};
use crate::app::State;
use crate::ui;
use crossterm::event::EnableBracketedPaste;
use crossterm::style::Print;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen};
use crossterm::{cursor, execute, queue, terminal};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use rustix::process;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io::{self, BufWriter, Write};
use std::rc::Rc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal is ours now, for the panic hook.
static ENTERED: AtomicBool = AtomicBool::new(false);
/// The same, but until it is given back completely.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The terminal's settings before it was ours, for code that must not wait.
static BEFORE: OnceLock<Termios> = OnceLock::new();

/// Gives the terminal back: ends a frame under way, returns the mouse and the cursor, and shows the
/// first screen.
const GIVE_BACK: &str = "\x1b[?2026l\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[?1049l\x1b[?25h";
/// Gives the cursor's shape back.
const SHAPE_BACK: &str = "\x1b[0 q";
/// Whether the cursor has a shape of ours.
static SHAPED: AtomicBool = AtomicBool::new(false);

/// The terminal's own cursor as a thin bar that does not blink: it is put where a text is edited,
/// for input methods, and what is drawn there stays readable.
const CARET: &str = "\x1b[6 q";

/// Asks for presses and the wheel, in the form that has no limit on columns. crossterm's own
/// command would ask for every movement too: a stream of bytes up the line that nothing here
/// listens to.
const MOUSE_ON: &str = "\x1b[?1000h\x1b[?1006h";
/// Gives the mouse back.
const MOUSE_OFF: &str = "\x1b[?1006l\x1b[?1000l";

/// Counts the bytes that go to the terminal.
#[derive(Debug)]
struct Counted<W> {
    writer: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// The terminal in raw mode on its second screen, and the frame it shows.
pub struct Tui<W: Write> {
    writer: Counted<W>,
    shown: Buffer,
    /// Frames written.
    frames: u64,
    /// Whether the mouse is taken.
    mouse: bool,
    /// Whether the frame on screen is unknown and all of it has to be written.
    forgotten: bool,
    /// The recording, which notes a new size.
    cast: Option<Rc<Cast>>,
    /// Where the terminal's own cursor is; `None` while it is hidden.
    caret: Option<Position>,
}

impl Tui<Tee<BufWriter<Out>>> {
    /// Takes the terminal, and records what is written to it if `cast` is given.
    ///
    /// # Errors
    /// The system's, if there is no terminal or it refuses raw mode.
    pub fn enter(cast: Option<Rc<Cast>>) -> io::Result<Self> {
        let mut tui = Self::over(Tee::new(BufWriter::with_capacity(1 << 16, Out::new()), cast.clone()));
        tui.cast = cast;
        tui.take()?;
        Ok(tui)
    }
}

impl<W: Write> Tui<W> {
    /// One that writes its frames to `writer` and takes no terminal: for measurements and tests.
    pub fn over(writer: W) -> Self {
        Self {
            writer: Counted { writer, bytes: 0 },
            shown: Buffer::empty(Rect::ZERO),
            frames: 0,
            mouse: false,
            forgotten: true,
            cast: None,
            caret: None,
        }
    }

    fn take(&mut self) -> io::Result<()> {
        if let Ok(before) = tcgetattr(io::stdout()) {
            // Only the first call counts: those are the user's settings.
            let _ = BEFORE.set(before);
        }
        terminal::enable_raw_mode()?;
        ENTERED.store(true, Ordering::SeqCst);
        TAKEN.store(true, Ordering::SeqCst);
        execute!(self.writer, EnterAlternateScreen, cursor::Hide, EnableBracketedPaste)?;
        // Old Linux consoles would print part of the sequence.
        if std::env::var_os("TERM").is_some_and(|term| term != "linux") {
            SHAPED.store(true, Ordering::SeqCst);
            execute!(self.writer, Print(CARET))?;
        }
        self.caret = None;
        self.set_mouse(self.mouse)?;
        self.forgotten = true;
        Ok(())
    }

    /// Gives the terminal back as it was.
    ///
    /// # Errors
    /// The system's, if it cannot be written to.
    pub fn leave(&mut self) -> io::Result<()> {
        if !ENTERED.swap(false, Ordering::SeqCst) {
            return Ok(());
        }
        let written = execute!(self.writer, Print(shape_back()), Print(GIVE_BACK));
        let done = terminal::disable_raw_mode().and(written);
        TAKEN.store(false, Ordering::SeqCst);
        done
    }

    /// Draws the state; writes nothing if the frame is the one on screen.
    ///
    /// # Errors
    /// The system's, if the terminal cannot be written to.
    pub fn draw(&mut self, state: &State) -> io::Result<()> {
        let (width, height) = terminal::size()?;
        self.draw_at(state, Rect::new(0, 0, width, height))
    }

    /// Draws the state for a terminal of a given size.
    ///
    /// # Errors
    /// As [`Tui::draw`].
    pub fn draw_at(&mut self, state: &State, area: Rect) -> io::Result<()> {
        let mut frame = Buffer::empty(area);
        let caret = ui::draw_editing(state, area, &mut frame);
        let clear = self.forgotten || self.shown.area != area;
        if clear {
            if let Some(cast) = &self.cast {
                cast.resized((area.width, area.height));
            }
            self.shown = Buffer::empty(area);
        } else if self.shown == frame && self.caret == caret {
            return Ok(());
        }
        let changes = encode::changes(&self.shown, &frame);
        if changes.is_empty() && !clear && self.caret == caret {
            // Only the colour of blanks differs, which cannot be seen.
            self.shown = frame;
            return Ok(());
        }
        queue!(self.writer, BeginSynchronizedUpdate)?;
        if self.caret.is_some() {
            queue!(self.writer, cursor::Hide)?;
        }
        if clear {
            queue!(self.writer, terminal::Clear(terminal::ClearType::All))?;
        }
        self.writer.write_all(changes.as_bytes())?;
        if let Some(Position { x, y }) = caret {
            queue!(self.writer, cursor::MoveTo(x, y), cursor::Show)?;
        }
        self.caret = caret;
        queue!(self.writer, EndSynchronizedUpdate)?;
        self.writer.flush()?;
        self.shown = frame;
        self.frames += 1;
        self.forgotten = false;
        Ok(())
    }

    /// Takes the mouse or gives it back.
    ///
    /// # Errors
    /// The system's, if the terminal cannot be written to.
    pub fn set_mouse(&mut self, taken: bool) -> io::Result<()> {
        self.mouse = taken;
        execute!(self.writer, Print(if taken { MOUSE_ON } else { MOUSE_OFF }))
    }

    /// Bytes and frames written so far.
    pub fn written(&self) -> (u64, u64) {
        (self.writer.bytes, self.frames)
    }

    /// Makes the next frame a whole one.
    ///
    /// # Errors
    /// None today; a result like its siblings.
    pub fn forget(&mut self) -> io::Result<()> {
        self.forgotten = true;
        Ok(())
    }

    /// The frame on screen.
    pub fn shown(&self) -> &Buffer {
        &self.shown
    }

    /// What frames are written to.
    pub fn writer(&mut self) -> &mut impl Write {
        &mut self.writer
    }

    /// Gives the terminal back and stops the process group, as Ctrl-Z does elsewhere; returns when
    /// `fg` continues it. Where there is no shell to return to (the lab is a session's first
    /// process) nothing could continue it: it returns a sentence instead.
    ///
    /// # Errors
    /// The system's, if the terminal cannot be written to.
    pub fn suspend(&mut self) -> io::Result<Option<String>> {
        let own = process::getsid(None)?;
        let has_shell = process::getppid().is_some_and(|parent| process::getsid(Some(parent)).is_ok_and(|sid| sid == own));
        if !has_shell {
            return Ok(Some("There is no shell to return to; q quits.".into()));
        }
        self.leave()?;
        // The whole group, so that `cargo run` stops with it. SIGSTOP, because SIGTSTP has a
        // handler here.
        process::kill_current_process_group(process::Signal::STOP)?;
        self.take()?;
        Ok(None)
    }
}

impl<W: Write> Drop for Tui<W> {
    fn drop(&mut self) {
        let _ = self.leave();
    }
}

/// Whether an error means that the terminal is gone.
pub fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected)
        || error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// Whether the terminal is ours, and not yet given back completely.
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst)
}

/// Gives the terminal back without waiting: neither for whoever writes to it, nor for the terminal
/// to take what was written. What it has not taken is dropped, and if it takes nothing even then,
/// its settings are still restored. Makes only system calls and takes no lock, so that a signal's
/// handler may call it.
pub fn give_back_at_once() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    ENTERED.store(false, Ordering::SeqCst);
    if let Some(before) = BEFORE.get() {
        let _ = tcsetattr(rustix::stdio::stdout(), OptionalActions::Now, before);
    }
    out::give_up(&[shape_back(), GIVE_BACK]);
}

fn shape_back() -> &'static str {
    if SHAPED.load(Ordering::SeqCst) { SHAPE_BACK } else { "" }
}

/// Gives the terminal back before a panic of this thread is printed. A panic of another thread is
/// reported by that thread's owner: printed, it would only spoil the screen, so it goes to the log.
pub fn install_panic_hook() {
    let screen_thread = std::thread::current().id();
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if crate::log::is_contained() {
            return;
        }
        if ENTERED.load(Ordering::SeqCst) && std::thread::current().id() != screen_thread {
            let _ = crate::log::write_report(info);
            return;
        }
        if ENTERED.swap(false, Ordering::SeqCst) {
            let _ = execute!(io::stdout(), Print(shape_back()), Print(GIVE_BACK));
            let _ = terminal::disable_raw_mode();
            TAKEN.store(false, Ordering::SeqCst);
        }
        previous(info);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Action, ColourDepth, Look, Options, update};
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Sink(Rc<RefCell<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn tui() -> (Tui<Sink>, Sink) {
        let sink = Sink::default();
        (Tui::over(sink.clone()), sink)
    }

    /// What a frame writes.
    fn written(tui: &mut Tui<Sink>, sink: &Sink, state: &State) -> String {
        sink.0.borrow_mut().clear();
        tui.draw_at(state, Rect::new(0, 0, 120, 40)).unwrap();
        String::from_utf8(sink.0.borrow().clone()).unwrap()
    }

    #[test]
    fn an_unchanged_frame_writes_nothing_and_a_keystroke_little() {
        let (mut tui, sink) = tui();
        let mut state = State::new(Options::default()).unwrap();
        assert!(written(&mut tui, &sink, &state).len() > 1000);
        assert_eq!(written(&mut tui, &sink, &state), "");
        let action = state.action_for("x".parse().unwrap()).unwrap();
        update(&mut state, action);
        let bytes = written(&mut tui, &sink, &state).len();
        assert!(bytes > 0 && bytes < 2048, "{bytes}");
        update(&mut state, Action::Tick(5));
        assert_eq!(written(&mut tui, &sink, &state), "");
    }

    #[test]
    fn a_frame_is_one_synchronized_update() {
        let (mut tui, sink) = tui();
        let text = written(&mut tui, &sink, &State::new(Options::default()).unwrap());
        assert!(text.starts_with("\x1b[?2026h") && text.ends_with("\x1b[?2026l"), "{text:?}");
        assert_eq!(text.matches("\x1b[?2026").count(), 2);
    }

    #[test]
    fn without_colour_no_colour_is_written_but_bold_and_reverse_are() {
        let (mut tui, sink) = tui();
        let look = Look { depth: ColourDepth::Mono, ..Look::default() };
        let text = written(&mut tui, &sink, &State::new(Options { look, ..Options::default() }).unwrap());
        let mut seen = std::collections::BTreeSet::new();
        for sequence in text.split("\x1b[").skip(1) {
            let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
            if sequence[end..].starts_with('m') {
                seen.extend(sequence[..end].split(';').map(|n| n.parse::<u8>().unwrap_or(0)));
            }
        }
        assert!(seen.iter().all(|n| !(30..=48).contains(n) && !(90..=107).contains(n)), "{seen:?}");
        assert!(seen.contains(&1) && seen.contains(&7), "{seen:?}");
    }
}
