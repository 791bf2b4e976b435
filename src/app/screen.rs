//! The screen itself: the mouse, the slow line, the background that the terminal reports, and the
//! count of bytes written to it.

use super::effect::Effect;
use super::look::Background;
use super::state::{Focus, State, Tab};
use super::update::{focus_on, show};
use super::{Action, Key, KeyCode, Motion, update};
use crate::engine::JobKind;
use std::fmt;
use std::str::FromStr;

/// The longest text that is sent to a clipboard, in bytes: in base 64 it is 100 000 bytes, the
/// least limit of terminals in use (xterm and its kin drop a longer one silently).
pub const LARGEST_COPY: usize = 74_994;

/// Least time between two progress reports on a slow line.
const SLOW_PROGRESS_MS: u64 = 1000;

/// The target under the pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// A tab's title.
    Tab(Tab),
    /// A pane, outside its rows.
    Pane(Focus),
    /// A row (or point) of a pane, by its place in the list behind it.
    Row(Focus, usize),
    /// The overlay above the tab.
    Overlay,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tab(tab) => write!(f, "tab {}", tab.title().to_lowercase()),
            Self::Pane(focus) => f.write_str(&focus.name().to_lowercase()),
            Self::Row(focus, row) => write!(f, "{} {row}", focus.name().to_lowercase()),
            Self::Overlay => f.write_str("overlay"),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let pane = |name: &str| Tab::ALL.iter().flat_map(|t| t.panes()).copied().find(|f| f.name().to_lowercase() == name);
        let found = match text.split_once(' ') {
            None if text == "overlay" => Some(Self::Overlay),
            None => pane(text).map(Self::Pane),
            Some(("tab", name)) => Tab::ALL.into_iter().find(|t| t.title().to_lowercase() == name).map(Self::Tab),
            Some((name, row)) => pane(name).zip(row.parse().ok()).map(|(focus, row)| Self::Row(focus, row)),
        };
        found.ok_or_else(|| format!("`{text}` is nothing to point at; that looks like `query`, `ranking 3`, `tab map`, `overlay`"))
    }
}

/// Actions on the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScreenAction {
    /// The terminal reports its background.
    Background(Background),
    /// Capture the mouse, or leave it to the terminal.
    ToggleMouse,
    /// Switch between low bandwidth and normal output.
    ToggleLowBandwidth,
    /// The button was pressed on something.
    Click(Target),
    /// The wheel was turned above something: up or down.
    Wheel(Target, Motion),
    /// The totals written to the terminal so far.
    Written {
        /// Bytes.
        bytes: u64,
        /// Frames.
        frames: u64,
    },
}

/// The values of the screen itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Whether the mouse is captured.
    pub mouse: bool,
    /// Whether the line is slow: few frames, no animation, progress once a second.
    pub low_bandwidth: bool,
    /// Whether the user chose the background; if so, the terminal's report is ignored.
    pub background_chosen: bool,
    /// Bytes written to the terminal.
    pub bytes: u64,
    /// Frames written to it.
    pub frames: u64,
}

/// Applies one action.
pub fn apply(state: &mut State, action: ScreenAction) -> Vec<Effect> {
    match action {
        ScreenAction::Background(background) => {
            if !state.screen.background_chosen {
                state.look.background = background;
            }
            Vec::new()
        }
        ScreenAction::ToggleMouse => {
            state.screen.mouse = !state.screen.mouse;
            state.say(if state.screen.mouse {
                "The mouse is taken: click selects, the wheel scrolls; shift selects text as before."
            } else {
                "The mouse is the terminal's again."
            });
            vec![Effect::Mouse(state.screen.mouse)]
        }
        ScreenAction::ToggleLowBandwidth => {
            state.screen.low_bandwidth = !state.screen.low_bandwidth;
            state.say(if state.screen.low_bandwidth {
                "Low bandwidth: at most five frames a second, progress once a second."
            } else {
                "Low bandwidth is off."
            });
            Vec::new()
        }
        ScreenAction::Click(target) => click(state, target),
        ScreenAction::Wheel(target, motion) => wheel(state, target, motion),
        ScreenAction::Written { bytes, frames } => {
            (state.screen.bytes, state.screen.frames) = (bytes, frames);
            Vec::new()
        }
    }
}

fn click(state: &mut State, target: Target) -> Vec<Effect> {
    let (focus, row) = match target {
        Target::Overlay => return Vec::new(),
        Target::Tab(tab) => return show(state, tab),
        Target::Pane(focus) => (focus, None),
        Target::Row(focus, row) => (focus, Some(row)),
    };
    let effects = focus_on(state, focus);
    if let Some(row) = row {
        (state.tab.row().select)(state, focus, row);
    }
    effects
}

/// Treats a turn of the wheel as an arrow key in the pane below the pointer.
fn wheel(state: &mut State, target: Target, motion: Motion) -> Vec<Effect> {
    let code = if motion == Motion::Up { KeyCode::Up } else { KeyCode::Down };
    let typed = Action::Type(Key::plain(code));
    match target {
        Target::Overlay => update(state, typed),
        Target::Tab(_) => Vec::new(),
        Target::Pane(focus) | Target::Row(focus, _) => {
            let mut effects = focus_on(state, focus);
            effects.extend(update(state, if focus.is_editor() { typed } else { Action::Move(motion) }));
            effects
        }
    }
}

/// Whether a progress report comes too soon after the last one to be shown on a slow line. A new
/// phase is always shown.
pub fn too_soon(state: &State, kind: JobKind, unit: &str) -> bool {
    let last = state.jobs.running(kind).filter(|r| r.unit == unit);
    state.screen.low_bandwidth && last.is_some_and(|r| state.clock < r.seen + SLOW_PROGRESS_MS)
}

/// Sends a text to the clipboard, or to a file if no terminal would take it.
pub fn copy(state: &mut State, text: Option<String>) -> Vec<Effect> {
    let Some(text) = text else { return nothing(state) };
    if text.len() > LARGEST_COPY {
        return vec![Effect::SaveCopy(text)];
    }
    // Terminals give no confirmation, so the message names the alternative.
    state.say(format!("{} characters sent to the terminal's clipboard; Y writes them to a file.", text.chars().count()));
    vec![Effect::Copy(text)]
}

/// Writes a text to a file.
pub fn copy_to_file(state: &mut State, text: Option<String>) -> Vec<Effect> {
    text.map_or_else(|| nothing(state), |text| vec![Effect::SaveCopy(text)])
}

fn nothing(state: &mut State) -> Vec<Effect> {
    state.say("There is nothing to copy here.");
    Vec::new()
}
