//! Mamba-1 (Gu and Dao, arXiv 2312.00752): in-projection, causal convolution, selective scan,
//! out-projection.
//!
//! - `conv`: the convolution with its SiLU; `scan`: the scan, fused with softplus, skip and gate.
//! - `working`: a state while it changes, laid out for these two.

mod conv;
mod scan;
mod working;

use super::super::weights::{Products, linear};
use crate::error::Result;
use crate::model::plan::Span;
use crate::model::tensors::Tensors;
use crate::model::{MambaConfig, WeightType};
use crate::simd::{LANES, Linear, Rows, Shared, rms_scale};
use conv::{Conv, ConvIo, conv_block};
use rayon::prelude::*;
use scan::{Scan, ScanIo, scan_block};
pub use working::Working;

/// Channel blocks × tokens below which a pass is not worth waking other threads for.
const SERIAL: usize = 512;

/// One layer's weights.
pub struct Mamba1 {
    in_proj: Linear,
    conv: Conv,
    x_proj: Linear,
    dt_proj: Linear,
    scan: Scan,
    out_proj: Linear,
}

/// Work space, the same for all layers: rows of tokens.
#[derive(Default)]
pub struct Space {
    /// The in-projection: input, then gate, `[tokens, 2 d_inner]`.
    xz: Vec<f32>,
    /// The convolved input, `[tokens, d_inner]`.
    u: Vec<f32>,
    /// Δ before its projection, B, C: `[tokens, dt_rank + 2 d_state]`.
    dbc: Vec<f32>,
    /// Δ before bias and softplus, `[tokens, d_inner]`.
    dt: Vec<f32>,
    /// The scan's output, `[tokens, d_inner]`.
    y: Vec<f32>,
}

impl Space {
    /// Makes room for this many tokens.
    pub fn fit(&mut self, config: &MambaConfig, tokens: usize) {
        let e = config.d_inner;
        let dbc = config.dt_rank + 2 * config.d_state;
        for (buffer, width) in [(&mut self.xz, 2 * e), (&mut self.u, e), (&mut self.dbc, dbc), (&mut self.dt, e), (&mut self.y, e)] {
            if buffer.len() < tokens * width {
                buffer.resize(tokens * width, 0.0);
            }
        }
    }
}

impl Mamba1 {
    /// The weights of a layer, and its `A`, `[d_inner, d_state]`.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] naming the tensor that is missing or has the wrong shape.
    pub fn load(config: &MambaConfig, tensors: &Tensors<'_>, kind: WeightType, layer: usize) -> Result<(Self, Vec<f32>)> {
        let (m, e, n) = (config.d_model, config.d_inner, config.d_state);
        let name = |rest: &str| format!("backbone.layers.{layer}.{rest}");
        let linear = |rest: &str, n_out, n_in, bias| linear(tensors, kind, &[&name(rest)], n_out, n_in, bias);
        let bias = |there: bool, rest: &str, len: usize| if there { tensors.vector(&name(rest), &[len]).map(Some) } else { Ok(None) };
        let a: Vec<f32> = tensors.decay(layer, config)?;
        let mixer = Self {
            in_proj: linear("mixer.in_proj.weight", 2 * e, m, bias(config.use_bias, "mixer.in_proj.bias", 2 * e)?)?,
            conv: conv(
                &tensors.vector(&name("mixer.conv1d.weight"), &[e, 1, config.d_conv])?,
                bias(config.use_conv_bias, "mixer.conv1d.bias", e)?,
                config,
            ),
            x_proj: linear("mixer.x_proj.weight", config.dt_rank + 2 * n, e, None)?,
            dt_proj: linear("mixer.dt_proj.weight", e, config.dt_rank, None)?,
            scan: Scan {
                a: blocked(&a.iter().map(|a| (f64::from(*a) * std::f64::consts::LOG2_E) as f32).collect::<Vec<_>>(), e, n),
                d: padded(tensors.vector(&name("mixer.D"), &[e])?),
                dt_bias: padded(tensors.vector(&name("mixer.dt_proj.bias"), &[e])?),
                d_state: n,
            },
            out_proj: linear("mixer.out_proj.weight", m, e, bias(config.use_bias, "mixer.out_proj.bias", m)?)?,
        };
        Ok((mixer, a))
    }

    /// Bytes that one decoded token reads.
    pub fn bytes(&self) -> usize {
        let vectors = self.conv.taps.len() + self.conv.bias.len() + self.scan.a.len() + self.scan.d.len() + self.scan.dt_bias.len();
        self.in_proj.bytes() + self.x_proj.bytes() + self.dt_proj.bytes() + self.out_proj.bytes() + 4 * vectors
    }

