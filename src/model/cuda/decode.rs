//! A token at a time: everything from the token's number to its logits on the host is one CUDA
//! graph, so that a step costs one call to the driver.
//!
//! A single sequence has kernels of its own (`token_*`), which read every weight once at the speed
//! of memory and do the rest on the way; several go through the kernels of prefill, one token each.

use super::graph::Graph;
use super::kernels::{Arg, Grid};
use super::memory::{Buf, Pinned};
use super::mixer::TokenSpace;
use super::model::Model;
use super::space::{Activations, Return, Slots};
use super::tables::{Places, Tables};
use crate::error::{Error, Result};
use crate::model::plan::{Chunk, Seq, Span};
use crate::state::State;
use std::sync::{Mutex, PoisonError};

/// The working memory of a decoder for a number of sequences, with its graph; reused by the next
/// decoder of that number.
pub struct Space {
    batch: usize,
    acts: Activations,
    slots: Slots,
    tables: Tables,
    meta: Buf,
    /// Token numbers on the host and on the card; logits on the host and on the card.
    ids: Pinned,
    logits: Pinned,
    logits_there: Buf,
    /// What the mixers need of a single token.
    token: TokenSpace,
    graph: Option<Graph>,
    back: Return,
}

/// Continues from states.
pub struct Decoder<'a> {
    model: &'a Model,
    /// `None` only once the decoder is dropped.
    space: Option<Mutex<Space>>,
    tokens: Vec<u64>,
}

impl<'a> Decoder<'a> {
    /// A decoder of as many sequences as there are states.
    pub(super) fn new(model: &'a Model, states: &[&State]) -> Result<Self> {
        let _gate = model.gpu.enqueue();
        let batch = states.len();
        let spare = {
            let mut spare = model.spare_decoders.lock().unwrap_or_else(PoisonError::into_inner);
            spare.iter().position(|s| s.batch == batch).map(|i| spare.swap_remove(i))
        };
        let space = match spare {
            Some(space) => space,
            None => model.with_room(|| Space::new(model, batch))?,
        };
        for (slot, state) in states.iter().enumerate() {
            space.slots.write(&model.gpu, slot, state)?;
        }
        Ok(Self { model, space: Some(Mutex::new(space)), tokens: states.iter().map(|s| s.tokens()).collect() })
    }

    /// Reads one token in each sequence and returns the logits after it, `[batch, vocab]`.
    ///
    /// # Errors
    /// [`Error::Model`] if the card fails.
    pub fn step(&mut self, tokens: &[u32]) -> Result<&[f32]> {
        let _gate = self.model.gpu.enqueue();
        let space = self.space.as_mut().ok_or_else(ended)?.get_mut().unwrap_or_else(PoisonError::into_inner);
        if tokens.is_empty() {
            return Ok(&[]);
        }
        for (to, &token) in space.ids.ints_mut().iter_mut().zip(tokens) {
            *to = token as i32;
        }
        if space.graph.is_none() {
            space.graph = Some(space.record(self.model)?);
        }
        if let Some(graph) = &space.graph {
            graph.start(&self.model.gpu)?;
        }
        self.model.gpu.wait()?;
        self.tokens.iter_mut().for_each(|t| *t += 1);
        Ok(&space.logits.floats()[..tokens.len() * self.model.on().config.vocab_size])
    }

    /// The state of one sequence.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if its numbers are not finite; [`Error::Model`] if the card fails.
    pub fn state(&self, i: usize) -> Result<State> {
        let _gate = self.model.gpu.enqueue();
        let mut space = self.space.as_ref().ok_or_else(ended)?.lock().unwrap_or_else(PoisonError::into_inner);
        // Every step waits until it has ended, so the states are there.
        let Space { back, slots, .. } = &mut *space;
        let mut states = back.fetch(&self.model.gpu, slots, &[(i, self.tokens[i])])?;
        states.pop().ok_or_else(ended)
    }
}

