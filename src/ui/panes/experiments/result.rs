//! What an experiment found: verdicts with a picture, a table, or the whole report as text.

use super::{effect, list, sign};
use crate::app::Focus;
use crate::app::experiments::{Picture, Stand, View, pictures, places};
use crate::engine::JobKind;
use crate::experiment::{ALL, Figure, Report, Table};
use crate::ui::chart::{Chart, Scale};
use crate::ui::layout;
use crate::ui::paint::{Paint, fit, pad, put, scroll, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Draws it.
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
    let inner = paint.panel(buf, area, ALL[tab.selected].name, vec![paint.span(about, Role::Dim)], focused);
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
            let used = findings(paint, rest, buf, report);
            picture(paint, below(rest, used + u16::from(used > 0 && paint.size.boxed())), buf, report, focused);
        }
        View::Table => table(paint, rest, buf, report),
        View::Text => text(paint, rest, buf, report),
    }
}

/// What is left of an area under its first rows.
fn below(area: Rect, rows: u16) -> Rect {
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
        Stand::Waiting => "Its turn comes.",
        Stand::Failed => "There is no report.",
        _ if paint.state.model.is_none() => "Loading the model …",
        _ => "Not measured yet; enter measures it, a measures all.",
    };
    paint.centred(buf, area, &[(text.into(), Role::Dim)]);
}

/// Claim and verdict line of as many findings as a third of the area holds; returns the rows used.
fn findings(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, report: &Report) -> u16 {
    let wide = area.width >= 100;
    let each = if wide { 1 } else { 2 };
    let most = usize::from(area.height) / 3 / each;
    let all = report.findings.len();
    let shown = if all <= most { all } else { most.saturating_sub(1) };
    for (i, finding) in report.findings.iter().take(shown).enumerate() {
        let (mark, role) = sign(finding.verdict);
        let row = (i * each) as u16;
        let verdict = format!("{} {}", finding.verdict, effect(finding));
        if wide {
            let line = Line::from(vec![paint.span(format!("{mark} {}", pad(&verdict, 46)), role), paint.span(finding.claim.as_str(), Role::Text)]);
            put(buf, area, 0, row, line);
        } else {
            put(buf, area, 0, row, Line::from(vec![paint.span(format!("{mark} "), role), paint.span(fit(&finding.claim, usize::from(area.width).saturating_sub(2)), Role::Text)]));
            put(buf, area, 2, row + 1, Line::from(paint.span(verdict, role)));
        }
    }
    let mut rows = (shown * each) as u16;
    if shown < all {
        put(buf, area, 0, rows, Line::from(paint.span(format!("… {} more findings (v shows them all)", all - shown), Role::Dim)));
        rows += 1;
    }
    rows
}

fn picture(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, report: &Report, focused: bool) {
    let tab = &paint.state.experiments;
    let all = pictures(report);
    // A partial report may have fewer pictures than the one before it.
    let Some(shown) = all.get(tab.picture.min(all.len().saturating_sub(1))) else {
        return paint.centred(buf, area, &[("No picture; v shows the tables.".into(), Role::Dim)]);
    };
    let name = match shown {
        Picture::Curves(figure) => figure.name.as_str(),
        Picture::Intervals(table, _) => table.name.as_str(),
    };
    heading(paint, area, buf, name, tab.picture, all.len());
    match shown {
        Picture::Curves(figure) => curves(paint, below(area, 1), buf, figure, focused),
        Picture::Intervals(table, column) => intervals(paint, below(area, 1), buf, table, *column, focused),
    }
}

fn heading(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, name: &str, at: usize, of: usize) {
    let turn = if of > 1 { format!("  {} of {of}, [ ] turns", at.min(of - 1) + 1) } else { String::new() };
    put(buf, area, 0, 0, Line::from(vec![paint.span(name, Role::Title), paint.span(turn, Role::Dim)]));
}

fn curves(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, figure: &Figure, focused: bool) {
    let tab = &paint.state.experiments;
    let at = tab.at.and_then(|i| places(figure).get(i).copied());
    let chart = Chart { axes: &figure.axes, curves: &figure.curves, front: tab.curve, at };
    let (plot, legend) = if area.width >= 84 {
        let (plot, legend) = layout::left(area, area.width - 36, 2);
        (plot, below(legend, 1))
    } else {
        let columns = (area.width / 26).max(1);
        let rows = (figure.curves.len() as u16).div_ceil(columns).min(area.height / 3);
        let (plot, legend) = (Rect { height: area.height - rows, ..area }, below(area, area.height - rows));
        (plot, legend)
    };
    chart.draw(paint, plot, buf);
    chart.legend(paint, legend, buf, focused);
}

