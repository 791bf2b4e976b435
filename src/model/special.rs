//! Which tokens a text begins with, and which end an answer, as `transformers` finds them for a
//! folder.
//!
//! `AutoTokenizer` (5.24) puts before a text what the post-processor of tokenizer.json puts there.
//! It reads `add_bos_token` of tokenizer_config.json only where there is no tokenizer.json. Two
//! classes replace the file's rule by their own: `GPTNeoXTokenizer`, which is also what `mamba`
//! and `falcon_mamba` have where no class is named, adds nothing; `CodeLlamaTokenizer` adds its
//! `bos_token`. `generate` ends at the `eos_token_id` of generation_config.json if that file is
//! there, else at that of config.json. The tests' references are made by
//! tests/golden/checkpoints.py.

use super::{MambaConfig, ModelFiles, Tokenizer, config::token_list, json};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fmt;
use std::str::FromStr;

/// What the user wants texts to begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Bos {
    /// What `AutoTokenizer` adds.
    #[default]
    Auto,
    /// Nothing.
    None,
    /// This token.
    Token(u32),
}

impl FromStr for Bos {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            _ => text
                .parse()
                .map(Self::Token)
                .map_err(|_| Error::Input(format!("--bos is `{text}`; it can be `auto`, `none` or a token's number"))),
        }
    }
}

impl TryFrom<String> for Bos {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Bos> for String {
    fn from(bos: Bos) -> Self {
        bos.to_string()
    }
}

impl fmt::Display for Bos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::None => f.write_str("none"),
            Self::Token(id) => write!(f, "{id}"),
        }
    }
}

/// The tokens that begin texts and end answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Special {
    /// What a text begins with.
    pub bos: Vec<u32>,
    /// What decided it, for messages.
    pub bos_by: String,
    /// What it would begin with if the user said nothing.
    pub auto_bos: Vec<u32>,
    /// What it began with in libraries that do not say so: the token that config.json names, else
    /// `<|endoftext|>`.
    pub old_bos: Vec<u32>,
    /// What ends an answer.
    pub eos: Vec<u32>,
    /// What the user should know of it, in sentences.
    pub notes: Vec<String>,
}

impl Special {
    /// The tokens for a model's files; `bundled`: of the model inside the program, which reads
    /// every text after the token that its config.json names.
    ///
    /// # Errors
    /// [`Error::Model`] naming the file that is wrong; [`Error::Input`] for a `--bos` that the
    /// model lacks.
    pub fn of(files: &ModelFiles, config: &MambaConfig, tokenizer: &Tokenizer, bos: Bos, bundled: bool) -> Result<Self> {
        let file = |name: &str| format!("{name} of {}", files.name);
        let settings = settings(files.tokenizer_config.as_deref(), &file("tokenizer_config.json"))?;
        let end_of_text = tokenizer.token("<|endoftext|>");
        let old_bos: Vec<u32> = config.bos_token_id.or(end_of_text).into_iter().collect();
        let mut notes = Vec::new();
        let (auto_bos, auto_by) = if bundled {
            (old_bos.clone(), "the bundled model's training".to_owned())
        } else {
            auto(files, &settings, tokenizer, &mut notes)?
        };
        let (bos, bos_by) = match bos {
            Bos::Auto => (auto_bos.clone(), auto_by),
            Bos::None => (Vec::new(), "--bos".into()),
            Bos::Token(id) => (vec![id], "--bos".into()),
        };
        if let Some(id) = bos.iter().find(|&&id| id as usize >= config.vocab_size) {
            let why = format!("token {id} cannot begin a text (by {bos_by}): the model has {} tokens", config.vocab_size);
            return Err(if bos_by == "--bos" { Error::Input(why) } else { Error::Model(why) });
        }
        Ok(Self { bos, bos_by, auto_bos, old_bos, eos: eos(files, config, end_of_text, &file("generation_config.json"))?, notes })
    }
}

/// An optional settings file; null if it is not there.
fn settings(text: Option<&[u8]>, origin: &str) -> Result<Value> {
    let Some(text) = text else { return Ok(Value::Null) };
    let value = json::parse(text, origin)?;
    if value.is_object() { Ok(value) } else { Err(Error::Model(format!("{origin} must be a JSON object"))) }
}

/// What `AutoTokenizer` puts before a text, and by which file.
fn auto(files: &ModelFiles, settings: &Value, tokenizer: &Tokenizer, notes: &mut Vec<String>) -> Result<(Vec<u32>, String)> {
    let config = json::parse(files.config.as_bytes(), &format!("config.json of {}", files.name))?;
    let named = settings["tokenizer_class"].as_str().or_else(|| config["tokenizer_class"].as_str());
    let by_type = matches!(config["model_type"].as_str(), Some("mamba" | "falcon_mamba")).then_some("GPTNeoXTokenizer");
    let class = named.or(by_type).map(|class| class.strip_suffix("Fast").unwrap_or(class));
    let (before, behind) = tokenizer.added()?;
    let add = &settings["add_bos_token"];
    if !matches!(add, Value::Null | Value::Bool(_)) {
        return Err(Error::Model(format!("tokenizer_config.json of {}: `add_bos_token` is {add}; it must be true or false", files.name)));
    }
    let (bos, by) = match class {
        Some("GPTNeoXTokenizer") => (Vec::new(), "the tokenizer's class (GPTNeoXTokenizer)".to_owned()),
        Some("CodeLlamaTokenizer") => {
            let name = token_name(&settings["bos_token"]).unwrap_or("<s>");
            (tokenizer.token(name).into_iter().collect(), "the tokenizer's class (CodeLlamaTokenizer)".to_owned())
        }
        _ => {
            if !behind.is_empty() {
                notes.push(format!("tokenizer.json of {} puts {behind:?} after a text; nothing is put there here", files.name));
            }
            (before, "tokenizer.json's post-processor".to_owned())
        }
    };
    if *add == Value::Bool(bos.is_empty()) {
        let says = if bos.is_empty() { "no token is put before a text" } else { "a token is put before a text nevertheless" };
        let token = token_name(&settings["bos_token"]).and_then(|name| tokenizer.token(name));
        let other = if bos.is_empty() { token.map_or_else(|| "ID".into(), |id| id.to_string()) } else { "none".into() };
        notes.push(format!(
            "tokenizer_config.json of {} says `add_bos_token: {add}`, which AutoTokenizer ignores if there is a tokenizer.json: {says}; \
             --bos {other} changes that",
            files.name
        ));
    }
    Ok((bos, by))
}

/// A token as tokenizer_config.json writes it: a text, or an object that holds one.
fn token_name(value: &Value) -> Option<&str> {
    value.as_str().or_else(|| value["content"].as_str())
}

/// What ends an answer. The original layout has no place for it: there it is `<|endoftext|>`,
/// unless a file says otherwise.
fn eos(files: &ModelFiles, config: &MambaConfig, end_of_text: Option<u32>, origin: &str) -> Result<Vec<u32>> {
    if files.generation_config.is_some() {
        let settings = settings(files.generation_config.as_deref(), origin)?;
        return match &settings["eos_token_id"] {
            Value::Null => Ok(Vec::new()),
            ids => token_list(ids)
                .ok_or_else(|| Error::Model(format!("{origin}: `eos_token_id` is {ids}; it must be a token's number, or a list of them"))),
        };
    }
    let by_layout = if config.original { end_of_text } else { None };
    Ok(if config.eos_token_ids.is_empty() { by_layout.into_iter().collect() } else { config.eos_token_ids.clone() })
}
