//! Scans the text of a recipe: names, quotes and numbers, and the position of a mistake. The
//! grammar is in [`super::parse`].

use super::{Divisor, Recipe};
use crate::error::{Error, Result};

/// Whether a name reads back as itself without quotes.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name_len(name) == name.len() && !["zero", "h0", "query", "auto", "inf", "nan"].contains(&name)
}

/// Length in bytes of the name that the text begins with: letters, digits, `_`, `/` and `.`,
/// starting with a letter or `_`, and hyphens between letters.
fn name_len(text: &str) -> usize {
    let mut before = None;
    for (i, c) in text.char_indices() {
        let belongs = match before {
            None => c.is_alphabetic() || c == '_',
            Some(before) if c == '-' => char::is_alphabetic(before) && text[i + 1..].starts_with(char::is_alphabetic),
            Some(_) => is_name_char(c),
        };
        if !belongs {
            return i;
        }
        before = Some(c);
    }
    text.len()
}

fn is_name_char(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '/' | '.')
}

/// A text, and the position up to which it is read.
pub(super) struct Parser<'a> {
    pub text: &'a str,
    pub at: usize,
    pub depth: usize,
    pub pipes: usize,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, pipes: 0 }
    }

    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub fn wrong(&self, why: &str) -> Error {
        self.wrong_at(self.at, why)
    }

    pub fn wrong_at(&self, at: usize, why: &str) -> Error {
        let column = self.text[..at].chars().count() + 1;
        let near: String = self.text[at..].chars().take(16).collect();
        let near = if near.is_empty() { "its end".into() } else { format!("`{near}`") };
        Error::Input(format!("recipe, column {column} (at {near}): {why}"))
    }

    pub fn skip_space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    pub fn eat(&mut self, token: &str) -> bool {
        self.skip_space();
        let there = self.rest().starts_with(token);
        if there {
            self.at += token.len();
        }
        there
    }

    pub fn need(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(self.wrong(&format!("`{token}` is expected"))) }
    }

    pub fn quoted(&mut self) -> Result<Recipe> {
        let mut name = String::new();
        let mut chars = self.rest().char_indices();
        while let Some((i, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += i + 1;
                    return Ok(Recipe::skill(name));
                }
                '\\' => name.extend(chars.next().map(|(_, c)| c)),
                c => name.push(c),
            }
        }
        Err(self.wrong("the closing quote is missing"))
    }

    pub fn name(&mut self) -> &'a str {
        self.skip_space();
        let name = &self.rest()[..name_len(self.rest())];
        self.at += name.len();
        name
    }

    /// Reads a finite number.
    pub fn finite(&mut self) -> Result<f64> {
        self.skip_space();
        let at = self.at;
        let value = self.number()?;
        if value.is_finite() { Ok(value) } else { Err(self.wrong_at(at, "a finite number is expected")) }
    }

    /// Reads the value of `z=`.
    pub fn divisor(&mut self) -> Result<Divisor> {
        self.skip_space();
        for (text, z) in [("1", Divisor::One), ("n", Divisor::Count), ("w", Divisor::Weights)] {
            if self.eat(text) {
                return Ok(z);
            }
        }
        Err(self.wrong("`1`, `n` (the number of items) or `w` (the sum of their weights) is expected"))
    }

    pub fn seed(&mut self) -> Result<u64> {
        self.skip_space();
        let digits = &self.rest()[..self.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(self.rest().len())];
        match digits.parse() {
            Ok(seed) => {
                self.at += digits.len();
                Ok(seed)
            }
            Err(_) => Err(self.wrong("the seed must be a whole number below 2^64")),
        }
    }

    pub fn number(&mut self) -> Result<f64> {
        self.skip_space();
        let rest = self.rest();
        let negative = rest.starts_with('-');
        let digits = &rest[usize::from(negative)..];
        let mut end = if digits.starts_with("inf") {
            3
        } else {
            // `4..8` is a range: a dot belongs to a number only if no other dot stands next to it.
            let bytes = digits.as_bytes();
            let is_part = |i: usize| match bytes[i] {
                b'0'..=b'9' => true,
                b'.' => bytes.get(i + 1) != Some(&b'.') && (i == 0 || bytes[i - 1] != b'.'),
                b'e' | b'E' => i > 0,
                b'-' | b'+' => i > 0 && matches!(bytes[i - 1], b'e' | b'E'),
                _ => false,
            };
            (0..bytes.len()).find(|i| !is_part(*i)).unwrap_or(bytes.len())
        };
        end += usize::from(negative);
        match rest[..end].parse::<f64>() {
            Ok(value) => {
                self.at += end;
                Ok(value)
            }
            Err(_) => Err(self.wrong("a number is expected")),
        }
    }

    pub fn whole(&mut self) -> Result<usize> {
        let at = self.at;
        let value = self.number()?;
        if value >= 0.0 && value.fract() == 0.0 && value < 1e6 {
            Ok(value as usize)
        } else {
            Err(self.wrong_at(at, "a whole number is expected"))
        }
    }
}