impl Drop for Decoder<'_> {
    fn drop(&mut self) {
        if let Some(space) = self.space.take() {
            let space = space.into_inner().unwrap_or_else(PoisonError::into_inner);
            self.model.spare_decoders.lock().unwrap_or_else(PoisonError::into_inner).push(space);
        }
    }
}

fn ended() -> Error {
    Error::Model("a decoder was used after its end".into())
}

impl Space {
    fn new(model: &Model, batch: usize) -> Result<Self> {
        let (gpu, on) = (&*model.gpu, model.on());
        let config = on.config;
        let chunk = Chunk {
            tokens: vec![0; batch],
            seqs: (0..batch).map(|i| Seq { prompt: i, from: i, to: i + 1, begins: true, ends: true }).collect(),
            spans: (0..batch).map(|seq| Span { seq, from: seq, to: seq + 1, keep: None }).collect(),
            ..Chunk::default()
        };
        // A sequence of one token begins and ends in the same slot: each thread has read what it
        // writes.
        let places = Places { seqs: (0..batch).map(|i| (Some(i), i)).collect(), kept: Vec::new() };
        let tables = Tables::new(&chunk, &places, config, gpu.processors);
        let meta = gpu.upload(&tables.numbers, "tables")?;
        gpu.wait()?;
        Ok(Self {
            batch,
            acts: Activations::new(gpu, config, on.weights.act, batch.max(1))?,
            slots: Slots::new(gpu, model.shape(), batch.max(1))?,
            meta,
            tables,
            ids: gpu.pinned(batch)?,
            logits: gpu.pinned(batch * config.vocab_size)?,
            logits_there: gpu.alloc(4 * batch * config.vocab_size, "a token")?,
            token: TokenSpace::new(gpu, config)?,
            graph: None,
            back: Return::new(model.shape()),
        })
    }

    /// Records a step.
    fn record(&mut self, model: &Model) -> Result<Graph> {
        let gpu = &*model.gpu;
        // cuBLAS loads its kernels when it first needs them, which cannot be recorded: one step
        // runs unrecorded, and the states are then restored.
        let before = self.back.fetch(gpu, &self.slots, &(0..self.batch).map(|i| (i, 0)).collect::<Vec<_>>())?;
        self.enqueue(model)?;
        gpu.wait()?;
        for (slot, state) in before.iter().enumerate() {
            self.slots.write(gpu, slot, state)?;
        }
        gpu.record(|| self.enqueue(model))
    }

    /// Enqueues one step, from the tokens on the host to the logits on the host.
    fn enqueue(&mut self, model: &Model) -> Result<()> {
        let (gpu, on) = (&*model.gpu, model.on());
        gpu.write(self.meta.at(self.tables.layout.ids()), &self.ids.floats()[..self.batch])?;
        if self.batch == 1 && model.fast() {
            self.token(model)?;
        } else {
            on.chunk(self.tables.layout, &self.meta, &self.acts, &self.slots, None, &mut |_| Ok(()))?;
            on.head(0, self.batch, &self.acts, self.logits_there.at(0))?;
        }
        let count = self.batch * on.config.vocab_size;
        gpu.read(self.logits_there.at(0), &mut self.logits.floats_mut()[..count])
    }

    /// One token of one sequence, four kernels a layer.
    fn token(&self, model: &Model) -> Result<()> {
        let (gpu, on) = (&*model.gpu, model.on());
        let p = |buf: &Buf| Arg::Ptr(buf.at(0));
        let x = p(&self.acts.x);
        on.launch("embed", Grid::new(1, 1, 256), &[Arg::Ptr(self.meta.at(self.tables.layout.ids())), p(&on.weights.embedding), x])?;
        for (l, layer) in on.weights.layers.iter().enumerate() {
            layer.mixer.token(on, l, &layer.norm, &self.acts.x, &self.token, &self.slots)?;
        }
        let eps = Arg::Float(on.config.norm_eps as f32);
        let head = [x, p(&on.weights.norm_f), eps, p(on.weights.head()), p(&self.logits_there)];
        gpu.launch_early(on.kernels, "token_head", Grid::of_rows(on.config.vocab_size, gpu.processors), &head)
    }
}
