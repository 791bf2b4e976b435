//! Loss by position after the join: one column per token (or per few tokens), the selected rule's
//! loss as a bar, the full pass's as a tick.

use super::rules::plus;
use super::{nothing_yet, title};
use crate::app::screen::Target;
use crate::app::{Focus, GlyphSet};
use crate::lab::{DecayView, RuleResult};
use crate::ui::glyphs;
use crate::ui::paint::{Paint, fit, put, signed, token};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Cells left of the chart, for its scale.
const AXIS: u16 = 5;

/// Draws the pane.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let state = paint.state;
    let focused = state.focus() == Focus::Positions && state.overlay.is_none();
    let selected = state.decay.selected();
    let about = selected
        .map_or(String::new(), |r| format!("{} {} · {} full pass", glyphs::column(paint.set, 1.0, 0), r.rule.name(), tick(paint.set)));
    paint.hit(area, Target::Pane(Focus::Positions));
    let inner = paint.panel(buf, area, &title(state, "Loss"), vec![paint.span(about, Role::Dim)], focused);
    match (&state.decay.view, selected) {
        (Some(view), Some(selected)) => chart(paint, inner, buf, view, selected),
        // The reason stands beside the rules; here it is shown only if they are not on screen.
        _ if state.decay.refused.is_none() || focused => nothing_yet(paint, inner, buf),
        _ => {}
    }
}

fn tick(set: GlyphSet) -> char {
    if set == GlyphSet::Ascii { '=' } else { '━' }
}

/// The positions of each column: as many columns as fit, each of one position or of several
/// neighbours.
fn columns(positions: usize, width: usize) -> Vec<std::ops::Range<usize>> {
    let n = positions.min(width);
    (0..n).map(|i| i * positions / n..(i + 1) * positions / n).collect()
}

fn mean(values: &[f32], of: &std::ops::Range<usize>) -> f64 {
    let part = values.get(of.clone()).unwrap_or_default();
    part.iter().map(|v| f64::from(*v)).sum::<f64>() / part.len().max(1) as f64
}

fn chart(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &DecayView, selected: &RuleResult) {
    let (Some(full), true) = (view.results.first(), area.height >= 4 && area.width > AXIS + 4) else { return };
    let position = paint.state.decay.position;
    let height = area.height - 2;
    let plot = Rect::new(area.x + AXIS, area.y, area.width - AXIS, height);
    let columns = columns(selected.loss.len(), usize::from(plot.width));
    let own: Vec<f64> = columns.iter().map(|c| mean(&selected.loss, c)).collect();
    let of_full: Vec<f64> = columns.iter().map(|c| mean(&full.loss, c)).collect();
    let top = own.iter().chain(&of_full).copied().filter(|v| v.is_finite()).fold(1e-9, f64::max);
    put(buf, area, 0, 0, Line::from(paint.span(format!("{top:>4.1}"), Role::Dim)));
    put(buf, area, 0, height - 1, Line::from(paint.span(format!("{:>4}", 0), Role::Dim)));
    let left = |i: usize| i * usize::from(plot.width) / columns.len().max(1);
    for (i, (own, full)) in own.iter().zip(&of_full).enumerate() {
        // Wide columns have a blank between them.
        let (x, cells) = (left(i) as u16, left(i + 1) - left(i));
        let drawn = if cells > 1 && left(columns.len()) >= 2 * columns.len() { cells - 1 } else { cells };
        let (bar, mark) = (own / top * f64::from(height), (full / top * f64::from(height)).floor().min(f64::from(height - 1)));
        for row in 0..height {
            let level = height - 1 - row;
            let is_mark = f64::from(level) == mark;
            let glyph = if is_mark { tick(paint.set) } else { glyphs::column(paint.set, bar, usize::from(level)) };
            let role = if is_mark { Role::Mark } else { Role::Bar };
            if glyph != ' ' {
                put(buf, plot, x, row, Line::from(paint.span(glyph.to_string().repeat(drawn), role)));
            }
        }
        if columns[i].contains(&position) {
            put(buf, Rect { height: height + 1, ..plot }, x, height, Line::from(paint.span("▲", Role::Focus)));
        }
    }
    let word = view.continuation.get(position).map(|t| fit(&token(t), 14)).unwrap_or_default();
    let at = |losses: &[f32]| losses.get(position).map_or(f64::NAN, |v| f64::from(*v));
    let (own, full) = (at(&selected.loss), at(&full.loss));
    let line = Line::from(vec![
        paint.span(format!("{:>3} ", position + 1), Role::Dim),
        paint.span(word, Role::Strong),
        paint.span("  full ", Role::Dim),
        paint.span(signed(full, 2), Role::Text),
        paint.span("  rule ", Role::Dim),
        paint.span(signed(own, 2), Role::Text),
        paint.span(format!("  {}", plus(own - full)), if own > full { Role::Bad } else { Role::Good }),
    ]);
    put(buf, area, 0, area.height - 1, line);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_in_one_column() {
        for (positions, width) in [(64, 60), (64, 200), (1, 10), (7, 3)] {
            let columns = columns(positions, width);
            assert!(columns.len() <= width);
            let all: Vec<usize> = columns.into_iter().flatten().collect();
            assert_eq!(all, (0..positions).collect::<Vec<_>>());
        }
        assert_eq!(mean(&[1.0, 2.0, 6.0], &(1..3)), 4.0);
    }
}
