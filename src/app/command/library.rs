//! Commands of the Library.

use super::Place::In;
use super::general::has_skill;
use super::{Command, command, has_model};
use crate::app::action::Action;
use crate::app::library::LibraryAction;
use crate::app::overlay::PromptKind;
use crate::app::state::{Focus, State, Tab};

const SKILLS: &[Focus] = &[Focus::Skills];

fn has_library(s: &State) -> bool {
    s.model.is_some() && s.library.is_some()
}

fn on_library(s: &State) -> bool {
    s.tab == Tab::Library
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("library.filter", &["/"], In(SKILLS), "Filter the library", "Type words that id, family or tags must contain.", |_| Action::Focus(Focus::Filter)).hint("filter").when(on_library),
    command("library.new", &["a"], In(SKILLS), "Add a skill from text", "Read a text and keep the state it ends in.", |_| Action::Library(LibraryAction::AddText)).hint("add from text").when(has_model),
    command("library.task", &["A"], In(SKILLS), "Add a skill from a task", "Draw examples of a task by a seed, besides its test split, and keep the state they end in.", |_| Action::Prompt(PromptKind::TaskSkill)).hint("from task").when(has_library),
    command("library.tag", &["t"], In(SKILLS), "Tag the skill", "Type the selected skill's tags.", |_| Action::Prompt(PromptKind::Tags)).hint("tag").when(|s| on_library(s) && has_skill(s)),
    command("library.delete", &["x", "del"], In(SKILLS), "Delete the skill", "Leave the selected skill out of the library; u brings it back.", |_| Action::Library(LibraryAction::Delete)).hint("delete").when(|s| on_library(s) && has_skill(s)),
    command("library.restore", &["u"], In(SKILLS), "Restore the deleted skill", "Take back the last deletion, or give the skills read again last their earlier states.", |_| Action::Library(LibraryAction::Restore)).hint("take back").when(|s| !s.shelf.undo.is_empty()),
    command("library.sort", &["s"], In(SKILLS), "Sort the library", "As built, by name, by family, by tokens, newest first.", |_| Action::Library(LibraryAction::NextSort)).hint("sort").when(on_library),
    command("library.build", &["b"], In(SKILLS), "Build the missing skills", "Read what is not in the library yet, and what a check found damaged.", |_| Action::Library(LibraryAction::Build)).when(has_model),
    command("library.check", &["v"], In(SKILLS), "Check the library's files", "Compare every file with its hash and look for NaN and infinity in every skill.", |_| Action::Library(LibraryAction::Check)).hint("check").when(has_library),
    command("library.anew", &["B"], In(SKILLS), "Read the skill again", "Make the selected skill again from its text or examples; u brings the earlier state back.", |_| Action::Library(LibraryAction::Anew { task: false })).hint("read again").when(|s| on_library(s) && has_skill(s)),
    command("library.anew_task", &["alt-b"], In(SKILLS), "Read the task's skills again", "Make all skills of the selected one's task again; u brings the earlier states back.", |_| Action::Library(LibraryAction::Anew { task: true })).when(|s| on_library(s) && has_skill(s)),
];
