//! One chunk through all layers: what is enqueued, in order.

use super::gpu::{Act, Gpu, Product, failed};
use super::graph::Recordings;
use super::kernels::{Arg, Grid, Kernels};
use super::memory::Buf;
use super::space::{Activations, Slots};
use super::tables::{Layout, Tables};
use super::weights::Weights;
use crate::error::Result;
use crate::model::MambaConfig;
use candle_core::cuda_backend::cudarc::driver::CudaEvent;
use std::ops::Range;

/// Layers recorded together.
const RECORDED: usize = 16;

/// A model on a card, for the time of a call.
#[derive(Clone, Copy)]
pub struct On<'a> {
    pub gpu: &'a Gpu,
    pub kernels: &'a Kernels,
    pub config: &'a MambaConfig,
    pub weights: &'a Weights,
    /// Where the times of all launches are kept, if they are wanted.
    pub timers: Option<&'a Timers>,
}

/// When each launch began and ended, by name: events on the stream.
#[derive(Default)]
pub struct Timers(std::sync::Mutex<Vec<(&'static str, CudaEvent, CudaEvent)>>);

impl Timers {
    /// Milliseconds and launches by name, the longest first. The caller has waited for everything
    /// that was enqueued.
    pub fn by_name(&self) -> Result<Vec<(&'static str, f64, usize)>> {
        let mut sums: Vec<(&'static str, f64, usize)> = Vec::new();
        for (name, from, to) in self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).iter() {
            let ms = f64::from(from.elapsed_ms(to).map_err(failed("times were read"))?);
            match sums.iter_mut().find(|s| s.0 == *name) {
                Some(sum) => (sum.1, sum.2) = (sum.1 + ms, sum.2 + 1),
                None => sums.push((name, ms, 1)),
            }
        }
        sums.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(sums)
    }
}

/// How the scan is laid over the card: as in the kernels' `Shape`.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    name: &'static str,
    /// Channels and threads of a block.
    pub(super) channels: usize,
    threads: usize,
}

impl Shape {
    /// With a number of channels for each thread.
    pub(super) fn of(name: &'static str, each: usize, d_state: usize) -> Self {
        let padded = d_state.next_power_of_two().max(4);
        let lanes = padded / 4.max(padded / 16);
        Self { name, channels: 32, threads: 32 * lanes / each }
    }

    /// Two channels a thread do less in all, if that leaves a multiprocessor sixteen warps
    /// (measured: with ten, one channel is a fifth faster).
    fn choose(config: &MambaConfig, units: usize, processors: usize) -> Self {
        let two = Self::of("scan_2", 2, config.d_state);
        let warps = units * config.d_inner.div_ceil(two.channels) * two.threads / 32;
        if warps >= 16 * processors { two } else { Self::of("scan_1", 1, config.d_state) }
    }
}

/// Whether single tokens have a scan of their own: `STEP_SCAN` of the kernels.
pub fn steps(d_state: usize) -> bool {
    d_state.is_power_of_two() && (4..=128).contains(&d_state)
}

impl On<'_> {
    /// Enqueues a kernel.
    pub fn launch(&self, name: &'static str, grid: Grid, args: &[Arg]) -> Result<()> {
        self.timed(name, || self.gpu.launch(self.kernels, name, grid, args))
    }

    fn product(&self, name: &'static str, product: Product, f32: bool, accumulate: bool) -> Result<()> {
        self.timed(name, || self.gpu.product(self.act(), product, f32, accumulate))
    }

    fn timed(&self, name: &'static str, work: impl FnOnce() -> Result<()>) -> Result<()> {
        let Some(Timers(times)) = self.timers else { return work() };
        let (from, to) = (self.gpu.timer()?, self.gpu.timer()?);
        from.record(&self.gpu.stream).map_err(failed(name))?;
        work()?;
        to.record(&self.gpu.stream).map_err(failed(name))?;
        times.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((name, from, to));
        Ok(())
    }

    fn act(&self) -> Act {
        self.weights.act
    }

    /// Enqueues a chunk whose tables lie on the card at `meta`; `acts.x` will hold the last
    /// residual. With `recordings`, which belong to this memory, a short chunk is recorded once its
    /// layout comes again. `after` is called with each range of layers that has been enqueued.
    pub fn chunk(
        &self,
        layout: Layout,
        meta: &Buf,
        acts: &Activations,
        slots: &Slots,
        recordings: Option<&mut Recordings>,
        after: &mut dyn FnMut(Range<usize>) -> Result<()>,
    ) -> Result<()> {
        let n = self.weights.layers.len();
        if let (Some(recordings), None) = (recordings, self.timers) {
            // In a few pieces, so that states leave while the next piece runs.
            let pieces = (0..n).step_by(RECORDED).map(|from| from..n.min(from + RECORDED));
            let record = || pieces.clone().map(|piece| self.gpu.record(|| self.layers(piece, layout, meta, acts, slots))).collect();
            if let Some(graphs) = recordings.of(layout, record)? {
                return graphs.iter().zip(pieces).try_for_each(|(graph, piece)| {
                    graph.start(self.gpu)?;
                    after(piece)
                });
            }
        }
        (0..n).try_for_each(|l| {
            self.layers(l..l + 1, layout, meta, acts, slots)?;
            after(l..l + 1)
        })
    }

    /// Some layers, with the embedding before the first.
    fn layers(&self, layers: Range<usize>, layout: Layout, meta: &Buf, acts: &Activations, slots: &Slots) -> Result<()> {
        if layers.start == 0 {
            let args = [Arg::Ptr(meta.at(layout.ids)), Arg::Ptr(self.weights.embedding.at(0)), Arg::Ptr(acts.x.at(0))];
            self.launch("embed", Grid::new(layout.tokens, 1, 256), &args)?;
        }
        layers.into_iter().try_for_each(|l| self.layer(l, layout, meta, acts, slots))
    }

    fn layer(&self, l: usize, layout: Layout, meta: &Buf, b: &Activations, slots: &Slots) -> Result<()> {
        let (config, layer) = (self.config, &self.weights.layers[l]);
        let (t, m, e, n, r) = (layout.tokens, config.d_model, config.d_inner, config.d_state, config.dt_rank);
        let width = r + 2 * n;
        let product = |w: &Buf, n_out: usize, n_in: usize, input: &Buf, stride: usize, out: &Buf| Product {
            w: w.at(0),
            n_out,
            n_in,
            rows: t,
            input: input.at(0),
            stride,
            out: out.at(0),
        };
        let p = |buf: &Buf| Arg::Ptr(buf.at(0));
        let [h_stride, window_stride, sum_stride] = slots.strides();
        let h = Arg::Ptr(slots.h.at(l * e * n * 4));
        let window = Arg::Ptr(slots.window.at(l * e * (config.d_conv - 1) * 4));
        let sums = Arg::Ptr(slots.sums.at(l * e * 4));

        let norm = [p(&b.x), Arg::Ptr(0), p(&layer.norm), Arg::Float(config.norm_eps as f32), p(&b.normed)];
        self.launch("rms_norm", Grid::new(t, 1, 256), &norm)?;
        self.product("in_proj", product(&layer.in_proj, 2 * e, m, &b.normed, m, &b.xz), false, false)?;
        if let Some(bias) = &layer.in_bias {
            self.launch("add_bias", Grid::new((2 * e).div_ceil(256), t, 256), &[p(&b.xz), p(bias), Arg::Int(2 * e)])?;
        }
        let marks = Arg::Ptr(meta.at(layout.marks));
        let conv = [p(&b.xz), p(&b.u), p(&layer.taps), p(&layer.conv_bias), marks, window, Arg::Long(window_stride), Arg::Int(t)];
        let pair = if self.act() != Act::F32 && e.is_multiple_of(2) { 2 } else { 1 };
        let (name, together) = if t < 4 * layout.n_seqs { ("conv_short", 1) } else { ("conv", 8) };
        self.launch(name, Grid::new(e.div_ceil(128 * pair), t.div_ceil(together), 128), &conv)?;

        self.product("x_proj", product(&layer.x_proj, width, e, &b.u, e, &b.dbc), false, false)?;
        if let Some(eps) = config.mixer_norm_eps {
            self.launch("mixer_norms", Grid::new(t, 1, 32), &[p(&b.dbc), Arg::Float(eps as f32)])?;
        }
        self.product("dt_proj", product(&layer.dt_proj, e, r, &b.dbc, width, &b.dt), false, false)?;

        let (units, spans) = (Arg::Ptr(meta.at(layout.units)), Arg::Ptr(meta.at(layout.spans)));
        let shape = Shape::choose(config, layout.n_units, self.gpu.processors);
        let grid = Grid::new(e.div_ceil(shape.channels), layout.n_units, shape.threads);
        let scan = |mode: usize| {
            let io = [p(&b.xz), p(&b.u), p(&b.dt), p(&b.dbc), p(&b.y), p(&layer.a), p(&layer.d), p(&layer.dt_bias), units, spans];
            let states = [h, Arg::Long(h_stride), sums, Arg::Long(sum_stride), p(&b.seg_h), p(&b.seg_dt), p(&b.seg_dt0), Arg::Int(mode)];
            self.launch(shape.name, grid, &[&io[..], &states[..]].concat())
        };
        if t == layout.n_seqs && steps(n) {
            let io = [p(&b.xz), p(&b.u), p(&b.dt), p(&b.dbc), p(&b.y), p(&layer.a), p(&layer.d), p(&layer.dt_bias), marks];
            let states = [h, Arg::Long(h_stride), sums, Arg::Long(sum_stride)];
            self.launch("scan_step", Grid::new((e * n).div_ceil(1024), t, 256), &[&io[..], &states[..]].concat())?;
        } else if layout.n_chains == 0 {
            scan(0)?;
        } else {
            scan(1)?;
            let chains = Arg::Ptr(meta.at(layout.chains));
            let segments = [p(&b.seg_h), p(&b.seg_dt), p(&b.seg_dt0)];
            let args = [&[p(&layer.a), chains, h, Arg::Long(h_stride), sums, Arg::Long(sum_stride)][..], &segments[..]].concat();
            self.launch("join_segments", Grid::new((e * n).div_ceil(256), layout.n_chains, 256), &args)?;
            scan(2)?;
        }
        self.product("out_proj", product(&layer.out_proj, m, e, &b.y, e, &b.x), true, true)?;
        if let Some(bias) = &layer.out_bias {
            self.launch("add_bias_x", Grid::new(m.div_ceil(256), t, 256), &[p(&b.x), p(bias), Arg::Int(m)])?;
        }
        Ok(())
    }

    /// Enqueues the search for numbers that are not finite in what a chunk leaves behind:
    /// `flags[i]` for its i-th state.
    pub fn find_not_finite(&self, tables: &Tables, meta: &Buf, slots: &Slots, flags: &Buf) -> Result<()> {
        if tables.n_outs == 0 {
            return Ok(());
        }
        let [h_stride, window_stride, sum_stride] = slots.strides();
        self.gpu.zero(flags.at(0), 4 * tables.n_outs)?;
        let (h, window, sums) = (Arg::Ptr(slots.h.at(0)), Arg::Ptr(slots.window.at(0)), Arg::Ptr(slots.sums.at(0)));
        let args = [
            Arg::Ptr(meta.at(tables.outs)),
            h,
            Arg::Long(h_stride),
            window,
            Arg::Long(window_stride),
            sums,
            Arg::Long(sum_stride),
            Arg::Ptr(flags.at(0)),
        ];
        self.launch("find_not_finite", Grid::new(64, tables.n_outs, 256), &args)
    }

    /// Enqueues the logits of `count` rows of the residual, chosen by row numbers at `rows` (0: all
    /// in order), into `out`.
    pub fn head(&self, rows: u64, count: usize, acts: &Activations, out: u64) -> Result<()> {
        let config = self.config;
        let norm = [
            Arg::Ptr(acts.x.at(0)),
            Arg::Ptr(rows),
            Arg::Ptr(self.weights.norm_f.at(0)),
            Arg::Float(config.norm_eps as f32),
            Arg::Ptr(acts.normed.at(0)),
        ];
        self.launch("rms_norm", Grid::new(count, 1, 256), &norm)?;
        let (n_out, n_in) = (config.vocab_size, config.d_model);
        let product = Product { w: self.weights.head().at(0), n_out, n_in, rows: count, input: acts.normed.at(0), stride: n_in, out };
        self.product("head", product, true, false)
    }
}
