//! What the terminal sends: a thread that reads its bytes, and the parser that turns them into
//! keys, pastes and the mouse's events.
//!
//! The parser never waits for long: what has begun and not ended counts, after a moment, as what it
//! is by then. A lone ESC is the Esc key, `ESC [` is alt-[, a report that was cut short is nothing,
//! a paste without an end is the text that came. (crossterm's parser waits for ever for the end of
//! a sequence whose beginning it knows, and loses every key after that.)
//!
//! Sequences are those of ECMA-48 (5.4): parameters `0`–`?`, intermediates ` `–`/`, one final byte
//! `@`–`~`. All are read; unknown ones are ignored.

use super::background;
use crate::app::{Background, Key, KeyCode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, IsTerminal, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// One thing that a person, or the terminal, did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key pressed.
    Key(Key),
    /// A text pasted, or a part of one.
    Paste(String),
    /// The left button pressed at a column and row, from 0.
    Press(u16, u16),
    /// The wheel turned up (true) or down at a column and row, from 0.
    Wheel(u16, u16, bool),
    /// The background, which the terminal was asked for.
    Background(Background),
}

/// How long a lone ESC may be the beginning of something.
const ESCAPE: Duration = Duration::from_millis(25);
/// How long an introducer alone (`ESC [`), or a character cut short, may be one.
const INTRODUCER: Duration = Duration::from_millis(100);
/// How long a sequence may take from its first byte.
const SEQUENCE: Duration = Duration::from_millis(250);
/// How long a paste may pause.
const PASTE: Duration = Duration::from_millis(400);
/// The longest sequence, in bytes: no known report is a third as long.
const LONGEST: usize = 256;
/// The longest part of a paste, in bytes; a longer paste comes in parts.
const PART: usize = 4 << 20;
/// This many bytes at once, after a paste that paused too long, are the rest of it: nobody types
/// so fast.
const REST: usize = 64;
/// How a paste ends.
const PASTE_END: &[u8] = b"\x1b[201~";

/// Bytes on their way to being inputs.
#[derive(Debug, Default)]
pub struct Parser {
    /// What has begun and not ended.
    held: Vec<u8>,
    /// The text of the paste under way.
    paste: Option<Vec<u8>>,
    /// Whether the last paste had no end.
    endless: bool,
    /// When the first of the held bytes came; the last one, in a paste.
    since: Option<Instant>,
}

impl Parser {
    /// Takes bytes that came at `now`; the inputs they make go to `out`.
    pub fn feed(&mut self, bytes: &[u8], now: Instant, out: &mut Vec<Input>) {
        if std::mem::take(&mut self.endless) && self.paste.is_none() && bytes.len() >= REST && bytes.first() != Some(&0x1b) {
            self.paste = Some(Vec::new());
        }
        let mut rest = bytes;
        loop {
            if self.paste.is_some() {
                let Some(after) = self.pasted(rest, out) else { break };
                rest = after;
            }
            self.held.extend_from_slice(rest);
            let (used, paste) = self.parse(out);
            let tail = self.held.split_off(used);
            if !paste {
                self.held = tail;
                break;
            }
            self.held.clear();
            self.paste = Some(Vec::new());
            // The text begins among what was held, all of which came just now.
            let at = rest.len() - tail.len().min(rest.len());
            rest = &rest[at..];
        }
        let waits = self.paste.is_some() || !self.held.is_empty();
        // What is still held may have begun earlier; if anything else was parsed, it began now.
        self.since = waits.then(|| match self.since {
            Some(since) if self.paste.is_none() && self.held.len() > bytes.len() => since,
            _ => now,
        });
    }

    /// When [`Parser::expire`] is due, if anything has begun and not ended.
    pub fn deadline(&self) -> Option<Instant> {
        let patience = match self.held.as_slice() {
            _ if self.paste.is_some() => PASTE,
            [0x1b] => ESCAPE,
            [0x1b, _] | [0x80..=0xff, ..] => INTRODUCER,
            _ => SEQUENCE,
        };
        self.since.map(|since| since + patience)
    }

