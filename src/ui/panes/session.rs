//! The session: the log of this sitting, and the earlier sittings.

use crate::app::Focus;
use crate::app::screen::Target;
use crate::app::session::{self, Row};
use crate::ui::layout;
use crate::ui::paint::{Paint, duration, fit, pad, put, scroll, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Draws the tab.
pub fn draw(paint: &Paint<'_>, body: Rect, buf: &mut Buffer) {
    let (journal, sittings) = layout::left(body, body.width * 64 / 100, u16::from(!paint.size.boxed()));
    draw_journal(paint, journal, buf);
    draw_sittings(paint, sittings, buf);
}

fn draw_journal(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let state = paint.state;
    let focused = state.focus() == Focus::Journal && state.overlay.is_none();
    let rows = session::rows(state);
    let chapters = rows.iter().filter(|r| r.kind == "chapter").count();
    let count = |n: usize, one: &str, more: &str| format!("{n} {}", if n == 1 { one } else { more });
    let text = format!("{} · {}", count(chapters, "chapter", "chapters"), count(rows.len(), "entry", "entries"));
    let right = vec![paint.span(text, Role::Dim)];
    paint.hit(area, Target::Pane(Focus::Journal));
    let inner = paint.panel(buf, area, "Journal", right, focused);
    let (list, foot) = (Rect { height: inner.height.saturating_sub(1), ..inner }, inner.height.saturating_sub(1));
    if rows.is_empty() {
        paint.centred(buf, list, &[("Nothing has been done in the lab yet.".into(), Role::Dim)]);
    }
    let first = scroll(state.session.selected, rows.len(), usize::from(list.height));
    for (line, (i, row)) in rows.iter().enumerate().skip(first).take(usize::from(list.height)).enumerate() {
        let selected = i == state.session.selected;
        let pointer = paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim });
        put(
            buf,
            list,
            0,
            line as u16,
            Line::from(std::iter::once(pointer).chain(entry(paint, row, usize::from(list.width))).collect::<Vec<_>>()),
        );
        paint.hit_row(list, line as u16, Target::Row(Focus::Journal, i));
        if selected {
            paint.select(buf, list, line as u16, focused);
        }
    }
    let kept = match &state.session.journal {
        Some(path) => format!("kept in {path}"),
        None => "not kept on disk".into(),
    };
    put(buf, inner, 1, foot, Line::from(paint.span(tail(&kept, usize::from(inner.width).saturating_sub(1)), Role::Dim)));
}

/// A text cut at its front, because a path's end says the most.
fn tail(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let end: String = text.chars().rev().take(width.saturating_sub(1)).collect();
    std::iter::once('…').chain(end.chars().rev()).collect()
}

fn entry<'a>(paint: &Paint<'a>, row: &Row, width: usize) -> Vec<Span<'a>> {
    let time = paint.span(format!("{:>7} ", duration(row.clock as f64 / 1000.0)), Role::Dim);
    let rest = width.saturating_sub(9);
    match row.kind {
        "chapter" => vec![time, paint.span(fit(&format!("## {}", row.text), rest), Role::Title)],
        "note" => vec![time, paint.span(fit(&format!("-- {}", row.text), rest), Role::Text)],
        kind => {
            let kind_width = (rest / 4).clamp(8, 20);
            let text_width = (rest.saturating_sub(kind_width) * 2 / 5).max(6);
            let led_width = rest.saturating_sub(kind_width + text_width + 4);
            let arrow = if row.led.is_empty() { "   " } else { " → " };
            vec![
                time,
                paint.span(pad(kind, kind_width), Role::Dim),
                Span::raw(" "),
                paint.span(pad(&row.text, text_width), Role::Key),
                paint.span(arrow, Role::Border),
                paint.span(fit(&row.led, led_width), Role::Text),
            ]
        }
    }
}

fn draw_sittings(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let state = paint.state;
    let focused = state.focus() == Focus::Sittings && state.overlay.is_none();
    let sittings = state.session.sittings.as_deref();
    let count = sittings.map(|s| paint.span(format!("{} kept", s.len()), Role::Dim)).into_iter().collect();
    paint.hit(area, Target::Pane(Focus::Sittings));
    let inner = paint.panel(buf, area, "Earlier sittings", count, focused);
    let Some(sittings) = sittings else {
        return paint.centred(buf, inner, &[("Looking them up …".into(), Role::Dim)]);
    };
    if sittings.is_empty() {
        return paint.centred(buf, inner, &[("There is none yet.".into(), Role::Dim)]);
    }
    let detail = 4.min(inner.height / 2);
    let list = Rect { height: inner.height - detail, ..inner };
    let width = usize::from(list.width);
    let first = scroll(state.session.sitting, sittings.len(), usize::from(list.height));
    for (line, (i, sitting)) in sittings.iter().enumerate().skip(first).take(usize::from(list.height)).enumerate() {
        let selected = i == state.session.sitting;
        let spans = vec![
            paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(format!("{} ", sitting.started), Role::Text),
            paint.span(fit(&sitting.words, width.saturating_sub(sitting.started.width() + 2)), Role::Dim),
        ];
        put(buf, list, 0, line as u16, Line::from(spans));
        paint.hit_row(list, line as u16, Target::Row(Focus::Sittings, i));
        if selected {
            paint.select(buf, list, line as u16, focused);
        }
    }
    if let Some(sitting) = session::sitting(state) {
        let facts = format!("{} · {} keys · {}", sitting.model, sitting.inputs, sitting.words);
        for (i, text) in wrap(&facts, width.saturating_sub(1)).into_iter().take(usize::from(detail.saturating_sub(1))).enumerate() {
            put(buf, inner, 1, list.height + 1 + i as u16, Line::from(paint.span(text, Role::Dim)));
        }
    }
}
