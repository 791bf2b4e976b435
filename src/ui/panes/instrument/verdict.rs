//! The verdict below the Lab: the soup against the best skill and against the query alone.

use super::plus;
use crate::app::instrument::ask;
use crate::engine::JobKind;
use crate::lab::{Against, VerdictView};
use crate::stats::{Interval, Verdict};
use crate::ui::paint::Paint;
use crate::ui::theme::Role;
use ratatui::text::{Line, Span};

/// Its lines; none before a verdict is requested.
pub fn lines<'a>(paint: &Paint<'a>, width: u16) -> Vec<Line<'a>> {
    let state = paint.state;
    if let Some(running) = state.jobs.running(JobKind::Verdict) {
        let count = if running.total > 0 { format!("{} of {} questions", running.done, running.total) } else { "…".into() };
        return vec![Line::from(vec![
            paint.span(" verdict ", Role::Title),
            paint.span(count, Role::Stale),
            paint.span("  (V stops it)", Role::Dim),
        ])];
    }
    let Some(view) = &state.lab.instruments.verdict else { return Vec::new() };
    let stale = ask::verdict(state).ok().as_ref() != Some(&view.request);
    view.against.iter().map(|against| line(paint, view, against, stale, usize::from(width))).collect()
}

fn line<'a>(paint: &Paint<'a>, view: &VerdictView, against: &Against, stale: bool, width: usize) -> Line<'a> {
    let (word, role) = judged(&against.accuracy);
    let role = if stale { Role::Dim } else { role };
    let mut spans = vec![
        Span::raw(" "),
        paint.span(format!("soup − {}: ", against.name), if stale { Role::Dim } else { Role::Text }),
        paint.span(
            format!("{} accuracy {}, n = {}", plus(against.accuracy.mean, 2), range(&against.accuracy), against.accuracy.n),
            Role::Dim,
        ),
        paint.span(format!(": {word}"), role),
    ];
    // What follows is shown as far as there is room.
    let (word, role) = judged(&against.logprob);
    let mut more = Vec::new();
    if stale {
        more.push(paint.span(" (of an earlier soup or query)", Role::Stale));
    }
    more.push(paint.span(
        format!(" · ln p {} {}: {word}", plus(against.logprob.mean, 2), range(&against.logprob)),
        if stale { Role::Dim } else { role },
    ));
    more.push(paint.span(format!(" · {}, soup {:.2}", view.task, view.accuracy), Role::Dim));
    for span in more {
        if spans.iter().map(Span::width).sum::<usize>() + span.width() > width {
            break;
        }
        spans.push(span);
    }
    Line::from(spans)
}

fn range(interval: &Interval) -> String {
    format!("[{}, {}]", crate::ui::paint::signed(interval.low, 2), crate::ui::paint::signed(interval.high, 2))
}

/// The verdict on an interval of differences.
fn judged(difference: &Interval) -> (&'static str, Role) {
    match Verdict::above(0.0, difference) {
        Verdict::Supported => ("better", Role::Good),
        Verdict::Contradicted => ("worse", Role::Bad),
        Verdict::NotDistinguishable => ("not distinguishable", Role::Text),
    }
}
