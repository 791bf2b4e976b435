//! What a query's own examples say of the library's tasks.

use crate::library::{Calibration, Explained, RankView};
use crate::soup::Soup;

/// What a query's own examples say of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEvidence {
    /// The task.
    pub task: String,
    /// Similarity of its best skill, as the ranking has it.
    pub similarity: f32,
    /// How probable the examples are, read from the mean of its skills; nats.
    pub explained: Explained,
    /// Nats an answer token gained over nothing read: above 0 it explains the examples.
    pub gain: f64,
    /// Its posterior, 0 to 1, among the tasks read and "none of these".
    pub posterior: f64,
}

/// What of a query evidence does not read: it reads [`MOST_TOKENS`](crate::lab::MOST_TOKENS) tokens, the last ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Examples of which it reads nothing.
    pub examples: usize,
    /// Examples in the query.
    pub of: usize,
    /// Whether it reads the end of the last example alone.
    pub is_cut: bool,
}

impl Unread {
    /// That, in a sentence; `None` if it reads all of it.
    pub fn words(&self) -> Option<String> {
        let Self { examples, of, is_cut } = *self;
        let most = crate::lab::MOST_TOKENS;
        match (is_cut, examples) {
            (false, 0) => None,
            (false, n) => {
                Some(format!("Evidence reads the last {} of the query's {of} examples, which are {most} tokens at most.", of - n))
            }
            (true, 0) => Some(format!("Evidence reads the last {most} tokens of the query's example.")),
            (true, n) => Some(format!("Evidence reads the last {most} tokens of the query's last example, and none of the other {n}.")),
        }
    }
}

/// What a query's own examples say of the tasks that are most similar to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The examples as they were read: the query in the template's form, without its unfinished line.
    pub read: String,
    /// How similarity was measured.
    pub view: RankView,
    /// Complete examples that were read.
    pub shots: usize,
    /// What of the query was not.
    pub unread: Unread,
    /// Tokens of their answers, ends included.
    pub answer_tokens: usize,
    /// The tasks read, the most probable first.
    pub tasks: Vec<TaskEvidence>,
    /// How probable the examples are with nothing read; nats.
    pub none: Explained,
    /// Posterior of "none of these".
    pub none_posterior: f64,
    /// Nats by which the tasks together, each as likely as any, foretell the answers better than the query alone: ln mean p(answers | task) − ln p(answers | query so far).
    pub foretold: f64,
    /// Whether anything here explains the query: the posterior of none is not above the library's gate, or the answers are foretold so well that the
    /// soup follows what foretells them ([`Evidence::follows_answers`]).
    pub fits: bool,
    /// Nats an answer token by which the tasks, weighed by their posterior, foretell the examples after the first better than the query alone; `None` for one example.
    pub ahead: Option<f64>,
    /// Tasks that are read in all; fewer have been if this is not the last word.
    pub asked: usize,
    /// The soup that this calls for.
    pub auto: Soup,
    /// The constants it was weighed with.
    pub calibration: Calibration,
    /// Milliseconds it took, the ranking included.
    pub millis: f64,
}

impl Evidence {
    /// Whether all candidates have been read.
    pub fn is_whole(&self) -> bool {
        self.tasks.len() == self.asked
    }

    /// A task's place in the order of the evidence; those that were not read come after all others.
    pub fn place(&self, task: &str) -> usize {
        self.tasks.iter().position(|t| t.task == task).unwrap_or(usize::MAX)
    }

    /// What was found of a task, if it was read.
    pub fn of(&self, task: &str) -> Option<&TaskEvidence> {
        self.tasks.iter().find(|t| t.task == task)
    }
}

/// The soup against the query alone, on the query's own examples: each is asked with the others as the query.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Gain {
    /// Nats an example by which the soup makes its answer more probable than the query alone.
    pub nats: f64,
    /// Examples asked.
    pub examples: usize,
    /// Whether each was left out of what the soup was made from. A single example cannot be: it is asked from the soup's skills and from nothing read, and the
    /// soup has seen it.
    pub left_out: bool,
}
