//! One picture of a report: curves, values with intervals, or a heat map.

use super::result::{below, table};
use crate::app::experiments::{Curve, Plate, places, plates};
use crate::app::map::letter;
use crate::experiment::{Figure, Heat, Report, Table};
use crate::ui::chart::{Chart, Scale};
use crate::ui::layout;
use crate::ui::paint::{Paint, fit, pad, put, scroll, signed};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Draws the selected picture; for a report without pictures, its table.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, report: &Report, focused: bool) {
    let tab = &paint.state.experiments;
    let all = plates(report);
    // A growing report may have fewer pictures than the one before it.
    let Some(shown) = all.get(tab.picture.min(all.len().saturating_sub(1))) else {
        return table(paint, area, buf, report);
    };
    let name = match shown {
        Plate::Curves(figure, _) | Plate::Heat(figure, _) => figure.name.as_str(),
        Plate::Intervals(table, _) => table.name.as_str(),
    };
    heading(paint, area, buf, name, tab.picture, all.len());
    let rest = below(area, 1);
    match shown {
        Plate::Curves(figure, all) => curves(paint, rest, buf, figure, all, focused),
        Plate::Heat(figure, field) => heat(paint, rest, buf, figure, field, focused),
        Plate::Intervals(table, column) => intervals(paint, rest, buf, table, *column, focused),
    }
}

/// The name of a picture or table, and its number among how many.
pub fn heading(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, name: &str, at: usize, of: usize) {
    let turn = if of > 1 { format!("  {} of {of}, [ ] turns", at.min(of - 1) + 1) } else { String::new() };
    put(buf, area, 0, 0, Line::from(vec![paint.span(name, Role::Title), paint.span(turn, Role::Dim)]));
}

fn curves(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, figure: &Figure, curves: &[Curve], focused: bool) {
    let tab = &paint.state.experiments;
    let at = tab.at.and_then(|i| places(curves).get(i).copied());
    let chart = Chart { axes: &figure.axes, curves, front: tab.curve, at };
    let (plot, legend) = if area.width >= 84 {
        let (plot, legend) = layout::left(area, area.width - 36, 2);
        (plot, below(legend, 1))
    } else {
        let columns = (area.width / 26).max(1);
        let rows = (curves.len() as u16).div_ceil(columns).min(area.height / 3);
        (Rect { height: area.height - rows, ..area }, below(area, area.height - rows))
    };
    chart.draw(paint, plot, buf);
    chart.legend(paint, legend, buf, focused);
}

