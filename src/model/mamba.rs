//! A Mamba-1 on the CPU: packed prefill of many prompts, and the batched single-token step.
//!
//! Prompts are laid end to end and run in chunks of tokens, so memory does not grow with their length and nothing is padded. All matrix
//! products of a chunk are dense; only the convolution and the scan look at where one prompt ends and the next begins.

use super::MambaConfig;
use super::cpu::conv::{ConvIo, conv_block};
use super::cpu::linear::{Linear, Rows};
use super::cpu::scan::{ScanIo, scan_block};
use super::cpu::{LANES, Shared, in_pool, math};
use super::weights::{Layer, Weightset};
use super::working::Working;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::state::{DecayRates, State, StateShape};
use candle_core::Device;
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

/// How a model is kept.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Where it computes.
    pub device: Device,
    /// Precision of the matrices.
    pub weights: WeightType,
}

/// Precision of the weight matrices in memory (sums are always f32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightType {
    /// As the file has them.
    AsStored,
    /// 32-bit floats.
    F32,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    BF16,
}

/// One text to read.
#[derive(Clone, Copy)]
pub struct Prompt<'a> {
    /// Token ids.
    pub tokens: &'a [u32],
    /// The state to start from; `None` is the empty one.
    pub initial: Option<&'a State>,
    /// Token counts, strictly ascending within 1..=len, after which the state is kept too.
    pub snapshots: &'a [usize],
    /// What is wanted besides the states.
    pub want: Want<'a>,
}

/// What is wanted of a prompt besides its final state.
#[derive(Clone, Copy)]
pub enum Want<'a> {
    /// Nothing.
    State,
    /// The logits after the last token.
    LastLogits,
    /// The logits after each of these tokens (indices, strictly ascending).
    LogitsAt(&'a [usize]),
    /// ln p(tokens\[i\] | tokens before) for i = 1.., without keeping any logits.
    LogProbs,
}

/// What reading a prompt gave.
#[derive(Clone, Debug)]
pub struct Prefilled {
    /// The state after the last token. Its ΣΔ and token count include the initial state's.
    pub state: State,
    /// The states asked for.
    pub snapshots: Vec<State>,
    /// The logits asked for, each `[vocab]`.
    pub logits: Vec<Vec<f32>>,
    /// The log-probabilities asked for, `tokens.len() - 1` of them.
    pub logprobs: Vec<f32>,
}

/// A Mamba-1 model.
pub struct Mamba {
    weights: Weightset,
    rates: DecayRates,
    device: Device,
    /// Work space of runs that have ended, to be used again.
    spare: Mutex<Vec<Buffers>>,
    /// Nanoseconds spent in matrix products so far.
    products: AtomicU64,
}

/// A stretch of one sequence within a chunk; it ends where the sequence, the chunk, or the way to a snapshot does.
struct Span {
    /// Index of the working state.
    seq: usize,
    from: usize,
    to: usize,
    /// Where the state after the last token of the span is kept.
    keep: Option<usize>,
}

/// A row of the chunk whose logits are looked at.
struct Look {
    row: usize,
    prompt: usize,
    /// The token whose log-probability is wanted, or `None` for the logits themselves.
    target: Option<u32>,
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

impl Mamba {
    /// Loads the weights.
    ///
    /// # Errors
    /// [`Error::Model`] naming the tensor that is missing or has the wrong shape; [`Error::Cancelled`].
    pub fn load(config: MambaConfig, tensors: &dyn super::TensorSource, options: &LoadOptions, control: Control<'_>) -> Result<Self> {
        let (weights, a) = Weightset::load(config, tensors, options.weights, control)?;
        let rates = DecayRates::new(weights.config.shape(), a)?;
        Ok(Self { weights, rates, device: options.device.clone(), spare: Mutex::default(), products: AtomicU64::new(0) })
    }

    /// The configuration.
    pub fn config(&self) -> &MambaConfig {
        &self.weights.config
    }

    /// Sizes of a state.
    pub fn shape(&self) -> StateShape {
        self.config().shape()
    }

