//! Where a model's files come from.

use crate::control::Control;
use crate::error::{Error, Result};
use candle_core::{Device, Tensor};
use std::path::PathBuf;

/// Tensors by name, on the CPU, in the precision they are stored in.
pub trait TensorSource: Send + Sync {
    /// A tensor, or `None` if there is none of that name.
    ///
    /// # Errors
    /// [`Error::Model`] if it cannot be read.
    fn get(&self, name: &str) -> Result<Option<Tensor>>;
    /// All names.
    fn names(&self) -> Vec<String>;
}

/// Which model.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelSource {
    /// The one inside the program.
    Bundled,
    /// A folder.
    Directory(PathBuf),
}

impl std::str::FromStr for ModelSource {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        Ok(if text == "bundled" { Self::Bundled } else { Self::Directory(text.into()) })
    }
}

/// A model's files, opened.
pub struct ModelFiles {
    /// Name.
    pub name: String,
    /// `config.json`.
    pub config: String,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// Weights.
    pub weights: Box<dyn TensorSource>,
    /// BLAKE3 of all of them.
    pub fingerprint: String,
    /// Training date.
    pub trained: Option<String>,
}

struct Safe(candle_core::safetensors::SliceSafetensors<'static>);
impl TensorSource for Safe {
    fn get(&self, name: &str) -> Result<Option<Tensor>> {
        Ok(self.0.load(name, &Device::Cpu).ok())
    }
    fn names(&self) -> Vec<String> {
        self.0.tensors().into_iter().map(|(n, _)| n).collect()
    }
}

const CONFIG: &str = include_str!("../../assets/bundled/config.json");
const TOKENIZER: &[u8] = include_bytes!("../../assets/bundled/tokenizer.json");
const WEIGHTS: &[u8] = include_bytes!("../../assets/bundled/model.safetensors");

/// Opens a model's files.
///
/// # Errors
/// [`Error::Model`].
pub fn open(_source: &ModelSource, _control: Control<'_>) -> Result<ModelFiles> {
    let mut hash = blake3::Hasher::new();
    hash.update(WEIGHTS);
    hash.update(CONFIG.as_bytes());
    hash.update(TOKENIZER);
    Ok(ModelFiles {
        name: "bundled".into(),
        config: CONFIG.into(),
        tokenizer: TOKENIZER.to_vec(),
        weights: Box::new(Safe(candle_core::safetensors::SliceSafetensors::new(WEIGHTS)?)),
        fingerprint: hash.finalize().to_hex().to_string(),
        trained: None,
    })
}
