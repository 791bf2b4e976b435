//! The Map tab: a scatter of the library's states.
//!
//! Here are the tab's values, what keys do to them, and what the engine is asked for. The rest of
//! `app`, and `ui`, may use what is public.
//!
//! - `pick`: the picked point, its search and its moves.
//! - `groups`: the legend.

mod groups;
mod pick;

pub use groups::{Group, groups, letter};
pub use pick::{bounds, found, motion, next_point, pick, search};

use super::action::{Action, Compare};
use super::command;
use super::effect::Effect;
use super::lab::other_part;
use super::state::State;
use super::tab::{self, Focus, Tab, TabRow};
use crate::engine::{JobKind, Request};
use crate::lab::{MapMethod, MapRequest, MapView, Placed};
use crate::library::Part;
use crate::project::EPOCHS;
use pick::{follow_ranking, share_of_pick};
use std::sync::Arc;

/// The fewest skills that a map needs.
pub const FEWEST: usize = 3;

/// What a point's colour and letter stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapColour {
    /// Its task.
    Task,
    /// Its family of tasks.
    Family,
    /// Its rank for the current query.
    Rank,
    /// The share of its neighbours on the map that are its neighbours in the original space.
    Trust,
}

/// One change of the tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapAction {
    /// Zoom in (+1) around the pick, or out (−1).
    Zoom(i32),
    /// Show the whole map.
    Whole,
    /// Pan by quarters of the visible part: to the right, upwards.
    Pan(i32, i32),
    /// Pause the running map, or resume it.
    Pause,
    /// Compute one epoch of a paused map.
    Step,
    /// Switch between PCA, t-SNE and one-shot.
    NextMethod,
    /// Switch to the next colouring.
    NextColour,
    /// Switch between letters and dots.
    ToggleMarkers,
    /// Scale the perplexity by a percentage.
    ScalePerplexity(u32),
    /// Compute the map again.
    Run,
    /// Pick the next (+1) or previous (−1) point: among the points found, or in the library's
    /// order.
    NextPoint(i32),
}

impl MapColour {
    fn next(self) -> Self {
        match self {
            Self::Task => Self::Family,
            Self::Family => Self::Rank,
            Self::Rank => Self::Trust,
            Self::Trust => Self::Task,
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Family => "family",
            Self::Rank => "rank",
            Self::Trust => "trust",
        }
    }
}

/// The values of the tab.
#[derive(Clone, Debug)]
pub struct MapTab {
    /// The request for the next map.
    pub request: MapRequest,
    /// The newest map.
    pub map: Option<Arc<MapView>>,
    /// Whether the library has changed since that map.
    pub outdated: bool,
    /// The picked point.
    pub pick: usize,
    /// The selected neighbour.
    pub neighbour: usize,
    /// What colours stand for.
    pub colour: MapColour,
    /// Letters rather than dots.
    pub letters: bool,
    /// The clock at which to request a map.
    pub run_at: Option<u64>,
    /// Magnification relative to the whole map, at least 1.
    pub zoom: f32,
    /// The centre of the visible part, as a share of the map's width and height.
    pub centre: [f32; 2],
    /// The words searched for; empty if there is no search.
    pub search: String,
    /// The query's position.
    pub placed: Option<Placed>,
    /// Whether the user chose a layer; if not, the map follows the ranking's layers.
    pub layer_chosen: bool,
}

impl MapTab {
    /// The tab at the start.
    pub fn new(part: Part, seed: u64) -> Self {
        Self {
            request: MapRequest { layer: 0, part, method: MapMethod::Pca, perplexity: 15.0, seed },
            map: None,
            outdated: false,
            pick: 0,
            neighbour: 0,
            colour: MapColour::Task,
            letters: true,
            run_at: None,
            zoom: 1.0,
            centre: [0.5; 2],
            search: String::new(),
            placed: None,
            layer_chosen: false,
        }
    }

