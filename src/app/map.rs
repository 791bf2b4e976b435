//! The Map tab: a scatter of the library's states.

use super::action::Motion;
use super::effect::Effect;
use super::lab::moved;
use super::state::{Focus, State, Tab};
use crate::engine::{JobKind, MapMethod, MapRequest, MapView, Request};
use crate::library::Part;
use std::sync::Arc;

/// Fewest skills a map is asked for.
pub const FEWEST: usize = 3;

/// What a point's colour and letter stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapColour {
    /// Its task.
    Task,
    /// Its family of tasks.
    Family,
    /// Its place in the ranking for the present query.
    Rank,
}

impl MapColour {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Family => "family",
            Self::Rank => "rank",
        }
    }
}

/// The values of the tab.
#[derive(Clone, Debug)]
pub struct MapTab {
    /// What the next map is asked for with.
    pub request: MapRequest,
    /// The newest map.
    pub map: Option<Arc<MapView>>,
    /// Whether the library changed since.
    pub outdated: bool,
    /// The picked point.
    pub pick: usize,
    /// The selected neighbour.
    pub neighbour: usize,
    /// What colours stand for.
    pub colour: MapColour,
    /// Letters rather than dots.
    pub letters: bool,
    /// The clock at which a map is to be asked for.
    pub run_at: Option<u64>,
    /// Whether the user chose a layer; until then the map follows the ranking's.
    pub layer_chosen: bool,
}

/// One entry of the legend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Task or family.
    pub name: String,
    /// Its letter.
    pub letter: char,
    /// Its number: colours go round.
    pub number: usize,
    /// Points in it.
    pub points: usize,
}

/// The letter of the n-th group or curve; after the digits they go round.
pub fn letter(n: usize) -> char {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    LETTERS[n % LETTERS.len()] as char
}

impl MapTab {
    /// The tab at the start.
    pub fn new(part: Part) -> Self {
        Self {
            request: MapRequest { layer: 0, part, method: MapMethod::Pca, perplexity: 15.0, seed: 0 },
            map: None,
            outdated: false,
            pick: 0,
            neighbour: 0,
            colour: MapColour::Task,
            letters: true,
            run_at: None,
            layer_chosen: false,
        }
    }

    /// The id of the picked skill.
    pub fn picked(&self) -> Option<&str> {
        self.map.as_ref()?.skills.get(self.pick).map(String::as_str)
    }
}

/// Task of a skill's id, family by the library (the task itself if the library no longer has the skill).
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

/// Asks for the map with the present request.
pub fn run(state: &mut State) -> Vec<Effect> {
    state.map.run_at = None;
    if state.model.is_none() || state.skill_count() < FEWEST {
        return Vec::new();
    }
    state.map.outdated = false;
    let request = Request::Map(state.map.request.clone());
    vec![state.jobs.send(request, state.clock)]
}

/// The tab came to the front: the first map is asked for now.
pub fn shown(state: &mut State) -> Vec<Effect> {
    if !state.map.layer_chosen {
        let layer = state.lab.view.layers.start;
        if state.map.request.layer != layer {
            state.map.request.layer = layer;
            return run(state);
        }
    }
    let wanted = state.map.map.is_none() || state.map.outdated;
    if wanted && !state.jobs.is_running(JobKind::Map) { run(state) } else { Vec::new() }
}

/// A parameter changed: run after a pause, so that a held key does not start a map each time.
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

/// Moves the pick: in the scatter to the nearest point in that direction, in the list of neighbours by rows.
pub fn motion(state: &mut State, motion: Motion) {
    let Some(map) = state.map.map.clone() else { return };
    if state.focus_of[Tab::Map.index()] == Focus::Neighbours {
        let len = map.neighbours.get(state.map.pick).map_or(0, Vec::len);
        state.map.neighbour = moved(state.map.neighbour, len, motion);
        return;
    }
    let pick = match motion {
        Motion::First => Some(0),
        Motion::Last => map.points.len().checked_sub(1),
        _ => nearest(&map.points, state.map.pick, motion),
    };
    if let Some(pick) = pick {
        state.map.pick = pick;
        state.map.neighbour = 0;
    }
}

/// The point to go to from `from` in a direction: the nearest one within 45° of it, distances across counted double.
/// The second coordinate grows upwards.
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

/// The skill that "add" means here: the selected neighbour, or the pick.
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