    /// `A` of all layers.
    pub fn rates(&self) -> &DecayRates {
        &self.rates
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
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

    /// Reads prompts. Progress is reported in tokens after every chunk; the listener may use this model itself.
    ///
    /// # Errors
    /// [`Error::Input`] for a token the model lacks, snapshots or positions out of order, or logits wanted of an empty prompt;
    /// [`Error::Mismatch`] for an initial state of another shape or numbers that are not finite; [`Error::Cancelled`].
    pub fn prefill(&self, prompts: &[Prompt<'_>], control: Control<'_>) -> Result<Vec<Prefilled>> {
        self.check(prompts)?;
        let total: usize = prompts.iter().map(|p| p.tokens.len()).sum();
        let mut buffers = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut run = Run::new(self, prompts);
        let mut done = 0;
        while let Some(chunk) = run.next_chunk() {
            control.check()?;
            self.forward(&chunk.tokens, &chunk.spans, &mut run.working, &mut run.kept, &mut buffers);
            self.look(&chunk.looks, &mut buffers, &mut run.results);
            run.finish_chunk(&chunk)?;
            done += chunk.tokens.len();
            control.report(done as u64, total as u64, "tokens");
        }
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffers);
        run.into_results()
    }

    fn check(&self, prompts: &[Prompt<'_>]) -> Result<()> {
        let vocab = self.config().vocab_size;
        for prompt in prompts {
            let n = prompt.tokens.len();
            if let Some(token) = prompt.tokens.iter().find(|t| **t as usize >= vocab) {
                return Err(Error::Input(format!("token {token} is not in the model's vocabulary of {vocab}")));
            }
            let ascending = |at: &[usize], lowest: usize, highest: usize| {
                at.windows(2).all(|w| w[0] < w[1]) && at.first().is_none_or(|f| *f >= lowest) && at.last().is_none_or(|l| *l <= highest)
            };
            if !ascending(prompt.snapshots, 1, n) {
                return Err(Error::Input(format!("snapshots must ascend between 1 and {n} tokens, but are {:?}", prompt.snapshots)));
            }
            match prompt.want {
                Want::LastLogits if n == 0 => return Err(Error::Input("an empty prompt has no next token".into())),
                Want::LogitsAt(at) if n == 0 && !at.is_empty() || !at_ok(prompt.want, n) => {
                    return Err(Error::Input(format!("logits are wanted at {at:?}, which do not ascend within {n} tokens")));
                }
                _ => {}
            }
            if let Some(state) = prompt.initial.filter(|s| s.shape() != self.shape()) {
                return Err(Error::Mismatch(format!("the state has {}, the model {}", state.shape(), self.shape())));
            }
        }
        Ok(())
    }

    /// Runs one chunk through all layers; `buffers.x` holds the last residual.
    fn forward(&self, tokens: &[u32], spans: &[Span], working: &mut [Working], kept: &mut [Working], buffers: &mut Buffers) {
        let config = self.config();
        let (t, m, e) = (tokens.len(), config.d_model, config.d_inner);
        buffers.x.resize(t * m, 0.0);
        for (row, &token) in buffers.x.chunks_exact_mut(m).zip(tokens) {
            self.weights.embed(token, row);
        }
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
        math::rms_norm(&b.x[..t * m], &layer.norm, config.norm_eps, &mut b.normed);
        self.product(&layer.in_proj, Rows { data: &b.normed, stride: m, count: t }, &mut b.xz[..t * 2 * e], false);

        let states: Vec<Cells> = working.iter_mut().map(|w| Cells::of(w, l)).collect();
        let kept: Vec<Cells> = kept.iter_mut().map(|w| Cells::of(w, l)).collect();
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
                    let scale = math::rms_scale(part, eps);
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
    fn look(&self, looks: &[Look], buffers: &mut Buffers, results: &mut [Partial]) {
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
                    Some(p) => results[look.prompt].logprobs.push(p),
                    None => results[look.prompt].logits.push(logits.to_vec()),
                }
            }
        }
    }

    /// The output head of a few rows, into `buffers.logits`.
    fn head(&self, rows: &[&[f32]], buffers: &mut Buffers) {
        let (m, vocab) = (self.config().d_model, self.config().vocab_size);
        let packed = rows.concat();
        let mut normed = vec![0.0; packed.len()];
        math::rms_norm(&packed, &self.weights.norm_f, self.config().norm_eps, &mut normed);
        buffers.logits.resize(rows.len() * vocab, 0.0);
        let x = Rows { data: &normed, stride: m, count: rows.len() };
        self.product(self.weights.head(), x, &mut buffers.logits, false);
    }

