//! Changes of the soup on the bench, and their consequences.

use super::effect::Effect;
use super::lab;
use super::soup_edit::SoupEdit;
use super::state::State;

/// Changes the soup, or reports why it cannot be changed.
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

/// Undoes the last change of the soup, or redoes it.
pub fn undo(state: &mut State, redo: bool) -> Vec<Effect> {
    if state.lab.bench.step(redo) {
        follow_evidence(state);
        changed(state);
    } else {
        state.say(if redo { "There is nothing to repeat." } else { "There is nothing to take back." });
    }
    Vec::new()
}

/// The soup changed: requests the answers after a pause.
pub fn changed(state: &mut State) {
    state.lab.ask_at = Some(state.clock + lab::ASK_AFTER_MS);
}

/// If the evidence chooses the soup again, takes what the evidence says now.
fn follow_evidence(state: &mut State) {
    if let Some(evidence) = state.lab.evidence.clone() {
        state.lab.bench.follow(&evidence.auto);
    }
}
