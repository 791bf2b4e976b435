//! The one place where the state changes.

use super::action::{Action, Motion};
use super::effect::Effect;
use super::key::{Key, KeyCode};
use super::line::Line;
use super::overlay::{self, Overlay};
use super::soup_edit::SoupEdit;
use super::state::{Focus, State, Tab};
use super::{decay, editor, engine_event, experiments, guide, instrument, lab, library, map, screen, session, show};
use crate::engine::JobKind;
use crate::lab::{AnswerFrom, MapMethod};
use ratatui_textarea::Input;

#[allow(clippy::unit_arg)] // `none(change)` keeps one change on one line.
/// Applies an action; what is to be done outside comes back. Deterministic: no clock, no randomness, no files.
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
        Action::Undo { redo } => {
            if state.lab.bench.step(redo) {
                follow_evidence(state);
                soup_changed(state);
            } else {
                state.say(if redo { "There is nothing to repeat." } else { "There is nothing to take back." });
            }
            Vec::new()
        }
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
        Action::Move(motion) => move_selection(state, motion),

        Action::ToggleGrouping => none({
            let skill = state.lab.selected_skill().map(str::to_owned);
            state.lab.by_task = !state.lab.by_task;
            state.lab.selected = skill.and_then(|skill| lab::row_of(&state.lab, &skill)).unwrap_or(0);
        }),
        Action::ToggleEvidence => none({
            state.lab.by_evidence = !state.lab.by_evidence;
            state.lab.arrange();
            // The best skill is the first of the list.
            soup_changed(state);
        }),
        Action::NextMetric => {
            state.lab.view.metric = lab::next_metric(state.lab.view.metric);
            lab::view_changed(state)
        }
        Action::NextPart if state.tab == Tab::Map => {
            state.map.request.part = lab::other_part(state.map.request.part);
            map::changed(state)
        }
        Action::NextPart => {
            state.lab.view.part = lab::other_part(state.lab.view.part);
            lab::view_changed(state)
        }
        Action::ShiftLayers(by) => match state.tab {
            Tab::Map => map::shift_layer(state, by),
            _ => lab::move_layers(state, by, 0),
        },
        Action::GrowLayers(by) => lab::move_layers(state, 0, by),
        Action::AddSelected => add_selected(state),
        Action::Soup(edit) => edit_soup(state, &edit),
        Action::Instrument(action) => instrument::act(state, action),
        Action::AskAgain => lab::ask(state),
        Action::ToggleSampling => lab::toggle_sampling(state),
        Action::NextSeed => match state.tab {
            Tab::Map => {
                state.map.request.seed += 1;
                map::changed(state)
            }
            _ => lab::next_seed(state),
        },

        Action::NextMapMethod => {
            state.map.request.method = match state.map.request.method {
                MapMethod::Pca => MapMethod::Tsne,
                MapMethod::Tsne => MapMethod::OneShot,
                MapMethod::OneShot => MapMethod::Pca,
            };
            map::run(state)
        }
        Action::NextMapColour => none({
            state.map.colour = match state.map.colour {
                map::MapColour::Task => map::MapColour::Family,
                map::MapColour::Family => map::MapColour::Rank,
                map::MapColour::Rank => map::MapColour::Trust,
                map::MapColour::Trust => map::MapColour::Task,
            };
        }),
        Action::ToggleMapMarkers => none(state.map.letters = !state.map.letters),
        Action::ScalePerplexity(by) => {
            state.map.request.perplexity = (state.map.request.perplexity * by).clamp(1.0, 1000.0).round();
            map::changed(state)
        }
        Action::RunMap => map::run(state),
        Action::NextPoint(by) => none(map::next_point(state, by)),
        Action::Map(action) => map::apply(state, action),

        Action::Decay(action) => decay::apply(state, action),
        Action::Experiments(action) => experiments::apply(state, action),

        Action::NextSort => none({
            let chosen = library::selected(state).map(|s| s.id.clone());
            state.shelf.sort = state.shelf.sort.next();
            let skills = state.library.clone();
            let same = |row: &usize| skills.as_ref().and_then(|l| l.skills.get(*row)).map(|s| &s.id) == chosen.as_ref();
            state.shelf.selected = library::visible(state).iter().position(same).unwrap_or(0);
        }),
        Action::DeleteSkill => library::delete(state),
        Action::RestoreSkill => library::restore(state),
        Action::AddSkill => none(state.overlay = Some(overlay::add_skill_form(&state.lab.query_text()))),
        Action::Build => library::build(state),
        Action::Library(action) => library::apply(state, action),
        Action::TogglePresent => none(state.present = !state.present),
        Action::Session(action) => session::apply(state, action),
    }
}

