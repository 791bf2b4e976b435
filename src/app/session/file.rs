//! The format of a session file.
//!
//! ```toml
//! title = "Retrieval"
//! evidence = true                 # as in the lab; without: ranking by similarity, soup set by user
//!
//! [[step]]
//! chapter = "One example is a query"
//! note = "The ranking changes while you type."
//! keys = "hot -> cold"            # `<…>` holds named keys and chords: <enter>, <ctrl-p>, <shift-left>
//! expect = { task = "antonym" }   # in `keys`, a paste stands between <paste> and </paste>
//!
//! [[step]]
//! keys = "W<enter>"
//! snapshots = [{ name = "mine", soup = { ingredients = [{ skill = "antonym/0", weight = 1.0, muted = false, locked = false, solo = false }] } }]
//! ```

use super::{Expect, Input, parse_script};
use crate::app::instrument::sides::Snapshot;
use crate::error::{Error, Result};
use crate::lab::{AnswerFrom, DecayRequest};
use serde::{Deserialize, Serialize};

/// A session.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Its title.
    pub title: String,
    /// Whether the evidence of the query's examples orders the ranking and chooses the soup; off in
    /// sessions from before there was evidence.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub evidence: bool,
    /// Its steps, in order.
    pub step: Vec<Step>,
    /// Whether it is a journal of a sitting; if so, its changes of the library are not made again.
    #[serde(skip)]
    pub sitting: bool,
}

/// Some keys, and the state they lead to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The title of the chapter that starts here; empty if the previous chapter continues.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chapter: String,
    /// What the audience should see.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    /// The snapshots of soups that exist from here on; if left out, the existing ones stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<Vec<Snapshot>>,
    /// The keys and pastes, as [`parse_script`] reads them. Line breaks at the end of the text are
    /// not typed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub keys: String,
    /// The conditions that hold once the lab is at rest after them.
    #[serde(default, skip_serializing_if = "Expect::is_empty")]
    pub expect: Expect,
}

impl Session {
    /// Parses a session and checks its keys and names, so that no error appears in the middle of a
    /// talk.
    ///
    /// # Errors
    /// [`Error::Input`] with the position in the file, or the number of the step.
    pub fn parse(text: &str) -> Result<Self> {
        let session: Self = toml::from_str(text).map_err(|e| Error::Input(format!("this is not a session: {e}")))?;
        if session.step.is_empty() {
            return Err(Error::Input("this session has no step; add one with `[[step]]`".into()));
        }
        for (i, step) in session.step.iter().enumerate() {
            let at = |what: String| Error::Input(format!("step {}: {what}", i + 1));
            step.inputs().map_err(at)?;
            for name in step.expect.answer.keys().chain(&step.expect.likelier) {
                if !AnswerFrom::ALL.iter().any(|f| f.name() == name) {
                    let names = AnswerFrom::ALL.map(AnswerFrom::name).join(", ");
                    return Err(at(format!("there is no answer from `{name}`; there is {names}")));
                }
            }
            let rules = DecayRequest::rule_names();
            if let Some(name) = step.expect.better.iter().find(|name| !rules.contains(&name.as_str())) {
                return Err(at(format!("there is no rule `{name}`; there is {}", rules.join(", "))));
            }
        }
        Ok(session)
    }
}

impl Step {
    /// The inputs of the step; its snapshots come first.
    ///
    /// # Errors
    /// A sentence that names an invalid key.
    pub fn inputs(&self) -> std::result::Result<Vec<Input>, String> {
        let mut inputs: Vec<Input> = self.snapshots.clone().map(Input::Snapshots).into_iter().collect();
        inputs.extend(parse_script(self.keys.trim_end_matches('\n'))?);
        Ok(inputs)
    }

    /// Whether the step has no chapter, no note and no keys.
    pub(super) fn is_blank(&self) -> bool {
        self.chapter.is_empty() && self.note.is_empty() && self.keys.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_files_are_refused_with_their_place() {
        let refused = |text: &str| Session::parse(text).unwrap_err().to_string();
        assert!(refused("title = 'x'\nstep = []").contains("no step"));
        assert!(refused("title = 'x'\n[[step]]\nkees = 'a'").contains("kees"));
        let message = refused("title = 'x'\n[[step]]\n[[step]]\nkeys = 'a<f99>'");
        assert!(message.contains("step 2") && message.contains("f99"), "{message}");
        let message = refused("title = 'x'\n[[step]]\nexpect = { answer = { soap = 'a' } }");
        assert!(message.contains("`soap`") && message.contains("best-skill"), "{message}");
        let message = refused("title = 'x'\n[[step]]\nexpect = { better = ['mean', 'A-decoy'] }");
        assert!(message.contains("`A-decoy`") && message.contains("PICASO-S"), "{message}");
    }

    #[test]
    fn keys_may_stand_on_several_lines() {
        let session = Session::parse("title = 'x'\n[[step]]\nkeys = '''\na -> b\nc\n'''").unwrap();
        let names = session.step[0].inputs().unwrap().into_iter().map(|i| if let Input::Key(key) = i { key.to_string() } else { panic!() });
        assert_eq!(names.collect::<Vec<_>>().join(" "), "a space - > space b enter c");
    }
}
