//! The target under the pointer, and the position where a text is edited. Panes note the position
//! of their rows while they draw, so the answer always matches the picture.

use crate::app::State;
use crate::app::screen::Target;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::cell::{Cell, RefCell};

/// The areas of a picture and their targets, in drawing order.
#[derive(Debug, Default)]
pub struct Hits(RefCell<Vec<(Rect, Target)>>, Cell<Option<Position>>);

impl Hits {
    /// Notes the position where a text is edited.
    pub fn edited_at(&self, x: u16, y: u16) {
        self.1.set(Some(Position::new(x, y)));
    }

    /// The position where a text is edited, if any.
    pub fn caret(&self) -> Option<Position> {
        self.1.get()
    }

    /// Notes an area and its target.
    pub fn add(&self, area: Rect, target: Target) {
        if !area.is_empty() {
            self.0.borrow_mut().push((area, target));
        }
    }

    /// The last target drawn at a position. Points are small, so one beside the pointer counts if
    /// only its pane is under the pointer.
    fn at(&self, position: Position) -> Option<Target> {
        let all = self.0.borrow();
        let under = all.iter().rev().find(|(area, _)| area.contains(position)).map(|(_, target)| *target)?;
        let Target::Pane(focus) = under else { return Some(under) };
        let distance = |area: &Rect| (2 * area.y.abs_diff(position.y)).max(area.x.abs_diff(position.x));
        let points = all.iter().filter(|(area, t)| area.area() == 1 && matches!(t, Target::Row(f, _) if *f == focus));
        let nearest = points.filter(|(area, _)| distance(area) <= 2).min_by_key(|(area, _)| distance(area));
        Some(nearest.map_or(under, |(_, target)| *target))
    }
}

/// The target at a column and row of the state's picture in `area`, if there is one. Pure.
pub fn hit(state: &State, area: Rect, column: u16, row: u16) -> Option<Target> {
    let hits = Hits::default();
    super::draw::draw_noting(state, area, &mut Buffer::empty(area), &hits);
    hits.at(Position::new(column, row))
}
