//! The prompt for a new skill of a task: its initial text, completion, and the request made of it.

use super::{edit, selected};
use crate::app::effect::Effect;
use crate::app::state::State;
use crate::error::did_you_mean;
use crate::lab::LibraryEdit;
use crate::library::{SkillMeta, SkillOrigin};

/// The initial text of the prompt for a skill of a task: the selected skill's task, its number of
/// examples, and a seed not used for that task yet.
pub fn task_skill_text(state: &State) -> String {
    let skill = selected(state);
    let drawn = |s: &&SkillMeta| skill.is_some_and(|x| x.task == s.task) && matches!(s.origin, SkillOrigin::Drawn { .. });
    let seed = state.library.as_ref().map_or(0, |l| l.skills.iter().filter(drawn).count());
    let task = skill.filter(|s| state.library.as_ref().is_some_and(|l| l.tasks.contains(&s.task)));
    task.map_or_else(String::new, |s| format!("{} {} {seed}", s.task, shots_of(s)))
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

fn shots_of(skill: &SkillMeta) -> usize {
    match skill.origin {
        SkillOrigin::Examples { shots, .. } | SkillOrigin::Drawn { shots, .. } => shots,
        SkillOrigin::Text { .. } => crate::library::BuildSettings::default().shots,
    }
}
