//! The picked point: how arrows and searches move it, and where it lies on the map.

use super::groups::group_of;
use super::{MapColour, MapTab};
use crate::app::action::Motion;
use crate::app::effect::Effect;
use crate::app::lab::row_of;
use crate::app::state::State;
use crate::app::tab::{Focus, Tab, moved};

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
pub(super) fn follow_ranking(state: &mut State) {
    let (Some(map), Some(skill)) = (&state.map.map, state.lab.selected_skill()) else { return };
    let same = state.map.picked().and_then(|picked| row_of(&state.lab, picked)) == Some(state.lab.selected);
    let point = map.skills.iter().position(|s| s == skill).filter(|_| !same);
    if let Some(point) = point {
        pick(state, point);
    }
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

/// The least x, greatest x, least y and greatest y of some points; `None` if no point is finite.
pub fn bounds(points: &[[f32; 2]]) -> Option<[f32; 4]> {
    let finite = points.iter().filter(|p| p[0].is_finite() && p[1].is_finite());
    finite.fold(None, |ends, p| {
        let [a, b, c, d] = ends.unwrap_or([p[0], p[0], p[1], p[1]]);
        Some([a.min(p[0]), b.max(p[0]), c.min(p[1]), d.max(p[1])])
    })
}

/// The pick's position, as a share of the map's width and height.
pub(super) fn share_of_pick(tab: &MapTab) -> Option<[f32; 2]> {
    let points = &tab.map.as_ref()?.points;
    let ([left, right, low, high], p) = (bounds(points)?, points.get(tab.pick)?);
    let share = |v: f32, a: f32, b: f32| if b > a { (v - a) / (b - a) } else { 0.5 };
    Some([share(p[0], left, right), share(p[1], low, high)])
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
