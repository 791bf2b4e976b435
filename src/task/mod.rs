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

use crate::error::{Error, Result};
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
    /// Whether the bundled model's training never saw any of it, in any form: what soups are for.
    /// Says nothing of other models.
    pub unseen: bool,
    /// Where each pair stands in its file, from 1: its line, or its entry in a JSON file. Empty for
    /// bundled tasks.
    pub places: Vec<usize>,
    /// What of the file was left out, in sentences.
    pub notes: Vec<String>,
}

impl Task {
    /// Where a pair of it stands, for messages: `lists/t.tsv, line 3`.
    pub fn place(&self, pair: usize) -> String {
        match (&self.origin, self.places.get(pair)) {
            (TaskOrigin::File(path), Some(at)) => format!("{}, {} {at}", path.display(), file::place_word(path)),
            _ => format!("the task `{}`, pair {}", self.name, pair + 1),
        }
    }

    /// Checks that every pair is the same after it was written as an example and read again.
    ///
    /// # Errors
    /// [`Error::Input`] naming the first pair that is not, where it stands, and how many more there
    /// are.
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
