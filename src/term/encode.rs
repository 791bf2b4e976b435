//! Changed cells as escape sequences, as few bytes as they need.
//!
//! A line to a distant machine carries a few kilobytes a second, and in a picture of many colours most bytes would be colour sequences
//! (ratatui's own writer sends one whenever two neighbours differ). The order of cells within a synchronized update is free, so they are
//! sent style by style: each style is named once a frame, and moving the cursor costs three to eight bytes.

use crate::ui::sgr;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use std::ops::Range;
use unicode_width::UnicodeWidthStr;

/// What cells must share to be sent under one style.
#[derive(Clone, Copy, PartialEq)]
struct Style {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Style {
    fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }

    /// The sequence that names it, whatever came before.
    fn write(self, out: &mut String) {
        out.push_str("\x1b[0");
        sgr::parameters(self.fg, self.bg, self.modifier, out);
        out.push('m');
    }
}

/// What turns the picture `old` into `new`, which has the same area. Ends with the terminal's own style.
pub fn changes(old: &Buffer, new: &Buffer) -> String {
    let cells = old.diff(new);
    let mut styles: Vec<Style> = Vec::new();
    for (.., cell) in &cells {
        let style = Style::of(cell);
        if !styles.contains(&style) {
            styles.push(style);
        }
    }
    let mut out = String::new();
    // Where the cursor is, if it is known: at the right edge terminals differ.
    let mut cursor: Option<(u16, u16)> = None;
    for style in styles {
        style.write(&mut out);
        for (x, y, cell) in cells.iter().filter(|(.., cell)| Style::of(cell) == style) {
            match cursor {
                // What lies between and stays is written again where that is shorter than going over it.
                Some((cx, cy)) if cy == *y && cx <= *x => match between(new, (cx..*x, *y), style) {
                    Some(text) => out.push_str(&text),
                    None if cx + 1 == *x => out.push_str("\x1b[C"),
                    None => {
                        let _ = write!(out, "\x1b[{}C", x - cx);
                    }
                },
                _ => {
                    let _ = write!(out, "\x1b[{};{}H", y + 1, x + 1);
                }
            }
            out.push_str(cell.symbol());
            let next = x + cell.symbol().width().max(1) as u16;
            cursor = (next < new.area.right()).then_some((next, *y));
        }
    }
    if !out.is_empty() {
        out.push_str("\x1b[0m");
    }
    out
}

/// The text of a few cells of a row, if all of them are ASCII in the given style.
fn between(picture: &Buffer, (columns, row): (Range<u16>, u16), style: Style) -> Option<String> {
    const FEW: usize = 4;
    let mut cells = columns.clone().map(|x| &picture[(x, row)]);
    let plain = columns.len() <= FEW && cells.clone().all(|c| c.symbol().len() == 1 && Style::of(c) == style);
    plain.then(|| cells.by_ref().map(Cell::symbol).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style as Full;

    /// A terminal that knows what [`changes`] sends: moves, styles, text.
    fn play(screen: &mut Buffer, text: &str) {
        let (mut x, mut y, mut style) = (0, 0, Full::reset());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(sequence) = rest.strip_prefix("\x1b[") {
                let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let numbers: Vec<u16> = sequence[..end].split(';').filter_map(|n| n.parse().ok()).collect();
                match &sequence[end..=end] {
                    "H" => (x, y) = (numbers[1] - 1, numbers[0] - 1),
                    "C" => x += numbers.first().copied().unwrap_or(1),
                    "m" => style = styled(&numbers),
                    other => panic!("{other}"),
                }
                rest = &sequence[end + 1..];
                continue;
            }
            screen.set_string(x, y, c.to_string(), style);
            x += c.to_string().width() as u16;
            rest = &rest[c.len_utf8()..];
        }
    }

    fn styled(numbers: &[u16]) -> Full {
        const FLAGS: [Modifier; 4] = [Modifier::BOLD, Modifier::DIM, Modifier::ITALIC, Modifier::UNDERLINED];
        let mut style = Full::reset();
        let mut at = 0;
        while let Some(n) = numbers.get(at) {
            let long = |at: usize| match numbers[at + 1] {
                2 => (Color::Rgb(numbers[at + 2] as u8, numbers[at + 3] as u8, numbers[at + 4] as u8), 5),
                _ => (Color::Indexed(numbers[at + 2] as u8), 3),
            };
            let (change, used) = match n {
                0 => (Full::reset(), 1),
                1..=4 => (Full::new().add_modifier(FLAGS[usize::from(*n) - 1]), 1),
                7 => (Full::new().add_modifier(Modifier::REVERSED), 1),
                31 => (Full::new().fg(Color::Red), 1),
                97 => (Full::new().fg(Color::White), 1),
                44 => (Full::new().bg(Color::Blue), 1),
                100 => (Full::new().bg(Color::DarkGray), 1),
                38 => (Full::new().fg(long(at).0), long(at).1),
                48 => (Full::new().bg(long(at).0), long(at).1),
                other => panic!("{other}"),
            };
            style = style.patch(change);
            at += used;
        }
        style
    }

    fn picture() -> impl Strategy<Value = Buffer> {
        let fg =
            prop_oneof![Just(Color::Reset), Just(Color::Red), Just(Color::White), Just(Color::Rgb(1, 20, 255)), Just(Color::Indexed(99))];
        let bg = prop_oneof![Just(Color::Reset), Just(Color::Blue), Just(Color::DarkGray), Just(Color::Rgb(9, 8, 7))];
        let flags = prop_oneof![Just(Modifier::empty()), Just(Modifier::BOLD), Just(Modifier::REVERSED | Modifier::UNDERLINED)];
        let pieces = prop::collection::vec(("[a-c日█ ]{1,6}", fg, bg, flags), 0..5);
        // Rows are filled from the left: a text that begins in the middle of a wide character is no picture.
        prop::collection::vec(pieces, 4).prop_map(|rows| {
            let mut buf = Buffer::empty(Rect::new(0, 0, 12, 4));
            for (y, row) in rows.into_iter().enumerate() {
                let mut x = 0;
                for (text, fg, bg, flags) in row {
                    x = buf.set_stringn(x, y as u16, text, 12, Full::reset().fg(fg).bg(bg).add_modifier(flags)).0;
                    if x >= 12 {
                        break;
                    }
                }
            }
            buf
        })
    }

    proptest! {
        /// Whatever was on screen: what is sent makes the new picture of it.
        #[test]
        fn a_terminal_shows_the_new_picture(old in picture(), new in picture()) {
            let mut screen = old.clone();
            play(&mut screen, &changes(&old, &new));
            let told = |b: &Buffer| b.content().iter().map(|c| (c.symbol().to_owned(), c.fg, c.bg, c.modifier)).collect::<Vec<_>>();
            prop_assert_eq!(told(&screen), told(&new));
        }
    }

    #[test]
    fn a_style_is_named_once_and_nothing_is_sent_for_nothing() {
        let area = Rect::new(0, 0, 20, 3);
        let old = Buffer::empty(area);
        let mut new = old.clone();
        let (red, plain) = (Full::new().fg(Color::Red), Full::new());
        for y in 0..3 {
            new.set_string(0, y, "aa", red);
            new.set_string(2, y, "b", plain);
            new.set_string(5, y, "c", red);
        }
        let sent = changes(&old, &new);
        assert_eq!(sent.matches("31m").count(), 1, "{sent:?}");
        assert!(sent.starts_with("\x1b[0;31m\x1b[1;1Haa\x1b[3Cc\x1b[2;1Haa"), "{sent:?}");
        assert_eq!(changes(&new, &new), "");
    }
}
