//! The answers side by side: in five columns if there is room, else in five rows.

use super::ranking::plus;
use crate::app::Focus;
use crate::app::lab::ShownAnswer;
use crate::app::screen::Target;
use crate::engine::JobKind;
use crate::lab::{AnswerFrom, Decoding};
use crate::ui::layout::{self, Size};
use crate::ui::paint::{Paint, fit, pad, put, signed, token, visible, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the pane.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    paint.hit(area, Target::Pane(Focus::Answers));
    let state = paint.state;
    let focused = matches!(state.focus(), Focus::Answers | Focus::Target) && state.overlay.is_none();
    let decoding = match &state.lab.decoding {
        Decoding::Greedy => "greedy".to_owned(),
        Decoding::Sample { temperature, seed, .. } => format!("sampled at {temperature}, seed {seed}"),
    };
    let right = vec![paint.span(format!("{decoding} · {} tokens", state.lab.max_tokens), Role::Dim)];
    let stale = state.jobs.is_running(JobKind::Ask) || state.lab.ask_at.is_some();
    let title = if stale { "Answers …" } else { "Answers" };
    let inner = paint.panel(buf, area, title, right, focused);
    if inner.is_empty() {
        return;
    }
    target(paint, Rect { height: 1, ..inner }, buf);
    paint.hit_row(inner, 0, Target::Pane(Focus::Target));
    let columns = paint.size.boxed();
    let gap = u16::from(columns && inner.height >= 14);
    let rest = Rect::new(inner.x, inner.y + 1 + gap, inner.width, inner.height.saturating_sub(1 + gap));
    let best = best_target(paint);
    if columns {
        let width = (inner.width + 2) / 5;
        for (i, from) in AnswerFrom::ALL.into_iter().enumerate() {
            let (_, right) = layout::left(rest, width * i as u16, 0);
            let width = width.saturating_sub(2).min(right.width);
            column(paint, Rect { width, ..right }, buf, i, from, best == Some(i));
            paint.hit(Rect { width, ..right }, Target::Row(Focus::Answers, i));
        }
    } else {
        for (i, from) in AnswerFrom::ALL.into_iter().enumerate() {
            row(paint, rest, buf, i, from, best == Some(i));
            paint.hit_row(rest, i as u16, Target::Row(Focus::Answers, i));
        }
        let below = Rect::new(rest.x, rest.y + 5.min(rest.height), rest.width, rest.height.saturating_sub(5));
        if below.height >= 2
            && let Some(shown) = &state.lab.answers[state.lab.answer.min(4)]
        {
            bars(paint, Rect { height: below.height - 1, y: below.y + 1, ..below }, buf, shown);
        }
    }
}

/// The answer with the greatest probability of the target, if there is a target and at least two
/// answers have a value.
fn best_target(paint: &Paint<'_>) -> Option<usize> {
    let all = paint.state.lab.answers.iter().enumerate();
    let told: Vec<(usize, f64)> = all.filter_map(|(i, a)| Some((i, a.as_ref()?.answer.target_logprob?))).collect();
    let best = told.iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (told.len() > 1).then_some(best.0)
}

fn target(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let state = paint.state;
    let focused = state.focus() == Focus::Target && state.overlay.is_none();
    let mark = paint.span(if focused { "▸" } else { " " }, Role::Focus);
    put(buf, area, 0, 0, Line::from(vec![mark, paint.span("target ", if focused { Role::Focus } else { Role::Dim })]));
    if state.lab.target.text().is_empty() && !focused {
        let text = if area.width >= 100 {
            "none: t in this pane sets an answer whose log-probability is shown in every column"
        } else {
            "none (t sets one)"
        };
        put(buf, area, 8, 0, Line::from(paint.span(text, Role::Border)));
    } else {
        paint.field(buf, area, 8, 0, &state.lab.target, focused);
    }
}

