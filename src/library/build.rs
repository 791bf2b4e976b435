//! Building: which skills are wanted, which are missing, and how they come in batch by batch.

use super::{BuildSettings, Library, SkillMeta, SkillOrigin, Writer};
use crate::control::Control;
use crate::error::Result;
use crate::state::State;
use std::path::PathBuf;

/// Skills encoded together: one packed prefill, one shard. Enough to keep the matrix products dense, few enough that a kill loses little.
const BATCH: usize = 16;

/// A skill that is to be made.
#[derive(Clone, Debug, PartialEq)]
pub struct SkillPlan {
    /// Its id.
    pub id: String,
    /// Its texts, tokenised one by one.
    pub segments: Vec<String>,
    task: String,
    family: String,
    origin: SkillOrigin,
}

impl SkillPlan {
    /// A skill from one example set of a task.
    pub fn from_examples(task: &str, family: &str, set: usize, segments: Vec<String>, settings: &BuildSettings) -> Self {
        let origin = SkillOrigin::Examples {
            set,
            shots: segments.len(),
            seed: settings.seed,
            template: settings.template.clone(),
            text_hash: hash(&segments),
        };
        Self { id: format!("{task}/{set}"), segments, task: task.into(), family: family.into(), origin }
    }

    /// A skill from the user's text.
    pub fn from_text(name: &str, set: usize, text: &str) -> Self {
        let segments = text.split_inclusive('\n').map(str::to_string).collect();
        Self {
            id: format!("{name}/{set}"),
            segments,
            task: name.into(),
            family: "user".into(),
            origin: SkillOrigin::Text { text: text.into() },
        }
    }

    /// BLAKE3 of the exact text, hexadecimal.
    pub fn text_hash(&self) -> String {
        hash(&self.segments)
    }

    /// Its manifest entry, once its state is there.
    pub fn meta(&self, state: &State) -> SkillMeta {
        SkillMeta {
            id: self.id.clone(),
            task: self.task.clone(),
            family: self.family.clone(),
            origin: self.origin.clone(),
            tokens: state.tokens(),
            created: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            tags: Vec::new(),
        }
    }
}

fn hash(segments: &[String]) -> String {
    let mut hasher = blake3::Hasher::new();
    segments.iter().for_each(|s| {
        hasher.update(s.as_bytes());
    });
    hasher.finalize().to_hex().to_string()
}

/// The plans whose skill the library lacks, or holds from another text. Skills the user deleted are not wanted back.
pub fn missing<'a>(library: &Library, plans: &'a [SkillPlan]) -> Vec<&'a SkillPlan> {
    let there: std::collections::HashMap<&str, &SkillOrigin> = library.skills().iter().map(|s| (s.id.as_str(), &s.origin)).collect();
    plans
        .iter()
        .filter(|plan| !library.deleted().contains(&plan.id) && there.get(plan.id.as_str()).is_none_or(|origin| **origin != plan.origin))
        .collect()
}

/// Turns plans into states: one packed prefill.
pub type Encode<'a> = dyn FnMut(&[&SkillPlan], Control<'_>) -> Result<Vec<State>> + 'a;

/// Makes the planned skills batch by batch; `added` is told of every batch that is safely on the disk.
///
/// # Errors
/// What `encode` and the writer report; [`crate::error::Error::Cancelled`]. Batches written before stay.
pub fn build_missing(
    writer: &mut Writer,
    plans: &[&SkillPlan],
    encode: &mut Encode<'_>,
    control: Control<'_>,
    added: &mut dyn FnMut(&Library, &[SkillMeta]),
) -> Result<()> {
    let total = plans.len() as u64;
    control.report(0, total, "skills");
    for (i, batch) in plans.chunks(BATCH).enumerate() {
        control.check()?;
        let done = (i * BATCH) as u64;
        // Within a batch, progress follows the tokens.
        let within = |p: crate::control::Progress| {
            control.report(done + p.done * batch.len() as u64 / p.total.max(1), total, "skills");
        };
        let states = encode(batch, control.with_progress(&within))?;
        let skills: Vec<SkillMeta> = batch.iter().zip(&states).map(|(plan, state)| plan.meta(state)).collect();
        writer.append(&skills, &states)?;
        added(writer.library(), &skills);
        control.report(done + batch.len() as u64, total, "skills");
    }
    Ok(())
}

/// The cache folder of a model's library with these settings: `$XDG_CACHE_HOME/state-soup/FINGERPRINT/SETTINGS`.
///
/// # Errors
/// [`crate::error::Error::Library`] if the system names no cache folder.
pub fn cache_dir(fingerprint: &str, settings: &BuildSettings) -> Result<PathBuf> {
    let base = directories::ProjectDirs::from("", "", "state-soup").map(|dirs| dirs.cache_dir().to_path_buf());
    let base =
        base.ok_or_else(|| crate::error::Error::Library("the system names no cache folder; choose one with --library DIR".into()))?;
    let short = |text: &str| text.chars().take(16).collect::<String>();
    let settings = blake3::hash(format!("{settings} {:?}", settings.stored_as).as_bytes()).to_hex();
    Ok(base.join(short(fingerprint)).join(short(&settings)))
}
