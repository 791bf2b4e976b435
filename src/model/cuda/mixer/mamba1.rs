//! Mamba-1 (Gu and Dao, arXiv 2312.00752): in-projection, causal convolution, selective scan,
//! out-projection. What is enqueued here runs kernels of `kernels.cu`.

use crate::error::Result;
use crate::model::MambaConfig;
use crate::model::cuda::forward::On;
use crate::model::cuda::gpu::{Act, Gpu, Product};
use crate::model::cuda::kernels::{Arg, Grid, THREADS};
use crate::model::cuda::memory::Buf;
use crate::model::cuda::space::{Activations, Slots};
use crate::model::cuda::tables::Layout;
use crate::model::cuda::weights::Loader;

/// Segments of all sequences of a chunk at most.
pub const SEGMENTS: usize = 64;
/// Channels of a block of the scan.
pub const CHANNELS: usize = 32;
/// The kernels of a layer.
const KERNELS: [&str; 6] = ["mixer_norms", "conv", "conv_short", "scan_1", "scan_2", "join_segments"];
/// Those of a single token, where the sizes allow them.
const TOKEN_KERNELS: [&str; 4] = ["token_in", "token_x", "token_scan", "token_out"];

/// The names of the kernels that a model's layers need. `fast`: whether a single token has kernels
/// of its own.
pub fn kernels(config: &MambaConfig, fast: bool) -> impl Iterator<Item = &'static str> {
    let step = ["scan_step"].into_iter().filter(|_| steps(config.d_state));
    KERNELS.into_iter().chain(step).chain(TOKEN_KERNELS.into_iter().filter(move |_| fast))
}

/// Whether single tokens have a scan of their own: `STEP_SCAN` of the kernels.
fn steps(d_state: usize) -> bool {
    d_state.is_power_of_two() && (4..=128).contains(&d_state)
}

/// One layer's weights. Matrices `[n_out, n_in]` in the model's precision, the rest f32.
pub struct Mamba1 {
    in_proj: Buf,
    in_bias: Option<Buf>,
    taps: Buf,
    conv_bias: Buf,
    x_proj: Buf,
    dt_proj: Buf,
    dt_bias: Buf,
    /// `A · log2(e)`, `[d_inner, d_state]`: the kernels take powers of two.
    a: Buf,
    d: Buf,
    out_proj: Buf,
    out_bias: Option<Buf>,
}

/// Work space, the same for all layers: rows of tokens in the model's precision.
pub struct Space {
    /// The in-projection: input, then gate, `[tokens, 2 d_inner]`.
    xz: Buf,
    /// The convolved input, `[tokens, d_inner]`.
    u: Buf,
    /// Δ before its projection, B, C: `[tokens, dt_rank + 2 d_state]`.
    dbc: Buf,
    /// Δ before bias and softplus, `[tokens, d_inner]`.
    dt: Buf,
    /// What the scan gives, `[tokens, d_inner]`.
    y: Buf,
    /// Ends and starts of segments, f32, for long sequences of few channels: `[SEGMENTS, d_inner,
    /// d_state]`, and twice `[SEGMENTS, d_inner]`.
    seg_h: Buf,
    seg_dt: Buf,
    seg_dt0: Buf,
}

impl Space {
    /// Bytes of each part, for so many tokens.
    pub fn sizes(config: &MambaConfig, act: Act, tokens: usize) -> [usize; 8] {
        let e = config.d_inner;
        let of = |width: usize| tokens * width * act.size();
        let segments = SEGMENTS * e * 4;
        [of(2 * e), of(e), of(config.dt_rank + 2 * config.d_state), of(e), of(e), segments * config.d_state, segments, segments]
    }

    /// In memory of these sizes.
    pub fn of([xz, u, dbc, dt, y, seg_h, seg_dt, seg_dt0]: [Buf; 8]) -> Self {
        Self { xz, u, dbc, dt, y, seg_h, seg_dt, seg_dt0 }
    }
}

/// Work space of a single token, f32.
pub struct TokenSpace {
    u: Buf,
    z: Buf,
    dbc: Buf,
    y: Buf,
}

impl TokenSpace {
    /// Memory for a token of this model.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] if the card has too little memory.
    pub fn new(gpu: &Gpu, config: &MambaConfig) -> Result<Self> {
        let vector = |count: usize| gpu.alloc(4 * count, "a token");
        let (e, width) = (config.d_inner, config.dt_rank + 2 * config.d_state);
        Ok(Self { u: vector(e)?, z: vector(e)?, dbc: vector(width)?, y: vector(e)? })
    }
}

/// How the scan is laid over the card: as in the kernels' `Shape`.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    /// Threads of a block of [`CHANNELS`].
    threads: usize,
}

impl Shape {
    /// With a number of channels for each thread.
    fn of(name: &'static str, each: usize, d_state: usize) -> Self {
        let padded = d_state.next_power_of_two().max(4);
        let lanes = padded / 4.max(padded / 16);
        Self { name, threads: CHANNELS * lanes / each }
    }

