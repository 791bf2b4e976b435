//! The tests that need no library of the bundled model: formulas, formats, texts, the screen with
//! an engine made of plain values, the program on a terminal. `tests/model` has the others. One
//! program, because linking one costs about as much as all of its tests.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/mutate.rs"]
mod mutate;

mod checkpoints;
mod dependencies;
mod frames;
mod hostile;
mod hubs;
mod keys;
mod library;
mod panels;
mod project;
mod rooms;
mod screens;
mod sitting;
mod soup;
mod sources;
mod terminal;
mod tokens;