    /// Nothing more came in time: what is held counts as what it is by now.
    pub fn expire(&mut self, out: &mut Vec<Input>) {
        self.since = None;
        if let Some(mut text) = self.paste.take() {
            text.append(&mut self.held);
            self.endless = true;
            paste(&text, out);
            return;
        }
        let held = std::mem::take(&mut self.held);
        match held.as_slice() {
            [0x1b] => out.push(Input::Key(Key::plain(KeyCode::Esc))),
            [0x1b, c @ b' '..=b'~'] => out.extend(plain(*c).map(alt).map(Input::Key)),
            // Reports, strings and characters that were cut short: nobody typed them, so they are
            // dropped.
            _ => {}
        }
    }

    /// Takes the text of a paste; returns what comes after it, if it ends.
    fn pasted<'b>(&mut self, bytes: &'b [u8], out: &mut Vec<Input>) -> Option<&'b [u8]> {
        let text = self.paste.as_mut()?;
        // The end may have begun among what came before.
        let from = text.len().saturating_sub(PASTE_END.len() - 1);
        text.extend_from_slice(bytes);
        if let Some(at) = find(&text[from..], PASTE_END) {
            let after = text.len() - (from + at + PASTE_END.len());
            text.truncate(from + at);
            let text = self.paste.take().unwrap_or_default();
            paste(&text, out);
            return Some(&bytes[bytes.len() - after..]);
        }
        if text.len() > PART {
            // Not within a character, a line break or the end.
            let whole = text.len() - PASTE_END.len();
            let cut = (whole.saturating_sub(4)..=whole).rev().find(|&i| text[i] & 0xc0 != 0x80 && text[i - 1] != b'\r').unwrap_or(whole);
            let rest = text.split_off(cut);
            paste(text, out);
            *text = rest;
        }
        None
    }

    /// Parses what is held: how many bytes were used, and whether a paste begins after them.
    fn parse(&mut self, out: &mut Vec<Input>) -> (usize, bool) {
        let mut used = 0;
        while let Some(step) = step(&self.held[used..]) {
            used += step.bytes;
            match step.what {
                What::Nothing => {}
                What::One(input) => out.push(input),
                What::PasteBegins => return (used, true),
            }
        }
        (used, false)
    }
}

/// What the first bytes are.
struct Step {
    bytes: usize,
    what: What,
}

enum What {
    Nothing,
    One(Input),
    PasteBegins,
}

impl Step {
    fn key(bytes: usize, key: Option<Key>) -> Self {
        Self { bytes, what: key.map_or(What::Nothing, |key| What::One(Input::Key(key))) }
    }

    fn nothing(bytes: usize) -> Self {
        Self { bytes, what: What::Nothing }
    }
}

/// What the bytes begin with; `None` if that is not known yet.
fn step(bytes: &[u8]) -> Option<Step> {
    match *bytes {
        [] | [0x1b] => None,
        // Esc, and then something else.
        [0x1b, 0x1b, ..] => Some(Step::key(1, Some(Key::plain(KeyCode::Esc)))),
        [0x1b, b'[', ..] => csi(bytes),
        [0x1b, b'O', ..] => ss3(bytes),
        [0x1b, b']' | b'P', ..] => string(bytes),
        [0x1b, ..] => {
            let (len, key) = character(&bytes[1..])?;
            Some(Step::key(1 + len, key.map(alt)))
        }
        _ => {
            let (len, key) = character(bytes)?;
            Some(Step::key(len, key))
        }
    }
}

fn alt(key: Key) -> Key {
    Key { alt: true, ..key }
}

/// The key of a byte below 128, outside sequences.
fn plain(byte: u8) -> Option<Key> {
    let ctrl = |c: u8| Key { ctrl: true, ..Key::plain(KeyCode::Char(char::from(c))) };
    Some(match byte {
        b'\r' => Key::plain(KeyCode::Enter),
        b'\t' => Key::plain(KeyCode::Tab),
        0x7f => Key::plain(KeyCode::Backspace),
        0x1b => Key::plain(KeyCode::Esc),
        0 => ctrl(b' '),
        0x01..=0x1a => ctrl(byte - 1 + b'a'),
        0x1c..=0x1f => ctrl(byte - 0x1c + b'4'),
        b' '..=b'~' => Key::plain(KeyCode::Char(char::from(byte))),
        0x80.. => return None,
    })
}

