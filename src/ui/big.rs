//! Numbers in large digits, readable from the back row: 3 × 5 points, in half blocks or in whole
//! cells.

use super::glyphs::{points, resolution};
use crate::app::GlyphSet;

/// Rows of three points, from the top.
const DIGITS: [[u8; 5]; 10] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b110, 0b010, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b111, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b001, 0b001, 0b001],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
];

/// A character's points and its width.
fn shape(c: char) -> Option<([u8; 5], u8)> {
    match c {
        '0'..='9' => DIGITS.get(c as usize - '0' as usize).map(|d| (*d, 3)),
        '−' | '-' | '–' => Some(([0, 0, 0b111, 0, 0], 3)),
        '.' => Some(([0, 0, 0, 0, 0b1], 1)),
        _ => None,
    }
}

/// A number's rows; each point is `scale` cells wide. Characters other than digits, point and minus
/// are left out. In half blocks a row holds two rows of points, in other glyph sets one.
pub fn number(set: GlyphSet, text: &str, scale: usize) -> Vec<String> {
    // Terminals with Braille have half blocks too, which look more even.
    let halves = matches!(set, GlyphSet::Braille | GlyphSet::HalfBlock);
    let down = if halves { resolution(GlyphSet::HalfBlock).1 } else { 1 };
    let shapes: Vec<([u8; 5], u8)> = text.chars().filter_map(shape).collect();
    let tall = if halves { 5 * scale } else { 5 * scale.div_ceil(2) };
    let lit = |rows: &[u8; 5], width: u8, x: u8, y: usize| rows.get(y * 5 / tall).is_some_and(|row| row >> (width - 1 - x) & 1 == 1);
    (0..tall.div_ceil(down))
        .map(|row| {
            let mut line = String::new();
            for (i, (rows, width)) in shapes.iter().enumerate() {
                if i > 0 {
                    line.push_str(&" ".repeat(scale));
                }
                for x in 0..*width {
                    let bits = (0..down).filter(|d| row * down + d < tall && lit(rows, *width, x, row * down + d)).map(|d| 1 << d).sum();
                    let glyph = match (halves, bits) {
                        (true, bits) => points(GlyphSet::HalfBlock, bits),
                        (false, 0) => ' ',
                        (false, _) => '█',
                    };
                    line.extend(std::iter::repeat_n(glyph, scale));
                }
            }
            line
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_drawn_in_points() {
        assert_eq!(number(GlyphSet::HalfBlock, "−1.4", 1), ["    ▀█    █ █", "▀▀▀  █    ▀▀█", "    ▀▀▀ ▀   ▀"]);
        assert_eq!(number(GlyphSet::Ascii, "7", 1), ["███", "  █", "  █", "  █", "  █"]);
        for scale in 1..=3 {
            for set in GlyphSet::ALL {
                let rows = number(set, "0.123456789", scale);
                assert!(rows.iter().all(|r| r.chars().count() == (10 * 3 + 1 + 10) * scale), "{set:?} {scale}");
            }
        }
    }
}
