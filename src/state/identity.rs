//! What makes states comparable.

use super::Layout;
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
    /// Tokens that texts begin with; `None` where nothing is said: libraries from before it was
    /// written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos: Option<Vec<u32>>,
    /// Precision of the weights that made its states (`f32`, `bf16`); `None` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The arrays of its states.
    #[serde(alias = "shape")]
    pub layout: Layout,
}

impl ModelIdentity {
    /// What states of random weights are marked with: benchmarks and checks have no model's files.
    pub fn random(layout: Layout) -> Self {
        Self { name: "random".into(), fingerprint: "random".into(), tokenizer_hash: "none".into(), bos: None, weights: None, layout }
    }
}
