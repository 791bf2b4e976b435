//! The report of an experiment: verdicts with a picture, a table, or the whole report as text.

use super::{effect, list, picture, sign};
use crate::app::Focus;
use crate::app::experiments::{Stand, View};
use crate::app::screen::Target;
use crate::engine::JobKind;
use crate::experiment::{ALL, Report};
use crate::ui::paint::{Paint, fit, pad, put, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

/// Draws the pane.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let tab = &paint.state.experiments;
    let focused = paint.state.focus() == Focus::Result && paint.state.overlay.is_none();
    let stand = tab.stand(tab.selected);
    let entry = &tab.entries[tab.selected];
    let about = match stand {
        Stand::Running | Stand::Stopped if entry.partial.is_some() => "so far".to_owned(),
        _ if entry.loaded => tab.results.as_ref().map_or(String::new(), |dir| format!("from {}", dir.display())),
        _ => String::new(),
    };
    let about = if about.is_empty() { Vec::new() } else { vec![paint.span(about, Role::Dim)] };
    paint.hit(area, Target::Pane(Focus::Result));
    let inner = paint.panel(buf, area, ALL[tab.selected].name, about, focused);
    let mut top = 0;
    for text in wrap(ALL[tab.selected].question, usize::from(inner.width)).into_iter().take(2) {
        put(buf, inner, 0, top, Line::from(paint.span(text, Role::Strong)));
        top += 1;
    }
    if stand == Stand::Running {
        put(buf, inner, 0, top, progress(paint, inner.width));
        top += 1;
    }
    if let Some(why) = &entry.failed {
        for text in wrap(why, usize::from(inner.width)).into_iter().take(3) {
            put(buf, inner, 0, top, Line::from(paint.span(text, Role::Bad)));
            top += 1;
        }
    }
    let rest = below(inner, top + u16::from(paint.size.boxed()));
    let Some(report) = tab.shown() else { return nothing_yet(paint, rest, buf, stand) };
    match tab.view {
        View::Picture => {
            let used = findings(paint, rest, buf, report, entry.partial.is_none());
            picture::draw(paint, below(rest, used + u16::from(used > 0 && paint.size.boxed())), buf, report, focused);
        }
        View::Table => table(paint, rest, buf, report),
        View::Text => text(paint, rest, buf, report, entry.partial.is_none()),
    }
}

/// The part of an area below its first rows.
pub fn below(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect::new(area.x, area.y + rows, area.width, area.height - rows)
}

fn progress<'a>(paint: &Paint<'a>, width: u16) -> Line<'a> {
    let running = paint.state.jobs.running(JobKind::Experiment);
    let share = running.filter(|r| r.total > 0).map_or(0.0, |r| r.done as f64 / r.total as f64);
    let mut spans = paint.bar(share, (width / 3).clamp(6, 40), Role::Bar);
    spans.push(paint.span(format!(" {}", list::running(running, true)), Role::Stale));
    Line::from(spans)
}

fn nothing_yet(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, stand: Stand) {
    let text = match stand {
        Stand::Running => "The first figures are on their way.",
        Stand::Waiting => "Waiting for its turn.",
        Stand::Failed => "There is no report.",
        _ if paint.state.model.is_none() => "Loading the model …",
        _ => "Not measured yet; enter measures it, a measures all.",
    };
    paint.centred(buf, area, &[(text.into(), Role::Dim)]);
}

