//! Builds skills on disk from plans.

use super::store::Library;
use super::types::{BuildSettings, SkillMeta, SkillOrigin};
use super::writer::LibraryWriter;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::state::State;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// A skill to be made: the texts to read, and its manifest entry.
#[derive(Clone, Debug, PartialEq)]
pub struct SkillPlan {
    /// `task/0`.
    pub id: String,
    /// Task name.
    pub task: String,
    /// Task family.
    pub family: String,
    /// The text to read after bos, in segments: one example each, with its terminator.
    pub segments: Vec<String>,
    /// Its origin in the manifest. Plans with equal ids and origins make the same skill.
    pub origin: SkillOrigin,
}

impl SkillPlan {
    /// The plan of one set of a task's examples, with the id `task/set`. Its origin distinguishes
    /// it from others of that id by settings and text.
    pub fn examples(task: &str, family: &str, set: usize, segments: Vec<String>, settings: &BuildSettings) -> Self {
        let origin = SkillOrigin::Examples {
            set,
            shots: segments.len(),
            seed: settings.seed,
            template: settings.template.to_string(),
            text_hash: text_hash(&segments),
        };
        Self { id: format!("{task}/{set}"), task: task.to_owned(), family: family.to_owned(), segments, origin }
    }

    /// The plan of a set of a task's examples that was drawn separately from the build's sets.
    pub fn drawn(id: String, task: &str, family: &str, segments: Vec<String>, seed: u64, template: &str) -> Self {
        let (shots, template, text_hash) = (segments.len(), template.to_owned(), text_hash(&segments));
        let origin = SkillOrigin::Drawn { shots, seed, template, text_hash };
        Self { id, task: task.to_owned(), family: family.to_owned(), segments, origin }
    }

    /// The plan of a text by the user.
    pub fn text(id: String, task: &str, text: &str) -> Self {
        let segments = text.split_inclusive('\n').map(str::to_string).collect();
        Self { id, task: task.to_owned(), family: "user".into(), segments, origin: SkillOrigin::Text { text: text.to_owned() } }
    }

    fn bytes(&self) -> usize {
        self.segments.iter().map(String::len).sum()
    }

    /// The manifest entry of the skill that this plan makes now.
    pub fn meta(&self, state: &State, tags: Vec<String>) -> SkillMeta {
        SkillMeta {
            id: self.id.clone(),
            task: self.task.clone(),
            family: self.family.clone(),
            origin: self.origin.clone(),
            tokens: state.tokens(),
            created: now(),
            tags,
        }
    }
}

fn text_hash(segments: &[String]) -> String {
    let mut hash = blake3::Hasher::new();
    for s in segments {
        hash.update(s.as_bytes());
    }
    hash.finalize().to_hex().to_string()
}

/// The current time as RFC 3339, UTC, in whole seconds.
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    jiff::Timestamp::from_second(now.as_second()).unwrap_or(now).to_string()
}

/// Indices of the plans that the library lacks, in order: no readable skill has that id and the
/// same origin. So changed settings or task data make a skill missing. Skills that the user deleted
/// are not missing.
pub fn missing(library: &Library, plans: &[SkillPlan]) -> Vec<usize> {
    let unwanted: HashSet<(&str, String)> = library.unwanted().map(|(id, origin)| (id, format!("{origin:?}"))).collect();
    let lacks = |p: &SkillPlan| match library.find(&p.id) {
        Some(i) => library.skills()[i].origin != p.origin,
        None => !unwanted.contains(&(p.id.as_str(), format!("{:?}", p.origin))),
    };
    (0..plans.len()).filter(|&i| lacks(&plans[i])).collect()
}

/// How much goes into one call of the encoder and so into one shard: the most that a kill loses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSize {
    /// Tokens, approximately: they are estimated from the bytes, by the ratio measured so far.
    pub tokens: usize,
    /// Skills, at most.
    pub skills: usize,
}

