//! Reading a library.

use super::manifest::{Manifest, SkillEntry};
use super::posterior::Calibration;
use super::rows::Rows;
use super::shard::{LayerView, Shard, part_len};
use super::spread::Spread;
use super::stats::ZStats;
use super::types::{BuildSettings, ModelIdentity, Part, SkillMeta, SkillOrigin, StoredType};
use super::writer::{LibraryWriter, NewLibrary, Wait};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::state::{Layout, State};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// Size in bytes up to which all states of a library are checked for damage when it is opened. This
/// is no more than the largest model's weights, which are checked likewise; checking a larger
/// library would take too long.
const LOOKED_AT: u64 = 8 << 30;
/// Skills checked between two checks for cancellation.
const LOOKED_AT_ONCE: usize = 32;

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
    /// Opens the library in `dir` for states of `model`. Also returns a sentence for each damaged
    /// shard that was left out with its skills.
    ///
    /// # Errors
    /// [`Error::Library`] if there is no library, or its manifest is damaged or of an unknown
    /// version; [`Error::Mismatch`] if it was built with another model or tokenizer; [`Error::Io`].
    pub fn open(dir: &Path, model: &ModelIdentity) -> Result<(Self, Vec<String>)> {
        let none = || Error::Library(format!("there is no library in {} (no manifest.json)", dir.display()));
        let library = Self::load(dir, model, &Shards::new())?.ok_or_else(none)?;
        let warnings = library.left_out.clone();
        Ok((library, warnings))
    }

    /// The model that the manifest in `dir` names; `None` if there is no library.
    ///
    /// # Errors
    /// [`Error::Library`] if its manifest is damaged or of an unknown version; [`Error::Io`].
    pub fn model_of(dir: &Path) -> Result<Option<ModelIdentity>> {
        Ok(Manifest::read(dir)?.map(|manifest| manifest.model))
    }

    /// Opens the library in `dir`; creates an empty one if there is none.
    ///
    /// # Errors
    /// Those of [`Self::open`] and [`LibraryWriter::open`].
    pub fn create_or_open(dir: &Path, new: &NewLibrary<'_>, control: Control<'_>) -> Result<(Self, Vec<String>)> {
        if !Self::exists(dir) {
            drop(LibraryWriter::open(dir, new, Wait::Until(control))?);
        }
        Self::open(dir, new.model)
    }

    /// Whether `dir` holds a library: whether it has a manifest.
    pub fn exists(dir: &Path) -> bool {
        dir.join(super::manifest::MANIFEST).exists()
    }

    /// The library as it is on disk now. It shares the maps and norms of shards that still exist
    /// with this one.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn reopened(&self) -> Result<Self> {
        self.load_again(&self.shards)
    }

    /// As [`Self::reopened`], but maps every file again and discards earlier norms and findings.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn read_again(&self) -> Result<Self> {
        self.load_again(&Shards::new())
    }

    fn load_again(&self, reuse: &Shards) -> Result<Self> {
        let gone = || Error::Library(format!("the library {} has lost its manifest.json", self.dir.display()));
        Self::load(&self.dir, &self.manifest.model, reuse)?.ok_or_else(gone)
    }

    /// Checks each state once for NaN and infinity. In a library of more than [`LOOKED_AT`] bytes
    /// it checks none: there a state is checked when it is used ([`Self::is_sound`]). Reports
    /// progress in bytes.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn look(&self, control: Control<'_>) -> Result<()> {
        if self.bytes() > LOOKED_AT {
            return Ok(());
        }
        let each = self.bytes() / self.len().max(1) as u64;
        for (i, together) in self.places.chunks(LOOKED_AT_ONCE).enumerate() {
            control.check()?;
            together.par_iter().for_each(|(shard, index)| _ = shard.fault(*index));
            control.report(((i + 1) * LOOKED_AT_ONCE).min(self.len()) as u64 * each, self.bytes(), "bytes");
        }
        Ok(())
    }

    /// The library without the skills whose states were found to hold NaN or infinity;
    /// [`Self::warnings`] names them.
    #[must_use]
    pub fn without_damaged(self) -> Self {
        if self.places.iter().all(|(shard, index)| shard.known_fault(*index).is_none()) {
            return self;
        }
        Self::assemble(&self.dir, self.manifest, &self.shards)
    }

    /// Whether all numbers of a skill's state are finite. Reads the whole state on first use.
    pub fn is_sound(&self, i: usize) -> bool {
        self.places.get(i).is_some_and(|(shard, index)| shard.fault(*index).is_none())
    }

    /// The indices of a task's usable skills, in the library's order.
    pub fn of_task(&self, task: &str) -> Vec<usize> {
        (0..self.len()).filter(|&i| self.skills[i].task == task && self.is_sound(i)).collect()
    }

    /// Applies what a writer has changed since; keeps the maps and norms of shards that still
    /// exist. Returns whether anything changed.
    ///
    /// # Errors
    /// Those of [`Self::open`]; the library then stays as it was.
    pub fn refresh(&mut self) -> Result<bool> {
        let new = self.reopened()?;
        let changed = new.manifest != self.manifest;
        if changed {
            *self = new;
        }
        Ok(changed)
    }

    /// Reads the manifest and opens its shards, again if a writer replaced the manifest in between;
    /// `None` without a manifest.
    pub(super) fn load(dir: &Path, model: &ModelIdentity, reuse: &Shards) -> Result<Option<Self>> {
        let Some(mut manifest) = Manifest::read(dir)? else { return Ok(None) };
        loop {
            manifest.check_model(dir, model)?;
            let generation = manifest.generation;
            let library = Self::assemble(dir, manifest, reuse);
            if library.left_out.is_empty() {
                return Ok(Some(library));
            }
            match Manifest::read(dir)? {
                // A compaction came in between: the shards were replaced, not lost.
                Some(newer) if newer.generation != generation => manifest = newer,
                _ => return Ok(Some(library)),
            }
        }
    }

    pub(super) fn assemble(dir: &Path, manifest: Manifest, reuse: &Shards) -> Self {
        let shape = manifest.model.layout;
        let (mut shards, mut left_out) = (Shards::new(), Vec::new());
        for entry in &manifest.shards {
            let known = reuse.get(&entry.file).filter(|s| s.entry == *entry && s.cut_short().is_none());
            match known.map_or_else(|| Shard::open(dir, entry, shape).map(Arc::new), |s| Ok(Arc::clone(s))) {
                Ok(shard) => {
                    shards.insert(entry.file.clone(), shard);
                }
                Err(what) => {
                    let lost: Vec<&str> = live(&manifest).filter(|s| s.shard == entry.file).map(|s| s.meta.id.as_str()).collect();
                    left_out.extend((!lost.is_empty()).then(|| format!("{what}; left out: {}", list(&lost))));
                }
            }
        }
        let (mut skills, mut places, mut by_id) = (Vec::new(), Vec::new(), HashMap::new());
        for s in live(&manifest) {
            if let Some(shard) = shards.get(&s.shard) {
                if let Some(fault) = shard.known_fault(s.index) {
                    left_out.push(shard.sentence(&s.meta.id, s.index, fault));
                    continue;
                }
                by_id.insert(s.meta.id.clone(), skills.len());
                skills.push(s.meta.clone());
                places.push((Arc::clone(shard), s.index));
            }
        }
        let z = (0..2 * shape.n_layer).map(|_| OnceLock::new()).collect();
        let spreads = (0..shape.n_layer).map(|_| OnceLock::new()).collect();
        Self { dir: dir.to_path_buf(), manifest, shards, skills, places, by_id, z, spreads, left_out, rows: OnceLock::new() }
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

    /// Living skills that are left out because their shards or their own states are damaged.
    pub fn lost(&self) -> impl Iterator<Item = &SkillMeta> {
        let is_lost = |s: &&SkillEntry| self.shards.get(&s.shard).is_none_or(|shard| shard.known_fault(s.index).is_some());
        live(&self.manifest).filter(is_lost).map(|s| &s.meta)
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

    /// Checks that no file was cut short since it was opened: reading such a file ends the process.
    /// Code that reads rows must call this first. It costs one system call per file, a microsecond
    /// or less.
    ///
    /// # Errors
    /// [`Error::Library`] naming the file.
    pub fn check_whole(&self) -> Result<()> {
        match self.shards.values().find_map(|shard| shard.cut_short()) {
            None => Ok(()),
            Some(what) => Err(Error::Library(format!("{what}; `state-soup build` makes its skills again"))),
        }
    }

    /// One skill's state, as f32.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such skill; [`Error::Library`] if its state holds NaN or
    /// infinity, or its file was cut short.
    pub fn state(&self, i: usize) -> Result<State> {
        let (Some((shard, index)), Some(meta)) = (self.places.get(i), self.skills.get(i)) else {
            return Err(Error::Input(format!("the library {} has {} skills, there is no number {i}", self.dir.display(), self.len())));
        };
        if let Some(what) = shard.cut_short() {
            return Err(Error::Library(format!("the skill {} can not be used: {what}", meta.id)));
        }
        shard.state(*index, meta.tokens).map_err(|e| Error::Library(format!("the skill {} can not be used: {e}", meta.id)))
    }

    /// Σ w·(skill's state), computed on the device that holds the library's rows, with windows and
    /// ΣΔ as in [`crate::soup::mix::WeightedSum`]. `None` if no device holds them.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such skill; [`Error::Mismatch`] if the sum overflows or a
    /// skill is damaged; [`Error::Model`] if the device fails.
    pub fn weighted(&self, picks: &[(usize, f64)]) -> Result<Option<State>> {
        let Some(rows) = self.rows.get() else { return Ok(None) };
        if let Some((i, _)) = picks.iter().find(|(i, _)| *i >= self.len()) {
            return Err(Error::Input(format!("the library {} has {} skills, there is no number {i}", self.dir.display(), self.len())));
        }
        // Skills of weight 0 are ignored.
        let heard: Vec<(usize, f32)> = picks.iter().filter(|p| p.1 != 0.0).map(|&(i, w)| (i, w as f32)).collect();
        let size: f64 = picks.iter().map(|p| p.1.abs()).sum();
        let tokens = heard.iter().fold(0u64, |sum, (i, _)| sum.saturating_add(self.skills[*i].tokens));
        let share = if size > 0.0 { (1.0 / size) as f32 } else { 1.0 };
        rows.combine(&heard, share, tokens).map(Some)
    }

    /// ΣΔ of one skill, `[n_layer, d_inner]`.
    ///
    /// # Panics
    /// If there is no such skill.
    pub fn dt_sum(&self, i: usize) -> &[f32] {
        let (shard, index) = &self.places[i];
        shard.dt_sum(*index)
    }

    /// Borrows one skill's entries in one layer: `[d_inner, d_state]` or `[d_inner, d_conv - 1]`.
    ///
    /// # Panics
    /// If there is no such skill or layer.
    pub fn row(&self, i: usize, part: Part, layer: usize) -> LayerView<'_> {
        let (shard, index) = &self.places[i];
        shard.row(part, layer, *index)
    }

    /// Copies all skills' entries in one layer as f32, `[skills, entries]`.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn matrix(&self, part: Part, layer: usize) -> Vec<f32> {
        let n = part_len(&self.shape(), part);
        let mut all = vec![0.0; self.len() * n];
        for (i, out) in all.chunks_exact_mut(n.max(1)).enumerate() {
            self.row(i, part, layer).copy_to(out);
        }
        all
    }

    /// A sentence for each damage: shards and states that were left out when the library was
    /// opened, and states found since then to hold NaN or infinity.
    pub fn warnings(&self) -> Vec<String> {
        let mut all = self.left_out.clone();
        all.extend(self.found_since());
        all
    }

    /// The [`Self::warnings`] about damage that was found after the library was opened.
    pub fn found_since(&self) -> Vec<String> {
        let found = |((shard, index), meta): (&(Arc<Shard>, usize), &SkillMeta)| {
            Some(shard.sentence(&meta.id, *index, shard.found_damaged(*index)?))
        };
        self.places.iter().zip(&self.skills).filter_map(found).collect()
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
