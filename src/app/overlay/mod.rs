//! What lies above a tab: help, palette, prompts and forms. Keys go to the overlay first.
//!
//! Here are the overlays and the way of a key to the one on top. `update` gives it keys, commands
//! open it, `ui` draws it.
//!
//! - `prompt`: prompts for a value; `all_commands`: the palette; `skill_form`: the form for a skill
//!   from text. The guide and the instruments' panels have files of their own in `app`.

mod all_commands;
mod prompt;
mod skill_form;

pub use all_commands::matches;
pub use prompt::{PromptKind, layers_text, open_prompt, question, trim_number};
pub use skill_form::add_skill_form;

use super::command;
use super::effect::Effect;
use super::guide::{self, Reading};
use super::instrument::{self, Panel};
use super::key::{Key, KeyCode};
use super::line::Line;
use super::state::State;
use super::{editor, update};
use ratatui_textarea::TextArea;

/// The open overlay.
#[derive(Clone, Debug)]
pub enum Overlay {
    /// The keys that work here.
    Help {
        /// The search words.
        filter: Line,
        /// First line shown.
        scroll: usize,
    },
    /// The guide.
    Guide(Reading),
    /// All commands.
    Palette {
        /// The search words.
        input: Line,
        /// The selected match.
        selected: usize,
    },
    /// A prompt for a value.
    Prompt {
        /// The value it asks for.
        kind: PromptKind,
        /// The text so far.
        input: Line,
        /// Why the text was refused.
        error: Option<String>,
    },
    /// A panel of one of the Lab's instruments.
    Instrument(Panel),
    /// A form for a skill from text.
    AddSkill {
        /// The skill's task name.
        name: Line,
        /// The text.
        text: Box<TextArea<'static>>,
        /// Whether keys go to the text rather than the name.
        on_text: bool,
        /// Why the form was refused.
        error: Option<String>,
    },
}

impl Overlay {
    /// The keys that work here, all of them.
    pub fn help() -> Self {
        Self::Help { filter: Line::default(), scroll: 0 }
    }
}

/// A key for the overlay on top.
pub fn input(state: &mut State, key: Key) -> Vec<Effect> {
    let Some(mut overlay) = state.overlay.take() else { return Vec::new() };
    if key.code == KeyCode::Esc {
        return if let Overlay::Instrument(panel) = &overlay { instrument::leave(state, panel) } else { Vec::new() };
    }
    // What a key makes of an overlay: the effects of leaving it; `None` if it stays. A key that
    // leaves one may have opened another.
    let left = match &mut overlay {
        Overlay::Help { filter, scroll } => help_key(state, filter, scroll, key),
        Overlay::Guide(reading) => {
            if !guide::input(reading, key) {
                overlay = Overlay::help();
            }
            None
        }
        Overlay::Palette { input, selected } => all_commands::typed(state, input, selected, key),
        Overlay::Prompt { kind, input, error } => prompt::typed(state, kind, input, error, key),
        Overlay::Instrument(panel) => Some(instrument::input(state, panel.clone(), key)),
        Overlay::AddSkill { name, text, on_text, error } => skill_form::typed(state, name, text, on_text, error, key),
    };
    left.unwrap_or_else(|| {
        state.overlay = Some(overlay);
        Vec::new()
    })
}

/// A key for the help: the effects of leaving it; `None` if it stays.
fn help_key(state: &mut State, filter: &mut Line, scroll: &mut usize, key: Key) -> Option<Vec<Effect>> {
    match key.code {
        KeyCode::Up => *scroll = scroll.saturating_sub(1),
        KeyCode::Down => *scroll += 1,
        KeyCode::PageUp => *scroll = scroll.saturating_sub(10),
        KeyCode::PageDown => *scroll += 10,
        KeyCode::Enter => return Some(Vec::new()),
        KeyCode::Tab | KeyCode::BackTab => {
            state.overlay = Some(guide::open(state));
            return Some(Vec::new());
        }
        _ => {
            filter.input(key);
            *scroll = 0;
        }
    }
    *scroll = (*scroll).min(command::all().count());
    None
}

/// Text pasted into the overlay on top.
pub fn paste(state: &mut State, pasted: &str) {
    match &mut state.overlay {
        Some(Overlay::Help { filter: line, .. } | Overlay::Palette { input: line, .. } | Overlay::Prompt { input: line, .. }) => {
            let cut = line.insert(pasted);
            update::tell(state, cut);
        }
        Some(Overlay::Instrument(panel)) => {
            let cut = instrument::paste(panel, pasted);
            update::tell(state, cut);
        }
        Some(Overlay::AddSkill { name, text, on_text, error }) => {
            *error = if *on_text { editor::pasted(text, pasted) } else { name.insert(pasted) };
        }
        Some(Overlay::Guide(_)) | None => {}
    }
}
