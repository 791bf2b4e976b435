//! `manifest.json`: what a library holds and which shard holds it.

use super::disk::Disk;
use super::posterior::Calibration;
use super::types::{BuildSettings, ModelIdentity, SkillMeta, SkillOrigin, StoredType};
use crate::error::{Error, Result};
use crate::files;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

pub(super) const MANIFEST: &str = "manifest.json";
pub(super) const MANIFEST_TMP: &str = "manifest.json.tmp";
pub(super) const FORMAT: &str = "state-soup library";
/// The version that is written. Version 1, which is read too, has only Mamba-1's sizes as the
/// model's `shape`. Version 2 has the family and every part of a state as its `layout`.
pub(super) const VERSION: u64 = 2;

/// One shard file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ShardEntry {
    /// File name, without a folder.
    pub file: String,
    /// Length of the file.
    pub bytes: u64,
    /// BLAKE3 of the file, hexadecimal.
    pub blake3: String,
    /// Skills in it, deleted ones included.
    pub skills: usize,
    /// Type of its `ssm` and `conv` tensors.
    pub dtype: StoredType,
}

/// One skill: its description and its location.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SkillEntry {
    #[serde(flatten)]
    pub meta: SkillMeta,
    /// File name of its shard.
    pub shard: String,
    /// Its index in the first dimension of the shard's tensors.
    pub index: usize,
    /// When it was deleted (RFC 3339, UTC); absent while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<String>,
}

/// A deleted skill whose state compaction has dropped: a build does not make it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Removed {
    pub id: String,
    pub origin: SkillOrigin,
}

/// The whole manifest. Field order is file order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub format: String,
    pub version: u64,
    /// Increases by one at every change.
    pub generation: u64,
    /// Number of the next shard file; a number is never used twice.
    pub next_shard: u64,
    pub model: ModelIdentity,
    /// Type new shards are written in.
    pub dtype: StoredType,
    /// Settings of the latest build.
    pub settings: BuildSettings,
    pub shards: Vec<ShardEntry>,
    pub skills: Vec<SkillEntry>,
    #[serde(default)]
    pub removed: Vec<Removed>,
    /// The constants that weigh evidence; absent until a build has fitted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<Calibration>,
}

/// Read before anything else, to distinguish a newer format from a damaged file.
#[derive(Deserialize)]
struct Probe {
    format: Option<String>,
    version: Option<u64>,
}

pub(super) fn shard_name(number: u64) -> String {
    format!("shard-{number:05}.safetensors")
}

/// Whether this is the name of a finished shard.
pub(super) fn is_shard(name: &str) -> bool {
    let number = name.strip_prefix("shard-").and_then(|s| s.strip_suffix(".safetensors"));
    number.is_some_and(|n| n.len() >= 5 && n.bytes().all(|b| b.is_ascii_digit()))
}

/// Whether this is a name that this module gives to shards (finished or not) or to an unfinished
/// manifest.
pub(super) fn is_ours(name: &str) -> bool {
    name == MANIFEST_TMP || is_shard(name.strip_suffix(".tmp").unwrap_or(name))
}

