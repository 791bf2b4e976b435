//! Model folders as people have them: what loads against HF transformers' numbers (tests/golden,
//! made by its checkpoints.py), what is refused and by which
//! words, what texts begin and end with, and files that are damaged or mean harm.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "checkpoints/folder.rs"]
mod folder;
#[path = "checkpoints/harm.rs"]
mod harm;
#[path = "common/mutate.rs"]
mod mutate;
#[path = "checkpoints/mutations.rs"]
mod mutations;
#[path = "checkpoints/texts.rs"]
mod texts;
#[path = "checkpoints/weights.rs"]
mod weights;
