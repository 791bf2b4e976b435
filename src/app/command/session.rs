//! Commands of the Session tab; chapters and notes can be set from every tab.

use super::Place::{General, In};
use super::{Command, command};
use crate::app::action::Action;
use crate::app::overlay::PromptKind;
use crate::app::session::{self, Ask, SessionAction};
use crate::app::state::{Focus, State};

const JOURNAL: &[Focus] = &[Focus::Journal];
const SITTINGS: &[Focus] = &[Focus::Sittings];

fn has_log(s: &State) -> bool {
    !s.session.log.is_empty()
}
fn has_sitting(s: &State) -> bool {
    session::sitting(s).is_some()
}

#[rustfmt::skip]
pub static COMMANDS: &[Command] = &[
    command("session.chapter.here", &["c"], In(JOURNAL), "Start a chapter", "Type the title of a chapter that starts now.", |_| Action::Prompt(PromptKind::Session(Ask::Chapter))).hint("chapter").hidden(),
    command("session.note.here", &["n"], In(JOURNAL), "Write a note", "Type a note on what was just done.", |_| Action::Prompt(PromptKind::Session(Ask::Note))).hint("note").hidden(),
    command("session.save", &["w"], In(JOURNAL), "Save as a session", "Write what was done as a session file: chapters, notes, keys, and what the lab showed as expectations.", |_| Action::Prompt(PromptKind::Session(Ask::Name))).hint("save").when(has_log),
    command("session.remove", &["x", "del"], In(JOURNAL), "Remove the chapter or note", "Take the selected chapter or note out of the session.", |_| Action::Session(SessionAction::Remove)).hint("remove").when(|s| session::own_row(s).is_some()),
    command("session.resume", &["enter"], In(SITTINGS), "Go on with the sitting", "Leave this sitting (its journal is kept) and go on with the selected one.", |_| Action::Session(SessionAction::Resume)).hint("go on").when(has_sitting),
    command("session.play", &["p"], In(SITTINGS), "Play the sitting", "Leave this sitting (its journal is kept) and play the selected one.", |_| Action::Session(SessionAction::Play)).hint("play").when(has_sitting),
    command("session.chapter", &["alt-c"], General, "Start a chapter", "Type the title of a chapter of this session that starts now.", |_| Action::Prompt(PromptKind::Session(Ask::Chapter))),
    command("session.note", &["alt-n"], General, "Write a note", "Type a note on what was just done, for the session.", |_| Action::Prompt(PromptKind::Session(Ask::Note))),
];