    /// A decoder that continues from these states, one token each at a time.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for a state of another shape.
    pub fn decoder(&self, states: &[&State]) -> Result<Decoder<'_>> {
        if let Some(state) = states.iter().find(|s| s.shape() != self.shape()) {
            return Err(Error::Mismatch(format!("the state has {}, the model {}", state.shape(), self.shape())));
        }
        let spans = (0..states.len()).map(|seq| Span { seq, from: seq, to: seq + 1, keep: None }).collect();
        let working = states.iter().map(|s| Working::from_state(s)).collect();
        Ok(Decoder { model: self, working, spans, buffers: Buffers::default() })
    }
}

fn at_ok(want: Want<'_>, n: usize) -> bool {
    match want {
        Want::LogitsAt(at) => at.windows(2).all(|w| w[0] < w[1]) && at.last().is_none_or(|l| *l < n),
        _ => true,
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
struct Cells([Shared; 3]);

impl Cells {
    fn of(working: &mut Working, layer: usize) -> Self {
        let [h, window, dt_sum] = working.layer(layer);
        Self([Shared::new(h), Shared::new(window), Shared::new(dt_sum)])
    }

    /// SSM state, window and ΣΔ of one block.
    ///
    /// # Safety
    /// No other thread touches the same block meanwhile.
    #[allow(clippy::mut_from_ref)] // what `Shared` is for
    unsafe fn block(&self, block: usize, sizes: [usize; 3]) -> [&mut [f32]; 3] {
        // SAFETY: blocks lie one after the other in each part; the rest is promised by the caller.
        std::array::from_fn(|i| unsafe { self.0[i].part(block * sizes[i], sizes[i]) })
    }
}

/// Continues from states, one token each at a time.
pub struct Decoder<'a> {
    model: &'a Mamba,
    working: Vec<Working>,
    spans: Vec<Span>,
    buffers: Buffers,
}

impl Decoder<'_> {
    /// Sequences.
    pub fn batch(&self) -> usize {
        self.working.len()
    }

    /// Reads one token in each sequence and returns the logits after it, `[batch, vocab]`.
    ///
    /// # Errors
    /// [`Error::Input`] if there are not as many tokens as sequences, or one is not in the vocabulary.
    pub fn step(&mut self, tokens: &[u32]) -> Result<&[f32]> {
        let (m, vocab) = (self.model.config().d_model, self.model.config().vocab_size);
        if tokens.len() != self.batch() {
            return Err(Error::Input(format!("{} tokens for {} sequences", tokens.len(), self.batch())));
        }
        if let Some(token) = tokens.iter().find(|t| **t as usize >= vocab) {
            return Err(Error::Input(format!("token {token} is not in the model's vocabulary of {vocab}")));
        }
        self.model.forward(tokens, &self.spans, &mut self.working, &mut [], &mut self.buffers);
        self.working.iter_mut().for_each(|w| w.tokens += 1);
        let x = std::mem::take(&mut self.buffers.x);
        let rows: Vec<&[f32]> = x.chunks_exact(m).collect();
        self.model.head(&rows, &mut self.buffers);
        drop(rows);
        self.buffers.x = x;
        Ok(&self.buffers.logits)
    }

    /// The state of one sequence.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if its numbers are not finite.
    pub fn state(&self, i: usize) -> Result<State> {
        self.working[i].to_state()
    }
}

#[derive(Default)]
struct Partial {
    state: Option<State>,
    snapshots: Vec<State>,
    logits: Vec<Vec<f32>>,
    logprobs: Vec<f32>,
}

struct Chunk {
    tokens: Vec<u32>,
    spans: Vec<Span>,
    looks: Vec<Look>,
    /// Prompts that end in this chunk, with the index of their working state.
    ended: Vec<(usize, usize)>,
    /// For each kept state: the prompt it belongs to.
    kept_of: Vec<usize>,
}

/// A packed prefill under way: cuts the prompts into chunks and collects what comes out.
struct Run<'a> {
    prompts: &'a [Prompt<'a>],
    shape: StateShape,
    /// Next token: prompt and position in it.
    at: (usize, usize),
    working: Vec<Working>,
    kept: Vec<Working>,
    results: Vec<Partial>,
}

