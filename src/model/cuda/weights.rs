//! Tensors streamed to the card: each is read, copied and dropped before the next, so the host
//! never holds the model.

use super::gpu::{Act, Gpu};
use super::kernels::{Arg, Grid, Kernels};
use super::memory::Buf;
use super::mixer::Mixer;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::tensors::{EMBEDDING, Tensors, dtype};
use crate::model::{MambaConfig, TensorSource, WeightType};
use candle_core::{CpuStorage, DType, Storage, Tensor};

/// One layer's weights.
pub struct Layer {
    /// f32.
    pub norm: Buf,
    pub mixer: Mixer,
}

/// All weights.
pub struct Weights {
    pub act: Act,
    pub embedding: Buf,
    pub layers: Vec<Layer>,
    pub norm_f: Buf,
    pub lm_head: Option<Buf>,
    /// Bytes that one decoded token reads.
    pub bytes: usize,
}

impl Weights {
    /// The precision a model will have: that of its first matrix, unless another is asked for.
    pub fn precision(config: &MambaConfig, source: &dyn TensorSource, kind: WeightType) -> Result<Act> {
        let first = Tensors(source).tensor(&["backbone.layers.0.mixer.in_proj.weight"], &[2 * config.d_inner, config.d_model])?;
        match dtype(kind, first.dtype()) {
            DType::F32 | DType::F64 => Ok(Act::F32),
            DType::F16 => Ok(Act::F16),
            DType::BF16 => Ok(Act::BF16),
            other => Err(Error::Model(format!("the weights have type {other:?}; f32, f16 and bf16 can be run"))),
        }
    }

    /// Loads everything; also gives `A` of all layers, `[n_layer, d_inner, d_state]`.
    pub fn load(
        gpu: &Gpu,
        kernels: &Kernels,
        act: Act,
        config: &MambaConfig,
        source: &dyn TensorSource,
        control: Control<'_>,
    ) -> Result<(Self, Vec<f32>)> {
        let tensors = Tensors(source);
        let loader = Loader { gpu, kernels, act, tensors: &tensors };
        let (m, e, n, v) = (config.d_model, config.d_inner, config.d_state, config.vocab_size);
        let total = config.n_layer as u64 + 1;
        gpu.expect_room(usize::try_from(config.parameters()).unwrap_or(usize::MAX).saturating_mul(act.size()), "the model's weights")?;
        let embedding = loader.matrix(&EMBEDDING, v, m)?;
        control.report(1, total, "layers");
        let (mut layers, mut a_all) = (Vec::with_capacity(config.n_layer), Vec::with_capacity(config.n_layer * e * n));
        for l in 0..config.n_layer {
            control.check()?;
            let (mixer, a) = Mixer::load(&loader, config, l)?;
            let norm = loader.vector(&format!("backbone.layers.{l}.norm.weight"), &[m])?;
            layers.push(Layer { norm, mixer });
            a_all.extend(a);
            control.report(l as u64 + 2, total, "layers");
        }
        let norm_f = loader.vector("backbone.norm_f.weight", &[m])?;
        let lm_head = if config.tie_embeddings { None } else { Some(loader.matrix(&["lm_head.weight"], v, m)?) };
        // Vectors that were cast or copied from memory of ours are on the card when this returns.
        gpu.wait()?;
        let bytes = layers.iter().map(|l| l.norm.bytes() + l.mixer.bytes()).sum::<usize>() + v * m * act.size();
        Ok((Self { act, embedding, layers, norm_f, lm_head, bytes }, a_all))
    }

    /// The output head, `[vocab, d_model]`.
    pub fn head(&self) -> &Buf {
        self.lm_head.as_ref().unwrap_or(&self.embedding)
    }
}

/// Brings tensors to the card.
pub struct Loader<'a> {
    pub gpu: &'a Gpu,
    kernels: &'a Kernels,
    act: Act,
    pub tensors: &'a Tensors<'a>,
}

impl Loader<'_> {
    /// A vector, or an array of another shape, as f32.
    pub fn vector(&self, name: &str, shape: &[usize]) -> Result<Buf> {
        self.gpu.upload(&self.tensors.vector(name, shape)?, "weights")
    }

    /// A matrix in the model's precision. What is stored as f32 is narrowed on the card.
    pub fn matrix(&self, names: &[&str], n_out: usize, n_in: usize) -> Result<Buf> {
        let tensor = self.tensors.tensor(names, &[n_out, n_in])?.flatten_all()?;
        let wanted = match self.act {
            Act::F32 => DType::F32,
            Act::BF16 => DType::BF16,
            Act::F16 => DType::F16,
        };
        if tensor.dtype() == wanted {
            return upload(self.gpu, &tensor);
        }
        if tensor.dtype() != DType::F32 {
            return upload(self.gpu, &tensor.to_dtype(wanted)?);
        }
        let count = n_out * n_in;
        let (wide, narrow) = (upload(self.gpu, &tensor)?, self.gpu.alloc(count * self.act.size(), "weights")?);
        let args = [Arg::Ptr(wide.at(0)), Arg::Ptr(narrow.at(0)), Arg::Long(count)];
        self.gpu.launch(self.kernels, "cast", Grid::new(count.div_ceil(256).min(4096), 1, 256), &args)?;
        Ok(narrow)
    }
}

/// A contiguous tensor of the host as it is.
fn upload(gpu: &Gpu, tensor: &Tensor) -> Result<Buf> {
    let (storage, layout) = tensor.storage_and_layout();
    let (from, count) = (layout.start_offset(), tensor.elem_count());
    match &*storage {
        Storage::Cpu(CpuStorage::F32(v)) => gpu.upload(&v[from..from + count], "weights"),
        Storage::Cpu(CpuStorage::BF16(v)) => gpu.upload(&v[from..from + count], "weights"),
        Storage::Cpu(CpuStorage::F16(v)) => gpu.upload(&v[from..from + count], "weights"),
        _ => Err(Error::Model(format!("weights of type {:?} cannot be copied to the GPU", tensor.dtype()))),
    }
}
