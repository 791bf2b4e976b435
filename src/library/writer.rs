//! Changing a library: by one process at a time, every change atomic.

use super::disk::{Disk, RealDisk};
use super::lock::{LOCK, Lock, take, unwritable};
use super::manifest::{Manifest, SkillEntry, is_shard, own_files, shard_name};
use super::posterior::Calibration;
use super::shard::{self, fits_f16};
use super::store::{Library, Shards};
use super::types::{BuildSettings, ModelIdentity, SkillMeta, StoredType};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::state::State;
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

/// What a new library is created with. An existing one keeps its own type and, until a build, its
/// settings.
#[derive(Clone, Copy, Debug)]
pub struct NewLibrary<'a> {
    /// The model; an existing library must be of the same one.
    pub model: &'a ModelIdentity,
    /// Settings of the build.
    pub settings: &'a BuildSettings,
    /// Stored type of the shards.
    pub dtype: StoredType,
}

/// What to do while another process writes the library.
#[derive(Clone, Copy)]
pub enum Wait<'a> {
    /// Fail with an error that says so.
    No,
    /// Wait until the other process is done or the wait is cancelled.
    Until(Control<'a>),
}

/// The right to change a library. Holds its lock until dropped (the system frees it when the
/// process dies).
///
/// Every method either makes the whole change or, on an error, leaves the library as it was. The
/// writer stays usable after an error.
#[derive(Debug)]
pub struct LibraryWriter {
    pub(super) library: Library,
    disk: Arc<dyn Disk>,
    _lock: Lock,
}

impl LibraryWriter {
    /// Opens the library in `dir` for writing, creates the folder and an empty library if there is
    /// none, and removes what a killed writer left.
    ///
    /// # Errors
    /// [`Error::Library`] if another process is writing and `wait` is [`Wait::No`], or the manifest
    /// is damaged, lost or of an unknown version; [`Error::Mismatch`] if the library is of another
    /// model; [`Error::Io`] if the folder cannot be written to; [`Error::Cancelled`].
    pub fn open(dir: &Path, new: &NewLibrary<'_>, wait: Wait<'_>) -> Result<Self> {
        Self::open_on(Arc::new(RealDisk), dir, new, wait)
    }

    /// Opens the existing library in `dir` for an edit; never creates one.
    ///
    /// # Errors
    /// Those of [`Self::open`]; [`Error::Library`] if there is no library.
    pub fn open_existing(dir: &Path, model: &ModelIdentity, wait: Wait<'_>) -> Result<Self> {
        let gone = || {
            let dir = dir.display();
            Error::Library(format!("the library {dir} is not there any more; nothing was changed (`state-soup build` makes a new one)"))
        };
        Manifest::read(dir)?.ok_or_else(gone)?.check_model(dir, model)?;
        let lock = take(RealDisk.open_lock(&dir.join(LOCK)).map_err(unwritable(dir))?, dir, wait)?;
        let library = Library::load(dir, model, &Shards::new())?.ok_or_else(gone)?;
        let writer = Self { library, disk: Arc::new(RealDisk), _lock: lock };
        writer.remove_orphans();
        Ok(writer)
    }

    /// As [`Self::open`], with every change going through `disk`.
    ///
    /// # Errors
    /// Those of [`Self::open`].
    pub fn open_on(disk: Arc<dyn Disk>, dir: &Path, new: &NewLibrary<'_>, wait: Wait<'_>) -> Result<Self> {
        // Refusals come before the first change: not even a lock file is left in a refused folder.
        match Manifest::read(dir)? {
            Some(manifest) => manifest.check_model(dir, new.model)?,
            None if dir.exists() => refuse_lost_manifest(dir)?,
            None => {}
        }
        disk.create_dir(dir).map_err(unwritable(dir))?;
        let path = dir.join(LOCK);
        let file = disk.open_lock(&path).map_err(unwritable(dir))?;
        let lock = take(file, dir, wait)?;
        let library = if let Some(library) = Library::load(dir, new.model, &Shards::new())? {
            library
        } else {
            let manifest = Manifest::new(new.model, new.settings, new.dtype);
            manifest.write(&*disk, dir).map_err(|e| match e {
                Error::Io { source, .. } => unwritable(dir)(source),
                other => other,
            })?;
            Library::assemble(dir, manifest, &Shards::new())
        };
        let writer = Self { library, disk, _lock: lock };
        writer.remove_orphans();
        Ok(writer)
    }

    /// The library as it is now.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Adds skills, all or none. Nothing is written for an empty batch.
    ///
    /// # Errors
    /// [`Error::Input`] if an id is taken or empty; [`Error::Mismatch`] if a state has another
    /// shape; [`Error::Io`].
    pub fn append(&mut self, batch: &[(SkillMeta, State)]) -> Result<()> {
        for (meta, _) in batch {
            if self.library.manifest.live(&meta.id).is_some() {
                return Err(Error::Input(format!("the library {} already has a skill {}", self.library.path().display(), meta.id)));
            }
        }
        self.replace(batch)
    }

