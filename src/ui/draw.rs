//! The whole screen.

use super::glyphs;
use super::hit::Hits;
use super::layout::{self, FLOOR, Size};
use super::paint::{Paint, put, wrap};
use super::panes;
use super::theme::{Role, Theme};
use crate::app::{GlyphSet, State, Tab};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

/// Draws the state into an area of the buffer. Pure: equal states give equal pictures.
pub fn draw(state: &State, area: Rect, buf: &mut Buffer) {
    draw_noting(state, area, buf, &Hits::default());
}

/// Draws the state; returns the position for the terminal's own cursor if a text is edited.
pub fn draw_editing(state: &State, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let hits = Hits::default();
    draw_noting(state, area, buf, &hits);
    hits.caret().filter(|at| area.contains(*at))
}

/// Draws the state, and notes the targets of clicks.
pub(super) fn draw_noting(state: &State, area: Rect, buf: &mut Buffer, hits: &Hits) {
    let area = area.intersection(buf.area);
    let size = Size::of(area);
    let paint = Paint { state, theme: Theme::new(state.look, &state.palette), set: state.look.glyphs, size, hits };
    if size == Size::Floor {
        floor(&paint, area, buf);
    } else {
        let notice = notice_lines(&paint, area.width);
        let banner = panes::show::lines(&paint, area.width);
        let told = banner.len() as u16;
        let [header, body, above, footer] = layout::frame(area, told + notice.len() as u16);
        panes::header::draw(&paint, header, buf);
        match state.tab {
            Tab::Lab if state.present => panes::present::draw(&paint, body, buf),
            Tab::Lab => panes::lab::draw(&paint, body, buf),
            Tab::Map => panes::map::draw(&paint, body, buf),
            Tab::Decay => panes::decay::draw(&paint, body, buf),
            Tab::Experiments => panes::experiments::draw(&paint, body, buf),
            Tab::Library => panes::library::draw(&paint, body, buf),
            Tab::Session => panes::session::draw(&paint, body, buf),
        }
        panes::show::draw(above, buf, banner);
        let bad = state.notice.as_ref().is_some_and(|n| n.bad);
        for (row, text) in notice.into_iter().enumerate() {
            let role = if bad { Role::Bad } else { Role::Good };
            put(buf, above, 0, told + row as u16, Line::from(paint.span(text, role)));
        }
        panes::footer::draw(&paint, footer, buf);
        panes::overlay::draw(&paint, area, buf);
    }
    if state.look.glyphs == GlyphSet::Ascii {
        glyphs::only_ascii(area, buf);
    }
}

fn floor(paint: &Paint<'_>, area: Rect, buf: &mut Buffer) {
    let text = format!("state-soup needs {}×{}, this terminal has {}×{}", FLOOR.0, FLOOR.1, area.width, area.height);
    paint.centred(buf, area, &[(text, Role::Text)]);
}

/// The notice, wrapped to at most three lines.
fn notice_lines(paint: &Paint<'_>, width: u16) -> Vec<String> {
    let Some(notice) = &paint.state.notice else { return Vec::new() };
    let mark = if notice.bad { " ! " } else { " · " };
    let end = if notice.bad { "  (esc)" } else { "" };
    let lines = wrap(&format!("{}{end}", notice.text.replace('\n', " ")), usize::from(width.saturating_sub(4)));
    lines.into_iter().take(3).enumerate().map(|(i, l)| format!("{}{l}", if i == 0 { mark } else { "   " })).collect()
}
