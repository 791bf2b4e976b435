//! The experiments: the list of claims, and the report of the selected one.

mod list;
mod picture;
mod result;

use crate::app::Focus;
use crate::experiment::Finding;
use crate::stats::Verdict;
use crate::ui::layout::{self, Size};
use crate::ui::paint::Paint;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws it.
pub fn draw(paint: &Paint<'_>, body: Rect, buf: &mut Buffer) {
    let columns = match paint.size {
        Size::Wide => 62,
        Size::Medium => 42,
        Size::Small => 28,
        Size::Single | Size::Floor => {
            return if paint.state.focus() == Focus::Result { result::draw(paint, body, buf) } else { list::draw(paint, body, buf) };
        }
    };
    let (left, right) = layout::left(body, columns, u16::from(!paint.size.boxed()));
    list::draw(paint, left, buf);
    result::draw(paint, right, buf);
}

/// A verdict's sign and role; the sign identifies it without colour.
fn sign(verdict: Verdict) -> (&'static str, Role) {
    match verdict {
        Verdict::Supported => ("+", Role::Good),
        Verdict::Contradicted => ("−", Role::Bad),
        Verdict::NotDistinguishable => ("≈", Role::Stale),
    }
}

/// Effect and interval, always with their signs: `+0.012 [0.004, 0.021]`.
fn effect(finding: &Finding) -> String {
    let plus = if finding.interval.mean > 0.0 { "+" } else { "" };
    format!("{plus}{}", finding.interval)
}
