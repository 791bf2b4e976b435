//! The rules: mean loss of the continuation, perplexity, and the excess loss over the full pass.

use super::{nothing_yet, title};
use crate::app::Focus;
use crate::app::overlay::trim_number;
use crate::app::screen::Target;
use crate::lab::DecayView;
use crate::soup::chunks::ChunkRule;
use crate::ui::paint::{Paint, pad, put, scroll, signed};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the pane.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let state = paint.state;
    let tab = &state.decay;
    let focused = state.focus() == Focus::Rules && state.overlay.is_none();
    let order = if tab.by_loss { "by loss" } else { "in order" };
    paint.hit(area, Target::Pane(Focus::Rules));
    let inner = paint.panel(buf, area, &title(state, "Rules"), vec![paint.span(order, Role::Dim)], focused);
    gamma(paint, inner, buf);
    let rest = Rect::new(inner.x, inner.y + 1.min(inner.height), inner.width, inner.height.saturating_sub(1));
    match &tab.view {
        Some(view) => table(paint, rest, buf, view, focused),
        None => nothing_yet(paint, rest, buf),
    }
}

/// γ on a scale from 0 to 2, and the cut of the document.
fn gamma(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let tab = &paint.state.decay;
    let mut spans = vec![paint.span(" γ ", Role::Dim), paint.span(format!("{:<5}", trim_number(tab.gamma)), Role::Strong)];
    spans.extend(paint.bar(tab.gamma / 2.0, (area.width / 4).clamp(6, 20), Role::Bar));
    spans.push(paint.span(format!("  {} × {} + {}", tab.cut.chunks, tab.cut.length, tab.cut.after), Role::Dim));
    if area.width >= 56 {
        spans.push(paint.span(" tokens", Role::Dim));
    }
    put(buf, area, 0, 0, Line::from(spans));
}

fn table(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &DecayView, focused: bool) {
    let tab = &paint.state.decay;
    let width = usize::from(area.width);
    let name_width = 18;
    let figures = 7 + 8 + 8;
    let bar_width = width.saturating_sub(1 + name_width + figures + 2).min(30) as u16;
    let head = format!(" {}{:>7}{:>8}{:>8}", pad("rule", name_width), "nats", "perpl.", "−full");
    put(buf, area, 0, 0, Line::from(paint.span(head, Role::Dim)));
    let list = Rect::new(area.x, area.y + 1.min(area.height), area.width, area.height.saturating_sub(1));
    let order = tab.order();
    let at = order.iter().position(|r| *r == tab.rule).unwrap_or(0);
    let best = (1..view.results.len()).min_by(|a, b| view.results[*a].nats().total_cmp(&view.results[*b].nats()));
    // A sum of states is larger than any state the model meets, and its loss can be so high that it
    // would flatten the other bars.
    let others = view.results.iter().filter(|r| r.rule != ChunkRule::Sum).map(|r| view.excess(r));
    let scale = others.filter(|e| e.is_finite()).fold(1e-9, f64::max);
    let first = scroll(at, order.len(), usize::from(list.height));
    for (row, index) in order.iter().skip(first).take(usize::from(list.height)).enumerate() {
        let Some(result) = view.results.get(*index) else { continue };
        let selected = *index == tab.rule;
        let excess = view.excess(result);
        let strong = if best == Some(*index) { Role::Good } else { Role::Text };
        let mut spans = vec![
            paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(pad(result.rule.name(), name_width), if selected { Role::Strong } else { Role::Text }),
            paint.span(format!("{:>7}", signed(result.nats(), 3)), strong),
            paint.span(format!("{:>8}", perplexity(result.perplexity())), Role::Dim),
            paint.span(format!("{:>8}", plus(excess)), strong),
            paint.span(if best == Some(*index) { "★" } else { " " }, Role::Good),
        ];
        if bar_width >= 3 {
            spans.push(Span::raw(" "));
            spans.extend(paint.bar(excess / scale, bar_width, Role::Bar));
        }
        put(buf, list, 0, row as u16, Line::from(spans));
        paint.hit_row(list, row as u16, Target::Row(Focus::Rules, *index));
        if selected {
            paint.select(buf, list, row as u16, focused);
        }
    }
}

/// A difference with its sign.
pub(super) fn plus(value: f64) -> String {
    let text = signed(value, 3);
    if value >= 0.0005 { format!("+{text}") } else { text }
}

/// A perplexity in seven characters.
fn perplexity(value: f64) -> String {
    match value {
        v if !v.is_finite() => "–".into(),
        v if v < 100.0 => format!("{v:.2}"),
        v if v < 100_000.0 => format!("{v:.0}"),
        v => format!("{v:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_fit_their_columns() {
        assert_eq!([1.5, 812.3, 3e7, f64::INFINITY].map(perplexity), ["1.50", "812", "3.0e7", "–"]);
        assert_eq!([0.0, 0.25, -0.25].map(plus), ["0.000", "+0.250", "−0.250"]);
    }
}
