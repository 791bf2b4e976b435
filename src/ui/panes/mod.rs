//! The panes, one file each; each has a `draw(&Paint, area, &mut Buffer)`.
//!
//! [`header`] and [`footer`] frame every tab. [`lab`] places [`query`], [`ranking`], [`soup`] and
//! [`answers`]. [`map`], [`decay`], [`experiments`], [`library`] and [`session`] are tabs
//! themselves. [`present`] is the Lab for an audience, and [`show`] the banner of a session being
//! played. [`overlay`] draws help, palette, prompts and forms above everything.

pub mod answers;
pub mod decay;
pub mod experiments;
pub mod footer;
pub mod guide;
pub mod header;
pub mod instrument;
pub mod lab;
pub mod library;
pub mod map;
pub mod overlay;
pub mod present;
pub mod query;
pub mod ranking;
pub mod session;
pub mod show;
pub mod soup;
