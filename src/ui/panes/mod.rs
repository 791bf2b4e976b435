//! The panes, one file each; every one has `draw(&Paint, area, &mut Buffer)`.
//!
//! [`header`] and [`footer`] frame every tab. [`lab`] places [`query`], [`ranking`], [`soup`] and [`answers`]; [`map`] and
//! [`library`] are tabs of their own; [`overlay`] draws help, palette, prompts and forms above all.

pub mod answers;
pub mod footer;
pub mod header;
pub mod instrument;
pub mod lab;
pub mod library;
pub mod map;
pub mod overlay;
pub mod query;
pub mod ranking;
pub mod soup;