impl Manifest {
    pub fn new(model: &ModelIdentity, settings: &BuildSettings, dtype: StoredType) -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            generation: 0,
            next_shard: 0,
            model: model.clone(),
            dtype,
            settings: settings.clone(),
            shards: Vec::new(),
            skills: Vec::new(),
            removed: Vec::new(),
            calibration: None,
        }
    }

    /// Reads and checks the manifest of a folder; `None` if it has none.
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(MANIFEST);
        let text = match files::read(&path, files::LARGE) {
            Ok(text) => text,
            Err(e) if files::is_missing(&e) => return Ok(None),
            Err(Error::Input(what)) => return Err(Error::Library(format!("the library manifest {what}"))),
            Err(e) => return Err(e),
        };
        let damaged = |e: serde_json::Error| Error::Library(format!("the library manifest {} cannot be read: {e}", path.display()));
        let probe: Probe = serde_json::from_slice(&text).map_err(damaged)?;
        if probe.format.as_deref() != Some(FORMAT) {
            return Err(Error::Library(format!(
                "{} is not the manifest of a state-soup library (its `format` is not `{FORMAT}`)",
                path.display()
            )));
        }
        match probe.version {
            Some(1..=VERSION) => {}
            Some(v) => {
                return Err(Error::Library(format!(
                    "the library {} has format version {v}; this program reads versions 1 to {VERSION}",
                    dir.display()
                )));
            }
            None => return Err(Error::Library(format!("the library manifest {} names no format version", path.display()))),
        }
        let mut manifest: Self = serde_json::from_slice(&text).map_err(damaged)?;
        manifest.version = VERSION;
        manifest.check().map_err(|what| Error::Library(format!("the library manifest {} contradicts itself: {what}", path.display())))?;
        Ok(Some(manifest))
    }

    /// Fails if entries contradict each other. A manifest is written in one piece, so this program
    /// did not write such a manifest.
    fn check(&self) -> Result<(), String> {
        let mut shards = HashMap::new();
        for s in &self.shards {
            // This also prevents paths outside the folder.
            if !is_shard(&s.file) {
                return Err(format!("`{}` is not the name of a shard", s.file));
            }
            if shards.insert(s.file.as_str(), s.skills).is_some() {
                return Err(format!("the shard {} is listed twice", s.file));
            }
        }
        let (mut places, mut ids) = (HashSet::new(), HashSet::new());
        for s in &self.skills {
            let id = &s.meta.id;
            match shards.get(s.shard.as_str()) {
                None => return Err(format!("the skill {id} lies in the shard {}, which is not listed", s.shard)),
                Some(&n) if s.index >= n => {
                    return Err(format!("the skill {id} is number {} of the shard {}, which holds {n}", s.index, s.shard));
                }
                Some(_) => {}
            }
            if !places.insert((s.shard.as_str(), s.index)) {
                return Err(format!("two skills are number {} of the shard {}", s.index, s.shard));
            }
            if s.deleted.is_none() && !ids.insert(id.as_str()) {
                return Err(format!("two skills have the id {id}"));
            }
        }
        Ok(())
    }

    /// Refuses states of another model.
    pub fn check_model(&self, dir: &Path, model: &ModelIdentity) -> Result<()> {
        let (own, dir) = (&self.model, dir.display());
        let refuse = |what: String| Err(Error::Mismatch(what));
        if own.layout != model.layout {
            return refuse(format!(
                "the library {dir} holds states of {} ({}); the model {} has {}",
                own.name, own.layout, model.name, model.layout
            ));
        }
        if own.tokenizer_hash != model.tokenizer_hash {
            let (a, b) = (short(&own.tokenizer_hash), short(&model.tokenizer_hash));
            return refuse(format!("the library {dir} was built with another tokenizer ({a}) than that of the model {} ({b})", model.name));
        }
        if own.fingerprint != model.fingerprint {
            let (a, b) = (short(&own.fingerprint), short(&model.fingerprint));
            return refuse(format!(
                "the library {dir} was built with the model {} (fingerprint {a}), not with {} ({b})",
                own.name, model.name
            ));
        }
        if let (Some(a), Some(b)) = (&own.bos, &model.bos)
            && a != b
        {
            return refuse(format!(
                "the texts of the library {dir} begin with the tokens {a:?}, those of the model {} with {b:?}",
                model.name
            ));
        }
        if let (Some(a), Some(b)) = (&own.weights, &model.weights)
            && a != b
        {
            return refuse(format!(
                "the states of the library {dir} were made with weights of {a}, those of {} have {b}; choose --weights, or another --library",
                model.name
            ));
        }
        Ok(())
    }

    /// Writes the manifest to a temporary file and renames it over the old one.
    pub fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<()> {
        let (tmp, path) = (dir.join(MANIFEST_TMP), dir.join(MANIFEST));
        let mut text =
            serde_json::to_vec_pretty(self).map_err(|e| Error::Library(format!("the library manifest cannot be written: {e}")))?;
        text.push(b'\n');
        let mut file = disk.create(&tmp).map_err(Error::io(&tmp))?;
        file.write_all(&text).and_then(|()| file.flush()).and_then(|()| file.sync()).map_err(Error::io(&tmp))?;
        drop(file);
        disk.rename(&tmp, &path).map_err(Error::io(&path))?;
        disk.sync_dir(dir).map_err(Error::io(dir))
    }

    /// The entry of the living skill with this id.
    pub fn live(&mut self, id: &str) -> Option<&mut SkillEntry> {
        self.skills.iter_mut().find(|s| s.deleted.is_none() && s.meta.id == id)
    }
}

/// The files in a folder with names of this module ([`is_ours`]), sorted.
pub(super) fn own_files(dir: &Path) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(Error::io(dir))? {
        let entry = entry.map_err(Error::io(dir))?;
        if let Some(name) = entry.file_name().to_str().filter(|n| is_ours(n)) {
            found.push((name.to_owned(), entry.path()));
        }
    }
    found.sort();
    Ok(found)
}

/// The first 12 digits of a hash, enough to distinguish two in a message.
pub(super) fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_own_names_are_ours() {
        for ours in ["shard-00000.safetensors", "shard-123456.safetensors", "shard-00001.safetensors.tmp", "manifest.json.tmp"] {
            assert!(is_ours(ours), "{ours}");
        }
        for other in [
            "manifest.json",
            "lock",
            "shard-.safetensors",
            "shard-1.safetensors",
            "shard-0000x.safetensors",
            "model.safetensors",
            "../shard-00000.safetensors",
        ] {
            assert!(!is_ours(other), "{other}");
        }
    }
}
