//! Documents in ordered chunks: reads each chunk independently, and measures how well a state of
//! the chunks predicts what follows them.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::{Model, Prompt, Want};
use crate::soup::chunks::ChunkStates;
use crate::soup::mix;
use crate::state::State;
use crate::task::{Task, Template, draw};
use rand_chacha::ChaCha8Rng;

/// A document in tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// Its chunks, in order, none empty.
    pub chunks: Vec<Vec<u32>>,
    /// The continuation after them; its first token is not predicted.
    pub after: Vec<u32>,
}

/// How a document is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Number of chunks, at least 1.
    pub chunks: usize,
    /// Tokens per chunk, at least 1.
    pub length: usize,
    /// Number of predicted tokens of the continuation, at least 1.
    pub after: usize,
}

impl Cut {
    /// Number of tokens needed. A state has no logits of its own, so the continuation's first token
    /// is read but not predicted.
    pub fn tokens(self) -> usize {
        self.chunks * self.length + self.after + 1
    }

    /// Cuts the first tokens into a document.
    ///
    /// # Errors
    /// [`Error::Input`] if there are too few tokens.
    pub fn document(self, tokens: &[u32]) -> Result<Document> {
        let needed = self.tokens();
        if tokens.len() < needed {
            let Self { chunks, length, after } = self;
            return Err(Error::Input(format!(
                "the document has {} tokens; {chunks} chunks of {length} and a continuation of {after} need {needed}: \
                 give a longer text, or ask for fewer or shorter chunks",
                tokens.len()
            )));
        }
        let (chunks, after) = tokens[..needed].split_at(self.chunks * self.length);
        Ok(Document { chunks: chunks.chunks(self.length).map(<[u32]>::to_vec).collect(), after: after.to_vec() })
    }
}

/// A document made of task lists: each chunk is a run of examples of another task, and the
/// continuation is of the last chunk's task. Returns its text and its tokens, including those that
/// begin every text.
///
/// # Errors
/// [`Error::Input`] if there is no task; the tokenizer's.
pub fn of_tasks(model: &Model, tasks: &[Task], template: &Template, cut: Cut, random: &mut ChaCha8Rng) -> Result<(String, Vec<u32>)> {
    let chosen = draw(&(0..tasks.len()).collect::<Vec<_>>(), cut.chunks, random);
    let mut tokens = model.tokenizer.bos().to_vec();
    let mut text = String::new();
    for (chunk, &task) in chosen.iter().cycle().take(cut.chunks).enumerate() {
        let until = if chunk + 1 == cut.chunks { cut.tokens() } else { (chunk + 1) * cut.length };
        let pairs = &tasks[task].pairs;
        for &pair in draw(&(0..pairs.len()).collect::<Vec<_>>(), pairs.len(), random).iter().cycle() {
            if tokens.len() >= until {
                break;
            }
            let example = template.example(&pairs[pair]);
            tokens.extend(model.tokenizer.encode(&example)?);
            text.push_str(&example);
        }
    }
    // The count example by example may differ from the whole text's by a few tokens.
    let bos = model.tokenizer.bos();
    let whole = |text: &str| Ok::<Vec<u32>, Error>([bos, &model.tokenizer.encode(text)?].concat());
    tokens = whole(&text)?;
    let last = chosen.iter().cycle().nth(cut.chunks.saturating_sub(1)).map(|&task| &tasks[task].pairs);
    for pair in last.into_iter().flatten() {
        if tokens.len() >= cut.tokens() {
            break;
        }
        text.push_str(&template.example(pair));
        tokens = whole(&text)?;
    }
    if tokens.len() < cut.tokens() {
        return Err(Error::Input("a sample document needs tasks with examples, and there are none".into()));
    }
    Ok((text, tokens))
}

/// Reads a document: in one pass, and each chunk from the empty state with and without the halo.
/// The chunks are packed together.
///
/// # Errors
/// [`Error::Input`] for a token the model lacks; the model's; [`Error::Cancelled`].
pub fn encode(model: &Model, document: &Document, control: Control<'_>) -> Result<ChunkStates> {
    let full: Vec<u32> = document.chunks.concat();
    let empty = State::zeros(model.network.shape());
    let plain = |tokens| Prompt { tokens, initial: None, snapshots: &[], want: Want::State };
    let reach = empty.shape().reach();
    let tail = |chunk: &'_ Vec<u32>| chunk.len().saturating_sub(reach);
    let tails = document.chunks.iter().map(|c| &c[tail(c)..]);
    let prompts: Vec<Prompt<'_>> =
        std::iter::once(&full[..]).chain(document.chunks.iter().map(Vec::as_slice)).chain(tails).map(plain).collect();
    let count = document.chunks.len();
    // Both passes are one task for progress: the whole document three times, and the tails.
    let halo_tokens = full.len() - document.chunks.first().map_or(0, Vec::len);
    let first: usize = prompts.iter().map(|p| p.tokens.len()).sum();
    let total = (first + halo_tokens) as u64;
    let mut states: Vec<State> = {
        let part = |p: crate::control::Progress| control.report(p.done, total, p.unit);
        model.network.prefill(&prompts, control.with_progress(&part))?.into_iter().map(|r| r.state).collect()
    };
    // The halo: the convolution windows after the end of the previous chunk, with an empty SSM
    // state.
    let windows = states.split_off(count + 1).iter().map(|tail| mix::with_window(&empty, tail)).collect::<Result<Vec<_>>>()?;
    let full = states.remove(0);
    let prompts: Vec<Prompt<'_>> = document
        .chunks
        .iter()
        .skip(1)
        .zip(&windows)
        .map(|(tokens, window)| Prompt { tokens, initial: Some(window), snapshots: &[], want: Want::State })
        .collect();
    let part = |p: crate::control::Progress| control.report(first as u64 + p.done, total, p.unit);
    let mut halo: Vec<State> = states.first().cloned().into_iter().collect();
    halo.extend(model.network.prefill(&prompts, control.with_progress(&part))?.into_iter().map(|r| r.state));
    Ok(ChunkStates { full, chunks: states, halo })
}

/// −ln p of the continuation's tokens after its first one, from each state; nats. The shape is
/// `[states, after.len() − 1]`.
///
/// # Errors
/// As [`encode`].
pub fn losses(model: &Model, states: &[State], after: &[u32], control: Control<'_>) -> Result<Vec<Vec<f32>>> {
    let prompts: Vec<Prompt<'_>> =
        states.iter().map(|s| Prompt { tokens: after, initial: Some(s), snapshots: &[], want: Want::LogProbs }).collect();
    let read = model.network.prefill(&prompts, control)?;
    Ok(read.into_iter().map(|r| r.logprobs.into_iter().map(|p| -p).collect()).collect())
}
