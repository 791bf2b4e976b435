//! The tabs: one row each.
//!
//! To add a tab, add:
//! - a variant of [`Tab`], with its line in [`Tab::ALL`] and [`Tab::row`];
//! - a folder in `app` with its values (a field of `State`) and its row, `TAB`;
//! - its commands in `app/command`, listed with the others in `mod.rs` there;
//! - its panes as variants of [`Focus`];
//! - a file in `ui/panes/` that draws it, with a line in `ui/draw.rs`.

use super::action::{Compare, Motion};
use super::command::Command;
use super::effect::Effect;
use super::key::Key;
use super::state::State;
use super::{decay, experiments, lab, library, map, session};

/// A tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tab {
    /// Query, ranking, soup, answers.
    Lab,
    /// Scatter of the library.
    Map,
    /// Chunks of a document, and rules that compose one state from theirs.
    Decay,
    /// The claims, measured.
    Experiments,
    /// The library itself.
    Library,
    /// The log of this sitting.
    Session,
}

/// The functions and values of a tab, without its picture.
#[derive(Debug)]
pub struct TabRow {
    /// The command that switches to it: its keys, its title, its sentence in the help.
    pub go: Command,
    /// Its panes, in the order Tab visits them; the first is focused at the start.
    pub panes: &'static [Focus],
    /// Runs when it comes to the front.
    pub shown: fn(&mut State) -> Vec<Effect>,
    /// Moves the selection in its focused pane.
    pub motion: fn(&mut State, Motion),
    /// Selects a row (or point) of one of its panes, as a click does.
    pub select: fn(&mut State, Focus, usize),
    /// Gives a key to its editor in focus.
    pub typed: fn(&mut State, Key) -> Vec<Effect>,
    /// Pastes a text into its editor in focus.
    pub pasted: fn(&mut State, &str) -> Vec<Effect>,
    /// The text of its focused pane, for the clipboard.
    pub copied: fn(&State) -> Option<String>,
    /// The skill that "add" would take from here.
    pub skill: fn(&State) -> Option<String>,
    /// Changes what it compares or draws, if it does either.
    pub compare: Option<fn(&mut State, Compare) -> Vec<Effect>>,
}

impl Tab {
    /// All tabs, in display order.
    pub const ALL: [Self; 6] = [Self::Lab, Self::Map, Self::Decay, Self::Experiments, Self::Library, Self::Session];

    /// Its row in the table of tabs.
    pub fn row(self) -> &'static TabRow {
        match self {
            Self::Lab => &lab::TAB,
            Self::Map => &map::TAB,
            Self::Decay => &decay::TAB,
            Self::Experiments => &experiments::TAB,
            Self::Library => &library::TAB,
            Self::Session => &session::TAB,
        }
    }

    /// Its title.
    pub fn title(self) -> &'static str {
        self.row().go.name
    }

    /// Its panes, in the order Tab visits them; the first is focused at the start.
    pub fn panes(self) -> &'static [Focus] {
        self.row().panes
    }

    /// Its index among the tabs.
    pub fn index(self) -> usize {
        Self::ALL.iter().position(|t| *t == self).unwrap_or(0)
    }
}

/// The pane that keys go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Focus {
    /// The query editor.
    Query,
    /// The ranking.
    Ranking,
    /// The soup.
    Soup,
    /// The answers.
    Answers,
    /// The line with the target, the answer whose log-probability is requested.
    Target,
    /// The scatter.
    Map,
    /// The list of neighbours beside it.
    Neighbours,
    /// The document editor.
    Document,
    /// The table of rules.
    Rules,
    /// Loss by position.
    Positions,
    /// Errors and half-lives by layer.
    Layers,
    /// The list of experiments.
    Experiments,
    /// The report of the selected experiment.
    Result,
    /// The list of skills.
    Skills,
    /// The line that filters the list.
    Filter,
    /// The log of this sitting.
    Journal,
    /// The list of earlier sittings.
    Sittings,
}

impl Focus {
    /// The pane that Esc moves to from an editor; `None` if this pane is not an editor.
    pub fn beside(self) -> Option<Self> {
        match self {
            Self::Query => Some(Self::Ranking),
            Self::Target => Some(Self::Answers),
            Self::Filter => Some(Self::Skills),
            Self::Document => Some(Self::Rules),
            _ => None,
        }
    }

    /// Whether characters typed here are text rather than commands.
    pub fn is_editor(self) -> bool {
        self.beside().is_some()
    }

    /// Its name in help.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Ranking => "Ranking",
            Self::Soup => "Soup",
            Self::Answers => "Answers",
            Self::Target => "Target",
            Self::Map => "Map",
            Self::Neighbours => "Neighbours",
            Self::Document => "Document",
            Self::Rules => "Rules",
            Self::Positions => "Positions",
            Self::Layers => "Layers",
            Self::Experiments => "Experiments",
            Self::Result => "Result",
            Self::Skills => "Skills",
            Self::Filter => "Filter",
            Self::Journal => "Journal",
            Self::Sittings => "Sittings",
        }
    }
}

/// For a tab with nothing to do when it comes to the front.
pub(super) fn at_rest(_: &mut State) -> Vec<Effect> {
    Vec::new()
}

/// For a tab without an editor.
pub(super) fn not_typed(_: &mut State, _: Key) -> Vec<Effect> {
    Vec::new()
}

/// For a tab without an editor.
pub(super) fn not_pasted(_: &mut State, _: &str) -> Vec<Effect> {
    Vec::new()
}

/// For a tab without skills to select.
pub(super) fn no_skill(_: &State) -> Option<String> {
    None
}

/// The selection after a movement, in a list of `len` rows.
pub fn moved(at: usize, len: usize, motion: Motion) -> usize {
    let last = len.saturating_sub(1);
    match motion {
        Motion::Up => at.saturating_sub(1),
        Motion::Down => (at + 1).min(last),
        Motion::PageUp => at.saturating_sub(10),
        Motion::PageDown => (at + 10).min(last),
        Motion::First => 0,
        Motion::Last => last,
        Motion::Left | Motion::Right => at,
    }
}
