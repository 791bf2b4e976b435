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

impl On<'_> {
    /// Enqueues a kernel.
    pub fn launch(&self, name: &'static str, grid: Grid, args: &[Arg]) -> Result<()> {
        self.timed(name, || self.gpu.launch(self.kernels, name, grid, args))
    }

    /// Enqueues a matrix product: into f32 or the model's precision, in place of what is there or
    /// added to it.
    pub fn product(&self, name: &'static str, product: Product, f32: bool, accumulate: bool) -> Result<()> {
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

    /// The precision of the weights and of what goes into matrix products.
    pub fn act(&self) -> Act {
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

    fn layer(&self, l: usize, layout: Layout, meta: &Buf, acts: &Activations, slots: &Slots) -> Result<()> {
        let layer = &self.weights.layers[l];
        let p = |buf: &Buf| Arg::Ptr(buf.at(0));
        let norm = [p(&acts.x), Arg::Ptr(0), p(&layer.norm), Arg::Float(self.config.norm_eps as f32), p(&acts.normed)];
        self.launch("rms_norm", Grid::new(layout.tokens, 1, 256), &norm)?;
        layer.mixer.forward(*self, l, layout, meta, acts, slots)
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