/// For changes that ask for nothing outside.
fn none((): ()) -> Vec<Effect> {
    Vec::new()
}

/// A soup that was given back to the evidence is what that says now.
fn follow_evidence(state: &mut State) {
    if let Some(evidence) = state.lab.evidence.clone() {
        state.lab.bench.follow(&evidence.auto);
    }
}

/// The soup changed: the answers are asked for after a pause.
pub fn soup_changed(state: &mut State) {
    state.lab.ask_at = Some(state.clock + lab::ASK_AFTER_MS);
}

/// A key of a person's: for the show if there is one. While a sitting is resumed only what stops that, or the program, counts.
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

/// What the clock makes due.
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

/// A key as the text area takes it.
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
    if state.overlay.is_some() {
        return overlay::input(state, key);
    }
    match state.focus() {
        Focus::Query => {
            match editor::typed(&mut state.lab.query, key) {
                Ok(true) => return lab::query_changed(state),
                Ok(false) => {}
                Err(why) => state.complain(why),
            }
            Vec::new()
        }
        Focus::Document => decay::typed(state, key),
        Focus::Target => {
            if key.code == KeyCode::Enter {
                return focus_on(state, Focus::Answers);
            }
            if state.lab.target.input(key) {
                soup_changed(state);
            }
            Vec::new()
        }
        Focus::Filter => {
            match key.code {
                KeyCode::Enter => return focus_on(state, Focus::Skills),
                KeyCode::Down => library::motion(state, Motion::Down),
                KeyCode::Up => library::motion(state, Motion::Up),
                _ => {
                    if state.shelf.filter.input(key) {
                        library::motion(state, Motion::First);
                    }
                }
            }
            Vec::new()
        }
        _ => Vec::new(),
    }
}

