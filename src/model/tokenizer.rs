//! Text to token ids and back.

use super::json;
use crate::error::{Error, Result};
use crate::log::contained;
use serde_json::Value;
use std::borrow::Cow;
use tokenizers::{PostProcessor, Token};

/// The factor by which a file's rules may lengthen a text; with more, a short text could fill the
/// memory.
const GROWTH: f64 = 256.0;
/// A text of this program's kind, tried when a tokenizer is opened.
const PROBE: &str = "hot -> cold\nÉ 1 2\u{3000}";

/// A tokenizer read from a `tokenizer.json`. Truncation and padding that the file asks for are
/// dropped: texts are read whole, and nothing is added to them.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The file, for messages.
    origin: String,
    bos: Vec<u32>,
    /// How many tokens the model has; the tokenizer may know more.
    rows: usize,
    hash: String,
}

impl Tokenizer {
    /// A tokenizer from the bytes of `tokenizer.json`; `origin` names the file in messages.
    ///
    /// # Errors
    /// [`Error::Model`] if the file is not a tokenizer, or one that makes the library panic.
    pub fn from_bytes(bytes: &[u8], origin: &str) -> Result<Self> {
        let wrong = |why: String| Error::Model(format!("{origin} cannot be read: {why}"));
        let mut value = json::parse(bytes, origin)?;
        check_growth(&value).map_err(wrong)?;
        check_charsmaps(&value).map_err(wrong)?;
        // Some settings of these two make the library fail, or allocate as much as they say.
        let mut cleared = false;
        for key in ["truncation", "padding"] {
            if let Some(setting) = value.get_mut(key).filter(|v| !v.is_null()) {
                *setting = Value::Null;
                cleared = true;
            }
        }
        // The same text must have the same tokens each time: dropout is for training.
        if let Some(dropout) = value.pointer_mut("/model/dropout").filter(|v| !v.is_null()) {
            *dropout = Value::Null;
            cleared = true;
        }
        let text = if cleared { Cow::Owned(value.to_string().into_bytes()) } else { Cow::Borrowed(bytes) };
        drop(value);
        let read = contained(|| {
            let mut inner = tokenizers::Tokenizer::from_bytes(&text)?;
            inner.with_padding(None).with_truncation(None)?;
            // Some rules fail only on their first text. A text without tokens is no failure.
            if let Ok(encoding) = inner.encode(PROBE, true) {
                let _ = inner.decode(encoding.get_ids(), false);
            }
            Ok::<_, tokenizers::Error>(inner)
        });
        let inner =
            read.map_err(|panic| wrong(format!("the tokenizers library broke down on it: {panic}")))?.map_err(|e| wrong(e.to_string()))?;
        let hash = blake3::hash(bytes).to_hex().to_string();
        Ok(Self { inner, origin: origin.into(), bos: Vec::new(), rows: usize::MAX, hash })
    }

    /// Sets the tokens that texts begin with, and how many tokens the model has (`rows`). By then
    /// the file's own rule for what surrounds a text has been read ([`Self::added`]); it is
    /// dropped, because it would shift the offsets of tokens.
    pub fn set(&mut self, bos: Vec<u32>, rows: usize) {
        (self.bos, self.rows) = (bos, rows);
        self.inner.with_post_processor(None::<tokenizers::PostProcessorWrapper>);
    }

    /// What the file's own rule puts before and after a text: `(before, after)`.
    ///
    /// # Errors
    /// [`Error::Model`] if the rule fails.
    pub fn added(&self) -> Result<(Vec<u32>, Vec<u32>)> {
        let Some(rule) = self.inner.get_post_processor() else { return Ok((Vec::new(), Vec::new())) };
        // A token that no file can name takes the text's place.
        let text = tokenizers::Encoding::from_tokens(vec![Token::new(u32::MAX, "a".into(), (0, 1))], 0);
        let encoding = self.whole(|| rule.process(text, None, true))?;
        let ids = encoding.get_ids();
        let at = ids.iter().position(|&id| id == u32::MAX).unwrap_or(ids.len());
        Ok((ids[..at].to_vec(), ids.get(at + 1..).unwrap_or_default().to_vec()))
    }

