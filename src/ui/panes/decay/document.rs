//! The document, its lines wrapped and its chunks marked by number in the margin, by an underlined
//! first character and by alternating colours.

use crate::app::Focus;
use crate::app::screen::Target;
use crate::engine::JobKind;
use crate::ui::paint::{Paint, fit, put, scroll};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use std::ops::Range;
use unicode_width::UnicodeWidthChar;

/// Width of the margin in cells.
const MARGIN: u16 = 3;

/// Draws the pane.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let state = paint.state;
    let tab = &state.decay;
    let focused = state.focus() == Focus::Document && state.overlay.is_none();
    paint.hit(area, Target::Pane(Focus::Document));
    let inner = paint.panel(buf, area, "Document", vec![paint.span(tab.origin_text(), Role::Dim)], focused);
    let foot = u16::from(inner.height >= 3);
    let page = Rect { height: inner.height - foot, ..inner };
    if tab.document.is_empty() && !focused {
        let text = "Empty: e to type or paste, o to open a file, s for a sample.";
        paint.centred(buf, page, &[(text.into(), Role::Dim)]);
    } else if page.width > MARGIN + 2 {
        lines(paint, page, buf, focused);
    }
    if foot == 1 {
        let text = fit(&summary(paint), usize::from(inner.width));
        put(buf, inner, 0, inner.height - 1, Line::from(paint.span(text, Role::Dim)));
    }
}

fn summary(paint: &Paint<'_>) -> String {
    let tab = &paint.state.decay;
    match &tab.view {
        _ if paint.state.jobs.is_running(JobKind::Decay) || tab.run_at.is_some() => "reading …".into(),
        Some(view) if tab.marked => {
            let cut = view.request.cut;
            format!("{} × {} + {} of {} tokens", cut.chunks, cut.length, cut.tokens() - cut.chunks * cut.length, view.tokens)
        }
        _ => String::new(),
    }
}

/// A row on screen: part of a line of the text.
struct Row {
    /// The index of the text's line.
    line: usize,
    /// Its bytes within that line.
    bytes: Range<usize>,
    /// The number of its first character within that line.
    first: usize,
}

/// Wraps a line every `width` cells; `with_end` adds a cell for a cursor after its end.
fn wrapped(line: usize, text: &str, width: usize, with_end: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut start, mut first, mut used, mut count) = (0, 0, 0, 0);
    for (byte, c) in text.char_indices() {
        let w = c.width().unwrap_or(1);
        if used + w > width && byte > start {
            rows.push(Row { line, bytes: start..byte, first });
            (start, first, used) = (byte, count, 0);
        }
        used += w;
        count += 1;
    }
    rows.push(Row { line, bytes: start..text.len(), first });
    if with_end && used >= width {
        rows.push(Row { line, bytes: text.len()..text.len(), first: count });
    }
    rows
}

/// The rows around the cursor that fill `height`.
fn visible(text: &[String], cursor: (usize, usize), width: usize, height: usize) -> Vec<Row> {
    let mut rows = wrapped(cursor.0, text.get(cursor.0).map_or("", String::as_str), width, true);
    let here = rows.iter().rposition(|r| r.first <= cursor.1).unwrap_or(0);
    // Wrap a page above the cursor and a page below, as far as there is text, then take the page
    // around the cursor.
    let mut above = here;
    let mut line = cursor.0;
    while above < height && line > 0 {
        line -= 1;
        let mut before = wrapped(line, &text[line], width, false);
        above += before.len();
        before.append(&mut rows);
        rows = before;
    }
    let mut line = cursor.0 + 1;
    while rows.len() - above <= height && line < text.len() {
        rows.extend(wrapped(line, &text[line], width, false));
        line += 1;
    }
    rows.drain(..scroll(above, rows.len(), height));
    rows.truncate(height);
    rows
}

