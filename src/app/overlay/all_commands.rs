//! The palette of all commands: the matches of its words.

use crate::app::command::{self, Command};
use crate::app::state::State;

/// Commands that match the palette's words, best first: available ones before the others, names
/// before descriptions.
pub fn matches(state: &State, input: &str) -> Vec<&'static Command> {
    let input = input.to_lowercase();
    let words: Vec<&str> = input.split_whitespace().collect();
    let mut found: Vec<(u8, &'static Command)> = command::all()
        .filter(|c| !c.hidden)
        .filter_map(|c| {
            let name = c.name.to_lowercase();
            let all = format!("{name} {} {}", c.id, c.doc.to_lowercase());
            let rank = if words.iter().all(|w| name.contains(w)) {
                u8::from(!words.first().is_none_or(|w| name.starts_with(w)))
            } else if words.iter().all(|w| all.contains(w)) {
                2
            } else {
                return None;
            };
            Some((rank + if (c.available)(state) { 0 } else { 4 }, c))
        })
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, c)| c).collect()
}