    /// Two channels a thread do less in all, if that leaves a multiprocessor sixteen warps
    /// (measured: with ten, one channel is a fifth faster).
    fn choose(config: &MambaConfig, units: usize, processors: usize) -> Self {
        let two = Self::of("scan_2", 2, config.d_state);
        let warps = units * config.d_inner.div_ceil(CHANNELS) * two.threads / 32;
        if warps >= 16 * processors { two } else { Self::of("scan_1", 1, config.d_state) }
    }
}

/// A layer's part of the states, as the kernels are told of it: where it lies in the first slot,
/// and the numbers from one slot to the next.
struct Cells {
    h: [Arg; 2],
    window: [Arg; 2],
    sums: [Arg; 2],
}

impl Cells {
    fn of(slots: &Slots, config: &MambaConfig, layer: usize) -> Self {
        let [h_stride, window_stride, sum_stride] = slots.strides();
        let first = layer * config.d_inner * 4;
        let part = |buf: &Buf, width: usize, stride: usize| [Arg::Ptr(buf.at(first * width)), Arg::Long(stride)];
        Self {
            h: part(&slots.h, config.d_state, h_stride),
            window: part(&slots.window, config.d_conv - 1, window_stride),
            sums: part(&slots.sums, 1, sum_stride),
        }
    }
}

fn p(buf: &Buf) -> Arg {
    Arg::Ptr(buf.at(0))
}

impl Mamba1 {
    /// The weights of a layer, and its `A`, `[d_inner, d_state]`.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] naming the tensor that is missing or has the wrong shape, or
    /// what the card lacks.
    pub fn load(loader: &Loader<'_>, config: &MambaConfig, layer: usize) -> Result<(Self, Vec<f32>)> {
        let (m, e, n, r) = (config.d_model, config.d_inner, config.d_state, config.dt_rank);
        let name = |rest: &str| format!("backbone.layers.{layer}.mixer.{rest}");
        let matrix = |rest: &str, n_out, n_in| loader.matrix(&[&name(rest)], n_out, n_in);
        let vector = |rest: &str, shape: &[usize]| loader.vector(&name(rest), shape);
        let maybe = |there: bool, rest: &str, len: usize| if there { vector(rest, &[len]).map(Some) } else { Ok(None) };
        let a = loader.tensors.decay(layer, config)?;
        let scaled: Vec<f32> = a.iter().map(|v| v * std::f32::consts::LOG2_E).collect();
        let mixer = Self {
            in_proj: matrix("in_proj.weight", 2 * e, m)?,
            in_bias: maybe(config.use_bias, "in_proj.bias", 2 * e)?,
            taps: vector("conv1d.weight", &[e, 1, config.d_conv])?,
            conv_bias: match maybe(config.use_conv_bias, "conv1d.bias", e)? {
                Some(bias) => bias,
                None => loader.gpu.upload(&vec![0.0f32; e], "weights")?,
            },
            x_proj: matrix("x_proj.weight", r + 2 * n, e)?,
            dt_proj: matrix("dt_proj.weight", e, r)?,
            dt_bias: vector("dt_proj.bias", &[e])?,
            a: loader.gpu.upload(&scaled, "weights")?,
            d: vector("D", &[e])?,
            out_proj: matrix("out_proj.weight", m, e)?,
            out_bias: maybe(config.use_bias, "out_proj.bias", m)?,
        };
        Ok((mixer, a))
    }

    /// Bytes that one decoded token reads.
    pub fn bytes(&self) -> usize {
        let all =
            [&self.in_proj, &self.taps, &self.conv_bias, &self.x_proj, &self.dt_proj, &self.dt_bias, &self.a, &self.d, &self.out_proj];
        all.iter().map(|b| b.bytes()).sum()
    }

    /// Enqueues a layer over the tokens of a chunk: adds its output for the input `acts.normed` to
    /// the residual stream `acts.x`, and moves the states in their slots on.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] if the card fails.
    pub fn forward(&self, on: On<'_>, l: usize, layout: Layout, meta: &Buf, acts: &Activations, slots: &Slots) -> Result<()> {
        let config = on.config;
        let (t, m, e, r) = (layout.tokens, config.d_model, config.d_inner, config.dt_rank);
        let width = r + 2 * config.d_state;
        let space = &acts.mixer;
        let cells = Cells::of(slots, config, l);
        let product = |w: &Buf, n_out: usize, n_in: usize, input: &Buf, stride: usize, out: &Buf| Product {
            w: w.at(0),
            n_out,
            n_in,
            rows: t,
            input: input.at(0),
            stride,
            out: out.at(0),
        };
        on.product("in_proj", product(&self.in_proj, 2 * e, m, &acts.normed, m, &space.xz), false, false)?;
        if let Some(bias) = &self.in_bias {
            on.launch("add_bias", Grid::new((2 * e).div_ceil(256), t, 256), &[p(&space.xz), p(bias), Arg::Int(2 * e)])?;
        }
        self.convolve(on, layout, meta, space, &cells)?;
        on.product("x_proj", product(&self.x_proj, width, e, &space.u, e, &space.dbc), false, false)?;
        if let Some(eps) = config.mixer_norm_eps {
            on.launch("mixer_norms", Grid::new(t, 1, 32), &[p(&space.dbc), Arg::Float(eps as f32)])?;
        }
        on.product("dt_proj", product(&self.dt_proj, e, r, &space.dbc, width, &space.dt), false, false)?;
        self.scan(on, layout, meta, space, &cells)?;
        on.product("out_proj", product(&self.out_proj, m, e, &space.y, e, &acts.x), true, true)?;
        if let Some(bias) = &self.out_bias {
            on.launch("add_bias_x", Grid::new(m.div_ceil(256), t, 256), &[p(&acts.x), p(bias), Arg::Int(m)])?;
        }
        Ok(())
    }