/// A character's length and its key; no key for bytes that are not a character.
fn character(bytes: &[u8]) -> Option<(usize, Option<Key>)> {
    let first = *bytes.first()?;
    let len = match first {
        0..0x80 => return Some((1, plain(first))),
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return Some((1, None)),
    };
    let there = &bytes[..len.min(bytes.len())];
    match std::str::from_utf8(there) {
        // A C1 control is not text.
        Ok(text) => Some((len, text.chars().next().filter(|c| !c.is_control()).map(|c| Key::plain(KeyCode::Char(c))))),
        Err(e) if e.error_len().is_none() => None,
        Err(e) => Some((e.error_len().unwrap_or(1), None)),
    }
}

/// `ESC O` and a letter: keys of the keypad and F1 to F4.
fn ss3(bytes: &[u8]) -> Option<Step> {
    let code = match bytes.get(2)? {
        b'M' => KeyCode::Enter,
        letter => match named(*letter) {
            Some(code) => code,
            // A person typed alt-O, and then this.
            None => return Some(Step::key(2, plain(b'O').map(alt))),
        },
    };
    Some(Step::key(3, Some(Key::plain(code))))
}

/// The key whose sequence ends with this letter.
fn named(letter: u8) -> Option<KeyCode> {
    Some(match letter {
        b'A' => KeyCode::Up,
        b'B' => KeyCode::Down,
        b'C' => KeyCode::Right,
        b'D' => KeyCode::Left,
        b'F' => KeyCode::End,
        b'H' => KeyCode::Home,
        b'Z' => KeyCode::BackTab,
        b'P'..=b'S' => KeyCode::F(letter - b'P' + 1),
        _ => return None,
    })
}

/// `ESC ]` and `ESC P`: strings up to BEL or `ESC \`. Only answers have this form, and they begin
/// with a digit or a sign.
fn string(bytes: &[u8]) -> Option<Step> {
    let introducer = bytes[1];
    let typed = |bytes| Some(Step::key(bytes, plain(introducer).map(alt)));
    if !matches!(bytes.get(2)?, b'0'..=b'9' | b'>' | b'!' | b'+' | b'$') {
        return typed(2);
    }
    for (at, byte) in bytes.iter().enumerate().skip(2).take(LONGEST) {
        let after = match byte {
            0x07 => at + 1,
            0x1b => match bytes.get(at + 1)? {
                b'\\' => at + 2,
                _ => return Some(Step::nothing(at)),
            },
            // Another control character: this is not a string.
            0..0x20 => return Some(Step::nothing(at)),
            _ => continue,
        };
        let text = std::str::from_utf8(&bytes[2..at]).unwrap_or_default();
        let found = (introducer == b']').then(|| background::parse(text)).flatten();
        return Some(Step { bytes: after, what: found.map_or(What::Nothing, |b| What::One(Input::Background(b))) });
    }
    (bytes.len() > LONGEST).then(|| Step::nothing(LONGEST))
}

/// `ESC [`: parameters, intermediates and a final byte.
fn csi(bytes: &[u8]) -> Option<Step> {
    match bytes[2..] {
        // The Linux console's F1 to F5.
        [b'[', c @ b'A'..=b'E', ..] => return Some(Step::key(4, Some(Key::plain(KeyCode::F(c - b'A' + 1))))),
        // The mouse as terminals without the longer form report it: three bytes.
        [b'M', button, x, y, ..] => {
            let from = |byte: u8| u16::from(byte.saturating_sub(33));
            return Some(mouse(6, button.saturating_sub(32), from(x), from(y), true));
        }
        [b'['] | [b'M', ..] => return None,
        _ => {}
    }
    for (at, byte) in bytes.iter().enumerate().skip(2) {
        match byte {
            0x20..=0x3f if at < LONGEST => {}
            0x40..=0x7e => return Some(sequence(at + 1, &bytes[2..at], *byte)),
            // It breaks off here, and something else begins.
            _ => return Some(Step::nothing(at)),
        }
    }
    None
}

