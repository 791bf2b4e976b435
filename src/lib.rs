//! state-soup: a laboratory for recurrent states as skills.

pub mod app;
pub mod cli;
pub mod control;
pub mod engine;
pub mod error;
pub mod library;
pub mod model;
pub mod project;
pub mod soup;
pub mod state;
pub mod task;
pub mod term;
pub mod ui;
