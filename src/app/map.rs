//! The Map tab: a scatter of the library's states.

use super::action::{Action, Compare, Motion};
use super::command;
use super::effect::Effect;
use super::lab::{moved, other_part, row_of};
use super::state::State;
use super::tab::{self, Focus, Tab, TabRow};
use crate::engine::{JobKind, Request};
use crate::lab::{MapMethod, MapRequest, MapView, Placed};
use crate::library::Part;
use crate::project::EPOCHS;
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

/// One entry of the legend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Task or family.
    pub name: String,
    /// Its letter.
    pub letter: char,
    /// Its number; colours repeat.
    pub number: usize,
    /// Number of points in it.
    pub points: usize,
}

/// The letter of the n-th group or curve; the letters repeat after the digits.
pub fn letter(n: usize) -> char {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    LETTERS[n % LETTERS.len()] as char
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

/// The task from a skill's id, or its family from the library (the task if the library no longer
/// has the skill).
fn group_of<'a>(state: &'a State, colour: MapColour, skill: &'a str) -> &'a str {
    let meta = state.library.as_ref().and_then(|l| l.skills.iter().find(|s| s.id == skill));
    match (colour, meta) {
        (MapColour::Family, Some(meta)) => &meta.family,
        (_, Some(meta)) => &meta.task,
        (_, None) => skill.rsplit_once('/').map_or(skill, |(task, _)| task),
    }
}

/// The groups of the map, in order of first appearance, and each point's group.
pub fn groups(state: &State) -> (Vec<Group>, Vec<usize>) {
    let mut groups: Vec<Group> = Vec::new();
    let mut members = Vec::new();
    let Some(map) = &state.map.map else { return (groups, members) };
    let mut seen = std::collections::HashMap::new();
    for skill in &map.skills {
        let name = group_of(state, state.map.colour, skill);
        let next = groups.len();
        let at = *seen.entry(name).or_insert(next);
        if at == next {
            groups.push(Group { name: name.to_owned(), letter: letter(next), number: next, points: 0 });
        }
        groups[at].points += 1;
        members.push(at);
    }
    (groups, members)
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

/// Moves the selection. In the scatter it picks the nearest point in that direction, or the first
/// or last point; in the list of neighbours it moves by rows.
pub fn motion(state: &mut State, motion: Motion) {
    let Some(map) = state.map.map.clone() else { return };
    if state.focus_of[Tab::Map.index()] == Focus::Neighbours {
        let len = map.neighbours.get(state.map.pick).map_or(0, Vec::len);
        state.map.neighbour = moved(state.map.neighbour, len, motion);
        return;
    }
    let to = match motion {
        Motion::First => Some(0),
        Motion::Last => map.points.len().checked_sub(1),
        _ => nearest(&map.points, state.map.pick, motion),
    };
    if let Some(to) = to {
        pick(state, to);
    }
}

/// Picks a point. The ranking's selection follows, and a zoomed map moves until the point is
/// visible.
pub fn pick(state: &mut State, point: usize) {
    (state.map.pick, state.map.neighbour) = (point, 0);
    if let Some(row) = state.map.picked().and_then(|skill| row_of(&state.lab, skill)) {
        state.lab.selected = row;
    }
    if let Some(at) = share_of_pick(&state.map)
        && (0..2).any(|c| (at[c] - state.map.centre[c]).abs() > 0.45 / state.map.zoom)
    {
        state.map.centre = at;
    }
}

/// The pick follows the ranking's selection; on a task's row, a pick of that task stays.
fn follow_ranking(state: &mut State) {
    let (Some(map), Some(skill)) = (&state.map.map, state.lab.selected_skill()) else { return };
    let same = state.map.picked().and_then(|picked| row_of(&state.lab, picked)) == Some(state.lab.selected);
    let point = map.skills.iter().position(|s| s == skill).filter(|_| !same);
    if let Some(point) = point {
        pick(state, point);
    }
}

/// The least x, greatest x, least y and greatest y of some points; `None` if no point is finite.
pub fn bounds(points: &[[f32; 2]]) -> Option<[f32; 4]> {
    let finite = points.iter().filter(|p| p[0].is_finite() && p[1].is_finite());
    finite.fold(None, |ends, p| {
        let [a, b, c, d] = ends.unwrap_or([p[0], p[0], p[1], p[1]]);
        Some([a.min(p[0]), b.max(p[0]), c.min(p[1]), d.max(p[1])])
    })
}

/// The pick's position, as a share of the map's width and height.
fn share_of_pick(tab: &MapTab) -> Option<[f32; 2]> {
    let points = &tab.map.as_ref()?.points;
    let ([left, right, low, high], p) = (bounds(points)?, points.get(tab.pick)?);
    let share = |v: f32, a: f32, b: f32| if b > a { (v - a) / (b - a) } else { 0.5 };
    Some([share(p[0], left, right), share(p[1], low, high)])
}

/// The points that the search finds, in the library's order: those whose id or family contains all
/// its words.
pub fn found(state: &State) -> Vec<usize> {
    let search = state.map.search.to_lowercase();
    let Some(map) = state.map.map.as_ref().filter(|_| !search.trim().is_empty()) else { return Vec::new() };
    let matches = |skill: &String| {
        let text = format!("{skill} {}", group_of(state, MapColour::Family, skill)).to_lowercase();
        search.split_whitespace().all(|word| text.contains(word))
    };
    map.skills.iter().enumerate().filter(|(_, s)| matches(s)).map(|(i, _)| i).collect()
}

/// Picks the next (+1) or previous (−1) point: among the points found if there are any, else in the
/// library's order.
pub fn next_point(state: &mut State, by: i32) {
    let points = state.map.map.as_ref().map_or(0, |m| m.points.len());
    let found = found(state);
    let all: Vec<usize> = if found.is_empty() { (0..points).collect() } else { found };
    let here = state.map.pick;
    let next = if by > 0 { all.iter().find(|i| **i > here).or(all.first()) } else { all.iter().rev().find(|i| **i < here).or(all.last()) };
    if let Some(point) = next.copied() {
        pick(state, point);
    }
}

/// Searches for points whose id or family contains these words, and picks the first one after the
/// pick.
///
/// # Errors
/// A sentence if there is none.
pub fn search(state: &mut State, words: &str) -> Result<Vec<Effect>, String> {
    let before = std::mem::replace(&mut state.map.search, words.trim().to_owned());
    let count = found(state).len();
    if words.trim().is_empty() {
        return Ok(Vec::new());
    }
    if count == 0 {
        state.map.search = before;
        return Err(format!("No skill of the map has `{}` in its id or family.", words.trim()));
    }
    next_point(state, 1);
    state.say(format!("{count} of the map's skills; n and N go through them."));
    Ok(Vec::new())
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
    Some(format!("Stands at iteration {} of {all}: space goes on, s one more, r starts again.", map.epoch))
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

/// The point to move to from `from` in a direction: the nearest one within 45° of it, where
/// distance across the direction counts double. The second coordinate grows upwards.
fn nearest(points: &[[f32; 2]], from: usize, motion: Motion) -> Option<usize> {
    let (dx, dy) = match motion {
        Motion::Left => (-1.0, 0.0),
        Motion::Right => (1.0, 0.0),
        Motion::Up | Motion::PageUp => (0.0, 1.0),
        _ => (0.0, -1.0),
    };
    let origin = points.get(from)?;
    let cost = |p: &[f32; 2]| {
        let (x, y) = (p[0] - origin[0], p[1] - origin[1]);
        let along = x * dx + y * dy;
        let across = (x * dy - y * dx).abs();
        (along > 0.0 && across <= along).then_some(along + 2.0 * across)
    };
    let candidates = points.iter().enumerate().filter(|(i, _)| *i != from).filter_map(|(i, p)| cost(p).map(|c| (i, c)));
    candidates.min_by(|a, b| a.1.total_cmp(&b.1)).map(|(i, _)| i)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrows_go_to_the_nearest_point_that_way() {
        let points = [[0.0, 0.0], [1.0, 0.1], [3.0, 0.0], [0.0, 2.0], [-1.0, -1.0]];
        assert_eq!(nearest(&points, 0, Motion::Right), Some(1));
        assert_eq!(nearest(&points, 1, Motion::Right), Some(2));
        assert_eq!(nearest(&points, 0, Motion::Up), Some(3));
        assert_eq!(nearest(&points, 0, Motion::Left), Some(4));
        assert_eq!(nearest(&points, 2, Motion::Right), None);
        assert_eq!(nearest(&[], 0, Motion::Right), None);
    }
}
