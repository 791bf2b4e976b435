//! The error of the composed state against the state of one pass, layer by layer; and the
//! half-lives of each layer's channels.

use super::{nothing_yet, title};
use crate::app::Focus;
use crate::app::screen::Target;
use crate::lab::{DecayView, RuleResult};
use crate::ui::paint::{Paint, put, scroll};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the pane.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let state = paint.state;
    let focused = state.focus() == Focus::Layers && state.overlay.is_none();
    let selected = state.decay.selected();
    let about = vec![paint.span(selected.map_or("", |r| r.rule.name()), Role::Dim)];
    paint.hit(area, Target::Pane(Focus::Layers));
    let inner = paint.panel(buf, area, &title(state, "Layers"), about, focused);
    match (&state.decay.view, selected) {
        (Some(view), Some(selected)) => strips(paint, inner, buf, view, selected, focused),
        _ if state.decay.refused.is_none() || focused => nothing_yet(paint, inner, buf),
        _ => {}
    }
}

fn strips(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, view: &DecayView, selected: &RuleResult, focused: bool) {
    let layer = paint.state.decay.layer;
    let free = usize::from(area.width).saturating_sub(1 + 3 + 8 + 2);
    let bar_width = (free * 3 / 10).min(24);
    let strip_width = (free - bar_width).min(48);
    let what = if strip_width >= 24 { "half-lives, short to long" } else { "half-lives" };
    let head = format!(" {:>3}{:>8}{}{what}", "", "error", " ".repeat(bar_width + 2));
    put(buf, area, 0, 0, Line::from(paint.span(head, Role::Dim)));
    let legend = u16::from(area.height >= 6);
    let list = Rect::new(area.x, area.y + 1.min(area.height), area.width, area.height.saturating_sub(1 + legend));
    let scale = selected.error.iter().copied().filter(|e| e.is_finite()).fold(1.0, f64::max);
    let first = scroll(layer, selected.error.len(), usize::from(list.height));
    for (row, (i, (error, lives))) in
        selected.error.iter().zip(&view.half_life).enumerate().skip(first).take(usize::from(list.height)).enumerate()
    {
        let mut spans = vec![
            paint.span(if i == layer { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(format!("{i:>3}"), Role::Dim),
            paint.span(format!("{:>8} ", share(*error)), Role::Text),
        ];
        spans.extend(paint.bar(error / scale, bar_width as u16, Role::Bar));
        spans.push(Span::raw(" "));
        spans.extend(strip(paint, lives, strip_width));
        put(buf, list, 0, row as u16, Line::from(spans));
        if i == layer {
            paint.select(buf, list, row as u16, focused);
        }
    }
    if legend == 1 {
        let lives = view.half_life.get(layer).map_or(&[][..], Vec::as_slice);
        let median = lives.get(lives.len() / 2).copied().unwrap_or(f32::NAN);
        let long = format!(" layer {layer}: median half-life {median:.1} tokens; digit d: 2^d or more");
        let short = format!(" median {median:.1} tokens; digit d: 2^d");
        let text = if long.len() <= usize::from(area.width) { long } else { short };
        put(buf, area, 0, area.height - 1, Line::from(paint.span(text, Role::Dim)));
    }
}

/// One digit per band of channels, from the shortest half-life to the longest: its power of two.
/// Neighbouring digits of one colour form one span.
fn strip<'a>(paint: &Paint<'a>, lives: &[f32], width: usize) -> Vec<Span<'a>> {
    let digits: Vec<Option<u32>> =
        (0..width).filter_map(|i| lives.get((2 * i + 1) * lives.len() / (2 * width)).map(|life| digit(*life))).collect();
    digits
        .chunk_by(|a, b| a == b)
        .map(|run| {
            let (sign, role) = match run[0] {
                Some(d) => (char::from_digit(d, 10).unwrap_or('?'), Role::Ramp(d as usize / 2)),
                None => ('?', Role::Dim),
            };
            paint.span(sign.to_string().repeat(run.len()), role)
        })
        .collect()
}

/// The power of two in a half-life of `life` tokens, from 0 to 9.
fn digit(life: f32) -> Option<u32> {
    (!life.is_nan()).then(|| life.log2().floor().clamp(0.0, 9.0) as u32)
}

/// A relative error in seven characters.
fn share(error: f64) -> String {
    match error {
        0.0 => "0".into(),
        e if e.abs() < 0.001 => format!("{e:.0e}"),
        e if e < 100.0 => format!("{e:.3}"),
        e => format!("{e:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digit_is_the_power_of_two() {
        assert_eq!([0.1, 1.9, 2.0, 1000.0, f32::INFINITY].map(digit), [Some(0), Some(0), Some(1), Some(9), Some(9)]);
        assert_eq!(digit(f32::NAN), None);
        assert_eq!([0.0, 3.2e-7, 0.25, 1e9].map(share), ["0", "3e-7", "0.250", "1.0e9"]);
    }
}
