//! Changed cells as escape sequences, as few bytes as they need; [`tui`](super::tui) sends them.
//!
//! A line to a distant machine carries a few kilobytes a second, and in a picture of many colours
//! most bytes would be colour sequences (ratatui's own writer sends one whenever two neighbours
//! differ). The order of cells within a synchronized update is free, so they are sent style by
//! style, each style named once a frame, and within a style run by run, each time the run that the
//! [`cursor`] reaches with the fewest bytes. Blanks have no colour of their own ([`seen`]): they
//! are sent with whatever is around them, or erased.
//!
//! Terminals disagree on how many cells some graphemes take: emoji with a selector, a skin tone or
//! a joiner, keycaps, flags, letters with combining marks. [`disputed`] sends them so that nothing
//! else moves.

mod cursor;
mod disputed;
#[cfg(test)]
mod tests;

use crate::ui::sgr;
use cursor::{Cursor, Move};
use disputed::{send_disputed, take_disputed};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::collections::HashSet;
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// What cells must share to be sent under one style.
#[derive(Clone, Copy, PartialEq)]
struct Style {
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Style {
    /// The terminal's default style.
    const OWN: Self = Self { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

    fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }

    /// Writes the sequence that changes to it from another style.
    fn write(self, before: Self, out: &mut String) {
        let mut text = String::new();
        // Only the colour differs: no need to reset the rest.
        let by_colour = self.fg != Color::Reset && self.bg == before.bg && self.modifier == before.modifier;
        if by_colour {
            sgr::parameters(self.fg, Color::Reset, Modifier::empty(), &mut text);
            text.remove(0);
        } else if self != Self::OWN {
            text.push('0');
            sgr::parameters(self.fg, self.bg, self.modifier, &mut text);
        }
        let _ = write!(out, "\x1b[{text}m");
    }

    /// Whether a blank of this style can be sent under another.
    fn is_blank_of(self, other: Self) -> bool {
        self.bg == other.bg && self.fg == Color::Reset && (self.modifier | other.modifier).intersection(MARKS_BLANKS).is_empty()
    }
}

/// What shows on a blank besides its background.
const MARKS_BLANKS: Modifier = Modifier::REVERSED.union(Modifier::UNDERLINED).union(Modifier::CROSSED_OUT);

/// The picture as it is seen: a blank shows its background only, whatever colour its text would
/// have.
fn seen(picture: &Buffer) -> Buffer {
    let mut seen = picture.clone();
    for cell in &mut seen.content {
        if cell.symbol() == " " && !cell.modifier.intersects(MARKS_BLANKS) {
            cell.fg = Color::Reset;
            cell.modifier = Modifier::empty();
        }
    }
    seen
}

/// What turns the picture `old` into `new`, which has the same area; nothing if they look the same.
/// Begins and ends with the terminal's own style.
pub fn changes(old: &Buffer, new: &Buffer) -> String {
    let (old, new) = (seen(old), seen(new));
    let mut left: Vec<(u16, u16)> = old.diff(&new).into_iter().map(|(x, y, _)| (y, x)).collect();
    let disputed = take_disputed(&old, &new, &mut left);
    let mut styles: Vec<Style> = Vec::new();
    for style in left.iter().map(|&(y, x)| Style::of(&new[(x, y)])) {
        if style != Style::OWN && !styles.contains(&style) {
            styles.push(style);
        }
    }
    // Last, because the terminal is left in its own style.
    styles.push(Style::OWN);
    let (mut out, mut cursor, mut before) = (String::new(), Cursor::Unknown, Style::OWN);
    for (y, x) in disputed {
        let style = Style::of(&new[(x, y)]);
        if style != before {
            style.write(before, &mut out);
            before = style;
        }
        send_disputed(&new, (x, y), &mut out);
    }
    for style in styles {
        let runs = runs(&new, style, &mut left);
        if !runs.is_empty() || style == Style::OWN && before != Style::OWN {
            if style != before {
                style.write(before, &mut out);
            }
            before = style;
        }
        send(runs, &new, &mut cursor, &mut out);
    }
    out
}

/// Cells that are sent without moving the cursor in between.
struct Run {
    x: u16,
    y: u16,
    /// What is sent.
    text: String,
    /// The column after it.
    end: u16,
}

/// Takes the cells of a style from those that are left to send, row by row, as runs. Short gaps of
/// unchanged cells are sent again, which takes fewer bytes than skipping them.
fn runs(picture: &Buffer, style: Style, left: &mut Vec<(u16, u16)>) -> Vec<Run> {
    const FEW: u16 = 4;
    const TAIL: u16 = 8;
    let is_left = |left: &[(u16, u16)], x: u16, y: u16| left.binary_search(&(y, x)).is_ok();
    let mut sent = HashSet::new();
    let mut runs: Vec<Run> = Vec::new();
    for &(y, x) in left.iter().filter(|&&(y, x)| Style::of(&picture[(x, y)]) == style) {
        let cell = &picture[(x, y)];
        let end = x + cell.symbol().width().max(1) as u16;
        sent.insert((y, x));
        if let Some(run) = runs.last_mut().filter(|run| run.y == y && run.end <= x) {
            let fits = |x: u16| {
                let cell = &picture[(x, y)];
                let own = Style::of(cell);
                cell.symbol().len() == 1 && (own == style || cell.symbol() == " " && own.is_blank_of(style))
            };
            // What is to be sent anyway costs nothing.
            let again = (run.end..x).filter(|x| !is_left(left, *x, y)).count();
            if again <= usize::from(FEW) && (run.end..x).all(fits) {
                sent.extend((run.end..x).map(|x| (y, x)));
                (run.end..x).for_each(|x| run.text.push_str(picture[(x, y)].symbol()));
                run.text.push_str(cell.symbol());
                run.end = end;
                continue;
            }
        }
        runs.push(Run { x, y, text: cell.symbol().to_owned(), end });
    }
    for run in &mut runs {
        // So are blanks after it, if they are too few to be worth erasing.
        let is_blank = |x: &u16| {
            let cell = &picture[(*x, run.y)];
            is_left(left, *x, run.y) && cell.symbol() == " " && Style::of(cell).is_blank_of(style)
        };
        let blanks = (run.end..picture.area.width).take_while(is_blank).count() as u16;
        if style != Style::OWN && blanks <= TAIL {
            sent.extend((run.end..run.end + blanks).map(|x| (run.y, x)));
            run.text.extend(std::iter::repeat_n(' ', usize::from(blanks)));
            run.end += blanks;
        }
    }
    left.retain(|at| !sent.contains(at));
    runs
}

/// Sends runs, nearest first.
fn send(mut runs: Vec<Run>, picture: &Buffer, cursor: &mut Cursor, out: &mut String) {
    /// Runs searched for the nearest one: a whole screen has thousands, and its first frame is not
    /// worth the search.
    const NEAR: usize = 64;
    runs.reverse();
    while !runs.is_empty() {
        let first = runs.len().saturating_sub(NEAR);
        let cost = |run: &Run| Move::best(*cursor, (run.x, run.y)).len();
        // The first of equals, in reading order.
        let Some(nearest) = (first..runs.len()).rev().min_by_key(|i| cost(&runs[*i])) else { return };
        let run = runs.remove(nearest);
        Move::best(*cursor, (run.x, run.y)).write(out);
        let width = picture.area.width;
        let blank = |x: u16| picture[(x, run.y)].symbol() == " " && Style::of(&picture[(x, run.y)]) == Style::OWN;
        let (length, erases) = (run.end - run.x, (run.x..run.end).all(blank));
        *cursor = Cursor::At(run.x, run.y);
        if erases && length > 3 && (run.end..width).all(blank) {
            out.push_str("\x1b[K");
        } else if erases && length > 5 {
            let _ = write!(out, "\x1b[{length}X");
        } else {
            out.push_str(&run.text);
            *cursor = if run.end < width { Cursor::At(run.end, run.y) } else { Cursor::Edge(run.y) };
        }
    }
}
