//! The model.
//!
//! - `mamba`: what callers see, on every device; `plan`: prompts cut into chunks; `cpu`, `cuda`: the two places where it computes.
//! - `pages`: memory in large pages. `config`, `source`, `tensors`, `tokenizer`: a model's files.

mod config;
mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod mamba;
mod pages;
pub(crate) mod plan;
mod source;
mod tensors;
mod tokenizer;

pub use config::MambaConfig;
pub use cpu::model::CHUNK;
pub use cpu::stored::{Stored, dot_rows, widen_into};
pub use mamba::{Decoder, LoadOptions, Mamba, Prefilled, Prompt, Want, WeightType};
pub use source::{
    Checkpoint, Hub, ModelFiles, ModelSource, Patience, Proxies, RandomWeights, TensorSource, Token, check_description, open,
};
pub use tokenizer::Tokenizer;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::state::StateShape;
use serde::{Deserialize, Serialize};

/// What makes states comparable: the same weights, configuration and tokenizer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// Name, for messages only.
    pub name: String,
    /// BLAKE3 of weights, configuration and tokenizer, hexadecimal.
    pub fingerprint: String,
    /// BLAKE3 of the tokenizer, hexadecimal.
    pub tokenizer_hash: String,
    /// Sizes of its states.
    pub shape: StateShape,
}

/// A model with its tokenizer and its identity.
pub struct Model {
    /// `bundled`, a folder's name, a hub id.
    pub name: String,
    /// BLAKE3 of weights, configuration and tokenizer, hexadecimal.
    pub fingerprint: String,
    /// Text to tokens.
    pub tokenizer: Tokenizer,
    /// The weights.
    pub mamba: Mamba,
    /// When it was trained, where its files say so.
    pub trained: Option<String>,
}

impl Model {
    /// Opens a model.
    ///
    /// # Errors
    /// [`Error::Model`] and [`Error::Hub`] as [`open`] and [`Mamba::load`]; [`Error::Cancelled`].
    pub fn open(source: &ModelSource, options: &LoadOptions, control: Control<'_>) -> Result<Self> {
        let files = open(source, control)?;
        let (config, tokenizer) = read_description(&files.name, &files.config, Some(&files.tokenizer))?;
        let tokenizer = tokenizer.ok_or_else(|| Error::Model(format!("{} has no tokenizer", files.name)))?;
        let mamba = Mamba::load(config, &*files.weights, options, control)?;
        Ok(Self { name: files.name, fingerprint: files.fingerprint, tokenizer, mamba, trained: files.trained })
    }

    /// The configuration.
    pub fn config(&self) -> &MambaConfig {
        self.mamba.config()
    }

    /// What its states are marked with.
    pub fn identity(&self) -> ModelIdentity {
        ModelIdentity {
            name: self.name.clone(),
            fingerprint: self.fingerprint.clone(),
            tokenizer_hash: self.tokenizer.hash().into(),
            shape: self.mamba.shape(),
        }
    }
}

/// A model's configuration, and its tokenizer where that is at hand; and whether the two belong together.
///
/// # Errors
/// [`Error::Model`] naming the file and what is wrong with it.
fn read_description(name: &str, config: &str, tokenizer: Option<&[u8]>) -> Result<(MambaConfig, Option<Tokenizer>)> {
    let config = MambaConfig::from_json(config, &format!("config.json of {name}"))?;
    let Some(tokenizer) = tokenizer else { return Ok((config, None)) };
    let tokenizer = Tokenizer::from_bytes(tokenizer, config.bos_token_id)?;
    if tokenizer.vocab_size() > config.vocab_size {
        return Err(Error::Model(format!(
            "the tokenizer of {name} knows {} tokens, the model only {}: they do not belong together",
            tokenizer.vocab_size(),
            config.vocab_size
        )));
    }
    Ok((config, Some(tokenizer)))
}
