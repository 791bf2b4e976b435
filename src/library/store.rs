//! A library as its readers see it: immutable, cheap to clone, memory-mapped.

use super::manifest::Manifest;
use super::rank::Statistics;
use super::shard::Shard;
use super::{BuildSettings, ModelIdentity, Part, SkillMeta};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::state::{State, StateShape};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Skills and their states. A change on disk makes a new `Library`; this one stays what it was.
#[derive(Clone)]
pub struct Library {
    dir: PathBuf,
    pub(super) shape: StateShape,
    settings: Option<BuildSettings>,
    pub(super) shards: Vec<Arc<Shard>>,
    hashes: Vec<(String, String)>,
    skills: Arc<[SkillMeta]>,
    /// Shard and row of each skill.
    pub(super) places: Arc<[(usize, usize)]>,
    deleted: Arc<[String]>,
    bytes: u64,
    pub(super) statistics: Arc<Statistics>,
}

impl Library {
    /// Opens the library of a folder; a folder without one is an empty library. Damaged shards are left out, each with a sentence.
    /// Nothing on disk is changed.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for another model's library, [`Error::Library`] for a manifest that cannot be understood, [`Error::Io`].
    pub fn open_or_empty(dir: &Path, model: &ModelIdentity) -> Result<(Self, Vec<String>)> {
        match Manifest::read(dir)? {
            Some(manifest) => {
                manifest.check_model(model, dir)?;
                Ok(Self::from_manifest(dir, &manifest, &[]))
            }
            None => Ok((Self::empty(dir, model.shape), Vec::new())),
        }
    }

    fn empty(dir: &Path, shape: StateShape) -> Self {
        Self {
            dir: dir.to_path_buf(),
            shape,
            settings: None,
            shards: Vec::new(),
            hashes: Vec::new(),
            skills: Arc::new([]),
            places: Arc::new([]),
            deleted: Arc::new([]),
            bytes: 0,
            statistics: Arc::default(),
        }
    }

    /// The library a manifest describes; shards that `known` has open already are not opened again.
    pub(super) fn from_manifest(dir: &Path, manifest: &Manifest, known: &[(String, Arc<Shard>)]) -> (Self, Vec<String>) {
        let mut library = Self::empty(dir, manifest.model.shape);
        library.settings = Some(manifest.settings.clone());
        library.deleted = manifest.deleted.iter().map(|d| d.meta.id.clone()).collect();
        let mut warnings = Vec::new();
        let mut index = HashMap::new();
        for entry in &manifest.shards {
            let open = match known.iter().find(|(file, _)| *file == entry.file) {
                Some((_, shard)) => Ok(Arc::clone(shard)),
                None => open_shard(dir, &entry.file, manifest.model.shape, entry.rows, entry.bytes).map(Arc::new),
            };
            match open {
                Ok(shard) => {
                    index.insert(entry.file.as_str(), library.shards.len());
                    library.shards.push(shard);
                    library.hashes.push((entry.file.clone(), entry.blake3.clone()));
                    library.bytes += entry.bytes;
                }
                Err(error) => {
                    let lost = manifest.skills.iter().filter(|s| s.shard == entry.file).count();
                    warnings.push(format!("{error} ({lost} skills are left out; build again to replace them)"));
                }
            }
        }
        let found = manifest.skills.iter().filter_map(|s| {
            let shard = *index.get(s.shard.as_str())?;
            (s.row < library.shards[shard].rows()).then(|| (s.meta.clone(), (shard, s.row)))
        });
        let (skills, places): (Vec<_>, Vec<_>) = found.unzip();
        library.skills = skills.into();
        library.places = places.into();
        (library, warnings)
    }

    /// The open shards by file name.
    pub(super) fn open_shards(&self) -> Vec<(String, Arc<Shard>)> {
        self.hashes.iter().map(|(file, _)| file.clone()).zip(self.shards.iter().map(Arc::clone)).collect()
    }

    /// Its folder.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// What it was built to hold; `None` for an empty one that was never written.
    pub fn settings(&self) -> Option<&BuildSettings> {
        self.settings.as_ref()
    }

    /// Its skills.
    pub fn skills(&self) -> &[SkillMeta] {
        &self.skills
    }

    /// Ids of deleted skills that can be restored.
    pub fn deleted(&self) -> &[String] {
        &self.deleted
    }

    /// Bytes of all shards.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The index of a skill.
    ///
    /// # Errors
    /// [`Error::Input`] if there is none of that id, with the likeliest one meant.
    pub fn find(&self, id: &str) -> Result<usize> {
        self.skills.iter().position(|s| s.id == id).ok_or_else(|| {
            let near = self.skills.iter().min_by_key(|s| distance(&s.id, id)).filter(|s| distance(&s.id, id) <= id.len() / 2);
            let hint = near.map_or_else(String::new, |s| format!("; did you mean `{}`?", s.id));
            Error::Input(format!("the library has no skill `{id}`{hint}"))
        })
    }

    /// A skill's state.
    ///
    /// # Errors
    /// [`Error::Library`] naming skill and file if a number in it is not finite.
    pub fn state(&self, index: usize) -> Result<State> {
        let (shard, row) = self.places[index];
        self.shards[shard].state(row, self.skills[index].tokens).map_err(|e| {
            Error::Library(format!(
                "the skill `{}` in {} is damaged: {e}",
                self.skills[index].id,
                self.dir.join(&self.hashes[shard].0).display()
            ))
        })
    }

    /// One layer of a skill's state, flattened.
    ///
    /// # Errors
    /// [`Error::Library`] naming the skill if a number in it is not finite.
    pub fn layer(&self, index: usize, layer: usize, part: Part) -> Result<Vec<f32>> {
        let mut values = vec![0.0; self.layer_len(part)];
        let (shard, row) = self.places[index];
        self.shards[shard].layer(part, layer).read_row(row, &mut values);
        match values.iter().all(|v| v.is_finite()) {
            true => Ok(values),
            false => {
                Err(Error::Library(format!("the skill `{}` holds a number that is not finite in layer {layer}", self.skills[index].id)))
            }
        }
    }

    pub(super) fn layer_len(&self, part: Part) -> usize {
        match part {
            Part::Ssm => self.shape.ssm_len(),
            Part::Conv => self.shape.conv_len(),
        }
    }

    /// Reads every shard and says which do not match the manifest or hold numbers that are not finite.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn verify(&self, control: Control<'_>) -> Result<Vec<String>> {
        let mut damage = Vec::new();
        for (i, ((file, hash), shard)) in self.hashes.iter().zip(&self.shards).enumerate() {
            control.check()?;
            if blake3::hash(shard.bytes()).to_hex().as_str() != hash {
                damage.push(format!("{} is damaged: its content is not what was written", self.dir.join(file).display()));
            }
            control.report(i as u64 + 1, self.shards.len() as u64, "shards");
        }
        for i in 0..self.skills.len() {
            control.check()?;
            if let Err(error) = self.state(i) {
                damage.push(error.to_string());
            }
        }
        Ok(damage)
    }
}

fn open_shard(dir: &Path, file: &str, shape: StateShape, rows: usize, bytes: u64) -> Result<Shard> {
    let path = dir.join(file);
    if Path::new(file).components().count() != 1 {
        return Err(Error::Library(format!("the manifest names a shard outside its folder: `{file}`")));
    }
    let length = std::fs::metadata(&path).map_err(Error::io(&path))?.len();
    if length != bytes {
        return Err(Error::Library(format!("{} is damaged: it has {length} bytes instead of {bytes}", path.display())));
    }
    Shard::open(&path, shape, rows)
}

/// Edit distance, for suggestions.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