    /// Adds skills, all or none. Living skills with the same ids become deleted ones.
    ///
    /// # Errors
    /// Those of [`Self::append`], except that ids may be taken.
    pub fn replace(&mut self, batch: &[(SkillMeta, State)]) -> Result<()> {
        self.check(batch)?;
        if batch.is_empty() {
            return Ok(());
        }
        self.change(|disk, library, manifest| {
            let now = super::now();
            for (meta, _) in batch {
                if let Some(old) = manifest.live(&meta.id) {
                    old.deleted = Some(now.clone());
                }
                manifest.removed.retain(|r| r.id != meta.id);
            }
            let narrow = manifest.dtype == StoredType::F16;
            let (half, full): (Vec<_>, Vec<_>) = (0..batch.len()).partition(|&i| narrow && fits_f16(&batch[i].1));
            let first = manifest.skills.len();
            manifest.skills.extend(batch.iter().map(|(meta, _)| SkillEntry {
                meta: meta.clone(),
                shard: String::new(),
                index: 0,
                deleted: None,
            }));
            for (dtype, picks) in [(StoredType::F16, half), (StoredType::F32, full)] {
                let states: Vec<_> = picks.iter().map(|&i| (&batch[i].0, &batch[i].1)).collect();
                let places: Vec<_> = picks.iter().map(|&i| first + i).collect();
                put(disk, library.path(), manifest, dtype, &states, &places)?;
            }
            Ok(())
        })
    }

    /// Marks a skill as deleted. Its state stays on disk until [`Self::compact`].
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such skill; [`Error::Io`].
    pub fn delete(&mut self, id: &str) -> Result<()> {
        let none = self.no_skill(id);
        self.change(|_, _, manifest| {
            manifest.live(id).ok_or(none)?.deleted = Some(super::now());
            Ok(())
        })
    }

    /// Restores the skill of this id that was deleted last. Returns `false` if compaction has
    /// dropped its state; then the next build may make the skill again, if it came from a task.
    ///
    /// # Errors
    /// [`Error::Input`] if nothing of this id was deleted or the id is taken; [`Error::Library`] if
    /// its shard is damaged; [`Error::Io`].
    pub fn restore(&mut self, id: &str) -> Result<bool> {
        let none = Error::Input(format!("no deleted skill {id} can be restored in the library {}", self.library.path().display()));
        let mut back = true;
        self.change(|_, library, manifest| {
            if manifest.live(id).is_some() {
                return Err(Error::Input(format!(
                    "the skill {id} cannot be restored: the library {} has another of that id",
                    library.path().display()
                )));
            }
            let dead = manifest.skills.iter_mut().filter(|s| s.meta.id == id);
            // The latest time wins, and of equal times the one added last.
            if let Some(entry) = dead.max_by(|a, b| a.deleted.cmp(&b.deleted)) {
                if !library.shards.contains_key(&entry.shard) {
                    return Err(Error::Library(format!("the skill {id} cannot be restored: its shard {} is damaged", entry.shard)));
                }
                entry.deleted = None;
                return Ok(());
            }
            let before = manifest.removed.len();
            manifest.removed.retain(|r| r.id != id);
            back = false;
            if manifest.removed.len() < before { Ok(()) } else { Err(none) }
        })?;
        Ok(back)
    }

    /// Restores the skill of this id that was replaced or deleted last, in place of the living one,
    /// which becomes a deleted one.
    ///
    /// # Errors
    /// [`Error::Input`] if no skill of this id lives, or none with a readable shard was replaced or
    /// deleted; [`Error::Io`].
    pub fn swap_back(&mut self, id: &str) -> Result<()> {
        let none = Error::Input(format!("the library {} has no earlier state of {id}", self.library.path().display()));
        self.change(|_, library, manifest| {
            let readable = |s: &SkillEntry| library.shards.contains_key(&s.shard);
            let dead = (0..manifest.skills.len()).filter(|&i| {
                let s = &manifest.skills[i];
                s.meta.id == id && s.deleted.is_some() && readable(s)
            });
            // The latest time wins, and of equal times the one added last.
            let earlier = dead.max_by(|a, b| manifest.skills[*a].deleted.cmp(&manifest.skills[*b].deleted));
            let (Some(earlier), Some(living)) = (earlier, manifest.live(id)) else { return Err(none) };
            living.deleted = Some(super::now());
            manifest.skills[earlier].deleted = None;
            Ok(())
        })
    }