impl<'a> Run<'a> {
    fn new(model: &Mamba, prompts: &'a [Prompt<'a>]) -> Self {
        let mut results: Vec<Partial> = prompts.iter().map(|_| Partial::default()).collect();
        for (result, prompt) in results.iter_mut().zip(prompts).filter(|(_, p)| p.tokens.is_empty()) {
            result.state = Some(prompt.initial.cloned().unwrap_or_else(|| State::zeros(model.shape())));
        }
        Self { prompts, shape: model.shape(), at: (0, 0), working: Vec::new(), kept: Vec::new(), results }
    }

    /// The next tokens; `working` holds one state for each prompt in it, the first perhaps carried over.
    fn next_chunk(&mut self) -> Option<Chunk> {
        let mut chunk = Chunk { tokens: Vec::new(), spans: Vec::new(), looks: Vec::new(), ended: Vec::new(), kept_of: Vec::new() };
        while chunk.tokens.len() < CHUNK {
            let (p, start) = self.at;
            let Some(prompt) = self.prompts.get(p) else { break };
            if prompt.tokens.is_empty() {
                self.at = (p + 1, 0);
                continue;
            }
            if start == 0 {
                self.working.push(prompt.initial.map_or_else(|| Working::zeros(self.shape), Working::from_state));
            }
            let seq = self.working.len() - 1;
            let end = prompt.tokens.len().min(start + CHUNK - chunk.tokens.len());
            self.add_spans(&mut chunk, seq, p, start, end);
            self.working[seq].tokens += (end - start) as u64;
            chunk.tokens.extend_from_slice(&prompt.tokens[start..end]);
            if end == prompt.tokens.len() {
                chunk.ended.push((p, seq));
                self.at = (p + 1, 0);
            } else {
                self.at = (p, end);
            }
        }
        (!chunk.tokens.is_empty()).then_some(chunk)
    }

    fn add_spans(&mut self, chunk: &mut Chunk, seq: usize, p: usize, start: usize, end: usize) {
        let prompt = &self.prompts[p];
        let row = |token: usize| chunk_row(chunk.tokens.len(), start, token);
        let before = self.working[seq].tokens - start as u64;
        let mut from = start;
        for &cut in prompt.snapshots.iter().filter(|&&cut| cut > start && cut <= end) {
            let mut kept = Working::zeros(self.shape);
            kept.tokens = before + cut as u64;
            chunk.spans.push(Span { seq, from: row(from), to: row(cut), keep: Some(self.kept.len()) });
            self.kept.push(kept);
            chunk.kept_of.push(p);
            from = cut;
        }
        if from < end {
            chunk.spans.push(Span { seq, from: row(from), to: row(end), keep: None });
        }
        let n = prompt.tokens.len();
        let look = |token: usize, target: Option<u32>| Look { row: row(token), prompt: p, target };
        match prompt.want {
            Want::State => {}
            Want::LastLogits => chunk.looks.extend((end == n).then(|| look(n - 1, None))),
            Want::LogitsAt(at) => chunk.looks.extend(at.iter().filter(|&&i| i >= start && i < end).map(|&i| look(i, None))),
            Want::LogProbs => chunk.looks.extend((start..end.min(n - 1)).map(|i| look(i, Some(prompt.tokens[i + 1])))),
        }
    }

    /// Takes out what is finished; the state of a prompt that goes on stays.
    fn finish_chunk(&mut self, chunk: &Chunk) -> Result<()> {
        for (kept, p) in self.kept.drain(..).zip(&chunk.kept_of) {
            self.results[*p].snapshots.push(kept.to_state()?);
        }
        for (p, seq) in &chunk.ended {
            self.results[*p].state = Some(self.working[*seq].to_state()?);
        }
        self.working.drain(..chunk.ended.len());
        Ok(())
    }

    fn into_results(self) -> Result<Vec<Prefilled>> {
        let whole = |r: Partial| {
            let state = r.state.ok_or_else(|| Error::Model("a prompt was not run to its end".into()))?;
            Ok(Prefilled { state, snapshots: r.snapshots, logits: r.logits, logprobs: r.logprobs })
        };
        self.results.into_iter().map(whole).collect()
    }
}

fn chunk_row(rows_before: usize, start: usize, token: usize) -> usize {
    rows_before + token - start
}