/// Claim and verdict line of as many findings as fit into a third of the area; returns the number
/// of rows used. A partial report has no verdicts yet.
fn findings(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, report: &Report, whole: bool) -> u16 {
    let wide = area.width >= 100;
    let each = if wide { 1 } else { 2 };
    let most = usize::from(area.height) / 3 / each;
    let all = report.findings.len();
    let shown = if all <= most { all } else { most.saturating_sub(1) };
    for (i, finding) in report.findings.iter().take(shown).enumerate() {
        let (mark, role) = if whole { sign(finding.verdict) } else { ("·", Role::Dim) };
        let row = (i * each) as u16;
        let verdict = if whole { finding.verdict.to_string() } else { "so far".into() };
        let verdict = format!("{verdict} {}", effect(finding));
        if wide {
            let line =
                Line::from(vec![paint.span(format!("{mark} {}", pad(&verdict, 46)), role), paint.span(finding.claim.as_str(), Role::Text)]);
            put(buf, area, 0, row, line);
        } else {
            put(
                buf,
                area,
                0,
                row,
                Line::from(vec![
                    paint.span(format!("{mark} "), role),
                    paint.span(fit(&finding.claim, usize::from(area.width).saturating_sub(2)), Role::Text),
                ]),
            );
            put(buf, area, 2, row + 1, Line::from(paint.span(verdict, role)));
        }
    }
    let mut rows = (shown * each) as u16;
    if shown < all {
        put(buf, area, 0, rows, Line::from(paint.span(format!("{} more findings; v shows them all", all - shown), Role::Dim)));
        rows += 1;
    }
    rows
}

/// Draws the selected table.
pub fn table(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, report: &Report) {
    let tab = &paint.state.experiments;
    let Some(table) = report.tables.get(tab.table.min(report.tables.len().saturating_sub(1))) else {
        return paint.centred(buf, area, &[("No table yet.".into(), Role::Dim)]);
    };
    picture::heading(paint, area, buf, &table.name, tab.table, report.tables.len());
    let width = |c: usize| table.rows.iter().filter_map(|r| r.get(c)).chain([&table.columns[c]]).map(|v| v.width()).max().unwrap_or(0);
    let numeric = |c: usize| table.rows.iter().all(|r| r.get(c).is_some_and(|v| v.parse::<f64>().is_ok()));
    // The first column shrinks if not all of them fit.
    let mut widths: Vec<usize> = (0..table.columns.len()).map(width).collect();
    let surplus = (widths.iter().sum::<usize>() + widths.len() * 2).saturating_sub(usize::from(area.width) + 2);
    if let Some(name) = widths.first_mut() {
        *name = name.saturating_sub(surplus).max(8);
    }
    let right: Vec<bool> = (0..table.columns.len()).map(numeric).collect();
    let line = |cells: &[String]| {
        let cell = |(c, text): (usize, &String)| {
            let text = fit(text, widths[c]);
            let space = " ".repeat(widths[c].saturating_sub(text.width()));
            if right[c] { space + &text } else { text + &space }
        };
        cells.iter().enumerate().map(cell).collect::<Vec<_>>().join("  ")
    };
    put(buf, area, 0, 1, Line::from(paint.span(line(&table.columns), Role::Dim)));
    let list = below(area, 2);
    let first = tab.scroll.min(table.rows.len().saturating_sub(usize::from(list.height)));
    for (row, cells) in table.rows.iter().skip(first).take(usize::from(list.height)).enumerate() {
        put(buf, list, 0, row as u16, Line::from(paint.span(line(cells), Role::Text)));
    }
}

/// The report as text; a partial report has no verdicts yet.
fn text(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, report: &Report, whole: bool) {
    let markdown = report.markdown();
    // Tables and pictures have views of their own.
    let lines = markdown.lines().skip(4).filter(|l| !l.starts_with('|') && !l.starts_with("## ") && !l.starts_with("!["));
    let wrapped: Vec<String> =
        lines.flat_map(|l| if l.is_empty() { vec![String::new()] } else { wrap(l, usize::from(area.width)) }).collect();
    let mut rows: Vec<String> = wrapped;
    if !whole {
        rows.insert(0, "So far, over fewer questions: nothing is decided yet.".into());
    }
    rows.dedup_by(|a, b| a.is_empty() && b.is_empty());
    let first = paint.state.experiments.scroll.min(rows.len().saturating_sub(usize::from(area.height)));
    for (row, line) in rows.into_iter().skip(first).take(usize::from(area.height)).enumerate() {
        put(buf, area, 0, row as u16, Line::from(paint.span(line, Role::Text)));
    }
}
