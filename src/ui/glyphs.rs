//! Bars, sparklines, points and signs in each glyph set, and the last pass, which replaces all
//! non-ASCII signs where only ASCII can be shown.

use crate::app::GlyphSet;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::symbols::pixel::OCTANTS;

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The filled part of a bar: `share` (0 to 1) of `width` cells.
pub fn bar(set: GlyphSet, share: f64, width: u16) -> String {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let cells = share * f64::from(width);
    let whole = cells.floor() as usize;
    let rest = cells - cells.floor();
    let (full, part) = match set {
        GlyphSet::Octant | GlyphSet::Braille => ("█", EIGHTHS[((rest * 8.0).round() as usize).min(7)]),
        GlyphSet::HalfBlock => ("█", if rest >= 0.5 { "▌" } else { "" }),
        GlyphSet::Dot => ("━", if rest >= 0.5 { "╸" } else { "" }),
        GlyphSet::Ascii => ("#", if rest >= 0.5 { "#" } else { "" }),
    };
    full.repeat(whole) + part
}

/// The empty part of a bar, `width` cells.
pub fn track(set: GlyphSet, width: u16) -> String {
    let empty = match set {
        GlyphSet::Octant | GlyphSet::Braille | GlyphSet::HalfBlock => "·",
        GlyphSet::Dot => "─",
        GlyphSet::Ascii => ".",
    };
    empty.repeat(usize::from(width))
}

/// The glyph in cell number `cell` (from below) of a column filled to a height of `filled` cells.
pub fn column(set: GlyphSet, filled: f64, cell: usize) -> char {
    let rest = filled - cell as f64;
    let half = |part: char| if rest >= 0.5 { part } else { ' ' };
    match set {
        GlyphSet::Ascii => half('#'),
        _ if rest >= 1.0 && set == GlyphSet::Dot => '┃',
        _ if rest >= 1.0 => '█',
        GlyphSet::Octant | GlyphSet::Braille => match (rest * 8.0).round() as usize {
            0 => ' ',
            eighths => LEVELS[eighths.min(8) - 1],
        },
        GlyphSet::HalfBlock => half('▄'),
        GlyphSet::Dot => half('╻'),
    }
}

/// A sparkline from the least to the greatest value, one character per value; blanks for values
/// that are not finite.
pub fn sparkline(set: GlyphSet, values: &[f32]) -> String {
    let finite = || values.iter().copied().filter(|v| v.is_finite());
    let (low, high) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    let share = |v: f32| if high > low { f64::from((v - low) / (high - low)) } else { 0.5 };
    values.iter().map(|v| if v.is_finite() { level(set, share(*v)) } else { ' ' }).collect()
}

/// A share from 0 to 1 as one character: a vertical bar, or a digit.
pub fn level(set: GlyphSet, share: f64) -> char {
    let step = |steps: usize| (share.clamp(0.0, 1.0) * (steps - 1) as f64).round() as usize;
    match set {
        GlyphSet::Ascii => digit(share),
        _ => LEVELS[step(8)],
    }
}

/// A share from 0 to 1 as a digit from 0 to 9; a blank if it is not finite.
pub fn digit(share: f64) -> char {
    if !share.is_finite() {
        return ' ';
    }
    char::from_digit((share.clamp(0.0, 1.0) * 9.0).round() as u32, 10).unwrap_or(' ')
}

/// The points of a scatter per cell: across, down.
pub fn resolution(set: GlyphSet) -> (usize, usize) {
    match set {
        GlyphSet::Octant | GlyphSet::Braille => (2, 4),
        GlyphSet::HalfBlock => (1, 2),
        GlyphSet::Dot | GlyphSet::Ascii => (1, 1),
    }
}

/// The glyph for a cell whose points are set in `bits`, bit `y * across + x`.
pub fn points(set: GlyphSet, bits: u8) -> char {
    match set {
        GlyphSet::Octant => OCTANTS[usize::from(bits)],
        GlyphSet::Braille => {
            // Braille numbers its dots down the columns, the lowest row last.
            const DOTS: [u32; 8] = [0x01, 0x08, 0x02, 0x10, 0x04, 0x20, 0x40, 0x80];
            let pattern = DOTS.iter().enumerate().filter(|(i, _)| bits & (1 << i) != 0).map(|(_, d)| d).sum::<u32>();
            char::from_u32(0x2800 + pattern).unwrap_or(' ')
        }
        GlyphSet::HalfBlock => match bits & 3 {
            1 => '▀',
            2 => '▄',
            3 => '█',
            _ => ' ',
        },
        GlyphSet::Dot => '•',
        GlyphSet::Ascii => 'o',
    }
}