impl BatchSize {
    /// The batch size for a device that reads `chunk` tokens at once: two chunks, so that the
    /// states of one are copied while the other runs. This keeps the matrix products dense, but is
    /// small enough that progress is visible and a kill loses little.
    pub fn of(chunk: usize) -> Self {
        Self { tokens: (2 * chunk).max(4096), skills: 64.max(chunk / 64) }
    }
}

impl Default for BatchSize {
    fn default() -> Self {
        Self { tokens: 4096, skills: 64 }
    }
}

/// What a build did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildReport {
    /// Skills made.
    pub built: usize,
    /// Skills that existed already.
    pub present: usize,
    /// Tokens read.
    pub tokens: u64,
    /// Seconds spent in the encoder.
    pub encode_seconds: f64,
    /// Seconds spent writing.
    pub write_seconds: f64,
}

/// Reads the plans' segments (each skill from bos on) and returns one state per plan, in order.
pub type Encode<'a> = dyn FnMut(&[&SkillPlan], Control<'_>) -> Result<Vec<State>> + 'a;

/// Makes the [`missing`] plans and the plans whose ids are in `anew`, batch by batch. Every batch
/// is on disk before the next begins, so that a cancelled or killed build can be resumed. Progress
/// that `encode` reports is converted to skills. A skill of the same id is replaced when its new
/// state is on disk; the new skill keeps its tags.
///
/// The writer is unlocked while the encoder works, so that this process can make other changes.
///
/// # Errors
/// [`Error::Input`] if two plans have the same id; [`Error::Cancelled`]; those of `encode`; those
/// of [`LibraryWriter::replace`].
pub fn build(
    writer: &Mutex<LibraryWriter>,
    settings: &BuildSettings,
    plans: &[SkillPlan],
    anew: &[String],
    batch: BatchSize,
    encode: &mut Encode<'_>,
    control: Control<'_>,
) -> Result<BuildReport> {
    let mut ids = HashSet::new();
    if let Some(p) = plans.iter().find(|p| !ids.insert(&p.id)) {
        return Err(Error::Input(format!("two skills to be built have the id {}", p.id)));
    }
    control.check()?;
    let lock = || writer.lock().unwrap_or_else(PoisonError::into_inner);
    lock().set_settings(settings)?;
    let missing: HashSet<usize> = missing(lock().library(), plans).into_iter().collect();
    let todo: Vec<usize> = (0..plans.len()).filter(|i| missing.contains(i) || anew.contains(&plans[*i].id)).collect();
    let total = todo.len() as u64;
    let mut report = BuildReport { present: plans.len() - todo.len(), ..BuildReport::default() };
    let (mut left, mut bytes_read) = (&todo[..], 0usize);
    control.report(0, total, "skills");
    while !left.is_empty() {
        control.check()?;
        // 3 bytes per token until a batch has been measured.
        let ratio = if report.tokens > 0 { bytes_read as f64 / report.tokens as f64 } else { 3.0 };
        let n = batch_len(left, plans, batch, ratio);
        let picks: Vec<&SkillPlan> = left[..n].iter().map(|&i| &plans[i]).collect();
        let done = report.built as u64;
        let start = Instant::now();
        let within = |p: crate::control::Progress| {
            let skills = (n as u64 * p.done.min(p.total)).checked_div(p.total).unwrap_or(0);
            control.report(done + skills, total, "skills");
        };
        let states = encode(&picks, control.with_progress(&within))?;
        report.encode_seconds += start.elapsed().as_secs_f64();
        if states.len() != n {
            return Err(Error::Mismatch(format!("{n} skills from {} on were to be read, {} states came back", picks[0].id, states.len())));
        }
        bytes_read += picks.iter().map(|p| p.bytes()).sum::<usize>();
        report.tokens += states.iter().map(State::tokens).sum::<u64>();
        let start = Instant::now();
        let mut writer = lock();
        let skills: Vec<(SkillMeta, State)> = picks
            .iter()
            .zip(states)
            .map(|(p, s)| {
                let tags = writer.library().living().find(|m| m.id == p.id).map(|m| m.tags.clone()).unwrap_or_default();
                (p.meta(&s, tags), s)
            })
            .collect();
        writer.replace(&skills)?;
        drop(writer);
        report.write_seconds += start.elapsed().as_secs_f64();
        report.built += n;
        left = &left[n..];
        control.report(report.built as u64, total, "skills");
    }
    Ok(report)
}