    /// The tokens of a text; nothing is added.
    ///
    /// # Errors
    /// [`Error::Model`] if the tokenizer fails; [`Error::Input`] for a token that the model lacks.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.whole(|| self.inner.encode_fast(text, false))?;
        self.known(encoding.get_ids())
    }

    /// The tokens of a text given in pieces, by piece. The whole text is tokenised at once, so the
    /// pieces' tokens in order are those of the whole text, and a piece's tokens may depend on its
    /// neighbours. A token that crosses a border belongs to the piece it ends in.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_pieces(&self, pieces: &[&str]) -> Result<Vec<Vec<u32>>> {
        let (tokens, ends) = self.encode_with(&pieces.concat(), |(_, to)| to)?;
        let mut parts = Vec::with_capacity(pieces.len());
        let (mut border, mut from) = (0, 0);
        for (i, piece) in pieces.iter().enumerate() {
            border += piece.len();
            // The last piece gets what is left, whatever offsets the tokenizer gives.
            let last = i + 1 == pieces.len();
            let to = if last { tokens.len() } else { from + ends[from..].iter().take_while(|end| **end <= border).count() };
            parts.push(tokens[from..to].to_vec());
            from = to;
        }
        Ok(parts)
    }

    /// The tokens of a text, and the byte each begins at.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_with_starts(&self, text: &str) -> Result<(Vec<u32>, Vec<usize>)> {
        self.encode_with(text, |(from, _)| from)
    }

    /// The tokens of a text, and what `of` makes of each one's byte range.
    fn encode_with(&self, text: &str, of: impl Fn((usize, usize)) -> usize) -> Result<(Vec<u32>, Vec<usize>)> {
        let encoding = self.whole(|| self.inner.encode(text, false))?;
        Ok((self.known(encoding.get_ids())?, encoding.get_offsets().iter().map(|place| of(*place)).collect()))
    }

    /// The result of a call of the library; a panic becomes an error.
    fn whole<T>(&self, call: impl FnOnce() -> tokenizers::Result<T>) -> Result<T> {
        match contained(call) {
            Ok(done) => done.map_err(|e| Error::Model(format!("the text cannot be tokenised: {e}"))),
            Err(panic) => Err(Error::Model(format!("the tokenizers library broke down with {}: {panic}", self.origin))),
        }
    }

    fn known(&self, ids: &[u32]) -> Result<Vec<u32>> {
        match ids.iter().find(|&&id| id as usize >= self.rows) {
            None => Ok(ids.to_vec()),
            Some(id) => Err(Error::Input(format!(
                "the text makes the token {id} (`{}`), which is in {} but not in the model, which has {} tokens",
                self.inner.id_to_token(*id).unwrap_or_default(),
                self.origin,
                self.rows
            ))),
        }
    }

    /// The text of tokens, special tokens left out.
    pub fn decode(&self, tokens: &[u32]) -> String {
        self.whole(|| self.inner.decode(tokens, true)).unwrap_or_default()
    }

    /// One token as readable text; a token that is part of a character shows as `<0xE2>`-like bytes
    /// of its raw form.
    pub fn token_text(&self, token: u32) -> String {
        match self.whole(|| self.inner.decode(&[token], false)) {
            Ok(text) if !text.is_empty() && !text.contains('\u{fffd}') => text,
            _ => self.inner.id_to_token(token).unwrap_or_else(|| format!("<{token}>")),
        }
    }

    /// The tokens that begin every prompt; often one, or none.
    pub fn bos(&self) -> &[u32] {
        &self.bos
    }

    /// A token by its name in the file.
    pub fn token(&self, name: &str) -> Option<u32> {
        self.inner.token_to_id(name)
    }

    /// Tokens known, added ones included.
    pub fn vocab_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    /// BLAKE3 of the file, hexadecimal.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}

/// Refuses rules that may make a text more than [`GROWTH`] times as long: a replacement by more
/// than it replaces, many times over.
fn check_growth(json: &Value) -> std::result::Result<(), String> {
    for place in ["normalizer", "decoder"] {
        let mut factor = 1.0;
        each_rule(&json[place], &mut |rule| {
            let content = rule["content"].as_str().unwrap_or_default().len() as f64;
            match (rule["type"].as_str(), &rule["pattern"]) {
                (Some("Replace"), pattern) => {
                    // A pattern may match a single byte.
                    let least = pattern["String"].as_str().map_or(1.0, |s| s.len().max(1) as f64);
                    factor *= (content / least).max(1.0);
                }
                (Some("Prepend"), _) => factor *= 1.0 + rule["prepend"].as_str().unwrap_or_default().len() as f64,
                _ => {}
            }
        });
        if factor > GROWTH {
            return Err(format!("its {place} may make a text {factor:.0} times as long"));
        }
    }
    Ok(())
}

/// Calls `see` with a rule and every rule inside it.
fn each_rule(rule: &Value, see: &mut dyn FnMut(&Value)) {
    match rule {
        Value::Object(entries) => {
            see(rule);
            entries.values().for_each(|inner| each_rule(inner, see));
        }
        Value::Array(items) => items.iter().for_each(|inner| each_rule(inner, see)),
        _ => {}
    }
}

/// Refuses a map of characters that announces more than it holds: the library would allocate that
/// first.
fn check_charsmaps(json: &Value) -> std::result::Result<(), String> {
    let mut wrong = None;
    for place in ["normalizer", "pre_tokenizer", "decoder"] {
        each_rule(&json[place], &mut |rule| {
            let Some(map) = rule.get("precompiled_charsmap") else { return };
            // The length is the first four bytes, little-endian: six digits of base64.
            let digits: Vec<u64> = map.as_str().unwrap_or_default().bytes().take(6).filter_map(base64_digit).collect();
            let bits = digits.iter().fold(0u64, |sum, d| sum << 6 | d) >> 4;
            let announced = (bits as u32).swap_bytes() as usize;
            let there = map.as_str().unwrap_or_default().len() / 4 * 3;
            if digits.len() < 6 || announced > there {
                wrong = Some(format!("its map of characters announces {announced} bytes and has at most {there}"));
            }
        });
    }
    wrong.map_or(Ok(()), Err)
}

fn base64_digit(byte: u8) -> Option<u64> {
    let digit = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    };
    Some(u64::from(digit))
}
