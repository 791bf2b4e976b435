//! The picture: `draw(&State, area, &mut Buffer)`, a pure function of the state.
//!
//! - [`draw`](self::draw()): header, tab, footer, overlay; [`layout`]: the place of each pane at
//!   each size.
//! - [`big`]: large figures; [`theme`]: colours by role; [`glyphs`]: bars and points in each glyph
//!   set; [`paint`]: text helpers and panels.
//! - [`chart`]: curves with axes, letters and a legend.
//! - [`hit`](self::hit()): what lies under the pointer.
//! - [`panes`]: one file per pane.
//! - [`export`]: a drawn buffer as text, ANSI or SVG; [`sgr`]: styles as escape sequences.

pub mod big;
pub mod chart;
pub mod draw;
pub mod export;
pub mod film;
pub mod glyphs;
pub mod hit;
pub mod layout;
pub mod paint;
pub mod panes;
pub mod sgr;
pub mod theme;

pub use draw::{draw, draw_editing};
pub use hit::hit;

/// A text in lines of at most `width` columns.
pub fn wrapped(text: &str, width: usize) -> String {
    paint::wrap(text, width).join("\n")
}
