//! A library as its one writer sees it.
//!
//! Every change writes new files first, waits until they are on the disk, and only then puts the new manifest in place by a rename. So the
//! library on disk is whole at every instant, and a kill at any point loses at most the skills in flight.

use super::disk::{Disk, RealDisk};
use super::manifest::{FILE, Manifest, ShardEntry, SkillEntry};
use super::shard::encode;
use super::{BuildSettings, Library, ModelIdentity, SkillMeta};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::state::State;
use fs4::fs_std::FileExt;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Held while a process writes.
const LOCK: &str = ".lock";
/// Ending of files that are not in place yet.
const UNFINISHED: &str = ".new";

/// The one who may change a library: holds its lock.
pub struct Writer {
    dir: PathBuf,
    manifest: Manifest,
    library: Library,
    disk: Box<dyn Disk>,
    /// Held until the writer is dropped; the system frees it if the process dies.
    _lock: File,
}

impl Writer {
    /// Takes the library's lock, waiting while another process has it, and makes the folder if there is none. Files that no manifest
    /// names (left by a kill) are removed.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be written, [`Error::Mismatch`] and [`Error::Library`] as for reading, [`Error::Cancelled`].
    pub fn open(dir: &Path, model: &ModelIdentity, settings: &BuildSettings, control: Control<'_>) -> Result<Self> {
        Self::with_disk(dir, model, settings, Box::new(RealDisk), control)
    }

    pub(super) fn with_disk(
        dir: &Path,
        model: &ModelIdentity,
        settings: &BuildSettings,
        disk: Box<dyn Disk>,
        control: Control<'_>,
    ) -> Result<Self> {
        let refused = |e: std::io::Error| {
            Error::Library(format!("the library folder {} cannot be written: {e}; choose another with --library DIR", dir.display()))
        };
        fs::create_dir_all(dir).map_err(refused)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(LOCK)).map_err(refused)?;
        while !lock.try_lock_exclusive().map_err(refused)? {
            control.check()?;
            control.report(0, 0, "waits for another process that writes this library");
            std::thread::sleep(Duration::from_millis(50));
        }
        let manifest = match Manifest::read(dir)? {
            Some(manifest) => {
                manifest.check_model(model, dir)?;
                manifest
            }
            None => Manifest::new(model.clone(), settings.clone()),
        };
        let (library, _) = Library::from_manifest(dir, &manifest, &[]);
        let mut writer = Self { dir: dir.to_path_buf(), manifest, library, disk, _lock: lock };
        writer.sweep();
        Ok(writer)
    }

    /// The library as it is on disk now.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// Adds skills with their states as one shard; skills of the same ids are replaced.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for states of another shape, [`Error::Io`] if the disk refuses (full, read-only): nothing has changed then.
    pub fn append(&mut self, skills: &[SkillMeta], states: &[State]) -> Result<()> {
        let shape = self.manifest.model.shape;
        if skills.len() != states.len() || skills.is_empty() {
            return Err(Error::Library(format!("{} skills cannot be kept with {} states", skills.len(), states.len())));
        }
        if let Some(state) = states.iter().find(|s| s.shape() != shape) {
            return Err(Error::Mismatch(format!("a state of {} cannot be kept in a library of {shape}", state.shape())));
        }
        let bytes = encode(states, self.manifest.settings.stored_as)?;
        let hash = blake3::hash(&bytes).to_hex().to_string();
        // Named by content: a shard is never written in place of another.
        let file = format!("{}.safetensors", &hash[..24]);
        self.put(&file, &bytes)?;
        let mut manifest = self.manifest.clone();
        let ids: HashSet<&str> = skills.iter().map(|s| s.id.as_str()).collect();
        manifest.skills.retain(|s| !ids.contains(s.meta.id.as_str()));
        manifest.deleted.retain(|s| !ids.contains(s.meta.id.as_str()));
        manifest.shards.retain(|s| s.file != file);
        manifest.shards.push(ShardEntry { file: file.clone(), rows: skills.len(), bytes: bytes.len() as u64, blake3: hash });
        manifest.skills.extend(skills.iter().enumerate().map(|(row, meta)| SkillEntry { meta: meta.clone(), shard: file.clone(), row }));
        self.commit(manifest)
    }

    /// Deletes a skill; it can be restored.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none of that id; [`Error::Io`].
    pub fn delete(&mut self, id: &str) -> Result<()> {
        self.library.find(id)?;
        let mut manifest = self.manifest.clone();
        let (gone, kept) = manifest.skills.into_iter().partition::<Vec<_>, _>(|s| s.meta.id == id);
        manifest.skills = kept;
        manifest.deleted.extend(gone);
        self.commit(manifest)
    }

    /// Brings a deleted skill back.
    ///
    /// # Errors
    /// [`Error::Input`] if none of that id was deleted, or another one has the id now; [`Error::Io`].
    pub fn restore(&mut self, id: &str) -> Result<()> {
        let mut manifest = self.manifest.clone();
        let Some(at) = manifest.deleted.iter().rposition(|s| s.meta.id == id) else {
            return Err(Error::Input(format!("no skill `{id}` was deleted")));
        };
        if manifest.skills.iter().any(|s| s.meta.id == id) {
            return Err(Error::Input(format!("there is another skill `{id}` by now")));
        }
        let entry = manifest.deleted.remove(at);
        manifest.skills.push(entry);
        self.commit(manifest)
    }

    /// Replaces a skill's tags.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none of that id; [`Error::Io`].
    pub fn tag(&mut self, id: &str, tags: &[String]) -> Result<()> {
        self.library.find(id)?;
        let mut manifest = self.manifest.clone();
        manifest.skills.iter_mut().filter(|s| s.meta.id == id).for_each(|s| s.meta.tags = tags.to_vec());
        self.commit(manifest)
    }

    /// Puts a new manifest in place; shards that no skill needs any more are left out of it and removed afterwards.
    fn commit(&mut self, mut manifest: Manifest) -> Result<()> {
        let used: HashSet<&str> = manifest.skills.iter().chain(&manifest.deleted).map(|s| s.shard.as_str()).collect();
        manifest.shards.retain(|s| used.contains(s.file.as_str()));
        let text = serde_json::to_vec_pretty(&manifest).map_err(|e| Error::Library(format!("the manifest cannot be written: {e}")))?;
        self.put(FILE, &text)?;
        let (library, _) = Library::from_manifest(&self.dir, &manifest, &self.library.open_shards());
        self.library = library;
        self.manifest = manifest;
        self.sweep();
        Ok(())
    }

    fn put(&mut self, file: &str, bytes: &[u8]) -> Result<()> {
        let (to, new) = (self.dir.join(file), self.dir.join(format!("{file}{UNFINISHED}")));
        let written = self.disk.write(&new, bytes).and_then(|()| self.disk.place(&new, &to));
        if written.is_err() {
            // Best effort: the next writer sweeps what cannot be removed now.
            let _ = self.disk.remove(&new);
        }
        written.map_err(Error::io(&to))
    }

    /// Removes files that the manifest on disk does not name. A file that cannot be removed does no harm and is tried again next time.
    fn sweep(&mut self) {
        let named: HashSet<&str> = self.manifest.shards.iter().map(|s| s.file.as_str()).collect();
        let ours = |name: &str| name.ends_with(UNFINISHED) || name.ends_with(".safetensors");
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let orphans: Vec<PathBuf> = entries
            .flatten()
            .filter(|e| e.file_name().to_str().is_some_and(|name| ours(name) && !named.contains(name)))
            .map(|e| e.path())
            .collect();
        for orphan in orphans {
            let _ = self.disk.remove(&orphan);
        }
    }
}
