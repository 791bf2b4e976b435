//! A drawn buffer as plain text, as ANSI and as SVG, for the guide's pictures, for saved frames
//! and for tests.

use super::sgr;
use crate::app::FrameFormat;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;
use unicode_width::UnicodeWidthStr;

/// A frame in a file format. `light` is whether the terminal's background is light; only the SVG
/// paints it.
pub fn frame(buf: &Buffer, format: FrameFormat, light: bool) -> String {
    match format {
        FrameFormat::Svg => svg(buf, light),
        FrameFormat::Ansi => ansi(buf),
        FrameFormat::Text => text(buf),
    }
}

/// Plain text, one line per row, without trailing blanks.
pub fn text(buf: &Buffer) -> String {
    let mut out = String::new();
    for row in rows(buf) {
        let line: String = row.iter().map(|(_, cell)| cell.symbol()).collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// Text with escape sequences.
pub fn ansi(buf: &Buffer) -> String {
    let mut out = String::new();
    for row in rows(buf) {
        let mut last = String::new();
        for (_, cell) in &row {
            let codes = sgr(cell);
            if codes != last {
                let _ = write!(out, "\x1b[0{codes}m");
                last = codes;
            }
            out.push_str(cell.symbol());
        }
        out.push_str("\x1b[0m\n");
    }
    out
}

/// Cells of every row with their columns, without those covered by a wide character.
pub(super) fn rows(buf: &Buffer) -> Vec<Vec<(u16, &Cell)>> {
    let area = buf.area;
    (area.top()..area.bottom())
        .map(|y| {
            let mut row = Vec::new();
            let mut x = area.left();
            while x < area.right() {
                let Some(cell) = buf.cell((x, y)) else { break };
                row.push((x - area.left(), cell));
                x += columns(cell);
            }
            row
        })
        .collect()
}

fn sgr(cell: &Cell) -> String {
    let mut codes = String::new();
    sgr::parameters(cell.fg, cell.bg, cell.modifier, &mut codes);
    codes
}

/// The 16 colours as most terminals draw them.
const NAMED: [u32; 16] = [
    0x1D1F21, 0xCC6666, 0x8DB36A, 0xD9A441, 0x5B8DC9, 0xB08BC0, 0x62B0AA, 0xC5C8C6, 0x6B7178, 0xF0806E, 0xA6D17B, 0xF2CF66, 0x7FB0EA,
    0xD6A6E0, 0x7ED2D0, 0xFFFFFF,
];

fn rgb(color: Color) -> Option<u32> {
    match color {
        Color::Reset => None,
        Color::Rgb(r, g, b) => Some(u32::from(r) << 16 | u32::from(g) << 8 | u32::from(b)),
        Color::Indexed(i @ 0..16) => Some(NAMED[usize::from(i)]),
        Color::Indexed(i @ 16..232) => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * u32::from(n) };
            let i = i - 16;
            Some(level(i / 36) << 16 | level(i / 6 % 6) << 8 | level(i % 6))
        }
        Color::Indexed(i) => Some((8 + 10 * u32::from(i - 232)) * 0x01_01_01),
        named => Some(NAMED[usize::from(sgr::index(named))]),
    }
}

/// Width and height of a cell in the SVG.
const CELL: (f32, f32) = (8.4, 18.0);

/// Margin around the picture.
const MARGIN: f32 = 12.0;

/// Paper and ink of a picture.
#[derive(Clone, Copy)]
pub(super) struct Colours {
    pub(super) paper: u32,
    ink: u32,
}

impl Colours {
    /// Those of a terminal whose background is light, or dark.
    pub(super) fn of(light: bool) -> Self {
        if light { Self { paper: 0xFF_FF_FF, ink: 0x1C_21_28 } } else { Self { paper: 0x14_18_1D, ink: 0xD8_DE_E6 } }
    }

    fn text_and_ground(self, cell: &Cell) -> (u32, Option<u32>) {
        let (fg, bg) = (rgb(cell.fg).unwrap_or(self.ink), rgb(cell.bg));
        if cell.modifier.contains(Modifier::REVERSED) { (bg.unwrap_or(self.paper), Some(fg)) } else { (fg, bg) }
    }
}

