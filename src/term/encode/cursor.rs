//! The cursor, and the shortest way from where it is to a cell.

use std::fmt::Write as _;

/// Where the cursor is.
#[derive(Clone, Copy)]
pub(super) enum Cursor {
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
pub(super) enum Move {
    /// To a column and row.
    To(u16, u16),
    /// By steps: to the first column or not, then down, then right.
    By { first: bool, down: i32, right: i32 },
}

impl Move {
    /// The move with the fewest bytes.
    pub(super) fn best(from: Cursor, (x, y): (u16, u16)) -> Self {
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
    pub(super) fn len(&self) -> usize {
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

    pub(super) fn write(&self, out: &mut String) {
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
