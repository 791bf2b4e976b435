//! Where a model's files come from: inside the program, a folder, or a hub.
//!
//! - `checkpoint`: weights in safetensors (one file, shards, bytes in memory) and PyTorch's `.bin`,
//!   read without running what is in it.
//! - `pickle`: PyTorch's `.bin`; `unpickle`: the pickle in it, read as data.
//! - `hub`: files from a Hugging Face hub; without a network if its cache has them all.
//! - `instead`: what may come instead of a file: a web page, a Git LFS pointer.
//! - `random`: weights for benchmarks and checks.

mod checkpoint;
mod hub;
mod instead;
mod pickle;
mod random;
mod unpickle;

use super::json;
use crate::control::Control;
use crate::error::{Error, Result};
use candle_core::Tensor;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use checkpoint::Checkpoint;
pub use hub::{Hub, Patience, Proxies, Roots, Token};
pub(super) use instead::Instead;
pub use random::RandomWeights;

/// Tensors by name, on the CPU, in the precision they are stored in.
pub trait TensorSource: Send + Sync {
    /// A tensor, or `None` if none has that name.
    ///
    /// # Errors
    /// [`Error::Model`] if it cannot be read.
    fn get(&self, name: &str) -> Result<Option<Tensor>>;

    /// All names.
    fn names(&self) -> Vec<String>;

    /// The file a tensor is in, where there is one.
    fn file(&self, _name: &str) -> Option<String> {
        None
    }

    /// The place of all of them, for messages.
    fn place(&self) -> String {
        "the checkpoint".into()
    }
}

/// Which model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelSource {
    /// The one inside the program.
    Bundled,
    /// A folder with `config.json`, `tokenizer.json` and weights.
    Directory(PathBuf),
    /// A repository of a Hugging Face hub.
    Hub {
        /// `owner/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
    },
}

impl FromStr for ModelSource {
    type Err = Error;

    /// `bundled`; a folder that exists, or a path that begins with `.`, `/` or `~/`;
    /// `owner/name[@revision]`.
    fn from_str(text: &str) -> Result<Self> {
        if text == "bundled" {
            return Ok(Self::Bundled);
        }
        if text.starts_with(['.', '/']) || Path::new(text).is_dir() {
            return Ok(Self::Directory(text.into()));
        }
        if let Some(rest) = text.strip_prefix("~/") {
            let home = directories::BaseDirs::new()
                .ok_or_else(|| Error::Input("`~` cannot be resolved: the system names no home folder".into()))?;
            return Ok(Self::Directory(home.home_dir().join(rest)));
        }
        let (repo, revision) = text.split_once('@').unwrap_or((text, "main"));
        if hub::is_repository(repo) && hub::is_revision(revision) {
            return Ok(Self::Hub { repo: repo.into(), revision: revision.into() });
        }
        Err(Error::Input(format!(
            "`{text}` is not a model: it can be `bundled`, a folder (`./model`), or a hub id (`owner/name[@revision]`)"
        )))
    }
}

impl fmt::Display for ModelSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bundled => f.write_str("bundled"),
            Self::Directory(path) => write!(f, "{}", path.display()),
            Self::Hub { repo, revision } if revision == "main" => f.write_str(repo),
            Self::Hub { repo, revision } => write!(f, "{repo}@{revision}"),
        }
    }
}

/// A model's files, opened.
pub struct ModelFiles {
    /// `bundled`, the folder, the hub id.
    pub name: String,
    /// `config.json`.
    pub config: String,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// `tokenizer_config.json`, if it is there.
    pub tokenizer_config: Option<Vec<u8>>,
    /// `generation_config.json`, if it is there.
    pub generation_config: Option<Vec<u8>>,
    /// Weights.
    pub weights: Box<dyn TensorSource>,
    /// BLAKE3 of weights, configuration and tokenizer, hexadecimal.
    pub fingerprint: String,
    /// When it was trained, where the weights' metadata says so.
    pub trained: Option<String>,
    /// What was ignored, in sentences.
    pub notes: Vec<String>,
}

/// The most bytes of a settings file, and of a tokenizer.
const SETTINGS: u64 = 64 << 20;
const LARGEST_TOKENIZER: u64 = 256 << 20;

const CONFIG: &str = include_str!("../../../assets/bundled/config.json");
const TOKENIZER: &[u8] = include_bytes!("../../../assets/bundled/tokenizer.json");
const WEIGHTS: &[u8] = include_bytes!("../../../assets/bundled/model.safetensors");

