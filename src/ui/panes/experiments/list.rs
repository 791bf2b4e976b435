//! The list of experiments: the status and the question of each.

use super::sign;
use crate::app::Focus;
use crate::app::experiments::Stand;
use crate::app::jobs::Running;
use crate::app::screen::Target;
use crate::engine::JobKind;
use crate::experiment::ALL;
use crate::stats::Verdict;
use crate::ui::paint::{Paint, duration, fit, pad, put, scroll};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the list.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let state = paint.state;
    let tab = &state.experiments;
    let focused = state.focus() == Focus::Experiments && state.overlay.is_none();
    let next = if tab.thorough { "thorough" } else { "quick" };
    paint.hit(area, Target::Pane(Focus::Experiments));
    let inner = paint.panel(buf, area, "Experiments", vec![paint.span(next, Role::Dim)], focused);
    // The question stands below the name if there is room for all of them.
    let lines = if usize::from(inner.height) >= ALL.len() * 2 { 2 } else { 1 };
    let first = scroll(tab.selected, ALL.len(), usize::from(inner.height) / lines);
    let width = usize::from(inner.width);
    for (row, (i, experiment)) in ALL.iter().enumerate().skip(first).take(usize::from(inner.height) / lines).enumerate() {
        let selected = i == tab.selected;
        let status = status(paint, i, width >= 36);
        let used: usize = status.iter().map(Span::width).sum();
        let mut spans = vec![
            paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(pad(experiment.name, width.saturating_sub(used + 2)), if selected { Role::Strong } else { Role::Text }),
            Span::raw(" "),
        ];
        spans.extend(status);
        let row = (row * lines) as u16;
        paint.hit_row(inner, row, Target::Row(Focus::Experiments, i));
        put(buf, inner, 0, row, Line::from(spans));
        if lines == 2 {
            put(buf, inner, 2, row + 1, Line::from(paint.span(fit(experiment.question, width.saturating_sub(3)), Role::Dim)));
        }
        if selected {
            paint.select(buf, inner, row, focused);
        }
    }
}

/// An experiment's status, in a few words; fewer without `room`.
fn status<'a>(paint: &Paint<'a>, index: usize, room: bool) -> Vec<Span<'a>> {
    let tab = &paint.state.experiments;
    match tab.stand(index) {
        Stand::NotRun => vec![paint.span(if room { "not run" } else { "·" }, Role::Dim)],
        Stand::Waiting => vec![paint.span(if room { "waiting" } else { "…" }, Role::Dim)],
        Stand::Running => vec![paint.span(running(paint.state.jobs.running(JobKind::Experiment), room), Role::Stale)],
        Stand::Stopped => vec![paint.span("stopped", Role::Stale)],
        Stand::Failed => vec![paint.span("failed", Role::Bad)],
        Stand::Done => tab.report(index).map_or_else(Vec::new, |report| {
            let mut spans: Vec<Span<'a>> = Vec::new();
            for (verdict, word) in
                [(Verdict::Supported, "supported"), (Verdict::Contradicted, "contradicted"), (Verdict::NotDistinguishable, "open")]
            {
                let count = report.findings.iter().filter(|f| f.verdict == verdict).count();
                if count == 0 {
                    continue;
                }
                let (mark, role) = sign(verdict);
                let few = report.findings.iter().all(|f| f.verdict == verdict);
                let text = if room && few { format!("{mark}{count} {word}") } else { format!("{mark}{count}") };
                if !spans.is_empty() {
                    spans.push(Span::raw(" "));
                }
                spans.push(paint.span(text, role));
            }
            spans
        }),
    }
}

/// The progress of the running one, in words.
pub fn running(running: Option<&Running>, room: bool) -> String {
    let Some(r) = running.filter(|r| r.total > 0) else { return if room { "running".into() } else { "…".into() } };
    let share = format!("{:.0} %", 100.0 * r.done as f64 / r.total as f64);
    match r.seconds_left() {
        Some(left) if room => format!("{share} of {} · {} left", r.unit, duration(left)),
        _ if room => format!("{share} of {}", r.unit),
        _ => share,
    }
}