/// What a whole sequence means, by its length, what is between `ESC [` and the final byte, and that
/// byte.
fn sequence(bytes: usize, parameters: &[u8], last: u8) -> Step {
    let text = std::str::from_utf8(parameters).unwrap_or_default();
    if let Some(report) = text.strip_prefix('<') {
        let numbers: Vec<u16> = report.split(';').filter_map(|n| n.parse().ok()).collect();
        let [button, x, y] = numbers[..] else { return Step::nothing(bytes) };
        let pressed = last == b'M';
        return match (last, u8::try_from(button)) {
            (b'M' | b'm', Ok(button)) => mouse(bytes, button, x.saturating_sub(1), y.saturating_sub(1), pressed),
            _ => Step::nothing(bytes),
        };
    }
    if !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b';' | b':')) {
        // Replies (`?…$y`, `?…c`) and the like.
        return Step::nothing(bytes);
    }
    let mut parts = text.split(';').map(|part| {
        // `code:shifted:base` and `modifiers:event`.
        let mut sub = part.split(':').map(|n| n.parse::<u32>().ok());
        (sub.next().flatten(), sub.next().flatten())
    });
    let (first, _) = parts.next().unwrap_or_default();
    let (second, event) = parts.next().unwrap_or_default();
    let (third, _) = parts.next().unwrap_or_default();
    /// The event of a key that is let go.
    const RELEASED: u32 = 3;
    if event == Some(RELEASED) {
        return Step::nothing(bytes);
    }
    let code = match (last, first) {
        (b'~', Some(200)) => return Step { bytes, what: What::PasteBegins },
        (b'~', Some(27)) => return Step::key(bytes, third.and_then(|code| modified(of_code(code)?, second))),
        (b'~', Some(n)) => numbered(n),
        (b'u', Some(n)) => of_code(n),
        (letter, None | Some(1)) => named(letter),
        _ => None,
    };
    Step::key(bytes, code.and_then(|code| modified(code, second)))
}

fn numbered(n: u32) -> Option<KeyCode> {
    Some(match n {
        1 | 7 => KeyCode::Home,
        3 => KeyCode::Delete,
        4 | 8 => KeyCode::End,
        5 => KeyCode::PageUp,
        6 => KeyCode::PageDown,
        11..=15 => KeyCode::F((n - 10) as u8),
        17..=21 => KeyCode::F((n - 11) as u8),
        23..=24 => KeyCode::F((n - 12) as u8),
        _ => return None,
    })
}

/// The key of a character's code, as the longer forms of keys name it.
fn of_code(code: u32) -> Option<KeyCode> {
    Some(match code {
        9 => KeyCode::Tab,
        13 => KeyCode::Enter,
        27 => KeyCode::Esc,
        127 => KeyCode::Backspace,
        // Private use: keys that have no character.
        0xe000..=0xf8ff => return None,
        code => KeyCode::Char(char::from_u32(code).filter(|c| !c.is_control())?),
    })
}

/// A key with modifiers as sequences encode them: one more than shift (1), alt (2) and control (4).
fn modified(code: KeyCode, modifiers: Option<u32>) -> Option<Key> {
    let held = modifiers.unwrap_or(1).saturating_sub(1);
    let (shift, alt, ctrl) = (held & 1 != 0, held & 2 != 0, held & 4 != 0);
    Some(match code {
        // Shift is in the character; control takes letters without regard to case.
        KeyCode::Char(c) if ctrl => Key { code: KeyCode::Char(c.to_ascii_lowercase()), ctrl, alt, shift: false },
        KeyCode::Char(c) if shift => Key { code: KeyCode::Char(c.to_uppercase().next()?), ctrl, alt, shift: false },
        KeyCode::Tab if shift => Key { code: KeyCode::BackTab, ctrl, alt, shift: false },
        KeyCode::BackTab => Key { code, ctrl, alt, shift: false },
        code => Key { code, ctrl, alt, shift },
    })
}

/// A report of the mouse: presses of the left button and turns of the wheel count; movements and
/// everything else are ignored.
fn mouse(bytes: usize, button: u8, x: u16, y: u16, pressed: bool) -> Step {
    const MODIFIERS: u8 = 4 | 8 | 16;
    let input = match button & !MODIFIERS {
        0 if pressed => Input::Press(x, y),
        64 => Input::Wheel(x, y, true),
        65 => Input::Wheel(x, y, false),
        _ => return Step::nothing(bytes),
    };
    Step { bytes, what: What::One(input) }
}