    /// Enqueues the convolution with its SiLU.
    fn convolve(&self, on: On<'_>, layout: Layout, meta: &Buf, b: &Space, cells: &Cells) -> Result<()> {
        let (t, e) = (layout.tokens, on.config.d_inner);
        let [window, stride] = cells.window;
        let marks = Arg::Ptr(meta.at(layout.marks));
        let conv = [p(&b.xz), p(&b.u), p(&self.taps), p(&self.conv_bias), marks, window, stride, Arg::Int(t)];
        let pair = if on.act() != Act::F32 && e.is_multiple_of(2) { 2 } else { 1 };
        let (name, together) = if t < 4 * layout.n_seqs { ("conv_short", 1) } else { ("conv", 8) };
        on.launch(name, Grid::new(e.div_ceil(128 * pair), t.div_ceil(together), 128), &conv)
    }

    /// Enqueues the scan, fused with softplus, skip and gate: in one piece, or in segments that are
    /// joined and then run again from where they begin.
    fn scan(&self, on: On<'_>, layout: Layout, meta: &Buf, b: &Space, cells: &Cells) -> Result<()> {
        let (t, e, n) = (layout.tokens, on.config.d_inner, on.config.d_state);
        let states = [cells.h, cells.sums].concat();
        let io = [p(&b.xz), p(&b.u), p(&b.dt), p(&b.dbc), p(&b.y), p(&self.a), p(&self.d), p(&self.dt_bias)];
        let segments = [p(&b.seg_h), p(&b.seg_dt), p(&b.seg_dt0)];
        if t == layout.n_seqs && steps(n) {
            let marks = [Arg::Ptr(meta.at(layout.marks))];
            return on.launch("scan_step", Grid::new((e * n).div_ceil(1024), t, 256), &[&io[..], &marks[..], &states[..]].concat());
        }
        let tables = [Arg::Ptr(meta.at(layout.units)), Arg::Ptr(meta.at(layout.spans))];
        let shape = Shape::choose(on.config, layout.n_units, on.gpu.processors);
        let grid = Grid::new(e.div_ceil(CHANNELS), layout.n_units, shape.threads);
        let scan =
            |mode: usize| on.launch(shape.name, grid, &[&io[..], &tables[..], &states[..], &segments[..], &[Arg::Int(mode)][..]].concat());
        if layout.n_chains == 0 {
            return scan(0);
        }
        scan(1)?;
        let chains = [p(&self.a), Arg::Ptr(meta.at(layout.chains))];
        on.launch(
            "join_segments",
            Grid::new((e * n).div_ceil(256), layout.n_chains, 256),
            &[&chains[..], &states[..], &segments[..]].concat(),
        )?;
        scan(2)
    }

    /// Enqueues a layer for one token of one sequence, its norm included: four kernels that read
    /// every weight once. The state lies in the first slot.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] if the card fails.
    pub fn token(&self, on: On<'_>, l: usize, norm: &Buf, x: &Buf, space: &TokenSpace, slots: &Slots) -> Result<()> {
        let (gpu, config) = (on.gpu, on.config);
        let (m, e) = (config.d_model, config.d_inner);
        let width = config.dt_rank + 2 * config.d_state;
        let TokenSpace { u, z, dbc, y } = space;
        let Cells { h: [h, _], window: [window, _], sums: [sums, _] } = Cells::of(slots, config, l);
        let launch = |name: &'static str, grid: Grid, args: &[Arg]| gpu.launch_early(on.kernels, name, grid, args);
        let eps = Arg::Float(config.norm_eps as f32);
        let into = [p(x), p(norm), eps, p(&self.in_proj), p(&self.taps), p(&self.conv_bias), window, p(u), p(z)];
        launch("token_in", Grid::of_rows(2 * e, gpu.processors), &into)?;
        launch("token_x", Grid::new(width.div_ceil(2), 1, THREADS), &[p(u), p(&self.x_proj), p(dbc)])?;
        let scan = [p(dbc), p(&self.dt_proj), p(&self.dt_bias), p(&self.a), p(&self.d), p(u), p(z), h, sums, p(y)];
        launch("token_scan", Grid::new(e.div_ceil(16), 1, THREADS), &scan)?;
        let out = Grid { shared: 4 * e, ..Grid::of_rows(m, gpu.processors) };
        launch("token_out", out, &[p(y), p(&self.out_proj), p(x)])
    }
}
