//! The one place where the state changes.

use super::action::Action;
use super::effect::Effect;
use super::key::{Key, KeyCode};
use super::line::Line;
use super::overlay::{self, Overlay};
use super::soup_edit::SoupEdit;
use super::state::{Focus, State, Tab};
use super::{bench, decay, engine_event, experiments, guide, instrument, lab, library, map, screen, session, show};
use crate::engine::JobKind;
use ratatui_textarea::Input;

#[allow(clippy::unit_arg)] // `none(change)` keeps one change on one line.
/// Applies an action; returns the effects to carry out outside. Deterministic: no clock, no
/// randomness, no files.
pub fn update(state: &mut State, action: Action) -> Vec<Effect> {
    match action {
        Action::Tick(clock) => tick(state, clock),
        Action::Key(key) => key_pressed(state, key),
        Action::Pasted(_) if state.resume.is_some() || state.show.is_some() => Vec::new(),
        Action::Pasted(text) => session::input(state, session::Input::Paste(text)),
        Action::Engine(event) => {
            let mut effects = engine_event::apply(state, event);
            effects.extend(session::resume::go_on(state));
            effects.extend(show::go_on(state));
            effects
        }
        Action::Type(key) => type_key(state, key),
        Action::Paste(text) => paste(state, &text),
        Action::Notice(text) => none(state.say(text)),
        Action::Complain(text) => none(state.complain(text)),
        Action::Quit => {
            state.quitting = true;
            vec![Effect::Quit]
        }
        Action::Suspend => vec![Effect::Suspend],
        Action::Redraw => vec![Effect::Redraw],
        Action::Back => back(state),
        Action::Tab(tab) => show(state, tab),
        Action::Focus(focus) => focus_on(state, focus),
        Action::CycleFocus(by) => {
            let panes = state.tab.panes();
            let at = panes.iter().position(|p| *p == state.focus()).unwrap_or(0) as i32;
            focus_on(state, panes[(at + by).rem_euclid(panes.len() as i32) as usize])
        }
        Action::Help => none(state.overlay = Some(Overlay::help())),
        Action::Guide => none(state.overlay = Some(guide::open(state))),
        Action::Palette => none(state.overlay = Some(Overlay::Palette { input: Line::default(), selected: 0 })),
        Action::Prompt(kind) => none(overlay::open_prompt(state, kind)),
        Action::Undo { redo } => bench::undo(state, redo),
        Action::Copy => screen::copy(state, copied(state)),
        Action::CopyToFile => screen::copy_to_file(state, copied(state)),
        Action::Screen(action) => screen::apply(state, action),
        Action::SaveFrame(format) => vec![Effect::SaveFrame(format)],
        Action::NextGlyphs => {
            state.look.glyphs = state.look.glyphs.next();
            none(state.say(format!("Glyphs: {}", state.look.glyphs.name())))
        }
        Action::FlipBackground => none({
            state.screen.background_chosen = true;
            state.look.background = match state.look.background {
                super::Background::Dark => super::Background::Light,
                super::Background::Light => super::Background::Dark,
            };
        }),
        Action::Move(motion) => none((state.tab.row().motion)(state, motion)),

        Action::Lab(action) => lab::apply(state, action),
        Action::Compare(change) => match state.tab.row().compare {
            Some(compare) => compare(state, change),
            None => Vec::new(),
        },
        Action::AddSelected => add_selected(state),
        Action::Soup(edit) => bench::edit(state, &edit),
        Action::Instrument(action) => instrument::act(state, action),
        Action::Map(action) => map::apply(state, action),

        Action::Decay(action) => decay::apply(state, action),
        Action::Experiments(action) => experiments::apply(state, action),

        Action::Library(action) => library::apply(state, action),
        Action::TogglePresent => none(state.present = !state.present),
        Action::Session(action) => session::apply(state, action),
    }
}

/// For changes without effects outside.
pub(super) fn none((): ()) -> Vec<Effect> {
    Vec::new()
}

/// A key pressed by a person. During a show it goes to the show. While a sitting is resumed, only
/// keys that stop that, quit, suspend or redraw count.
fn key_pressed(state: &mut State, key: Key) -> Vec<Effect> {
    if state.show.is_some() {
        return show::key(state, key);
    }
    if state.resume.is_none() {
        return session::input(state, session::Input::Key(key));
    }
    match state.action_for(key) {
        Some(action @ (Action::Quit | Action::Suspend | Action::Redraw)) => update(state, action),
        _ if key.code == KeyCode::Esc => session::resume::stop(state),
        _ => Vec::new(),
    }
}

fn tick(state: &mut State, clock: u64) -> Vec<Effect> {
    if state.resume.is_some() {
        return session::resume::go_on(state);
    }
    state.clock = state.clock.max(clock);
    let mut effects = due(state);
    effects.extend(show::go_on(state));
    effects
}

