//! Every input is recorded here, in the log and by [`Effect::Journal`] on disk, before it takes
//! effect.

use super::log::{Mark, Outcome, What};
use super::{Entry, Input, Snapshot};
use crate::app::action::Action;
use crate::app::command;
use crate::app::effect::Effect;
use crate::app::instrument::sides;
use crate::app::key::{Key, KeyCode};
use crate::app::overlay::{Overlay, PromptKind};
use crate::app::state::State;
use crate::app::tab::Tab;
use crate::app::update;

/// Applies an input, and records it unless it has no meaning here.
pub fn input(state: &mut State, input: Input) -> Vec<Effect> {
    let (what, action) = match &input {
        Input::Key(key) => {
            let Some(action) = state.action_for(*key) else { return Vec::new() };
            // Actions on the program and the terminal are not part of the work in the lab.
            if matches!(action, Action::Quit | Action::Suspend | Action::Redraw) {
                return update(state, action);
            }
            let command = if matches!(action, Action::Type(_)) { None } else { state.keymap.command(state, *key) };
            let pointed = matches!(key.code, KeyCode::Click(_) | KeyCode::Wheel(..)).then_some("mouse");
            (What::Key(*key, command.map(|c| c.name).or(pointed)), action)
        }
        // A paste has no meaning where no text is taken; typed out, its characters would run
        // commands.
        Input::Paste(_) if !state.takes_text() => return Vec::new(),
        Input::Paste(text) => (What::Paste(text.clone()), Action::Paste(text.clone())),
        Input::Snapshots(list) => {
            state.lab.instruments.sides.give(list.clone());
            return snapshots(state, list.clone());
        }
    };
    let mut effects = begin(state);
    let outcome = Outcome::of(state);
    if let Some(last) = state.session.log.last_mut() {
        last.after = outcome;
    }
    let (was_aside, was_tab, was_focus) = (is_aside(state), state.tab, state.focus());
    let was_palette = matches!(state.overlay, Some(Overlay::Palette { .. }));
    let at = state.session.log.len();
    let clock = state.clock;
    state.session.log.push(Mark { clock, what, aside: was_aside, after: Outcome::default() });
    effects.push(Effect::Journal(Entry::Input(clock, input.clone())));
    effects.extend(update(state, action));
    effects.extend(sides::save(state));
    if is_aside(state) && !was_aside {
        // The palette's keys that led here are about the session too.
        let from = if was_palette { state.session.palette.unwrap_or(at) } else { at };
        for mark in state.session.log.iter_mut().take(at + 1).skip(from) {
            mark.aside = !matches!(mark.what, What::Chapter(_) | What::Note(_));
        }
    }
    if !was_palette && matches!(state.overlay, Some(Overlay::Palette { .. })) {
        state.session.palette = Some(at);
    }
    if was_tab != Tab::Session && state.tab == Tab::Session {
        state.session.left = Some((was_tab, was_focus));
    } else if was_tab == Tab::Session && state.tab != Tab::Session {
        come_back(state, input);
    }
    effects
}

/// Whether keys are about the session itself now.
fn is_aside(state: &State) -> bool {
    state.tab == Tab::Session || matches!(&state.overlay, Some(Overlay::Prompt { kind: PromptKind::Session(_), .. }))
}

/// Before the first input: records the existing snapshots, because later inputs may name them.
fn begin(state: &mut State) -> Vec<Effect> {
    let given = std::mem::replace(&mut state.session.begun, true);
    let list = state.lab.instruments.sides.snapshots.clone();
    if given || list.is_empty() { Vec::new() } else { snapshots(state, list) }
}

/// Records the snapshots that exist from here on.
pub fn snapshots(state: &mut State, list: Vec<Snapshot>) -> Vec<Effect> {
    state.session.begun = true;
    let clock = state.clock;
    if let (outcome, Some(last)) = (Outcome::of(state), state.session.log.last_mut()) {
        last.after = outcome;
    }
    state.session.log.push(Mark { clock, what: What::Snapshots(list.clone()), aside: false, after: Outcome::default() });
    vec![Effect::Journal(Entry::Input(clock, Input::Snapshots(list)))]
}

/// If this tab was left for another pane than the one it was entered from, the export needs a key
/// that leads there; adds it to the log.
fn come_back(state: &mut State, input: Input) {
    let Some((tab, focus)) = state.session.left.take() else { return };
    let way = match input {
        _ if state.tab != tab => way_to(state, state.tab),
        Input::Key(key) if state.focus() != focus && !focus.is_editor() => state.keymap.command(state, key).map(|c| (key, c.name)),
        _ => None,
    };
    if let Some((key, name)) = way {
        let mark = Mark { clock: state.clock, what: What::Key(key, Some(name)), aside: false, after: Outcome::default() };
        state.session.log.push(mark);
    }
}

/// A key that switches to a tab from anywhere.
fn way_to(state: &State, tab: Tab) -> Option<(Key, &'static str)> {
    let leads = |c: &&command::Command| matches!((c.action)(state), Action::Tab(t) if t == tab);
    let command = command::all().filter(|c| c.id.starts_with("tab.")).find(leads)?;
    let key = state.keymap.keys(command).iter().find(|k| k.typed().is_none())?;
    Some((*key, command.name))
}
