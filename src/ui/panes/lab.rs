//! The Lab tab: places its four panes, and below them the verdict if there is one.

use super::instrument::verdict;
use super::{answers, query, ranking, soup};
use crate::ui::layout;
use crate::ui::paint::{Paint, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// Draws the tab.
pub fn draw(paint: &Paint<'_>, body: Rect, buf: &mut Buffer) {
    let verdict = verdict::lines(paint, body.width);
    let rows = (verdict.len() as u16).min(body.height / 8);
    let foot = Rect::new(body.x, body.y + body.height - rows, body.width, rows);
    for (row, line) in verdict.into_iter().enumerate() {
        put(buf, foot, 0, row as u16, line);
    }
    let body = Rect { height: body.height - rows, ..body };
    let lines = paint.state.lab.query.lines().len() as u16;
    let areas = layout::lab(body, paint.size, paint.state.focus(), lines);
    query::draw(paint, areas.query, buf);
    ranking::draw(paint, areas.ranking, buf);
    soup::draw(paint, areas.soup, buf);
    answers::draw(paint, areas.answers, buf);
}
