//! The list of snapshots: the name, and the recipe or the reason why it cannot be mixed here.

use super::window;
use crate::app::instrument::sides::misfit;
use crate::app::line::Line as Input;
use crate::ui::paint::{Paint, fit, pad, put, scroll};
use crate::ui::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

/// Draws the panel.
pub fn draw(paint: &Paint<'_>, area: Rect, buf: &mut Buffer, selected: usize, naming: Option<&Input>) {
    let hint = if naming.is_some() {
        "enter names it, esc leaves"
    } else {
        "enter restores · r names · x deletes · u undoes · b to A/B · w keeps"
    };
    let sides = &paint.state.lab.instruments.sides;
    let title = if sides.kept.is_some() { "Snapshots, kept for later sittings too" } else { "Snapshots of this sitting" };
    let inner = window(paint, area, buf, (90, 18), title, hint);
    if sides.snapshots.is_empty() {
        return paint.centred(buf, inner, &[("No snapshots yet; w keeps the soup as it is.".into(), Role::Dim)]);
    }
    let name_width = (usize::from(inner.width) / 3).clamp(10, 26);
    let first = scroll(selected, sides.snapshots.len(), usize::from(inner.height));
    for (row, (i, snapshot)) in sides.snapshots.iter().enumerate().skip(first).take(usize::from(inner.height)).enumerate() {
        let recipe = snapshot.soup.to_recipe().map_or_else(|| "nothing that counts".into(), |r| r.to_string());
        let present = snapshot.soup == paint.state.lab.bench.soup;
        // Not known before the library is open.
        let misfit = misfit(paint.state, &snapshot.soup).filter(|_| paint.state.library.is_some());
        let (mark, mark_role) = if misfit.is_some() { ("!", Role::Bad) } else { (if present { "●" } else { " " }, Role::Mark) };
        let about = misfit.unwrap_or(recipe);
        let line = Line::from(vec![
            paint.span(if i == selected { "▸" } else { " " }, Role::Focus),
            paint.span(mark, mark_role),
            paint.span(pad(&snapshot.name, name_width), Role::Strong),
            Span::raw(" "),
            paint.span(fit(&about, usize::from(inner.width).saturating_sub(name_width + 3)), Role::Dim),
        ]);
        put(buf, inner, 0, row as u16, line);
        if i == selected {
            paint.select(buf, inner, row as u16, naming.is_none());
            if let Some(line) = naming {
                let field = Rect { width: inner.width.min(name_width as u16 + 2), ..inner };
                put(buf, field, 2, row as u16, Line::from(" ".repeat(name_width)));
                paint.field(buf, field, 2, row as u16, line, true);
            }
        }
    }
}
