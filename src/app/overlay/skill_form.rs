//! The form for a skill from text.

use super::Overlay;
use crate::app::effect::Effect;
use crate::app::key::{Key, KeyCode};
use crate::app::line::Line;
use crate::app::state::State;
use crate::app::{editor, library};
use crate::lab::LibraryEdit;
use ratatui_textarea::TextArea;

/// An empty form for a skill from text, with the query in it.
pub fn add_skill_form(query: &str) -> Overlay {
    let text = Box::new(TextArea::new(query.split('\n').map(str::to_owned).collect()));
    Overlay::AddSkill { name: Line::default(), text, on_text: false, error: None }
}

/// A key for the form: the effects of leaving it; `None` if it stays.
pub(super) fn typed(
    state: &mut State,
    name: &mut Line,
    text: &mut TextArea<'static>,
    on_text: &mut bool,
    error: &mut Option<String>,
    key: Key,
) -> Option<Vec<Effect>> {
    match (key.code, key.ctrl) {
        (KeyCode::Tab | KeyCode::BackTab, _) => *on_text = !*on_text,
        (KeyCode::Char('s'), true) => match add_skill(state, name.text(), &text.lines().join("\n")) {
            Ok(effects) => return Some(effects),
            Err(why) => *error = Some(why),
        },
        (KeyCode::Enter, _) if !*on_text => *on_text = true,
        _ => {
            *error = None;
            if *on_text {
                *error = editor::typed(text, key).err();
            } else {
                name.input(key);
            }
        }
    }
    None
}

fn add_skill(state: &mut State, name: &str, text: &str) -> Result<Vec<Effect>, String> {
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
