//! A network on the CPU: packed prefill of many prompts, and the batched single-token step.
//!
//! Prompts are laid end to end and run in chunks of tokens, so memory does not grow with their
//! length and nothing is padded. All matrix products of a chunk are dense; only the convolution and
//! the scan look at where one prompt ends and the next begins.

use super::in_pool;
use super::mixer::{Space, Working};
use super::weights::{Products, Weightset};
use crate::control::Control;
use crate::error::Result;
use crate::model::plan::{Chunk, Look, Plan, Results, Span};
use crate::model::{MambaConfig, Prefilled, Prompt, TensorSource, WeightType};
use crate::simd::{Rows, rms_norm};
use crate::state::{Layout, State};
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Tokens run together. Bounds memory, and how long an urgent request waits behind a long one
/// (about 20 ms with the bundled model on two cores).
pub const CHUNK: usize = 256;
/// Rows of logits computed together.
const LOGIT_ROWS: usize = 32;
/// The most states of one chunk: more than it ever needs, as a token needs at most three, and
/// memory for them is no concern here.
const STATES: usize = 4 * CHUNK;

/// The weights and work space of a model.
pub struct Model {
    weights: Weightset,
    /// Work space of runs that have ended, for reuse.
    spare: Mutex<Vec<Buffers>>,
    products: Products,
}

#[derive(Default)]
struct Buffers {
    x: Vec<f32>,
    normed: Vec<f32>,
    space: Space,
    logits: Vec<f32>,
}

impl Model {
    /// Loads the weights; also gives `A` of all layers, `[n_layer, d_inner, d_state]`.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] naming the tensor that is missing or has the wrong shape;
    /// [`crate::error::Error::Cancelled`].
    pub fn load(config: &MambaConfig, tensors: &dyn TensorSource, kind: WeightType, control: Control<'_>) -> Result<(Self, Vec<f32>)> {
        let (weights, a) = Weightset::load(config.clone(), tensors, kind, control)?;
        Ok((Self { weights, spare: Mutex::default(), products: Products::default() }, a))
    }

    fn config(&self) -> &MambaConfig {
        &self.weights.config
    }

    fn shape(&self) -> Layout {
        self.config().shape()
    }

    /// Time spent in matrix products so far, by all callers; the benchmarks compare the total with
    /// it.
    pub fn time_in_products(&self) -> Duration {
        self.products.time()
    }

    /// Bytes of weights that one token reads.
    pub fn bytes_per_token(&self) -> usize {
        self.weights.bytes()
    }

    /// Reads prompts that have been checked.
    ///
    /// # Errors
    /// [`crate::error::Error::Mismatch`] for states that are not finite;
    /// [`crate::error::Error::Cancelled`].
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

    /// Runs one chunk through all layers; `buffers.x` then holds the last residual.
    fn forward(&self, tokens: &[u32], spans: &[Span], working: &mut [Working], kept: &mut [Working], buffers: &mut Buffers) {
        let config = self.config();
        let (t, m) = (tokens.len(), config.d_model);
        buffers.x.resize(t * m, 0.0);
        buffers.normed.resize(buffers.normed.len().max(t * m), 0.0);
        buffers.space.fit(config, t);
        in_pool(|| {
            // In parallel: a row of the panels is scattered over as many cache lines as it has
            // numbers.
            buffers.x.par_chunks_exact_mut(m).zip(tokens).for_each(|(row, &token)| self.weights.embed(token, row));
            for (l, layer) in self.weights.layers.iter().enumerate() {
                let Buffers { x, normed, space, .. } = &mut *buffers;
                rms_norm(&x[..t * m], &layer.norm, config.norm_eps, normed);
                layer.mixer.forward(config, l, spans, normed, [working, kept], space, &self.products, &mut x[..t * m]);
            }
        });
    }

    /// Logits of the rows that are wanted, a block of rows at a time.
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
        self.products.run(self.weights.head(), x, &mut buffers.logits, false);
    }

    /// A decoder that continues from these states, which have been checked.
    pub fn decoder(&self, states: &[&State]) -> Decoder<'_> {
        let spans = (0..states.len()).map(|seq| Span { seq, from: seq, to: seq + 1, keep: None }).collect();
        let working = states.iter().map(|s| Working::from_state(s)).collect();
        Decoder { model: self, working, spans, buffers: Buffers::default() }
    }
}

/// ln softmax at one entry; the sum is in f64.
fn log_softmax_at(logits: &[f32], token: u32) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from((l - max).exp())).sum();
    (f64::from(logits[token as usize] - max) - sum.ln()) as f32
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
