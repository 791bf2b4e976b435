//! A one-line input: text and cursor.

use super::editor;
use super::key::{Key, KeyCode};

/// The longest line, in bytes.
const LONGEST: usize = 4096;

/// One line of editable text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// Byte offset, always at a character boundary.
    cursor: usize,
}

impl Line {
    /// A line with the cursor at its end. Line breaks become spaces.
    pub fn new(text: &str) -> Self {
        let text = one_line(text);
        Self { cursor: text.len(), text }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Text before and after the cursor.
    pub fn split(&self) -> (&str, &str) {
        self.text.split_at(self.cursor)
    }

    /// Inserts as much of a text at the cursor as there is room for; line breaks become spaces.
    /// Returns a sentence about what was left out.
    pub fn insert(&mut self, text: &str) -> Option<String> {
        // A control character has one or two bytes and the blank that replaces it has one, so what
        // fits before the replacement fits after it.
        let (fits, left_out) = editor::fitting(text, LONGEST.saturating_sub(self.text.len()));
        let fits = one_line(fits);
        self.text.insert_str(self.cursor, &fits);
        self.cursor += fits.len();
        left_out.map(|n| editor::left_out_text(n, text.len(), &format!("this line holds {LONGEST} bytes")))
    }

    /// Applies an editing key; true if the text changed.
    pub fn input(&mut self, key: Key) -> bool {
        if let Some(c) = key.typed() {
            return self.insert(c.encode_utf8(&mut [0; 4])).is_none();
        }
        let before = self.text.len();
        match (key.code, key.ctrl) {
            (KeyCode::Left, false) => self.cursor = self.left(),
            (KeyCode::Right, false) => self.cursor = self.right(),
            (KeyCode::Home, _) | (KeyCode::Char('a'), true) => self.cursor = 0,
            (KeyCode::End, _) | (KeyCode::Char('e'), true) => self.cursor = self.text.len(),
            (KeyCode::Backspace, false) => self.delete(self.left()..self.cursor),
            (KeyCode::Delete, false) => self.delete(self.cursor..self.right()),
            (KeyCode::Char('u'), true) => self.delete(0..self.cursor),
            (KeyCode::Char('k'), true) => self.delete(self.cursor..self.text.len()),
            (KeyCode::Char('w') | KeyCode::Backspace, true) => {
                let head = self.text[..self.cursor].trim_end();
                let start = head.rfind(char::is_whitespace).map_or(0, |i| i + head[i..].chars().next().map_or(0, char::len_utf8));
                self.delete(start..self.cursor);
            }
            _ => {}
        }
        self.text.len() != before
    }

    fn left(&self) -> usize {
        self.text[..self.cursor].char_indices().next_back().map_or(0, |(i, _)| i)
    }

    fn right(&self) -> usize {
        self.text[self.cursor..].chars().next().map_or(self.cursor, |c| self.cursor + c.len_utf8())
    }

    fn delete(&mut self, range: std::ops::Range<usize>) {
        self.cursor = range.start;
        self.text.replace_range(range, "");
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::key::parse_macro;

    fn typed(text: &str) -> (String, usize) {
        let mut line = Line::default();
        for key in parse_macro(text).unwrap() {
            line.input(key);
        }
        (line.text, line.cursor)
    }

    #[test]
    fn edits_by_character_and_word() {
        assert_eq!(typed("añb<left><backspace>"), ("ab".into(), 1));
        assert_eq!(typed("one two<ctrl-w>"), ("one ".into(), 4));
        assert_eq!(typed("one<home>x<del>"), ("xne".into(), 1));
        assert_eq!(typed("one<ctrl-u>"), (String::new(), 0));
        assert_eq!(typed("<backspace><left><del>"), (String::new(), 0));
    }

    #[test]
    fn a_line_that_is_full_says_what_it_leaves_out() {
        let mut line = Line::default();
        let told = line.insert(&"é".repeat(LONGEST)).unwrap();
        assert!(told.contains("the last 4096 of its 8192 bytes"), "{told}");
        assert_eq!(line.text().len(), LONGEST);
        assert!(!line.input(Key::plain(KeyCode::Char('x'))) && line.input(Key::plain(KeyCode::Backspace)));
    }
}
