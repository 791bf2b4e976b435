//! The log of this sitting: its marks, and the rows in which the tab lists them.

use super::Snapshot;
use crate::app::key::{self, Key};
use crate::app::state::State;
use crate::app::tab::Tab;

/// What a mark in the log records.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A key and the command it ran; `None` if the key was text.
    Key(Key, Option<&'static str>),
    /// A pasted text.
    Paste(String),
    /// The snapshots of soups that exist from here on.
    Snapshots(Vec<Snapshot>),
    /// A chapter's title.
    Chapter(String),
    /// A note.
    Note(String),
}

/// One entry of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// The clock in milliseconds.
    pub clock: u64,
    /// What happened.
    pub what: What,
    /// Whether it was about the session itself (this tab, its prompts). Such keys are not exported.
    pub aside: bool,
    /// What the lab showed when the next entry began.
    pub after: Outcome,
}

/// What the lab shows after a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The tab on screen.
    pub tab: Option<Tab>,
    /// The task ranked first; `None` while a ranking is running.
    pub task: Option<String>,
    /// The soup as a recipe.
    pub soup: Option<String>,
    /// The notice at the bottom.
    pub notice: Option<String>,
}

impl Outcome {
    /// What the lab shows.
    pub fn of(state: &State) -> Self {
        let settled = !state.jobs.is_running(crate::engine::JobKind::Rank);
        let first = state.lab.ranking.as_ref().filter(|_| settled).and_then(|r| r.by_task.first());
        Self {
            tab: Some(state.tab),
            task: first.map(|t| t.task.clone()),
            soup: state.lab.bench.text(),
            notice: state.notice.as_ref().map(|n| n.text.clone()),
        }
    }

    /// The differences from `before`, in words; empty if there are none.
    pub fn since(&self, before: &Self) -> String {
        let mut news = Vec::new();
        if let Some(tab) = self.tab.filter(|tab| Some(*tab) != before.tab) {
            news.push(format!("{} tab", tab.title()));
        }
        if let Some(task) = self.task.as_ref().filter(|task| Some(*task) != before.task.as_ref()) {
            news.push(format!("{task} first"));
        }
        match (&self.soup, &before.soup) {
            (Some(soup), old) if Some(soup) != old.as_ref() => news.push(soup.clone()),
            (None, Some(_)) => news.push("no soup".into()),
            _ => {}
        }
        if let Some(notice) = self.notice.as_ref().filter(|text| Some(*text) != before.notice.as_ref()) {
            news.push(format!("“{notice}”"));
        }
        news.join(" · ")
    }
}

/// A row of the list: one chapter, note, command or paste, or a run of typed text.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Its first mark in the log.
    pub first: usize,
    /// Its last.
    pub last: usize,
    /// The clock of the first, in milliseconds.
    pub clock: u64,
    /// Keys in their written form, or the text of a chapter, note or paste.
    pub text: String,
    /// What it is: a command's name, `typed`, `pasted`, `chapter`, `note`.
    pub kind: &'static str,
    /// Its effect on the lab.
    pub led: String,
}

/// The rows of the list. Keys about the session itself are left out.
pub fn rows(state: &State) -> Vec<Row> {
    let log = &state.session.log;
    let mut rows: Vec<Row> = Vec::new();
    let mut before = Outcome { tab: Some(Tab::Lab), ..Outcome::default() };
    for (i, mark) in log.iter().enumerate().filter(|(_, mark)| !mark.aside) {
        let (kind, text) = match &mark.what {
            What::Key(key, None) => ("typed", key::write_macro(std::slice::from_ref(key))),
            What::Key(key, Some(name)) => (*name, key.to_string()),
            What::Paste(text) => ("pasted", text.clone()),
            What::Snapshots(list) => ("snapshots", list.iter().map(|s| s.name.as_str()).collect::<Vec<_>>().join(", ")),
            What::Chapter(text) => ("chapter", text.clone()),
            What::Note(text) => ("note", text.clone()),
        };
        let after = if i + 1 == log.len() { Outcome::of(state) } else { mark.after.clone() };
        let led = after.since(&before);
        match rows.last_mut() {
            // A run of text is one row, and a command held down is too.
            Some(row) if row.kind == kind && row.last + 1 == i && !matches!(kind, "pasted" | "snapshots" | "chapter" | "note") => {
                if kind != "typed" {
                    row.text.push(' ');
                }
                row.text.push_str(&text);
                row.last = i;
                if !led.is_empty() {
                    row.led = led;
                }
            }
            _ => rows.push(Row { first: i, last: i, clock: mark.clock, text, kind, led }),
        }
        before = after;
    }
    rows
}
