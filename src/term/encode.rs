//! Changed cells as escape sequences, as few bytes as they need.
//!
//! A line to a distant machine carries a few kilobytes a second, and in a picture of many colours
//! most bytes would be colour sequences (ratatui's own writer sends one whenever two neighbours
//! differ). The order of cells within a synchronized update is free, so they are sent style by
//! style, each style named once a frame, and within a style run by run, each time the run that the
//! cursor reaches with the fewest bytes ([`Move`]). Blanks have no colour of their own ([`seen`]):
//! they are sent with whatever is around them, or erased.
//!
//! Terminals disagree on how many cells some graphemes take: emoji with a selector, a skin tone or
//! a joiner, keycaps, flags, letters with combining marks ([`is_plain`] names those that all agree
//! on). Such a grapheme is sent before everything else in its row, into cells that were blanked,
//! and every cell that it may cover by any count is sent after it. Where it leaves the cursor is
//! unknown, so the next move is absolute. So whatever the terminal counts, everything else is where
//! it belongs.

use crate::text::is_obeyed;
use crate::ui::sgr;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
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

/// Whether every terminal gives a symbol as many cells as we do: one character of ASCII, of
/// the alphabets with one cell a letter, of what frames and charts are drawn with, or of the
/// ideographs and syllables that have two.
fn is_plain(symbol: &str) -> bool {
    let mut chars = symbol.chars();
    let (Some(c), None) = (chars.next(), chars.next()) else { return symbol.is_empty() };
    match c {
        // These have an emoji form too.
        '©' | '®' | '\u{ad}' | '‼' | '⁉' | '▪' | '▫' | '▶' | '◀' | '◻'..='◾' => false,
        ' '..='~'
        // Latin, Greek, Cyrillic, punctuation, numbers above and below, arrows, mathematics, boxes
        // and shapes, braille, octants.
        | '\u{a1}'..='\u{2ff}' | '\u{370}'..='\u{482}' | '\u{48a}'..='\u{52f}' | '\u{1e00}'..='\u{1fff}'
        | '\u{2010}'..='\u{2027}' | '\u{2030}'..='\u{205e}' | '\u{2070}'..='\u{209c}' | '\u{2190}'..='\u{2193}'
        | '\u{2200}'..='\u{22ff}' | '\u{23ce}' | '\u{2400}'..='\u{2426}' | '★' | '✓' | '✗' | '\u{2500}'..='\u{25ff}' | '\u{2800}'..='\u{28ff}'
        | '\u{1cc00}'..='\u{1ceaf}' | '\u{1fb00}'..='\u{1fbff}'
        // Wide: radicals to kana, ideographs, Hangul syllables, full forms.
        | '\u{2e80}'..='\u{3029}' | '\u{3031}'..='\u{303c}' | '\u{3041}'..='\u{3098}' | '\u{309b}'..='\u{3296}'
        | '\u{3300}'..='\u{4dbf}' | '\u{4e00}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{ff01}'..='\u{ff60}' | '\u{ffe0}'..='\u{ffe6}' | '\u{20000}'..='\u{3fffd}' => true,
        _ => false,
    }
}

/// The most cells that a disputed symbol may take by any count: two for each of its characters.
fn widest(symbol: &str) -> u16 {
    2 * symbol.chars().count() as u16
}