    /// Whether a t-SNE map is paused before its last epoch.
    pub fn is_paused(&self, running: bool) -> bool {
        let unfinished = self.map.as_ref().is_some_and(|m| !m.finished && m.request == self.request);
        unfinished && !running && self.request.method == MapMethod::Tsne
    }

    /// The id of the picked skill.
    pub fn picked(&self) -> Option<&str> {
        self.map.as_ref()?.skills.get(self.pick).map(String::as_str)
    }
}

/// Requests the map with the current values.
pub fn run(state: &mut State) -> Vec<Effect> {
    state.map.run_at = None;
    if state.model.is_none() || state.skill_count() < FEWEST {
        return Vec::new();
    }
    state.map.outdated = false;
    state.map.placed = None;
    let request = Request::Map(state.map.request.clone());
    vec![state.jobs.send(request, state.clock)]
}

/// The tab's row in the table of tabs.
pub const TAB: TabRow = TabRow {
    go: command::go("tab.map", &["2", "alt-2", "f3"], "Map", "Go to the Map: the library's states as points.", |_| Action::Tab(Tab::Map)),
    panes: &[Focus::Map, Focus::Neighbours],
    shown,
    motion,
    select,
    typed: tab::not_typed,
    pasted: tab::not_pasted,
    copied,
    skill: selected_skill,
    compare: Some(compare),
};

fn compare(state: &mut State, change: Compare) -> Vec<Effect> {
    let request = &mut state.map.request;
    match change {
        Compare::NextPart => request.part = other_part(request.part),
        Compare::NextSeed => request.seed += 1,
        Compare::ShiftLayers(by) => return shift_layer(state, by),
    }
    changed(state)
}

fn select(state: &mut State, pane: Focus, row: usize) {
    match pane {
        Focus::Map => pick(state, row),
        Focus::Neighbours => state.map.neighbour = row,
        _ => {}
    }
}

/// The skill picked, or its neighbours with their cosines.
fn copied(state: &State) -> Option<String> {
    if state.focus() == Focus::Map {
        return state.map.picked().map(str::to_owned);
    }
    let map = state.map.map.as_ref()?;
    let near = map.neighbours.get(state.map.pick)?;
    Some(near.iter().filter_map(|(i, c)| map.skills.get(*i).map(|s| format!("{s}\t{c}\n"))).collect())
}

/// The tab came to the front: requests the first map.
pub fn shown(state: &mut State) -> Vec<Effect> {
    follow_ranking(state);
    if !state.map.layer_chosen {
        let layer = state.lab.view.layers.start;
        if state.map.request.layer != layer {
            state.map.request.layer = layer;
            return run(state);
        }
    }
    let wanted = state.map.map.is_none() || state.map.outdated;
    if wanted && !state.jobs.is_running(JobKind::Map) { run(state) } else { place_query(state) }
}

/// A parameter changed: requests a map after a pause, so that a held key does not start one per
/// repeat.
pub fn changed(state: &mut State) -> Vec<Effect> {
    state.map.run_at = Some(state.clock + 150);
    Vec::new()
}

/// Shifts the drawn layer.
pub fn shift_layer(state: &mut State, by: i32) -> Vec<Effect> {
    let layer = state.map.request.layer.saturating_add_signed(by as isize);
    if layer >= state.layers() || layer == state.map.request.layer {
        return Vec::new();
    }
    state.map.request.layer = layer;
    state.map.layer_chosen = true;
    changed(state)
}

/// Takes a map; the pick follows its skill.
pub fn take(state: &mut State, map: Arc<MapView>) {
    let picked = state.map.picked().map(str::to_owned).or_else(|| state.lab.selected_skill().map(str::to_owned));
    state.map.pick = picked.and_then(|id| map.skills.iter().position(|s| *s == id)).unwrap_or(0);
    state.map.neighbour = 0;
    state.map.map = Some(map);
}

