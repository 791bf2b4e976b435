//! What the screen knows and how it changes: plain values, no terminal, no runtime, no device.
//!
//! The rule is `Key → Action → State`. A key is looked up in the one command table, which names an
//! [`Action`]. [`update()`] applies the action and returns [`Effect`]s for the loop in `term` to
//! carry out. The engine's results come back as actions too. `update` is deterministic (time
//! arrives as [`Action::Tick`]): the same actions and results always give the same screen.
//!
//! - [`action`], `update`, [`effect`]: the three words above.
//! - [`state`]: the whole state; [`tab`]: the table of tabs; [`lab`], [`map`], [`decay`],
//!   [`experiments`], [`library`], [`session`]: one folder per tab (values, their changes, its row
//!   in the table).
//! - [`instrument`]: the Lab's instruments: A/B, snapshots, ECG, landscape, attribution, verdict,
//!   autopsy.
//! - [`soup_edit`]: changes of the soup and their undo history; [`mod@bench`]: their consequences.
//! - [`command`]: the table `{id, keys, name, doc, where, when, action}`, the source of keys,
//!   hints, help, palette and the guide's page of keys.
//! - [`key`]: keys as values (`ctrl-p`); [`keymap`]: which command a key runs in which place.
//! - [`session`]: the sitting so far, as a journal and as a session file; every key passes through
//!   it.
//! - [`show`]: a session played on the screen.
//! - [`mod@line`]: one-line inputs; [`overlay`]: help, palette, prompts and forms above a tab;
//!   [`guide`]: the guide above it; [`jobs`]: generations and progress.
//! - [`editor`]: texts being edited, and their limit.
//! - [`screen`]: mouse, slow lines, count of bytes written.
//! - [`look`]: which colours and glyphs the terminal can show; [`palette`]: colours the user chose.

pub mod action;
pub mod bench;
pub mod command;
pub mod decay;
pub mod editor;
pub mod effect;
pub mod engine_event;
pub mod experiments;
pub mod guide;
pub mod instrument;
pub mod jobs;
pub mod key;
pub mod keymap;
pub mod lab;
pub mod library;
pub mod line;
pub mod look;
pub mod map;
pub mod overlay;
pub mod palette;
pub mod screen;
pub mod session;
pub mod show;
pub mod soup_edit;
pub mod state;
pub mod tab;
pub mod update;

pub use action::{Action, Motion};
pub use effect::{Effect, EngineHandle, FrameFormat};
pub use key::{Key, KeyCode};
pub use look::{Background, ColourDepth, GlyphSet, Look};
pub use state::{Notice, Options, State};
pub use tab::{Focus, Tab};
pub use update::update;
