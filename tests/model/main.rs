//! The tests that compute with a model: every answer, ranking, mixture, instrument and experiment
//! is of the bundled model and a library built with it; `golden` has models of random weights.

#[path = "../common/mod.rs"]
mod common;

mod bundled;
mod cli;
mod decay;
mod evidence;
mod experiments;
mod fixture;
mod golden;
mod instruments;
mod own_lists;
mod sessions;
mod shelf;
