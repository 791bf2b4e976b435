//! The live ranking: rank, change of rank, name, bar, similarity, and the evidence of the query's
//! examples: the nats per answer token that the task explains, and its posterior. Bars span the
//! list's worst to its best similarity.

use crate::app::Focus;
use crate::app::lab::{metric_name, part_name};
use crate::app::screen::Target;
use crate::engine::JobKind;
use crate::lab::Evidence;
use crate::library::{Metric, Ranking};
use crate::ui::paint::{Paint, fit, pad, put, scroll, signed, wrap};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// One row, for a task or a skill.
struct Row<'r> {
    name: &'r str,
    task: &'r str,
    skill: &'r str,
    score: f32,
    mean: Option<f32>,
    change: Option<i32>,
}

/// Draws the pane.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    paint.hit(area, Target::Pane(Focus::Ranking));
    let state = paint.state;
    let lab = &state.lab;
    let focused = state.focus() == Focus::Ranking && state.overlay.is_none();
    let evidence = lab.present_evidence();
    let weighing = lab.weighs && (state.jobs.is_running(JobKind::Weigh) || lab.weigh_at.is_some()) && lab.ranking.is_some();
    let stale = state.jobs.is_running(JobKind::Rank) && lab.ranking.is_some() || weighing && evidence.is_none();
    let what = match (lab.by_task, evidence.is_some() && lab.by_evidence) {
        (true, true) => "Tasks by evidence",
        (true, false) if lab.weighs => "Tasks by similarity",
        (true, false) => "Tasks",
        (false, _) => "Skills",
    };
    let title = if stale { format!("{what} …") } else { what.to_owned() };
    let layers = &lab.view.layers;
    let layers = if layers.len() == 1 { format!("layer {}", layers.start) } else { format!("layers {}..{}", layers.start, layers.end) };
    let right = vec![paint.span(format!("{} · {layers} · {}", metric_name(lab.view.metric), part_name(lab.view.part)), Role::Dim)];
    let inner = paint.panel(buf, area, &title, right, focused);
    let Some(ranking) = &lab.ranking else { return nothing_yet(paint, inner, buf) };
    let words = evidence.map(|e| said(e, usize::from(inner.width.saturating_sub(2)))).unwrap_or_default();
    // The sentence may take two lines if that leaves enough room for the list.
    let most = if inner.height >= 12 { 2 } else { 1 };
    let footer = if inner.height >= 4 { words.len().clamp(1, most) as u16 } else { 0 };
    let list = Rect { height: inner.height.saturating_sub(footer), ..inner };
    rows(paint, list, buf, ranking, evidence, focused);
    let foot = Rect { y: inner.y + list.height, height: footer, ..inner };
    match evidence {
        Some(evidence) => {
            let role = if evidence.fits { Role::Text } else { Role::Bad };
            for (i, line) in words.into_iter().take(usize::from(footer)).enumerate() {
                put(buf, foot, 1, i as u16, Line::from(paint.span(line, role)));
            }
        }
        None if footer > 0 => figures(paint, foot, buf, ranking),
        None => {}
    }
}

