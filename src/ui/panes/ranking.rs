//! The live ranking: place, change of place, name, bar, score. Bars span the list's worst to its best score.

use crate::app::Focus;
use crate::app::lab::{metric_name, part_name};
use crate::app::screen::Target;
use crate::engine::JobKind;
use crate::library::{Metric, Ranking};
use crate::ui::paint::{Paint, pad, put, scroll, signed};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// One row, of a task or of a skill.
struct Row<'r> {
    name: &'r str,
    skill: &'r str,
    score: f32,
    mean: Option<f32>,
    change: Option<i32>,
}

/// Draws it.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    paint.hit(area, Target::Pane(Focus::Ranking));
    let state = paint.state;
    let lab = &state.lab;
    let focused = state.focus() == Focus::Ranking && state.overlay.is_none();
    let stale = state.jobs.is_running(JobKind::Rank);
    let title = match (lab.by_task, stale && lab.ranking.is_some()) {
        (true, false) => "Tasks",
        (true, true) => "Tasks …",
        (false, false) => "Skills",
        (false, true) => "Skills …",
    };
    let layers = &lab.view.layers;
    let layers = if layers.len() == 1 { format!("layer {}", layers.start) } else { format!("layers {}..{}", layers.start, layers.end) };
    let right = vec![paint.span(format!("{} · {layers} · {}", metric_name(lab.view.metric), part_name(lab.view.part)), Role::Dim)];
    let inner = paint.panel(buf, area, title, right, focused);
    let Some(ranking) = &lab.ranking else { return nothing_yet(paint, inner, buf) };
    let footer = u16::from(inner.height >= 4);
    let list = Rect { height: inner.height.saturating_sub(footer), ..inner };
    rows(paint, list, buf, ranking, focused);
    if footer == 1 {
        figures(paint, inner, buf, ranking);
    }
}

fn nothing_yet(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let state = paint.state;
    let text = if state.model.is_none() {
        "Loading the model …"
    } else if state.library.is_none() {
        "Opening the library …"
    } else if state.skill_count() == 0 {
        "No skills yet: the library is being built."
    } else if state.lab.query_text().trim().is_empty() {
        "The skills nearest to the query appear here while you type."
    } else {
        "Comparing …"
    };
    paint.centred(buf, area, &[(text.into(), Role::Dim)]);
}

fn rows(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, ranking: &Ranking, focused: bool) {
    let lab = &paint.state.lab;
    let rows: Vec<Row<'_>> = if lab.by_task {
        ranking
            .by_task
            .iter()
            .map(|t| Row { name: &t.task, skill: &t.skill, score: t.score, mean: Some(t.mean), change: t.change })
            .collect()
    } else {
        ranking.ranking.iter().map(|s| Row { name: &s.skill, skill: &s.skill, score: s.score, mean: None, change: s.change }).collect()
    };
    let finite = || rows.iter().map(|r| r.score).filter(|s| s.is_finite());
    let (low, high) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    let width = usize::from(area.width);
    let digits = if lab.view.metric == Metric::L2 { 2 } else { 3 };
    let with_mean = width >= 52 && lab.by_task;
    // pointer 1, place 3, change 4, name, bar, score 7, (mean 7), mark 2
    let fixed = 1 + 3 + 4 + 2 + 7 + if with_mean { 7 } else { 0 } + 2;
    let free = width.saturating_sub(fixed);
    let name_width = free.min((free * 3 / 5).clamp(12, 28));
    let bar_width = free.saturating_sub(name_width).min(48) as u16;
    let first = scroll(lab.selected, rows.len(), usize::from(area.height));
    for (line, (i, row)) in rows.iter().enumerate().skip(first).take(usize::from(area.height)).enumerate() {
        let selected = i == lab.selected;
        let in_soup = lab.bench.soup.ingredients.iter().any(|x| x.skill == row.skill);
        let share = if high > low { f64::from((row.score - low) / (high - low)) } else { 1.0 };
        let strong = if i == 0 { Role::Strong } else { Role::Text };
        let mut spans = vec![
            paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(format!("{:>3}", i + 1), Role::Dim),
            change(paint, row.change),
            paint.span(pad(row.name, name_width), strong),
            Span::raw(" "),
        ];
        spans.extend(paint.bar(share, bar_width, Role::Bar));
        spans.push(paint.span(format!(" {:>6}", signed(f64::from(row.score), digits)), strong));
        if with_mean {
            spans.push(paint.span(format!(" {:>6}", signed(f64::from(row.mean.unwrap_or(f32::NAN)), digits)), Role::Dim));
        }
        spans.push(paint.span(if in_soup { " ●" } else { "  " }, Role::Mark));
        put(buf, area, 0, line as u16, Line::from(spans));
        paint.hit_row(area, line as u16, Target::Row(Focus::Ranking, i));
        if selected {
            paint.select(buf, area, line as u16, focused);
        }
    }
}

fn change<'a>(paint: &Paint<'_>, change: Option<i32>) -> Span<'a> {
    let (text, role) = match change {
        Some(n) if n > 0 => (format!("▲{}", n.min(99)), Role::Good),
        Some(n) if n < 0 => (format!("▼{}", n.unsigned_abs().min(99)), Role::Bad),
        _ => (String::new(), Role::Dim),
    };
    paint.span(format!(" {text:<3}"), role)
}

fn figures(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, ranking: &Ranking) {
    let [model, compare] = ranking.millis;
    let wide = area.width >= 48;
    let time = if wide {
        format!("{} tokens in {model:.1} ms + {compare:.1} ms", ranking.tokens_run)
    } else {
        format!("{} tok {:.1} ms", ranking.tokens_run, model + compare)
    };
    let line = Line::from(vec![
        paint.span("margin ", Role::Dim),
        paint.span(signed(f64::from(ranking.margin), 3), Role::Strong),
        paint.span(format!("  {time}"), Role::Dim),
    ]);
    put(buf, area, 1, area.height - 1, line);
}
