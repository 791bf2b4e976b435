//! The first line: name and tabs on the left; running work, model and library on the right.

use crate::app::Tab;
use crate::app::jobs::Running;
use crate::app::screen::Target;
use crate::engine::JobKind;
use crate::ui::paint::{Paint, bytes, duration, put, put_right, short_count};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the line.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let state = paint.state;
    let mut tabs = vec![paint.span(" state-soup ", Role::Dim)];
    for (i, tab) in Tab::ALL.into_iter().enumerate() {
        let number = i + 1;
        let before: usize = tabs.iter().map(Span::width).sum();
        if tab == state.tab {
            // Reversed as well as coloured, so that the current tab is recognisable without colour.
            let style = paint.style(Role::Focus).patch(paint.style(Role::Cursor));
            tabs.push(Span::styled(format!(" {number} {} ", tab.title()), style));
        } else {
            tabs.push(paint.span(format!(" {number} "), Role::Key));
            tabs.push(paint.span(format!("{} ", tab.title()), Role::Text));
        }
        let width = tabs.iter().map(Span::width).sum::<usize>() - before;
        paint.hit(Rect::new(area.x + before as u16, area.y, width as u16, 1).intersection(area), Target::Tab(tab));
    }
    let tabs = Line::from(tabs);
    let room = area.width.saturating_sub(tabs.width() as u16 + 2);
    put(buf, area, 0, 0, tabs);
    // As much as there is room for; the least important parts are left out first.
    let work = state.jobs.shown().map(|(word, running)| work(paint, word, running)).unwrap_or_default();
    let facts = facts(paint);
    for drop in 0..=facts.len() {
        let mut spans = work.clone();
        for fact in &facts[..facts.len() - drop] {
            if !spans.is_empty() {
                spans.push(paint.span(" · ", Role::Border));
            }
            spans.extend(fact.clone());
        }
        spans.push(Span::raw(" "));
        let line = Line::from(spans);
        if line.width() as u16 <= room {
            put_right(buf, area, 0, line);
            return;
        }
    }
}

fn facts<'a>(paint: &Paint<'a>) -> Vec<Vec<Span<'a>>> {
    let state = paint.state;
    let mut facts = Vec::new();
    if state.screen.low_bandwidth {
        // Shown all the time, because the slow frame rate would pass for a slow machine.
        let text = if paint.size.boxed() { "low bandwidth: 5 fps" } else { "5 fps" };
        facts.push(vec![paint.span(text, Role::Stale)]);
    }
    if let Some(model) = &state.model {
        facts.push(vec![paint.span(model.name.as_str(), Role::Text)]);
        if let Some(library) = &state.library {
            facts.push(vec![paint.span(format!("{} skills", library.skills.len()), Role::Text)]);
        }
        facts.push(vec![paint.span(model.device.as_str(), Role::Dim)]);
        facts.push(vec![paint.span(format!("{} parameters", short_count(model.parameters)), Role::Dim)]);
        facts.push(vec![paint.span(format!("{} layers", model.layout.n_layer), Role::Dim)]);
    } else if state.jobs.running(JobKind::Open).is_none() {
        facts.push(vec![paint.span("loading the model", Role::Stale)]);
    }
    facts
}

fn work<'a>(paint: &Paint<'a>, word: &'static str, running: &Running) -> Vec<Span<'a>> {
    let mut spans = vec![paint.span(word, Role::Stale), Span::raw(" ")];
    let is_bytes = running.unit == "bytes";
    let amount = |n: u64| if is_bytes { bytes(n) } else { n.to_string() };
    if running.total > 0 {
        let width = if paint.state.tab == Tab::Lab && area_is_wide(paint) { 12 } else { 6 };
        spans.extend(paint.bar(running.done as f64 / running.total as f64, width, Role::Bar));
        spans.push(Span::raw(format!(" {}/{}", amount(running.done), amount(running.total))));
    } else if running.done > 0 {
        spans.push(Span::raw(amount(running.done)));
    }
    if !is_bytes && !running.unit.is_empty() {
        spans.push(Span::raw(format!(" {}", running.unit)));
    }
    if let Some(rate) = running.rate() {
        let text = if is_bytes { format!(" {}/s", bytes(rate as u64)) } else { format!(" {rate:.0}/s") };
        spans.push(paint.span(text, Role::Dim));
    }
    if let Some(left) = running.seconds_left() {
        spans.push(paint.span(format!(" {} left", duration(left)), Role::Dim));
    }
    spans
}

fn area_is_wide(paint: &Paint<'_>) -> bool {
    paint.size == crate::ui::layout::Size::Wide
}
