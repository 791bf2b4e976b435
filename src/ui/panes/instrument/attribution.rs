//! The attribution: signed bars, to the right for parts that make the target likelier, to the left
//! for parts that make it less likely.

use super::{plus, sentence, waiting, window};
use crate::engine::JobKind;
use crate::lab::{AttributionView, LeftOut, SoupPart};
use crate::ui::glyphs;
use crate::ui::paint::{Paint, pad, put, signed};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the panel.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let inner = window(paint, area, buf, (90, 22), "Attribution", "esc leaves");
    let Some(view) = &paint.state.lab.instruments.attribution else { return waiting(paint, inner, buf, JobKind::Attribution) };
    let head = format!("ln p of `{}` from the soup: {}", view.request.target.trim(), signed(view.whole, 3));
    put(buf, inner, 0, 0, Line::from(paint.span(head, Role::Strong)));
    let foot = "What each part adds to ln p: the soup's, minus that without the part (for layers: with the query's state there).";
    let foot_rows = crate::ui::paint::wrap(foot, usize::from(inner.width)).len() as u16;
    sentence(paint, inner, buf, inner.height.saturating_sub(foot_rows), foot, Role::Dim);
    let list = Rect::new(inner.x, inner.y + 2.min(inner.height), inner.width, inner.height.saturating_sub(3 + foot_rows));
    bars(paint, list, buf, view);
}

fn bars(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &AttributionView) {
    let effect = |p: &LeftOut| p.without.map(|without| view.whole - without);
    let most = view.parts.iter().filter_map(effect).map(f64::abs).fold(0.0, f64::max);
    let name_width = (usize::from(area.width) / 3).clamp(12, 28);
    let half = usize::from(area.width).saturating_sub(name_width + 10) / 2;
    // If not all parts fit, those with the smallest effect are left out.
    let room = usize::from(area.height);
    let mut shown: Vec<usize> = (0..view.parts.len()).collect();
    let size = |i: usize| effect(&view.parts[i]).map_or(f64::INFINITY, f64::abs);
    shown.sort_by(|&a, &b| size(b).total_cmp(&size(a)));
    shown.truncate(room);
    shown.sort_unstable();
    for (row, part) in shown.into_iter().map(|i| &view.parts[i]).enumerate() {
        let name = match &part.part {
            SoupPart::Ingredient(skill) => skill.clone(),
            SoupPart::Layers(range) if range.len() == 1 => format!("layer {}", range.start),
            SoupPart::Layers(range) => format!("layers {}..{}", range.start, range.end),
        };
        let mut spans = vec![paint.span(pad(&name, name_width), Role::Text)];
        match effect(part) {
            None => spans.push(paint.span(" nothing is left without it", Role::Dim)),
            Some(effect) => {
                let cells = if most > 0.0 { (effect.abs() / most * half as f64).round() as usize } else { 0 };
                let bar = |on: bool| if on { glyphs::bar(paint.set, 1.0, cells as u16) } else { String::new() };
                let track = |on: bool| glyphs::track(paint.set, (half - if on { cells } else { 0 }) as u16);
                let (less, more) = (effect < 0.0, effect > 0.0);
                let role = if less { Role::Bad } else { Role::Good };
                spans.push(paint.span(format!("{:>8} ", plus(effect, 3)), Role::Strong));
                spans.extend([paint.span(track(less), Role::Track), paint.span(bar(less), role), Span::raw("│")]);
                spans.extend([paint.span(bar(more), role), paint.span(track(more), Role::Track)]);
            }
        }
        put(buf, area, 0, row as u16, Line::from(spans));
    }
}
