//! The panels of the Lab's instruments, drawn above the tab, one file each; [`verdict`] draws lines
//! below the Lab.

mod attribution;
mod autopsy;
mod diff;
mod ecg;
mod landscape;
mod snapshots;
pub mod verdict;

use super::overlay::window;
use crate::app::instrument::Panel;
use crate::engine::JobKind;
use crate::ui::paint::{Paint, put, wrap};
use crate::ui::theme::Role;
pub use autopsy::foot as autopsy_foot;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

/// Draws a panel.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, panel: &Panel) {
    match panel {
        Panel::Snapshots { selected, naming } => snapshots::draw(paint, area, buf, *selected, naming.as_ref()),
        Panel::Diff { scroll } => diff::draw(paint, area, buf, *scroll),
        Panel::Ecg { cursor } => ecg::draw(paint, area, buf, *cursor),
        Panel::Landscape { mix } => landscape::draw(paint, area, buf, mix),
        Panel::Attribution => attribution::draw(paint, area, buf),
        Panel::Autopsy { layer } => autopsy::draw(paint, area, buf, *layer),
    }
}

/// The text of a panel whose reading has not arrived yet.
fn waiting(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, kind: JobKind) {
    let text = match paint.state.jobs.running(kind) {
        Some(running) if running.total > 0 => format!("Measuring: {} of {} {} …", running.done, running.total, running.unit),
        Some(_) => "Measuring …".into(),
        None => "Nothing was measured; the key that opened this asks again.".into(),
    };
    paint.centred(buf, area, &[(text, Role::Dim)]);
}

/// The ramp's role for a share from 0 to 1.
fn ramp(share: f64) -> Role {
    Role::Ramp((share.clamp(0.0, 1.0) * 4.0).round() as usize)
}

/// A number with its sign, including `+`.
fn plus(value: f64, digits: usize) -> String {
    let text = crate::ui::paint::signed(value, digits);
    if value > 0.0 && !text.chars().all(|c| matches!(c, '0' | '.')) { format!("+{text}") } else { text }
}

/// Writes a wrapped sentence from a row on; returns the row after it.
fn sentence(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, row: u16, text: &str, role: Role) -> u16 {
    let lines = wrap(text, usize::from(area.width));
    let after = row + lines.len() as u16;
    for (i, line) in lines.into_iter().enumerate() {
        put(buf, area, 0, row + i as u16, Line::from(paint.span(line, role)));
    }
    after
}
