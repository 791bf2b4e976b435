//! The library: the list with its filter, and the provenance and figures of one skill.

use super::instrument::autopsy_foot;
use crate::app::library::SkillHealth;
use crate::app::screen::Target;
use crate::app::{Focus, library};
use crate::engine::JobKind;
use crate::lab::{LibraryView, SkillReport};
use crate::library::{SkillMeta, SkillOrigin};
use crate::ui::glyphs;
use crate::ui::layout::{self, Size};
use crate::ui::paint::{Paint, bytes, fit, pad, put, scroll, visible, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the tab.
pub fn draw(paint: &Paint<'_>, body: Rect, buf: &mut Buffer) {
    let share = match paint.size {
        Size::Wide => 55,
        Size::Medium => 52,
        _ => 50,
    };
    let (list, report) = layout::left(body, body.width * share / 100, u16::from(!paint.size.boxed()));
    draw_list(paint, list, buf);
    draw_report(paint, report, buf);
}

fn draw_list(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    paint.hit(area, Target::Pane(Focus::Skills));
    let state = paint.state;
    let focused = matches!(state.focus(), Focus::Skills | Focus::Filter) && state.overlay.is_none();
    let rows = library::visible(state);
    let count = match &state.library {
        Some(l) if rows.len() < l.skills.len() => format!("{} of {} skills", rows.len(), l.skills.len()),
        Some(l) => format!("{} skills · {}", l.skills.len(), bytes(l.bytes)),
        None => String::new(),
    };
    let bad = library::bad(state);
    let mut right = vec![paint.span(format!("{count} · {}", state.shelf.sort.name()), Role::Dim)];
    if let Some(bad) = bad.filter(|bad| *bad > 0) {
        right.insert(0, paint.span(format!("{bad} bad · "), Role::Bad));
    }
    let inner = paint.panel(buf, area, "Library", right, focused);
    paint.hit_row(inner, 0, Target::Pane(Focus::Filter));
    let typing = state.focus() == Focus::Filter && state.overlay.is_none();
    put(
        buf,
        inner,
        0,
        0,
        Line::from(paint.span(if typing { "▸filter " } else { " filter " }, if typing { Role::Focus } else { Role::Dim })),
    );
    if state.shelf.filter.text().is_empty() && !typing {
        put(buf, inner, 8, 0, Line::from(paint.span("none (/ sets one)", Role::Border)));
    } else {
        paint.field(buf, inner, 8, 0, &state.shelf.filter, typing);
    }
    let Some(view) = &state.library else {
        return paint.centred(buf, inner, &[("Opening the library …".into(), Role::Dim)]);
    };
    let gap = u16::from(paint.size.boxed());
    let list = Rect::new(inner.x, inner.y + (1 + gap).min(inner.height), inner.width, inner.height.saturating_sub(1 + gap));
    if rows.is_empty() {
        let text = if view.skills.is_empty() { "No skills yet." } else { "No skill passes the filter." };
        return paint.centred(buf, list, &[(text.into(), Role::Dim)]);
    }
    let width = usize::from(list.width);
    let family_width = if width >= 60 { 18 } else { 12 };
    let tokens = width >= 52;
    let tags_width = if width >= 76 { 18 } else { 0 };
    let health_width = if bad.is_some() { 4 } else { 0 };
    let name_width = width.saturating_sub(health_width + 1 + family_width + 1 + if tokens { 7 } else { 0 } + tags_width + 2);
    let first = scroll(state.shelf.selected, rows.len(), usize::from(list.height));
    for (line, (i, row)) in rows.iter().enumerate().skip(first).take(usize::from(list.height)).enumerate() {
        let Some(skill) = view.skills.get(*row) else { continue };
        let selected = i == state.shelf.selected;
        let in_soup = state.lab.bench.soup.ingredients.iter().any(|x| x.skill == skill.id);
        let mut spans = vec![
            paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(pad(&skill.id, name_width), Role::Text),
            Span::raw(" "),
            health_mark(paint, library::health(state, *row), health_width),
            paint.span(pad(&family(view, skill), family_width), Role::Dim),
        ];
        if tokens {
            spans.push(paint.span(format!("{:>6} ", skill.tokens), Role::Dim));
        }
        if tags_width > 0 {
            spans.push(paint.span(pad(&skill.tags.join(" "), tags_width), Role::Key));
        } else if !skill.tags.is_empty() {
            spans.push(paint.span("#", Role::Key));
        }
        spans.push(paint.span(if in_soup { "●" } else { " " }, Role::Mark));
        put(buf, list, 0, line as u16, Line::from(spans));
        paint.hit_row(list, line as u16, Target::Row(Focus::Skills, i));
        if selected {
            paint.select(buf, list, line as u16, focused);
        }
    }
}

/// A skill's family, with `unseen` before it if the model was never trained on the task.
fn family(view: &LibraryView, skill: &SkillMeta) -> String {
    if view.is_unseen(&skill.task) { format!("unseen {}", skill.family) } else { skill.family.clone() }
}

/// One word about the result of a check; empty if there was no check.
fn health_mark<'a>(paint: &Paint<'a>, health: SkillHealth<'_>, width: usize) -> Span<'a> {
    let (word, role) = match health {
        SkillHealth::Unchecked => ("", Role::Dim),
        SkillHealth::Whole => ("ok", Role::Dim),
        SkillHealth::Bad(_) => ("bad", Role::Bad),
    };
    paint.span(pad(word, width), role)
}

fn draw_report(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let Some(skill) = library::selected(paint.state) else {
        paint.panel(buf, area, "Skill", Vec::new(), false);
        return;
    };
    let inner = paint.panel(buf, area, &fit(&skill.id, usize::from(area.width).saturating_sub(8)), Vec::new(), false);
    let report = paint.state.shelf.report.as_ref().filter(|r| r.meta.id == skill.id);
    let mut lines = provenance(paint, skill, usize::from(inner.width));
    lines.extend(health(paint, usize::from(inner.width)));
    match report {
        Some(report) => lines.extend(figures(paint, report, usize::from(inner.width))),
        None => lines.extend([Line::default(), Line::from(paint.span("reading …", Role::Dim))]),
    }
    for (row, line) in lines.into_iter().take(usize::from(inner.height)).enumerate() {
        put(buf, inner, 0, row as u16, line);
    }
}

fn provenance<'a>(paint: &Paint<'a>, skill: &'a SkillMeta, width: usize) -> Vec<Line<'a>> {
    let mut facts: Vec<(&str, String)> = vec![("task", skill.task.clone()), ("family", skill.family.clone())];
    match &skill.origin {
        SkillOrigin::Examples { set, shots, seed, template, text_hash } => {
            facts.push(("examples", format!("{shots}, set {set} of seed {seed}")));
            facts.push(("template", visible(template)));
            facts.push(("tokens", skill.tokens.to_string()));
            facts.push(("text", format!("blake3 {}", text_hash.chars().take(16).collect::<String>())));
        }
        SkillOrigin::Drawn { shots, seed, template, text_hash } => {
            facts.push(("examples", format!("{shots}, drawn with seed {seed}")));
            facts.push(("template", visible(template)));
            facts.push(("tokens", skill.tokens.to_string()));
            facts.push(("text", format!("blake3 {}", text_hash.chars().take(16).collect::<String>())));
        }
        SkillOrigin::Text { text } => {
            facts.push(("origin", format!("typed text, {} characters", text.chars().count())));
            facts.push(("tokens", skill.tokens.to_string()));
        }
    }
    if let Some(model) = &paint.state.model {
        let print: String = model.fingerprint.chars().take(16).collect();
        facts.push(("model", format!("{} {print}", model.name)));
    }
    facts.push(("made", skill.created.clone()));
    facts.push(("tags", if skill.tags.is_empty() { "–".into() } else { skill.tags.join(" ") }));
    let line = |(name, value): (&'a str, String)| {
        Line::from(vec![paint.span(pad(name, 10), Role::Dim), paint.span(fit(&value, width.saturating_sub(10)), Role::Text)])
    };
    facts.into_iter().map(line).collect()
}

/// The selected skill's file and its health.
fn health<'a>(paint: &Paint<'a>, width: usize) -> Vec<Line<'a>> {
    let state = paint.state;
    let Some(row) = library::visible(state).get(state.shelf.selected).copied() else { return Vec::new() };
    let (mut text, role) = match library::health(state, row) {
        SkillHealth::Unchecked => ("not checked; v checks every file".into(), Role::Dim),
        SkillHealth::Whole => ("ok: every byte is as it was written".into(), Role::Good),
        SkillHealth::Bad(what) => (format!("bad: {what}. b reads it again."), Role::Bad),
    };
    if state.jobs.is_running(JobKind::Check) {
        text = "being checked; esc stops that".into();
    }
    let file = state.library.as_ref().and_then(|l| l.files.get(row)).cloned().unwrap_or_default();
    let room = width.saturating_sub(10).max(1);
    let mut lines = vec![Line::from(vec![paint.span(pad("file", 10), Role::Dim), paint.span(fit(&file, room), Role::Text)])];
    for (i, piece) in wrap(&text, room).into_iter().enumerate() {
        lines.push(Line::from(vec![paint.span(pad(if i == 0 { "health" } else { "" }, 10), Role::Dim), paint.span(piece, role)]));
    }
    lines
}