    /// Replaces a skill's tags.
    ///
    /// # Errors
    /// [`Error::Input`] if there is no such skill; [`Error::Io`].
    pub fn tag(&mut self, id: &str, tags: &[String]) -> Result<()> {
        let none = self.no_skill(id);
        self.change(|_, _, manifest| {
            manifest.live(id).ok_or(none)?.meta.tags = tags.to_vec();
            Ok(())
        })
    }

    /// Stores the settings of a build. Writes nothing if they are the library's already.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn set_settings(&mut self, settings: &BuildSettings) -> Result<()> {
        if self.library.settings() == settings {
            return Ok(());
        }
        self.change(|_, _, manifest| {
            manifest.settings = settings.clone();
            Ok(())
        })
    }

    /// Stores the constants that weigh evidence. Writes nothing if they are the library's already.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn set_calibration(&mut self, calibration: &Calibration) -> Result<()> {
        if self.library.manifest.calibration.as_ref() == Some(calibration) {
            return Ok(());
        }
        self.change(|_, _, manifest| {
            manifest.calibration = Some(*calibration);
            Ok(())
        })
    }

    /// Reuses the maps and findings of damage of a reader of the same library.
    pub fn share(&mut self, library: &Library) {
        self.library = Library::assemble(self.library.path(), self.library.manifest.clone(), &library.shards);
    }

    fn no_skill(&self, id: &str) -> Error {
        Error::Input(format!("the library {} has no skill {id}", self.library.path().display()))
    }

    fn check(&self, batch: &[(SkillMeta, State)]) -> Result<()> {
        let mut ids = HashSet::new();
        for (meta, state) in batch {
            if meta.id.is_empty() || !ids.insert(&meta.id) {
                return Err(Error::Input(format!("two skills of a batch have the id `{}`, or it is empty", meta.id)));
            }
            if state.shape() != self.library.shape() {
                let (own, other) = (self.library.shape(), state.shape());
                return Err(Error::Mismatch(format!(
                    "the state of {} has {other}; the library {} has {own}",
                    meta.id,
                    self.library.path().display()
                )));
            }
        }
        Ok(())
    }

    /// Edits a copy of the manifest and replaces the manifest by it. If that fails anywhere, the
    /// library is read again from disk.
    pub(super) fn change(&mut self, edit: impl FnOnce(&dyn Disk, &Library, &mut Manifest) -> Result<()>) -> Result<()> {
        let mut manifest = self.library.manifest.clone();
        let dir = self.library.path().to_path_buf();
        let done = edit(&*self.disk, &self.library, &mut manifest).and_then(|()| {
            manifest.generation += 1;
            manifest.write(&*self.disk, &dir)
        });
        match done {
            Ok(()) => {
                self.library = Library::assemble(&dir, manifest, &self.library.shards);
                Ok(())
            }
            Err(e) => {
                // The failure may have come after the manifest's rename: then the change is on
                // disk, but may not be durable.
                if self.library.refresh().is_ok() {
                    self.remove_orphans();
                }
                // Shard numbers are never used twice, not even those of failed shards.
                let own = &mut self.library.manifest;
                own.next_shard = own.next_shard.max(manifest.next_shard);
                Err(e)
            }
        }
    }

    /// Removes files of this format that the manifest does not name. A file that stays does no
    /// harm, so failures are only logged.
    pub(super) fn remove_orphans(&self) {
        let named: HashSet<&str> = self.library.manifest.shards.iter().map(|s| s.file.as_str()).collect();
        for (name, path) in own_files(self.library.path()).unwrap_or_default() {
            if !named.contains(name.as_str()) && self.disk.remove(&path).is_err() {
                tracing::warn!("the unfinished file {} could not be removed", path.display());
            }
        }
    }
}

/// Writes a shard and makes the manifest's skills at `places` refer to it.
pub(super) fn put(
    disk: &dyn Disk,
    dir: &Path,
    manifest: &mut Manifest,
    dtype: StoredType,
    states: &[(&SkillMeta, &State)],
    places: &[usize],
) -> Result<()> {
    if states.is_empty() {
        return Ok(());
    }
    let file = shard_name(manifest.next_shard);
    let entry = shard::write(disk, dir, &file, &manifest.model, dtype, states)?;
    manifest.next_shard += 1;
    manifest.shards.push(entry);
    for (index, &place) in places.iter().enumerate() {
        let skill = &mut manifest.skills[place];
        skill.shard.clone_from(&file);
        skill.index = index;
    }
    Ok(())
}

/// Without a manifest, shards in the folder mean that it was lost: a library begins with one.
fn refuse_lost_manifest(dir: &Path) -> Result<()> {
    let shards = own_files(dir)?.iter().filter(|(name, _)| is_shard(name)).count();
    if shards == 0 {
        return Ok(());
    }
    Err(Error::Library(format!(
        "{} holds {shards} shards of a library but no manifest.json; bring it back, or empty the folder, or choose another with --library DIR",
        dir.display()
    )))
}
