//! crossterm's keys as ours.

use crate::app::{Key, KeyCode};
use crossterm::event::{KeyCode as C, KeyEvent, KeyModifiers};

/// The key of an event; `None` for keys the lab has no use for.
pub fn key(event: KeyEvent) -> Option<Key> {
    let held = |modifier| event.modifiers.contains(modifier);
    let (ctrl, alt, shift) = (held(KeyModifiers::CONTROL), held(KeyModifiers::ALT), held(KeyModifiers::SHIFT));
    let code = match event.code {
        // Shift is in the character already; control takes letters without regard to case.
        C::Char(c) if ctrl => return Some(Key { code: KeyCode::Char(c.to_ascii_lowercase()), ctrl, alt, shift: false }),
        C::Char(c) => return Some(Key { code: KeyCode::Char(c), ctrl, alt, shift: false }),
        C::BackTab => return Some(Key { code: KeyCode::BackTab, ctrl, alt, shift: false }),
        C::Tab if shift => return Some(Key { code: KeyCode::BackTab, ctrl, alt, shift: false }),
        C::Tab => KeyCode::Tab,
        C::F(n @ 1..=12) => KeyCode::F(n),
        C::Enter => KeyCode::Enter,
        C::Esc => KeyCode::Esc,
        C::Backspace => KeyCode::Backspace,
        C::Delete => KeyCode::Delete,
        C::Left => KeyCode::Left,
        C::Right => KeyCode::Right,
        C::Up => KeyCode::Up,
        C::Down => KeyCode::Down,
        C::Home => KeyCode::Home,
        C::End => KeyCode::End,
        C::PageUp => KeyCode::PageUp,
        C::PageDown => KeyCode::PageDown,
        _ => return None,
    };
    Some(Key { code, ctrl, alt, shift })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_have_their_written_names() {
        let name = |code, modifiers| key(KeyEvent::new(code, modifiers)).map(|k| k.to_string());
        assert_eq!(name(C::Char('P'), KeyModifiers::SHIFT).as_deref(), Some("P"));
        assert_eq!(name(C::Char('P'), KeyModifiers::CONTROL | KeyModifiers::SHIFT).as_deref(), Some("ctrl-p"));
        assert_eq!(name(C::Left, KeyModifiers::SHIFT).as_deref(), Some("shift-left"));
        assert_eq!(name(C::BackTab, KeyModifiers::SHIFT).as_deref(), Some("backtab"));
        assert_eq!(name(C::CapsLock, KeyModifiers::NONE), None);
    }
}
