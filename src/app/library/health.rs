//! The health of skills, as the last check found it.

use crate::app::state::State;
use crate::library::Health;
use std::sync::Arc;

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
            state.say(format!("All {skills} skills are as they were written. Only what no skill needs any more is damaged ({files})."));
        }
    }
    state.shelf.health = Some(health);
}
