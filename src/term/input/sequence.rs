//! What bytes begin with: a character, a key or a report.
//!
//! Sequences are those of ECMA-48 (5.4): parameters `0`–`?`, intermediates ` `–`/`, one final byte
//! `@`–`~`. All are read; unknown ones are ignored.

use super::Input;
use crate::app::{Key, KeyCode};
use crate::term::background;

/// The longest sequence, in bytes: no known report is a third as long.
const LONGEST: usize = 256;

/// What the first bytes are.
pub(super) struct Step {
    pub(super) bytes: usize,
    pub(super) what: What,
}

pub(super) enum What {
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
pub(super) fn step(bytes: &[u8]) -> Option<Step> {
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

pub(super) fn alt(key: Key) -> Key {
    Key { alt: true, ..key }
}

/// The key of a byte below 128, outside sequences.
pub(super) fn plain(byte: u8) -> Option<Key> {
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
