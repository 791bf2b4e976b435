//! The Library tab: browse, filter, tag, add, delete, restore, rebuild; provenance and health.
//!
//! Here are the tab's values, its list, and what keys do to them. The rest of `app`, and `ui`, may
//! use what is public.
//!
//! - `changes`: deletions, tags, skills read again, and undoing them.
//! - [`mod@health`]: what the last check found.
//! - `new_skill`: the prompt for a skill of a task.

mod changes;
mod health;
mod new_skill;

pub use changes::{Undo, build, built, delete, edit, next_edit, parse_tags, restore};
pub use health::{SkillHealth, bad, health, take_health};
pub use new_skill::{add_task, candidates, completed, task_skill_text};

use super::action::{Action, Motion};
use super::effect::Effect;
use super::key::{Key, KeyCode};
use super::line::Line;
use super::state::State;
use super::tab::{Focus, Tab, TabRow, moved};
use super::{command, overlay, update};
use crate::engine::{JobKind, Request};
use crate::lab::{BuildRequest, LibraryEdit, LibraryView, SkillReport};
use crate::library::{Health, SkillMeta};
use changes::anew;
use std::collections::VecDeque;
use std::sync::Arc;

/// The order of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The library's own.
    #[default]
    Library,
    /// By id.
    Name,
    /// By family, then id.
    Family,
    /// Most tokens first.
    Tokens,
    /// Newest first.
    Newest,
}

impl Sort {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Library => "as built",
            Self::Name => "by name",
            Self::Family => "by family",
            Self::Tokens => "by tokens",
            Self::Newest => "newest first",
        }
    }

    /// The next one.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Library => Self::Name,
            Self::Name => Self::Family,
            Self::Family => Self::Tokens,
            Self::Tokens => Self::Newest,
            Self::Newest => Self::Library,
        }
    }
}

/// Actions of the Library tab alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LibraryAction {
    /// The next way to sort the list.
    NextSort,
    /// Delete the selected skill from the library.
    Delete,
    /// Undo the last deletion or the last rebuild.
    Restore,
    /// Open the form for a skill from text.
    AddText,
    /// Build the skills that are missing or damaged.
    Build,
    /// Check every file.
    Check,
    /// Rebuild the selected skill, or all skills of its task.
    Anew {
        /// All skills of the task rather than one.
        task: bool,
    },
}

/// The values of the tab.
#[derive(Clone, Debug, Default)]
pub struct LibraryTab {
    /// Words that id, family or tags must contain.
    pub filter: Line,
    /// The order.
    pub sort: Sort,
    /// The selected row of the filtered list.
    pub selected: usize,
    /// The newest report.
    pub report: Option<SkillReport>,
    /// The clock at which to request the selected skill's report.
    pub inspect_at: Option<u64>,
    /// The changes of this sitting that can be undone, the last one last.
    pub undo: Vec<Undo>,
    /// What the last check found.
    pub health: Option<Arc<Health>>,
    /// Skills being rebuilt on the user's request.
    anew: Vec<String>,
    /// Changes queued behind the one under way, which a new job of the same kind would replace.
    waiting: VecDeque<LibraryEdit>,
    /// Whether the missing skills were requested.
    build_sent: bool,
}

/// Indices of the skills that pass the filter, in the chosen order.
pub fn visible(state: &State) -> Vec<usize> {
    let Some(library) = &state.library else { return Vec::new() };
    let filter = state.shelf.filter.text().to_lowercase();
    let words: Vec<&str> = filter.split_whitespace().collect();
    let passes = |skill: &SkillMeta| {
        words
            .iter()
            .all(|w| [&skill.id, &skill.family, &skill.task].into_iter().chain(&skill.tags).any(|text| text.to_lowercase().contains(w)))
    };
    let skills = &library.skills;
    let mut rows: Vec<usize> = (0..skills.len()).filter(|i| passes(&skills[*i])).collect();
    match state.shelf.sort {
        Sort::Library => {}
        Sort::Name => rows.sort_by(|a, b| skills[*a].id.cmp(&skills[*b].id)),
        Sort::Family => rows.sort_by(|a, b| (&skills[*a].family, &skills[*a].id).cmp(&(&skills[*b].family, &skills[*b].id))),
        Sort::Tokens => rows.sort_by_key(|i| std::cmp::Reverse(skills[*i].tokens)),
        Sort::Newest => rows.sort_by(|a, b| skills[*b].created.cmp(&skills[*a].created)),
    }
    rows
}

/// The selected skill.
pub fn selected(state: &State) -> Option<&SkillMeta> {
    let row = *visible(state).get(state.shelf.selected)?;
    state.library.as_ref()?.skills.get(row)
}

