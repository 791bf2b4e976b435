//! Keys as plain values, with a written form (`ctrl-p`, `shift-left`, `f1`) for the command table,
//! tests and sessions. Mouse events are keys too (`click ranking 3`), so they are journaled,
//! replayed and exported like all other keys.

use super::screen::Target;
use std::fmt;
use std::str::FromStr;

/// A key without its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyCode {
    /// A character, as typed; an upper-case letter implies its shift.
    Char(char),
    /// F1 … F12.
    F(u8),
    /// Return.
    Enter,
    /// Tab.
    Tab,
    /// Shift-Tab, which terminals report as a separate key.
    BackTab,
    /// Escape.
    Esc,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Home.
    Home,
    /// End.
    End,
    /// Page up.
    PageUp,
    /// Page down.
    PageDown,
    /// The mouse button, pressed on this target.
    Click(Target),
    /// The mouse wheel, turned above this target: up (true) or down.
    Wheel(Target, bool),
}

/// A key with its modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// Which key.
    pub code: KeyCode,
    /// Control held.
    pub ctrl: bool,
    /// Alt held.
    pub alt: bool,
    /// Shift held; always false for characters, which imply their shift.
    pub shift: bool,
}

const NAMES: [(&str, KeyCode); 14] = [
    ("enter", KeyCode::Enter),
    ("tab", KeyCode::Tab),
    ("backtab", KeyCode::BackTab),
    ("esc", KeyCode::Esc),
    ("backspace", KeyCode::Backspace),
    ("del", KeyCode::Delete),
    ("left", KeyCode::Left),
    ("right", KeyCode::Right),
    ("up", KeyCode::Up),
    ("down", KeyCode::Down),
    ("home", KeyCode::Home),
    ("end", KeyCode::End),
    ("pgup", KeyCode::PageUp),
    ("pgdn", KeyCode::PageDown),
];

impl Key {
    /// A key without modifiers.
    pub fn plain(code: KeyCode) -> Self {
        Self { code, ctrl: false, alt: false, shift: false }
    }

    /// The character this key types, if it types one.
    pub fn typed(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if !self.ctrl && !self.alt => Some(c),
            _ => None,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, name) in [(self.ctrl, "ctrl-"), (self.alt, "alt-"), (self.shift, "shift-")] {
            if held {
                f.write_str(name)?;
            }
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("space"),
            KeyCode::Char(c) => write!(f, "{c}"),
            KeyCode::F(n) => write!(f, "f{n}"),
            KeyCode::Click(target) => write!(f, "click {target}"),
            KeyCode::Wheel(target, up) => write!(f, "wheel-{} {target}", if up { "up" } else { "down" }),
            code => f.write_str(NAMES.iter().find(|(_, c)| *c == code).map_or("", |(name, _)| name)),
        }
    }
}

impl FromStr for Key {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        for (name, code) in [
            ("click ", KeyCode::Click as fn(Target) -> KeyCode),
            ("wheel-up ", |t| KeyCode::Wheel(t, true)),
            ("wheel-down ", |t| KeyCode::Wheel(t, false)),
        ] {
            if let Some(target) = text.strip_prefix(name) {
                return Ok(Self::plain(code(target.parse()?)));
            }
        }
        let mut key = Self::plain(KeyCode::Esc);
        let mut rest = text;
        loop {
            let (flag, tail) = if let Some(tail) = rest.strip_prefix("ctrl-") {
                (&mut key.ctrl, tail)
            } else if let Some(tail) = rest.strip_prefix("alt-") {
                (&mut key.alt, tail)
            } else if let Some(tail) = rest.strip_prefix("shift-") {
                (&mut key.shift, tail)
            } else {
                break;
            };
            *flag = true;
            rest = tail;
        }
        let mut chars = rest.chars();
        key.code = match (chars.next(), chars.next()) {
            (Some(c), None) => KeyCode::Char(c),
            _ if rest == "space" => KeyCode::Char(' '),
            _ => {
                let named = NAMES.iter().find(|(name, _)| *name == rest).map(|(_, code)| *code);
                let function = rest.strip_prefix('f').and_then(|n| n.parse().ok()).filter(|n| (1..=12).contains(n)).map(KeyCode::F);
                named
                    .or(function)
                    .ok_or_else(|| format!("`{text}` is not a key; keys look like `a`, `ctrl-p`, `shift-left`, `f1`, `enter`"))?
            }
        };
        Ok(key)
    }
}

/// Reads a key macro: characters stand for themselves, named keys and chords stand in `<…>` (`hot
/// -> cold<enter><ctrl-p>`).
///
/// # Errors
/// A sentence that names what is not a key.
pub fn parse_macro(text: &str) -> Result<Vec<Key>, String> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        // `->` is common in queries, so a `<` starts a name only if a `>` closes it around some
        // text.
        let named = rest.strip_prefix('<').and_then(|tail| tail.split_once('>')).filter(|(name, _)| !name.is_empty());
        if let Some((name, tail)) = named {
            keys.push(name.parse()?);
            rest = tail;
        } else {
            keys.push(Key::plain(if c == '\n' { KeyCode::Enter } else { KeyCode::Char(c) }));
            rest = &rest[c.len_utf8()..];
        }
    }
    Ok(keys)
}

/// Writes keys in the form that [`parse_macro`] reads.
pub fn write_macro(keys: &[Key]) -> String {
    let written = |key: &Key| match key.typed() {
        Some('<') | None => format!("<{key}>"),
        Some(c) => c.to_string(),
    };
    keys.iter().map(written).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_form_round_trips() {
        for text in [
            "a",
            "A",
            "?",
            "-",
            "+",
            "ctrl-p",
            "shift-left",
            "alt-up",
            "f1",
            "f12",
            "enter",
            "space",
            "pgdn",
            "ctrl-alt-x",
            "backtab",
            "click tab map",
            "click query",
            "click map 12",
            "wheel-down ranking 3",
            "wheel-up overlay",
        ] {
            assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
        }
        assert!("f13".parse::<Key>().is_err());
        assert!("click nowhere".parse::<Key>().unwrap_err().contains("nowhere"));
        assert!("nothing".parse::<Key>().unwrap_err().contains("nothing"));
    }

    #[test]
    fn macros_mix_text_and_names() {
        let keys = parse_macro("a -> b<enter><ctrl-p>").unwrap();
        let text: Vec<String> = keys.iter().map(Key::to_string).collect();
        assert_eq!(text, ["a", "space", "-", ">", "space", "b", "enter", "ctrl-p"]);
    }

    #[test]
    fn written_macros_read_the_same() {
        let names = ["click soup 2", "a", "<", ">", "space", "enter", "ctrl-p", "alt-<", "shift-left", "é", "<", "a", ">", "-"];
        let keys: Vec<Key> = names.iter().map(|name| name.parse().unwrap()).collect();
        assert_eq!(write_macro(&keys), "<click soup 2>a<<>> <enter><ctrl-p><alt-<><shift-left>é<<>a>-");
        assert_eq!(parse_macro(&write_macro(&keys)).unwrap(), keys);
    }
}
