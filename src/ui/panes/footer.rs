//! The last line: the most relevant keys, as many as fit, always including help and quit.

use crate::app::command::hints;
use crate::ui::paint::{Paint, put};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the line.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if paint.state.overlay.is_some() {
        return;
    }
    let hints = hints(paint.state);
    // The last ones lead to everything else (help, palette, quit): they stay, and the middle is
    // left out.
    let keep = hints.len().saturating_sub(if paint.state.focus().is_editor() { 3 } else { 4 });
    let width = |(key, word): &(String, &str)| key_text(key).chars().count() + word.chars().count() + 3;
    let tail: usize = hints[keep..].iter().map(width).sum();
    let mut room = usize::from(area.width).saturating_sub(tail + 1);
    let mut spans = vec![Span::raw(" ")];
    for (i, hint) in hints.iter().enumerate() {
        if i < keep {
            if width(hint) > room {
                continue;
            }
            room -= width(hint);
        }
        spans.push(paint.span(key_text(&hint.0), Role::Key));
        spans.push(paint.span(format!(" {}  ", hint.1), Role::Dim));
    }
    put(buf, area, 0, 0, Line::from(spans));
}

/// A key as hints and help print it.
pub fn key_text(key: &str) -> String {
    let (chord, name) = match key.rsplit_once('-') {
        Some((chord, name)) if !name.is_empty() => (format!("{chord}-"), name),
        _ => (String::new(), key),
    };
    let sign = match name {
        "up" => "↑",
        "down" => "↓",
        "left" => "←",
        "right" => "→",
        "backtab" => "shift-tab",
        other => other,
    };
    chord + sign
}