/// The result of the evidence and its amount, in lines.
fn said(evidence: &Evidence, width: usize) -> Vec<String> {
    let read =
        if evidence.is_whole() { String::new() } else { format!(" {} of {} tasks are read so far.", evidence.tasks.len(), evidence.asked) };
    let unread = evidence.unread.words().map_or_else(String::new, |words| format!(" {words}"));
    wrap(&format!("{}{read}{unread}", evidence.words()), width)
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

/// The columns that fit.
struct Columns {
    name: usize,
    bar: u16,
    mean: bool,
    explains: bool,
    /// Cells of the posterior; 0 if it does not fit.
    posterior: usize,
}

impl Columns {
    fn fit(width: usize, weighs: bool, by_task: bool) -> Self {
        let explains = weighs && by_task && width >= 36;
        let posterior = if !explains || width < 46 {
            0
        } else if width < 54 {
            6
        } else {
            10
        };
        let mean = !weighs && by_task && width >= 52;
        // pointer 1, place 3, change 4, name, blank 1, bar, similarity 7, (mean 7 | explains 9,
        // posterior), mark 2
        let fixed = 1 + 3 + 4 + 2 + 7 + if mean { 7 } else { 0 } + if explains { 9 } else { 0 } + posterior + 2;
        let free = width.saturating_sub(fixed);
        let name = if explains { free.min((free * 3 / 4).clamp(14, 30)) } else { free.min((free * 3 / 5).clamp(12, 28)) };
        Self { name, bar: free.saturating_sub(name).min(48) as u16, mean, explains, posterior }
    }

    /// Whether the word "unseen" follows the names of unseen tasks, rather than a star.
    fn spells_unseen(&self) -> bool {
        self.name >= 26
    }

    fn heading(&self) -> String {
        let similarity = if self.bar >= 6 { "similarity" } else { "simil." };
        let task = if self.spells_unseen() { "task" } else { "task (* unseen)" };
        let mut text = format!("   # ±  {}{similarity:>fill$}", pad(task, self.name), fill = 8 + usize::from(self.bar));
        if self.explains {
            text += " explains";
        }
        match self.posterior {
            0 => {}
            6 => text += "  post.",
            _ => text += "  posterior",
        }
        text
    }
}

fn rows(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, ranking: &Ranking, evidence: Option<&Evidence>, focused: bool) {
    let lab = &paint.state.lab;
    let rows: Vec<Row<'_>> = if lab.by_task {
        ranking
            .by_task
            .iter()
            .map(|t| Row { name: &t.task, task: &t.task, skill: &t.skill, score: t.score, mean: Some(t.mean), change: t.change })
            .collect()
    } else {
        ranking
            .ranking
            .iter()
            .map(|s| Row { name: &s.skill, task: &s.task, skill: &s.skill, score: s.score, mean: None, change: s.change })
            .collect()
    };
    let finite = || rows.iter().map(|r| r.score).filter(|s| s.is_finite());
    let (low, high) = (finite().fold(f32::INFINITY, f32::min), finite().fold(f32::NEG_INFINITY, f32::max));
    let digits = if lab.view.metric == Metric::L2 { 2 } else { 3 };
    let columns = Columns::fit(usize::from(area.width), lab.weighs, lab.by_task);
    let head = u16::from(lab.weighs && lab.by_task && area.height >= 5);
    if head > 0 {
        put(buf, area, 0, 0, Line::from(paint.span(columns.heading(), Role::Dim)));
    }
    let area = Rect { y: area.y + head, height: area.height - head, ..area };
    let first = scroll(lab.selected, rows.len(), usize::from(area.height));
    for (line, (i, row)) in rows.iter().enumerate().skip(first).take(usize::from(area.height)).enumerate() {
        let selected = i == lab.selected;
        let told = evidence.filter(|_| lab.by_task).and_then(|e| e.of(row.task));
        let in_soup = lab.bench.soup.ingredients.iter().any(|x| x.skill == row.skill || x.mean && x.skill == row.task);
        let share = if high > low { f64::from((row.score - low) / (high - low)) } else { 1.0 };
        let strong = if i == 0 { Role::Strong } else { Role::Text };
        let is_unseen = paint.state.library.as_deref().is_some_and(|l| l.is_unseen(row.task));
        let mark = match is_unseen {
            true if columns.spells_unseen() => " (unseen)",
            true => "*",
            false => "",
        };
        // The name is cut before the mark is.
        let name = format!("{}{mark}", fit(row.name, columns.name.saturating_sub(mark.len())));
        let mut spans = vec![
            paint.span(if selected { "▸" } else { " " }, if focused { Role::Focus } else { Role::Dim }),
            paint.span(format!("{:>3}", i + 1), Role::Dim),
            change(paint, row.change),
            paint.span(pad(&name, columns.name), strong),
            Span::raw(" "),
        ];
        spans.extend(paint.bar(share, columns.bar, Role::Bar));
        spans.push(paint.span(format!(" {:>6}", signed(f64::from(row.score), digits)), strong));
        if columns.mean {
            spans.push(paint.span(format!(" {:>6}", signed(f64::from(row.mean.unwrap_or(f32::NAN)), digits)), Role::Dim));
        }
        if columns.explains {
            let (text, role) = match told {
                // A mark beside the number: colour never stands alone.
                Some(t) if t.gain > 0.0 => (format!(" {:>6} ✓", plus(t.gain)), Role::Good),
                Some(t) => (format!(" {:>6} ✗", plus(t.gain)), Role::Bad),
                None => (" ".repeat(9), Role::Dim),
            };
            spans.push(paint.span(text, role));
        }
        if columns.posterior > 0 {
            let text = told.map_or(String::new(), |t| format!("{:.3}", t.posterior));
            spans.push(paint.span(format!("{text:>fill$}", fill = columns.posterior), strong));
        }
        spans.push(paint.span(if in_soup { " ●" } else { "  " }, Role::Mark));
        put(buf, area, 0, line as u16, Line::from(spans));
        paint.hit_row(area, line as u16, Target::Row(Focus::Ranking, i));
        if selected {
            paint.select(buf, area, line as u16, focused);
        }
    }
}

/// A number of nats with its sign.
pub fn plus(nats: f64) -> String {
    if nats > 0.0 { format!("+{nats:.2}") } else { signed(nats, 2) }
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
    put(buf, area, 1, 0, line);
}
