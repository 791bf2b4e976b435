//! The panes, one file each; every one has `draw(&Paint, area, &mut Buffer)`.
//!
//! [`header`] and [`footer`] frame every tab. [`lab`] places [`query`], [`ranking`], [`soup`] and
//! [`answers`]; [`map`], [`decay`], [`experiments`], [`library`] and [`session`] are tabs of their
//! own; [`present`] is the Lab for an audience and [`show`] the banner of a played session;
//! [`overlay`] draws help, palette, prompts and forms above all, [`guide`] the pages of the guide.

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
