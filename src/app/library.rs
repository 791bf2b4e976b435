//! The Library tab: browse, filter, tag, add, delete, restore, provenance.

use super::action::Motion;
use super::effect::Effect;
use super::lab::moved;
use super::line::Line;
use super::state::State;
use crate::engine::{JobKind, LibraryEdit, LibraryView, Request, SkillReport};
use crate::library::SkillMeta;
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
    /// The clock at which the selected skill's report is to be asked for.
    pub inspect_at: Option<u64>,
    /// Ids deleted in this sitting, the last one last.
    pub deleted: Vec<String>,
    /// Changes waiting for the one under way: a new job of a kind would replace it.
    waiting: VecDeque<LibraryEdit>,
    /// Whether the missing skills were asked for.
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

/// Takes a library as the engine tells it: the selection follows its skill.
pub fn take(state: &mut State, library: Arc<LibraryView>) -> Vec<Effect> {
    let chosen = selected(state).map(|s| s.id.clone());
    let first = state.library.is_none();
    if first && let Some(warning) = library.warnings.first() {
        let more = library.warnings.len() - 1;
        let text = if more == 0 { warning.clone() } else { format!("{warning} (and {more} more)") };
        state.complain(text);
    }
    let ids = |view: &LibraryView| view.skills.iter().map(|s| s.id.clone()).collect::<Vec<_>>();
    let changed = state.library.as_deref().map(ids) != Some(ids(&library));
    let missing = library.missing;
    state.library = Some(library);
    let rows = visible(state);
    let at = chosen.and_then(|id| rows.iter().position(|r| state.library.as_ref().is_some_and(|l| l.skills[*r].id == id)));
    state.shelf.selected = at.unwrap_or(state.shelf.selected.min(rows.len().saturating_sub(1)));
    let mut effects = Vec::new();
    if missing > 0 && !state.shelf.build_sent {
        state.shelf.build_sent = true;
        effects.push(state.jobs.send(Request::Build, state.clock));
    }
    if changed {
        state.map.outdated = true;
        effects.extend(super::lab::query_changed(state));
        inspect_soon(state);
    }
    effects
}

/// The selection changed: ask for its report after a pause.
pub fn inspect_soon(state: &mut State) {
    state.shelf.inspect_at = Some(state.clock + 40);
}

/// Asks for the selected skill's report.
pub fn inspect(state: &mut State) -> Vec<Effect> {
    state.shelf.inspect_at = None;
    let Some(id) = selected(state).map(|s| s.id.clone()) else { return Vec::new() };
    if state.tab != super::state::Tab::Library || state.model.is_none() {
        return Vec::new();
    }
    vec![state.jobs.send(Request::Inspect(id), state.clock)]
}

/// Moves the selection.
pub fn motion(state: &mut State, motion: Motion) {
    let rows = visible(state).len();
    state.shelf.selected = moved(state.shelf.selected, rows, motion);
    inspect_soon(state);
}

/// Sends a change, or queues it behind the one under way.
pub fn edit(state: &mut State, edit: LibraryEdit) -> Vec<Effect> {
    state.shelf.waiting.push_back(edit);
    next_edit(state)
}

/// Sends the next waiting change, if none is under way.
pub fn next_edit(state: &mut State) -> Vec<Effect> {
    if state.jobs.is_running(JobKind::Edit) {
        return Vec::new();
    }
    let Some(edit) = state.shelf.waiting.pop_front() else { return Vec::new() };
    vec![state.jobs.send(Request::Edit(edit), state.clock)]
}

/// Deletes the selected skill; it can be restored.
pub fn delete(state: &mut State) -> Vec<Effect> {
    let Some(id) = selected(state).map(|s| s.id.clone()) else { return Vec::new() };
    state.shelf.deleted.push(id.clone());
    state.say(format!("{id} left out; u brings it back."));
    edit(state, LibraryEdit::Delete(id))
}

/// Restores the last deleted skill.
pub fn restore(state: &mut State) -> Vec<Effect> {
    let Some(id) = state.shelf.deleted.pop() else {
        state.say("Nothing was deleted in this sitting.");
        return Vec::new();
    };
    state.say(format!("{id} is back."));
    edit(state, LibraryEdit::Restore(id))
}

/// Asks for the missing skills.
pub fn build(state: &mut State) -> Vec<Effect> {
    if state.library.as_ref().is_none_or(|l| l.missing == 0) {
        state.say("The library is complete.");
        return Vec::new();
    }
    state.shelf.build_sent = true;
    vec![state.jobs.send(Request::Build, state.clock)]
}

/// Tags as typed: words separated by commas or blanks, each once.
pub fn parse_tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split(|c: char| c == ',' || c.is_whitespace()).filter(|t| !t.is_empty()) {
        if !tags.iter().any(|t| t == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}