/// Applies a change.
pub fn apply(state: &mut State, action: MapAction) -> Vec<Effect> {
    let map = &mut state.map;
    match action {
        MapAction::Zoom(by) => {
            map.zoom = (map.zoom * 1.5f32.powi(by)).clamp(1.0, 64.0);
            match share_of_pick(map) {
                Some(at) if by > 0 => map.centre = at,
                _ if map.zoom == 1.0 => map.centre = [0.5; 2],
                _ => {}
            }
        }
        MapAction::Whole => (map.zoom, map.centre) = (1.0, [0.5; 2]),
        MapAction::Pan(right, up) => {
            let step = 0.25 / map.zoom;
            map.centre = [map.centre[0] + right as f32 * step, map.centre[1] + up as f32 * step].map(|c| c.clamp(0.0, 1.0));
        }
        MapAction::Pause if state.jobs.is_running(JobKind::Map) => {
            // Its job stays the newest one: the engine still reports the map where it stopped, and
            // then that it stopped.
            return vec![Effect::Cancel(JobKind::Map)];
        }
        MapAction::Pause => return go_on(state, usize::MAX),
        MapAction::Step => return go_on(state, 1),
        MapAction::NextMethod => {
            map.request.method = match map.request.method {
                MapMethod::Pca => MapMethod::Tsne,
                MapMethod::Tsne => MapMethod::OneShot,
                MapMethod::OneShot => MapMethod::Pca,
            };
            return run(state);
        }
        MapAction::NextColour => map.colour = map.colour.next(),
        MapAction::ToggleMarkers => map.letters = !map.letters,
        MapAction::ScalePerplexity(percent) => {
            let scaled = map.request.perplexity * (f64::from(percent) / 100.0);
            map.request.perplexity = scaled.clamp(1.0, 1000.0).round();
            return changed(state);
        }
        MapAction::Run => return run(state),
        MapAction::NextPoint(by) => next_point(state, by),
    }
    Vec::new()
}

/// The sentence shown when the map is paused; `None` if it cannot be resumed.
pub fn standing(state: &State) -> Option<String> {
    let map = state.map.map.as_ref().filter(|m| m.epoch > 0 && state.map.is_paused(false) && !m.finished)?;
    let all = EPOCHS[0] + EPOCHS[1];
    Some(format!("Paused at iteration {} of {all}: space goes on, s one more, r starts again.", map.epoch))
}

/// Resumes a paused map.
fn go_on(state: &mut State, epochs: usize) -> Vec<Effect> {
    if !state.map.is_paused(state.jobs.is_running(JobKind::Map)) {
        state.say("There is no t-SNE map that could go on; m chooses the method, r draws it.");
        return Vec::new();
    }
    state.map.placed = None;
    vec![state.jobs.send(Request::MapOn { request: state.map.request.clone(), epochs }, state.clock)]
}

/// Requests the query's position on the map, if it is not known yet.
pub fn place_query(state: &mut State) -> Vec<Effect> {
    let query = state.lab.query_text();
    let Some(map) = state.map.map.as_ref().filter(|m| m.finished && !query.trim().is_empty()) else {
        state.map.placed = None;
        return Vec::new();
    };
    let known = state.map.placed.as_ref().is_some_and(|p| p.query == query && p.request == map.request);
    if known || state.tab != Tab::Map || state.jobs.is_running(JobKind::Map) {
        return Vec::new();
    }
    state.map.placed = None;
    vec![state.jobs.send(Request::Place(query), state.clock)]
}

/// Takes the query's position, if it belongs to the map on screen.
pub fn take_placed(state: &mut State, placed: Placed) {
    if state.map.map.as_ref().is_some_and(|m| m.request == placed.request) {
        state.map.placed = Some(placed);
    }
}

/// The skill that "add" applies to here: the selected neighbour, or the pick.
pub fn selected_skill(state: &State) -> Option<String> {
    let map = state.map.map.as_ref()?;
    if state.focus() == Focus::Neighbours {
        let (index, _) = map.neighbours.get(state.map.pick)?.get(state.map.neighbour)?;
        return map.skills.get(*index).cloned();
    }
    state.map.picked().map(str::to_owned)
}
