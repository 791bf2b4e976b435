//! A session made of what was written down.

use super::file::{Session, Step};
use super::{Expect, Outcome, What};
use crate::app::key::{Key, KeyCode, write_macro};
use crate::app::state::State;

/// The keys that type a pasted text: line breaks are Enter in an editor of several lines, blanks in one of one.
pub fn typed_keys(text: &str, lines: bool) -> Vec<Key> {
    let key = |c: char| match c {
        '\n' if lines => Key::plain(KeyCode::Enter),
        c if c.is_control() => Key::plain(KeyCode::Char(' ')),
        c => Key::plain(KeyCode::Char(c)),
    };
    text.replace("\r\n", "\n").replace('\r', "\n").chars().map(key).collect()
}

fn expect(outcome: &Outcome) -> Expect {
    Expect { task: outcome.task.clone(), soup: outcome.soup.clone(), ..Expect::default() }
}

/// The sitting so far as a session: a chapter starts a step; a note belongs to the keys before it, or to those after it if its chapter
/// has none yet. Each step expects the task ranked first and the soup that the lab showed at its end.
///
/// # Errors
/// A sentence, if nothing was done yet.
pub fn session(state: &State, title: &str) -> Result<Session, String> {
    let mut steps: Vec<Step> = Vec::new();
    let mut step = Step::default();
    let mut after = Outcome::default();
    let mut noted = false;
    let log = &state.session.log;
    for (i, mark) in log.iter().enumerate().filter(|(_, mark)| !mark.aside) {
        let starts = match &mark.what {
            What::Chapter(_) => true,
            What::Note(_) => !step.note.is_empty(),
            What::Key(..) | What::Paste(..) => noted,
        };
        if starts && step != Step::default() {
            steps.push(Step { expect: expect(&after), ..std::mem::take(&mut step) });
            noted = false;
        }
        match &mark.what {
            What::Chapter(title) => step.chapter.clone_from(title),
            What::Note(note) => {
                step.note.clone_from(note);
                noted = !step.keys.is_empty();
                continue;
            }
            What::Key(key, _) => step.keys.push_str(&write_macro(std::slice::from_ref(key))),
            What::Paste(text, lines) => step.keys.push_str(&write_macro(&typed_keys(text, *lines))),
        }
        after = if i + 1 == log.len() { Outcome::of(state) } else { mark.after.clone() };
    }
    if step != Step::default() {
        steps.push(Step { expect: expect(&after), ..step });
    }
    if steps.is_empty() {
        return Err("Nothing was done in the lab yet.".into());
    }
    Ok(Session { title: title.to_owned(), step: steps, sitting: false })
}
