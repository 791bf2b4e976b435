//! A session made from the log of a sitting.

use super::file::{Session, Step};
use super::{Expect, Input, Outcome, What, write_script};
use crate::app::state::State;

fn expect(outcome: &Outcome) -> Expect {
    Expect { task: outcome.task.clone(), soup: outcome.soup.clone(), ..Expect::default() }
}

/// The sitting so far as a session. A chapter starts a step. A note belongs to the keys before it,
/// or to those after it if its chapter has none yet. Each step expects the task ranked first and
/// the soup that the lab showed at its end.
///
/// # Errors
/// A sentence if nothing has been done yet.
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
            What::Snapshots(_) => noted || !step.keys.is_empty(),
            What::Key(..) | What::Paste(..) => noted,
        };
        if starts && !step.is_blank() {
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
            What::Snapshots(list) => {
                step.snapshots = Some(list.clone());
                continue;
            }
            What::Key(key, _) => step.keys.push_str(&write_script(&Input::Key(*key))),
            What::Paste(text) => step.keys.push_str(&write_script(&Input::Paste(text.clone()))),
        }
        after = if i + 1 == log.len() { Outcome::of(state) } else { mark.after.clone() };
    }
    if !step.is_blank() {
        steps.push(Step { expect: expect(&after), ..step });
    }
    if steps.is_empty() {
        return Err("Nothing has been done in the lab yet.".into());
    }
    Ok(Session { title: title.to_owned(), evidence: state.lab.weighs, step: steps, sitting: false })
}
