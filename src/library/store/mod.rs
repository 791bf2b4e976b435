//! Reading a library: what its manifest says.
//!
//! - `open`: opens a library, and opens it again after a change.
//! - `states`: the states of its skills. `damage`: what is wrong with them.

mod damage;
mod open;
mod states;

use super::manifest::{Manifest, SkillEntry};
use super::posterior::Calibration;
use super::rows::Rows;
use super::shard::Shard;
use super::spread::Spread;
use super::stats::ZStats;
use super::types::{BuildSettings, ModelIdentity, SkillMeta, SkillOrigin, StoredType};
use crate::state::Layout;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Open shards by file name.
pub(super) type Shards = BTreeMap<String, Arc<Shard>>;

/// A library in the state of its manifest when it was opened or last refreshed. Reading needs no
/// lock and never changes the disk.
///
/// ```
/// use state_soup::control::quiet;
/// use state_soup::library::{BuildSettings, Library, NewLibrary, StoredType};
/// use state_soup::state::{Layout, ModelIdentity};
/// # fn main() -> state_soup::error::Result<()> {
/// let folder = tempfile::tempdir().expect("a folder");
/// let model = ModelIdentity::random(Layout::mamba1(2, 4, 3, 4));
/// let settings = BuildSettings::default();
/// let new = NewLibrary { model: &model, settings: &settings, dtype: StoredType::F16 };
/// let (library, warnings) = quiet(|control| Library::create_or_open(folder.path(), &new, control))?;
/// assert!(library.is_empty() && warnings.is_empty());
/// assert_eq!(Library::model_of(folder.path())?, Some(model));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Library {
    dir: PathBuf,
    pub(super) manifest: Manifest,
    pub(super) shards: Shards,
    skills: Vec<SkillMeta>,
    /// The shard of each of `skills`, and its index there.
    pub(super) places: Vec<(Arc<Shard>, usize)>,
    by_id: HashMap<String, usize>,
    /// Means and deviations over the skills, by part and layer, computed on first use.
    pub(super) z: Vec<OnceLock<ZStats>>,
    /// Distances of the skills from their mean, by layer, computed on first use.
    pub(super) spreads: Vec<OnceLock<Spread>>,
    left_out: Vec<String>,
    /// The rows on a device, once they have been copied there.
    pub(super) rows: OnceLock<Arc<dyn Rows>>,
}

impl Library {
    /// The indices of a task's usable skills, in the library's order.
    pub fn of_task(&self, task: &str) -> Vec<usize> {
        (0..self.len()).filter(|&i| self.skills[i].task == task && self.is_sound(i)).collect()
    }

    /// The library's folder.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// The model that made the states.
    pub fn model(&self) -> &ModelIdentity {
        &self.manifest.model
    }

    /// The layout of the states.
    pub fn shape(&self) -> Layout {
        self.manifest.model.layout
    }

    /// Settings of the latest build.
    pub fn settings(&self) -> &BuildSettings {
        &self.manifest.settings
    }

    /// The constants that weigh evidence: those fitted by the latest build, or the defaults.
    pub fn calibration(&self) -> Calibration {
        self.manifest.calibration.unwrap_or_default()
    }

    /// Whether [`Self::calibration`] was fitted to this library.
    pub fn is_calibrated(&self) -> bool {
        self.manifest.calibration.is_some()
    }

    /// The type that new skills are stored in.
    pub fn dtype(&self) -> StoredType {
        self.manifest.dtype
    }

    /// The generation of the manifest, which goes up by one at every change.
    pub fn generation(&self) -> u64 {
        self.manifest.generation
    }

    /// Bytes of all shards, deleted skills included.
    pub fn bytes(&self) -> u64 {
        self.manifest.shards.iter().map(|s| s.bytes).sum()
    }

    /// The living, readable skills, in the order they were added.
    pub fn skills(&self) -> &[SkillMeta] {
        &self.skills
    }

    /// The number of [`Self::skills`].
    pub fn len(&self) -> usize {
        self.skills.len()
    }

    /// Whether there are no skills.
    pub fn is_empty(&self) -> bool {
        self.skills.is_empty()
    }

    /// The index of a skill in [`Self::skills`].
    pub fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// All living skills, including those in damaged shards, in the order they were added.
    pub fn living(&self) -> impl Iterator<Item = &SkillMeta> {
        live(&self.manifest).map(|s| &s.meta)
    }

    /// The file that each of [`Self::skills`] lies in.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.places.iter().map(|(shard, _)| shard.entry.file.as_str())
    }

    /// Deleted skills that can still be restored, in the order they were added.
    pub fn deleted(&self) -> impl Iterator<Item = &SkillMeta> {
        self.manifest.skills.iter().filter(|s| s.deleted.is_some() && self.shards.contains_key(&s.shard)).map(|s| &s.meta)
    }

    /// `(id, origin)` of deleted skills, which a build does not make again.
    pub(super) fn unwanted(&self) -> impl Iterator<Item = (&str, &SkillOrigin)> {
        let deleted = self.manifest.skills.iter().filter(|s| s.deleted.is_some()).map(|s| (s.meta.id.as_str(), &s.meta.origin));
        deleted.chain(self.manifest.removed.iter().map(|r| (r.id.as_str(), &r.origin)))
    }

    /// Lets rankings use rows of this library that lie on a device. Later calls have no effect.
    pub fn attach(&self, rows: Arc<dyn Rows>) {
        let _ = self.rows.set(rows);
    }

    /// Whether rows on a device are attached.
    pub fn is_attached(&self) -> bool {
        self.rows.get().is_some()
    }
}

pub(super) fn live(manifest: &Manifest) -> impl Iterator<Item = &SkillEntry> {
    manifest.skills.iter().filter(|s| s.deleted.is_none())
}

/// The first few of a list of ids, and the number of the others.
pub(super) fn list(ids: &[&str]) -> String {
    const SHOWN: usize = 4;
    match ids.len() {
        0 => "no living skill".into(),
        n if n <= SHOWN => ids.join(", "),
        n => format!("{} and {} more", ids[..SHOWN - 1].join(", "), n - SHOWN + 1),
    }
}