fn is_stale(paint: &Paint<'_>, shown: &ShownAnswer) -> bool {
    shown.generation != paint.state.jobs.generation(JobKind::Ask) || paint.state.lab.ask_at.is_some()
}

fn missing(paint: &Paint<'_>, from: AnswerFrom) -> &'static str {
    let state = paint.state;
    if state.lab.query_text().trim().is_empty() || state.model.is_none() {
        return "";
    }
    match from {
        AnswerFrom::Soup if !state.lab.bench.auto && state.lab.bench.soup.to_recipe().is_none() => "no soup yet",
        AnswerFrom::BestSkill | AnswerFrom::Full if state.skill_count() == 0 => "no skills yet",
        _ => "…",
    }
}

fn column(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, index: usize, from: AnswerFrom, best: bool) {
    let state = paint.state;
    let selected = state.lab.answer == index;
    let focused = selected && state.focus() == Focus::Answers;
    let width = usize::from(area.width);
    let head = Line::from(vec![
        paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
        paint.span(from.name(), if focused { Role::Focus } else { Role::Title }),
    ]);
    put(buf, area, 0, 0, head);
    let area = Rect::new(area.x + 1.min(area.width), area.y, area.width.saturating_sub(1), area.height);
    let width = width.saturating_sub(1);
    let Some(shown) = &state.lab.answers[index] else {
        put(buf, area, 0, 2, Line::from(paint.span(missing(paint, from), Role::Border)));
        return;
    };
    let answer = &shown.answer;
    let stale = is_stale(paint, shown);
    if answer.missing {
        for (i, line) in wrap(&answer.origin, width).into_iter().take(usize::from(area.height.saturating_sub(2))).enumerate() {
            put(buf, area, 0, 2 + i as u16, Line::from(paint.span(line, Role::Border)));
        }
        return;
    }
    put(buf, area, 0, 1, Line::from(paint.span(fit(&answer.origin, width), Role::Dim)));
    // Text: one line in short panes, three in tall ones.
    let text_rows = if area.height >= 15 { 3 } else { 1 };
    let text = visible(answer.text.trim_end_matches('\n').trim_start());
    let mut lines = wrap(&text, width);
    if lines.len() > text_rows {
        let rest = lines.split_off(text_rows - 1).join(" ");
        lines.push(fit(&rest, width));
    }
    let role = if stale { Role::Dim } else { Role::Strong };
    for (i, line) in lines.into_iter().enumerate() {
        put(buf, area, 0, 2 + i as u16, Line::from(paint.span(line, role)));
    }
    let mut next = 2 + text_rows as u16;
    let figure = |name: &str, value: f64, strong: bool| {
        let mark = if strong { " ★" } else { "" };
        Line::from(vec![
            paint.span(pad(name, 7), Role::Dim),
            paint.span(format!("{:>7}", signed(value, 2)), if strong { Role::Good } else { Role::Text }),
            paint.span(mark, Role::Good),
        ])
    };
    put(buf, area, 0, next, figure("ln p", answer.logprob, false));
    next += 1;
    if let Some(target) = answer.target_logprob {
        put(buf, area, 0, next, figure("target", target, best));
        next += 1;
    }
    if from == AnswerFrom::Soup
        && let Some((text, role)) = gain(paint, width < 44)
    {
        for line in wrap(&text, width).into_iter().take(if area.height >= 15 { 3 } else { 1 }) {
            put(buf, area, 0, next, Line::from(paint.span(line, role)));
            next += 1;
        }
    }
    if area.height > next + 4 {
        next += 1;
    }
    let bars_area = Rect::new(area.x, area.y + next.min(area.height), area.width, area.height.saturating_sub(next));
    bars(paint, bars_area, buf, shown);
}

/// Whether the soup is better or worse than the query alone on the query's own examples, in a few
/// words.
pub fn gain(paint: &Paint<'_>, short: bool) -> Option<(String, Role)> {
    let state = paint.state;
    let (generation, gain) = state.lab.gain?;
    let stale = generation != state.jobs.generation(JobKind::Ask) || state.lab.ask_at.is_some();
    let (long, brief, role) = match gain.gains() {
        _ if !gain.left_out => ("explains your example:", "explains", if gain.nats > 0.0 { Role::Good } else { Role::Bad }),
        Some(true) => ("gains on the query:", "gains", Role::Good),
        Some(false) => ("loses to the query:", "loses", Role::Bad),
        None => return Some(("as good as the query".to_owned(), Role::Dim)),
    };
    let unit = if gain.left_out { " an example" } else { "" };
    let text = if short { format!("{brief} {} nats", plus(gain.nats)) } else { format!("{long} {} nats{unit}", plus(gain.nats)) };
    Some((text, if stale { Role::Dim } else { role }))
}

/// Next-token probabilities, one per row.
fn bars(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, shown: &ShownAnswer) {
    let stale = is_stale(paint, shown);
    let width = usize::from(area.width);
    let name_width = (width / 2).clamp(4, 14);
    let bar_width = width.saturating_sub(name_width + 6).min(30) as u16;
    for (i, next) in shown.answer.top.iter().take(usize::from(area.height)).enumerate() {
        let mut spans = vec![paint.span(pad(&token(&next.token), name_width), if stale { Role::Dim } else { Role::Text })];
        spans.push(paint.span(format!(" {} ", probability(next.probability)), Role::Dim));
        spans.extend(paint.bar(next.probability, bar_width, if stale { Role::Border } else { Role::Bar }));
        put(buf, area, 0, i as u16, Line::from(spans));
    }
}

/// A probability in four characters.
fn probability(p: f64) -> String {
    if p >= 0.995 {
        "1.00".into()
    } else if p < 0.005 {
        "<.01".into()
    } else {
        let text = format!("{p:.2}");
        format!("{:>4}", text.trim_start_matches('0'))
    }
}

/// One answer in one line: source, text, log-probabilities, likeliest tokens.
fn row(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, index: usize, from: AnswerFrom, best: bool) {
    let state = paint.state;
    let selected = state.lab.answer == index;
    let focused = state.focus() == Focus::Answers && state.overlay.is_none();
    let pointer = paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim });
    let mut spans = vec![pointer, paint.span(pad(from.name(), 11), Role::Title)];
    match &state.lab.answers[index] {
        None => spans.push(paint.span(missing(paint, from), Role::Border)),
        Some(shown) if shown.answer.missing => spans.push(paint.span(shown.answer.origin.clone(), Role::Border)),
        Some(shown) => {
            let answer = &shown.answer;
            let stale = is_stale(paint, shown);
            let single = paint.size == Size::Single;
            let text_width = usize::from(area.width) * if single { 32 } else { 28 } / 100;
            spans.push(
                paint.span(pad(answer.text.trim_end_matches('\n').trim_start(), text_width), if stale { Role::Dim } else { Role::Strong }),
            );
            spans.push(paint.span(format!(" {:>7}", signed(answer.logprob, 2)), Role::Text));
            match answer.target_logprob {
                Some(t) => spans.push(
                    paint.span(format!(" {:>7}{}", signed(t, 2), if best { "★" } else { " " }), if best { Role::Good } else { Role::Dim }),
                ),
                None => spans.push(Span::raw(" ")),
            }
            let said = if from == AnswerFrom::Soup { gain(paint, true) } else { None };
            let tokens = if said.is_some() { 1 } else { 4 };
            for next in answer.top.iter().take(tokens) {
                spans.push(paint.span(format!(" {}", probability(next.probability)), Role::Dim));
                spans.push(paint.span(format!(" {} ", fit(&token(&next.token), 10)), Role::Text));
            }
            spans.extend(said.map(|(text, role)| paint.span(format!(" {text}"), role)));
        }
    }
    put(buf, area, 0, index as u16, Line::from(spans));
    if selected {
        paint.select(buf, area, index as u16, focused);
    }
}
