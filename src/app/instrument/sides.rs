//! Soups besides the one on the bench: named snapshots, and the other side of A/B.

use crate::app::effect::Effect;
use crate::app::lab::ShownAnswer;
use crate::app::soup_edit::{Bench, SoupEdit};
use crate::app::state::State;
use crate::app::{bench, session};
use crate::lab::AnswerFrom;
use crate::soup::Soup;
use serde::{Deserialize, Serialize};

/// A soup with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The name.
    pub name: String,
    /// The soup.
    pub soup: Soup,
}

/// The soup that is not on the bench, with its history and its answer.
#[derive(Clone, Debug)]
pub struct Side {
    /// Its bench.
    pub bench: Bench,
    /// Its last answer.
    pub answer: Option<ShownAnswer>,
}

/// The snapshots, and both sides of A/B.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// In the order they were taken.
    pub snapshots: Vec<Snapshot>,
    /// The snapshots as stored on disk, for later sittings; `None` if none are stored.
    pub kept: Option<Vec<Snapshot>>,
    /// The list before each of its changes.
    undo: Vec<Vec<Snapshot>>,
    /// Number of snapshots ever taken; the next one's name is numbered from it.
    taken: usize,
    /// The other soup.
    pub other: Option<Box<Side>>,
    /// Whether the soup on the bench is B.
    pub on_b: bool,
}

impl Sides {
    /// The sides at the start, with the snapshots stored on disk, if any. A sitting that is
    /// `played` brings its own.
    pub fn new(kept: Option<Vec<Snapshot>>, played: bool) -> Self {
        let snapshots = if played { Vec::new() } else { kept.clone().unwrap_or_default() };
        Self { snapshots, kept, ..Self::default() }
    }

    /// Replaces the list of snapshots by one from elsewhere. Earlier changes of the list can no
    /// longer be undone.
    pub fn give(&mut self, snapshots: Vec<Snapshot>) {
        self.snapshots = snapshots;
        self.undo.clear();
    }

    /// A and B; `None` if there is only one soup.
    pub fn both<'a>(&'a self, bench: &'a Bench) -> Option<[&'a Soup; 2]> {
        let other = &self.other.as_ref()?.bench.soup;
        Some(if self.on_b { [other, &bench.soup] } else { [&bench.soup, other] })
    }

    /// The letter of the soup on the bench, if there are two.
    pub fn letter(&self) -> Option<&'static str> {
        self.other.as_ref().map(|_| if self.on_b { "B" } else { "A" })
    }

    fn change(&mut self, change: impl FnOnce(&mut Vec<Snapshot>)) {
        self.undo.push(self.snapshots.clone());
        change(&mut self.snapshots);
    }

    /// Renames a snapshot.
    ///
    /// # Errors
    /// A sentence if the name is empty or in use.
    pub fn rename(&mut self, at: usize, name: &str) -> Result<(), String> {
        let name = name.trim().to_owned();
        if name.is_empty() {
            return Err("A snapshot needs a name.".into());
        }
        if self.snapshots.iter().enumerate().any(|(i, s)| i != at && s.name == name) {
            return Err(format!("There is a snapshot `{name}` already."));
        }
        if self.snapshots.get(at).is_some_and(|s| s.name != name) {
            self.change(|list| list[at].name = name);
        }
        Ok(())
    }

    /// Deletes a snapshot from the list.
    pub fn delete(&mut self, at: usize) {
        if at < self.snapshots.len() {
            self.change(|list| _ = list.remove(at));
        }
    }

    /// Undoes the last change of the list; false if there is none.
    pub fn step_back(&mut self) -> bool {
        let Some(before) = self.undo.pop() else { return false };
        self.snapshots = before;
        true
    }
}

/// Takes a snapshot of the soup on the bench, with a generated name.
pub fn keep(state: &mut State) -> Vec<Effect> {
    let soup = state.lab.bench.soup.clone();
    let sides = &mut state.lab.instruments.sides;
    let text = if soup.ingredients.is_empty() {
        "There is no soup to keep yet.".into()
    } else if let Some(known) = sides.snapshots.iter().find(|s| s.soup == soup) {
        format!("This soup is kept already, as `{}`.", known.name)
    } else {
        let name = loop {
            sides.taken += 1;
            let name = format!("soup {}", sides.taken);
            if sides.snapshots.iter().all(|s| s.name != name) {
                break name;
            }
        };
        let text = format!("Kept as `{name}`; W lists the snapshots.");
        sides.change(|list| list.push(Snapshot { name, soup }));
        text
    };
    state.say(text);
    Vec::new()
}

