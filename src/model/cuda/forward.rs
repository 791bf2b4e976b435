//! One chunk through all layers: what is enqueued, in order, and the tables the kernels read.

use super::gpu::{Act, Arg, Gpu, Grid, Kernels, Product, failed};
use super::graph::Recordings;
use super::memory::Buf;
use super::space::{Activations, SEGMENTS, Slots};
use super::weights::Weights;
use crate::error::Result;
use crate::model::MambaConfig;
use crate::model::plan::{Chunk, Span};
use candle_core::cuda_backend::cudarc::driver::CudaEvent;
use std::ops::Range;

/// Layers recorded together.
const RECORDED: usize = 16;
/// Tokens of a segment at least.
const SEGMENT: usize = 128;

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
    /// Milliseconds and launches by name, the longest first. Everything enqueued has been waited for.
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

/// Which slots a sequence of a chunk begins and ends in, and where its snapshots go.
pub struct Places {
    /// By sequence: the slot it starts from, if not from nothing; the slot it ends in.
    pub seqs: Vec<(Option<usize>, usize)>,
    /// By snapshot.
    pub kept: Vec<usize>,
}

/// What the kernels are told of a chunk, as one array of whole numbers that is copied to the card in one piece.
pub struct Tables {
    pub numbers: Vec<i32>,
    pub layout: Layout,
    pub looks: usize,
    pub targets: usize,
    /// Slots of what the chunk leaves behind: snapshots, then last states.
    outs: usize,
    n_outs: usize,
}

/// Where the layers find their tables, in bytes, and how many there are of what: all that their launches depend on beside addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    tokens: usize,
    ids: usize,
    marks: usize,
    units: usize,
    spans: usize,
    chains: usize,
    n_units: usize,
    n_seqs: usize,
    /// Sequences that are cut into segments; 0 where each runs in one piece.
    n_chains: usize,
}

impl Layout {
    /// Tokens of the chunk.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Where the token numbers lie.
    pub fn ids(&self) -> usize {
        self.ids
    }
}

impl Tables {
    /// The tables of a chunk whose states lie in these places. `processors`: the card's, to judge whether sequences alone can fill it.
    pub fn new(chunk: &Chunk, places: &Places, config: &MambaConfig, processors: usize) -> Self {
        let mut pieces: Vec<Vec<Span>> = vec![Vec::new(); chunk.seqs.len()];
        for span in &chunk.spans {
            pieces[span.seq].push(*span);
        }
        let length = segment_length(chunk, config, processors);
        let (mut units, mut spans, mut chains) = (Vec::new(), Vec::new(), Vec::new());
        let slot = |s: Option<usize>| s.map_or(-1, |s| s as i32);
        for (pieces, &(from, to)) in pieces.iter().zip(&places.seqs) {
            let first = units.len() as i32 / 4;
            let start = pieces.first().map_or(0, |s| s.from);
            let mut left: Vec<Span> = pieces.clone();
            let mut cut = start + length.unwrap_or(usize::MAX - start);
            while !left.is_empty() {
                let begin = spans.len() as i32 / 4;
                let mut rest = Vec::new();
                for span in left {
                    if span.from < cut {
                        let keep = if span.to <= cut { span.keep } else { None };
                        spans.extend([span.from as i32, span.to.min(cut) as i32, slot(keep.map(|k| places.kept[k])), 0]);
                    }
                    if span.to > cut {
                        rest.push(Span { from: span.from.max(cut), ..span });
                    }
                }
                // Only the last unit of a sequence leaves its state in the slot.
                units.extend([begin, spans.len() as i32 / 4, slot(from), if rest.is_empty() { to as i32 } else { -1 }]);
                left = rest;
                cut = cut.saturating_add(length.unwrap_or(0));
            }
            chains.extend([first, units.len() as i32 / 4, slot(from), 0]);
        }
        let mut marks = Vec::with_capacity(4 * chunk.tokens.len());
        for (pieces, &(from, to)) in pieces.iter().zip(&places.seqs) {
            let (start, end) = (pieces.first().map_or(0, |s| s.from), pieces.last().map_or(0, |s| s.to));
            for span in pieces {
                for t in span.from..span.to {
                    let keep = span.keep.filter(|_| t + 1 == span.to).map(|k| places.kept[k]);
                    marks.extend([slot(from), (t - start) as i32, if t + 1 == end { to as i32 } else { -1 }, slot(keep)]);
                }
            }
        }
        let (n_units, n_chains) = (units.len() / 4, if length.is_some() { chains.len() / 4 } else { 0 });
        let mut numbers: Vec<i32> = Vec::new();
        let mut add = |part: Vec<i32>| {
            // Four numbers are read at once: parts begin at 16 bytes.
            numbers.resize(numbers.len().next_multiple_of(4), 0);
            let at = numbers.len() * 4;
            numbers.extend(part);
            at
        };
        let marks = add(marks);
        let (units, spans, chains) = (add(units), add(spans), add(chains));
        let ids = add(chunk.tokens.iter().map(|&t| t as i32).collect());
        let looks = add(chunk.looks.iter().map(|l| l.row as i32).collect());
        let targets = add(chunk.looks.iter().map(|l| l.target.unwrap_or(0) as i32).collect());
        let ended = chunk.seqs.iter().zip(&places.seqs).filter(|(s, _)| s.ends).map(|(_, &(_, to))| to);
        let all_outs: Vec<i32> = places.kept.iter().copied().chain(ended).map(|s| s as i32).collect();
        let n_outs = all_outs.len();
        let outs = add(all_outs);
        let (tokens, n_seqs) = (chunk.tokens.len(), chunk.seqs.len());
        let layout = Layout { tokens, ids, marks, units, spans, chains, n_units, n_seqs, n_chains };
        Self { numbers, layout, looks, targets, outs, n_outs }
    }

