//! The soup's autopsy: one row per layer, and whether the mix has left the space spanned by the
//! library's states.

use super::{sentence, waiting, window};
use crate::engine::JobKind;
use crate::lab::Autopsy;
use crate::ui::paint::{Paint, fit, put, scroll, signed};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the panel.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, cursor: usize) {
    let inner = window(paint, area, buf, (90, 24), "Autopsy of the soup", "↑↓ layer, esc leaves");
    let Some(view) = &paint.state.lab.instruments.autopsy else { return waiting(paint, inner, buf, JobKind::Autopsy) };
    let figures = &view.figures;
    let foot = foot(figures);
    let rows = crate::ui::paint::wrap(&foot.0, usize::from(inner.width)).len() as u16;
    sentence(paint, inner, buf, inner.height.saturating_sub(rows), &foot.0, foot.1);
    let about = "half-life in tokens: the mean over the soup's skills, as a mix has none";
    put(buf, inner, 0, inner.height.saturating_sub(rows + 1), Line::from(paint.span(fit(about, usize::from(inner.width)), Role::Dim)));
    let list = Rect { height: inner.height.saturating_sub(rows + 2), ..inner };
    table(paint, list, buf, figures, cursor);
}

/// The drifts summed up, and the role to show the sentence in.
pub fn foot(figures: &Autopsy) -> (String, Role) {
    let unvisited = figures.unvisited();
    if unvisited.is_empty() {
        let most = figures.drift.iter().copied().filter(|d| d.is_finite()).fold(f32::NEG_INFINITY, f32::max);
        if !most.is_finite() {
            return ("The library has too few different skills to tell what is far.".into(), Role::Dim);
        }
        return (
            format!("Within visited space: at most {most:.2} spreads from the library's mean, no layer beyond its farthest skill."),
            Role::Good,
        );
    }
    let layers = unvisited.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let word = if unvisited.len() == 1 { "layer" } else { "layers" };
    (format!("! Beyond visited space in {word} {layers}: farther from the library's mean than any of its skills."), Role::Bad)
}

fn table(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, figures: &Autopsy, cursor: usize) {
    let head = format!(" {:>5} {:>9} {:>10} {:>9} {:>7} {:>9}", "layer", "norm", "half-life", "eff.rank", "drift", "farthest");
    put(buf, area, 0, 0, Line::from(paint.span(head, Role::Title)));
    let layers = figures.norm.len();
    let height = usize::from(area.height).saturating_sub(1);
    let first = scroll(cursor, layers, height);
    let unvisited = figures.unvisited();
    let room = area.width.saturating_sub(60);
    // The scale of the bars: the greatest drift of all.
    let most = figures.drift.iter().chain(&figures.farthest).copied().filter(|d| d.is_finite()).fold(0.0, f32::max);
    for (row, l) in (first..layers).take(height).enumerate() {
        let number = |value: f32, width: usize, digits: usize| format!(" {:>width$}", signed(f64::from(value), digits));
        let beyond = unvisited.contains(&l);
        let mut spans = vec![
            paint.span(if l == cursor { "▸" } else { " " }, Role::Focus),
            paint.span(format!("{l:>5}"), Role::Dim),
            Span::raw(number(figures.norm[l], 9, 2)),
            Span::raw(number(figures.half_life[l], 10, 1)),
            Span::raw(number(figures.effective_rank[l], 9, 2)),
            paint.span(number(figures.drift[l], 7, 2), if beyond { Role::Bad } else { Role::Strong }),
            paint.span(number(figures.farthest[l], 9, 2), Role::Dim),
            paint.span(if beyond { " ! " } else { "   " }, Role::Bad),
        ];
        if room >= 6 && most > 0.0 {
            spans.extend(paint.bar(f64::from(figures.drift[l] / most), room, if beyond { Role::Bad } else { Role::Bar }));
        }
        put(buf, area, 0, row as u16 + 1, Line::from(spans));
        if l == cursor {
            paint.select(buf, area, row as u16 + 1, true);
        }
    }
}
