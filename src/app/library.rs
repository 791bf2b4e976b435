//! The Library tab: browse, filter, tag, add, delete, restore, rebuild; provenance and health.

use super::action::{Action, Motion};
use super::effect::Effect;
use super::key::{Key, KeyCode};
use super::lab::moved;
use super::line::Line;
use super::state::State;
use super::tab::{Focus, Tab, TabRow};
use super::{command, overlay, update};
use crate::engine::{JobKind, Request};
use crate::error::did_you_mean;
use crate::lab::{BuildRequest, LibraryEdit, LibraryView, SkillReport};
use crate::library::{Health, SkillMeta, SkillOrigin};
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

/// A change that can be undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Undo {
    /// A skill was deleted.
    Deleted(String),
    /// Skills were rebuilt.
    Anew(Vec<String>),
}

/// The health of a skill's file and state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkillHealth<'a> {
    /// Unknown: the skill was not there at the last check, or there was no check.
    Unchecked,
    /// Every byte is as it was written.
    Whole,
    /// The fault, in a sentence.
    Bad(&'a str),
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

/// `antonym/0 is`, `5 skills are`.
fn named(ids: &[String]) -> String {
    if let [id] = ids { format!("{id} is") } else { format!("{} skills are", ids.len()) }
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

/// Rebuilds the selected skill, or all skills of its task.
fn anew(state: &mut State, task: bool) -> Vec<Effect> {
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

/// The health of the skill in a row of the library.
pub fn health(state: &State, row: usize) -> SkillHealth<'_> {
    let Some(library) = &state.library else { return SkillHealth::Unchecked };
    let (Some(skill), Some(file), Some(health)) = (library.skills.get(row), library.files.get(row), &state.shelf.health) else {
        return SkillHealth::Unchecked;
    };
    health.of(file).map_or(SkillHealth::Unchecked, |shard| shard.fault_of(&skill.id).map_or(SkillHealth::Whole, SkillHealth::Bad))
}

/// The number of listed skills that a check found damaged; `None` if there was no check.
pub fn bad(state: &State) -> Option<usize> {
    let rows = state.library.as_ref().map_or(0, |l| l.skills.len());
    state.shelf.health.as_ref().map(|_| (0..rows).filter(|row| matches!(health(state, *row), SkillHealth::Bad(_))).count())
}

/// Takes the result of a check, and reports it in a sentence.
pub fn take_health(state: &mut State, health: Arc<Health>) {
    let (skills, files) = (health.shards.iter().map(|s| s.skills.len()).sum::<usize>(), health.shards.len());
    let bad_files: Vec<&str> =
        health.shards.iter().filter(|s| s.fault.is_some() || !s.damaged.is_empty()).map(|s| s.file.as_str()).collect();
    let bad = health.bad_skills().count();
    if bad_files.is_empty() {
        state.say(format!("All {skills} skills in {files} files are as they were written."));
    } else {
        let more = if bad_files.len() == 1 { String::new() } else { format!(" and {} more", bad_files.len() - 1) };
        let files = format!("{}{more}", bad_files[0]);
        if bad > 0 {
            state.complain(format!("{bad} of {skills} skills are damaged ({files}); b reads them again."));
        } else {
            state.say(format!("All {skills} skills are as they were written. Damaged is only what no skill needs any more ({files})."));
        }
    }
    state.shelf.health = Some(health);
}

/// The skill that the change under way added.
fn added(state: &State, new: &LibraryView) -> Option<String> {
    let old = state.library.as_deref().filter(|_| state.jobs.is_running(JobKind::Edit))?;
    let mut added = new.skills.iter().filter(|s| !old.skills.iter().any(|o| o.id == s.id));
    let first = added.next()?;
    added.next().is_none().then(|| first.id.clone())
}

/// The initial text of the prompt for a skill of a task: the selected skill's task, its number of
/// examples, and a seed not used for that task yet.
pub fn task_skill_text(state: &State) -> String {
    let skill = selected(state);
    let drawn = |s: &&SkillMeta| skill.is_some_and(|x| x.task == s.task) && matches!(s.origin, SkillOrigin::Drawn { .. });
    let seed = state.library.as_ref().map_or(0, |l| l.skills.iter().filter(drawn).count());
    let task = skill.filter(|s| state.library.as_ref().is_some_and(|l| l.tasks.contains(&s.task)));
    task.map_or_else(String::new, |s| format!("{} {} {seed}", s.task, shots_of(s)))
}

fn shots_of(skill: &SkillMeta) -> usize {
    match skill.origin {
        SkillOrigin::Examples { shots, .. } | SkillOrigin::Drawn { shots, .. } => shots,
        SkillOrigin::Text { .. } => crate::library::BuildSettings::default().shots,
    }
}

/// The names of tasks that start with the first word of a text.
pub fn candidates<'s>(state: &'s State, text: &str) -> Vec<&'s str> {
    let begun = text.split_whitespace().next().unwrap_or_default();
    state.library.iter().flat_map(|l| &l.tasks).map(String::as_str).filter(|t| t.starts_with(begun)).collect()
}

/// A text with its first word extended by what all its candidates share.
pub fn completed(state: &State, text: &str) -> String {
    let text = text.trim_start();
    let begun = text.split_whitespace().next().unwrap_or_default();
    let names = candidates(state, text);
    let Some(first) = names.first() else { return text.to_owned() };
    let shared = |n: usize| names.iter().all(|name| name.get(..n) == first.get(..n));
    let length = (begun.len()..=first.len()).rev().find(|n| shared(*n)).unwrap_or(begun.len());
    let space = if names.len() == 1 && text.len() == begun.len() { " " } else { "" };
    format!("{}{space}{}", first.get(..length).unwrap_or(begun), &text[begun.len()..])
}

/// Requests a skill of a task from the typed text: task name, number of examples, seed of their
/// draw.
///
/// # Errors
/// A sentence about what was typed.
pub fn add_task(state: &mut State, text: &str) -> Result<Vec<Effect>, String> {
    let library = state.library.as_ref().ok_or("The library is not open yet.")?;
    let mut words = text.split_whitespace();
    let task = words.next().ok_or("Type the name of a task.")?.to_owned();
    if !library.tasks.contains(&task) {
        let near = did_you_mean(&task, library.tasks.iter().map(String::as_str));
        return Err(format!("There is no task `{task}`{}", if near.is_empty() { "." } else { &near }));
    }
    let usual = library.skills.iter().find(|s| s.task == task).map_or_else(|| crate::library::BuildSettings::default().shots, shots_of);
    let number = |word: Option<&str>, usual: u64, what: &str| match word {
        None => Ok(usual),
        Some(word) => word.parse::<u64>().map_err(|_| format!("`{word}` is not a number of {what}.")),
    };
    let shots = number(words.next(), usual as u64, "examples")? as usize;
    let seed = number(words.next(), 0, "a seed")?;
    if words.next().is_some() || shots == 0 {
        return Err("Type a task, a number of examples from 1 on, and a seed: `antonym 32 0`.".into());
    }
    state.say(format!("Reading {shots} examples of {task} …"));
    Ok(edit(state, LibraryEdit::AddTask { task, shots, seed }))
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
