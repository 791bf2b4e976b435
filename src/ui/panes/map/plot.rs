//! The scatter itself: points in cells, the marked ones among them, and the query's path.

use super::{place_in_ranking, point_letter, point_role};
use crate::app::map::{Group, bounds};
use crate::app::screen::Target;
use crate::app::{Focus, GlyphSet};
use crate::lab::MapView;
use crate::ui::glyphs;
use crate::ui::paint::{Paint, put};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

/// The number of best-ranked skills that are marked.
pub const BEST: usize = 5;

/// Draws the points (both directions on one scale, so that distances are comparable) and the query
/// among them.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, map: &MapView, groups: &[Group], members: &[usize]) {
    let tab = &paint.state.map;
    let trail: &[[f32; 2]] = tab.placed.as_ref().filter(|p| p.request == map.request).map_or(&[], |p| &p.trail);
    let resolution = if tab.letters { (1, 1) } else { glyphs::resolution(paint.set) };
    let all = [&map.points[..], trail].concat();
    let Some(window) = Window::of(&all, area, resolution, tab.zoom, tab.centre) else { return };
    let near: Vec<usize> = map.neighbours.get(tab.pick).map(|n| n.iter().take(5).map(|(i, _)| *i).collect()).unwrap_or_default();
    let width = usize::from(area.width);
    // For each cell: its dots, and the points in it.
    let mut bits = vec![0u8; width * usize::from(area.height)];
    let mut inside: Vec<Vec<usize>> = vec![Vec::new(); bits.len()];
    for (i, point) in map.points.iter().enumerate() {
        let Some((x, y, dot)) = window.cell(*point) else { continue };
        let at = usize::from(y) * width + usize::from(x);
        bits[at] |= 1 << dot;
        inside[at].push(i);
    }
    let best = |p: usize| place_in_ranking(paint, map, p).is_some_and(|(at, _)| at < BEST);
    for (at, points) in inside.iter().enumerate().filter(|(_, p)| !p.is_empty()) {
        // One colour per cell: the pick's, else a neighbour's, else that of one of the best, else
        // the majority's.
        let picked = points.contains(&tab.pick);
        let neighbour = points.iter().find(|p| near.contains(p)).copied();
        let ranked = points.iter().find(|p| best(**p)).copied();
        let shown = if picked { tab.pick } else { neighbour.or(ranked).unwrap_or_else(|| majority(points, members)) };
        let group = members.get(shown).copied().unwrap_or(0);
        let glyph = if tab.letters || paint.set == GlyphSet::Ascii {
            point_letter(paint, map, shown, groups.get(group).map_or('?', |g| g.letter))
        } else {
            glyphs::points(paint.set, bits[at])
        };
        let mut style = paint.style(point_role(paint, map, shown, group));
        if neighbour.is_some() {
            style = style.add_modifier(Modifier::UNDERLINED | Modifier::BOLD);
        }
        if ranked.is_some() {
            style = style.add_modifier(Modifier::ITALIC | Modifier::BOLD);
        }
        if picked {
            style = style.add_modifier(Modifier::REVERSED | Modifier::BOLD);
        }
        let (x, y) = ((at % width) as u16, (at / width) as u16);
        put(buf, area, x, y, Line::from(Span::styled(glyph.to_string(), style)));
        paint.hit(Rect::new(area.x + x, area.y + y, 1, 1), Target::Row(Focus::Map, shown));
    }
    way(paint, area, buf, &window, trail);
}

/// The query's path: the number of examples at each position, dots between them, and `≈` at the
/// current position.
fn way(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, window: &Window, trail: &[[f32; 2]]) {
    let cells: Vec<Option<(u16, u16)>> = trail.iter().map(|p| window.cell(*p).map(|(x, y, _)| (x, y))).collect();
    for pair in cells.windows(2) {
        let [Some(a), Some(b)] = pair else { continue };
        let steps = a.0.abs_diff(b.0).max(a.1.abs_diff(b.1));
        for s in 1..steps {
            let t = f32::from(s) / f32::from(steps);
            let between = |a: u16, b: u16| (f32::from(a) + (f32::from(b) - f32::from(a)) * t).round() as u16;
            let (x, y) = (between(a.0, b.0), between(a.1, b.1));
            // The path between two positions does not cover points.
            if buf.cell((area.x + x, area.y + y)).is_some_and(|c| c.symbol() == " ") {
                put(buf, area, x, y, Line::from(paint.span("·", Role::Mark)));
            }
        }
    }
    let strong = |text: String| Span::styled(text, paint.style(Role::Mark).add_modifier(Modifier::BOLD | Modifier::REVERSED));
    for (i, (x, y)) in cells.iter().enumerate().filter_map(|(i, c)| c.map(|c| (i, c))) {
        let sign = if i + 1 == cells.len() { '≈' } else { char::from_digit(i as u32 + 1, 10).unwrap_or('+') };
        put(buf, area, x, y, Line::from(strong(sign.to_string())));
    }
}

