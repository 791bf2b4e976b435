//! The Lab tab: places its four panes.

use super::{answers, query, ranking, soup};
use crate::ui::layout;
use crate::ui::paint::Paint;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws it.
pub fn draw(paint: &Paint<'_>, body: Rect, buf: &mut Buffer) {
    let lines = paint.state.lab.query.lines().len() as u16;
    let areas = layout::lab(body, paint.size, paint.state.focus(), lines);
    query::draw(paint, areas.query, buf);
    ranking::draw(paint, areas.ranking, buf);
    soup::draw(paint, areas.soup, buf);
    answers::draw(paint, areas.answers, buf);
}
