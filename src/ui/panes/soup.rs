//! The soup: ingredients with their weights, the rule and its parameters, the recipe.

use crate::app::Focus;
use crate::app::overlay::layers_text;
use crate::app::screen::Target;
use crate::app::soup_edit::{SoupRow, rows};
use crate::soup::parameter_of;
use crate::ui::glyphs;
use crate::ui::layout::Size;
use crate::ui::paint::{Paint, pad, put, scroll, signed, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the pane.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    paint.hit(area, Target::Pane(Focus::Soup));
    let state = paint.state;
    let bench = &state.lab.bench;
    let soup = &bench.soup;
    let focused = state.focus() == Focus::Soup && state.overlay.is_none();
    let right = vec![paint.span(soup.rule.name(), Role::Dim)];
    let letter = state.lab.instruments.sides.letter().map_or_else(String::new, |letter| format!(" {letter}"));
    let chosen = match (bench.auto, bench.soup.lambda > 0.0) {
        (true, true) => " · chosen by the evidence",
        (true, false) if !bench.soup.ingredients.is_empty() => " · left out by the evidence",
        _ => "",
    };
    let title = format!("Soup{letter}{chosen}");
    let inner = paint.panel(buf, area, &title, right, focused);
    let all = rows(soup);
    let recipe = soup.to_recipe().map(|r| r.to_string());
    let recipe_lines = recipe.as_deref().map(|r| wrap(r, usize::from(inner.width))).unwrap_or_default();
    // The recipe has a blank line above it and takes at most a third of the pane.
    let most = usize::from(inner.height / 3).max(1);
    let recipe_rows = if inner.height >= 6 { recipe_lines.len().min(most) } else { 0 };
    let gap = usize::from(recipe_rows > 0 && paint.size != Size::Small);
    let parameters = all.len() - soup.ingredients.len();
    let list = Rect { height: inner.height.saturating_sub((recipe_rows + gap) as u16), ..inner };
    if soup.ingredients.is_empty() {
        let upper = Rect { height: list.height.saturating_sub(parameters as u16), ..list };
        let text = if bench.auto {
            ["The query's examples choose the soup.", "Change anything to make it yours."]
        } else {
            ["No ingredients yet.", "Enter in the ranking adds one."]
        };
        paint.centred(buf, upper, &text.map(|line| (line.into(), Role::Dim)));
    }
    // Parameters stay at the foot of the list if there is room; ingredients scroll above them.
    let room = usize::from(list.height).saturating_sub(parameters);
    let shown = soup.ingredients.len().min(room);
    let first = scroll(bench.selected.min(soup.ingredients.len()), soup.ingredients.len(), room);
    let space = usize::from(room > shown && !soup.ingredients.is_empty());
    let scale = soup.ingredients.iter().map(|i| i.weight.abs()).fold(1.0, f64::max);
    for (i, row) in all.iter().enumerate() {
        let line = match row {
            SoupRow::Ingredient(i) if *i < first || *i >= first + shown => continue,
            SoupRow::Ingredient(i) => i - first,
            _ if soup.ingredients.is_empty() => room + (i - soup.ingredients.len()),
            _ => shown + space + (i - soup.ingredients.len()),
        };
        let selected = i == bench.selected;
        let spans = match row {
            SoupRow::Ingredient(i) => ingredient(paint, *i, list.width, scale),
            SoupRow::Curve => curve(paint, list.width, selected),
            other => parameter(paint, *other, list.width),
        };
        let pointer = paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim });
        put(buf, list, 0, line as u16, Line::from(std::iter::once(pointer).chain(spans).collect::<Vec<_>>()));
        paint.hit_row(list, line as u16, Target::Row(Focus::Soup, i));
        if selected {
            paint.select(buf, list, line as u16, focused);
        }
    }
    for (i, text) in recipe_lines.iter().take(recipe_rows).enumerate() {
        let row = inner.height - recipe_rows as u16 + i as u16;
        put(buf, inner, 0, row, Line::from(paint.span(text.clone(), Role::Dim)));
    }
}

