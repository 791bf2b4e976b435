//! The Decay tab: the document with its chunks marked, the rules, the loss after the join by
//! position, and errors and half-lives by layer.
//!
//! ```text
//! ╭ Document ────╮╭ Rules ──────────╮   below 80 × 22 the focused pane alone
//! ╰──────────────╯╰─────────────────╯
//! ╭ Layers ──────╮╭ Loss by position ╮
//! ╰──────────────╯╰──────────────────╯
//! ```

mod document;
mod layers;
mod positions;
mod rules;

use crate::app::{Focus, State};
use crate::engine::JobKind;
use crate::ui::layout::{self, Size};
use crate::ui::paint::Paint;
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The panes; one that is not shown is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Areas {
    document: Rect,
    rules: Rect,
    positions: Rect,
    layers: Rect,
}

/// Draws it.
pub fn draw(paint: &Paint<'_>, body: Rect, buf: &mut Buffer) {
    let areas = areas(body, paint.size, paint.state.focus(), paint.state.layers() as u16);
    document::draw(paint, areas.document, buf);
    rules::draw(paint, areas.rules, buf);
    positions::draw(paint, areas.positions, buf);
    layers::draw(paint, areas.layers, buf);
}

fn areas(body: Rect, size: Size, focus: Focus, layer_count: u16) -> Areas {
    if matches!(size, Size::Single | Size::Floor) {
        let only = |pane| if focus == pane { body } else { Rect::ZERO };
        let [document, rules, positions, layers] = [Focus::Document, Focus::Rules, Focus::Positions, Focus::Layers].map(only);
        return Areas { document, rules, positions, layers };
    }
    let (frame, gap) = if size.boxed() { (2, 0) } else { (1, 1) };
    let (first, second) = layout::left(body, body.width * 46 / 100, gap);
    // All layers with heading and legend, but at most two thirds of the height: the rest scrolls.
    let layers = (layer_count + 2 + frame).min(body.height * 2 / 3);
    let (document, layers) = layout::top(first, body.height - layers);
    let (rules, positions) = layout::top(second, (12 + frame).min(body.height));
    Areas { document, rules, positions, layers }
}

/// A title, with a sign while newer numbers are being computed.
fn title(state: &State, name: &str) -> String {
    let stale = state.jobs.is_running(JobKind::Decay) || state.decay.is_behind();
    if stale && state.decay.view.is_some() { format!("{name} …") } else { name.to_owned() }
}

/// Why there are no numbers.
fn nothing_yet(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let state = paint.state;
    if let Some(why) = &state.decay.refused {
        let help = "e edits the document, o opens a file, s takes a sample.";
        return paint.centred(buf, area, &[(why.clone(), Role::Bad), (help.into(), Role::Dim)]);
    }
    let text = if state.model.is_none() {
        "Loading the model …"
    } else if state.jobs.is_running(JobKind::Decay) || state.decay.run_at.is_some() {
        "Reading the chunks …"
    } else {
        "Not compared yet; r compares the rules."
    };
    paint.centred(buf, area, &[(text.into(), Role::Dim)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_neither_overlap_nor_leave_the_screen() {
        for width in (60..=300).step_by(9) {
            for height in 16..=100 {
                let area = Rect::new(0, 0, width, height);
                let [_, body, ..] = layout::frame(area, 0);
                for (focus, layers) in [(Focus::Rules, 12), (Focus::Document, 64), (Focus::Layers, 0)] {
                    let a = areas(body, Size::of(area), focus, layers);
                    let all = [a.document, a.rules, a.positions, a.layers];
                    for (i, a) in all.iter().enumerate() {
                        assert!(a.is_empty() || body.union(*a) == body, "{width}×{height}: {a:?} leaves {body:?}");
                        for b in &all[i + 1..] {
                            assert!(!a.intersects(*b) || a.is_empty() || b.is_empty(), "{width}×{height}: {a:?} overlaps {b:?}");
                        }
                    }
                }
            }
        }
    }
}
