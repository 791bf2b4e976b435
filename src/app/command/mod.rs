//! The command table: keys, hints, help, palette and the guide's page of keys all come from here.
//! Each tab has one file; [`general`] holds the commands that work in several tabs.

mod decay;
mod experiments;
mod general;
mod instrument;
mod lab;
mod library;
mod map;
mod screen;
mod session;

use super::action::Action;
use super::keymap::Keymap;
use super::state::State;
use super::tab::{Focus, Tab};
use super::{
    decay as decay_tab, experiments as experiments_tab, lab as lab_tab, library as library_tab, map as map_tab, session as session_tab,
};
use Place::{Everywhere, General, In, Lists};
use std::fmt::Write as _;

/// Where a command's keys work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Also while typing.
    Everywhere,
    /// Everywhere. In editors only F-keys and chords work, not keys that type a character.
    General,
    /// In every pane that is not an editor.
    Lists,
    /// Only in these panes.
    In(&'static [Focus]),
}

impl Place {
    /// Whether one key for commands in both places is ambiguous. By design a pane's own command
    /// takes precedence over a general one (`u` restores a deletion in the library), so only places
    /// of the same rank clash. Nothing may share a key with a command that works everywhere.
    pub fn clashes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Everywhere, _) | (_, Self::Everywhere) | (Self::General, Self::General) | (Self::Lists, Self::Lists) => true,
            (Self::In(panes), other @ (Self::In(_) | Self::Lists)) | (other @ Self::Lists, Self::In(panes)) => {
                panes.iter().any(|pane| other.is_at(*pane))
            }
            _ => false,
        }
    }

    /// Whether this place is made of panes and `pane` is one of them.
    pub fn is_at(self, pane: Focus) -> bool {
        match self {
            Self::Everywhere | Self::General => false,
            Self::Lists => !pane.is_editor(),
            Self::In(panes) => panes.contains(&pane),
        }
    }
}

/// One command.
#[derive(Debug)]
pub struct Command {
    /// Its name in configuration and sessions.
    pub id: &'static str,
    /// Its name in the palette.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub doc: &'static str,
    /// Its default keys.
    pub keys: &'static [&'static str],
    /// Where they work.
    pub place: Place,
    /// Its word in the hint bar, if it is shown there.
    pub hint: Option<&'static str>,
    /// Whether its keys work in overlays too.
    pub over_overlays: bool,
    /// Whether the palette leaves it out (movements).
    pub hidden: bool,
    /// Whether it can run now.
    pub available: fn(&State) -> bool,
    /// What it does.
    pub action: fn(&State) -> Action,
}

fn always(_: &State) -> bool {
    true
}
fn has_model(s: &State) -> bool {
    s.model.is_some()
}

const fn command(
    id: &'static str,
    keys: &'static [&'static str],
    place: Place,
    name: &'static str,
    doc: &'static str,
    action: fn(&State) -> Action,
) -> Command {
    Command { id, name, doc, keys, place, hint: None, over_overlays: false, hidden: false, available: always, action }
}

/// The command that switches to a tab; `name` is the tab's title.
pub(super) const fn go(
    id: &'static str,
    keys: &'static [&'static str],
    name: &'static str,
    doc: &'static str,
    action: fn(&State) -> Action,
) -> Command {
    command(id, keys, General, name, doc, action)
}

impl Command {
    const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }
    const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }
    const fn above(mut self) -> Self {
        self.over_overlays = true;
        self
    }
    const fn when(mut self, available: fn(&State) -> bool) -> Self {
        self.available = available;
        self
    }
}

/// The commands that switch to each tab.
static TABS: &[Command] =
    &[lab_tab::TAB.go, map_tab::TAB.go, decay_tab::TAB.go, experiments_tab::TAB.go, library_tab::TAB.go, session_tab::TAB.go];