/// Takes the disputed cells from those that are left to send, and adds what must be sent after
/// them. A disputed cell is sent again if any cell that it may overlap is sent.
fn take_disputed(old: &Buffer, new: &Buffer, left: &mut Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    let Rect { width, height, .. } = new.area;
    let disputes = |picture: &Buffer, x: u16, y: u16| !is_plain(picture[(x, y)].symbol());
    if new.content.iter().chain(&old.content).all(|cell| is_plain(cell.symbol())) {
        return Vec::new();
    }
    let mut taken = Vec::new();
    for y in 0..height {
        let from = left.partition_point(|at| *at < (y, 0));
        let to = left.partition_point(|at| *at < (y + 1, 0));
        if from == to || !(0..width).any(|x| disputes(old, x, y) || disputes(new, x, y)) {
            continue;
        }
        // A changed row with such graphemes, in the old picture or the new one, is sent from the
        // first change, or from the first of them that may reach it, to the end: what is after
        // them may be anywhere.
        let first = left[from].1;
        let reaches = |x: &u16| disputes(new, *x, y) && *x + widest(new[(*x, y)].symbol()) > first;
        let was = |x: &u16| disputes(old, *x, y) && *x + widest(old[(*x, y)].symbol()) > first;
        let start = (0..first).find(|x| reaches(x) || was(x)).unwrap_or(first);
        let mut row = Vec::new();
        let mut x = start;
        while x < width {
            if disputes(new, x, y) {
                taken.push((y, x));
            } else {
                row.push((y, x));
            }
            x += (new[(x, y)].symbol().width() as u16).max(1);
        }
        left.splice(from..to, row);
    }
    taken
}