/// A picture. `light` tells the paper's colour.
pub fn svg(buf: &Buffer, light: bool) -> String {
    let colours = Colours::of(light);
    let mut out = svg_start((buf.area.width, buf.area.height), colours);
    for (y, row) in rows(buf).into_iter().enumerate() {
        svg_cells(&mut out, y, &row, colours);
    }
    out.push_str("</svg>\n");
    out
}

/// The beginning of a picture of so many columns and rows: its size and its paper.
pub(super) fn svg_start(size: (u16, u16), colours: Colours) -> String {
    let width = f32::from(size.0) * CELL.0 + 2.0 * MARGIN;
    let height = f32::from(size.1) * CELL.1 + 2.0 * MARGIN;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         font-family=\"'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace\" font-size=\"14\" xml:space=\"preserve\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#{:06x}\"/>\n",
        colours.paper
    )
}

/// A rectangle behind `width` cells.
pub(super) fn svg_ground(out: &mut String, (x, y): (u16, usize), width: u16, fill: u32) {
    let (left, top, length) = (MARGIN + f32::from(x) * CELL.0, MARGIN + y as f32 * CELL.1, f32::from(width) * CELL.0);
    let _ = writeln!(out, "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{length:.1}\" height=\"{}\" fill=\"#{fill:06x}\"/>", CELL.1);
}

/// Neighbouring cells of a row: what is behind them, and their text.
pub(super) fn svg_cells(out: &mut String, y: usize, cells: &[(u16, &Cell)], colours: Colours) {
    let top = MARGIN + y as f32 * CELL.1;
    let mut runs: Vec<(u16, u16, String, u32, Option<u32>, Modifier)> = Vec::new();
    for (x, cell) in cells {
        let (fg, bg) = colours.text_and_ground(cell);
        let w = columns(cell);
        match runs.last_mut() {
            Some(last) if (last.3, last.4, last.5) == (fg, bg, cell.modifier) => {
                last.1 += w;
                last.2.push_str(cell.symbol());
            }
            _ => runs.push((*x, w, cell.symbol().to_owned(), fg, bg, cell.modifier)),
        }
    }
    for (x, w, text, fg, bg, modifier) in runs {
        if let Some(bg) = bg {
            svg_ground(out, (x, y), w, bg);
        }
        if text.trim().is_empty() {
            continue;
        }
        let (left, length) = (MARGIN + f32::from(x) * CELL.0, f32::from(w) * CELL.0);
        let bold = if modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
        let under = if modifier.contains(Modifier::UNDERLINED) { " text-decoration=\"underline\"" } else { "" };
        let base = top + CELL.1 * 0.74;
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            out,
            "<text x=\"{left:.1}\" y=\"{base:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" fill=\"#{fg:06x}\"{bold}{under}>{text}</text>"
        );
    }
}

/// Columns that a cell's text takes.
pub(super) fn columns(cell: &Cell) -> u16 {
    (cell.symbol().width() as u16).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn buffer() -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 2));
        buf.set_string(0, 0, "a<日", Style::new().fg(Color::Rgb(1, 2, 3)).add_modifier(Modifier::BOLD));
        buf.set_string(0, 1, "xy", Style::new().add_modifier(Modifier::REVERSED));
        buf
    }

    #[test]
    fn three_formats_of_one_frame() {
        let buf = buffer();
        assert_eq!(text(&buf), "a<日\nxy\n");
        assert_eq!(ansi(&buf), "\x1b[0;1;38;2;1;2;3ma<日\x1b[0m  \x1b[0m\n\x1b[0;7mxy\x1b[0m    \x1b[0m\n");
        let svg = svg(&buf, false);
        assert!(svg.contains("font-weight=\"bold\">a&lt;日</text>"), "{svg}");
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn palette_indices_have_their_standard_values() {
        assert_eq!(rgb(Color::Indexed(16)), Some(0));
        assert_eq!(rgb(Color::Indexed(231)), Some(0xFFFFFF));
        assert_eq!(rgb(Color::Indexed(244)), Some(0x808080));
    }
}
