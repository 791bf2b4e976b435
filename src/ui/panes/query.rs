//! The query editor. It is drawn from the text area's lines rather than by the text area's own
//! widget, whose scroll position is hidden state; this way the picture depends only on the state.

use crate::app::Focus;
use crate::app::screen::Target;
use crate::task::Template;
use crate::ui::paint::{Paint, put, scroll};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui_textarea::TextArea;
use unicode_width::UnicodeWidthChar;

/// Draws the pane.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    paint.hit(area, Target::Pane(Focus::Query));
    let state = paint.state;
    let focused = state.focus() == Focus::Query && state.overlay.is_none();
    let shots = state.lab.ranking.as_ref().map(|r| r.shots);
    let examples = match shots {
        Some(1) => "1 example · ".to_owned(),
        Some(n) => format!("{n} examples · "),
        None => String::new(),
    };
    let right = vec![paint.span(format!("{examples}{}", template_text(&state.template)), Role::Dim)];
    let inner = paint.panel(buf, area, "Query", right, focused);
    let empty = state.lab.query.is_empty();
    editor(paint, inner, buf, &state.lab.query, focused);
    if empty {
        let hint = ["lunch -> lunch?", "house ->"];
        for (row, text) in hint.into_iter().enumerate() {
            put(buf, inner, if row == 0 && focused { 2 } else { 0 }, row as u16, Line::from(paint.span(text, Role::Border)));
        }
        if inner.height > 3 {
            put(buf, inner, 0, 3, Line::from(paint.span("Type examples, then a line to complete.", Role::Dim)));
        }
    }
}

/// A template as one readable line.
fn template_text(template: &Template) -> String {
    match template {
        Template::Arrow => "x -> y".into(),
        Template::Qa => "Q: x A: y".into(),
        Template::Custom { .. } => crate::ui::paint::fit(&template.to_string(), 28),
    }
}

/// Draws a text area's lines, selection and cursor. The cost depends only on the visible rows: each
/// is read once, up to the right edge of the pane.
pub fn editor(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, text: &TextArea<'_>, focused: bool) {
    if area.is_empty() {
        return;
    }
    let lines = text.lines();
    let cursor = text.cursor();
    let (row, col) = (cursor.0, cursor.1);
    let height = usize::from(area.height);
    let first = scroll(row, lines.len(), height);
    // If the cursor would leave the pane, all lines shift left together.
    let before = lines.get(row).map_or(0, |l| l.chars().take(col).map(|c| c.width().unwrap_or(1)).sum::<usize>());
    let shift = (before + 1).saturating_sub(usize::from(area.width));
    let selection = text.selection_range();
    for (i, line) in lines.iter().enumerate().skip(first).take(height) {
        let mut spans: Vec<Span<'_>> = Vec::new();
        let mut at = 0;
        // A line has a cell for the cursor after its end.
        for (j, c) in line.chars().map(Some).chain(std::iter::once(None)).enumerate() {
            let is_cursor = focused && (i, j) == (row, col);
            let Some(c) = c.or(is_cursor.then_some(' ')) else { break };
            let w = c.width().unwrap_or(1);
            if at >= shift {
                let role = if is_cursor {
                    Role::Cursor
                } else if selection.is_some_and(|(from, to)| from <= (i, j) && (i, j) < to) {
                    Role::Selected
                } else {
                    Role::Text
                };
                if is_cursor {
                    let before: usize = spans.iter().map(Span::width).sum();
                    paint.hits.edited_at(area.x + (before as u16).min(area.width - 1), area.y + (i - first) as u16);
                }
                let shown = if c.is_control() { '·' } else { c };
                match spans.last_mut() {
                    Some(last) if last.style == paint.style(role) => last.content.to_mut().push(shown),
                    _ => spans.push(paint.span(shown.to_string(), role)),
                }
            }
            at += w;
            if at.saturating_sub(shift) >= usize::from(area.width) {
                break;
            }
        }
        put(buf, area, 0, (i - first) as u16, Line::from(spans));
    }
}
