//! Commands of the Library.

use super::Place::In;
use super::general::has_skill;
use super::{Command, command, has_model};
use crate::app::action::Action;
use crate::app::overlay::PromptKind;
use crate::app::state::{Focus, State, Tab};

const SKILLS: &[Focus] = &[Focus::Skills];

fn on_library(s: &State) -> bool {
    s.tab == Tab::Library
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("library.filter", &["/"], In(SKILLS), "Filter the library", "Type words that id, family or tags must contain.", |_| Action::Focus(Focus::Filter)).hint("filter").when(on_library),
    command("library.new", &["a"], In(SKILLS), "Add a skill from text", "Read a text and keep the state it ends in.", |_| Action::AddSkill).hint("add from text").when(has_model),
    command("library.tag", &["t"], In(SKILLS), "Tag the skill", "Type the selected skill's tags.", |_| Action::Prompt(PromptKind::Tags)).hint("tag").when(|s| on_library(s) && has_skill(s)),
    command("library.delete", &["x", "del"], In(SKILLS), "Delete the skill", "Leave the selected skill out of the library; u brings it back.", |_| Action::DeleteSkill).hint("delete").when(|s| on_library(s) && has_skill(s)),
    command("library.restore", &["u"], In(SKILLS), "Restore the deleted skill", "Bring the last deleted skill back.", |_| Action::RestoreSkill).hint("restore").when(|s| !s.shelf.deleted.is_empty()),
    command("library.sort", &["s"], In(SKILLS), "Sort the library", "As built, by name, by family, by tokens, newest first.", |_| Action::NextSort).hint("sort").when(on_library),
    command("library.build", &["b"], In(SKILLS), "Build the missing skills", "Read the examples of all tasks that are not in the library yet.", |_| Action::Build).when(has_model),
];