/// Rows of a table as values with their intervals on one scale.
fn intervals(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, table: &Table, column: usize, focused: bool) {
    let tab = &paint.state.experiments;
    let number = |row: &[String], c: usize| row.get(c).and_then(|v| v.parse::<f64>().ok()).unwrap_or(f64::NAN);
    let Some(scale) = Scale::of(table.rows.iter().flat_map(|r| [number(r, column + 1), number(r, column + 2)]), 5, true) else { return };
    let label = |row: &[String]| row[..column.min(row.len())].join(" ");
    let widest = table.rows.iter().map(|r| label(r).width()).max().unwrap_or(0);
    let names = widest.min(usize::from(area.width) * 2 / 5);
    let value_width = 9;
    let strip = usize::from(area.width).saturating_sub(names + value_width + 3);
    if strip < 6 {
        return;
    }
    let cell = |v: f64| (scale.share(v) * (strip - 1) as f64).round() as usize;
    let left = (names + 2) as u16;
    // The axis: its ends and what is on it.
    put(buf, area, left, 0, Line::from(paint.span(fit(&table.columns[column], strip), Role::Dim)));
    let list = Rect { height: area.height.saturating_sub(3), ..below(area, 1) };
    let first = scroll(tab.curve, table.rows.len(), usize::from(list.height));
    for (line, (i, row)) in table.rows.iter().enumerate().skip(first).take(usize::from(list.height)).enumerate() {
        let (value, low, high) = (number(row, column), number(row, column + 1), number(row, column + 2));
        let selected = i == tab.curve;
        let mut spans = vec![
            paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(pad(&label(row), names), if selected { Role::Strong } else { Role::Text }),
            Span::raw(" "),
        ];
        if low.is_finite() && high.is_finite() {
            let mut cells: Vec<char> = vec![' '; strip];
            cells[cell(low)..=cell(high)].fill('─');
            (cells[cell(low)], cells[cell(high)]) = ('├', '┤');
            if value.is_finite() {
                cells[cell(value)] = '●';
            }
            spans.push(paint.span(cells.into_iter().collect::<String>(), Role::Category(1)));
        } else {
            spans.push(Span::raw(" ".repeat(strip)));
        }
        spans.push(paint.span(format!(" {:>8}", row.get(column).map_or("", String::as_str)), Role::Text));
        put(buf, list, 0, line as u16, Line::from(spans));
        if selected {
            paint.select(buf, list, line as u16, focused);
        }
    }
    let rows = table.rows.len().min(usize::from(list.height)) as u16;
    let axis = below(area, 1 + rows);
    let mut rule: Vec<char> = vec!['─'; strip];
    let mut labels = vec![' '; strip + 4];
    let mut free = 0;
    for (value, text) in scale.ticks() {
        rule[cell(value)] = '┴';
        let start = cell(value).saturating_sub(text.chars().count() / 2);
        if start >= free && start + text.chars().count() <= labels.len() {
            text.chars().enumerate().for_each(|(i, c)| labels[start + i] = c);
            free = start + text.chars().count() + 1;
        }
    }
    put(buf, axis, left, 0, Line::from(paint.span(rule.into_iter().collect::<String>(), Role::Border)));
    put(buf, axis, left, 1, Line::from(paint.span(labels.into_iter().collect::<String>(), Role::Dim)));
}

fn table(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, report: &Report) {
    let tab = &paint.state.experiments;
    let Some(table) = report.tables.get(tab.table.min(report.tables.len().saturating_sub(1))) else {
        return paint.centred(buf, area, &[("No table yet.".into(), Role::Dim)]);
    };
    heading(paint, area, buf, &table.name, tab.table, report.tables.len());
    let width = |c: usize| table.rows.iter().filter_map(|r| r.get(c)).chain([&table.columns[c]]).map(|v| v.width()).max().unwrap_or(0);
    let numeric = |c: usize| table.rows.iter().all(|r| r.get(c).is_some_and(|v| v.parse::<f64>().is_ok()));
    // The first column gives way where all do not fit.
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

fn text(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, report: &Report) {
    let markdown = report.markdown();
    // Tables and pictures have views of their own.
    let lines = markdown.lines().skip(4).filter(|l| !l.starts_with('|') && !l.starts_with("## ") && !l.starts_with("!["));
    let wrapped: Vec<String> = lines.flat_map(|l| if l.is_empty() { vec![String::new()] } else { wrap(l, usize::from(area.width)) }).collect();
    let mut rows: Vec<String> = wrapped;
    rows.dedup_by(|a, b| a.is_empty() && b.is_empty());
    let first = paint.state.experiments.scroll.min(rows.len().saturating_sub(usize::from(area.height)));
    for (row, line) in rows.into_iter().skip(first).take(usize::from(area.height)).enumerate() {
        put(buf, area, 0, row as u16, Line::from(paint.span(line, Role::Text)));
    }
}
