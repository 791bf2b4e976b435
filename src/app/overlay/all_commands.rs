//! The palette of all commands: the matches of its words, and its keys.

use crate::app::command::{self, Command};
use crate::app::effect::Effect;
use crate::app::key::{Key, KeyCode};
use crate::app::line::Line;
use crate::app::state::State;
use crate::app::update;

/// Commands that match the palette's words, best first: available ones before the others, names
/// before descriptions.
pub fn matches(state: &State, input: &str) -> Vec<&'static Command> {
    let input = input.to_lowercase();
    let words: Vec<&str> = input.split_whitespace().collect();
    let mut found: Vec<(u8, &'static Command)> = command::all()
        .filter(|c| !c.hidden)
        .filter_map(|c| {
            let name = c.name.to_lowercase();
            let all = format!("{name} {} {}", c.id, c.doc.to_lowercase());
            let rank = if words.iter().all(|w| name.contains(w)) {
                u8::from(!words.first().is_none_or(|w| name.starts_with(w)))
            } else if words.iter().all(|w| all.contains(w)) {
                2
            } else {
                return None;
            };
            Some((rank + if (c.available)(state) { 0 } else { 4 }, c))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, c)| c).collect()
}

/// A key for the palette: the effects of leaving it; `None` if it stays.
pub(super) fn typed(state: &mut State, input: &mut Line, selected: &mut usize, key: Key) -> Option<Vec<Effect>> {
    let found = matches(state, input.text());
    match key.code {
        KeyCode::Enter => {
            let command = found.get(*selected)?;
            if !(command.available)(state) {
                state.say(format!("{} is not possible here and now.", command.name));
                return Some(Vec::new());
            }
            let action = (command.action)(state);
            return Some(update(state, action));
        }
        KeyCode::Up | KeyCode::BackTab => *selected = selected.saturating_sub(1),
        KeyCode::Down | KeyCode::Tab => *selected = (*selected + 1).min(found.len().saturating_sub(1)),
        KeyCode::PageUp => *selected = selected.saturating_sub(10),
        KeyCode::PageDown => *selected = (*selected + 10).min(found.len().saturating_sub(1)),
        _ => {
            if input.input(key) {
                *selected = 0;
            }
        }
    }
    None
}
