//! The expectations of a session, and whether they hold.

use super::State;
use crate::lab::{AnswerFrom, RuleResult};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Conditions on the lab at rest; fields left out are not checked.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The task ranked first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// A task among the first three.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub among_three: Option<String>,
    /// Least margin between the first task's score and the second's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub margin: Option<f32>,
    /// First line of an answer, without surrounding blanks, by its source (`zero-shot`, `query`,
    /// `best-skill`, `soup`, `full`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub answer: BTreeMap<String, String>,
    /// Answers by falling log-probability of the target: the target is likelier in each than in the
    /// next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub likelier: Vec<String>,
    /// Rules of the Decay tab (`A-decay`, `mean`, `full pass`, …) by rising loss: each predicts the
    /// continuation better than the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub better: Vec<String>,
    /// The soup, as a recipe or `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soup: Option<String>,
    /// Least number of skills in the library.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skills: Option<usize>,
    /// Least trustworthiness of the map.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trust: Option<f64>,
    /// Part of the notice at the bottom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

impl Expect {
    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Sentences about the expectations that hold, and about those that do not.
pub fn compare(expect: &Expect, state: &State) -> (Vec<String>, Vec<String>) {
    let (mut held, mut broken) = (Vec::new(), Vec::new());
    let mut check = |holds: bool, wanted: String, found: String| {
        if holds { held.push(wanted) } else { broken.push(format!("{wanted}, but found {found}")) }
    };
    let ranking = state.lab.ranking.as_deref();
    let tasks: Vec<&str> = ranking.map(|r| r.by_task.iter().map(|t| t.task.as_str()).collect()).unwrap_or_default();
    let three = &tasks[..tasks.len().min(3)];
    if let Some(task) = &expect.task {
        check(tasks.first() == Some(&task.as_str()), format!("`{task}` is ranked first"), format!("{three:?}"));
    }
    if let Some(task) = &expect.among_three {
        check(three.contains(&task.as_str()), format!("`{task}` is among the first three"), format!("{three:?}"));
    }
    if let Some(least) = expect.margin {
        let margin = ranking.map_or(0.0, |r| r.margin);
        check(margin >= least, format!("the margin is at least {least}"), margin.to_string());
    }
    let answer = |name: &str| {
        let at = AnswerFrom::ALL.iter().position(|f| f.name() == name)?;
        state.lab.answers[at].as_ref().map(|shown| &shown.answer)
    };
    for (from, wanted) in &expect.answer {
        let text = answer(from).map(|a| a.text.trim().lines().next().unwrap_or_default());
        check(text == Some(wanted.trim()), format!("{from} answers `{}`", wanted.trim()), format!("{text:?}"));
    }
    for pair in expect.likelier.windows(2) {
        let [a, b] = [0, 1].map(|i| answer(&pair[i]).and_then(|a| a.target_logprob));
        check(
            matches!((a, b), (Some(a), Some(b)) if a > b),
            format!("the target is likelier from {} than from {}", pair[0], pair[1]),
            format!("{a:?} and {b:?}"),
        );
    }
    let rule = |name: &str| state.decay.view.as_ref().and_then(|v| v.results.iter().find(|r| r.rule.name() == name));
    for pair in expect.better.windows(2) {
        let [a, b] = [0, 1].map(|i| rule(&pair[i]).map(RuleResult::nats));
        check(
            matches!((a, b), (Some(a), Some(b)) if a < b),
            format!("{} predicts better than {}", pair[0], pair[1]),
            format!("{a:?} and {b:?} nats a token"),
        );
    }
    if let Some(wanted) = &expect.soup {
        let soup = state.lab.bench.text();
        check(soup.as_ref() == Some(wanted), format!("the soup is {wanted}"), format!("{soup:?}"));
    }
    if let Some(least) = expect.skills {
        check(state.skill_count() >= least, format!("the library has {least} skills or more"), state.skill_count().to_string());
    }
    if let Some(least) = expect.trust {
        let trust = state.map.map.as_ref().and_then(|v| v.trust);
        check(trust.is_some_and(|t| t >= least), format!("the map's trustworthiness is at least {least}"), format!("{trust:?}"));
    }
    if let Some(part) = &expect.notice {
        let notice = state.notice.as_ref().map(|n| n.text.as_str());
        check(notice.is_some_and(|n| n.contains(part)), format!("the lab says `{part}`"), format!("{notice:?}"));
    }
    (held, broken)
}