/// Rows of a table as values with their intervals on one scale.
fn intervals(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, table: &Table, column: usize, focused: bool) {
    let tab = &paint.state.experiments;
    let number = |row: &[String], c: usize| row.get(c).and_then(|v| v.parse::<f64>().ok()).unwrap_or(f64::NAN);
    let label = |row: &[String]| row[..column.min(row.len())].join(" ");
    let widest = table.rows.iter().map(|r| label(r).width()).max().unwrap_or(0);
    let names = widest.min(usize::from(area.width) * 2 / 5);
    let strip = usize::from(area.width).saturating_sub(names + 12);
    let scale = Scale::of(table.rows.iter().flat_map(|r| [number(r, column + 1), number(r, column + 2)]), (strip / 10).min(6), true);
    let Some(scale) = scale.filter(|_| strip >= 6) else { return };
    let cell = |v: f64| (scale.share(v) * (strip - 1) as f64).round() as usize;
    let left = (names + 2) as u16;
    put(buf, area, left, 0, Line::from(paint.span(fit(&table.columns[column], strip), Role::Dim)));
    let list = Rect { height: area.height.saturating_sub(3), ..below(area, 1) };
    let first = scroll(tab.curve, table.rows.len(), usize::from(list.height));
    for (line, (i, row)) in table.rows.iter().enumerate().skip(first).take(usize::from(list.height)).enumerate() {
        let (value, low, high) = (number(row, column), number(row, column + 1), number(row, column + 2));
        let selected = i == tab.curve;
        let mut cells = vec![' '; strip];
        if low <= high {
            cells[cell(low)..=cell(high)].fill('─');
            (cells[cell(low)], cells[cell(high)]) = ('├', '┤');
        }
        if value.is_finite() {
            cells[cell(value)] = '●';
        }
        let spans = vec![
            paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(pad(&label(row), names), if selected { Role::Strong } else { Role::Text }),
            Span::raw(" "),
            paint.span(cells.into_iter().collect::<String>(), Role::Category(1)),
            paint.span(format!(" {:>8}", row.get(column).map_or("", String::as_str)), Role::Text),
        ];
        put(buf, list, 0, line as u16, Line::from(spans));
        if selected {
            paint.select(buf, list, line as u16, focused);
        }
    }
    let axis = below(area, 1 + (table.rows.len() as u16).min(list.height));
    let mut rule = vec!['─'; strip];
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

/// A heat map: the numbers themselves where they fit, else tenths of the range (0 is the least, 9
/// the greatest), coloured from far to near.
fn heat(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, figure: &Figure, heat: &Heat, focused: bool) {
    let tab = &paint.state.experiments;
    let Some((low, high)) = heat.range() else { return };
    let (row, column) =
        (tab.curve.min(heat.rows.len().saturating_sub(1)), tab.at.unwrap_or(usize::MAX).min(heat.columns.len().saturating_sub(1)));
    let value = |r: usize, c: usize| heat.values.get(r).and_then(|v| v.get(c)).copied().unwrap_or(f64::NAN);
    let (row_name, column_name) = (heat.rows.get(row).map_or("", String::as_str), heat.columns.get(column).map_or("", String::as_str));
    let chosen = format!("{row_name}, {column_name}: {}", signed(value(row, column), 3));
    put(buf, area, 0, 0, Line::from(vec![paint.span(format!("{}  ", heat.value), Role::Dim), paint.span(chosen, Role::Strong)]));
    let axes = format!("↓ {}  → {}  {} to {}", figure.axes[1], figure.axes[0], signed(low, 3), signed(high, 3));
    put(buf, area, 0, 1, Line::from(paint.span(fit(&axes, usize::from(area.width)), Role::Dim)));
    let names = heat.rows.iter().map(|r| r.width()).max().unwrap_or(0).min(usize::from(area.width) / 3) + 3;
    let room = usize::from(area.width).saturating_sub(names);
    let shown = heat.columns.len().min(room / 2);
    if shown == 0 {
        return;
    }
    let width = (room / shown).min(7);
    let from = scroll(column, heat.columns.len(), shown);
    // Labels that do not fit become letters; the rows carry the same letters if they label the same
    // things.
    let lettered = heat.columns.iter().any(|c| c.width() >= width);
    let name = |c: usize| if lettered { letter(c).to_string() } else { heat.columns[c].clone() };
    let list = below(area, 3);
    let tenth = |v: f64| if high > low { (((v - low) / (high - low)) * 9.0).round() as usize } else { 5 };
    for (x, c) in (from..from + shown).enumerate() {
        let role = if c == column { Role::Focus } else { Role::Dim };
        put(buf, area, (names + x * width) as u16, 2, Line::from(paint.span(format!("{:>w$}", name(c), w = width - 1), role)));
    }
    let first = scroll(row, heat.rows.len(), usize::from(list.height));
    for (line, r) in (first..heat.rows.len()).take(usize::from(list.height)).enumerate() {
        let selected = r == row;
        let sign = if lettered && heat.columns.get(r) == heat.rows.get(r) { letter(r) } else { ' ' };
        let mut spans = vec![
            paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(format!("{sign} {}", pad(&heat.rows[r], names - 3)), if selected { Role::Strong } else { Role::Text }),
        ];
        for c in from..from + shown {
            let v = value(r, c);
            let text = match (v.is_finite(), width >= 6) {
                (false, _) => "–".to_owned(),
                (true, true) => signed(v, 2),
                (true, false) => tenth(v).to_string(),
            };
            let role = if v.is_finite() { Role::Ramp(tenth(v) / 2) } else { Role::Border };
            spans.push(paint.span(format!("{text:>w$} ", w = width - 1), role));
        }
        put(buf, list, 0, line as u16, Line::from(spans));
    }
}
