//! Working memory on the card: the activations of a chunk, and slots for states.

use super::gpu::{Act, Gpu};
use super::memory::{Buf, Pinned};
use super::mixer;
use crate::error::Result;
use crate::model::MambaConfig;
use crate::state::{Layout, Memory, State};
use rayon::prelude::*;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Rows of logits computed together.
pub const LOGIT_ROWS: usize = 512;

/// The activations of a chunk.
pub struct Activations {
    /// How many tokens there is room for.
    pub tokens: usize,
    /// The residual stream, `[tokens, d_model]` f32.
    pub x: Buf,
    /// What a norm gives, `[tokens, d_model]` in the model's precision.
    pub normed: Buf,
    /// `[LOGIT_ROWS or tokens, vocab]` f32.
    pub logits: Buf,
    /// What the mixers need.
    pub mixer: mixer::Space,
}

impl Activations {
    /// Memory for a number of tokens.
    pub fn new(gpu: &Gpu, config: &MambaConfig, act: Act, tokens: usize) -> Result<Self> {
        let m = tokens * config.d_model;
        let logits = tokens.min(LOGIT_ROWS) * config.vocab_size * 4;
        let [xz, u, dbc, dt, y, seg_h, seg_dt, seg_dt0] = mixer::Space::sizes(config, act, tokens);
        let sizes = [m * 4, m * act.size(), logits, xz, u, dbc, dt, y, seg_h, seg_dt, seg_dt0];
        let [x, normed, logits, mixer @ ..] = gpu.alloc_all(sizes, &format!("a chunk of {tokens} tokens"))?;
        Ok(Self { tokens, x, normed, logits, mixer: mixer::Space::of(mixer) })
    }
}

/// States on the card: `h [slot][layer][d_inner][d_state]`, `window [slot][layer][d_inner][d_conv -
/// 1]`, `sums [slot][layer][d_inner]`.
pub struct Slots {
    pub h: Buf,
    pub window: Buf,
    pub sums: Buf,
    shape: Layout,
}

impl Slots {
    /// Memory for a number of states.
    pub fn new(gpu: &Gpu, shape: Layout, count: usize) -> Result<Self> {
        let sizes = [shape.memory.len(), shape.window.len(), shape.sidecar.len()].map(|layer| count * shape.n_layer * layer * 4);
        let [h, window, sums] = gpu.alloc_all(sizes, &format!("{count} states"))?;
        Ok(Self { h, window, sums, shape })
    }

    /// Numbers from one slot to the next: h, window, sums.
    pub fn strides(&self) -> [usize; 3] {
        let s = self.shape;
        [s.memory.len(), s.window.len(), s.sidecar.len()].map(|layer| s.n_layer * layer)
    }

    fn parts(&self, slot: usize) -> [u64; 3] {
        let [h, window, sums] = self.strides();
        [self.h.at(slot * h * 4), self.window.at(slot * window * 4), self.sums.at(slot * sums * 4)]
    }

    /// Copies a state into a slot.
    pub fn write(&self, gpu: &Gpu, slot: usize, state: &State) -> Result<()> {
        let [h, window, sums] = self.parts(slot);
        gpu.write(h, state.ssm())?;
        gpu.write(window, state.conv())?;
        gpu.write(sums, state.dt_sum())
    }

    /// Enqueues the copy of a slot into a piece of pinned memory of [`Layout::total_len`] numbers.
    pub fn read(&self, gpu: &Gpu, slot: usize, to: &mut [f32]) -> Result<()> {
        self.read_layers(gpu, slot, 0..self.shape.n_layer, to)
    }

    /// The same for some of the layers, into their places there.
    pub fn read_layers(&self, gpu: &Gpu, slot: usize, layers: Range<usize>, to: &mut [f32]) -> Result<()> {
        let s = self.shape;
        let mut at = 0;
        for (from, width) in self.parts(slot).into_iter().zip([s.memory.len(), s.window.len(), s.sidecar.len()]) {
            let range = layers.start * width..layers.end * width;
            gpu.read_beside(from + 4 * range.start as u64, &mut to[at + range.start..at + range.end])?;
            at += s.n_layer * width;
        }
        Ok(())
    }
}

/// States copied together; while one lot is unpacked by the host, the next is on its way.
const LOT: usize = 8;
/// Bytes from which a state stays in the pinned memory it was copied to: allocating as much
/// memory of its own would take longer than the copy.
const LARGE: usize = 4 << 20;
/// Bytes of such memory kept for the next states.
const KEPT: usize = 4 << 30;