    /// Adds the layer's output over the tokens of a chunk to the residual stream `x`, and updates
    /// the states; `normed` and `x` are `[tokens, d_model]`.
    #[allow(clippy::too_many_arguments)]
    pub fn forward(
        &self,
        config: &MambaConfig,
        l: usize,
        spans: &[Span],
        normed: &[f32],
        [working, kept]: [&mut [Working]; 2],
        space: &mut Space,
        products: &Products,
        x: &mut [f32],
    ) {
        let t = x.len() / config.d_model;
        let (m, e, n, r) = (config.d_model, config.d_inner, config.d_state, config.dt_rank);
        let blocks = e.div_ceil(LANES);
        let width = r + 2 * n;
        products.run(&self.in_proj, Rows { data: normed, stride: m, count: t }, &mut space.xz[..t * 2 * e], false);

        let states: Vec<Cells<'_>> = working.iter_mut().map(|w| Cells::of(w, l)).collect();
        let kept: Vec<Cells<'_>> = kept.iter_mut().map(|w| Cells::of(w, l)).collect();
        let sizes = [n * LANES, (config.d_conv - 1) * LANES, LANES];
        let io = ConvIo { xz: &space.xz, stride: 2 * e, u: Shared::new(&mut space.u), d_inner: e };
        each_block(blocks, t, &|block| {
            for span in spans {
                // SAFETY: block `block` of every state and kept state belongs to this call alone.
                let [_, window, _] = unsafe { states[span.seq].block(block, sizes) };
                conv_block(&self.conv, io, block, span.from, span.to, window);
                if let Some(keep) = span.keep {
                    // SAFETY: as above.
                    let [_, kept, _] = unsafe { kept[keep].block(block, sizes) };
                    kept.copy_from_slice(window);
                }
            }
        });

        products.run(&self.x_proj, Rows { data: &space.u, stride: e, count: t }, &mut space.dbc[..t * width], false);
        if let Some(eps) = config.mixer_norm_eps {
            for row in space.dbc[..t * width].chunks_exact_mut(width) {
                let (dt, bc) = row.split_at_mut(r);
                let (b, c) = bc.split_at_mut(n);
                for part in [dt, b, c] {
                    let scale = rms_scale(part, eps);
                    part.iter_mut().for_each(|v| *v *= scale);
                }
            }
        }
        products.run(&self.dt_proj, Rows { data: &space.dbc, stride: width, count: t }, &mut space.dt[..t * e], false);

        let io = ScanIo {
            u: &space.u,
            dt: &space.dt,
            bc: &space.dbc[r..],
            bc_stride: width,
            xz: &space.xz,
            xz_stride: 2 * e,
            z_at: e,
            y: Shared::new(&mut space.y),
            d_inner: e,
        };
        each_block(blocks, t, &|block| {
            for span in spans {
                // SAFETY: block `block` of every state and kept state belongs to this call alone.
                let [h, _, dt_sum] = unsafe { states[span.seq].block(block, sizes) };
                scan_block(&self.scan, io, block, span.from, span.to, h, dt_sum);
                if let Some(keep) = span.keep {
                    // SAFETY: as above.
                    let [kept_h, _, kept_dt] = unsafe { kept[keep].block(block, sizes) };
                    kept_h.copy_from_slice(h);
                    kept_dt.copy_from_slice(dt_sum);
                }
            }
        });
        products.run(&self.out_proj, Rows { data: &space.y, stride: e, count: t }, x, true);
    }
}

/// Runs a pass over channel blocks, on all threads where it pays.
fn each_block(blocks: usize, tokens: usize, pass: &(dyn Fn(usize) + Sync)) {
    if blocks * tokens < SERIAL {
        (0..blocks).for_each(pass);
    } else {
        (0..blocks).into_par_iter().for_each(pass);
    }
}

/// One layer of a working state, for threads that each own some of its blocks.
struct Cells<'a>([Shared<'a>; 3]);

impl<'a> Cells<'a> {
    fn of(working: &'a mut Working, layer: usize) -> Self {
        let [h, window, dt_sum] = working.layer(layer);
        Self([Shared::new(h), Shared::new(window), Shared::new(dt_sum)])
    }

    /// SSM state, window and ΣΔ of one block.
    ///
    /// # Safety
    /// No other thread touches the same block meanwhile.
    unsafe fn block(&self, block: usize, sizes: [usize; 3]) -> [&'a mut [f32]; 3] {
        // SAFETY: blocks lie one after the other in each part; the rest is promised by the caller.
        std::array::from_fn(|i| unsafe { self.0[i].part(block * sizes[i], sizes[i]) })
    }
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
