//! What the terminal sends: a thread that reads its bytes, and the parser that turns them into
//! keys, pastes and the mouse's events. The terminal's loop uses [`Inputs`] and [`Input`].
//!
//! The parser never waits for long: what has begun and not ended counts, after a moment, as what it
//! is by then. A lone ESC is the Esc key, `ESC [` is alt-[, a report that was cut short is nothing,
//! a paste without an end is the text that came. (crossterm's parser waits for ever for the end of
//! a sequence whose beginning it knows, and loses every key after that.)
//!
//! - [`Parser`], here: bytes held until they are an input, their deadlines, and pastes.
//! - `sequence`: what the first bytes mean; `reader`: the thread.

mod reader;
mod sequence;
#[cfg(test)]
mod tests;

pub use reader::Inputs;

use crate::app::{Background, Key, KeyCode};
use sequence::{What, alt, plain, step};
use std::time::{Duration, Instant};

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