fn ingredient<'a>(paint: &Paint<'a>, index: usize, width: u16, scale: f64) -> Vec<Span<'a>> {
    let soup = &paint.state.lab.bench.soup;
    let ingredient = &soup.ingredients[index];
    let heard = soup.is_audible(index);
    let free = usize::from(width).saturating_sub(1 + 8 + 5);
    let name_width = (free / 2).clamp(10, 26).min(free);
    let bar_width = free.saturating_sub(name_width + 1).min(30) as u16;
    let name_role = if heard { Role::Text } else { Role::Border };
    let mut spans = vec![paint.span(pad(&ingredient.skill, name_width), name_role), Span::raw(" ")];
    let role = match (heard, ingredient.weight < 0.0) {
        (false, _) => Role::Track,
        (true, true) => Role::Bad,
        (true, false) => Role::Bar,
    };
    spans.extend(paint.bar(ingredient.weight.abs() / scale, bar_width, role));
    let weight_role = if heard && soup.takes_shares() { Role::Strong } else { Role::Dim };
    spans.push(paint.span(format!(" {:>7}", signed(ingredient.weight, 2)), weight_role));
    let flag = |on: bool, letter: &'static str, role: Role| paint.span(if on { letter } else { " " }, role);
    spans.push(Span::raw(" "));
    spans.push(flag(ingredient.muted, "M", Role::Bad));
    spans.push(flag(ingredient.solo, "S", Role::Good));
    spans.push(flag(ingredient.locked, "L", Role::Mark));
    spans
}

fn parameter<'a>(paint: &Paint<'a>, row: SoupRow, width: u16) -> Vec<Span<'a>> {
    let soup = &paint.state.lab.bench.soup;
    let bar_width = width.saturating_sub(36).min(20);
    let with_bar = |share: f64| if bar_width >= 4 { paint.bar(share, bar_width, Role::Bar) } else { Vec::new() };
    let (name, value, more) = match row {
        SoupRow::Rule => ("rule", soup.rule.name().to_owned(), Vec::new()),
        SoupRow::Value(field) => {
            let value = soup.values.number(field).unwrap_or(f64::NAN);
            let knob = parameter_of(field).and_then(|p| p.knob.as_ref());
            let mut more = knob.and_then(|k| k.full).map_or_else(Vec::new, |full| with_bar(value / full));
            more.extend(knob.map(|k| paint.span(k.note, Role::Dim)).filter(|span| !span.content.is_empty()));
            (knob.map_or(field, |k| k.label), signed(value, 2), more)
        }
        SoupRow::Lambda => {
            let note = match soup.lambda {
                l if l >= 1.0 => " without the query",
                l if l <= 0.0 => " the query alone",
                _ => "",
            };
            let mut more = with_bar(soup.lambda);
            more.push(paint.span(note, Role::Dim));
            ("λ soup : query", signed(soup.lambda, 2), more)
        }
        SoupRow::Layers => {
            let layers = paint.state.layers();
            let value = layers_text(soup.layers.as_ref());
            let drawn = soup.layers.clone().unwrap_or(0..layers);
            let strip: String = (0..layers.min(64)).map(|l| if drawn.contains(&l) { '█' } else { '·' }).collect();
            let fits = layers > 0 && layers <= usize::from(width.saturating_sub(26));
            ("layers", value, if fits { vec![paint.span(strip, Role::Bar)] } else { Vec::new() })
        }
        SoupRow::Ingredient(_) | SoupRow::Curve => ("", String::new(), Vec::new()),
    };
    let mut spans = vec![paint.span(pad(name, 15), Role::Dim), paint.span(pad(&value, 8.max(value.chars().count() + 1)), Role::Strong)];
    // Bars and notes only support the value: each is left out where it would be cut.
    let mut used: usize = 1 + spans.iter().map(Span::width).sum::<usize>();
    for span in more {
        if used + span.width() > usize::from(width) {
            break;
        }
        used += span.width();
        spans.push(span);
    }
    spans
}

/// The per-layer weights: the one under the cursor as a number, all of them as a strip of bars from
/// 0 to 1.
fn curve<'a>(paint: &Paint<'a>, width: u16, selected: bool) -> Vec<Span<'a>> {
    let bench = &paint.state.lab.bench;
    let weights = bench.soup.layer_weights.as_deref().unwrap_or_default();
    let layer = bench.layer.min(weights.len().saturating_sub(1));
    let weight = weights.get(layer).copied().unwrap_or(f64::NAN);
    let value = format!("{layer}: {}", signed(weight, 2));
    let mut spans = vec![paint.span(pad("layer weights", 15), Role::Dim), paint.span(pad(&value, 10), Role::Strong)];
    let room = usize::from(width.saturating_sub(27));
    let first = scroll(layer, weights.len(), room);
    for (l, weight) in weights.iter().enumerate().skip(first).take(room) {
        let role = if selected && l == layer { Role::Cursor } else { Role::Bar };
        // Weights below 0 and above 1 have a sign instead of a bar.
        let glyph = match *weight {
            w if w < 0.0 => '−',
            w if w > 1.0 => '▲',
            w => glyphs::level(paint.set, w),
        };
        spans.push(paint.span(glyph.to_string(), role));
    }
    spans
}
