//! The Session tab: the log of this sitting with chapters and notes, the session exported from it,
//! and the earlier sittings.
//!
//! Every key and paste goes through [`input`], which records it (here, and on disk by
//! [`Effect::Journal`]) before it takes effect. Here are the tab's values and what keys do to them.
//! The rest of `app`, `ui`, `session` and `term` may use what is public.
//!
//! - `log`: what happened, mark by mark, and its rows on screen; `record`: how inputs come into it.
//! - [`mod@file`]: the format of a session file; [`script`]: the format of the keys in it;
//!   [`export`]: a session made from the log; [`expect`]: a session's expectations, and whether
//!   they hold.
//! - [`resume`]: replays a sitting's keys to the lab.

pub mod expect;
pub mod export;
pub mod file;
mod log;
mod record;
pub mod resume;
pub mod script;

pub use expect::Expect;
pub use file::{Session, Step};
pub use log::{Mark, Outcome, Row, What, rows};
pub use record::input;
pub(super) use record::snapshots;
pub use resume::Resume;
pub use script::{parse_script, write_script};

use super::action::{Action, Motion};
use super::command;
use super::effect::Effect;
use super::instrument::sides::Snapshot;
use super::key::Key;
use super::state::State;
use super::tab::{self, Focus, Tab, TabRow, moved};

/// One input by a person, or a change of the stored snapshots.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// A key pressed.
    Key(Key),
    /// A text pasted.
    Paste(String),
    /// Not a person's input: the snapshots of soups from other sittings that exist from here on.
    /// Later inputs may name them.
    Snapshots(Vec<Snapshot>),
}

/// A line of the journal on disk.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// An input, with the clock in milliseconds.
    Input(u64, Input),
    /// The fingerprint of the model that was loaded.
    Model(String),
}

/// Actions of the Session tab alone.
#[derive(Clone, Debug)]
pub enum SessionAction {
    /// Remove the selected chapter or note.
    Remove,
    /// The earlier sittings, newest first, as found on disk.
    Sittings(Vec<Sitting>),
    /// Leave this sitting and resume the selected one.
    Resume,
    /// Leave this sitting and play the selected one.
    Play,
}

/// A text that the tab prompts for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// The title of a chapter that starts now.
    Chapter,
    /// What the audience should see.
    Note,
    /// The name of the session's file.
    Name,
}

impl Ask {
    /// The question.
    pub fn question(self) -> &'static str {
        match self {
            Self::Chapter => "Chapter that starts here",
            Self::Note => "Note on what is on screen",
            Self::Name => "Save the session as (a new file in the present folder)",
        }
    }

    /// The initial text of the answer.
    pub fn value(self) -> &'static str {
        if self == Self::Name { "session" } else { "" }
    }
}

/// An earlier sitting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sitting {
    /// The path of its journal.
    pub path: String,
    /// When it began, UTC.
    pub started: String,
    /// The model as the user named it.
    pub model: String,
    /// Number of keys and pastes.
    pub inputs: usize,
    /// The first words typed.
    pub words: String,
}

/// The values of the tab.
#[derive(Clone, Debug, Default)]
pub struct SessionTab {
    /// Everything that happened, in order.
    pub log: Vec<Mark>,
    /// The selected row of the list.
    pub selected: usize,
    /// The journal's path; `None` if there is no journal.
    pub journal: Option<String>,
    /// The earlier sittings; `None` until they are looked up.
    pub sittings: Option<Vec<Sitting>>,
    /// The selected sitting.
    pub sitting: usize,
    /// The tab and pane in focus before this tab was opened.
    left: Option<(Tab, Focus)>,
    /// The mark that opened the palette.
    palette: Option<usize>,
    /// Whether anything has been recorded: the existing snapshots are recorded before the first
    /// input.
    begun: bool,
}

impl SessionTab {
    /// The tab at the start; `journal` is the path shown to the user.
    pub fn new(journal: Option<String>) -> Self {
        Self { journal, ..Self::default() }
    }
}