/// How many of the plans `left` go into the next batch: at least one.
fn batch_len(left: &[usize], plans: &[SkillPlan], batch: BatchSize, bytes_per_token: f64) -> usize {
    let (mut tokens, mut n) = (0.0, 0);
    for &i in left.iter().take(batch.skills.max(1)) {
        tokens += plans[i].bytes() as f64 / bytes_per_token;
        if n > 0 && tokens > batch.tokens as f64 {
            break;
        }
        n += 1;
    }
    n
}

/// The default folder of the library of a model with these settings:
/// `$XDG_CACHE_HOME/state-soup/libraries/FINGERPRINT-SETTINGS` (16 and 8 digits), or the system's
/// equivalent. Each choice of tasks has its own folder.
///
/// # Errors
/// [`Error::Input`] if no cache folder is known.
pub fn cache_dir(fingerprint: &str, settings: &BuildSettings, chosen: &[&str]) -> Result<PathBuf> {
    let none = || {
        Error::Input(
            "no cache folder is known (neither XDG_CACHE_HOME nor HOME is set); say where the library is with --library DIR".into(),
        )
    };
    let base = directories::ProjectDirs::from("", "", "state-soup").ok_or_else(none)?;
    Ok(base.cache_dir().join("libraries").join(folder_name(fingerprint, settings, chosen)))
}

fn folder_name(fingerprint: &str, settings: &BuildSettings, chosen: &[&str]) -> String {
    // `borders` is not the user's choice: a library keeps its own.
    let BuildSettings { template, shots, sets, seed, test_share, borders: _ } = settings;
    let hash = blake3::hash(format!("{template}\n{shots}\n{sets}\n{seed}\n{test_share}").as_bytes()).to_hex();
    let safe: String = fingerprint.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    let choice = if chosen.is_empty() { String::new() } else { format!("-{}", &blake3::hash(chosen.join("\n").as_bytes()).to_hex()[..8]) };
    format!("{safe}-{}{choice}", &hash[..8])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::library::tests::settings;
    use crate::task::Template;

    #[test]
    fn folder_names_differ_by_model_and_by_every_setting() {
        let base = settings();
        let mut names = HashSet::from([folder_name("abc", &base, &[]), folder_name("abd", &base, &[]), folder_name("abc", &base, &["t"])]);
        let changed = [
            BuildSettings { template: Template::Qa, ..base.clone() },
            BuildSettings { shots: 16, ..base.clone() },
            BuildSettings { sets: 4, ..base.clone() },
            BuildSettings { seed: 1, ..base.clone() },
            BuildSettings { test_share: 0.3, ..base.clone() },
        ];
        names.extend(changed.iter().map(|s| folder_name("abc", s, &[])));
        assert_eq!(names.len(), 8);
        assert!(!folder_name("../../etc/passwd", &base, &[]).contains(['/', '.']));
    }

    #[test]
    fn batches_hold_as_many_tokens_as_asked_for_and_at_least_one_skill() {
        let plans: Vec<_> = (0..10).map(|i| SkillPlan::examples("t", "f", i, vec!["x".repeat(300)], &settings())).collect();
        let left: Vec<usize> = (0..10).collect();
        let size = |tokens, skills| batch_len(&left, &plans, BatchSize { tokens, skills }, 3.0);
        assert_eq!([size(250, 64), size(300, 64), size(10, 64), size(100_000, 4), size(100_000, 64)], [2, 3, 1, 4, 10]);
    }
}
