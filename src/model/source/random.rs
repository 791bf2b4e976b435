//! Random weights of any sizes, for benchmarks and for checking one device against another: they
//! compute like trained ones, and know nothing.

use super::TensorSource;
use crate::error::{Error, Result};
use crate::model::MambaConfig;
use crate::model::tensors::names_of;
use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

/// A model whose tensors are made when they are asked for, the same at every call.
#[derive(Clone, Debug)]
pub struct RandomWeights {
    config: MambaConfig,
    /// Matrix entries are rounded to this type, so that it holds them exactly.
    exact_in: DType,
}

/// The published sizes of Mamba-1: name, d_model, layers.
const SIZES: [(&str, usize, usize); 5] =
    [("130m", 768, 24), ("370m", 1024, 48), ("790m", 1536, 48), ("1.4b", 2048, 48), ("2.8b", 2560, 64)];

impl RandomWeights {
    /// Weights of this configuration.
    pub fn new(config: MambaConfig) -> Self {
        Self { config, exact_in: DType::F32 }
    }

    /// Weights that can be held exactly in a narrower type.
    pub fn exact_in(config: MambaConfig, dtype: DType) -> Self {
        Self { config, exact_in: dtype }
    }

    /// The configuration of a published size.
    ///
    /// # Errors
    /// [`Error::Input`] naming the published sizes.
    pub fn published(size: &str) -> Result<MambaConfig> {
        let Some((_, d_model, n_layer)) = SIZES.iter().find(|s| s.0 == size) else {
            let names: Vec<&str> = SIZES.iter().map(|s| s.0).collect();
            return Err(Error::Input(format!("there is no published Mamba of the size `{size}`; the sizes are {}", names.join(", "))));
        };
        let json = format!(r#"{{"d_model": {d_model}, "n_layer": {n_layer}, "vocab_size": 50280, "pad_vocab_size_multiple": 8}}"#);
        MambaConfig::from_json(&json, &format!("mamba-{size}"))
    }

    /// The configuration.
    pub fn config(&self) -> &MambaConfig {
        &self.config
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        let c = &self.config;
        let (m, e, n) = (c.d_model, c.d_inner, c.d_state);
        let layer = name.split_once("mixer.").map_or(name, |(_, last)| last);
        Some(match layer {
            "in_proj.weight" => vec![2 * e, m],
            "in_proj.bias" if c.use_bias => vec![2 * e],
            "conv1d.weight" => vec![e, 1, c.d_conv],
            "conv1d.bias" if c.use_conv_bias => vec![e],
            "x_proj.weight" => vec![c.dt_rank + 2 * n, e],
            "dt_proj.weight" => vec![e, c.dt_rank],
            "A_log" => vec![e, n],
            "out_proj.weight" => vec![m, e],
            "out_proj.bias" if c.use_bias => vec![m],
            "dt_proj.bias" | "D" => vec![e],
            "backbone.embedding.weight" => vec![c.vocab_size, m],
            "lm_head.weight" if !c.tie_embeddings => vec![c.vocab_size, m],
            norm if norm.ends_with("norm.weight") || norm.ends_with("norm_f.weight") => vec![m],
            _ => return None,
        })
    }
}

impl TensorSource for RandomWeights {
    fn get(&self, name: &str) -> Result<Option<Tensor>> {
        let Some(shape) = self.shape(name) else { return Ok(None) };
        let count: usize = shape.iter().product();
        let seed = name.bytes().fold(17u64, |s, b| s.wrapping_mul(31).wrapping_add(u64::from(b)));
        let (centre, width) = match name {
            n if n.contains("norm") || n.ends_with("mixer.D") => (1.0, 0.1),
            n if n.ends_with("A_log") => (1.5, 1.3),
            n if n.ends_with("dt_proj.bias") => (-3.0, 1.5),
            n if n.ends_with("bias") => (0.0, 0.1),
            _ => (0.0, 1.7 / (shape.last().copied().unwrap_or(1) as f32).sqrt()),
        };
        let value = |i: usize| {
            // SplitMix64 of the index.
            let mut z = seed.wrapping_add((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
            z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            centre + width * (((z >> 40) as f32) / (1u64 << 23) as f32 - 1.0)
        };
        let values: Vec<f32> = (0..count).into_par_iter().map(value).collect();
        let tensor = Tensor::from_vec(values, shape, &Device::Cpu)?;
        if self.exact_in == DType::F32 || tensor.rank() != 2 || name.ends_with("A_log") {
            return Ok(Some(tensor));
        }
        Ok(Some(tensor.to_dtype(self.exact_in)?.to_dtype(DType::F32)?))
    }

    fn names(&self) -> Vec<String> {
        names_of(&self.config).into_iter().filter(|name| self.shape(name).is_some()).collect()
    }
}
