//! Model folders as people have them: what loads against HF transformers' numbers (tests/golden,
//! made by its checkpoints.py), what is refused and by which
//! words, what texts begin and end with, and files that are damaged or mean harm.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod folder;
mod harm;
mod mutations;
mod texts;
mod weights;
