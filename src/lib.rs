//! state-soup: a laboratory for recurrent states as skills.
//!
//! # The picture
//! ```text
//!  keys ─▶ term ─▶ app::update ─▶ effects ─▶ engine (one thread) ─▶ model, library, soup
//!           ▲          │                          │
//!           └── ui ◀───┘ state     events ◀───────┘
//! ```
//! A Mamba reads a few examples of a task; the recurrent [`state`] it ends in is a *skill*.
//! [`library`] keeps skills and ranks them by similarity to a query's state; [`soup`] makes one
//! state out of several; [`lab::Lab`] is a model and a library together: evidence, answers, maps.
//! The command line ([`cli`]) and the screen call the same functions of [`lab::Lab`], so they print
//! the same numbers.
//!
//! # A key's path
//! `term` reads the key, [`app::update()`] changes the screen's values and asks for work, the
//! [`engine`]'s thread does it with [`lab::Lab`] and sends events back, [`app::update()`] takes them
//! in, [`ui`] draws. A headless call's path is shorter: [`cli`] opens a [`lab::Lab`] and prints.
//!
//! # Rooms, from the ground up
//! Each knows only rooms that stand before it in this list (`tests/it/rooms.rs` holds them to it).
//!
//! | room | what lives there |
//! |---|---|
//! | [`error`], [`control`], [`text`], [`files`], [`log`] | the ground: refusals in sentences, cancel and progress, texts and files that users name |
//! | [`guide`] | the pages of the guide, and their layout in columns |
//! | [`stats`] | means with intervals, and what may be concluded from them |
//! | `simd` | arithmetic on plain slices: lanes, exponentials, dot and matrix products of stored numbers |
//! | [`state`] | what a recurrent network remembers, how it forgets, and which model made it |
//! | [`task`] | pairs, templates, splits, task files |
//! | [`soup`] | recipes: rules of mixing, parsed, printed, evaluated |
//! | [`library`] | skills on disk: format, writer, ranking |
//! | [`model`] | a model's files, its tokenizer, its network on each device |
//! | [`project`] | PCA, t-SNE, placing a point on a finished map |
//! | [`lab`] | a model and a library together |
//! | [`experiment`] | the claims, and how each is tested |
//! | [`engine`] | the one thread that owns the device: mailbox, worker, messages |
//! | [`app`], [`ui`] | the screen: values and their one update function; pictures of them |
//! | [`session`] | keys played on `app` with a real engine; the journal of what is done |
//! | [`config`] | the user's configuration file |
//! | `term`, [`cli`] | the terminal's loop; the commands |
//!
//! # Threads
//! The main thread runs the terminal's loop; the engine's thread owns the device and does one thing
//! at a time, letting more urgent requests overtake between chunks of [`model::CHUNK`] tokens;
//! rayon's pool serves matrix products and scans; one thread reads keys, one hears signals, one
//! notices a terminal that is gone; the journal and a recording each have a thread that writes.
//!
//! # What always holds
//! 1. The screen's state changes only in `app::update`, which is deterministic.
//! 2. Every result carries the generation of its request; stale ones are dropped.
//! 3. One thread owns the device; every long loop polls a [`control::Cancel`] and reports progress.
//! 4. A frame is written only when something visible changed.
//! 5. A library on disk is whole at every instant: new files, then the manifest by rename.
//! 6. Every stored state says which model and tokenizer made it; others are refused with the
//!    reason.

// The comments of a module may name what it keeps to itself: they are for those who read the source.
#![allow(rustdoc::private_intra_doc_links)]

pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod engine;
pub mod error;
pub mod experiment;
pub mod files;
pub mod guide;
pub mod lab;
pub mod library;
pub mod log;
pub mod model;
pub mod project;
pub mod session;
mod simd;
pub mod soup;
pub mod state;
pub mod stats;
pub mod task;
pub mod term;
pub mod text;
pub mod ui;