/// An effect that stores the list of snapshots, if it has changed. A session being played stores
/// nothing.
pub fn save(state: &mut State) -> Option<Effect> {
    if state.resume.is_some() || state.show.is_some() {
        return None;
    }
    let sides = &mut state.lab.instruments.sides;
    let kept = sides.kept.as_mut().filter(|kept| **kept != sides.snapshots)?;
    let before = std::mem::replace(kept, sides.snapshots.clone());
    Some(Effect::Snapshots { before, after: sides.snapshots.clone() })
}

/// After a sitting was replayed: takes the snapshots on disk, which other sittings may have changed
/// since.
pub fn settle(state: &mut State) -> Vec<Effect> {
    let sides = &mut state.lab.instruments.sides;
    let Some(kept) = sides.kept.clone().filter(|kept| *kept != sides.snapshots) else { return Vec::new() };
    sides.give(kept.clone());
    session::snapshots(state, kept)
}

/// Why a soup cannot be mixed here; `None` if it can.
pub fn misfit(state: &State, soup: &Soup) -> Option<String> {
    let (Some(model), Some(library)) = (&state.model, &state.library) else {
        return Some("the model and the library are not ready yet".into());
    };
    let known = |name: &String| library.skills.iter().any(|s| s.id == *name || s.task == *name);
    let missing: Vec<&str> = soup.ingredients.iter().map(|i| &i.skill).filter(|name| !known(name)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Some(format!("this library lacks {}", missing.join(", ")));
    }
    let layers = model.layout.n_layer;
    match (&soup.layer_weights, &soup.layers) {
        (Some(weights), _) if weights.len() != layers => Some(format!("it weighs {} layers, this model has {layers}", weights.len())),
        (None, Some(range)) if range.end > layers => {
            Some(format!("it mixes layers {} to {}, this model has 0 to {}", range.start, range.end - 1, layers.saturating_sub(1)))
        }
        _ => None,
    }
}

/// A snapshot that can be mixed here; if it cannot, the reason is reported to the user.
fn fitting(state: &mut State, at: usize) -> Option<Snapshot> {
    let snapshot = state.lab.instruments.sides.snapshots.get(at).cloned()?;
    if let Some(why) = misfit(state, &snapshot.soup) {
        state.complain(format!("`{}` does not fit: {why}.", snapshot.name));
        return None;
    }
    Some(snapshot)
}

/// Puts a snapshot on the bench; undo brings back what was there.
pub fn restore(state: &mut State, at: usize) -> Vec<Effect> {
    let Some(Snapshot { name, soup }) = fitting(state, at) else { return Vec::new() };
    state.say(format!("`{name}` is the soup; u brings back the one before."));
    bench::edit(state, &SoupEdit::Replace(Box::new(soup)))
}

/// Puts a snapshot on the other side of A/B.
pub fn put_over(state: &mut State, at: usize) -> Vec<Effect> {
    let Some(Snapshot { name, soup }) = fitting(state, at) else { return Vec::new() };
    set_other(state, soup);
    state.say(format!("`{name}` is the other soup; b flips, D compares."));
    Vec::new()
}

/// Puts a copy of the soup on the bench on the other side.
pub fn copy_over(state: &mut State) -> Vec<Effect> {
    set_other(state, state.lab.bench.soup.clone());
    state.say("The other soup is now the same; b flips.");
    Vec::new()
}

/// Replaces the other soup. Its history continues, so undo on that side restores the earlier soup.
fn set_other(state: &mut State, soup: Soup) {
    let (layers, clock) = (state.layers(), state.clock);
    let sides = &mut state.lab.instruments.sides;
    match &mut sides.other {
        Some(side) => {
            // Replacing a whole soup cannot fail.
            let _ = side.bench.edit(&SoupEdit::Replace(Box::new(soup)), layers, clock);
            side.answer = None;
        }
        None => sides.other = Some(Box::new(Side { bench: Bench::new(soup, false), answer: None })),
    }
}

/// Switches to the other soup. The first time, the other soup is a copy of this one.
pub fn flip(state: &mut State) -> Vec<Effect> {
    let lab = &mut state.lab;
    let at = AnswerFrom::ALL.iter().position(|f| *f == AnswerFrom::Soup).unwrap_or_default();
    let answer = lab.answers[at].take();
    let sides = &mut lab.instruments.sides;
    sides.on_b = !sides.on_b;
    if let Some(side) = &mut sides.other {
        std::mem::swap(&mut lab.bench, &mut side.bench);
        lab.answers[at] = std::mem::replace(&mut side.answer, answer);
        let letter = if sides.on_b { "B" } else { "A" };
        state.say(format!("Soup {letter}."));
    } else {
        lab.answers[at].clone_from(&answer);
        sides.other = Some(Box::new(Side { bench: lab.bench.clone(), answer }));
        state.say("Soup B, made of A; b flips between them.");
    }
    bench::changed(state);
    Vec::new()
}