/// Sends a disputed symbol into cells blanked for it. If it may end beyond the last column by any
/// count, the terminal must not wrap into the next row.
fn send_disputed(picture: &Buffer, (x, y): (u16, u16), out: &mut String) {
    let (symbol, width) = (picture[(x, y)].symbol(), picture.area.width);
    let to = Move::To(x, y);
    to.write(out);
    let cells = (symbol.width() as u16).clamp(1, width - x);
    out.extend(std::iter::repeat_n(' ', usize::from(cells)));
    to.write(out);
    let edge = x + widest(symbol) > width;
    if edge {
        out.push_str("\x1b[?7l");
    }
    // Marks that set the direction of text would also affect what is beside them.
    out.extend(symbol.chars().filter(|c| !is_obeyed(*c)));
    if edge {
        out.push_str("\x1b[?7h");
    }
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

/// Where the cursor is.
#[derive(Clone, Copy)]
enum Cursor {
    /// Unknown: terminals may differ.
    Unknown,
    /// In this row, past its last column: terminals differ in what a step from there does, but
    /// not in what a carriage return does.
    Edge(u16),
    /// At this column and row.
    At(u16, u16),
}

/// How the cursor is moved.
#[derive(Clone, Copy)]
enum Move {
    /// To a column and row.
    To(u16, u16),
    /// By steps: to the first column or not, then down, then right.
    By { first: bool, down: i32, right: i32 },
}

impl Move {
    /// The move with the fewest bytes.
    fn best(from: Cursor, (x, y): (u16, u16)) -> Self {
        let by =
            |first, row: u16, column: u16| Self::By { first, down: i32::from(y) - i32::from(row), right: i32::from(x) - i32::from(column) };
        let absolute = Self::To(x, y);
        let ways = match from {
            Cursor::Unknown => [absolute; 3],
            Cursor::Edge(row) => [by(true, row, 0), absolute, absolute],
            Cursor::At(column, row) => [by(false, row, column), by(true, row, 0), absolute],
        };
        ways.into_iter().min_by_key(Self::len).unwrap_or(absolute)
    }

    /// Its length in bytes.
    fn len(&self) -> usize {
        let step = |n: i32, alone: i32| match n.abs() {
            0 => 0,
            n if n <= alone => n as usize,
            1 => 3,
            n => 3 + digits(n),
        };
        match *self {
            Self::To(0, 0) => 3,
            Self::To(0, y) => 3 + digits(i32::from(y) + 1),
            Self::To(x, y) => 4 + digits(i32::from(x) + 1) + digits(i32::from(y) + 1),
            Self::By { first, down, right } => {
                usize::from(first) + step(down, if down > 0 { ALONE } else { 0 }) + step(right, if right < 0 { ALONE } else { 0 })
            }
        }
    }

    fn write(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let step = |n: i32, letter: char, alone: Option<char>, out: &mut String| match (n, alone) {
            (0, _) => {}
            (n, Some(alone)) if n <= ALONE => (0..n).for_each(|_| out.push(alone)),
            (1, _) => out.extend(["\x1b[", letter.encode_utf8(&mut [0; 4])]),
            (n, _) => drop(write!(out, "\x1b[{n}{letter}")),
        };
        match *self {
            Self::To(0, 0) => out.push_str("\x1b[H"),
            Self::To(0, y) => drop(write!(out, "\x1b[{}H", y + 1)),
            Self::To(x, y) => drop(write!(out, "\x1b[{};{}H", y + 1, x + 1)),
            Self::By { first, down, right } => {
                if first {
                    out.push('\r');
                }
                // Raw mode leaves line feeds as they are: one row down, in the same column. None is
                // sent in the last row.
                if down > 0 {
                    step(down, 'B', Some('\n'), out);
                } else {
                    step(-down, 'A', None, out);
                }
                if right > 0 { step(right, 'C', None, out) } else { step(-right, 'D', Some('\x08'), out) }
            }
        }
    }
}

/// Line feeds and backspaces up to so many are shorter than a sequence.
const ALONE: i32 = 3;

fn digits(n: i32) -> usize {
    n.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;
    use ratatui::style::Style as Full;

    /// A terminal that knows what [`changes`] sends: moves, styles, erasing, text. It takes no step
    /// from behind the last column but a return.
    fn play(screen: &mut Buffer, text: &str) {
        let (width, height) = (screen.area.width, screen.area.height);
        let (mut x, mut y, mut style) = (0, 0, Full::reset());
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(sequence) = rest.strip_prefix("\x1b[") {
                let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let numbers: Vec<u16> = sequence[..end].split(';').filter_map(|n| n.parse().ok()).collect();
                let by = numbers.first().copied().unwrap_or(1);
                let letter = &sequence[end..=end];
                assert!(x < width || "Hm".contains(letter), "{letter} at the edge of {text:?}");
                match letter {
                    "H" => (x, y) = (numbers.get(1).copied().unwrap_or(1) - 1, by - 1),
                    "A" => y -= by,
                    "B" => y += by,
                    "C" => x += by,
                    "D" => x -= by,
                    "K" | "X" => {
                        // Terminals differ in whether they erase with the background.
                        assert_eq!(style, Full::reset(), "{text:?}");
                        let end = if letter == "K" { width } else { x + by };
                        (x..end).for_each(|x| screen[(x, y)].reset());
                    }
                    "m" => style = styled(style, &numbers),
                    other => panic!("{other}"),
                }
                rest = &sequence[end + 1..];
                assert!(x < width && y < height || letter == "m", "{text:?}");
                continue;
            }
            match c {
                '\r' => x = 0,
                '\n' => {
                    assert!(x < width && y + 1 < height, "it scrolls: {text:?}");
                    y += 1;
                }
                '\x08' => {
                    assert!(x < width && x > 0, "{text:?}");
                    x -= 1;
                }
                c => {
                    assert!(x < width, "{text:?}");
                    screen.set_string(x, y, c.to_string(), style);
                    x += c.to_string().width() as u16;
                }
            }
            rest = &rest[c.len_utf8()..];
        }
        assert_eq!(style, Full::reset(), "{text:?}");
    }

    fn styled(before: Full, numbers: &[u16]) -> Full {
        const FLAGS: [Modifier; 4] = [Modifier::BOLD, Modifier::DIM, Modifier::ITALIC, Modifier::UNDERLINED];
        let mut style = if numbers.is_empty() { Full::reset() } else { before };
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
        // Rows are filled from the left: a text that begins in the middle of a wide character is no
        // picture.
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
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() })]

        /// Whatever was on screen: what is sent makes the new picture of it, as far as eyes can
        /// tell.
        #[test]
        fn a_terminal_shows_the_new_picture(old in picture(), new in picture()) {
            let mut screen = old.clone();
            play(&mut screen, &changes(&old, &new));
            let told = |b: &Buffer| seen(b).content().iter().map(|c| (c.symbol().to_owned(), c.fg, c.bg, c.modifier)).collect::<Vec<_>>();
            prop_assert_eq!(told(&screen), told(&new));
        }
    }

    /// A terminal that counts graphemes in its own way: each of `disputed` takes `cells` cells.
    /// Only moves, blanks and text; styles are let pass.
    struct Counting<'c> {
        cells: usize,
        disputed: &'c [&'c str],
        rows: Vec<Vec<String>>,
    }

    impl Counting<'_> {
        fn put(&mut self, (x, y): (usize, usize), text: &str, cells: usize) {
            let row = &mut self.rows[y];
            // Whoever writes over half of a wide character leaves a blank of the other half.
            if row[x].is_empty() {
                row[..x].iter_mut().rev().find(|c| !c.is_empty()).unwrap().replace_range(.., " ");
            }
            for i in x..(x + cells).min(row.len()) {
                row[i] = if i == x { text.into() } else { String::new() };
            }
            let behind = (x + cells).min(row.len());
            for cell in row[behind..].iter_mut().take_while(|c| c.is_empty()) {
                *cell = " ".into();
            }
        }

        fn play(&mut self, text: &str) {
            let (width, height) = (self.rows[0].len(), self.rows.len());
            let (mut x, mut y, mut rest, mut wraps) = (0, 0, text, true);
            while let Some(c) = rest.chars().next() {
                if let Some(sequence) = rest.strip_prefix("\x1b[") {
                    let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                    let numbers: Vec<usize> = sequence[..end].split(';').filter_map(|n| n.parse().ok()).collect();
                    let by = numbers.first().copied().unwrap_or(1);
                    match &sequence[end..=end] {
                        "H" => (x, y) = (numbers.get(1).copied().unwrap_or(1) - 1, by - 1),
                        "A" => y -= by,
                        "B" => y += by,
                        "C" => x = (x + by).min(width - 1),
                        "D" => x = x.saturating_sub(by),
                        "K" => (x..width).for_each(|x| self.put((x, y), " ", 1)),
                        "X" => (x..x + by).for_each(|x| self.put((x, y), " ", 1)),
                        "m" => {}
                        "l" | "h" => wraps = &sequence[end..=end] == "h",
                        other => panic!("{other}"),
                    }
                    rest = &sequence[end + 1..];
                    continue;
                }
                let piece = self.disputed.iter().filter(|d| rest.starts_with(**d)).max_by_key(|d| d.len());
                let (piece, cells) = match piece {
                    Some(piece) => (*piece, self.cells.min(usize::from(widest(piece)))),
                    None => (&rest[..c.len_utf8()], c.to_string().width().max(1)),
                };
                match c {
                    '\r' => x = 0,
                    '\n' => y += 1,
                    '\x08' => x = x.saturating_sub(1),
                    _ => {
                        if x + cells > width {
                            assert!(!wraps || x >= width, "{piece:?} goes on in the next row");
                            x = width.saturating_sub(cells);
                        }
                        assert!(y < height);
                        self.put((x, y), piece, cells);
                        // Without wrapping the cursor stays in the last column.
                        x = if wraps { x + cells } else { (x + cells).min(width - 1) };
                    }
                }
                rest = &rest[piece.len()..];
            }
        }
    }

    const DISPUTED: [&str; 12] = [
        "1\u{fe0f}\u{20e3}",
        "❤\u{fe0f}",
        "❤",
        "👍\u{1f3fd}",
        "👨\u{200d}👩\u{200d}👧",
        "🇫🇷",
        "e\u{301}",
        "ก\u{e31}",
        "น\u{e49}",
        "\u{915}\u{94d}\u{937}",
        "🙂",
        "☀\u{fe0f}",
    ];

    fn disputed_picture() -> impl Strategy<Value = Buffer> {
        let piece = prop_oneof![3 => "[a-c日│]{1,5}", 2 => prop::sample::select(DISPUTED.to_vec()).prop_map(str::to_owned), 1 => Just("    ".to_owned())];
        let style = prop_oneof![Just(Color::Reset), Just(Color::Red), Just(Color::White)];
        prop::collection::vec(prop::collection::vec((piece, style), 0..6), 4).prop_map(|rows| {
            let mut buf = Buffer::empty(Rect::new(0, 0, 16, 4));
            for (y, row) in rows.into_iter().enumerate() {
                let mut x = 0;
                for (text, fg) in row {
                    if x >= 16 {
                        break;
                    }
                    x = buf.set_stringn(x, y as u16, text, 16, Full::reset().fg(fg)).0;
                }
            }
            buf
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, rng_seed: RngSeed::Fixed(5), ..ProptestConfig::default() })]

        /// However many cells a terminal gives a disputed grapheme, and through any changes: all
        /// else is where it belongs.
        #[test]
        fn what_terminals_dispute_moves_nothing_else(pictures in prop::collection::vec(disputed_picture(), 1..4), cells in 1usize..=6) {
            let area = pictures[0].area;
            let blank = vec![vec![" ".to_owned(); usize::from(area.width)]; usize::from(area.height)];
            let mut screen = Counting { cells, disputed: &DISPUTED, rows: blank };
            let mut old = Buffer::empty(area);
            for new in pictures {
                screen.play(&changes(&old, &new));
                for y in 0..area.height {
                    let mut x = 0;
                    while x < area.width {
                        let symbol = new[(x, y)].symbol();
                        let width = symbol.width().max(1) as u16;
                        if is_plain(symbol) {
                            let shown = screen.rows[usize::from(y)][usize::from(x)].as_str();
                            prop_assert_eq!(shown, symbol, "at {},{} of {:?} with {} cells", x, y, new, cells);
                        }
                        x += width;
                    }
                }
                old = new;
            }
        }
    }

    #[test]
    fn a_disputed_grapheme_is_followed_by_an_absolute_move() {
        let area = Rect::new(0, 0, 30, 3);
        let old = Buffer::empty(area);
        let mut new = old.clone();
        new.set_string(2, 1, "a1\u{fe0f}\u{20e3}b", Full::new());
        new.set_string(20, 1, "252", Full::new());
        let sent = changes(&old, &new);
        let at = 3 + "1\u{fe0f}\u{20e3}".width();
        assert!(sent.starts_with("\x1b[2;4H") && sent.contains("\u{20e3}\x1b[2;3Ha"), "{sent:?}");
        assert!(sent.contains(&format!("\x1b[{}Cb", at - 3)) || sent.contains(&format!("\x1b[2;{}Hb", at + 1)), "{sent:?}");
        // What turns the text around it is not sent at all.
        let mut turned = old.clone();
        turned[(0, 0)].set_symbol("x\u{202e}");
        assert!(!changes(&old, &turned).contains('\u{202e}'));
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
        assert_eq!(sent, "\x1b[31m\x1b[Haa\r\naa\r\naa\x1b[3Cc\x1b[A\x08c\x1b[A\x08c\x1b[m\x1b[4Db\n\x08b\n\x08b");
        assert_eq!(changes(&new, &new), "");
        // The colour of a blank is nobody's business.
        let mut coloured = new.clone();
        coloured.set_string(8, 1, "     ", red);
        assert_eq!(changes(&new, &coloured), "");
    }

    #[test]
    fn a_border_goes_down_the_screen_in_five_bytes_a_row_and_blanks_are_erased() {
        let area = Rect::new(0, 0, 40, 12);
        let mut new = Buffer::empty(area);
        (0..12).for_each(|y| new.set_string(7, y, "│", Full::new()));
        let sent = changes(&Buffer::empty(area), &new);
        assert_eq!(sent, format!("\x1b[1;8H│{}", "\n\x08│".repeat(11)));
        let mut old = new.clone();
        old.set_string(9, 3, "a long text", Full::new().fg(Color::Red));
        old.set_string(0, 5, "hidden", Full::new());
        assert_eq!(changes(&old, &new), "\x1b[6H\x1b[6X\x1b[4;10H\x1b[K");
    }
}
