//! The soup landscape: a triangle of mixes (a row of bars for two ingredients); 0 marks the least
//! log-probability so far, 9 the greatest.

use super::{ramp, waiting, window};
use crate::engine::JobKind;
use crate::lab::LandscapeView;
use crate::ui::glyphs;
use crate::ui::paint::{Paint, fit, put, signed};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Draws the panel.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, cursor: &[usize]) {
    let hint = "arrows move · b likeliest · enter sets the weights · esc leaves";
    let inner = window(paint, area, buf, (84, 22), "Soup landscape", hint);
    let Some(view) = &paint.state.lab.instruments.landscape else { return waiting(paint, inner, buf, JobKind::Landscape) };
    let finite = || view.points.iter().map(|p| p.logprob).filter(|p| p.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let share = |p: f64| if high > low { (p - low) / (high - low) } else { 0.5 };
    let side = if view.corners.len() == 3 {
        triangle(paint, inner, buf, view, cursor, &share)
    } else {
        line(paint, inner, buf, view, cursor, &share)
    };
    figures(paint, side, buf, view, cursor, [low, high]);
}

/// Draws the triangle; returns the area beside it.
fn triangle(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &LandscapeView, cursor: &[usize], share: &dyn Fn(f64) -> f64) -> Rect {
    let fine = view.fine;
    let mut cell = |mix: &[usize], text: char, style: Style| {
        let style = if mix == cursor { style.add_modifier(Modifier::REVERSED | Modifier::BOLD) } else { style };
        let (row, column) = (fine - mix[0], mix[0] + 2 * mix[2]);
        put(buf, area, 1 + column as u16, row as u16, Line::from(Span::styled(text.to_string(), style)));
    };
    // Mixes not measured yet come first, so that measured ones cover them.
    for mix in crate::soup::mixes(3, fine) {
        cell(&mix, '·', paint.style(Role::Track));
    }
    for point in &view.points {
        let share = share(point.logprob);
        cell(&point.mix, glyphs::digit(share), paint.style(ramp(share)));
    }
    for (letter, column, row) in [('A', fine + 3, 0), ('B', 0, fine + 1), ('C', 2 * fine + 1, fine + 1)] {
        put(buf, area, column as u16, row as u16, Line::from(paint.span(letter.to_string(), Role::Title)));
    }
    let taken = 2 * fine as u16 + 5;
    Rect::new(area.x + taken.min(area.width), area.y, area.width.saturating_sub(taken), area.height)
}

/// Draws the mixes of two ingredients as vertical bars side by side; returns the area below them.
fn line(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &LandscapeView, cursor: &[usize], share: &dyn Fn(f64) -> f64) -> Rect {
    const ROWS: u16 = 6;
    for column in 0..=view.fine {
        let mix = [view.fine - column, column];
        let point = view.points.iter().find(|p| p.mix == mix);
        for row in 0..ROWS {
            // Filled from below, one cell per step from the least to the greatest log-probability.
            let (text, mut style) = match point {
                Some(p) if share(p.logprob) * f64::from(ROWS - 1) >= f64::from(ROWS - 1 - row) => {
                    (glyphs::digit(share(p.logprob)), paint.style(ramp(share(p.logprob))))
                }
                _ => ('·', paint.style(Role::Track)),
            };
            if mix == *cursor {
                style = style.add_modifier(Modifier::REVERSED);
            }
            put(buf, area, 2 * column as u16, row, Line::from(Span::styled(text.to_string(), style)));
        }
    }
    put(buf, area, 0, ROWS, Line::from(paint.span("A", Role::Title)));
    put(buf, area, 2 * view.fine as u16, ROWS, Line::from(paint.span("B", Role::Title)));
    let top = (ROWS + 2).min(area.height);
    Rect::new(area.x, area.y + top, area.width, area.height - top)
}

fn figures(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &LandscapeView, cursor: &[usize], [low, high]: [f64; 2]) {
    let width = usize::from(area.width);
    let percent = |mix: &[usize], i: usize| format!("{:>3.0} %", mix.get(i).copied().unwrap_or(0) as f64 / view.fine as f64 * 100.0);
    let best = view.points.iter().max_by(|a, b| a.logprob.total_cmp(&b.logprob));
    let here = view.points.iter().find(|p| p.mix == cursor);
    let mut lines = vec![Line::from(paint.span(fit(&format!("ln p of `{}`", view.request.target.trim()), width), Role::Title))];
    if view.points.len() < view.total {
        lines.push(Line::from(paint.span(format!("{} of {} mixes", view.points.len(), view.total), Role::Stale)));
    } else {
        lines.push(Line::from(paint.span(format!("{} mixes, by the rule {}", view.total, view.request.soup.rule.name()), Role::Dim)));
    }
    if low.is_finite() {
        lines.push(Line::from(paint.span(format!("0 is {}, 9 is {}", signed(low, 2), signed(high, 2)), Role::Dim)));
    }
    let value = |p: Option<f64>| p.map_or_else(|| "not measured yet".into(), |p| signed(p, 3));
    for (name, mix, logprob) in
        [("under the cursor", Some(cursor), here.map(|p| p.logprob)), ("likeliest", best.map(|p| &p.mix[..]), best.map(|p| p.logprob))]
    {
        lines.push(Line::default());
        lines.push(Line::from(vec![paint.span(format!("{name} "), Role::Dim), paint.span(value(logprob), Role::Strong)]));
        for (i, corner) in view.corners.iter().enumerate() {
            let letter = ["A ", "B ", "C "][i.min(2)];
            let text = fit(corner, width.saturating_sub(9));
            let share = mix.map_or_else(String::new, |mix| percent(mix, i));
            lines.push(Line::from(vec![
                paint.span(letter, Role::Title),
                paint.span(share, Role::Text),
                paint.span(format!("  {text}"), Role::Dim),
            ]));
        }
    }
    for (row, line) in lines.into_iter().take(usize::from(area.height)).enumerate() {
        put(buf, area, 0, row as u16, line);
    }
}
