//! Packed prefill: while a chunk runs, the states of the one before are copied back and unpacked.

use super::gpu::failed;
use super::graph::Recordings;
use super::kernels::{Arg, Grid};
use super::memory::{Buf, Pinned};
use super::model::{LEAST, Model, lock};
use super::space::{Activations, Block, LOGIT_ROWS, Return, Slots};
use super::tables::{Places, Tables};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::plan::{Chunk, Kept, Look, Plan, Results, Seq};
use crate::model::{Prefilled, Prompt};
use candle_core::cuda_backend::cudarc::driver::CudaEvent;
use std::collections::HashMap;

/// Bytes of states a token that make smaller chunks pay, and how small they get: matrix products of
/// fewer rows leave the card idle.
const HEAVY: usize = 40 << 10;
const SMALL: usize = 2048;

/// The work space of one call.
pub struct Space {
    acts: Activations,
    slots: Slots,
    /// States of one of the two banks of slots.
    states: usize,
    banks: [Bank; 2],
    back: Return,
}

/// What belongs to every second chunk.
struct Bank {
    /// Tables, as the host writes them and as the kernels read them.
    tables: Pinned,
    meta: Buf,
    /// Log-probabilities: on the card, and on the host.
    logprobs: Buf,
    found: Pinned,
    /// Whether each state that the chunk leaves behind holds something that is not finite: on the
    /// card, and on the host.
    flags: Buf,
    bad: Pinned,
    /// The chunk has been computed; what it leaves behind has been copied, if that is large.
    done: CudaEvent,
    copied: CudaEvent,
    /// Short chunks that came before.
    recordings: Recordings,
}

/// A chunk that has been enqueued and not been collected.
struct Pending {
    chunk: Chunk,
    /// Slots of what it leaves behind, with prompt and token count: snapshots, then last states.
    kept: Vec<(usize, usize, u64)>,
    ended: Vec<(usize, usize, u64)>,
    /// The memory they are being copied to, if they are large.
    blocks: Option<Vec<Block>>,
    /// Logits that are wanted whole, `[looks without a target, vocab]`.
    logits: Option<(Buf, Pinned)>,
    bank: usize,
}

impl Model {
    /// Work space for so many tokens: a spare one that is large enough, or a new one; smaller than
    /// asked for where memory is short.
    fn space(&self, tokens: usize, states: usize) -> Result<Space> {
        let (most_tokens, most_states) = self.limits();
        let (mut tokens, mut states) =
            (tokens.next_power_of_two().clamp(LEAST, most_tokens), states.next_power_of_two().clamp(8, most_states));
        {
            let mut spare = lock(&self.spare);
            let fits = |s: &Space| s.acts.tokens >= tokens && s.states >= states;
            let best = (0..spare.len()).filter(|&i| fits(&spare[i])).min_by_key(|&i| spare[i].acts.tokens);
            if let Some(i) = best {
                return Ok(spare.swap_remove(i));
            }
        }
        loop {
            match self.with_room(|| self.new_space(tokens, states)) {
                Ok(space) => return Ok(space),
                Err(error) if tokens <= LEAST && states <= 8 => return Err(error),
                Err(error) => {
                    (tokens, states) = ((tokens / 2).max(LEAST), (states / 2).max(8));
                    tracing::warn!("{error}; going on with chunks of {tokens} tokens and {states} states");
                    self.limit(tokens, states);
                }
            }
        }
    }

    fn new_space(&self, tokens: usize, states: usize) -> Result<Space> {
        let gpu = &self.gpu;
        let bank = || -> Result<Bank> {
            Ok(Bank {
                tables: gpu.pinned(Tables::most(tokens))?,
                meta: gpu.alloc(4 * Tables::most(tokens), "tables")?,
                logprobs: gpu.alloc(4 * tokens, "log-probabilities")?,
                found: gpu.pinned(tokens)?,
                flags: gpu.alloc(4 * states, "states")?,
                bad: gpu.pinned(states)?,
                done: gpu.event()?,
                copied: gpu.event()?,
                recordings: Recordings::default(),
            })
        };
        Ok(Space {
            acts: Activations::new(gpu, &self.config, self.weights.act, tokens)?,
            slots: Slots::new(gpu, self.shape(), 2 * states)?,
            states,
            banks: [bank()?, bank()?],
            back: Return::new(self.shape()),
        })
    }

