//! Screens in turn as one moving picture: an SVG with CSS that a browser plays in a loop, without a
//! script.
//!
//! Each frame is a group with what changed since the one before, painted over it. So a film of
//! typing is little more than its last screen. Where nothing moves (a viewer without CSS, a reader
//! who asked for no motion) the last screen stands.

use super::export::{Colours, columns, rows, svg_cells, svg_ground, svg_start};
use ratatui::buffer::{Buffer, Cell};
use std::fmt::Write as _;

/// Unchanged cells between two changed ones that are painted with them: a new piece costs more.
const GAP: u16 = 4;

/// A film while it is made.
#[derive(Debug)]
pub struct Film {
    size: (u16, u16),
    light: bool,
    last: Option<Buffer>,
    /// The groups, and when each appears, in milliseconds from the start.
    groups: Vec<(u64, String)>,
    length: u64,
}

impl Film {
    /// One without frames, of screens of so many columns and rows.
    pub fn new(size: (u16, u16), light: bool) -> Self {
        Self { size, light, last: None, groups: Vec::new(), length: 0 }
    }

    /// Shows a screen for a time, in milliseconds.
    pub fn show(&mut self, frame: &Buffer, ms: u64) {
        let colours = Colours::of(self.light);
        let blank = Buffer::empty(frame.area);
        let before = self.last.as_ref().unwrap_or(&blank);
        let mut group = String::new();
        for (y, (old, new)) in rows(before).into_iter().zip(rows(frame)).enumerate() {
            for piece in changed(&old, &new) {
                let (from, to) = (piece[0].0, piece[piece.len() - 1]);
                svg_ground(&mut group, (from, y), to.0 + columns(to.1) - from, colours.paper);
                svg_cells(&mut group, y, piece, colours);
            }
        }
        if !group.is_empty() {
            self.groups.push((self.length, group));
        }
        self.length += ms;
        self.last = Some(frame.clone());
    }

    /// The film.
    pub fn svg(&self) -> String {
        let mut out = svg_start(self.size, Colours::of(self.light));
        let seconds = self.length as f64 / 1000.0;
        // Edges on whole pixels: of what a frame paints over, nothing is to show between two of
        // them.
        out.push_str("<style>\ng rect{shape-rendering:crispEdges}\n");
        let _ = writeln!(out, ".f{{animation:{seconds:.2}s step-end infinite}}");
        out.push_str("@media (prefers-reduced-motion:reduce){.f{animation:none}}\n");
        for (i, (at, _)) in self.groups.iter().enumerate().skip(1) {
            let share = 100.0 * *at as f64 / self.length.max(1) as f64;
            let _ = writeln!(out, "@keyframes f{i}{{0%{{visibility:hidden}}{share:.3}%{{visibility:visible}}}}");
        }
        out.push_str("</style>\n");
        for (i, (_, group)) in self.groups.iter().enumerate() {
            let moving = if i == 0 { String::new() } else { format!(" class=\"f\" style=\"animation-name:f{i}\"") };
            let _ = write!(out, "<g{moving}>\n{group}</g>\n");
        }
        out.push_str("</svg>\n");
        out
    }
}

/// The pieces of a row that are not as they were.
fn changed<'n, 'b>(old: &[(u16, &Cell)], new: &'n [(u16, &'b Cell)]) -> Vec<&'n [(u16, &'b Cell)]> {
    let same = |item: &(u16, &Cell)| old.binary_search_by_key(&item.0, |o| o.0).is_ok_and(|at| old[at].1 == item.1);
    let mut pieces: Vec<(usize, usize)> = Vec::new();
    for (i, item) in new.iter().enumerate().filter(|(_, item)| !same(item)) {
        match pieces.last_mut() {
            Some((_, end)) if item.0 <= new[*end].0 + GAP => *end = i,
            _ => pieces.push((i, i)),
        }
    }
    pieces.into_iter().map(|(from, to)| &new[from..=to]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    fn screen(rows: [&str; 2]) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 20, 2));
        for (y, row) in rows.into_iter().enumerate() {
            buf.set_string(0, y as u16, row, Style::new());
        }
        buf
    }

    #[test]
    fn a_frame_holds_what_changed_and_appears_in_its_turn() {
        let mut film = Film::new((20, 2), false);
        for (rows, ms) in [(["first", ""], 1000), (["first", ""], 500), (["fired", "new"], 500), (["fired", "日本"], 2000)] {
            film.show(&screen(rows), ms);
        }
        let svg = film.svg();
        assert_eq!(svg.matches("<g").count(), 3, "the frame that changed nothing has no group: {svg}");
        assert!(svg.contains(".f{animation:4.00s step-end infinite}"));
        assert!(svg.contains("@keyframes f1{0%{visibility:hidden}37.500%{visibility:visible}}"), "{svg}");
        assert!(svg.contains("@keyframes f2{0%{visibility:hidden}50.000%{visibility:visible}}"));
        let groups: Vec<&str> = svg.split("<g").skip(1).collect();
        assert!(groups[0].contains(">first</text>") && groups[1].contains(">ed</text>") && !groups[1].contains("fir"), "{}", groups[1]);
        assert!(groups[2].contains(">日本</text>") && !groups[2].contains("ed"), "{}", groups[2]);
    }

    #[test]
    fn the_last_screen_stands_where_nothing_moves() {
        let mut film = Film::new((20, 2), true);
        film.show(&screen(["a", "b"]), 10);
        film.show(&screen(["", "b"]), 10);
        let svg = film.svg();
        let cover = svg.rfind("<rect x=\"12.0\" y=\"12.0\"").unwrap();
        assert!(cover > svg.find(">a</text>").unwrap(), "what is gone is painted over");
    }
}
