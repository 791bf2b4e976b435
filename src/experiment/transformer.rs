//! A Transformer with random weights and about the same number of parameters as a Mamba:
//! candle-transformers' Llama with its key-value cache.

use crate::control::Control;
use crate::error::Result;
use crate::model::MambaConfig;
use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_transformers::models::llama::{Cache, Config, Llama};

/// Width of a head.
const HEAD: usize = 32;
/// Positions in the rotary table.
const LONGEST: usize = 1 << 14;

/// A Transformer on the CPU, in f32.
pub struct Transformer {
    model: Llama,
    config: Config,
    parameters: usize,
}

/// The configuration with the same vocabulary and width, half as many layers (a Mamba layer is
/// about half of an attention and a feed-forward layer), and a feed-forward width that makes the
/// number of parameters about the same.
fn config(network: &MambaConfig) -> Config {
    let d = network.d_model;
    let layers = network.n_layer.div_ceil(2);
    let head = if d.is_multiple_of(HEAD) { HEAD } else { d };
    let embeddings = (network.vocab_size * d) as u64;
    let each = network.parameters().saturating_sub(embeddings) / layers as u64;
    let feed_forward = (each as usize).saturating_sub(4 * d * d + 2 * d) / (3 * d);
    Config {
        hidden_size: d,
        intermediate_size: feed_forward.max(d),
        vocab_size: network.vocab_size,
        num_hidden_layers: layers,
        num_attention_heads: d / head,
        num_key_value_heads: d / head,
        use_flash_attn: false,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: None,
        max_position_embeddings: LONGEST,
        tie_word_embeddings: true,
    }
}

impl Transformer {
    /// Makes a Transformer of the same size as a Mamba.
    ///
    /// # Errors
    /// Candle's.
    pub fn like(network: &MambaConfig) -> Result<Self> {
        let config = config(network);
        let weights = VarMap::new();
        let model = Llama::load(VarBuilder::from_varmap(&weights, DType::F32, &Device::Cpu), &config)?;
        let parameters = weights.all_vars().iter().map(|v| v.elem_count()).sum();
        Ok(Self { model, config, parameters })
    }

    /// Its actual number of parameters.
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// Bytes of keys and values in the cache per token: 2 · layers · heads · width of a head · 4.
    pub fn bytes_per_token(&self) -> usize {
        let c = &self.config;
        2 * c.num_hidden_layers * c.num_key_value_heads * (c.hidden_size / c.num_attention_heads) * 4
    }

    /// A description of its sizes.
    pub fn describe(&self) -> String {
        let c = &self.config;
        format!(
            "a Llama with random weights: {} layers, width {}, {} heads, feed-forward {}",
            c.num_hidden_layers, c.hidden_size, c.num_attention_heads, c.intermediate_size
        )
    }

    /// Reads tokens in pieces of `piece` tokens; returns the logits after the last token,
    /// `[vocab]`.
    ///
    /// # Errors
    /// Candle's; [`crate::error::Error::Cancelled`].
    pub fn read(&self, tokens: &[u32], piece: usize, control: Control<'_>) -> Result<Vec<f32>> {
        let mut cache = Cache::new(true, DType::F32, &self.config, &Device::Cpu)?;
        let mut logits = Vec::new();
        for (i, part) in tokens.chunks(piece).enumerate() {
            control.check()?;
            let input = Tensor::new(part, &Device::Cpu)?.unsqueeze(0)?;
            logits = self.model.forward(&input, i * piece, &mut cache)?.flatten_all()?.to_vec1()?;
        }
        Ok(logits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::quiet;

    fn small() -> MambaConfig {
        let text = r#"{"model_type": "mamba", "vocab_size": 96, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 4,
            "state_size": 16, "conv_kernel": 4, "time_step_rank": 4, "layer_norm_epsilon": 1e-5, "use_bias": false, "use_conv_bias": true}"#;
        MambaConfig::from_json(text, "a test").unwrap()
    }

    #[test]
    fn it_is_as_large_as_the_mamba_and_counts_its_cache() {
        let network = small();
        let transformer = Transformer::like(&network).unwrap();
        let ratio = transformer.parameters() as f64 / network.parameters() as f64;
        assert!((0.9..1.1).contains(&ratio), "{} against {}", transformer.parameters(), network.parameters());
        assert_eq!(transformer.bytes_per_token(), 2 * 2 * 64 * 4);
    }

    #[test]
    fn pieces_are_read_as_one() {
        let transformer = Transformer::like(&small()).unwrap();
        let tokens: Vec<u32> = (0..40).map(|i| i * 7 % 96).collect();
        let read = |piece| quiet(|control| transformer.read(&tokens, piece, control)).unwrap();
        let (whole, pieces) = (read(40), read(16));
        assert_eq!(whole.len(), 96);
        assert!(whole.iter().zip(&pieces).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}