fn lines(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, focused: bool) {
    let tab = &paint.state.decay;
    let text = tab.document.lines();
    let bounds = tab.view.as_ref().filter(|_| tab.marked).map_or(&[][..], |v| &v.bounds);
    let cursor = tab.document.cursor();
    let cursor = (cursor.0, cursor.1);
    let selection = tab.document.selection_range();
    let rows = visible(text, cursor, usize::from(area.width - MARGIN), usize::from(area.height));
    let before: usize = rows.first().map_or(0, |r| text[..r.line].iter().map(|l| l.len() + 1).sum());
    let (mut base, mut line) = (before, rows.first().map_or(0, |r| r.line));
    let mut chunk = None;
    for (y, row) in rows.iter().enumerate() {
        while line < row.line {
            base += text[line].len() + 1;
            line += 1;
        }
        let mut spans: Vec<Span<'_>> = Vec::new();
        let part = text.get(row.line).and_then(|l| l.get(row.bytes.clone())).unwrap_or_default();
        let ends = row.bytes.end == text.get(row.line).map_or(0, String::len);
        for (j, (byte, c)) in part.char_indices().chain(ends.then_some((part.len(), ' '))).enumerate() {
            let at = (row.line, row.first + j);
            let (offset, is_cursor) = (base + row.bytes.start + byte, focused && at == cursor);
            if byte == part.len() && !is_cursor {
                break;
            }
            if is_cursor {
                let before: usize = spans.iter().map(Span::width).sum();
                paint.hits.edited_at(area.x + (MARGIN + before as u16).min(area.width - 1), area.y + y as u16);
            }
            let now = chunk_of(bounds, offset);
            let mut style = match () {
                () if is_cursor => paint.style(Role::Cursor),
                () if selection.is_some_and(|(from, to)| from <= at && at < to) => paint.style(Role::Selected),
                () => paint.style(role(bounds, now)),
            };
            if now.is_some() && bounds.contains(&offset) {
                style = style.add_modifier(Modifier::UNDERLINED | Modifier::BOLD);
            }
            let shown = if c.is_control() { '·' } else { c };
            match spans.last_mut() {
                Some(last) if last.style == style => last.content.to_mut().push(shown),
                _ => spans.push(Span::styled(shown.to_string(), style)),
            }
        }
        put(buf, area, MARGIN, y as u16, Line::from(spans));
        // The chunk at the row's end, if it differs from that of the row above.
        let now = chunk_of(bounds, base + row.bytes.end.saturating_sub(usize::from(!part.is_empty())));
        if now != chunk {
            chunk = now;
            put(buf, area, 0, y as u16, Line::from(paint.span(label(bounds, now), Role::Key)));
        }
    }
}

/// The chunk that a byte belongs to. The continuation counts as one chunk, and so does the text
/// after it. `None` where nothing is marked.
fn chunk_of(bounds: &[usize], byte: usize) -> Option<usize> {
    bounds.partition_point(|b| *b <= byte).checked_sub(1)
}

/// A chunk's number, a plus for the continuation, a point for text that is not read.
fn label(bounds: &[usize], chunk: Option<usize>) -> String {
    let chunks = bounds.len().saturating_sub(2);
    match chunk {
        None => String::new(),
        Some(c) if c < chunks => format!("{:>2}", c + 1),
        Some(c) if c == chunks => " +".into(),
        Some(_) => " .".into(),
    }
}

fn role(bounds: &[usize], chunk: Option<usize>) -> Role {
    let chunks = bounds.len().saturating_sub(2);
    match chunk {
        Some(c) if c == chunks => Role::Strong,
        Some(c) if c > chunks => Role::Border,
        Some(c) if c % 2 == 1 => Role::Dim,
        None | Some(_) => Role::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wrap_by_cells_and_the_cursor_is_in_view() {
        let rows = wrapped(0, "ab日本c", 4, false);
        assert_eq!(rows.iter().map(|r| (r.bytes.clone(), r.first)).collect::<Vec<_>>(), [(0..5, 0), (5..9, 3)]);
        assert_eq!(wrapped(0, "abcd", 4, true).len(), 2);
        let text: Vec<String> = (0..50).map(|i| "x".repeat(i)).collect();
        for line in 0..50 {
            let rows = visible(&text, (line, line), 10, 7);
            assert!(rows.iter().any(|r| r.line == line && r.first <= line && line <= r.first + 10), "{line}");
            assert!(rows.len() == 7);
        }
        assert_eq!(visible(&[String::new()], (0, 0), 10, 7).len(), 1);
    }

    #[test]
    fn chunks_are_told_by_their_bytes() {
        let bounds = [0, 5, 9, 12];
        let labels: Vec<String> = [0, 4, 5, 9, 12].iter().map(|b| label(&bounds, chunk_of(&bounds, *b))).collect();
        assert_eq!(labels, [" 1", " 1", " 2", " +", " ."]);
        assert_eq!(chunk_of(&[], 3), None);
    }
}
