//! The state algebra against brute force: every rule beside the plainest code that says what it
//! should give.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chunks;
mod files;
mod merges;
mod recipes;
mod rules;
mod stay;
mod texts;
