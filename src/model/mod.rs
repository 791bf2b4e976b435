//! The model.
//!
//! - `network`: what callers see, on every device; `plan`: prompts cut into chunks; `cpu`, `cuda`:
//!   the computation on each device.
//! - `config`, `source`, `tensors`, `tokenizer`, `special` (what texts begin and end with), `json`:
//!   a model's files.

mod config;
mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod json;
mod network;
pub(crate) mod plan;
mod source;
mod special;
mod tensors;
mod tokenizer;

pub use config::MambaConfig;
pub use cpu::model::CHUNK;
pub use network::{Decoder, LoadOptions, Network, Prefilled, Prompt, Want, WeightType};
pub use source::{
    Checkpoint, Hub, ModelFiles, ModelSource, Patience, Proxies, RandomWeights, Roots, TensorSource, Token, check_description, open,
};
pub use special::{Bos, Special};
pub use tokenizer::Tokenizer;

use crate::control::Control;
use crate::error::{Error, Result};
use crate::state::ModelIdentity;

/// A model with its tokenizer and its identity.
///
/// ```
/// use state_soup::control::quiet;
/// use state_soup::model::{LoadOptions, Model, ModelSource, Prompt, Want, WeightType};
/// # fn main() -> state_soup::error::Result<()> {
/// let options = LoadOptions { device: candle_core::Device::Cpu, weights: WeightType::AsStored };
/// let model = quiet(|control| Model::open(&ModelSource::Bundled, &options, control))?;
///
/// let tokens = model.tokenizer.encode("hot -> cold\n")?;
/// let prompt = Prompt { tokens: &tokens, initial: None, snapshots: &[], want: Want::State };
/// let read = quiet(|control| model.network.prefill(&[prompt], control))?;
/// assert_eq!(read[0].state.tokens(), tokens.len() as u64);
/// # Ok(())
/// # }
/// ```
pub struct Model {
    /// `bundled`, a folder's name, a hub id.
    pub name: String,
    /// BLAKE3 of weights, configuration and tokenizer, hexadecimal.
    pub fingerprint: String,
    /// Text to tokens.
    pub tokenizer: Tokenizer,
    /// The weights.
    pub network: Network,
    /// When it was trained, if its files say so.
    pub trained: Option<String>,
    /// What texts begin and answers end with.
    pub special: Special,
    /// What was ignored or decided while opening it, in sentences.
    pub notes: Vec<String>,
}

impl Model {
    /// Opens a model; texts begin as `AutoTokenizer` begins them.
    ///
    /// # Errors
    /// [`Error::Model`] and [`Error::Hub`] as [`open`] and [`Network::load`]; [`Error::Cancelled`].
    pub fn open(source: &ModelSource, options: &LoadOptions, control: Control<'_>) -> Result<Self> {
        Self::open_with(source, options, Bos::Auto, control)
    }

    /// Opens a model; texts begin as the user says.
    ///
    /// # Errors
    /// As [`Self::open`]; [`Error::Input`] for a token that the model lacks.
    pub fn open_with(source: &ModelSource, options: &LoadOptions, bos: Bos, control: Control<'_>) -> Result<Self> {
        let files = open(source, control)?;
        let (config, tokenizer) = read_description(&files.name, &files.config, Some(&files.tokenizer))?;
        let mut tokenizer = tokenizer.ok_or_else(|| Error::Model(format!("{} has no tokenizer", files.name)))?;
        let special = Special::of(&files, &config, &tokenizer, bos, *source == ModelSource::Bundled)?;
        tokenizer.set(special.bos.clone(), config.vocab_size);
        let mut notes = [&files.notes[..], &special.notes].concat();
        if tokenizer.vocab_size() > config.vocab_size {
            notes.push(format!(
                "the tokenizer of {} knows {} tokens, the model only {}; a text that makes one of the others is refused",
                files.name,
                tokenizer.vocab_size(),
                config.vocab_size
            ));
        }
        let network = Network::load(config, &*files.weights, options, control)?;
        notes.extend_from_slice(network.notes());
        Ok(Self { name: files.name, fingerprint: files.fingerprint, tokenizer, network, trained: files.trained, special, notes })
    }

    /// Makes texts begin as those of a library's states did; `by` says what decided it.
    pub fn begin_as(&mut self, bos: Vec<u32>, by: String) {
        self.tokenizer.set(bos.clone(), self.config().vocab_size);
        (self.special.bos, self.special.bos_by) = (bos, by);
    }

    /// The configuration.
    pub fn config(&self) -> &MambaConfig {
        self.network.config()
    }

    /// The identity that its states carry.
    pub fn identity(&self) -> ModelIdentity {
        ModelIdentity {
            name: self.name.clone(),
            fingerprint: self.fingerprint.clone(),
            tokenizer_hash: self.tokenizer.hash().into(),
            bos: Some(self.tokenizer.bos().to_vec()),
            weights: Some(self.network.precision().to_owned()),
            layout: self.network.shape(),
        }
    }
}

/// A model's configuration, and its tokenizer if its bytes are given.
///
/// # Errors
/// [`Error::Model`] naming the file and what is wrong with it.
fn read_description(name: &str, config: &str, tokenizer: Option<&[u8]>) -> Result<(MambaConfig, Option<Tokenizer>)> {
    let config = MambaConfig::from_json(config, &format!("config.json of {name}"))?;
    let Some(tokenizer) = tokenizer else { return Ok((config, None)) };
    let tokenizer = Tokenizer::from_bytes(tokenizer, &format!("tokenizer.json of {name}"))?;
    Ok((config, Some(tokenizer)))
}