    /// Reads prompts that have been checked.
    ///
    /// # Errors
    /// [`Error::Mismatch`] for states that are not finite; [`Error::Model`] if the card fails or
    /// has too little memory; [`Error::Cancelled`].
    pub fn prefill(&self, prompts: &[Prompt<'_>], control: Control<'_>) -> Result<Vec<Prefilled>> {
        let mut results = Results::new(prompts, self.shape());
        let tokens: usize = prompts.iter().map(|p| p.tokens.len()).sum();
        let states: usize = prompts.iter().map(|p| 1 + p.snapshots.len() + usize::from(p.initial.is_some())).sum();
        if tokens == 0 {
            return results.finish();
        }
        let mut space = self.space(tokens, states)?;
        let done = self.run(prompts, tokens, &mut space, &mut results, control);
        // Also after an error: nothing may still be on its way into memory that is used again.
        self.gpu.wait()?;
        self.gpu.copied()?;
        lock(&self.spare).push(space);
        done?;
        results.finish()
    }

    fn run(&self, prompts: &[Prompt<'_>], total: usize, space: &mut Space, results: &mut Results, control: Control<'_>) -> Result<()> {
        let left: usize = prompts.iter().map(|p| 1 + p.snapshots.len()).sum();
        // Where states are many and do not leave layer by layer, smaller chunks: those of the last
        // one are copied while nothing runs.
        let heavy = !self.pool.is_used() && 4 * self.shape().total_len() * left > HEAVY * total;
        let (most, states) = self.limits();
        let (most, states) = (most.min(space.acts.tokens), states.min(space.states));
        let tokens = if heavy { (total / 4).max(SMALL).min(most) } else { most };
        let mut plan = Plan::new(prompts, tokens, states);
        let mut read = 0;
        let mut pending: Option<Pending> = None;
        // Where the sequence that goes on was left, and how many tokens it had read with what it
        // began from.
        let mut carried: Option<(usize, u64)> = None;
        let mut bank = 0;
        loop {
            control.check()?;
            let next = match plan.next_chunk() {
                Some(chunk) => Some(self.begin(prompts, chunk, bank, space, &mut carried)?),
                None => None,
            };
            if let Some(before) = std::mem::replace(&mut pending, next) {
                read += before.chunk.tokens.len() as u64;
                self.collect(before, space, results)?;
                control.report(read, total as u64, "tokens");
            }
            if pending.is_none() {
                return Ok(());
            }
            bank = 1 - bank;
        }
    }

    /// Enqueues a chunk.
    fn begin(
        &self,
        prompts: &[Prompt<'_>],
        chunk: Chunk,
        bank: usize,
        space: &mut Space,
        carried: &mut Option<(usize, u64)>,
    ) -> Result<Pending> {
        let _gate = self.gpu.enqueue();
        let gpu = &*self.gpu;
        let (acts, slots, first) = (&space.acts, &space.slots, bank * space.states);
        let mut next = first + chunk.seqs.len();
        // A state that many prompts begin from is copied once.
        let mut initial: HashMap<*const f32, usize> = HashMap::new();
        let (mut seqs, mut before) = (Vec::new(), Vec::new());
        for (i, seq) in chunk.seqs.iter().enumerate() {
            let (from, tokens) = match (seq.begins, prompts[seq.prompt].initial) {
                (false, _) => carried.map_or((None, 0), |(slot, tokens)| (Some(slot), tokens)),
                (true, None) => (None, 0),
                (true, Some(state)) => {
                    let known = initial.get(&state.ssm().as_ptr()).copied();
                    let slot = known.unwrap_or(next);
                    if known.is_none() {
                        slots.write(gpu, slot, state)?;
                        initial.insert(state.ssm().as_ptr(), slot);
                        next += 1;
                    }
                    (Some(slot), state.tokens())
                }
            };
            seqs.push((from, first + i));
            before.push(tokens);
        }
        let kept: Vec<usize> = (0..chunk.kept.len()).map(|i| next + i).collect();
        let places = Places { seqs, kept };
        let tables = Tables::new(&chunk, &places, &self.config, gpu.processors);

        let [one, two] = &mut space.banks;
        let b = if bank == 0 { one } else { two };
        b.tables.ints_mut()[..tables.numbers.len()].copy_from_slice(&tables.numbers);
        gpu.write(b.meta.at(0), &b.tables.floats()[..tables.numbers.len()])?;
        // Large states leave layer by layer, while the layers after run.
        let mut blocks =
            if self.pool.is_used() { Some(tables.outs().iter().map(|_| self.pool.take(gpu)).collect::<Result<Vec<_>>>()?) } else { None };
        self.on().chunk(tables.layout, &b.meta, acts, slots, Some(&mut b.recordings), &mut |layers| {
            let Some(blocks) = &mut blocks else { return Ok(()) };
            b.done.record(&gpu.stream).map_err(failed("it computed"))?;
            gpu.copies.wait(&b.done).map_err(failed("it computed"))?;
            for (block, &slot) in blocks.iter_mut().zip(tables.outs()) {
                slots.read_layers(gpu, slot as usize, layers.clone(), block.floats_mut())?;
            }
            Ok(())
        })?;
        let logits = self.look(&chunk.looks, &tables, b, acts)?;
        self.on().find_not_finite(&tables, &b.meta, slots, &b.flags)?;
        gpu.read(b.flags.at(0), b.bad.floats_mut())?;
        b.done.record(&gpu.stream).map_err(failed("it computed"))?;
        b.copied.record(&gpu.copies).map_err(failed("states were copied from it"))?;

        let within = |k: usize| chunk.spans.iter().find(|s| s.keep == Some(k)).map_or(0, |s| s.to - chunk.seqs[s.seq].from);
        let snapshot = |(k, kept): (usize, &Kept)| (places.kept[k], chunk.seqs[kept.seq].prompt, before[kept.seq] + within(k) as u64);
        let kept = chunk.kept.iter().enumerate().map(snapshot).collect();
        let after = |i: usize| before[i] + (chunk.seqs[i].to - chunk.seqs[i].from) as u64;
        let last = |(i, s): (usize, &Seq)| s.ends.then(|| (places.seqs[i].1, s.prompt, after(i)));
        let ended = chunk.seqs.iter().enumerate().filter_map(last).collect();
        *carried = chunk.seqs.last().filter(|s| !s.ends).map(|_| (places.seqs[chunk.seqs.len() - 1].1, after(chunk.seqs.len() - 1)));
        Ok(Pending { chunk, kept, ended, blocks, logits, bank })
    }

    /// Enqueues what is looked at: log-probabilities into the bank, whole logits into memory of
    /// their own.
    fn look(&self, looks: &[Look], tables: &Tables, bank: &mut Bank, acts: &Activations) -> Result<Option<(Buf, Pinned)>> {
        let (gpu, vocab) = (&*self.gpu, self.config.vocab_size);
        let whole = looks.iter().filter(|l| l.target.is_none()).count();
        let mut kept = match whole {
            0 => None,
            n => Some((gpu.alloc(n * vocab * 4, &format!("the logits after {n} tokens"))?, gpu.pinned(n * vocab)?)),
        };
        let (mut at, mut out) = (0, 0);
        // Looks of one kind that follow each other go together.
        for run in looks.chunk_by(|a, b| a.target.is_some() == b.target.is_some()) {
            for block in run.chunks(LOGIT_ROWS.min(acts.tokens)) {
                let (rows, n) = (bank.meta.at(tables.looks + 4 * at), block.len());
                if run[0].target.is_some() {
                    self.on().head(rows, n, acts, acts.logits.at(0))?;
                    let targets = Arg::Ptr(bank.meta.at(tables.targets + 4 * at));
                    let args = [Arg::Ptr(acts.logits.at(0)), targets, Arg::Ptr(bank.logprobs.at(4 * at))];
                    self.on().launch("log_prob", Grid::new(n, 1, 256), &args)?;
                } else if let Some((logits, _)) = &kept {
                    self.on().head(rows, n, acts, logits.at(4 * out * vocab))?;
                    out += n;
                }
                at += n;
            }
        }
        if whole < looks.len() {
            gpu.read(bank.logprobs.at(0), &mut bank.found.floats_mut()[..looks.len()])?;
        }
        if let Some((logits, host)) = &mut kept {
            gpu.read(logits.at(0), host.floats_mut())?;
        }
        Ok(kept)
    }

    /// Takes out what a chunk has left behind, while the next one runs.
    fn collect(&self, done: Pending, space: &mut Space, results: &mut Results) -> Result<()> {
        let which: Vec<(usize, u64)> = done.kept.iter().chain(&done.ended).map(|&(slot, _, tokens)| (slot, tokens)).collect();
        let bank = &space.banks[done.bank];
        bank.done.synchronize().map_err(failed("it computed"))?;
        let states = match done.blocks {
            None => space.back.fetch(&self.gpu, &space.slots, &which)?,
            Some(blocks) => {
                bank.copied.synchronize().map_err(failed("states were copied from it"))?;
                let bad = bank.bad.floats();
                // The flags are whole numbers: zero is the one without a bit.
                let whole = |((block, (_, tokens)), bad): ((Block, &(usize, u64)), &f32)| {
                    block.into_state(self.shape(), *tokens, bad.to_bits() != 0)
                };
                blocks.into_iter().zip(&which).zip(bad).map(whole).collect::<Result<Vec<_>>>()?
            }
        };
        let mut states = states.into_iter();
        for &(_, prompt, _) in &done.kept {
            results.kept(prompt, states.next().ok_or_else(lost)?);
        }
        for &(_, prompt, _) in &done.ended {
            results.ended(prompt, states.next().ok_or_else(lost)?);
        }
        let (found, vocab) = (bank.found.floats(), self.config.vocab_size);
        let mut whole = done.logits.iter().flat_map(|(_, host)| host.floats().chunks_exact(vocab));
        for (i, look) in done.chunk.looks.iter().enumerate() {
            match look.target {
                Some(_) => results.logprob(look, found[i]),
                None => results.logits(look, whole.next().ok_or_else(lost)?),
            }
        }
        Ok(())
    }
}

fn lost() -> Error {
    Error::Model("the GPU returned fewer results than were asked for".into())
}
