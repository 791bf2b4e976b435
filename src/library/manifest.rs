//! The manifest: what a library holds, and which model made it.

use super::{BuildSettings, ModelIdentity, SkillMeta};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The format this program writes and reads.
pub const VERSION: u32 = 1;
/// The manifest's file name.
pub const FILE: &str = "manifest.json";

/// `manifest.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format version.
    pub version: u32,
    /// Whose states these are.
    pub model: ModelIdentity,
    /// What the library is to hold.
    pub settings: BuildSettings,
    /// Files of states.
    pub shards: Vec<ShardEntry>,
    /// Skills.
    pub skills: Vec<SkillEntry>,
    /// Deleted skills; their states stay until their shard holds no skill at all, so they can be restored.
    #[serde(default)]
    pub deleted: Vec<SkillEntry>,
}

/// One file of states.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShardEntry {
    /// File name in the library's folder.
    pub file: String,
    /// Skills in it.
    pub rows: usize,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of its content, hexadecimal.
    pub blake3: String,
}

/// One skill and where its state lies.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkillEntry {
    /// The skill.
    #[serde(flatten)]
    pub meta: SkillMeta,
    /// Its shard's file name.
    pub shard: String,
    /// Its row there.
    pub row: usize,
}

impl Manifest {
    /// An empty one.
    pub fn new(model: ModelIdentity, settings: BuildSettings) -> Self {
        Self { version: VERSION, model, settings, shards: Vec::new(), skills: Vec::new(), deleted: Vec::new() }
    }

    /// The manifest of a folder, or `None` if it has none.
    ///
    /// # Errors
    /// [`Error::Library`] if it cannot be understood or is of another version; [`Error::Io`].
    pub fn read(dir: &Path) -> Result<Option<Self>> {
        let path = dir.join(FILE);
        let text = match std::fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io(&path)(e)),
        };
        let damaged = |e: serde_json::Error| Error::Library(format!("{} cannot be read: {e}", path.display()));
        // The version is looked at first: a newer format may have other fields.
        let value: serde_json::Value = serde_json::from_slice(&text).map_err(damaged)?;
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(v) if v == u64::from(VERSION) => serde_json::from_value(value).map(Some).map_err(damaged),
            Some(v) => Err(Error::Library(format!("{} has format version {v}; this program reads version {VERSION}", path.display()))),
            None => Err(Error::Library(format!("{} has no format version", path.display()))),
        }
    }

    /// Refuses states of another model.
    ///
    /// # Errors
    /// [`Error::Mismatch`] naming what differs.
    pub fn check_model(&self, model: &ModelIdentity, dir: &Path) -> Result<()> {
        let differs = if self.model.shape != model.shape {
            format!("states of {} ({}), but the model `{}` has {}", self.model.name, self.model.shape, model.name, model.shape)
        } else if self.model.tokenizer_hash != model.tokenizer_hash {
            format!("states read through the tokenizer of `{}`, which is not that of `{}`", self.model.name, model.name)
        } else if self.model.fingerprint != model.fingerprint {
            let short = |f: &str| f.chars().take(12).collect::<String>();
            format!(
                "states of `{}` with fingerprint {}…, but `{}` has {}…: other weights make other states",
                self.model.name,
                short(&self.model.fingerprint),
                model.name,
                short(&model.fingerprint)
            )
        } else {
            return Ok(());
        };
        Err(Error::Mismatch(format!(
            "the library in {} holds {differs}; open it with its own model, or choose another --library",
            dir.display()
        )))
    }
}
