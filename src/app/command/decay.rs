//! Commands of the Decay tab.

use super::Place::In;
use super::{Command, command, has_model};
use crate::app::action::Action;
use crate::app::decay::{DecayAction, DecayValue};
use crate::app::overlay::PromptKind;
use crate::app::state::{Focus, State, Tab};

const PANES: &[Focus] = &[Focus::Rules, Focus::Positions, Focus::Layers];

fn on_decay(s: &State) -> bool {
    s.tab == Tab::Decay
}

fn ready(s: &State) -> bool {
    on_decay(s) && has_model(s)
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("decay.gamma.up", &[">"], In(PANES), "γ up, coarse", "Raise the exponent of the decay by 0.1.", |_| Action::Decay(DecayAction::Gamma(10))).when(on_decay),
    command("decay.gamma.down", &["<"], In(PANES), "γ down, coarse", "Lower the exponent of the decay by 0.1.", |_| Action::Decay(DecayAction::Gamma(-10))).hint("> γ ±0.1").when(on_decay),
    command("decay.gamma.up.fine", &["."], In(PANES), "γ up, fine", "Raise the exponent of the decay by 0.01.", |_| Action::Decay(DecayAction::Gamma(1))).when(on_decay),
    command("decay.gamma.down.fine", &[","], In(PANES), "γ down, fine", "Lower the exponent of the decay by 0.01.", |_| Action::Decay(DecayAction::Gamma(-1))).hint(". ±0.01").when(on_decay),
    command("decay.gamma", &["=", "enter"], In(PANES), "Type γ of the chunks", "Type the exponent of the decay: 0 is the sum, 1 A-decay, inf the last chunk.", |_| Action::Prompt(PromptKind::Decay(DecayValue::Gamma))).hint("type γ").when(on_decay),
    command("decay.edit", &["e", "i"], In(PANES), "Edit the document", "Type or paste in the document.", |_| Action::Focus(Focus::Document)).hint("edit").when(on_decay),
    command("decay.open", &["o"], In(PANES), "Open a document", "Type the path of a text file.", |_| Action::Prompt(PromptKind::Decay(DecayValue::Path))).hint("open").when(ready),
    command("decay.sample", &["s"], In(PANES), "Next sample document", "A document made of task lists: another task from one chunk to the next.", |_| Action::Decay(DecayAction::Sample)).hint("sample").when(ready),
    command("decay.chunks.fewer", &["["], In(PANES), "One chunk fewer", "Cut the document into one chunk fewer.", |_| Action::Decay(DecayAction::Chunks(-1))).hint("] chunks").when(on_decay),
    command("decay.chunks.more", &["]"], In(PANES), "One chunk more", "Cut the document into one chunk more.", |_| Action::Decay(DecayAction::Chunks(1))).when(on_decay),
    command("decay.length.half", &["{"], In(PANES), "Half the chunks' length", "Chunks of half as many tokens.", |_| Action::Decay(DecayAction::Scale { up: false })).hint("} length").when(on_decay),
    command("decay.length.double", &["}"], In(PANES), "Twice the chunks' length", "Chunks of twice as many tokens.", |_| Action::Decay(DecayAction::Scale { up: true })).when(on_decay),
    command("decay.chunks", &["n"], In(PANES), "Type the number of chunks", "Type how many chunks the document is cut into.", |_| Action::Prompt(PromptKind::Decay(DecayValue::Chunks))).when(on_decay),
    command("decay.length", &["L"], In(PANES), "Type the chunks' length", "Type how many tokens a chunk has.", |_| Action::Prompt(PromptKind::Decay(DecayValue::Length))).when(on_decay),
    command("decay.after", &["m"], In(PANES), "Type the continuation's length", "Type how many tokens of the continuation are predicted.", |_| Action::Prompt(PromptKind::Decay(DecayValue::After))).when(on_decay),
    command("decay.sort", &["t"], In(PANES), "Sort the rules by loss", "List the rules by their loss, or in their own order.", |_| Action::Decay(DecayAction::Sort)).hint("sort").when(on_decay),
    command("decay.run", &["r"], In(PANES), "Compare the rules again", "Read the document and compare the rules again.", |_| Action::Decay(DecayAction::Run)).when(ready),
];
