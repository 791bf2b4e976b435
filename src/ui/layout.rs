//! The place of each pane. Four layouts, and a least size:
//!
//! ```text
//! ≥ 140 × 34 (wide)                 ≥ 100 × 30 (medium)            smaller (small): rules instead of boxes
//! ╭ Query ──────╮╭ Ranking ─────╮   ╭ Query ────╮╭ Soup ─────╮     ─ Query ──────────  ─ Soup ────────
//! ╰─────────────╯│              │   ╰───────────╯│           │     ─ Ranking ────────
//! ╭ Soup ───────╮│              │   ╭ Ranking ──╮│           │
//! ╰─────────────╯╰──────────────╯   ╰───────────╯╰───────────╯
//! ╭ Answers, five columns ──────╮   ╭ Answers, five columns ─╮     ─ Answers, five rows ─────────────
//! ╰─────────────────────────────╯   ╰────────────────────────╯
//! ```
//!
//! Below 80 × 22 only the focused pane is shown, with the query above it. Below 60 × 16 one line
//! states the size needed.

use crate::app::Focus;
use ratatui::layout::Rect;

/// The least size that is drawn, in columns and rows.
pub const FLOOR: (u16, u16) = (60, 16);

/// The layout for a size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// At least 140 × 34.
    Wide,
    /// At least 100 × 30.
    Medium,
    /// At least 80 × 22.
    Small,
    /// At least 60 × 16: one pane at a time.
    Single,
    /// Too small for anything.
    Floor,
}

impl Size {
    /// The layout for a terminal.
    pub fn of(area: Rect) -> Self {
        match (area.width, area.height) {
            (w, h) if w < FLOOR.0 || h < FLOOR.1 => Self::Floor,
            (w, h) if w >= 140 && h >= 34 => Self::Wide,
            (w, h) if w >= 100 && h >= 30 => Self::Medium,
            (w, h) if w >= 80 && h >= 22 => Self::Small,
            _ => Self::Single,
        }
    }

    /// Whether panes have boxes around them.
    pub fn boxed(self) -> bool {
        matches!(self, Self::Wide | Self::Medium)
    }
}

/// The areas of header, body, notice and footer.
pub fn frame(area: Rect, notice_lines: u16) -> [Rect; 4] {
    let notice_lines = notice_lines.min(area.height.saturating_sub(2));
    let body = area.height.saturating_sub(2 + notice_lines);
    [
        Rect { height: area.height.min(1), ..area },
        Rect::new(area.x, area.y + 1, area.width, body),
        Rect::new(area.x, area.y + 1 + body, area.width, notice_lines),
        Rect::new(area.x, area.y + area.height.saturating_sub(1), area.width, area.height.min(1)),
    ]
}

/// The Lab's panes; a pane that is not shown is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabAreas {
    /// Query editor.
    pub query: Rect,
    /// Ranking.
    pub ranking: Rect,
    /// Soup.
    pub soup: Rect,
    /// Answers and target.
    pub answers: Rect,
}

/// Cuts `rows` from the top.
pub fn top(area: Rect, rows: u16) -> (Rect, Rect) {
    let rows = rows.min(area.height);
    (Rect { height: rows, ..area }, Rect::new(area.x, area.y + rows, area.width, area.height - rows))
}

/// Cuts `columns` from the left, leaving `gap` between.
pub fn left(area: Rect, columns: u16, gap: u16) -> (Rect, Rect) {
    let columns = columns.min(area.width);
    let skip = (columns + gap).min(area.width);
    (Rect { width: columns, ..area }, Rect::new(area.x + skip, area.y, area.width - skip, area.height))
}

/// The Lab's panes.
pub fn lab(body: Rect, size: Size, focus: Focus, query_lines: u16) -> LabAreas {
    match size {
        Size::Wide => {
            let answers = (body.height * 2 / 5).clamp(17, 22);
            let (upper, answers) = top(body, body.height - answers);
            let (first, ranking) = left(upper, body.width * 46 / 100, 0);
            let (query, soup) = top(first, (query_lines + 4).clamp(7, 14).min(first.height / 2));
            LabAreas { query, ranking, soup, answers }
        }
        Size::Medium => {
            let answers = (body.height * 2 / 5).clamp(13, 18);
            let (upper, answers) = top(body, body.height - answers);
            let (first, soup) = left(upper, body.width * 54 / 100, 0);
            let (query, ranking) = top(first, (query_lines + 2).clamp(5, 8));
            LabAreas { query, ranking, soup, answers }
        }
        Size::Small => {
            let (upper, answers) = top(body, body.height.saturating_sub(if body.height >= 24 { 9 } else { 7 }));
            let (first, soup) = left(upper, body.width * 52 / 100, 1);
            let (query, ranking) = top(first, (query_lines + 1).clamp(4, 6));
            LabAreas { query, ranking, soup, answers }
        }
        Size::Single | Size::Floor => {
            let (query, rest) = top(body, 4);
            let none = Rect::ZERO;
            match focus {
                Focus::Soup => LabAreas { query, ranking: none, soup: rest, answers: none },
                Focus::Answers | Focus::Target => LabAreas { query, ranking: none, soup: none, answers: rest },
                _ => LabAreas { query, ranking: rest, soup: none, answers: none },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panes_neither_overlap_nor_leave_the_screen() {
        for width in (60..=300).step_by(7) {
            for height in 16..=100 {
                let area = Rect::new(0, 0, width, height);
                let size = Size::of(area);
                let [_, body, ..] = frame(area, 0);
                for focus in [Focus::Query, Focus::Soup, Focus::Answers] {
                    let panes = lab(body, size, focus, 3);
                    let all = [panes.query, panes.ranking, panes.soup, panes.answers];
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
