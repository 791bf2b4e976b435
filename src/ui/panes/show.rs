//! The banner above the last line: chapter and note of a session being played and, for an audience,
//! the last keys pressed.

use super::footer::key_text;
use crate::app::session::What;
use crate::app::show::{Phase, Show};
use crate::ui::paint::{Paint, fit, put, put_right, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Maximum number of keys shown.
const KEYS: usize = 10;

/// The lines of the banner; none without a show or an audience.
pub fn lines<'a>(paint: &Paint<'a>, width: u16) -> Vec<(Line<'a>, Line<'a>)> {
    let state = paint.state;
    if let Some(resume) = &state.resume {
        let text = format!(" Resuming the sitting: {} of {} keys left", resume.inputs.len(), resume.total);
        let way = Line::from(vec![paint.span("esc", Role::Key), paint.span(" stops ", Role::Dim)]);
        return vec![(Line::from(paint.span(text, Role::Stale)), way)];
    }
    let Some(show) = &state.show else {
        return if state.present { vec![(Line::default(), keys(paint))] } else { Vec::new() };
    };
    let told = show.told();
    let note = told.map_or("", |step| show.session.step[step].note.as_str());
    let number = told.map_or_else(String::new, |step| format!(" {}/{} ", step + 1, show.session.step.len()));
    let chapter = told.map(|step| show.chapter(step)).filter(|c| !c.is_empty()).unwrap_or(&show.session.title);
    let status = status(paint, show);
    let room = usize::from(width).saturating_sub(status.width() + number.width() + 2);
    let head = Line::from(vec![
        paint.span(number, Role::Dim),
        paint.span(if told.is_none() { " " } else { "" }, Role::Dim),
        paint.span(fit(chapter, room), Role::Focus),
    ]);
    let mut lines = vec![(head, status)];
    let echo = if state.present { keys(paint) } else { Line::default() };
    let room = usize::from(width).saturating_sub(echo.width() + 3);
    for (i, text) in wrap(note, room).into_iter().take(2).enumerate() {
        lines.push((Line::from(paint.span(format!(" {text}"), Role::Strong)), if i == 0 { echo.clone() } else { Line::default() }));
    }
    if lines.len() == 1 && state.present {
        lines.push((Line::default(), echo));
    }
    if let Some(broken) = show.broken.last() {
        lines.push((
            Line::from(paint.span(fit(&format!(" NO: {broken}"), usize::from(width).saturating_sub(1)), Role::Bad)),
            Line::default(),
        ));
    }
    lines
}

/// The phase of the show and the keys that continue it.
fn status<'a>(paint: &Paint<'a>, show: &Show) -> Line<'a> {
    let next = show.session.step.get(show.step).map_or("", |s| s.chapter.as_str());
    let (word, more) = match show.phase {
        Phase::Waiting if next.is_empty() => ("space", " begins".into()),
        Phase::Waiting if show.step == 0 => ("space", format!(" begins: {}", fit(next, 30))),
        Phase::Waiting => ("space", format!(" next: {}", fit(next, 30))),
        Phase::Typing => ("", format!("typing, {:.0} keys/s", show.speed)),
        Phase::Settling => ("", "working …".into()),
        Phase::Over => ("space", " ends".into()),
    };
    let checked =
        if show.held + show.broken.len() == 0 { String::new() } else { format!("{} held, {} broken · ", show.held, show.broken.len()) };
    let role = if show.broken.is_empty() { Role::Good } else { Role::Bad };
    Line::from(vec![paint.span(checked, role), paint.span(word, Role::Key), paint.span(format!("{more} "), Role::Dim)])
}

/// The last keys pressed, the newest at the end.
fn keys<'a>(paint: &Paint<'a>) -> Line<'a> {
    let log = &paint.state.session.log;
    let mut spans = Vec::new();
    for mark in &log[log.len().saturating_sub(KEYS)..] {
        let text = match &mark.what {
            What::Key(key, None) if key.typed().is_some_and(|c| c != ' ') => key.to_string(),
            What::Key(key, _) => format!(" {} ", key_text(&key.to_string())),
            What::Paste(_) => " paste ".into(),
            What::Snapshots(_) | What::Chapter(_) | What::Note(_) => continue,
        };
        spans.push(paint.span(text, Role::Key));
    }
    if spans.is_empty() {
        return Line::default();
    }
    spans.insert(0, paint.span("keys ", Role::Dim));
    spans.push(Span::raw(" "));
    Line::from(spans)
}

/// Draws the banner.
pub fn draw(area: Rect, buf: &mut Buffer, lines: Vec<(Line<'_>, Line<'_>)>) {
    for (row, (left, right)) in lines.into_iter().enumerate() {
        put(buf, area, 0, row as u16, left);
        put_right(buf, area, row as u16, right);
    }
}
