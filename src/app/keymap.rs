//! Which command a key runs in which place.

use super::action::{Action, Motion};
use super::command::{self, Command, Place};
use super::key::{Key, KeyCode};
use super::screen::ScreenAction;
use super::state::State;

/// The keys of all commands, in the table's order.
#[derive(Clone, Debug)]
pub struct Keymap {
    keys: Vec<Vec<Key>>,
}

impl Keymap {
    /// The table's keys, replaced by the user's where given.
    ///
    /// # Errors
    /// A sentence that names an unknown command, or two commands that share a key in one place.
    pub fn new(overrides: &[(String, Vec<Key>)]) -> Result<Self, String> {
        let mut keys = Vec::new();
        for command in command::all() {
            let parsed: Result<Vec<Key>, String> = command.keys.iter().map(|k| k.parse()).collect();
            keys.push(parsed?);
        }
        for (id, own) in overrides {
            let at = command::all().position(|c| c.id == id).ok_or_else(|| format!("there is no command `{id}` to bind keys to"))?;
            keys[at].clone_from(own);
        }
        let map = Self { keys };
        map.check()?;
        Ok(map)
    }

    fn check(&self) -> Result<(), String> {
        for (i, a) in command::all().enumerate() {
            for (j, b) in command::all().enumerate().skip(i + 1) {
                if let Some(key) = self.keys[i].iter().find(|k| self.keys[j].contains(k))
                    && a.place.clashes(b.place)
                {
                    return Err(format!("the key {key} is bound both to `{}` and to `{}`", a.id, b.id));
                }
            }
        }
        Ok(())
    }

    /// The keys of a command.
    pub fn keys(&self, command: &Command) -> &[Key] {
        command::all().position(|c| c.id == command.id).map_or(&[], |i| &self.keys[i])
    }

    /// A command's keys in written form, separated by blanks (`up k`).
    pub fn key_text(&self, command: &Command) -> String {
        self.keys(command).iter().map(Key::to_string).collect::<Vec<_>>().join(" ")
    }

    /// The command that a key runs here: the focused pane's own before the general ones.
    pub fn command(&self, state: &State, key: Key) -> Option<&'static Command> {
        let focus = state.focus();
        let bound = command::all().zip(&self.keys).filter(|(_, keys)| keys.contains(&key)).map(|(c, _)| c);
        let here = |place: Place| match place {
            Place::Everywhere => Some(2),
            Place::General => (!state.takes_text() || key.typed().is_none()).then_some(1),
            place => (state.overlay.is_none() && place.is_at(focus)).then_some(0),
        };
        bound.filter_map(|c| here(c.place).map(|rank| (rank, c))).min_by_key(|(rank, _)| *rank).map(|(_, c)| c)
    }

    /// The action that a key causes: that of a mouse event or a command, or text for the editor or
    /// overlay in front.
    pub fn action(&self, state: &State, key: Key) -> Option<Action> {
        match key.code {
            KeyCode::Click(target) => return Some(Action::Screen(ScreenAction::Click(target))),
            KeyCode::Wheel(target, up) => {
                return Some(Action::Screen(ScreenAction::Wheel(target, if up { Motion::Up } else { Motion::Down })));
            }
            _ => {}
        }
        match self.command(state, key) {
            // An overlay handles Esc, Tab and every plain key itself.
            Some(command) if state.overlay.is_none() || command.over_overlays => {
                if (command.available)(state) {
                    Some((command.action)(state))
                } else {
                    None
                }
            }
            _ if state.takes_text() => Some(Action::Type(key)),
            _ => None,
        }
    }
}
