//! Everything that can happen to the state.

use super::decay::DecayAction;
use super::effect::FrameFormat;
use super::experiments::ExperimentsAction;
use super::instrument::InstrumentAction;
use super::key::Key;
use super::lab::LabAction;
use super::library::LibraryAction;
use super::map::MapAction;
use super::overlay::PromptKind;
use super::screen::ScreenAction;
use super::session::SessionAction;
use super::soup_edit::SoupEdit;
use super::state::{Focus, Tab};
use crate::engine::Event;

/// A movement of the selection in whatever is focused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// One up.
    Up,
    /// One down.
    Down,
    /// To the left (maps).
    Left,
    /// To the right (maps).
    Right,
    /// Ten up.
    PageUp,
    /// Ten down.
    PageDown,
    /// The first.
    First,
    /// The last.
    Last,
}

/// A change of what a tab compares (Lab) or draws (Map).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Switch between SSM state and convolution window.
    NextPart,
    /// Shift the compared layers, or the drawn layer.
    ShiftLayers(i32),
    /// Another seed for sampled answers, or for the map.
    NextSeed,
}

/// One change of the state. Nothing else changes it.
#[derive(Clone, Debug)]
pub enum Action {
    /// The clock, in milliseconds since the start.
    Tick(u64),
    /// A key pressed: recorded first, then applied.
    Key(Key),
    /// A text pasted by the terminal: recorded first, then applied as [`Action::Paste`].
    Pasted(String),
    /// An event from the engine.
    Engine(Event),
    /// A key for the editor in focus or the overlay on top.
    Type(Key),
    /// A text pasted into the editor in focus or the overlay on top.
    Paste(String),
    /// A sentence for the user, from the loop.
    Notice(String),
    /// An error message for the user, from the loop.
    Complain(String),

    /// End the program.
    Quit,
    /// Stop as Ctrl-Z does.
    Suspend,
    /// Draw everything again.
    Redraw,
    /// Leave what is in front: an overlay, a notice, an editor, running work.
    Back,
    /// Go to a tab.
    Tab(Tab),
    /// Focus a pane of the current tab.
    Focus(Focus),
    /// Focus the next (+1) or previous (−1) pane.
    CycleFocus(i32),
    /// Open the help.
    Help,
    /// Open the guide's list of pages.
    Guide,
    /// Open the palette.
    Palette,
    /// Open a prompt for a value.
    Prompt(PromptKind),
    /// Undo (false) or redo (true) the last change of the soup.
    Undo {
        /// Redo instead of undo.
        redo: bool,
    },
    /// Copy the text of the focused pane.
    Copy,
    /// Write that text to a file.
    CopyToFile,
    /// An action on the screen itself: mouse, slow lines.
    Screen(ScreenAction),
    /// Write the frame to a file.
    SaveFrame(FrameFormat),
    /// The next glyph set.
    NextGlyphs,
    /// Switch between the dark and the light theme.
    FlipBackground,
    /// Move the selection.
    Move(Motion),

    /// A change of the Lab tab.
    Lab(LabAction),
    /// A change of what the current tab compares or draws.
    Compare(Compare),
    /// Add the selected skill to the soup.
    AddSelected,
    /// Change the soup.
    Soup(SoupEdit),
    /// Use an instrument of the Lab.
    Instrument(InstrumentAction),
    /// A change of the Map tab.
    Map(MapAction),

    /// An action of the Decay tab.
    Decay(DecayAction),
    /// A change of the Experiments tab.
    Experiments(ExperimentsAction),

    /// A change of the Library tab, or of the library.
    Library(LibraryAction),

    /// Switch between the screen for an audience and the screen for work.
    TogglePresent,
    /// An action of the Session tab.
    Session(SessionAction),
}
