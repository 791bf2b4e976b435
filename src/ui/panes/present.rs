//! The Lab for an audience: query, the top of the ranking, the soup in one line, answers, and the
//! most important numbers in large digits.

use super::query;
use super::ranking::plus;
use crate::app::lab::{metric_name, part_name};
use crate::engine::JobKind;
use crate::lab::AnswerFrom;
use crate::soup::Soup;
use crate::ui::paint::{Paint, fit, pad, put, signed, token, visible};
use crate::ui::theme::Role;
use crate::ui::{big, layout};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

/// Draws the Lab.
pub fn draw(paint: &Paint<'_>, body: Rect, buf: &mut Buffer) {
    let boxed = paint.size.boxed();
    let frame = if boxed { 2 } else { 1 };
    let spaced = u16::from(body.height >= 32);
    let answers_height = (AnswerFrom::ALL.len() as u16) * (1 + spaced) + frame;
    let soup_height = 1 + frame;
    let upper = Rect { height: body.height.saturating_sub(answers_height + soup_height), ..body };
    let below = |rows: u16, height: u16| Rect::new(body.x, body.y + rows, body.width, height.min(body.height.saturating_sub(rows)));
    let (first, right) = layout::left(upper, body.width * 46 / 100, u16::from(!boxed));
    let lines = paint.state.lab.query.lines().len() as u16;
    let query_height = (lines + frame).clamp(3, (first.height / 2).max(3)).min(first.height);
    query::draw(paint, Rect { height: query_height, ..first }, buf);
    let rest = Rect::new(first.x, first.y + query_height, first.width, first.height - query_height);
    ranking(paint, rest, buf);
    figures(paint, right, buf);
    soup(paint, below(upper.height, soup_height), buf);
    answers(paint, below(upper.height + soup_height, answers_height), buf, 1 + spaced);
}

/// The top of the ranking: as many rows as there is room for, at most eight.
fn ranking(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let lab = &paint.state.lab;
    let view = vec![paint.span(format!("{} · {}", metric_name(lab.view.metric), part_name(lab.view.part)), Role::Dim)];
    let evidence = lab.present_evidence();
    let title = if evidence.is_some() { "Tasks by evidence" } else { "Nearest tasks" };
    let inner = paint.panel(buf, area, title, view, false);
    let Some(ranking) = &lab.ranking else { return };
    let spaced = if inner.height >= 16 { 2 } else { 1 };
    let rows = ranking.by_task.iter().take(usize::from(inner.height / spaced).min(8));
    let (high, low) = (ranking.by_task.first().map_or(0.0, |t| t.score), ranking.by_task.last().map_or(0.0, |t| t.score));
    let name_width = usize::from(inner.width).saturating_sub(10) * 3 / 5;
    let bar_width = usize::from(inner.width).saturating_sub(name_width + 14) as u16;
    for (i, task) in rows.enumerate() {
        let role = if i == 0 { Role::Strong } else { Role::Text };
        let share = if high > low { f64::from((task.score - low) / (high - low)) } else { 1.0 };
        let mut spans =
            vec![paint.span(format!("{:>2} ", i + 1), Role::Dim), paint.span(pad(&task.task, name_width), role), Span::raw(" ")];
        spans.extend(paint.bar(share, bar_width, Role::Bar));
        match evidence.and_then(|e| e.of(&task.task)) {
            Some(told) => {
                let (mark, role) = if told.gain > 0.0 { ("✓", Role::Good) } else { ("✗", Role::Bad) };
                spans.push(paint.span(format!(" {:>6} {mark}", plus(told.gain)), role));
            }
            None => spans.push(paint.span(format!(" {:>6}", signed(f64::from(task.score), 3)), role)),
        }
        put(buf, inner, 0, i as u16 * spaced, Line::from(spans));
    }
}

/// A figure: its name, its value in large digits, and the value as text.
struct Figure {
    name: String,
    value: Option<f64>,
    digits: usize,
    role: Role,
}

impl Figure {
    fn text(&self) -> String {
        let Some(value) = self.value else { return String::new() };
        signed(value, if value.abs() >= 10.0 { self.digits.saturating_sub(1) } else { self.digits })
    }
}

