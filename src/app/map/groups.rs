//! The legend: points by task or family, each group with its letter.

use super::MapColour;
use crate::app::state::State;

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

/// The task from a skill's id, or its family from the library (the task if the library no longer
/// has the skill).
pub(super) fn group_of<'a>(state: &'a State, colour: MapColour, skill: &'a str) -> &'a str {
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
