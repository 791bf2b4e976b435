//! Soups A and B side by side: weights, differing parameters, answers, and the similarity of their
//! states.

use super::window;
use crate::app::overlay::{layers_text, trim_number};
use crate::engine::JobKind;
use crate::lab::Answer;
use crate::soup::{Soup, Value, parameter_of};
use crate::ui::glyphs;
use crate::ui::paint::{Paint, fit, pad, put, put_right, signed};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the panel.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, scroll: usize) {
    let inner = window(paint, area, buf, (100, 30), "Soups A and B", "↑↓ scroll, esc leaves");
    let lab = &paint.state.lab;
    let Some(soups) = lab.instruments.sides.both(&lab.bench) else { return };
    let width = usize::from(inner.width);
    let mut lines = weights(paint, soups, width);
    lines.extend(parameters(paint, soups, width));
    lines.extend(answers(paint, width));
    let height = usize::from(inner.height);
    let first = scroll.min(lines.len().saturating_sub(height));
    let more = lines.len() > first + height;
    for (row, line) in lines.into_iter().skip(first).take(height).enumerate() {
        put(buf, inner, 0, row as u16, line);
    }
    if more {
        put_right(buf, inner, inner.height.saturating_sub(1), Line::from(paint.span("↓ more", Role::Dim)));
    }
}

/// One line: a name and its value in each soup, marked if the two differ.
fn row<'a>(paint: &Paint<'a>, name: &str, values: [String; 2], width: usize) -> Line<'a> {
    let name_width = (width / 3).clamp(10, 28);
    let value_width = width.saturating_sub(name_width + 3) / 2;
    let differs = values[0] != values[1];
    let [a, b] = values;
    let role = if differs { Role::Strong } else { Role::Dim };
    Line::from(vec![
        paint.span(if differs { "≠ " } else { "  " }, Role::Mark),
        paint.span(pad(name, name_width), Role::Text),
        paint.span(pad(&a, value_width), role),
        Span::raw(" "),
        paint.span(fit(&b, value_width), role),
    ])
}

fn weights<'a>(paint: &Paint<'a>, soups: [&Soup; 2], width: usize) -> Vec<Line<'a>> {
    let here = |on_b: bool| if paint.state.lab.instruments.sides.on_b == on_b { " (on the bench)" } else { "" };
    let head = row(paint, "", [format!("A{}", here(false)), format!("B{}", here(true))], width);
    let mut names: Vec<&str> = Vec::new();
    for ingredient in soups.iter().flat_map(|s| &s.ingredients) {
        if !names.contains(&ingredient.skill.as_str()) {
            names.push(&ingredient.skill);
        }
    }
    let weight = |soup: &Soup, name: &str| {
        let Some(at) = soup.ingredients.iter().position(|i| i.skill == name) else { return "–".to_owned() };
        let heard = soup.is_audible(at);
        format!("{}{}", signed(soup.ingredients[at].weight, 2), if heard { "" } else { " (does not count)" })
    };
    let head = Line::from(head.spans.into_iter().map(|s| paint.span(s.content.replace('≠', " "), Role::Title)).collect::<Vec<_>>());
    let mut lines = vec![head];
    lines.extend(names.into_iter().map(|name| row(paint, name, soups.map(|s| weight(s, name)), width)));
    lines
}

/// The parameters in which the two soups differ, and always the rule.
fn parameters<'a>(paint: &Paint<'a>, soups: [&Soup; 2], width: usize) -> Vec<Line<'a>> {
    let layers = |s: &Soup| match &s.layer_weights {
        Some(weights) => weights.iter().map(|w| glyphs::level(paint.set, *w)).collect(),
        None => layers_text(s.layers.as_ref()),
    };
    let mut all = vec![("rule", soups.map(|s| s.rule.name().to_owned()))];
    for (field, _) in soups[0].values.iter() {
        let label = parameter_of(field).and_then(|p| p.knob.as_ref()).map_or(field, |knob| knob.label);
        all.push((label, soups.map(|s| s.values.get(field).map_or_else(String::new, value))));
    }
    all.extend([
        ("λ soup : query", soups.map(|s| trim_number(s.lambda))),
        ("layers", soups.map(layers)),
        ("windows from", soups.map(|s| format!("{:?}", s.conv).to_lowercase())),
        ("norms matched", soups.map(|s| if s.match_norm { "yes" } else { "no" }.to_owned())),
    ]);
    let shown = all.into_iter().filter(|(name, [a, b])| a != b || *name == "rule");
    shown.map(|(name, values)| row(paint, name, values, width)).collect()
}

fn value(value: Value) -> String {
    match value {
        Value::Number(value) => trim_number(value),
        other => other.to_string(),
    }
}

fn answers<'a>(paint: &Paint<'a>, width: usize) -> Vec<Line<'a>> {
    let state = paint.state;
    let Some(view) = &state.lab.instruments.comparison else {
        let text = if state.jobs.is_running(JobKind::Compare) { "Asking both …" } else { "There is no answer to compare." };
        return vec![Line::default(), Line::from(paint.span(text, Role::Dim))];
    };
    let of = |value: &dyn Fn(&Answer) -> Option<String>| {
        view.answers.each_ref().map(|a| a.as_ref().and_then(value).unwrap_or_else(|| "–".into()))
    };
    let mut lines = vec![
        Line::default(),
        row(paint, "answer", of(&|a| Some(a.text.trim().to_owned())), width),
        row(paint, "ln p of it", of(&|a| Some(signed(a.logprob, 2))), width),
    ];
    if let Some(target) = &view.request.ask.target {
        lines.push(row(paint, &format!("ln p of {}", target.trim()), of(&|a| a.target_logprob.map(|t| signed(t, 2))), width));
    }
    if !view.cosine.is_empty() {
        let low = view.cosine.iter().copied().fold(f32::INFINITY, f32::min);
        let high = view.cosine.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let text = format!("cosine of their states, by layer: {} to {}  ", signed(f64::from(low), 3), signed(f64::from(high), 3));
        let room = width.saturating_sub(text.chars().count() + 2);
        let strip = glyphs::sparkline(paint.set, &view.cosine[..view.cosine.len().min(room)]);
        lines.push(Line::default());
        lines.push(Line::from(vec![paint.span(format!("  {text}"), Role::Dim), paint.span(strip, Role::Bar)]));
    }
    lines
}
