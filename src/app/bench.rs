//! Changes of the soup on the bench, and what follows from them.

use super::effect::Effect;
use super::lab;
use super::soup_edit::SoupEdit;
use super::state::State;

/// Changes the soup, or complains why it cannot be.
pub fn edit(state: &mut State, edit: &SoupEdit) -> Vec<Effect> {
    let (layers, clock) = (state.layers(), state.clock);
    match state.lab.bench.edit(edit, layers, clock) {
        Ok(true) => {
            follow_evidence(state);
            changed(state);
        }
        Ok(false) => {}
        Err(why) => state.complain(why),
    }
    Vec::new()
}

/// Takes the last change of the soup back, or repeats it.
pub fn undo(state: &mut State, redo: bool) -> Vec<Effect> {
    if state.lab.bench.step(redo) {
        follow_evidence(state);
        changed(state);
    } else {
        state.say(if redo { "There is nothing to repeat." } else { "There is nothing to take back." });
    }
    Vec::new()
}

/// The soup changed: the answers are asked for after a pause.
pub fn changed(state: &mut State) {
    state.lab.ask_at = Some(state.clock + lab::ASK_AFTER_MS);
}

/// A soup that was given back to the evidence is what that says now.
fn follow_evidence(state: &mut State) {
    if let Some(evidence) = state.lab.evidence.clone() {
        state.lab.bench.follow(&evidence.auto);
    }
}
