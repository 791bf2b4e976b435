//! The Session tab: the log of this sitting with chapters and notes, the session exported from it,
//! and the earlier sittings.
//!
//! Every key and paste goes through [`input`], which records it (here, and on disk by
//! [`Effect::Journal`]) before it takes effect.
//!
//! - [`file`]: the format of a session file; [`script`]: the format of the keys in it; [`export`]:
//!   a session made from the log; [`expect`]: a session's expectations, and whether they hold.
//! - [`resume`]: replays a sitting's keys to the lab.

pub mod expect;
pub mod export;
pub mod file;
pub mod resume;
pub mod script;

use super::action::{Action, Motion};
use super::effect::Effect;
use super::instrument::sides::{self, Snapshot};
use super::key::{Key, KeyCode};
use super::lab::moved;
use super::overlay::{Overlay, PromptKind};
use super::state::State;
use super::tab::{self, Focus, Tab, TabRow};
use super::{command, update};

pub use expect::Expect;
pub use file::{Session, Step};
pub use resume::Resume;
pub use script::{parse_script, write_script};

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
            What::Key(key, None) => ("typed", super::key::write_macro(std::slice::from_ref(key))),
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

/// Whether keys are about the session itself now.
fn is_aside(state: &State) -> bool {
    state.tab == Tab::Session || matches!(&state.overlay, Some(Overlay::Prompt { kind: PromptKind::Session(_), .. }))
}

/// Applies an input, and records it unless it has no meaning here.
pub fn input(state: &mut State, input: Input) -> Vec<Effect> {
    let (what, action) = match &input {
        Input::Key(key) => {
            let Some(action) = state.action_for(*key) else { return Vec::new() };
            // Actions on the program and the terminal are not part of the work in the lab.
            if matches!(action, Action::Quit | Action::Suspend | Action::Redraw) {
                return update(state, action);
            }
            let command = if matches!(action, Action::Type(_)) { None } else { state.keymap.command(state, *key) };
            let pointed = matches!(key.code, KeyCode::Click(_) | KeyCode::Wheel(..)).then_some("mouse");
            (What::Key(*key, command.map(|c| c.name).or(pointed)), action)
        }
        // A paste has no meaning where no text is taken; typed out, its characters would run
        // commands.
        Input::Paste(_) if !state.takes_text() => return Vec::new(),
        Input::Paste(text) => (What::Paste(text.clone()), Action::Paste(text.clone())),
        Input::Snapshots(list) => {
            state.lab.instruments.sides.give(list.clone());
            return snapshots(state, list.clone());
        }
    };
    let mut effects = begin(state);
    let outcome = Outcome::of(state);
    if let Some(last) = state.session.log.last_mut() {
        last.after = outcome;
    }
    let (was_aside, was_tab, was_focus) = (is_aside(state), state.tab, state.focus());
    let was_palette = matches!(state.overlay, Some(Overlay::Palette { .. }));
    let at = state.session.log.len();
    let clock = state.clock;
    state.session.log.push(Mark { clock, what, aside: was_aside, after: Outcome::default() });
    effects.push(Effect::Journal(Entry::Input(clock, input.clone())));
    effects.extend(update(state, action));
    effects.extend(sides::save(state));
    if is_aside(state) && !was_aside {
        // The palette's keys that led here are about the session too.
        let from = if was_palette { state.session.palette.unwrap_or(at) } else { at };
        for mark in state.session.log.iter_mut().take(at + 1).skip(from) {
            mark.aside = !matches!(mark.what, What::Chapter(_) | What::Note(_));
        }
    }
    if !was_palette && matches!(state.overlay, Some(Overlay::Palette { .. })) {
        state.session.palette = Some(at);
    }
    if was_tab != Tab::Session && state.tab == Tab::Session {
        state.session.left = Some((was_tab, was_focus));
    } else if was_tab == Tab::Session && state.tab != Tab::Session {
        come_back(state, input);
    }
    effects
}

/// Before the first input: records the existing snapshots, because later inputs may name them.
fn begin(state: &mut State) -> Vec<Effect> {
    let given = std::mem::replace(&mut state.session.begun, true);
    let list = state.lab.instruments.sides.snapshots.clone();
    if given || list.is_empty() { Vec::new() } else { snapshots(state, list) }
}

/// Records the snapshots that exist from here on.
pub(super) fn snapshots(state: &mut State, list: Vec<Snapshot>) -> Vec<Effect> {
    state.session.begun = true;
    let clock = state.clock;
    if let (outcome, Some(last)) = (Outcome::of(state), state.session.log.last_mut()) {
        last.after = outcome;
    }
    state.session.log.push(Mark { clock, what: What::Snapshots(list.clone()), aside: false, after: Outcome::default() });
    vec![Effect::Journal(Entry::Input(clock, Input::Snapshots(list)))]
}

/// If this tab was left for another pane than the one it was entered from, the export needs a key
/// that leads there; adds it to the log.
fn come_back(state: &mut State, input: Input) {
    let Some((tab, focus)) = state.session.left.take() else { return };
    let way = match input {
        _ if state.tab != tab => way_to(state, state.tab),
        Input::Key(key) if state.focus() != focus && !focus.is_editor() => state.keymap.command(state, key).map(|c| (key, c.name)),
        _ => None,
    };
    if let Some((key, name)) = way {
        let mark = Mark { clock: state.clock, what: What::Key(key, Some(name)), aside: false, after: Outcome::default() };
        state.session.log.push(mark);
    }
}

/// A key that switches to a tab from anywhere.
fn way_to(state: &State, tab: Tab) -> Option<(Key, &'static str)> {
    let leads = |c: &&command::Command| matches!((c.action)(state), Action::Tab(t) if t == tab);
    let command = command::all().filter(|c| c.id.starts_with("tab.")).find(leads)?;
    let key = state.keymap.keys(command).iter().find(|k| k.typed().is_none())?;
    Some((*key, command.name))
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
