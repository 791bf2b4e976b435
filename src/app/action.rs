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
    /// SSM state or convolution window.
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
    /// A key pressed: written down, then what it does here.
    Key(Key),
    /// A text pasted by the terminal: written down, then [`Action::Paste`].
    Pasted(String),
    /// The engine says something.
    Engine(Event),
    /// A key for the editor in focus or the overlay on top.
    Type(Key),
    /// A text pasted into the editor in focus or the overlay on top.
    Paste(String),
    /// A sentence for the user, from the loop.
    Notice(String),
    /// A complaint for the user, from the loop.
    Complain(String),

    /// End the program.
    Quit,
    /// Stop as Ctrl-Z does.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Leave what is in front: an overlay, a notice, an editor, running work.
    Back,
    /// Go to a tab.
    Tab(Tab),
    /// Focus a pane of the present tab.
    Focus(Focus),
    /// Focus the next (+1) or previous (−1) pane.
    CycleFocus(i32),
    /// Open the help.
    Help,
    /// Open the guide's list of pages.
    Guide,
    /// Open the palette.
    Palette,
    /// Ask for a value.
    Prompt(PromptKind),
    /// Take back (false) or repeat (true) the last change of the soup.
    Undo {
        /// Whether to repeat instead.
        redo: bool,
    },
    /// Copy what is focused.
    Copy,
    /// Write what would be copied to a file.
    CopyToFile,
    /// The screen as a thing: mouse, slow lines.
    Screen(ScreenAction),
    /// Write the frame to a file.
    SaveFrame(FrameFormat),
    /// The next glyph set.
    NextGlyphs,
    /// Light for dark, dark for light.
    FlipBackground,
    /// Move the selection.
    Move(Motion),

    /// A change of the Lab tab.
    Lab(LabAction),
    /// A change of what the tab compares or draws.
    Compare(Compare),
    /// Add the selected skill to the soup.
    AddSelected,
    /// Change the soup.
    Soup(SoupEdit),
    /// Use an instrument of the Lab.
    Instrument(InstrumentAction),
    /// A change of the Map tab.
    Map(MapAction),

    /// What happens on the Decay tab.
    Decay(DecayAction),
    /// A change of the Experiments tab.
    Experiments(ExperimentsAction),

    /// A change of the Library tab, or of the library.
    Library(LibraryAction),

    /// Draw the screen for an audience, or for work again.
    TogglePresent,
    /// What only the Session tab does.
    Session(SessionAction),
}