/// A pasted text; bytes that are not UTF-8 become U+FFFD.
fn paste(text: &[u8], out: &mut Vec<Input>) {
    if !text.is_empty() {
        out.push(Input::Paste(String::from_utf8_lossy(text).into_owned()));
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    let first = *part.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|b| *b == first) {
        if text[from + at..].starts_with(part) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// The terminal's inputs, read by a thread that ends with this.
pub struct Inputs {
    read: UnboundedReceiver<io::Result<Input>>,
    /// Closing it ends the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Inputs {
    /// Starts reading.
    ///
    /// # Errors
    /// The system's, if there is no terminal to read from, or no thread can be started.
    pub fn start() -> io::Result<Self> {
        let terminal = terminal()?;
        let (stopped, stop) = io::pipe()?;
        let (send, received) = unbounded_channel();
        let work = move || {
            if let Err(error) = read(&terminal, &stopped, &send) {
                // This fails only after the loop has ended, when nobody listens.
                let _ = send.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("keys".into()).spawn(work)?;
        Ok(Self { read: received, stop: Some(stop), thread: Some(thread) })
    }

    /// The next input.
    ///
    /// # Errors
    /// The system's, if the terminal cannot be read any more.
    pub async fn next(&mut self) -> io::Result<Input> {
        self.read.recv().await.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// An input that is waiting, if there is one. (A failure waits for [`Inputs::next`].)
    pub fn waiting(&mut self) -> Option<Input> {
        self.read.try_recv().ok()?.ok()
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It looks at the pipe before it reads, so this takes no time.
            let _ = thread.join();
        }
    }
}

/// Where keys come from: standard input, or the terminal itself if standard input is not one.
fn terminal() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return stdin.as_fd().try_clone_to_owned();
    }
    File::options().read(true).write(true).open("/dev/tty").map(OwnedFd::from)
}

fn read(terminal: &OwnedFd, stopped: &impl AsFd, send: &UnboundedSender<io::Result<Input>>) -> io::Result<()> {
    let mut parser = Parser::default();
    let mut buffer = vec![0; 1 << 16];
    let mut found = Vec::new();
    loop {
        let left = parser.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        // A nanosecond more than what is left, so that it is not zero for ever.
        let timeout = left.map(|left| Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) + 1 });
        let timeout = timeout.map(|t| if t.tv_nsec == 1_000_000_000 { Timespec { tv_sec: t.tv_sec + 1, tv_nsec: 0 } } else { t });
        let mut fds = [PollFd::new(terminal, PollFlags::IN), PollFd::from_borrowed_fd(stopped.as_fd(), PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(0) => parser.expire(&mut found),
            Ok(_) if !fds[1].revents().is_empty() => return Ok(()),
            Ok(_) => match rustix::io::read(terminal, &mut buffer) {
                Ok(0) => return Err(io::ErrorKind::BrokenPipe.into()),
                Ok(n) => parser.feed(&buffer[..n], Instant::now(), &mut found),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => continue,
                Err(error) => return Err(error.into()),
            },
        }
        for input in found.drain(..) {
            if send.send(Ok(input)).is_err() {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    /// Inputs as text: keys by their names, and the others.
    fn told(inputs: &[Input]) -> String {
        let one = |input: &Input| match input {
            Input::Key(key) => key.to_string(),
            Input::Paste(text) => format!("paste({text})"),
            Input::Press(x, y) => format!("press({x},{y})"),
            Input::Wheel(x, y, up) => format!("wheel({x},{y},{up})"),
            Input::Background(b) => format!("{b:?}"),
        };
        inputs.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// What comes of bytes at once, and what after a pause.
    fn parsed(bytes: &[u8]) -> (String, String) {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        parser.feed(bytes, Instant::now(), &mut out);
        let at_once = told(&out);
        out.clear();
        if parser.deadline().is_some() {
            parser.expire(&mut out);
        }
        assert!(parser.deadline().is_none() && parser.held.is_empty() && parser.paste.is_none());
        (at_once, told(&out))
    }

    #[test]
    fn every_key_of_the_lab_is_read() {
        for (bytes, keys) in [
            ("aZ?é日🙂", "a Z ? é 日 🙂"),
            (" \r\t\x7f\n\x08", "space enter tab backspace ctrl-j ctrl-h"),
            ("\x01\x11\x1a\x1c\x1f\0", "ctrl-a ctrl-q ctrl-z ctrl-4 ctrl-7 ctrl-space"),
            ("\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F\x1b[Z", "up down right left home end backtab"),
            ("\x1bOA\x1bOB\x1bOC\x1bOD\x1bOH\x1bOF\x1bOM", "up down right left home end enter"),
            ("\x1bOP\x1bOQ\x1bOR\x1bOS", "f1 f2 f3 f4"),
            ("\x1b[[A\x1b[[E", "f1 f5"),
            ("\x1b[11~\x1b[15~\x1b[17~\x1b[21~\x1b[23~\x1b[24~", "f1 f5 f6 f10 f11 f12"),
            ("\x1b[1~\x1b[3~\x1b[4~\x1b[5~\x1b[6~\x1b[7~\x1b[8~", "home del end pgup pgdn home end"),
            ("\x1b[1;2A\x1b[1;5C\x1b[1;3D\x1b[1;6H\x1b[3;5~", "shift-up ctrl-right alt-left ctrl-shift-home ctrl-del"),
            ("\x1b[1;2P\x1b[1;5R\x1b[15;2~", "shift-f1 ctrl-f3 shift-f5"),
            ("\x1bx\x1bX1\x1b1\x1b\r\x1b\x7f\x1b\x01\x1bé", "alt-x alt-X 1 alt-1 alt-enter alt-backspace ctrl-alt-a alt-é"),
            ("\x1b[97;5u\x1b[112;6u\x1b[13;2u\x1b[27u\x1b[9;2u\x1b[97;1:3u", "ctrl-a ctrl-p shift-enter esc backtab"),
            ("\x1b[27;5;113~", "ctrl-q"),
            ("\x1b\x1b[A", "esc up"),
            ("\x1bOx\x1b[x", "alt-O x"),
        ] {
            assert_eq!(parsed(bytes.as_bytes()), (keys.to_owned(), String::new()), "{bytes:?}");
        }
    }

    #[test]
    fn the_mouse_pastes_focus_and_answers_are_read() {
        for (bytes, inputs) in [
            ("\x1b[<0;12;3M\x1b[<0;12;3m", "press(11,2)"),
            ("\x1b[<64;1;1M\x1b[<65;200;60M\x1b[<68;2;2M", "wheel(0,0,true) wheel(199,59,false) wheel(1,1,true)"),
            ("\x1b[<2;5;5M\x1b[<35;5;5M\x1b[<1;5;5Mx", "x"),
            ("\x1b[M !!\x1b[M`\"#", "press(0,0) wheel(1,2,true)"),
            ("\x1b[I\x1b[Oa", "a"),
            ("\x1b[200~hot -> cold\nbig\x1b[A ->\x1b[201~\r", "paste(hot -> cold\nbig\x1b[A ->) enter"),
            ("\x1b[200~\x1b[201~\x1b[201~a", "a"),
            ("\x1b[?2026;2$y\x1b[?62;22c\x1b[5;10R\x1b[8;40;120ta", "a"),
            ("a\x1b]11;rgb:ffff/ffff/ffff\x07b", "a Light b"),
            ("\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\x", "Dark x"),
            ("\x1b]10;rgb:ffff/ffff/ffff\x07\x1bP>|tmux 3.4\x1b\\\x1b_G1\x1b\\x", "alt-_ G 1 alt-\\ x"),
            ("\x1b]1x\x11", "ctrl-q"),
            ("\x1b]x\x1bPq", "alt-] x alt-P q"),
        ] {
            assert_eq!(parsed(bytes.as_bytes()), (inputs.to_owned(), String::new()), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_cut_short_is_over_within_half_a_second_and_keys_work_again() {
        let endings: [(&[u8], &str); 15] = [
            (b"\x1b", "esc"),
            (b"\x1b[", "alt-["),
            (b"\x1bO", "alt-O"),
            (b"\x1b]", "alt-]"),
            (b"\x1b[<0;1", ""),
            (b"\x1b[<0;1;", ""),
            (b"\x1b[?2026;2$", ""),
            (b"\x1b[1;5", ""),
            (b"\x1b[M ", ""),
            (b"\x1b[[", ""),
            (b"\x1b]11;rgb:ff", ""),
            (b"\x1bP1$r", ""),
            (b"\xe2\x82", ""),
            (b"\xf0\x9f\x99", ""),
            (b"\x1b[200~half a te", "paste(half a te)"),
        ];
        for (bytes, made) in endings {
            let (mut parser, mut out) = (Parser::default(), Vec::new());
            let now = Instant::now();
            parser.feed(bytes, now, &mut out);
            assert!(out.is_empty(), "{bytes:?} made {out:?}");
            let due = parser.deadline().unwrap();
            assert!(due > now && due < now + Duration::from_millis(450), "{bytes:?}: {:?}", due - now);
            parser.expire(&mut out);
            assert_eq!(told(&out), made, "{bytes:?}");
            out.clear();
            parser.feed(b"ab\x1b[A\x11", due, &mut out);
            assert_eq!(told(&out), "a b up ctrl-q", "after {bytes:?}");
            // A control character at once is heard too.
            let (mut parser, mut out) = (Parser::default(), Vec::new());
            parser.feed(bytes, now, &mut out);
            parser.feed(b"\x11", now, &mut out);
            if !bytes.starts_with(b"\x1b[200~") && !bytes.starts_with(b"\x1b[M") {
                assert!(told(&out).ends_with("ctrl-q") || told(&out).ends_with("ctrl-alt-q"), "{bytes:?} made {}", told(&out));
            }
        }
    }

    #[test]
    fn keys_that_go_on_do_not_keep_a_cut_sequence_alive() {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        let began = Instant::now();
        parser.feed(b"\x1b]1", began, &mut out);
        let due = parser.deadline().unwrap();
        for i in 1..5 {
            parser.feed(b"1", began + Duration::from_millis(40 * i), &mut out);
        }
        assert_eq!(parser.deadline(), Some(due), "counted from the first byte");
    }

    #[test]
    fn the_rest_of_a_paste_that_paused_too_long_is_still_text() {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        let now = Instant::now();
        parser.feed(b"\x1b[200~one\r", now, &mut out);
        parser.expire(&mut out);
        let rest = format!("{}\r\x1b[201~q", "two ".repeat(40));
        parser.feed(rest.as_bytes(), now, &mut out);
        assert_eq!(told(&out), format!("paste(one\r) paste({}\r) q", "two ".repeat(40)));
    }

    #[test]
    fn a_long_paste_costs_what_it_is_long_and_loses_nothing() {
        let text = "é -> 日本\r\n".repeat(300_000);
        let bytes = format!("\x1b[200~{text}\x1b[201~x");
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        let began = Instant::now();
        for chunk in bytes.as_bytes().chunks(4095) {
            parser.feed(chunk, began, &mut out);
        }
        let took = began.elapsed();
        assert_eq!(out.pop(), Some(Input::Key(Key::plain(KeyCode::Char('x')))));
        let all: String = out.iter().map(|i| if let Input::Paste(text) = i { text.as_str() } else { panic!("{i:?}") }).collect();
        assert!(all == text, "the text is another");
        assert!(out.iter().all(|i| !matches!(i, Input::Paste(text) if text.ends_with('\r'))), "a line break was cut in two");
        println!("{} MB in {took:.0?}", bytes.len() / 1_000_000);
        assert!(took < Duration::from_secs(2), "{took:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, rng_seed: RngSeed::Fixed(11), ..ProptestConfig::default() })]

        /// Bytes make the same inputs however they are cut, and nothing makes the parser fail or
        /// wait for long.
        #[test]
        fn it_makes_no_difference_how_bytes_come(
            pieces in prop::collection::vec(prop_oneof![
                Just(b"\x1b[A".to_vec()), Just(b"\x1b[<0;1;1M".to_vec()), Just(b"\x1b[200~a\xc3\xa9b\x1b[201~".to_vec()), Just(b"\x1b".to_vec()),
                Just(b"\x1b]11;rgb:00/00/00\x07".to_vec()), Just("日🙂".as_bytes().to_vec()), Just(b"\x1b[?1;2$y".to_vec()),
                prop::collection::vec(any::<u8>(), 1..6),
            ], 0..8),
            cut in 1usize..7,
        ) {
            let bytes = pieces.concat();
            let now = Instant::now();
            let (mut whole, mut parts) = (Parser::default(), Parser::default());
            let (mut a, mut b) = (Vec::new(), Vec::new());
            whole.feed(&bytes, now, &mut a);
            bytes.chunks(cut).for_each(|chunk| parts.feed(chunk, now, &mut b));
            prop_assert_eq!(&a, &b);
            prop_assert_eq!(whole.deadline(), parts.deadline());
            whole.expire(&mut a);
            whole.feed(b"\x11", now, &mut a);
            prop_assert_eq!(a.last(), Some(&Input::Key("ctrl-q".parse().unwrap())));
        }
    }
}
