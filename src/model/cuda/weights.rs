//! Tensors streamed to the card: each is read, copied and dropped before the next, so the host never holds the model.

use super::gpu::{Act, Gpu};
use super::kernels::{Arg, Grid, Kernels};
use super::memory::Buf;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::tensors::{EMBEDDING, Tensors, dtype};
use crate::model::{MambaConfig, TensorSource, WeightType};
use candle_core::{CpuStorage, DType, Storage, Tensor};

/// One layer's weights. Matrices `[n_out, n_in]` in the model's precision, the rest f32.
pub struct Layer {
    pub norm: Buf,
    pub in_proj: Buf,
    pub in_bias: Option<Buf>,
    pub taps: Buf,
    pub conv_bias: Buf,
    pub x_proj: Buf,
    pub dt_proj: Buf,
    pub dt_bias: Buf,
    /// `A · log2(e)`, `[d_inner, d_state]`: the kernels take powers of two.
    pub a: Buf,
    pub d: Buf,
    pub out_proj: Buf,
    pub out_bias: Option<Buf>,
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
        let (m, e, n, r, v) = (config.d_model, config.d_inner, config.d_state, config.dt_rank, config.vocab_size);
        let total = config.n_layer as u64 + 1;
        gpu.expect_room(usize::try_from(config.parameters()).unwrap_or(usize::MAX).saturating_mul(act.size()), "the model's weights")?;
        let embedding = loader.matrix(&EMBEDDING, v, m)?;
        control.report(1, total, "layers");
        let (mut layers, mut a_all) = (Vec::with_capacity(config.n_layer), Vec::with_capacity(config.n_layer * e * n));
        for l in 0..config.n_layer {
            control.check()?;
            let name = |rest: &str| format!("backbone.layers.{l}.{rest}");
            let matrix = |rest: &str, n_out, n_in| loader.matrix(&[&name(rest)], n_out, n_in);
            let vector = |rest: &str, shape: &[usize]| loader.vector(&name(rest), shape);
            let maybe = |there: bool, rest: &str, len: usize| if there { vector(rest, &[len]).map(Some) } else { Ok(None) };
            let a = tensors.decay(l, config)?;
            let scaled: Vec<f32> = a.iter().map(|v| v * std::f32::consts::LOG2_E).collect();
            layers.push(Layer {
                norm: vector("norm.weight", &[m])?,
                in_proj: matrix("mixer.in_proj.weight", 2 * e, m)?,
                in_bias: maybe(config.use_bias, "mixer.in_proj.bias", 2 * e)?,
                taps: vector("mixer.conv1d.weight", &[e, 1, config.d_conv])?,
                conv_bias: match maybe(config.use_conv_bias, "mixer.conv1d.bias", e)? {
                    Some(bias) => bias,
                    None => gpu.upload(&vec![0.0f32; e], "weights")?,
                },
                x_proj: matrix("mixer.x_proj.weight", r + 2 * n, e)?,
                dt_proj: matrix("mixer.dt_proj.weight", e, r)?,
                dt_bias: vector("mixer.dt_proj.bias", &[e])?,
                a: gpu.upload(&scaled, "weights")?,
                d: vector("mixer.D", &[e])?,
                out_proj: matrix("mixer.out_proj.weight", m, e)?,
                out_bias: maybe(config.use_bias, "mixer.out_proj.bias", m)?,
            });
            a_all.extend(a);
            control.report(l as u64 + 2, total, "layers");
        }
        let norm_f = loader.vector("backbone.norm_f.weight", &[m])?;
        let lm_head = if config.tie_embeddings { None } else { Some(loader.matrix(&["lm_head.weight"], v, m)?) };
        // Vectors that were cast or copied from memory of ours are on the card when this returns.
        gpu.wait()?;
        let of_layer = |l: &Layer| {
            let all = [&l.norm, &l.in_proj, &l.taps, &l.conv_bias, &l.x_proj, &l.dt_proj, &l.dt_bias, &l.a, &l.d, &l.out_proj];
            all.iter().map(|b| b.bytes()).sum::<usize>()
        };
        let bytes = layers.iter().map(of_layer).sum::<usize>() + v * m * act.size();
        Ok((Self { act, embedding, layers, norm_f, lm_head, bytes }, a_all))
    }

    /// The output head, `[vocab, d_model]`.
    pub fn head(&self) -> &Buf {
        self.lm_head.as_ref().unwrap_or(&self.embedding)
    }
}

struct Loader<'a> {
    gpu: &'a Gpu,
    kernels: &'a Kernels,
    act: Act,
    tensors: &'a Tensors<'a>,
}

impl Loader<'_> {
    fn vector(&self, name: &str, shape: &[usize]) -> Result<Buf> {
        self.gpu.upload(&self.tensors.vector(name, shape)?, "weights")
    }

    /// A matrix in the model's precision. What is stored as f32 is narrowed on the card.
    fn matrix(&self, names: &[&str], n_out: usize, n_in: usize) -> Result<Buf> {
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