/// The margin, and the target's log-probability from the soup beside that from the query alone.
fn figures(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let state = paint.state;
    let lab = &state.lab;
    let stale = state.jobs.is_running(JobKind::Ask) || lab.ask_at.is_some();
    let wanted = lab.target.text().trim();
    let right = if wanted.is_empty() { Vec::new() } else { vec![paint.span(format!("target {wanted}"), Role::Dim)] };
    let inner = paint.panel(buf, area, if stale { "Figures …" } else { "Figures" }, right, false);
    let target = |from: AnswerFrom| {
        let at = AnswerFrom::ALL.iter().position(|f| *f == from)?;
        lab.answers[at].as_ref()?.answer.target_logprob
    };
    let (query, soup) = (target(AnswerFrom::Query), target(AnswerFrom::Soup));
    let evidence = lab.present_evidence().filter(|e| e.shots > 0);
    let over = lab.ranking.as_ref().and_then(|r| Some(format!("{} over {}", r.by_task.first()?.task, r.by_task.get(1)?.task)));
    let margin = lab.ranking.as_ref().map(|r| f64::from(r.margin));
    let first = match (evidence, evidence.and_then(|e| e.tasks.first())) {
        (Some(e), Some(best)) if e.fits => Figure {
            name: format!("nats an answer token explained by {}:", best.task),
            value: Some(best.gain),
            digits: 2,
            role: Role::Good,
        },
        (Some(e), _) => Figure {
            name: "no task here explains the query; none of these:".into(),
            value: Some(e.none_posterior),
            digits: 2,
            role: Role::Bad,
        },
        _ => Figure { name: format!("margin: {}", over.unwrap_or_default()), value: margin, digits: 3, role: Role::Strong },
    };
    let mut all = vec![first];
    if !wanted.is_empty() {
        for (from, value, other) in [("query", query, soup), ("soup", soup, query)] {
            // A difference that the digits do not show does not count.
            let better = matches!((value, other), (Some(a), Some(b)) if a - b >= 0.01);
            let (mark, role) = if better { ("★ ", Role::Good) } else { ("", Role::Text) };
            all.push(Figure { name: format!("{mark}{from} ln p"), value, digits: 2, role });
        }
    }
    let half = inner.width / 2;
    // The largest digits that fit; in tight space without blank rows between.
    for (scale, beside, gap) in [(3, false, 1), (2, false, 1), (2, true, 1), (1, false, 1), (1, true, 1), (1, true, 0)] {
        let size = |f: &Figure| {
            let rows = big::number(paint.set, &f.text(), scale);
            (rows.first().map_or(0, |r| r.width()) as u16, rows.len() as u16 + 1 + gap)
        };
        let sizes: Vec<(u16, u16)> = all.iter().map(size).collect();
        let room = if beside { half.saturating_sub(1) } else { inner.width };
        let wide = sizes[0].0 <= inner.width && sizes[1..].iter().all(|s| s.0 <= room);
        let pair = sizes[1..].iter().map(|s| s.1).max().unwrap_or(0);
        let high = if beside { sizes[0].1 + pair } else { sizes.iter().map(|s| s.1).sum() };
        // The last figure needs no blank row below it.
        if !wide || high > inner.height + gap {
            continue;
        }
        let mut row = 0;
        for (i, (figure, size)) in all.iter().zip(sizes).enumerate() {
            let place = Rect::new(inner.x, inner.y + row, inner.width, inner.height.saturating_sub(row));
            let place = match (beside, i) {
                (true, 1) => layout::left(place, half.saturating_sub(1), 0).0,
                (true, 2) => layout::left(place, half, 0).1,
                _ => place,
            };
            large(paint, place, buf, figure, scale);
            if !(beside && i == 1) {
                row += size.1;
            }
        }
        return;
    }
    for (row, figure) in all.iter().enumerate() {
        let text = format!("{} {}", figure.name, figure.text());
        put(buf, inner, 0, row as u16, Line::from(paint.span(fit(&text, usize::from(inner.width)), figure.role)));
    }
}

fn large(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, figure: &Figure, scale: usize) {
    let width = usize::from(area.width);
    let value = figure.text();
    // The value also stands beside its name: block digits can neither be copied nor read by a
    // screen reader.
    let name = fit(&figure.name, width.saturating_sub(value.width() + 1));
    put(buf, area, 0, 0, Line::from(vec![paint.span(format!("{name} "), Role::Dim), paint.span(value.clone(), Role::Text)]));
    for (i, row) in big::number(paint.set, &value, scale).into_iter().enumerate() {
        put(buf, area, 0, 1 + i as u16, Line::from(paint.span(row, figure.role)));
    }
}

fn soup(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let inner = paint.panel(buf, area, "Soup", Vec::new(), false);
    let bench = &paint.state.lab.bench;
    let recipe = if bench.auto { shares(&bench.soup) } else { bench.soup.to_recipe().map(|r| r.to_string()) };
    let (text, role) = recipe.map_or(("none yet".to_owned(), Role::Border), |recipe| (recipe, Role::Strong));
    let width = usize::from(inner.width).saturating_sub(1);
    let said = super::answers::gain(paint, width < 100);
    let room = width.saturating_sub(said.as_ref().map_or(0, |(text, _)| text.width() + 3));
    let mut spans = vec![paint.span(fit(&text, room), role)];
    spans.extend(said.into_iter().flat_map(|(text, role)| [paint.span("   ", Role::Dim), paint.span(text, role)]));
    put(buf, inner, 1, 0, Line::from(spans));
}

/// The evidence's choice, as shares of the whole.
fn shares(soup: &Soup) -> Option<String> {
    if soup.ingredients.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    if soup.lambda > 0.0 {
        parts.extend(soup.audible().map(|i| format!("{} {:.2}", i.skill, i.weight * soup.lambda)));
    }
    if soup.lambda < 1.0 {
        parts.push(format!("query {:.2}", 1.0 - soup.lambda));
    }
    Some(parts.join(" + "))
}

fn answers(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, step: u16) {
    let lab = &paint.state.lab;
    let inner = paint.panel(buf, area, "Answers", Vec::new(), false);
    let width = usize::from(inner.width);
    let text_width = (width.saturating_sub(14) / 2).max(8);
    let token_width = 12;
    let bar_width = width.saturating_sub(14 + text_width + token_width + 6) as u16;
    for (i, (from, shown)) in AnswerFrom::ALL.into_iter().zip(&lab.answers).enumerate() {
        let mut spans = vec![paint.span(format!(" {:<12} ", from.name()), Role::Title)];
        if let Some(shown) = shown {
            let answer = &shown.answer;
            let text = visible(answer.text.trim_end_matches('\n').trim_start());
            spans.push(paint.span(pad(&text, text_width), Role::Strong));
            if let Some(first) = answer.top.first() {
                spans.push(paint.span(format!(" {}", pad(&token(&first.token), token_width)), Role::Text));
                spans.extend(paint.bar(first.probability, bar_width, Role::Bar));
                spans.push(paint.span(format!(" {:>3.0}%", first.probability * 100.0), Role::Dim));
            }
        }
        put(buf, inner, 0, i as u16 * step, Line::from(spans));
    }
}
