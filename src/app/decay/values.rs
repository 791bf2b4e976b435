//! The values that can be typed or stepped: the cut into chunks, γ, the document's path.

use super::{Origin, STEP_AFTER_MS, changed, run};
use crate::app::effect::Effect;
use crate::app::overlay::trim_number;
use crate::app::state::State;
use crate::lab::{Cut, DecayRequest, DecaySource};

/// A value of the tab that can be typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecayValue {
    /// A file to read.
    Path,
    /// Number of chunks.
    Chunks,
    /// Tokens per chunk.
    Length,
    /// Tokens of the continuation.
    After,
    /// γ.
    Gamma,
}

impl DecayValue {
    /// The question of its prompt.
    pub fn question(self) -> &'static str {
        match self {
            Self::Path => "File with a document (UTF-8 text, at most 256 KiB)",
            Self::Chunks => "Chunks, 2 to 64",
            Self::Length => "Tokens of a chunk, 1 to 4096",
            Self::After => "Tokens of the continuation, 1 to 1024",
            Self::Gamma => "γ, exponent of the decay (0: sum, 1: A-decay, inf: last chunk)",
        }
    }
}

/// The current value that a prompt starts with.
pub fn value_text(state: &State, value: DecayValue) -> String {
    let tab = &state.decay;
    match value {
        DecayValue::Path => match &tab.origin {
            Origin::File(path) => path.clone(),
            _ => String::new(),
        },
        DecayValue::Chunks => tab.cut.chunks.to_string(),
        DecayValue::Length => tab.cut.length.to_string(),
        DecayValue::After => tab.cut.after.to_string(),
        DecayValue::Gamma => trim_number(tab.gamma),
    }
}

/// Takes a typed value.
///
/// # Errors
/// A sentence that says what is wrong with it.
pub fn set_value(state: &mut State, value: DecayValue, text: &str) -> Result<Vec<Effect>, String> {
    let text = text.trim();
    let mut cut = state.decay.cut;
    let whole = || text.parse::<usize>().map_err(|_| format!("`{text}` is not a whole number."));
    match value {
        DecayValue::Path if text.is_empty() => return Err("Type the path of a file.".into()),
        DecayValue::Path => return Ok(vec![Effect::ReadDocument(text.to_owned())]),
        DecayValue::Chunks => cut.chunks = whole()?,
        DecayValue::Length => cut.length = whole()?,
        DecayValue::After => cut.after = whole()?,
        DecayValue::Gamma => {
            let gamma = text.parse::<f64>().map_err(|_| format!("`{text}` is not a number."))?;
            check(&DecayRequest { source: DecaySource::Sample(0), cut, gamma })?;
            state.decay.gamma = gamma;
        }
    }
    set_cut(state, cut)?;
    Ok(run(state))
}

/// Changes the cut, within the limits of a request.
pub(super) fn step_cut(state: &mut State, step: impl FnOnce(&mut Cut)) -> Vec<Effect> {
    let mut cut = state.decay.cut;
    step(&mut cut);
    match set_cut(state, cut) {
        Ok(()) => changed(state, STEP_AFTER_MS),
        Err(why) => {
            state.say(why);
            Vec::new()
        }
    }
}

fn set_cut(state: &mut State, cut: Cut) -> Result<(), String> {
    check(&DecayRequest { source: DecaySource::Sample(0), cut, gamma: state.decay.gamma })?;
    state.decay.cut = cut;
    Ok(())
}

/// What is wrong with a request, as a sentence.
fn check(request: &DecayRequest) -> Result<(), String> {
    request.check().map_err(|e| {
        let text = e.to_string();
        let mut rest = text.chars();
        rest.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), rest.as_str()))
    })
}
