//! Light or dark, by the terminal's own word (OSC 11).
//!
//! The question goes out after the first frame, and nothing waits for the answer: it comes among the keys, a moment later or never,
//! and is applied when it comes. crossterm does not know it and tells it as what a person might have typed (`alt-]`, then `11;rgb:…`),
//! so [`Listener`] takes it out from among the keys: otherwise it would end up in the query.

use crate::app::{Background, Key, KeyCode};

/// The question.
pub const QUESTION: &str = "\x1b]11;?\x1b\\";
/// How the answer begins, after `ESC ]`.
const BEGINNING: &str = "11;rgb";
/// The longest answer: `11;rgba:ffff/ffff/ffff/ffff`.
const LONGEST: usize = 27;

/// What a key turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Keys a person pressed.
    Keys(Vec<Key>),
    /// A part of an answer, perhaps.
    Held,
    /// The end of an answer.
    Background(Background),
}

/// Takes the answer out from among the keys.
#[derive(Clone, Debug, Default)]
pub struct Listener {
    listening: bool,
    held: Vec<Key>,
}

impl Listener {
    /// One that waits for an answer, or lets every key pass.
    pub fn new(listening: bool) -> Self {
        Self { listening, held: Vec::new() }
    }

    /// Takes the next key.
    pub fn take(&mut self, key: Key) -> Heard {
        let alt = |c| Key { alt: true, ..Key::plain(KeyCode::Char(c)) };
        if !self.listening || (self.held.is_empty() && key != alt(']')) {
            return Heard::Keys(vec![key]);
        }
        let bell = Key { ctrl: true, ..Key::plain(KeyCode::Char('g')) };
        if key == bell || key == alt('\\') {
            let text: String = self.held.iter().skip(1).filter_map(|k| k.typed()).collect();
            if let Some(background) = parse(&text) {
                *self = Self::default();
                return Heard::Background(background);
            }
        } else if self.held.is_empty() || self.goes_on(key) {
            self.held.push(key);
            return Heard::Held;
        }
        // It was a person after all.
        let mut keys = std::mem::take(&mut self.held);
        keys.push(key);
        Heard::Keys(keys)
    }

    fn goes_on(&self, key: Key) -> bool {
        let at = self.held.len() - 1;
        key.typed().is_some_and(|c| match BEGINNING.chars().nth(at) {
            Some(wanted) => c == wanted,
            None => at < LONGEST && (c.is_ascii_hexdigit() || matches!(c, ':' | '/' | 'a')),
        })
    }
}

/// The background in an answer such as `11;rgb:1e1e/1e1e/2e2e`.
fn parse(text: &str) -> Option<Background> {
    let (_, colours) = text.strip_prefix(BEGINNING)?.split_once(':')?;
    let parts: Vec<f64> = colours.split('/').take(3).filter_map(share).collect();
    let [red, green, blue] = parts[..] else { return None };
    // ITU-R BT.709's weights on the values as coded: near enough to tell night from day.
    let bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5;
    Some(if bright { Background::Light } else { Background::Dark })
}

/// One to four hexadecimal digits as a share of the greatest such number.
fn share(digits: &str) -> Option<f64> {
    let greatest = 16u32.checked_pow(u32::try_from(digits.len()).ok().filter(|n| (1..=4).contains(n))?)? - 1;
    Some(f64::from(u32::from_str_radix(digits, 16).ok()?) / f64::from(greatest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::key::parse_macro;

    /// What comes out of a listener for a macro: keys as text, `L` or `D` for a background.
    fn heard(listener: &mut Listener, keys: &str) -> String {
        let mut out = String::new();
        for key in parse_macro(keys).unwrap() {
            match listener.take(key) {
                Heard::Keys(keys) => keys.iter().for_each(|k| out += &k.to_string()),
                Heard::Held => {}
                Heard::Background(Background::Light) => out += "L",
                Heard::Background(Background::Dark) => out += "D",
            }
        }
        out
    }

    #[test]
    fn answers_are_taken_out_from_among_the_keys() {
        for (answer, seen) in [
            ("a<alt-]>11;rgb:ffff/ffff/ffff<ctrl-g>b", "aLb"),
            ("<alt-]>11;rgb:1e1e/1e1e/2e2e<alt-\\>", "D"),
            ("<alt-]>11;rgb:FD/F6/E3<ctrl-g>", "L"),
            ("<alt-]>11;rgba:0000/0000/0000/ffff<ctrl-g>", "D"),
        ] {
            assert_eq!(heard(&mut Listener::new(true), answer), seen, "{answer}");
        }
    }

    #[test]
    fn what_a_person_types_is_given_back() {
        let mut listener = Listener::new(true);
        assert_eq!(heard(&mut listener, "<alt-]>1x"), "alt-]1x");
        assert_eq!(heard(&mut listener, "<alt-]><ctrl-g>"), "alt-]ctrl-g");
        assert_eq!(heard(&mut listener, "<alt-]>11;rgb:zz"), "alt-]11;rgb:zz");
        assert_eq!(heard(&mut listener, &format!("<alt-]>11;rgb:{}", "f".repeat(40))).len(), "alt-]11;rgb:".len() + 40);
        assert_eq!(heard(&mut listener, "<alt-]>11;rgb:000/000/000<ctrl-g>"), "D", "it still listens");
        assert_eq!(heard(&mut listener, "<alt-]>11"), "alt-]11", "one answer, then no more");
        assert_eq!(heard(&mut Listener::new(false), "<alt-]>11"), "alt-]11");
    }
}