/// The tables, in the order the hint bar shows their commands: the panes' own first, then the
/// general ones.
static TABLES: &[&[Command]] = &[
    general::SHARED,
    lab::COMMANDS,
    instrument::COMMANDS,
    map::COMMANDS,
    decay::COMMANDS,
    experiments::COMMANDS,
    library::COMMANDS,
    session::COMMANDS,
    general::COMMANDS,
    TABS,
    general::MORE,
    screen::COMMANDS,
];

/// All commands.
pub fn all() -> impl Iterator<Item = &'static Command> + Clone {
    TABLES.iter().copied().flatten()
}

/// Keys and words for the hint bar: the focused pane's, then the general ones.
pub fn hints(state: &State) -> Vec<(String, &'static str)> {
    let focus = state.focus();
    if state.show.is_some() {
        return [("space", "go on"), ("+ -", "speed"), ("alt-p", "presentation"), ("q", "leave the session")]
            .map(|(k, w)| (k.into(), w))
            .to_vec();
    }
    let here = |c: &&Command| match c.place {
        Everywhere => true,
        General => !state.takes_text(),
        Lists | In(_) => c.place.is_at(focus),
    };
    let mut hints: Vec<(String, &'static str)> = Vec::new();
    if focus.is_editor() {
        hints.push(("esc".into(), "commands"));
    }
    let shown = all().filter(here).filter(|c| (c.available)(state));
    hints.extend(shown.filter_map(|c| Some((state.keymap.keys(c).first()?.to_string(), c.hint?))));
    if focus.is_editor() {
        hints.push(("f1".into(), "help"));
        hints.push(("ctrl-p".into(), "all commands"));
        hints.push(("ctrl-q".into(), "quit"));
    } else {
        hints.push(("q".into(), "quit"));
    }
    hints
}

/// A command's place in words.
pub fn place_name(place: Place) -> String {
    fn names<'p>(panes: impl Iterator<Item = &'p Focus>) -> String {
        panes.map(|pane| pane.name()).collect::<Vec<_>>().join(", ")
    }
    match place {
        Everywhere => "everywhere".into(),
        General => "any pane".into(),
        Lists => names(Tab::ALL.into_iter().flat_map(Tab::panes).filter(|pane| !pane.is_editor())),
        In(panes) => names(panes.iter()),
    }
}

/// The guide's page of keys, in Markdown: the commands of each place.
pub fn key_page(keymap: &Keymap) -> String {
    let mut page = String::from(
        "# Keys and commands\n\n<!-- Generated: UPDATE_GUIDE=1 cargo test --lib guide -->\n\n`?` in the lab shows the keys of the pane \
         you are in, `:` finds any command by its name.\n`state-soup config --keys` prints your own keys, [configuration](configuration.md) \
         says how to change them.\n",
    );
    let mut places: Vec<Place> = Vec::new();
    for command in all() {
        if !places.contains(&command.place) {
            places.push(command.place);
        }
    }
    for place in places {
        let _ = write!(page, "\n## {}\n\n", capital(&place_name(place)));
        for command in all().filter(|c| c.place == place) {
            let keys: Vec<String> = keymap.keys(command).iter().map(|k| format!("`{k}`")).collect();
            let keys = if keys.is_empty() { "no key".into() } else { keys.join(" ") };
            let _ = writeln!(page, "- {keys}: **{}**. {}", command.name, command.doc);
        }
    }
    page
}

/// A text with its first letter in upper case.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The key table, in Markdown.
pub fn key_table(keymap: &Keymap) -> String {
    let mut table = String::from("| Key | Where | Command | What it does |\n|---|---|---|---|\n");
    for command in all() {
        let keys: Vec<String> = keymap.keys(command).iter().map(|k| format!("`{k}`")).collect();
        // Writing to a string cannot fail.
        let _ = writeln!(table, "| {} | {} | {} | {} |", keys.join(" "), place_name(command.place), command.name, command.doc);
    }
    table
}
