//! The skill ECG: digits in one row per task and one column per token, 0 for the least similarity
//! on the strip and 9 for the greatest.

use super::{ramp, waiting, window};
use crate::app::lab::metric_name;
use crate::engine::JobKind;
use crate::lab::EcgView;
use crate::ui::glyphs;
use crate::ui::paint::{Paint, fit, pad, put, scroll, signed, token};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Draws the panel.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, cursor: usize) {
    let inner = window(paint, area, buf, (area.width.saturating_sub(4).min(150), 20), "Skill ECG", "←→ token, home end, esc leaves");
    let Some(view) = &paint.state.lab.instruments.ecg else { return waiting(paint, inner, buf, JobKind::Ecg) };
    let cursor = cursor.min(view.tokens.len().saturating_sub(1));
    text(paint, Rect { height: inner.height.min(1), ..inner }, buf, view, cursor);
    strips(paint, Rect::new(inner.x, inner.y + 2.min(inner.height), inner.width, inner.height.saturating_sub(4)), buf, view, cursor);
    figures(paint, inner, buf, view, cursor);
}

/// The tokens around the cursor, as read.
fn text(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &EcgView, cursor: usize) {
    let shown = |i: usize| token(&view.tokens[i]);
    let width = usize::from(area.width);
    let mut first = cursor;
    let mut used = view.tokens.get(cursor).map_or(0, |_| shown(cursor).width());
    while first > 0 && used + shown(first - 1).width() + 1 < width * 2 / 3 {
        first -= 1;
        used += shown(first).width() + 1;
    }
    let mut spans = Vec::new();
    for i in first..view.tokens.len() {
        let role = if i == cursor {
            Role::Cursor
        } else if i < view.ranked {
            Role::Text
        } else {
            Role::Dim
        };
        spans.push(paint.span(shown(i), role));
        spans.push(Span::raw(" "));
    }
    put(buf, area, 0, 0, Line::from(spans));
}

fn strips(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &EcgView, cursor: usize) {
    let (low, high) = range(view);
    let share = |s: f32| if high > low { f64::from((s - low) / (high - low)) } else { 0.5 };
    let name_width = if area.width >= 100 { 26 } else { 20 };
    let room = usize::from(area.width).saturating_sub(name_width + 11);
    // A blank between the columns of a short query makes it easier to read.
    let gap = if view.tokens.len() * 2 <= room { " " } else { "" };
    let first = scroll(cursor, view.tokens.len(), room);
    let columns = first..view.tokens.len().min(first + room);
    // The ruler marks the cursor, line ends, and the unfinished line, which the ranking does not
    // read.
    let mark = |i: usize| match i {
        i if i == cursor => '▼',
        i if view.tokens[i].contains('\n') => '⏎',
        i if i >= view.ranked => '–',
        _ => '·',
    };
    let ruler: String = columns.clone().map(|i| format!("{}{gap}", mark(i))).collect();
    put(buf, area, name_width as u16 + 1, 0, Line::from(paint.span(ruler, Role::Dim)));
    let best = best_at(view, cursor);
    for (r, row) in view.rows.iter().enumerate().take(usize::from(area.height).saturating_sub(1)) {
        let mut spans =
            vec![paint.span(pad(&row.task, name_width), if best == Some(r) { Role::Strong } else { Role::Text }), Span::raw(" ")];
        for i in columns.clone() {
            let share = share(row.scores[i]);
            let mut style = paint.style(ramp(share));
            if i == cursor {
                style = style.add_modifier(Modifier::REVERSED);
            }
            spans.push(Span::styled(glyphs::digit(share).to_string(), style));
            spans.push(Span::raw(gap));
        }
        let score = row.scores.get(cursor).copied().unwrap_or(f32::NAN);
        let sign = if best == Some(r) { " ★" } else { "" };
        spans.push(paint.span(format!(" {:>6}{sign}", signed(f64::from(score), 3)), if best == Some(r) { Role::Good } else { Role::Dim }));
        put(buf, area, 0, r as u16 + 1, Line::from(spans));
    }
}

/// The least and the greatest similarity on the strip.
fn range(view: &EcgView) -> (f32, f32) {
    let finite = || view.rows.iter().flat_map(|r| &r.scores).copied().filter(|s| s.is_finite());
    (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max))
}

/// The row of the most similar task at a token.
fn best_at(view: &EcgView, at: usize) -> Option<usize> {
    let score = |r: &usize| view.rows[*r].scores.get(at).copied().unwrap_or(f32::NEG_INFINITY);
    (0..view.rows.len()).rev().max_by(|a, b| score(a).total_cmp(&score(b)))
}

fn figures(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &EcgView, cursor: usize) {
    let layers = &view.request.view.layers;
    let (low, high) = range(view);
    let [low, high] = [low, high].map(|v| signed(f64::from(v), 3));
    let scale = format!("{} · layers {}..{} · 0 is {low}, 9 is {high}", metric_name(view.request.view.metric), layers.start, layers.end);
    put(buf, area, 0, area.height.saturating_sub(2), Line::from(paint.span(fit(&scale, usize::from(area.width)), Role::Dim)));
    let mut about = format!("token {} of {}", cursor + 1, view.tokens.len());
    let mut scores: Vec<(&str, f32)> = view.rows.iter().filter_map(|r| Some((r.task.as_str(), *r.scores.get(cursor)?))).collect();
    scores.sort_by(|a, b| b.1.total_cmp(&a.1));
    if let [first, second, ..] = scores[..] {
        about = format!("{about} · {} before {} by {}", first.0, second.0, signed(f64::from(first.1 - second.1), 3));
    }
    if cursor >= view.ranked {
        about.push_str(" · not in the ranking: the unfinished line");
    }
    put(buf, area, 0, area.height.saturating_sub(1), Line::from(paint.span(fit(&about, usize::from(area.width)), Role::Text)));
}