/// The visible part of a map, and its position in cells.
struct Window {
    across: usize,
    down: usize,
    /// Dots across and down.
    dots: [f32; 2],
    /// The centre of the visible part.
    middle: [f32; 2],
    /// Dots per unit of the map, across and down.
    scale: [f32; 2],
}

impl Window {
    /// The window on some points, `zoom` times the scale at which all of them fit. `centre` is a
    /// share of their width and height.
    fn of(points: &[[f32; 2]], area: Rect, (across, down): (usize, usize), zoom: f32, centre: [f32; 2]) -> Option<Self> {
        let [left, right, low, high] = bounds(points).filter(|_| !area.is_empty())?;
        let dots = [usize::from(area.width) * across - 1, usize::from(area.height) * down - 1].map(|d| d as f32);
        // A cell is about twice as tall as wide.
        let unit = [1.0 / across as f32, 2.0 / down as f32];
        let span = |a: f32, b: f32| if b > a { b - a } else { 1.0 };
        let scale = (dots[0] * unit[0] / span(left, right)).min(dots[1] * unit[1] / span(low, high)) * zoom;
        let middle = [left + (right - left) * centre[0], low + (high - low) * centre[1]];
        Some(Self { across, down, dots, middle, scale: unit.map(|u| scale / u) })
    }

    /// Cell and dot of a point; `None` if it is not finite or not visible.
    fn cell(&self, p: [f32; 2]) -> Option<(u16, u16, usize)> {
        let x = (self.dots[0] / 2.0 + (p[0] - self.middle[0]) * self.scale[0]).round();
        let y = (self.dots[1] / 2.0 - (p[1] - self.middle[1]) * self.scale[1]).round();
        // One dot of tolerance for rounding at the edges; NaN is outside every range.
        let inside = |v: f32, most: f32| (-1.0..=most + 1.0).contains(&v);
        if !(inside(x, self.dots[0]) && inside(y, self.dots[1])) {
            return None;
        }
        let (x, y) = (x.clamp(0.0, self.dots[0]) as usize, y.clamp(0.0, self.dots[1]) as usize);
        Some(((x / self.across) as u16, (y / self.down) as u16, (y % self.down) * self.across + x % self.across))
    }
}

fn majority(points: &[usize], members: &[usize]) -> usize {
    let group = |p: usize| members.get(p).copied().unwrap_or(0);
    let count = |p: &usize| points.iter().filter(|q| group(**q) == group(*p)).count();
    points.iter().copied().rev().max_by_key(count).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_fill_the_area_on_one_scale() {
        let area = Rect::new(0, 0, 21, 11);
        let points = [[0.0, 0.0], [1.0, 1.0], [f32::NAN, 0.0], [0.5, 0.5]];
        let window = Window::of(&points, area, (1, 1), 1.0, [0.5; 2]).unwrap();
        let cells = points.map(|p| window.cell(p));
        // 21 cells across are as long as 10.5 rows down: the square fills both directions.
        assert_eq!(cells[0], Some((0, 10, 0)));
        assert_eq!(cells[1], Some((20, 0, 0)));
        assert_eq!(cells[2], None);
        assert_eq!(cells[3], Some((10, 5, 0)));
        assert!(Window::of(&points, Rect::ZERO, (2, 4), 1.0, [0.5; 2]).is_none());
    }

    #[test]
    fn zoomed_in_the_centre_stays_and_the_rest_leaves() {
        let area = Rect::new(0, 0, 21, 11);
        let points = [[0.0, 0.0], [1.0, 1.0], [0.9, 0.9]];
        let window = Window::of(&points, area, (1, 1), 4.0, [1.0; 2]).unwrap();
        assert_eq!(window.cell([1.0, 1.0]), Some((10, 5, 0)));
        assert_eq!(window.cell([0.0, 0.0]), None);
        // A tenth of the map is four tenths of the window.
        assert_eq!(window.cell([0.9, 0.9]), Some((2, 9, 0)));
    }

    #[test]
    fn a_cell_takes_the_colour_of_most_of_its_points() {
        assert_eq!(majority(&[0, 1, 2], &[7, 3, 3]), 1);
    }
}
