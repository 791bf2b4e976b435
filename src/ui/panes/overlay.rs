//! Help, palette, prompts and forms, drawn above the tab.

use super::footer::key_text;
use super::{guide, instrument, query};
use crate::app::command::{self, Command, Place};
use crate::app::library;
use crate::app::line::Line as Input;
use crate::app::overlay::{Overlay, PromptKind, matches, question};
use crate::app::screen::Target;
use crate::ui::paint::{Paint, bytes, fit, pad, put, put_right, scroll, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws what is open, if anything is.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if paint.state.overlay.is_some() {
        paint.hit(area, Target::Overlay);
    }
    match &paint.state.overlay {
        None => {}
        Some(Overlay::Help { filter, scroll }) => help(paint, area, buf, filter, *scroll),
        Some(Overlay::Guide(reading)) => guide::draw(paint, area, buf, *reading),
        Some(Overlay::Palette { input, selected }) => palette(paint, area, buf, input, *selected),
        Some(Overlay::Prompt { kind, input, error }) => {
            let question = question(paint.state, kind);
            let width = (question.chars().count() as u16 + 8).max(56);
            let inner = window(paint, area, buf, (width, 6), &question, "enter takes it, esc leaves it");
            put(buf, inner, 0, 1, Line::from(paint.span("› ", Role::Key)));
            paint.field(buf, inner, 2, 1, input, true);
            if let Some(error) = error {
                for (i, line) in wrap(error, usize::from(inner.width)).into_iter().take(2).enumerate() {
                    put(buf, inner, 0, 2 + i as u16, Line::from(paint.span(line, Role::Bad)));
                }
            } else if *kind == PromptKind::TaskSkill {
                let names = library::candidates(paint.state, input.text()).join(" ");
                for (i, line) in wrap(&names, usize::from(inner.width)).into_iter().take(2).enumerate() {
                    put(buf, inner, 0, 2 + i as u16, Line::from(paint.span(line, Role::Dim)));
                }
            }
        }
        Some(Overlay::Instrument(panel)) => instrument::draw(paint, area, buf, panel),
        Some(Overlay::AddSkill { name, text, on_text, error }) => {
            let inner = window(paint, area, buf, (90, 22), "Add a skill from text", "tab switches, ctrl-s reads it, esc leaves");
            let label = |on: bool, name: &'static str| {
                Line::from(paint.span(if on { format!("▸{name}") } else { format!(" {name}") }, if on { Role::Focus } else { Role::Dim }))
            };
            put(buf, inner, 0, 0, label(!on_text, "name"));
            paint.field(buf, inner, 7, 0, name, !on_text);
            put(buf, inner, 0, 2, label(*on_text, "text"));
            let body = Rect::new(
                inner.x + 7.min(inner.width),
                inner.y + 2.min(inner.height),
                inner.width.saturating_sub(7),
                inner.height.saturating_sub(4),
            );
            query::editor(paint, body, buf, text, *on_text);
            if let Some(error) = error {
                put(buf, inner, 0, inner.height.saturating_sub(1), Line::from(paint.span(error.as_str(), Role::Bad)));
            }
        }
    }
}

/// A cleared box in the middle of the screen; returns its inside.
pub fn window(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, wanted: (u16, u16), title: &str, hint: &str) -> Rect {
    let width = wanted.0.min(area.width.saturating_sub(2));
    let height = wanted.1.min(area.height.saturating_sub(2));
    let rect = Rect::new(area.x + (area.width - width) / 2, area.y + (area.height - height) / 3, width, height);
    for position in rect.intersection(buf.area).positions() {
        if let Some(cell) = buf.cell_mut(position) {
            cell.reset();
        }
    }
    // A window has its box at every size: it must stand out from what it covers.
    let boxed = Paint { size: crate::ui::layout::Size::Wide, ..*paint };
    let inner = boxed.panel(buf, rect, &fit(title, usize::from(width).saturating_sub(8)), Vec::new(), true);
    let bottom = Rect::new(rect.x, rect.y + rect.height.saturating_sub(1), rect.width.saturating_sub(2), 1);
    put_right(buf, bottom, 0, Line::from(paint.span(format!(" {hint} "), Role::Dim)));
    inner
}

fn keys(paint: &Paint<'_>, command: &Command) -> String {
    let keys = paint.state.keymap.keys(command);
    keys.iter().map(|k| key_text(&k.to_string())).collect::<Vec<_>>().join(" ")
}