fn paste(state: &mut State, text: &str) -> Vec<Effect> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    if state.overlay.is_some() {
        overlay::paste(state, &text);
        return Vec::new();
    }
    match state.focus() {
        Focus::Query => {
            let cut = editor::pasted(&mut state.lab.query, &text);
            let effects = lab::query_changed(state);
            tell(state, cut);
            effects
        }
        Focus::Document => decay::pasted(state, &text),
        Focus::Target => {
            let cut = state.lab.target.insert(&text);
            soup_changed(state);
            tell(state, cut);
            Vec::new()
        }
        Focus::Filter => {
            let cut = state.shelf.filter.insert(&text);
            library::motion(state, Motion::First);
            tell(state, cut);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Says what of a paste was left out, if anything was.
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
    match state.focus() {
        Focus::Query => return focus_on(state, Focus::Ranking),
        Focus::Target => return focus_on(state, Focus::Answers),
        Focus::Filter => return focus_on(state, Focus::Skills),
        Focus::Document => return focus_on(state, Focus::Rules),
        _ if notice => return Vec::new(),
        _ => {}
    }
    if state.jobs.is_running(JobKind::Map) {
        return map::apply(state, map::MapAction::Pause);
    }
    let stoppable = [JobKind::Decay, JobKind::Edit, JobKind::Ask, JobKind::Verdict, JobKind::Check, JobKind::Experiment, JobKind::Build];
    let Some(effect) = stoppable.into_iter().find_map(|kind| state.jobs.cancel(kind).map(|effect| (kind, effect))) else {
        return Vec::new();
    };
    let (kind, effect) = effect;
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
    state.say(format!("{} stopped.{more}", engine_event::work_name(kind)));
    let mut effects = vec![effect];
    if kind == JobKind::Edit {
        effects.extend(library::next_edit(state));
    }
    effects
}

pub(super) fn show(state: &mut State, tab: Tab) -> Vec<Effect> {
    state.overlay = None;
    state.tab = tab;
    match tab {
        Tab::Lab => Vec::new(),
        Tab::Map => map::shown(state),
        Tab::Decay => decay::shown(state),
        Tab::Experiments => experiments::shown(state),
        Tab::Library => {
            library::inspect_soon(state);
            Vec::new()
        }
        Tab::Session => session::shown(state),
    }
}

pub(super) fn focus_on(state: &mut State, focus: Focus) -> Vec<Effect> {
    let Some(tab) = Tab::ALL.into_iter().find(|t| t.panes().contains(&focus)) else { return Vec::new() };
    state.focus_of[tab.index()] = focus;
    if state.tab == tab { Vec::new() } else { show(state, tab) }
}

fn move_selection(state: &mut State, motion: Motion) -> Vec<Effect> {
    match state.tab {
        Tab::Lab => lab::motion(state, motion),
        Tab::Map => map::motion(state, motion),
        Tab::Decay => decay::motion(state, motion),
        Tab::Experiments => experiments::motion(state, motion),
        Tab::Library => library::motion(state, motion),
        Tab::Session => session::motion(state, motion),
    }
    Vec::new()
}

fn add_selected(state: &mut State) -> Vec<Effect> {
    let skill = match state.tab {
        Tab::Lab => state.lab.selected_skill().map(str::to_owned),
        Tab::Map => map::selected_skill(state),
        Tab::Library => library::selected(state).map(|s| s.id.clone()),
        Tab::Decay | Tab::Experiments | Tab::Session => None,
    };
    let Some(skill) = skill else { return Vec::new() };
    if state.tab != Tab::Lab {
        state.say(format!("{skill} is in the soup."));
    }
    edit_soup(state, &SoupEdit::Add(skill))
}

/// Changes the soup, or complains why it cannot be.
pub fn edit_soup(state: &mut State, edit: &SoupEdit) -> Vec<Effect> {
    let (layers, clock) = (state.layers(), state.clock);
    match state.lab.bench.edit(edit, layers, clock) {
        Ok(true) => {
            follow_evidence(state);
            soup_changed(state);
        }
        Ok(false) => {}
        Err(why) => state.complain(why),
    }
    Vec::new()
}

/// The text of what is focused: the recipe, the ranking as a table, an answer, the neighbours, the skills.
fn copied(state: &State) -> Option<String> {
    let text = match state.focus() {
        Focus::Query => Some(state.lab.query_text()),
        Focus::Target => Some(state.lab.target.text().to_owned()),
        Focus::Ranking => state.lab.ranking.as_ref().map(|r| {
            let rows = r.ranking.iter().enumerate().map(|(i, s)| format!("{}\t{}\t{}\t{}\n", i + 1, s.task, s.skill, s.score));
            std::iter::once("rank\ttask\tskill\tscore\n".to_owned()).chain(rows).collect()
        }),
        Focus::Soup => state.lab.bench.soup.to_recipe().map(|r| r.to_string()),
        Focus::Answers => state.lab.answers[state.lab.answer.min(AnswerFrom::ALL.len() - 1)].as_ref().map(|a| a.answer.text.clone()),
        Focus::Map => state.map.picked().map(str::to_owned),
        Focus::Neighbours => state.map.map.as_ref().and_then(|map| {
            let near = map.neighbours.get(state.map.pick)?;
            Some(near.iter().filter_map(|(i, c)| map.skills.get(*i).map(|s| format!("{s}\t{c}\n"))).collect())
        }),
        Focus::Document | Focus::Rules | Focus::Positions | Focus::Layers => decay::copied(state),
        Focus::Experiments | Focus::Result => experiments::copy_text(state),
        Focus::Skills | Focus::Filter => {
            let rows = library::visible(state);
            let line = |s: &crate::library::SkillMeta| format!("{}\t{}\t{}\n", s.id, s.family, s.tokens);
            state.library.as_ref().map(|l| rows.iter().filter_map(|r| l.skills.get(*r)).map(line).collect())
        }
        Focus::Journal => Some(session::rows(state).iter().map(|r| format!("{}\t{}\t{}\t{}\n", r.clock, r.kind, r.text, r.led)).collect()),
        Focus::Sittings => session::sitting(state).map(|s| s.path.clone()),
    };
    text.filter(|t| !t.is_empty())
}
