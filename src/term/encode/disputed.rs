//! Graphemes of which terminals dispute how many cells they take; [`is_plain`] knows the others.
//!
//! Such a grapheme is sent before everything else of its row, into cells that were blanked, and all
//! that it may lie over in somebody's counting is sent after it. Behind it the cursor is nowhere
//! that is known, so the next move is absolute. So whatever the terminal counts, all else is where
//! it belongs.

use super::cursor::Move;
use crate::text::is_obeyed;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

/// Whether every terminal gives a symbol as many cells as we do: one character of ASCII, of
/// the alphabets with one cell a letter, of what frames and charts are drawn with, or of the
/// ideographs and syllables that have two.
pub(super) fn is_plain(symbol: &str) -> bool {
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
pub(super) fn widest(symbol: &str) -> u16 {
    2 * symbol.chars().count() as u16
}

/// Takes the disputed cells from those that are left to send, and adds what must be sent after
/// them. A disputed cell is sent again if any cell that it may overlap is sent.
pub(super) fn take_disputed(old: &Buffer, new: &Buffer, left: &mut Vec<(u16, u16)>) -> Vec<(u16, u16)> {
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
pub(super) fn send_disputed(picture: &Buffer, (x, y): (u16, u16), out: &mut String) {
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
