//! The identity of the model that made a state.

use super::Layout;
use serde::{Deserialize, Serialize};

/// The identity of a model. States are comparable if they come from the same weights, configuration
/// and tokenizer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelIdentity {
    /// Name, for messages only.
    pub name: String,
    /// BLAKE3 of weights, configuration and tokenizer, hexadecimal.
    pub fingerprint: String,
    /// BLAKE3 of the tokenizer, hexadecimal.
    pub tokenizer_hash: String,
    /// Tokens that texts begin with; `None` if unknown, as in libraries older than this field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos: Option<Vec<u32>>,
    /// Precision of the weights that made its states (`f32`, `bf16`); `None` if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The layout of its states.
    #[serde(alias = "shape")]
    pub layout: Layout,
}

impl ModelIdentity {
    /// The identity of random weights, for benchmarks and checks without a model's files.
    pub fn random(layout: Layout) -> Self {
        Self { name: "random".into(), fingerprint: "random".into(), tokenizer_hash: "none".into(), bos: None, weights: None, layout }
    }
}
