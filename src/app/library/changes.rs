//! Changes of the library: deletions, tags, skills read again, and undoing them.

use super::{SkillHealth, health, selected};
use crate::app::effect::Effect;
use crate::app::state::State;
use crate::engine::{JobKind, Request};
use crate::lab::{BuildRequest, LibraryEdit};
use crate::library::SkillMeta;

/// A change that can be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// A skill was deleted.
    Deleted(String),
    /// Skills were rebuilt.
    Anew(Vec<String>),
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
    state.shelf.undo.push(Undo::Deleted(id.clone()));
    state.say(format!("{id} left out; u brings it back."));
    edit(state, LibraryEdit::Delete(id))
}

/// Undoes the last deletion or the last rebuild.
pub fn restore(state: &mut State) -> Vec<Effect> {
    match state.shelf.undo.pop() {
        None => {
            state.say("Nothing was deleted or read again in this sitting.");
            Vec::new()
        }
        Some(Undo::Deleted(id)) => {
            state.say(format!("{id} is back."));
            edit(state, LibraryEdit::Restore(id))
        }
        Some(Undo::Anew(ids)) => {
            state.say(format!("{} as before.", named(&ids)));
            edit(state, LibraryEdit::SwapBack(ids))
        }
    }
}

/// Requests the missing skills, and those that the last check found damaged.
pub fn build(state: &mut State) -> Vec<Effect> {
    let damaged: Vec<String> = state.library.as_ref().map_or_else(Vec::new, |l| {
        let bad = |row: &usize| matches!(health(state, *row), SkillHealth::Bad(_));
        (0..l.skills.len()).filter(bad).map(|row| l.skills[row].id.clone()).collect()
    });
    if damaged.is_empty() && state.library.as_ref().is_none_or(|l| l.missing == 0) {
        state.say("The library is complete.");
        return Vec::new();
    }
    state.shelf.build_sent = true;
    if !damaged.is_empty() {
        state.say(format!("{} read again …", named(&damaged)));
    }
    vec![state.jobs.send(Request::Build(BuildRequest { missing: true, anew: damaged }), state.clock)]
}

/// Rebuilds the selected skill, or all skills of its task.
pub(super) fn anew(state: &mut State, task: bool) -> Vec<Effect> {
    let (Some(skill), Some(library)) = (selected(state), &state.library) else { return Vec::new() };
    if state.jobs.is_running(JobKind::Build) {
        state.say("The library is being built; esc stops that.");
        return Vec::new();
    }
    let chosen = |s: &&SkillMeta| if task { s.task == skill.task } else { s.id == skill.id };
    let ids: Vec<String> = library.skills.iter().filter(chosen).map(|s| s.id.clone()).collect();
    state.say(format!("{} read again …", named(&ids)));
    state.shelf.anew.clone_from(&ids);
    vec![state.jobs.send(Request::Build(BuildRequest { missing: false, anew: ids }), state.clock)]
}

/// A build ended or was cancelled. Returns whether it was a rebuild; a rebuild that completed
/// (`whole`) can be undone.
pub fn built(state: &mut State, whole: bool) -> bool {
    let ids = std::mem::take(&mut state.shelf.anew);
    if ids.is_empty() {
        return false;
    }
    if whole {
        state.say(format!("{} new; u brings the earlier state back.", named(&ids)));
        state.shelf.undo.push(Undo::Anew(ids));
    }
    true
}

/// `antonym/0 is`, `5 skills are`.
fn named(ids: &[String]) -> String {
    if let [id] = ids { format!("{id} is") } else { format!("{} skills are", ids.len()) }
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
