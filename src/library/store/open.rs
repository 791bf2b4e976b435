//! Opens a library, and opens it again after a change.

use super::{Library, Shards, list, live};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::manifest::{MANIFEST, Manifest};
use crate::library::shard::Shard;
use crate::library::types::ModelIdentity;
use crate::library::writer::{LibraryWriter, NewLibrary, Wait};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, OnceLock};

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
        dir.join(MANIFEST).exists()
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
    pub(in crate::library) fn load(dir: &Path, model: &ModelIdentity, reuse: &Shards) -> Result<Option<Self>> {
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

    pub(in crate::library) fn assemble(dir: &Path, manifest: Manifest, reuse: &Shards) -> Self {
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
}