fn figures<'a>(paint: &Paint<'a>, report: &'a SkillReport, width: usize) -> Vec<Line<'a>> {
    let mut lines = vec![Line::default()];
    let own = &report.figures;
    let strips: [(&str, &[f32], &str); 4] = [
        ("norm", &own.norm, ""),
        ("half-life", &own.half_life, " tokens"),
        ("eff. rank", &own.effective_rank, ""),
        ("drift", &own.drift, " spreads"),
    ];
    for (name, values, unit) in strips {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        let (low, high) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
        let room = width.saturating_sub(10).max(1);
        let strip = glyphs::sparkline(paint.set, &values[..values.len().min(room)]);
        let mut line = vec![paint.span(pad(name, 10), Role::Dim), paint.span(strip, Role::Bar)];
        // The figures stand beside the strip if they fit, else below it.
        let text = if low.is_finite() { format!("{low:.1} to {high:.1}{unit}") } else { String::new() };
        let beside = values.len() + 2 + text.chars().count() <= room;
        if beside {
            line.push(paint.span(format!("  {text}"), Role::Dim));
        }
        lines.push(Line::from(line));
        if !beside && !text.is_empty() {
            lines.push(Line::from(vec![Span::raw(" ".repeat(10)), paint.span(fit(&text, room), Role::Dim)]));
        }
    }
    let (text, role) = autopsy_foot(own);
    lines.extend(wrap(&text, width).into_iter().map(|piece| Line::from(paint.span(piece, role))));
    lines.push(Line::default());
    for text in &report.preview {
        for piece in wrap(text, width) {
            lines.push(Line::from(paint.span(piece, Role::Text)));
        }
    }
    lines
}
