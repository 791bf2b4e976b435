//! The guide above a tab: its list of pages, or one page and how far it is scrolled.

use super::action::Motion;
use super::key::{Key, KeyCode};
use super::overlay::Overlay;
use super::state::State;
use super::tab::moved;
use crate::guide::{TOPICS, lines};

/// Columns of a page: what a window has room for on 80 columns.
pub const MEASURE: usize = 74;

/// Lines of a page that stay in view at its end. On the smallest screen they fill the window.
const STAY: usize = 6;

/// What of the guide is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The page, by its place in [`TOPICS`].
    pub topic: usize,
    /// Lines above the first one shown; `None` while the list of pages is shown.
    pub scroll: Option<usize>,
}

/// The list of pages, with the one on this tab selected.
pub fn open(state: &State) -> Overlay {
    // A tab's page has its name, but for the last letter of `sessions`.
    let name = state.tab.title().to_lowercase();
    Overlay::Guide(Reading { topic: TOPICS.iter().position(|t| t.name.starts_with(&name)).unwrap_or(0), scroll: None })
}

/// A key for the guide; false if it leads back to the keys.
pub fn input(reading: &mut Reading, key: Key) -> bool {
    match (key.code, &mut reading.scroll) {
        (KeyCode::Tab | KeyCode::BackTab | KeyCode::Char('?'), _) => return false,
        (KeyCode::Enter | KeyCode::Right | KeyCode::Char('l'), None) => reading.scroll = Some(0),
        (KeyCode::Left | KeyCode::Backspace | KeyCode::Char('h'), Some(_)) => reading.scroll = None,
        (code, scroll) => {
            let Some(motion) = motion(code) else { return true };
            match scroll {
                None => reading.topic = moved(reading.topic, TOPICS.len(), motion),
                Some(scroll) => {
                    let length = TOPICS.get(reading.topic).map_or(0, |t| lines(t.text, MEASURE).len());
                    *scroll = moved(*scroll, (length + 1).saturating_sub(STAY), motion);
                }
            }
        }
    }
    true
}

fn motion(code: KeyCode) -> Option<Motion> {
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => Motion::Up,
        KeyCode::Down | KeyCode::Char('j') => Motion::Down,
        KeyCode::PageUp => Motion::PageUp,
        KeyCode::PageDown | KeyCode::Char(' ') => Motion::PageDown,
        KeyCode::Home | KeyCode::Char('g') => Motion::First,
        KeyCode::End | KeyCode::Char('G') => Motion::Last,
        _ => return None,
    })
}
