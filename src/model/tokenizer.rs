//! Text to token ids and back.

use crate::error::{Error, Result};

/// A tokenizer read from a `tokenizer.json`.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    bos: Option<u32>,
    hash: String,
}

impl Tokenizer {
    /// A tokenizer from the bytes of `tokenizer.json`; `bos` as the model's configuration gives it (else `<|endoftext|>`, if there is one).
    ///
    /// # Errors
    /// [`Error::Model`] if the file is not a tokenizer.
    pub fn from_bytes(json: &[u8], bos: Option<u32>) -> Result<Self> {
        let inner = tokenizers::Tokenizer::from_bytes(json).map_err(|e| Error::Model(format!("tokenizer.json cannot be read: {e}")))?;
        let bos = bos.or_else(|| inner.token_to_id("<|endoftext|>"));
        Ok(Self { inner, bos, hash: blake3::hash(json).to_hex().to_string() })
    }

    /// The tokens of a text; nothing is added.
    ///
    /// # Errors
    /// [`Error::Model`] if the tokenizer fails.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self.inner.encode_fast(text, false).map_err(|e| Error::Model(format!("the text cannot be tokenised: {e}")))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The tokens of a text given in pieces, as the tokenizer makes them of the whole text, by piece: a token
    /// that reaches over a border belongs to the piece it ends in. All of them in turn are the tokens of
    /// the whole text; what a piece's tokens are may depend on the pieces beside it.
    ///
    /// # Errors
    /// As [`Tokenizer::encode`].
    pub fn encode_pieces(&self, pieces: &[&str]) -> Result<Vec<Vec<u32>>> {
        let (tokens, ends) = self.encode_with(&pieces.concat(), |(_, to)| to)?;
        let mut parts = Vec::with_capacity(pieces.len());
        let (mut border, mut from) = (0, 0);
        for (i, piece) in pieces.iter().enumerate() {
            border += piece.len();
            // The last piece has what is left, whatever the tokenizer says of places.
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

    /// The tokens of a text, and of each what `of` makes of its place, in bytes.
    fn encode_with(&self, text: &str, of: impl Fn((usize, usize)) -> usize) -> Result<(Vec<u32>, Vec<usize>)> {
        let encoding = self.inner.encode(text, false).map_err(|e| Error::Model(format!("the text cannot be tokenised: {e}")))?;
        Ok((encoding.get_ids().to_vec(), encoding.get_offsets().iter().map(|place| of(*place)).collect()))
    }

    /// The text of tokens, special tokens left out.
    pub fn decode(&self, tokens: &[u32]) -> String {
        self.inner.decode(tokens, true).unwrap_or_default()
    }

    /// One token as readable text; a token that is part of a character shows as `<0xE2>`-like bytes of its raw form.
    pub fn token_text(&self, token: u32) -> String {
        match self.inner.decode(&[token], false) {
            Ok(text) if !text.is_empty() && !text.contains('\u{fffd}') => text,
            _ => self.inner.id_to_token(token).unwrap_or_else(|| format!("<{token}>")),
        }
    }

    /// The token that begins every prompt.
    pub fn bos(&self) -> Option<u32> {
        self.bos
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