/// Takes a library from the engine; the selection follows its skill.
pub fn take(state: &mut State, library: Arc<LibraryView>) -> Vec<Effect> {
    let mut chosen = selected(state).map(|s| s.id.clone());
    let first = state.library.is_none();
    if first && let Some(warning) = library.warnings.first() {
        let more = library.warnings.len() - 1;
        let text = if more == 0 { warning.clone() } else { format!("{warning} (and {more} more)") };
        state.complain(text);
    }
    // A rebuilt skill lies in another file.
    let places = |view: &LibraryView| (view.skills.iter().map(|s| s.id.clone()).collect::<Vec<_>>(), view.files.clone());
    let changed = state.library.as_deref().map(places) != Some(places(&library));
    if let Some(added) = added(state, &library) {
        state.say(format!("{added} is in the library."));
        chosen = Some(added);
    }
    // A build also measures the calibration of the evidence, which a library from before there was
    // evidence lacks.
    let lacks = library.missing > 0 || state.lab.weighs && !library.calibrated && !library.skills.is_empty();
    state.library = Some(library);
    let rows = visible(state);
    let at = chosen.and_then(|id| rows.iter().position(|r| state.library.as_ref().is_some_and(|l| l.skills[*r].id == id)));
    state.shelf.selected = at.unwrap_or(state.shelf.selected.min(rows.len().saturating_sub(1)));
    let mut effects = Vec::new();
    if lacks && !state.shelf.build_sent {
        state.shelf.build_sent = true;
        effects.push(state.jobs.send(Request::Build(BuildRequest { missing: true, anew: Vec::new() }), state.clock));
    }
    if changed {
        state.map.outdated = true;
        effects.extend(super::lab::query_changed(state));
        inspect_soon(state);
    }
    effects
}

/// The selection changed: requests its report after a pause.
pub fn inspect_soon(state: &mut State) {
    state.shelf.inspect_at = Some(state.clock + 40);
}

/// Requests the selected skill's report.
pub fn inspect(state: &mut State) -> Vec<Effect> {
    state.shelf.inspect_at = None;
    let Some(id) = selected(state).map(|s| s.id.clone()) else { return Vec::new() };
    if state.tab != Tab::Library || state.model.is_none() {
        return Vec::new();
    }
    vec![state.jobs.send(Request::Inspect(id), state.clock)]
}

/// The tab's row in the table of tabs.
pub const TAB: TabRow = TabRow {
    go: command::go("tab.library", &["5", "alt-5"], "Library", "Go to the Library: skills, their provenance, tags.", |_| {
        Action::Tab(Tab::Library)
    }),
    panes: &[Focus::Skills, Focus::Filter],
    shown: |state| {
        inspect_soon(state);
        Vec::new()
    },
    motion,
    select,
    typed,
    pasted,
    copied,
    skill: |state| selected(state).map(|s| s.id.clone()),
    compare: None,
};

fn select(state: &mut State, pane: Focus, row: usize) {
    if pane == Focus::Skills && row < visible(state).len() {
        state.shelf.selected = row;
        inspect_soon(state);
    }
}

/// A key for the filter.
fn typed(state: &mut State, key: Key) -> Vec<Effect> {
    if state.focus() != Focus::Filter {
        return Vec::new();
    }
    match key.code {
        KeyCode::Enter => return update::focus_on(state, Focus::Skills),
        KeyCode::Down => motion(state, Motion::Down),
        KeyCode::Up => motion(state, Motion::Up),
        _ => {
            if state.shelf.filter.input(key) {
                motion(state, Motion::First);
            }
        }
    }
    Vec::new()
}

fn pasted(state: &mut State, text: &str) -> Vec<Effect> {
    if state.focus() == Focus::Filter {
        let cut = state.shelf.filter.insert(text);
        motion(state, Motion::First);
        update::tell(state, cut);
    }
    Vec::new()
}

/// The skills that pass the filter, as a table.
fn copied(state: &State) -> Option<String> {
    let line = |s: &SkillMeta| format!("{}\t{}\t{}\n", s.id, s.family, s.tokens);
    let library = state.library.as_ref()?;
    Some(visible(state).iter().filter_map(|row| library.skills.get(*row)).map(line).collect())
}

/// Moves the selection.
pub fn motion(state: &mut State, motion: Motion) {
    let rows = visible(state).len();
    state.shelf.selected = moved(state.shelf.selected, rows, motion);
    inspect_soon(state);
}

/// Applies an action of this tab.
pub fn apply(state: &mut State, action: LibraryAction) -> Vec<Effect> {
    match action {
        LibraryAction::NextSort => {
            let chosen = selected(state).map(|s| s.id.clone());
            state.shelf.sort = state.shelf.sort.next();
            let skills = state.library.clone();
            let same = |row: &usize| skills.as_ref().and_then(|l| l.skills.get(*row)).map(|s| &s.id) == chosen.as_ref();
            state.shelf.selected = visible(state).iter().position(same).unwrap_or(0);
            Vec::new()
        }
        LibraryAction::Delete => delete(state),
        LibraryAction::Restore => restore(state),
        LibraryAction::AddText => {
            state.overlay = Some(overlay::add_skill_form(&state.lab.query_text()));
            Vec::new()
        }
        LibraryAction::Build => build(state),
        LibraryAction::Check => vec![state.jobs.send(Request::Check, state.clock)],
        LibraryAction::Anew { task } => anew(state, task),
    }
}

/// The skill that the change under way added.
fn added(state: &State, new: &LibraryView) -> Option<String> {
    let old = state.library.as_deref().filter(|_| state.jobs.is_running(JobKind::Edit))?;
    let mut added = new.skills.iter().filter(|s| !old.skills.iter().any(|o| o.id == s.id));
    let first = added.next()?;
    added.next().is_none().then(|| first.id.clone())
}