/// Whether a command belongs to a section of the help.
type Belongs<'f> = &'f dyn Fn(&&Command) -> bool;

fn help(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, filter: &Input, scrolled: usize) {
    let state = paint.state;
    let focus = state.focus();
    // What the lab costs the line is a fact about the screen, and this is the page about the
    // screen.
    let written = state.screen;
    let cost = if written.frames > 0 { format!("{} in {} frames · ", bytes(written.bytes), written.frames) } else { String::new() };
    let hint = format!("{cost}tab the guide, type to search, ↑↓ scroll, esc leaves");
    let inner = window(paint, area, buf, (96, area.height.saturating_sub(4)), &format!("Keys · {}", focus.name()), &hint);
    put(buf, inner, 0, 0, Line::from(paint.span("search ", Role::Dim)));
    paint.field(buf, inner, 7, 0, filter, true);
    let words = filter.text().to_lowercase();
    let fits =
        |c: &&Command| words.split_whitespace().all(|w| format!("{} {} {}", c.name, c.doc, keys(paint, c)).to_lowercase().contains(w));
    let here = |c: &&Command| c.place.is_at(focus);
    let general = |c: &&Command| matches!(c.place, Place::Everywhere | Place::General);
    let elsewhere = |c: &&Command| !here(c) && !general(c);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let sections: [(String, Belongs<'_>); 3] =
        [(format!("In {}", focus.name()), &here), ("Everywhere".into(), &general), ("In other panes".into(), &elsewhere)];
    let key_width = 18;
    let name_width = if inner.width >= 84 { 30 } else { 24 };
    for (title, belongs) in sections {
        let rows: Vec<&Command> = command::all().filter(belongs).filter(fits).filter(|c| !keys(paint, c).is_empty()).collect();
        if rows.is_empty() {
            continue;
        }
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::from(paint.span(title, Role::Title)));
        for command in rows {
            let doc_width = usize::from(inner.width).saturating_sub(key_width + name_width + 2);
            let mut docs = wrap(command.doc, doc_width).into_iter();
            lines.push(Line::from(vec![
                paint.span(pad(&keys(paint, command), key_width), Role::Key),
                Span::raw(" "),
                paint.span(pad(command.name, name_width), Role::Text),
                Span::raw(" "),
                paint.span(docs.next().unwrap_or_default(), Role::Dim),
            ]));
            for more in docs {
                lines.push(Line::from(vec![Span::raw(" ".repeat(key_width + name_width + 2)), paint.span(more, Role::Dim)]));
            }
        }
    }
    let list = Rect::new(inner.x, inner.y + 2.min(inner.height), inner.width, inner.height.saturating_sub(2));
    let height = usize::from(list.height);
    let first = scrolled.min(lines.len().saturating_sub(height));
    let more = lines.len() > first + height;
    for (row, line) in lines.into_iter().skip(first).take(height).enumerate() {
        put(buf, list, 0, row as u16, line);
    }
    if more {
        put_right(buf, inner, 0, Line::from(paint.span("↓ more", Role::Dim)));
    }
}

fn palette(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, input: &Input, selected: usize) {
    let inner = window(paint, area, buf, (84, 20), "Commands", "enter runs it, esc leaves");
    put(buf, inner, 0, 0, Line::from(paint.span("› ", Role::Key)));
    paint.field(buf, inner, 2, 0, input, true);
    let found = matches(paint.state, input.text());
    let list = Rect::new(inner.x, inner.y + 2.min(inner.height), inner.width, inner.height.saturating_sub(3));
    let first = scroll(selected, found.len(), usize::from(list.height));
    for (row, (i, command)) in found.iter().enumerate().skip(first).take(usize::from(list.height)).enumerate() {
        let possible = (command.available)(paint.state);
        let line = Line::from(vec![
            paint.span(if i == selected { "▸" } else { " " }, Role::Focus),
            paint.span(pad(command.name, usize::from(list.width).saturating_sub(20)), if possible { Role::Text } else { Role::Border }),
            paint.span(format!("{:>18}", fit(&keys(paint, command), 18)), if possible { Role::Key } else { Role::Border }),
        ]);
        put(buf, list, 0, row as u16, line);
        if i == selected {
            paint.select(buf, list, row as u16, true);
        }
    }
    let doc = found.get(selected).map_or("No command has these words.", |c| c.doc);
    put(
        buf,
        inner,
        1,
        inner.height.saturating_sub(1),
        Line::from(paint.span(fit(doc, usize::from(inner.width).saturating_sub(1)), Role::Dim)),
    );
}
