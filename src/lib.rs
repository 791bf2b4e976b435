//! state-soup: a laboratory for recurrent states as skills.
//!
//! # The picture
//! ```text
//!  keys ─▶ term ─▶ app::update ─▶ effects ─▶ engine (one thread) ─▶ model, library, soup
//!           ▲          │                          │
//!           └── ui ◀───┘ state     events ◀───────┘
//! ```
//! A Mamba reads a few examples of a task; the recurrent [`state`] it ends in is a *skill*. [`library`] keeps skills and ranks them by
//! similarity to a query's state; [`soup`] makes one state out of several; [`engine::Lab`] answers from any of them. The command line ([`cli`])
//! and the screen call the same functions of [`engine::Lab`], so they print the same numbers.
//!
//! # Who may know whom
//! `state`, `soup` and `task` know nobody above them; `model` knows `state`; `library` and `project` stand on those; `engine` drives all of them; `app`
//! holds values only (no tokio, no terminal, no device); `ui` reads `app` and draws; [`files`] opens what a user names and makes what is a user's own; [`text`] reads texts for whoever may read files; [`session`] plays keys on `app` with a
//! real engine and keeps the journal of what is done; [`config`] reads what the user wants otherwise; [`log`] writes what went wrong to a file; `term` and `cli` tie it together.
//!
//! # Threads
//! The main thread runs the terminal's loop; the engine's thread owns the device and does one thing at a time, letting more urgent requests
//! overtake between chunks of [`model::CHUNK`] tokens; rayon's pool serves matrix products and scans; one thread reads keys, one hears signals, one notices a terminal that is gone; the journal and a recording each have a thread that writes.
//!
//! # What always holds
//! 1. The screen's state changes only in `app::update`, which is deterministic.
//! 2. Every result carries the generation of its request; stale ones are dropped.
//! 3. One thread owns the device; every long loop polls a [`control::Cancel`] and reports progress.
//! 4. A frame is written only when something visible changed.
//! 5. A library on disk is whole at every instant: new files, then the manifest by rename.
//! 6. Every stored state says which model and tokenizer made it; others are refused with the reason.

pub mod app;
pub mod cli;
pub mod config;
pub mod control;
pub mod engine;
pub mod error;
pub mod experiment;
pub mod files;
pub mod library;
pub mod log;
pub mod model;
pub mod project;
pub mod session;
pub mod soup;
pub mod state;
pub mod task;
pub mod term;
pub mod text;
pub mod ui;
