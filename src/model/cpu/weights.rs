//! Weights by name, checked and brought into the kernels' layout.

use super::conv::Conv;
use super::scan::Scan;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::tensors::{EMBEDDING, Tensors, dtype};
use crate::model::{MambaConfig, TensorSource, WeightType};
use crate::simd::{LANES, Linear, Panels, Weights};
use candle_core::DType;
use half::{bf16, f16};

/// One layer's weights.
pub struct Layer {
    pub norm: Vec<f32>,
    pub in_proj: Linear,
    pub conv: Conv,
    pub x_proj: Linear,
    pub dt_proj: Linear,
    pub scan: Scan,
    pub out_proj: Linear,
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
            let name = |rest: &str| format!("backbone.layers.{l}.{rest}");
            let bias = |there: bool, rest: &str, len: usize| if there { tensors.vector(&name(rest), &[len]).map(Some) } else { Ok(None) };
            let a: Vec<f32> = tensors.decay(l, &config)?;
            layers.push(Layer {
                norm: tensors.vector(&name("norm.weight"), &[m])?,
                in_proj: linear(&name("mixer.in_proj.weight"), 2 * e, m, bias(config.use_bias, "mixer.in_proj.bias", 2 * e)?)?,
                conv: conv(
                    &tensors.vector(&name("mixer.conv1d.weight"), &[e, 1, config.d_conv])?,
                    bias(config.use_conv_bias, "mixer.conv1d.bias", e)?,
                    &config,
                ),
                x_proj: linear(&name("mixer.x_proj.weight"), config.dt_rank + 2 * n, e, None)?,
                dt_proj: linear(&name("mixer.dt_proj.weight"), e, config.dt_rank, None)?,
                scan: Scan {
                    a: blocked(&a.iter().map(|a| (f64::from(*a) * std::f64::consts::LOG2_E) as f32).collect::<Vec<_>>(), e, n),
                    d: padded(tensors.vector(&name("mixer.D"), &[e])?),
                    dt_bias: padded(tensors.vector(&name("mixer.dt_proj.bias"), &[e])?),
                    d_state: n,
                },
                out_proj: linear(&name("mixer.out_proj.weight"), m, e, bias(config.use_bias, "mixer.out_proj.bias", m)?)?,
            });
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
        let layers = self.layers.iter().map(|l| {
            let vectors = l.norm.len() + l.conv.taps.len() + l.conv.bias.len() + l.scan.a.len() + l.scan.d.len() + l.scan.dt_bias.len();
            l.in_proj.bytes() + l.x_proj.bytes() + l.dt_proj.bytes() + l.out_proj.bytes() + 4 * vectors
        });
        layers.sum::<usize>() + self.head().bytes()
    }
}

/// A matrix in the precision asked for.
fn linear(tensors: &Tensors<'_>, kind: WeightType, names: &[&str], n_out: usize, n_in: usize, bias: Option<Vec<f32>>) -> Result<Linear> {
    let tensor = tensors.tensor(names, &[n_out, n_in])?.flatten_all()?;
    let weights = match dtype(kind, tensor.dtype()) {
        DType::F16 => Weights::F16(Panels::pack(&tensor.to_dtype(DType::F16)?.to_vec1::<f16>()?, n_out, n_in)?),
        DType::BF16 => Weights::BF16(Panels::pack(&tensor.to_dtype(DType::BF16)?.to_vec1::<bf16>()?, n_out, n_in)?),
        DType::F32 | DType::F64 => Weights::F32(Panels::pack(&tensor.to_dtype(DType::F32)?.to_vec1::<f32>()?, n_out, n_in)?),
        other => return Err(Error::Model(format!("tensor `{}` has type {other:?}; f32, f16 and bf16 can be run", names[0]))),
    };
    Ok(Linear::new(n_out, n_in, weights, bias))
}

/// `[d_inner, 1, d_conv]` to `[d_conv, padded channels]`.
fn conv(weight: &[f32], bias: Option<Vec<f32>>, config: &MambaConfig) -> Conv {
    let (e, k) = (config.d_inner, config.d_conv);
    let width = e.next_multiple_of(LANES);
    let mut taps = vec![0.0; k * width];
    for channel in 0..e {
        for tap in 0..k {
            taps[tap * width + channel] = weight[channel * k + tap];
        }
    }
    Conv { taps, bias: bias.map_or_else(|| vec![0.0; width], padded), width: k }
}

/// `[d_inner, d_state]` to `[block][d_state][LANES]`.
fn blocked(a: &[f32], d_inner: usize, d_state: usize) -> Vec<f32> {
    let mut out = vec![0.0; d_inner.next_multiple_of(LANES) * d_state];
    for channel in 0..d_inner {
        for i in 0..d_state {
            out[channel / LANES * LANES * d_state + i * LANES + channel % LANES] = a[channel * d_state + i];
        }
    }
    out
}

fn padded(mut values: Vec<f32>) -> Vec<f32> {
    values.resize(values.len().next_multiple_of(LANES), 0.0);
    values
}
