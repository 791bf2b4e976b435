//! The picture: `draw(&State, area, &mut Buffer)`, a pure function of the state.
//!
//! - [`draw`](self::draw()): header, tab, footer, overlay; [`layout`]: which pane lies where at which size.
//! - [`big`]: large figures; [`theme`]: colours by role; [`glyphs`]: bars and points in each glyph set; [`paint`]: text helpers and panels.
//! - [`chart`]: curves with axes, letters and a legend.
//! - [`panes`]: one file a pane.
//! - [`export`]: a drawn buffer as text, ANSI or SVG.

pub mod big;
pub mod chart;
pub mod draw;
pub mod export;
pub mod glyphs;
pub mod layout;
pub mod paint;
pub mod panes;
pub mod theme;

pub use draw::draw;