/// Pinned memory for states, reused.
pub struct Pool {
    length: usize,
    spare: Mutex<Vec<Pinned>>,
}

impl Pool {
    /// An empty pool for states of this shape.
    pub fn new(shape: Layout) -> Arc<Self> {
        Arc::new(Self { length: shape.total_len(), spare: Mutex::default() })
    }

    /// Whether states of this shape stay in memory of the pool.
    pub fn is_used(&self) -> bool {
        4 * self.length >= LARGE
    }

    /// Memory for a state.
    pub fn take(self: &Arc<Self>, gpu: &Gpu) -> Result<Block> {
        let spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let pinned = match spare {
            Some(pinned) => pinned,
            None => gpu.pinned(self.length)?,
        };
        Ok(Block { pinned: Some(pinned), pool: Arc::downgrade(self) })
    }
}

/// One state's pinned memory: written by copies, then only read.
pub struct Block {
    /// `None` only once it is dropped.
    pinned: Option<Pinned>,
    pool: Weak<Pool>,
}

impl Block {
    /// Where the copies go.
    pub fn floats_mut(&mut self) -> &mut [f32] {
        self.pinned.as_mut().map_or(&mut [], Pinned::floats_mut)
    }

    /// The state, once the copies are complete. `copy`: whether it is copied into memory of its
    /// own, as small states are; its numbers are then checked, so a state that may not be finite
    /// takes this way.
    ///
    /// # Errors
    /// [`crate::error::Error::Mismatch`] naming what is not finite.
    pub fn into_state(self, shape: Layout, tokens: u64, copy: bool) -> Result<State> {
        if copy { copied(shape, self.floats(), tokens) } else { State::lent(shape, Arc::new(self), tokens) }
    }
}

/// A state copied out of memory that will be reused.
fn copied(shape: Layout, numbers: &[f32], tokens: u64) -> Result<State> {
    let (ssm, rest) = numbers.split_at(shape.n_layer * shape.memory.len());
    let (conv, sums) = rest.split_at(shape.n_layer * shape.window.len());
    State::from_slices(shape, ssm, conv, sums, tokens)
}

impl Memory for Block {
    fn floats(&self) -> &[f32] {
        self.pinned.as_ref().map_or(&[], |p| p.floats())
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let (Some(pinned), Some(pool)) = (self.pinned.take(), self.pool.upgrade()) {
            let mut spare = pool.spare.lock().unwrap_or_else(PoisonError::into_inner);
            if (spare.len() + 1) * pool.length * 4 <= KEPT {
                spare.push(pinned);
            }
        }
    }
}

/// A way back for small states: through two lots of pinned memory in turn.
pub struct Return {
    halves: Option<[Pinned; 2]>,
    shape: Layout,
}

impl Return {
    /// A way back for states of this shape.
    pub fn new(shape: Layout) -> Self {
        Self { halves: None, shape }
    }

    /// The states in these slots, each with its token count, in order, once what computes them has
    /// been waited for.
    ///
    /// # Errors
    /// [`crate::error::Error::Mismatch`] for a state that is not finite;
    /// [`crate::error::Error::Model`] if the card fails.
    pub fn fetch(&mut self, gpu: &Gpu, slots: &Slots, which: &[(usize, u64)]) -> Result<Vec<State>> {
        let (shape, length) = (self.shape, self.shape.total_len());
        let mut halves = match self.halves.take() {
            Some(halves) => halves,
            None => [gpu.pinned(LOT * length)?, gpu.pinned(LOT * length)?],
        };
        let mut states = Vec::with_capacity(which.len());
        let lots: Vec<&[(usize, u64)]> = which.chunks(LOT).collect();
        let begin = |lot: &[(usize, u64)], half: &mut Pinned| -> Result<()> {
            for ((slot, _), to) in lot.iter().zip(half.floats_mut().chunks_exact_mut(length)) {
                slots.read(gpu, *slot, to)?;
            }
            Ok(())
        };
        let [mut now, mut next] = halves.each_mut();
        if let Some(first) = lots.first() {
            begin(first, now)?;
        }
        for (i, lot) in lots.iter().enumerate() {
            gpu.copied()?;
            if let Some(more) = lots.get(i + 1) {
                begin(more, next)?;
            }
            let whole =
                lot.par_iter().zip(now.floats().par_chunks_exact(length)).map(|((_, tokens), numbers)| copied(shape, numbers, *tokens));
            states.extend(whole.collect::<Result<Vec<State>>>()?);
            std::mem::swap(&mut now, &mut next);
        }
        self.halves = Some(halves);
        Ok(states)
    }
}
