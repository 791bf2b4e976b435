//! What a query's own examples say about the library's tasks.

use crate::library::{Calibration, Explained, RankView};
use crate::soup::Soup;

/// What a query's own examples say about one task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEvidence {
    /// The task.
    pub task: String,
    /// The similarity of the task's best skill, as in the ranking.
    pub similarity: f32,
    /// The log-probability of the examples, read from the mean of the task's skills; nats.
    pub explained: Explained,
    /// Nats per answer token gained over the neutral state. Above 0, the task explains the
    /// examples.
    pub gain: f64,
    /// The task's posterior, 0 to 1, among the tasks read and "none of these".
    pub posterior: f64,
}

/// The part of a query that evidence does not read. Evidence reads at most the last
/// [`MOST_TOKENS`](crate::lab::MOST_TOKENS) tokens of its examples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Examples that evidence does not read at all.
    pub examples: usize,
    /// Examples in the query.
    pub of: usize,
    /// Whether evidence reads only the end of the last example.
    pub is_cut: bool,
}

impl Unread {
    /// This as a sentence; `None` if evidence reads the whole query.
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

/// What a query's own examples say about the tasks that are most similar to the query.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The examples as they were read: the query in the template's form, without its unfinished
    /// line.
    pub read: String,
    /// How similarity was measured.
    pub view: RankView,
    /// Complete examples that were read.
    pub shots: usize,
    /// The part of the query that was not read.
    pub unread: Unread,
    /// Tokens of the answers of the examples read, including the ends of the answers.
    pub answer_tokens: usize,
    /// The tasks read, the most probable first.
    pub tasks: Vec<TaskEvidence>,
    /// The log-probability of the examples from the neutral state; nats.
    pub none: Explained,
    /// The posterior of "none of these".
    pub none_posterior: f64,
    /// Nats by which the tasks together, each equally likely a priori, predict the answers better
    /// than the query alone: ln mean p(answers | task) − ln p(answers | query so far).
    pub foretold: f64,
    /// Whether any task explains the query. It does if the posterior of "none of these" is at most
    /// the library's gate, or if the tasks predict the answers so well that the soup follows that
    /// prediction ([`Evidence::follows_answers`]).
    pub fits: bool,
    /// Nats per answer token by which the tasks, weighted by their posterior, predict the examples
    /// after the first better than the query alone. `None` for one example.
    pub ahead: Option<f64>,
    /// Tasks to be read in total. `tasks` is shorter while the evidence is incomplete.
    pub asked: usize,
    /// The soup that the evidence suggests.
    pub auto: Soup,
    /// The constants that the evidence was computed with.
    pub calibration: Calibration,
    /// Milliseconds that the evidence took, including the ranking.
    pub millis: f64,
}

impl Evidence {
    /// Whether all candidates have been read.
    pub fn is_whole(&self) -> bool {
        self.tasks.len() == self.asked
    }

    /// A task's rank in the evidence, from 0; `usize::MAX` for a task that was not read.
    pub fn place(&self, task: &str) -> usize {
        self.tasks.iter().position(|t| t.task == task).unwrap_or(usize::MAX)
    }

    /// The evidence for a task, if it was read.
    pub fn of(&self, task: &str) -> Option<&TaskEvidence> {
        self.tasks.iter().find(|t| t.task == task)
    }
}

/// The soup against the query alone, on the query's own examples. Each example is a question, and
/// the others are the query.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Gain {
    /// Nats per example by which the soup makes the answer more probable than the query alone.
    pub nats: f64,
    /// Examples used as questions.
    pub examples: usize,
    /// Whether each example was left out of what the soup was made from. A single example cannot be
    /// left out: it is asked from the soup's skills and from the neutral state, and the soup has
    /// seen it.
    pub left_out: bool,
}