/// Opens a model's files.
///
/// # Errors
/// [`Error::Model`] naming the file that is missing or damaged; [`Error::Hub`] for a hub that
/// refuses; [`Error::Cancelled`].
pub fn open(source: &ModelSource, control: Control<'_>) -> Result<ModelFiles> {
    match source {
        ModelSource::Bundled => {
            let texts = Texts { config: CONFIG.into(), tokenizer: TOKENIZER.into(), tokenizer_config: None, generation_config: None };
            assemble("bundled".into(), texts, Checkpoint::embedded(WEIGHTS)?, control)
        }
        ModelSource::Directory(dir) => from_directory(source.to_string(), dir, control),
        ModelSource::Hub { repo, revision } => {
            let name = source.to_string();
            let dir = Hub::from_environment().fetch(repo, revision, &|dir| check_description(&name, dir), control)?;
            from_directory(name, &dir, control)
        }
    }
}

/// The files beside the weights.
struct Texts {
    config: String,
    tokenizer: Vec<u8>,
    tokenizer_config: Option<Vec<u8>>,
    generation_config: Option<Vec<u8>>,
}

fn from_directory(name: String, dir: &Path, control: Control<'_>) -> Result<ModelFiles> {
    let why = " (the original state-spaces/mamba models use the tokenizer of EleutherAI/gpt-neox-20b: put its tokenizer.json there)";
    let texts = Texts {
        config: read_config(dir)?,
        tokenizer: read(dir, "tokenizer.json", LARGEST_TOKENIZER, why)?,
        tokenizer_config: json::read(&dir.join("tokenizer_config.json"), SETTINGS)?,
        generation_config: json::read(&dir.join("generation_config.json"), SETTINGS)?,
    };
    let weights = Checkpoint::open(dir)?;
    assemble(name, texts, weights, control)
}

/// Checks a folder's small files, as far as they are there, so that weights are fetched only for a
/// model that can be run.
///
/// # Errors
/// As [`super::Model::open`] for the configuration and the tokenizer.
pub fn check_description(name: &str, dir: &Path) -> Result<()> {
    let config = read_config(dir)?;
    let tokenizer = json::read(&dir.join("tokenizer.json"), LARGEST_TOKENIZER)?;
    super::read_description(name, &config, tokenizer.as_deref()).map(drop)
}

fn read_config(dir: &Path) -> Result<String> {
    String::from_utf8(read(dir, "config.json", SETTINGS, "")?)
        .map_err(|_| Error::Model(format!("{} is not UTF-8 text", dir.join("config.json").display())))
}

/// A file of a folder, at most `most` bytes; if it is missing, `why` is added to the error.
fn read(dir: &Path, file: &str, most: u64, why: &str) -> Result<Vec<u8>> {
    let none = || Error::Model(format!("{} has no {file}{why}; it holds {}", dir.display(), listing(dir)));
    json::read(&dir.join(file), most)?.ok_or_else(none)
}

fn assemble(name: String, texts: Texts, weights: Checkpoint, control: Control<'_>) -> Result<ModelFiles> {
    let mut hasher = blake3::Hasher::new();
    weights.hash_into(&mut hasher, control)?;
    hasher.update(texts.config.as_bytes());
    hasher.update(&texts.tokenizer);
    let Texts { config, tokenizer, tokenizer_config, generation_config } = texts;
    Ok(ModelFiles {
        name,
        config,
        tokenizer,
        tokenizer_config,
        generation_config,
        trained: weights.metadata("trained"),
        notes: weights.notes().to_vec(),
        weights: Box::new(weights),
        fingerprint: hasher.finalize().to_hex().to_string(),
    })
}

/// The files of a folder, for messages.
fn listing(dir: &Path) -> String {
    let Ok(entries) = std::fs::read_dir(dir) else { return "nothing that can be read".into() };
    let mut names: Vec<String> = entries.flatten().filter_map(|e| e.file_name().into_string().ok()).collect();
    names.sort();
    names.truncate(12);
    if names.is_empty() { "no file".into() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        assert_eq!("bundled".parse::<ModelSource>().unwrap(), ModelSource::Bundled);
        assert_eq!("./m".parse::<ModelSource>().unwrap(), ModelSource::Directory("./m".into()));
        let hub = ModelSource::Hub { repo: "state-spaces/mamba-130m-hf".into(), revision: "main".into() };
        assert_eq!("state-spaces/mamba-130m-hf".parse::<ModelSource>().unwrap(), hub);
        for revised in ["a/b@v1", "a/b@refs/pr/1"] {
            assert_eq!(revised.parse::<ModelSource>().unwrap().to_string(), revised);
        }
        for wrong in ["nothing", "a/b/c", "a/../b", "a/b@", "a b/c", "a/b@../../x", "a/b@/etc", "a/b@x y"] {
            assert!(wrong.parse::<ModelSource>().unwrap_err().to_string().contains("is not a model"), "{wrong}");
        }
    }
}
