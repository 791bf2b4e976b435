//! A Mamba-1 on the CPU: packed prefill of many prompts, and the batched single-token step.
//!
//! Prompts are laid end to end and run in chunks of tokens, so memory does not grow with their length and nothing is padded. All matrix
//! products of a chunk are dense; only the convolution and the scan look at where one prompt ends and the next begins.

use super::conv::{ConvIo, conv_block};
use super::in_pool;
use super::scan::{ScanIo, scan_block};
use super::weights::{Layer, Weightset};
use super::working::Working;
use crate::control::Control;
use crate::error::Result;
use crate::model::plan::{Chunk, Look, Plan, Results, Span};
use crate::model::{MambaConfig, Prefilled, Prompt, TensorSource, WeightType};
use crate::simd::{LANES, Linear, Rows, Shared, rms_norm, rms_scale};
use crate::state::{Layout, State};
use rayon::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Tokens run together. Bounds memory, and how long an urgent request waits behind a long one (about 20 ms with the bundled model on two cores).
pub const CHUNK: usize = 256;
/// Rows of logits computed together.
const LOGIT_ROWS: usize = 32;
/// Channel blocks × tokens below which a pass is not worth waking other threads for.
const SERIAL: usize = 512;

/// States of one chunk at most: more than a chunk has tokens is never needed, and memory for them is no concern here.
const STATES: usize = 4 * CHUNK;

/// The weights and work space of a model.
pub struct Model {
    weights: Weightset,
    /// Work space of runs that have ended, to be used again.
    spare: Mutex<Vec<Buffers>>,
    /// Nanoseconds spent in matrix products so far.
    products: AtomicU64,
}

#[derive(Default)]
struct Buffers {
    x: Vec<f32>,
    normed: Vec<f32>,
    xz: Vec<f32>,
    u: Vec<f32>,
    dbc: Vec<f32>,
    dt: Vec<f32>,
    y: Vec<f32>,
    logits: Vec<f32>,
}

impl Model {
    /// Loads the weights; also gives `A` of all layers, `[n_layer, d_inner, d_state]`.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] naming the tensor that is missing or has the wrong shape; [`crate::error::Error::Cancelled`].
    pub fn load(config: &MambaConfig, tensors: &dyn TensorSource, kind: WeightType, control: Control<'_>) -> Result<(Self, Vec<f32>)> {
        let (weights, a) = Weightset::load(config.clone(), tensors, kind, control)?;
        Ok((Self { weights, spare: Mutex::default(), products: AtomicU64::new(0) }, a))
    }

    fn config(&self) -> &MambaConfig {
        &self.weights.config
    }

    fn shape(&self) -> Layout {
        self.config().shape()
    }

    /// Time spent in matrix products so far, by all callers: what the benchmarks compare the whole with.
    pub fn time_in_products(&self) -> Duration {
        Duration::from_nanos(self.products.load(Ordering::Relaxed))
    }

    fn product(&self, linear: &Linear, x: Rows<'_>, out: &mut [f32], accumulate: bool) {
        let began = Instant::now();
        linear.forward(x, out, accumulate);
        self.products.fetch_add(began.elapsed().as_nanos() as u64, Ordering::Relaxed);
    }

    /// Bytes of weights that one token reads.
    pub fn bytes_per_token(&self) -> usize {
        self.weights.bytes()
    }

