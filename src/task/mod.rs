//! Tasks: input→output pairs, how an example becomes text, and which examples a skill may read.
//!
//! - [`Task`], [`Pair`]: the lists; [`bundled`] gives the ones inside the program.
//! - `file`: the user's own lists: TSV, CSV, function-vectors JSON.
//! - `prompt`: templates, and what a typed query means under one.
//! - `sample`: the reserved test split and the disjoint example sets; seeded draws.

mod bundled;
mod file;
mod prompt;
mod sample;

pub use bundled::bundled;
pub use file::{read_file, read_path};
pub use prompt::{ParsedQuery, Segment, Template, parse_query};
pub use sample::{Split, SplitSpec, draw, rng};

use std::path::PathBuf;

/// One example.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// What is given.
    pub input: String,
    /// What is wanted.
    pub output: String,
}

/// Where a task came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskOrigin {
    /// Inside the program.
    Bundled,
    /// A file of the user's.
    File(PathBuf),
}

/// A list of pairs with one meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name; also the first part of its skills' ids.
    pub name: String,
    /// Its family (`letters`, `geography`); `user` for files.
    pub family: String,
    /// Licence of the list.
    pub licence: String,
    /// Where the list was taken from.
    pub source: String,
    /// What it means, in a few words.
    pub description: String,
    /// The pairs; no input stands twice.
    pub pairs: Vec<Pair>,
    /// Where it came from.
    pub origin: TaskOrigin,
    /// Whether the bundled model's training never saw any of it, in any form: what soups are for. Says nothing of other models.
    pub unseen: bool,
}
