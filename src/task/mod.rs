//! Tasks: lists of input→output pairs, how an example becomes text, and which examples a skill may
//! read.
//!
//! - [`Task`], [`Pair`]: the lists. [`bundled`] returns the bundled ones.
//! - `file`: the user's own lists, as TSV, CSV, JSON or JSONL.
//! - `template`: how an example becomes text. `query`: how a typed query is parsed under one.
//! - `sample`: the test split, the disjoint example sets, and seeded draws.

mod bundled;
mod file;
mod query;
mod sample;
mod template;

pub use bundled::bundled;
pub use file::{read_file, read_path};
pub use query::{ParsedQuery, Segment, parse_query};
pub use sample::{Split, SplitSpec, draw, rng};
pub use template::Template;

use crate::error::{Error, Result};
use std::path::PathBuf;

/// An example: an input with its right output.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pair {
    /// The input.
    pub input: String,
    /// The right output.
    pub output: String,
}

/// The origin of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskOrigin {
    /// Bundled with the program.
    Bundled,
    /// A file of the user.
    File(PathBuf),
}

/// A task: a list of pairs that follow one rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its name; also the first part of its skills' ids.
    pub name: String,
    /// Its family (`letters`, `geography`); `user` for files.
    pub family: String,
    /// Licence of the list.
    pub licence: String,
    /// Source of the list.
    pub source: String,
    /// What it means, in a few words.
    pub description: String,
    /// The pairs; no input occurs twice.
    pub pairs: Vec<Pair>,
    /// Its origin.
    pub origin: TaskOrigin,
    /// Whether the bundled model's training never saw any of it, in any form. Soups are meant for
    /// such tasks. It says nothing about other models.
    pub unseen: bool,
    /// The place of each pair in its file, from 1: its line, or its entry in a JSON file. Empty for
    /// bundled tasks.
    pub places: Vec<usize>,
    /// Sentences on what was left out of the file.
    pub notes: Vec<String>,
}

impl Task {
    /// The place of the pair with this index, for messages: `lists/t.tsv, line 3`.
    pub fn place(&self, pair: usize) -> String {
        match (&self.origin, self.places.get(pair)) {
            (TaskOrigin::File(path), Some(at)) => format!("{}, {} {at}", path.display(), file::place_word(path)),
            _ => format!("the task `{}`, pair {}", self.name, pair + 1),
        }
    }

    /// Checks that every pair stays the same when it is written as an example and parsed again.
    ///
    /// # Errors
    /// [`Error::Input`] with the first pair that does not, its place, and the number of others.
    pub fn check(&self, template: &Template) -> Result<()> {
        let lost: Vec<usize> = (0..self.pairs.len()).filter(|&i| !template.keeps(&self.pairs[i])).collect();
        let Some(&first) = lost.first() else { return Ok(()) };
        let Pair { input, output } = &self.pairs[first];
        let more = match lost.len() - 1 {
            0 => String::new(),
            1 => " (as would another pair)".into(),
            n => format!(" (as would {n} others)"),
        };
        Err(Error::Input(format!(
            "{}: in the template `{template}` the pair {input:?}, {output:?} would be read as another one{more}; an output has one line \
             and no marker, an input no line that ends an example. Change it, or choose another --template",
            self.place(first)
        )))
    }
}