/// Replaces every character that is not ASCII by a similar ASCII character.
pub fn only_ascii(area: Rect, buf: &mut Buffer) {
    for position in area.positions() {
        let Some(cell) = buf.cell_mut(position) else { continue };
        if !cell.symbol().is_ascii() {
            let c = cell.symbol().chars().next().unwrap_or(' ');
            cell.set_char(ascii_for(c));
        }
    }
}

fn ascii_for(c: char) -> char {
    match c {
        '─' | '━' | '╸' | '╶' | '−' | '–' | '—' => '-',
        '│' | '┃' | '▏' => '|',
        '╭' | '╮' | '╰' | '╯' | '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' | '┼' | '±' => '+',
        '▸' | '→' | '›' => '>',
        '←' => '<',
        '▲' | '↑' => '^',
        '▼' | '↓' => 'v',
        '●' | '★' => '*',
        '○' | '•' => 'o',
        '·' => '.',
        '…' | '≈' => '~',
        '×' => 'x',
        '≠' => '!',
        '⏎' => '$',
        '␣' => '_',
        'γ' => 'g',
        'λ' => 'l',
        'τ' => 't',
        'Σ' | 'Δ' => 'S',
        '█' | '▌' | '▊' | '▋' | '▉' => '#',
        '‘' | '’' => '\'',
        '“' | '”' => '"',
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share() {
        assert_eq!(bar(GlyphSet::Braille, 0.5, 4), "██");
        assert_eq!(bar(GlyphSet::Braille, 0.3, 10), "███");
        assert_eq!(bar(GlyphSet::Braille, 0.5625, 2), "█▏");
        assert_eq!(bar(GlyphSet::Ascii, 1.0, 3), "###");
        assert_eq!(bar(GlyphSet::Ascii, f64::NAN, 3), "");
        for set in GlyphSet::ALL {
            for share in 0..=100 {
                assert!(bar(set, f64::from(share) / 100.0, 7).chars().count() <= 7);
            }
        }
    }

    #[test]
    fn braille_bits_are_where_unicode_has_them() {
        assert_eq!(points(GlyphSet::Braille, 0b0000_0001), '⠁');
        assert_eq!(points(GlyphSet::Braille, 0b1000_0000), '⢀');
        assert_eq!(points(GlyphSet::Braille, 0xff), '⣿');
    }

    /// Where quadrants, half blocks and the full block have their own characters, the octants use
    /// them, which reveals the order of bits.
    #[test]
    fn octant_bits_are_where_unicode_has_them() {
        for (bits, glyph) in [(0b0000_0000, ' '), (0b0000_0101, '▘'), (0b0000_1010, '▝'), (0b0101_0000, '▖'), (0b0000_1111, '▀')] {
            assert_eq!(points(GlyphSet::Octant, bits), glyph, "{bits:08b}");
        }
        for (bits, glyph) in [(0b0101_0101, '▌'), (0b1010_1010, '▐'), (0b1111_0000, '▄'), (0xff, '█'), (0b0000_0001, '𜺨')] {
            assert_eq!(points(GlyphSet::Octant, bits), glyph, "{bits:08b}");
        }
        let all: std::collections::BTreeSet<char> = (0..=255).map(|bits| points(GlyphSet::Octant, bits)).collect();
        assert_eq!(all.len(), 256);
    }

    #[test]
    fn columns_grow_from_below() {
        let tall = |set, filled| (0..3).map(|cell| column(set, filled, cell)).collect::<String>();
        assert_eq!(tall(GlyphSet::Braille, 1.5), "█▄ ");
        assert_eq!(tall(GlyphSet::HalfBlock, 2.5), "██▄");
        assert_eq!(tall(GlyphSet::Dot, 1.6), "┃╻ ");
        assert_eq!(tall(GlyphSet::Ascii, 1.2), "#  ");
        for set in GlyphSet::ALL {
            assert_eq!(tall(set, 0.0), "   ");
        }
    }

    #[test]
    fn sparklines_span_least_to_greatest() {
        assert_eq!(sparkline(GlyphSet::Braille, &[0.0, 1.0, f32::NAN]), "▁█ ");
        assert_eq!(sparkline(GlyphSet::Ascii, &[0.0, 0.5, 1.0]), "059");
    }
}