/// Runs the work that is due by the clock.
pub fn due(state: &mut State) -> Vec<Effect> {
    let clock = state.clock;
    let due = |at: Option<u64>| at.is_some_and(|at| at <= clock);
    let mut effects = Vec::new();
    if due(state.lab.weigh_at) {
        effects.extend(lab::weigh(state));
    }
    if due(state.lab.ask_at) {
        effects.extend(lab::ask(state));
    }
    if due(state.shelf.inspect_at) {
        effects.extend(library::inspect(state));
    }
    if due(state.map.run_at) {
        effects.extend(map::run(state));
    }
    if due(state.decay.run_at) {
        effects.extend(decay::run(state));
    }
    if due(state.notice.as_ref().and_then(|n| n.until)) {
        state.notice = None;
    }
    effects
}

/// A key as the text area reads it.
pub fn text_input(key: Key) -> Input {
    use ratatui_textarea::Key as T;
    let code = match key.code {
        KeyCode::Char(c) => T::Char(c),
        KeyCode::F(n) => T::F(n),
        KeyCode::Enter => T::Enter,
        KeyCode::Tab => T::Tab,
        KeyCode::BackTab | KeyCode::Esc | KeyCode::Click(_) | KeyCode::Wheel(..) => T::Null,
        KeyCode::Backspace => T::Backspace,
        KeyCode::Delete => T::Delete,
        KeyCode::Left => T::Left,
        KeyCode::Right => T::Right,
        KeyCode::Up => T::Up,
        KeyCode::Down => T::Down,
        KeyCode::Home => T::Home,
        KeyCode::End => T::End,
        KeyCode::PageUp => T::PageUp,
        KeyCode::PageDown => T::PageDown,
    };
    Input { key: code, ctrl: key.ctrl, alt: key.alt, shift: key.shift }
}

fn type_key(state: &mut State, key: Key) -> Vec<Effect> {
    if state.overlay.is_some() { overlay::input(state, key) } else { (state.tab.row().typed)(state, key) }
}

fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if state.overlay.is_some() {
        overlay::paste(state, &text);
        return Vec::new();
    }
    (state.tab.row().pasted)(state, &text)
}

/// Reports what was left out of a paste, if anything was.
pub(super) fn tell(state: &mut State, cut: Option<String>) {
    if let Some(cut) = cut {
        state.complain(cut);
    }
}

/// Leaves what is in front: overlay, then notice and editor, then long work.
fn back(state: &mut State) -> Vec<Effect> {
    if state.overlay.take().is_some() {
        return Vec::new();
    }
    let notice = state.notice.take().is_some();
    if let Some(beside) = state.focus().beside() {
        return focus_on(state, beside);
    }
    if notice {
        return Vec::new();
    }
    if state.jobs.is_running(JobKind::Map) {
        return map::apply(state, map::MapAction::Pause);
    }
    let Some(kind) = state.jobs.stopped_by_esc() else { return Vec::new() };
    let Some(effect) = state.jobs.cancel(kind) else { return Vec::new() };
    let again = kind == JobKind::Build && library::built(state, false);
    let more = match kind {
        JobKind::Build if again => " The skills read so far are new, the others as they were.",
        JobKind::Build => " What was built is kept; `Build the missing skills` goes on.",
        JobKind::Experiment => " What is done is kept; `Run all experiments` goes on.",
        _ => "",
    };
    if kind == JobKind::Experiment {
        experiments::stop(state);
    }
    state.say(format!("{} stopped.{more}", kind.about().name));
    let mut effects = vec![effect];
    if kind == JobKind::Edit {
        effects.extend(library::next_edit(state));
    }
    effects
}

pub(super) fn show(state: &mut State, tab: Tab) -> Vec<Effect> {
    state.overlay = None;
    state.tab = tab;
    (tab.row().shown)(state)
}

pub(super) fn focus_on(state: &mut State, focus: Focus) -> Vec<Effect> {
    let Some(tab) = Tab::ALL.into_iter().find(|t| t.panes().contains(&focus)) else { return Vec::new() };
    state.focus_of[tab.index()] = focus;
    if state.tab == tab { Vec::new() } else { show(state, tab) }
}

fn add_selected(state: &mut State) -> Vec<Effect> {
    let Some(skill) = (state.tab.row().skill)(state) else { return Vec::new() };
    if state.tab != Tab::Lab {
        state.say(format!("{skill} is in the soup."));
    }
    bench::edit(state, &SoupEdit::Add(skill))
}

/// The text of the focused pane, for example the recipe, the ranking as a table, or an answer.
fn copied(state: &State) -> Option<String> {
    (state.tab.row().copied)(state).filter(|text| !text.is_empty())
}
