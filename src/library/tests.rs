//! Helpers for this folder's tests.

use super::*;

pub(crate) fn settings() -> BuildSettings {
    BuildSettings { sets: 5, ..BuildSettings::default() }
}

pub(crate) fn meta(id: &str) -> SkillMeta {
    let task = id.split('/').next().unwrap_or(id).to_owned();
    let origin = SkillOrigin::Text { text: id.to_owned() };
    SkillMeta { id: id.to_owned(), task, family: "user".into(), origin, tokens: 3, created: now(), tags: Vec::new() }
}