    /// Reads prompts that have been checked.
    ///
    /// # Errors
    /// [`crate::error::Error::Mismatch`] for states that are not finite; [`crate::error::Error::Cancelled`].
    pub fn prefill(&self, prompts: &[Prompt<'_>], control: Control<'_>) -> Result<Vec<Prefilled>> {
        let mut plan = Plan::new(prompts, CHUNK, STATES);
        let mut results = Results::new(prompts, self.shape());
        let mut buffers = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        // One state a sequence; at most the first is carried over from the chunk before.
        let mut working: Vec<Working> = Vec::new();
        let (mut done, total) = (0, plan.total() as u64);
        while let Some(chunk) = plan.next_chunk() {
            control.check()?;
            for seq in chunk.seqs.iter().filter(|s| s.begins) {
                working.push(prompts[seq.prompt].initial.map_or_else(|| Working::zeros(self.shape()), Working::from_state));
            }
            let mut kept = self.snapshots(&chunk, &working);
            self.forward(&chunk.tokens, &chunk.spans, &mut working, &mut kept, &mut buffers);
            self.look(&chunk.looks, &mut buffers, &mut results);
            for (kept, of) in kept.iter().zip(&chunk.kept) {
                results.kept(chunk.seqs[of.seq].prompt, kept.to_state()?);
            }
            for (seq, working) in chunk.seqs.iter().zip(&mut working) {
                working.tokens += (seq.to - seq.from) as u64;
                if seq.ends {
                    results.ended(seq.prompt, working.to_state()?);
                }
            }
            working.drain(..chunk.seqs.iter().filter(|s| s.ends).count());
            done += chunk.tokens.len() as u64;
            control.report(done, total, "tokens");
        }
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        results.finish()
    }

    /// Places for the snapshots of a chunk that is about to run.
    fn snapshots(&self, chunk: &Chunk, working: &[Working]) -> Vec<Working> {
        let mut kept: Vec<Working> = chunk.kept.iter().map(|_| Working::zeros(self.shape())).collect();
        for span in &chunk.spans {
            if let Some(keep) = span.keep {
                kept[keep].tokens = working[span.seq].tokens + (span.to - chunk.seqs[span.seq].from) as u64;
            }
        }
        kept
    }

    /// Runs one chunk through all layers; `buffers.x` holds the last residual.
    fn forward(&self, tokens: &[u32], spans: &[Span], working: &mut [Working], kept: &mut [Working], buffers: &mut Buffers) {
        let config = self.config();
        let (t, m, e) = (tokens.len(), config.d_model, config.d_inner);
        buffers.x.resize(t * m, 0.0);
        let dbc = config.dt_rank + 2 * config.d_state;
        for (buffer, width) in [
            (&mut buffers.normed, m),
            (&mut buffers.xz, 2 * e),
            (&mut buffers.u, e),
            (&mut buffers.dbc, dbc),
            (&mut buffers.dt, e),
            (&mut buffers.y, e),
        ] {
            if buffer.len() < t * width {
                buffer.resize(t * width, 0.0);
            }
        }
        in_pool(|| {
            // A row of the panels lies scattered over as many cache lines as it has numbers, so it takes a while.
            buffers.x.par_chunks_exact_mut(m).zip(tokens).for_each(|(row, &token)| self.weights.embed(token, row));
            for (l, layer) in self.weights.layers.iter().enumerate() {
                self.layer(l, layer, t, spans, working, kept, buffers);
            }
        });
    }

    #[allow(clippy::too_many_arguments)]
    fn layer(&self, l: usize, layer: &Layer, t: usize, spans: &[Span], working: &mut [Working], kept: &mut [Working], b: &mut Buffers) {
        let config = self.config();
        let (m, e, n, r) = (config.d_model, config.d_inner, config.d_state, config.dt_rank);
        let blocks = e.div_ceil(LANES);
        let width = r + 2 * n;
        rms_norm(&b.x[..t * m], &layer.norm, config.norm_eps, &mut b.normed);
        self.product(&layer.in_proj, Rows { data: &b.normed, stride: m, count: t }, &mut b.xz[..t * 2 * e], false);

        let states: Vec<Cells<'_>> = working.iter_mut().map(|w| Cells::of(w, l)).collect();
        let kept: Vec<Cells<'_>> = kept.iter_mut().map(|w| Cells::of(w, l)).collect();
        let sizes = [n * LANES, (config.d_conv - 1) * LANES, LANES];
        let io = ConvIo { xz: &b.xz, stride: 2 * e, u: Shared::new(&mut b.u), d_inner: e };
        each_block(blocks, t, &|block| {
            for span in spans {
                // SAFETY: block `block` of every state and kept state belongs to this call alone.
                let [_, window, _] = unsafe { states[span.seq].block(block, sizes) };
                conv_block(&layer.conv, io, block, span.from, span.to, window);
                if let Some(keep) = span.keep {
                    // SAFETY: as above.
                    let [_, kept, _] = unsafe { kept[keep].block(block, sizes) };
                    kept.copy_from_slice(window);
                }
            }
        });

        self.product(&layer.x_proj, Rows { data: &b.u, stride: e, count: t }, &mut b.dbc[..t * width], false);
        if let Some(eps) = config.mixer_norm_eps {
            for row in b.dbc[..t * width].chunks_exact_mut(width) {
                let (dt, bc) = row.split_at_mut(r);
                let (b, c) = bc.split_at_mut(n);
                for part in [dt, b, c] {
                    let scale = rms_scale(part, eps);
                    part.iter_mut().for_each(|v| *v *= scale);
                }
            }
        }
        self.product(&layer.dt_proj, Rows { data: &b.dbc, stride: width, count: t }, &mut b.dt[..t * e], false);

        let io = ScanIo {
            u: &b.u,
            dt: &b.dt,
            bc: &b.dbc[r..],
            bc_stride: width,
            xz: &b.xz,
            xz_stride: 2 * e,
            z_at: e,
            y: Shared::new(&mut b.y),
            d_inner: e,
        };
        each_block(blocks, t, &|block| {
            for span in spans {
                // SAFETY: block `block` of every state and kept state belongs to this call alone.
                let [h, _, dt_sum] = unsafe { states[span.seq].block(block, sizes) };
                scan_block(&layer.scan, io, block, span.from, span.to, h, dt_sum);
                if let Some(keep) = span.keep {
                    // SAFETY: as above.
                    let [kept_h, _, kept_dt] = unsafe { kept[keep].block(block, sizes) };
                    kept_h.copy_from_slice(h);
                    kept_dt.copy_from_slice(dt_sum);
                }
            }
        });
        self.product(&layer.out_proj, Rows { data: &b.y, stride: e, count: t }, &mut b.x[..t * m], true);
    }

    /// Logits of the rows looked at, a block of rows at a time.
    fn look(&self, looks: &[Look], buffers: &mut Buffers, results: &mut Results) {
        let (m, vocab) = (self.config().d_model, self.config().vocab_size);
        for looks in looks.chunks(LOGIT_ROWS) {
            let x = std::mem::take(&mut buffers.x);
            let rows: Vec<&[f32]> = looks.iter().map(|look| &x[look.row * m..(look.row + 1) * m]).collect();
            self.head(&rows, buffers);
            drop(rows);
            buffers.x = x;
            let logits: Vec<&[f32]> = buffers.logits.chunks_exact(vocab).take(looks.len()).collect();
            let logprobs: Vec<Option<f32>> =
                looks.par_iter().zip(&logits).map(|(look, logits)| look.target.map(|t| log_softmax_at(logits, t))).collect();
            for ((look, logits), logprob) in looks.iter().zip(logits).zip(logprobs) {
                match logprob {
                    Some(p) => results.logprob(look, p),
                    None => results.logits(look, logits),
                }
            }
        }
    }

    /// The output head of a few rows, into `buffers.logits`.
    fn head(&self, rows: &[&[f32]], buffers: &mut Buffers) {
        let (m, vocab) = (self.config().d_model, self.config().vocab_size);
        let packed = rows.concat();
        let mut normed = vec![0.0; packed.len()];
        rms_norm(&packed, &self.weights.norm_f, self.config().norm_eps, &mut normed);
        buffers.logits.resize(rows.len() * vocab, 0.0);
        let x = Rows { data: &normed, stride: m, count: rows.len() };
        self.product(self.weights.head(), x, &mut buffers.logits, false);
    }

    /// A decoder that continues from these states, which have been checked.
    pub fn decoder(&self, states: &[&State]) -> Decoder<'_> {
        let spans = (0..states.len()).map(|seq| Span { seq, from: seq, to: seq + 1, keep: None }).collect();
        let working = states.iter().map(|s| Working::from_state(s)).collect();
        Decoder { model: self, working, spans, buffers: Buffers::default() }
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

/// ln softmax at one entry, the sum in f64.
fn log_softmax_at(logits: &[f32], token: u32) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from((l - max).exp())).sum();
    (f64::from(logits[token as usize] - max) - sum.ln()) as f32
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

/// Continues from states, one token each at a time.
pub struct Decoder<'a> {
    model: &'a Model,
    working: Vec<Working>,
    spans: Vec<Span>,
    buffers: Buffers,
}

impl Decoder<'_> {
    /// Reads one token in each sequence and returns the logits after it, `[batch, vocab]`.
    pub fn step(&mut self, tokens: &[u32]) -> &[f32] {
        let m = self.model.config().d_model;
        self.model.forward(tokens, &self.spans, &mut self.working, &mut [], &mut self.buffers);
        self.working.iter_mut().for_each(|w| w.tokens += 1);
        let x = std::mem::take(&mut self.buffers.x);
        let rows: Vec<&[f32]> = x.chunks_exact(m).collect();
        self.model.head(&rows, &mut self.buffers);
        drop(rows);
        self.buffers.x = x;
        &self.buffers.logits
    }

    /// The state of one sequence.
    ///
    /// # Errors
    /// [`crate::error::Error::Mismatch`] if its numbers are not finite.
    pub fn state(&self, i: usize) -> Result<State> {
        self.working[i].to_state()
    }
}
