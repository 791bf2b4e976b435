//! The guide above a tab: the list of its pages, or one page.

use super::overlay::window;
use crate::app::guide::{MEASURE, Reading};
use crate::guide::{Face, TOPICS, lines};
use crate::ui::paint::{Paint, pad, put, scroll, visible};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws it.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, reading: Reading) {
    match reading.scroll {
        None => list(paint, area, buf, reading.topic),
        Some(scrolled) => page(paint, area, buf, reading.topic, scrolled),
    }
}

/// Columns of the window: those of a page, and its box.
const WIDTH: u16 = MEASURE as u16 + 4;

fn list(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, selected: usize) {
    let height = TOPICS.len() as u16 + 4;
    let inner = window(paint, area, buf, (WIDTH, height), "Guide", "enter reads it, tab the keys, esc leaves");
    let rows = Rect::new(inner.x, inner.y + 1.min(inner.height), inner.width, inner.height.saturating_sub(1));
    let first = scroll(selected, TOPICS.len(), usize::from(rows.height));
    for (row, (i, topic)) in TOPICS.iter().enumerate().skip(first).take(usize::from(rows.height)).enumerate() {
        let line = Line::from(vec![
            paint.span(if i == selected { "▸" } else { " " }, Role::Focus),
            paint.span(pad(topic.name, 16), Role::Key),
            paint.span(topic.title(), Role::Text),
        ]);
        put(buf, rows, 0, row as u16, line);
        if i == selected {
            paint.select(buf, rows, row as u16, true);
        }
    }
}

fn page(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, topic: usize, scrolled: usize) {
    let Some(topic) = TOPICS.get(topic) else { return };
    let title = format!("Guide · {}", topic.name);
    let inner =
        window(paint, area, buf, (WIDTH, area.height.saturating_sub(2)), &title, "↑↓ scroll, ← all pages, tab the keys, esc leaves");
    let text = lines(topic.text, MEASURE.min(usize::from(inner.width)));
    let height = usize::from(inner.height);
    // What is scrolled is counted in lines of a page of full width; in a narrow window there are
    // more of them.
    let whole = if usize::from(inner.width) < MEASURE { lines(topic.text, MEASURE).len() } else { text.len() };
    let first = if text.len() <= height { 0 } else { scrolled * text.len() / whole.max(1) };
    let more = text.len() > first + height;
    for (row, pieces) in text.into_iter().skip(first).take(height).enumerate() {
        let role = |face: Face| match face {
            Face::Plain => Role::Text,
            Face::Heading => Role::Title,
            Face::Strong => Role::Strong,
            Face::Code => Role::Key,
        };
        let spans: Vec<_> = pieces.iter().map(|p| paint.span(visible(&p.text), role(p.face))).collect();
        put(buf, inner, 0, row as u16, Line::from(spans));
    }
    if more {
        let bottom = Rect::new(inner.x, inner.y + inner.height, inner.width, 1);
        put(buf, bottom, 0, 0, Line::from(paint.span(" ↓ more ", Role::Dim)));
    }
}