/// The tab's row in the table of tabs.
pub const TAB: TabRow = TabRow {
    go: command::go(
        "tab.session",
        &["6", "alt-6"],
        "Session",
        "Go to the Session: what was done, chapters, notes, earlier sittings.",
        |_| Action::Tab(Tab::Session),
    ),
    panes: &[Focus::Journal, Focus::Sittings],
    shown,
    motion,
    select,
    typed: tab::not_typed,
    pasted: tab::not_pasted,
    copied,
    skill: tab::no_skill,
    compare: None,
};

fn select(state: &mut State, pane: Focus, row: usize) {
    match pane {
        Focus::Journal => state.session.selected = row,
        Focus::Sittings => state.session.sitting = row,
        _ => {}
    }
}

/// The journal as a table, or the selected sitting's path.
fn copied(state: &State) -> Option<String> {
    if state.focus() == Focus::Sittings {
        return sitting(state).map(|s| s.path.clone());
    }
    Some(rows(state).iter().map(|r| format!("{}\t{}\t{}\t{}\n", r.clock, r.kind, r.text, r.led)).collect())
}

/// The tab comes to the front: the earlier sittings are looked up.
pub fn shown(state: &mut State) -> Vec<Effect> {
    state.session.selected = rows(state).len().saturating_sub(1);
    vec![Effect::ListSittings]
}

/// Moves the selection.
pub fn motion(state: &mut State, motion: Motion) {
    if state.focus() == Focus::Sittings {
        let len = state.session.sittings.as_ref().map_or(0, Vec::len);
        state.session.sitting = moved(state.session.sitting, len, motion);
    } else {
        state.session.selected = moved(state.session.selected, rows(state).len(), motion);
    }
}

/// The selected earlier sitting.
pub fn sitting(state: &State) -> Option<&Sitting> {
    state.session.sittings.as_ref()?.get(state.session.sitting)
}

/// The selected row, if it is a chapter or a note.
pub fn own_row(state: &State) -> Option<Row> {
    rows(state).into_iter().nth(state.session.selected).filter(|row| matches!(row.kind, "chapter" | "note"))
}

/// Applies one of the tab's actions.
pub fn apply(state: &mut State, action: SessionAction) -> Vec<Effect> {
    match action {
        SessionAction::Remove => {
            if let Some(row) = own_row(state) {
                state.session.log.remove(row.first);
                state.session.selected = state.session.selected.min(rows(state).len().saturating_sub(1));
            }
            Vec::new()
        }
        SessionAction::Sittings(found) => {
            state.session.sitting = state.session.sitting.min(found.len().saturating_sub(1));
            state.session.sittings = Some(found);
            Vec::new()
        }
        SessionAction::Resume => sitting(state).map(|s| Effect::Resume(s.path.clone())).into_iter().collect(),
        SessionAction::Play => sitting(state).map(|s| Effect::Play(s.path.clone())).into_iter().collect(),
    }
}

/// Takes the answer to one of the tab's questions.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn answer(state: &mut State, ask: Ask, text: &str) -> Result<Vec<Effect>, String> {
    let text = text.trim().to_owned();
    if text.is_empty() {
        return Err("There is nothing in it yet.".into());
    }
    let what = match ask {
        Ask::Name => {
            let name = text.strip_suffix(".toml").unwrap_or(&text);
            if name.starts_with('.') || name.contains(['/', '\\']) {
                return Err("A name has no path in it and begins with no point.".into());
            }
            return Ok(vec![Effect::SaveSession(export::session(state, name)?)]);
        }
        Ask::Chapter => What::Chapter(text),
        Ask::Note => What::Note(text),
    };
    state.session.log.push(Mark { clock: state.clock, what, aside: false, after: Outcome::of(state) });
    state.session.selected = rows(state).len().saturating_sub(1);
    Ok(Vec::new())
}
