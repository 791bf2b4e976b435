//! Weights by name, checked and brought into the kernels' layout.

use super::mixer::Mixer;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::tensors::{EMBEDDING, Tensors, dtype};
use crate::model::{MambaConfig, TensorSource, WeightType};
use crate::simd::{Linear, Panels, Rows, Weights};
use candle_core::DType;
use half::{bf16, f16};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One layer's weights.
pub struct Layer {
    pub norm: Vec<f32>,
    pub mixer: Mixer,
}

/// All weights of a model.
pub struct Weightset {
    pub config: MambaConfig,
    embedding: Linear,
    pub layers: Vec<Layer>,
    pub norm_f: Vec<f32>,
    lm_head: Option<Linear>,
}

impl Weightset {
    /// Loads everything; also gives `A` of all layers, `[n_layer, d_inner, d_state]`.
    pub fn load(config: MambaConfig, tensors: &dyn TensorSource, kind: WeightType, control: Control<'_>) -> Result<(Self, Vec<f32>)> {
        let tensors = Tensors(tensors);
        let linear = |name: &str, n_out, n_in, bias| linear(&tensors, kind, &[name], n_out, n_in, bias);
        let (m, e, n, v) = (config.d_model, config.d_inner, config.d_state, config.vocab_size);
        let total = config.n_layer as u64 + 1;
        let embedding = self::linear(&tensors, kind, &EMBEDDING, v, m, None)?;
        control.report(1, total, "layers");
        let mut layers = Vec::with_capacity(config.n_layer);
        let mut a_all = Vec::with_capacity(config.n_layer * e * n);
        for l in 0..config.n_layer {
            control.check()?;
            let (mixer, a) = Mixer::load(&config, &tensors, kind, l)?;
            let norm = tensors.vector(&format!("backbone.layers.{l}.norm.weight"), &[m])?;
            layers.push(Layer { norm, mixer });
            a_all.extend(a);
            control.report(l as u64 + 2, total, "layers");
        }
        let norm_f = tensors.vector("backbone.norm_f.weight", &[m])?;
        let lm_head = if config.tie_embeddings { None } else { Some(linear("lm_head.weight", v, m, None)?) };
        Ok((Self { config, embedding, layers, norm_f, lm_head }, a_all))
    }

    /// The embedding of a token.
    pub fn embed(&self, token: u32, out: &mut [f32]) {
        self.embedding.row(token as usize, out);
    }

    /// The output head.
    pub fn head(&self) -> &Linear {
        self.lm_head.as_ref().unwrap_or(&self.embedding)
    }

    /// Bytes that one decoded token reads: every matrix once, the embedding only as the head.
    pub fn bytes(&self) -> usize {
        let layers = self.layers.iter().map(|l| 4 * l.norm.len() + l.mixer.bytes());
        layers.sum::<usize>() + self.head().bytes()
    }
}

/// The matrix of the first of these names that is there, in the precision asked for.
pub fn linear(
    tensors: &Tensors<'_>,
    kind: WeightType,
    names: &[&str],
    n_out: usize,
    n_in: usize,
    bias: Option<Vec<f32>>,
) -> Result<Linear> {
    let tensor = tensors.tensor(names, &[n_out, n_in])?.flatten_all()?;
    let weights = match dtype(kind, tensor.dtype()) {
        DType::F16 => Weights::F16(Panels::pack(&tensor.to_dtype(DType::F16)?.to_vec1::<f16>()?, n_out, n_in)?),
        DType::BF16 => Weights::BF16(Panels::pack(&tensor.to_dtype(DType::BF16)?.to_vec1::<bf16>()?, n_out, n_in)?),
        DType::F32 | DType::F64 => Weights::F32(Panels::pack(&tensor.to_dtype(DType::F32)?.to_vec1::<f32>()?, n_out, n_in)?),
        other => return Err(Error::Model(format!("tensor `{}` has type {other:?}; f32, f16 and bf16 can be run", names[0]))),
    };
    Ok(Linear::new(n_out, n_in, weights, bias))
}

/// Matrix products, and the time spent in them so far, by all callers.
#[derive(Default)]
pub struct Products {
    nanoseconds: AtomicU64,
}

impl Products {
    /// Writes a product into `out`, or adds it there (`accumulate`).
    pub fn run(&self, linear: &Linear, x: Rows<'_>, out: &mut [f32], accumulate: bool) {
        let began = Instant::now();
        linear.forward(x, out, accumulate);
        self.nanoseconds.fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// The time spent so far.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
}