    /// Slots of what the chunk leaves behind: snapshots, then last states.
    pub fn outs(&self) -> &[i32] {
        &self.numbers[self.outs / 4..][..self.n_outs]
    }

    /// Numbers that a chunk of so many tokens can need at most: marks, a span, a unit, a chain, an id, a look, a target and two states a token, the parts' rounding, segments.
    pub fn most(tokens: usize) -> usize {
        (4 + 4 + 4 + 4 + 3 + 2) * tokens + 12 * SEGMENTS + 64
    }
}

/// Into how long segments sequences are cut so that few channels fill the card; `None` where they do without. Cutting costs a second pass over all but the last
/// segment, so it must at least double the threads at work.
fn segment_length(chunk: &Chunk, config: &MambaConfig, processors: usize) -> Option<usize> {
    let blocks = chunk.seqs.len() * config.d_inner.div_ceil(Shape::of("scan_1", 1, config.d_state).channels);
    let longest = chunk.seqs.iter().map(|s| s.to - s.from).max().unwrap_or(0);
    // One block a multiprocessor is about what its schedulers need to be busy.
    let wanted = (2 * processors / blocks.max(1)).min(SEGMENTS / chunk.seqs.len().max(1));
    let pieces = wanted.min(longest / SEGMENT);
    (pieces >= 4).then(|| longest.div_ceil(pieces).next_multiple_of(32))
}

/// How the scan is laid over the card: as in the kernels' `Shape`.
#[derive(Clone, Copy)]
struct Shape {
    name: &'static str,
    /// Channels and threads of a block.
    channels: usize,
    threads: usize,
}

impl Shape {
    /// With a number of channels for each thread.
    fn of(name: &'static str, each: usize, d_state: usize) -> Self {
        let padded = d_state.next_power_of_two().max(4);
        let lanes = padded / 4.max(padded / 16);
        Self { name, channels: 32, threads: 32 * lanes / each }
    }

    /// Two channels a thread do less in all, if that leaves a multiprocessor sixteen warps (measured: with ten, one channel is a fifth faster).
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

    /// Enqueues a chunk whose tables lie on the card at `meta`; `acts.x` will hold the last residual. A short one that came before is recorded, if there is a place for
    /// recordings, which belong to this memory. After layers have been enqueued, `after` is told.
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

    /// Enqueues the search for numbers that are not finite in what a chunk leaves behind: `flags[i]` for its i-th state.
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

    /// Enqueues the logits of `count` rows of the residual, chosen by row numbers at `rows` (0: all in order), into `out`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::Plan;
    use crate::model::{Prompt, Want};

    fn config(d_inner: usize) -> MambaConfig {
        let json = format!(r#"{{"d_model": {}, "n_layer": 1, "vocab_size": 64}}"#, d_inner / 2);
        MambaConfig::from_json(&json, "test").unwrap_or_else(|e| panic!("{e}"))
    }

    /// Every token is in exactly one unit, in order; snapshots survive the cutting; only the last unit of a sequence writes its slot.
    #[test]
    fn segments_cover_every_token_and_snapshot_once() {
        let texts: Vec<Vec<u32>> = [2000, 3, 700].iter().map(|&n| vec![1; n]).collect();
        let cuts = [1, 128, 129, 1999];
        let prompts: Vec<Prompt<'_>> = texts
            .iter()
            .enumerate()
            .map(|(i, t)| Prompt { tokens: t, initial: None, snapshots: if i == 0 { &cuts } else { &[] }, want: Want::State })
            .collect();
        for (d_inner, cut) in [(64, true), (8192, false)] {
            let Some(chunk) = Plan::new(&prompts, 4096, 100).next_chunk() else { panic!("a chunk") };
            let places = Places { seqs: (0..3).map(|s| ((s == 1).then_some(9), s)).collect(), kept: (10..14).collect() };
            let tables = Tables::new(&chunk, &places, &config(d_inner), 132);
            let layout = tables.layout;
            assert_eq!(layout.n_chains > 0, cut, "{d_inner}");
            assert!(tables.numbers.len() <= Tables::most(chunk.tokens.len()) && layout.n_units <= SEGMENTS.max(3));
            let four = |at: usize, i: usize| &tables.numbers[at / 4 + 4 * i..][..4];
            let (mut next, mut kept, mut ends) = (0, Vec::new(), Vec::new());
            for unit in 0..layout.n_units {
                let &[from, to, _, out] = four(layout.units, unit) else { panic!("a unit") };
                for span in from..to {
                    let &[begin, end, keep, _] = four(layout.spans, span as usize) else { panic!("a span") };
                    assert!(begin == next && end > begin);
                    next = end;
                    kept.extend((keep >= 0).then_some((end, keep)));
                }
                ends.extend((out >= 0).then_some((next, out)));
            }
            assert_eq!(next, 2703);
            assert_eq!(kept, [(1, 10), (128, 11), (129, 12), (1999, 13)]);
            assert_eq!(ends, [(2000, 0), (2003, 1), (2703, 2)]);
            assert_eq!(four(layout.marks, 2001), [9, 1, -1, -1]);
            assert_eq!(four(layout.marks, 2702), [-1, 699, 2, -1]);
        }
    }
}
