//! The form for a skill from text.

use super::Overlay;
use crate::app::effect::Effect;
use crate::app::library;
use crate::app::line::Line;
use crate::app::state::State;
use crate::lab::LibraryEdit;
use ratatui_textarea::TextArea;

/// An empty form for a skill from text, with the query in it.
pub fn add_skill_form(query: &str) -> Overlay {
    let text = Box::new(TextArea::new(query.split('\n').map(str::to_owned).collect()));
    Overlay::AddSkill { name: Line::default(), text, on_text: false, error: None }
}

pub(super) fn add_skill(state: &mut State, name: &str, text: &str) -> Result<Vec<Effect>, String> {
    let name = name.trim();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || !name.chars().all(plain) {
        return Err("The name needs letters, digits, `_`, `-` or `.` and nothing else.".into());
    }
    if text.trim().is_empty() {
        return Err("There is no text to read yet.".into());
    }
    state.say(format!("Reading {name} …"));
    Ok(library::edit(state, LibraryEdit::AddText { name: name.to_owned(), text: text.to_owned() }))
}
