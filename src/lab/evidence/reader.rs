//! Reads examples from many states at once, and resumes where each state has read them before.

use crate::control::Control;
use crate::error::Result;
use crate::lab::tokens::Example;
use crate::library::Explained;
use crate::model::{Network, Prompt, Want};
use crate::state::State;
use std::collections::HashMap;
use std::time::Instant;

/// Maximum bytes of states, at the ends of examples, stored between queries.
const KEPT_BYTES: usize = 128 << 20;

/// The means of tasks, and the examples read from each.
#[derive(Default)]
pub struct EvidenceReader {
    /// By the ids of the skills they are made of.
    pub(super) means: HashMap<String, State>,
    pub(super) tracks: HashMap<String, Track>,
    /// Seconds per token and candidate in the last reading.
    pub(super) pace: Option<f64>,
}

/// The examples of the last query, as read from one state.
#[derive(Clone, Default)]
pub struct Track {
    read: Vec<Read>,
}

#[derive(Clone)]
struct Read {
    example: Example,
    explained: Explained,
    /// The state before the example's last token. Only the last few examples store it.
    state: Option<State>,
}

/// A state from which examples are read.
pub struct From<'a> {
    pub key: &'a str,
    pub state: &'a State,
}

/// What remains to be read from one state.
struct Rest<'a> {
    key: &'a str,
    /// Number of examples that need not be read again.
    at: usize,
    tokens: Vec<u32>,
    snapshots: Vec<usize>,
    initial: State,
}

impl Rest<'_> {
    fn prompt(&self) -> Prompt<'_> {
        Prompt { tokens: &self.tokens, initial: Some(&self.initial), snapshots: &self.snapshots, want: Want::LogProbs }
    }
}

impl EvidenceReader {
    /// Reads the examples from every state, resuming where each was read before. Returns one figure
    /// per example for each state.
    pub fn read(
        &mut self,
        network: &Network,
        from: &[From<'_>],
        examples: &[Example],
        control: Control<'_>,
    ) -> Result<Vec<Vec<Explained>>> {
        // A GPU reads an example again faster than it returns the states that would save the
        // reading.
        let kept = if network.device().is_cuda() {
            0
        } else {
            (KEPT_BYTES / (from.len().max(1) * network.shape().total_len() * size_of::<f32>())).clamp(1, 8)
        };
        let mut work = Vec::new();
        for f in from {
            let track = self.tracks.entry(f.key.to_owned()).or_default();
            let same = track.read.iter().zip(examples).take_while(|(a, b)| a.example == **b).count();
            // The last stored state at or before the first change.
            let at = (1..=same).rev().find(|n| track.read[n - 1].state.is_some()).unwrap_or(0);
            let mut tokens: Vec<u32> = Vec::new();
            if at < examples.len() {
                tokens.extend(at.checked_sub(1).and_then(|last| examples[last].tokens.last()));
                tokens.extend(examples[at..].iter().flat_map(|e| &e.tokens));
            }
            let mut snapshots = Vec::new();
            let mut end = usize::from(at > 0);
            for example in &examples[at..] {
                end += example.tokens.len();
                snapshots.push(end - 1);
            }
            // The state after zero tokens is the initial one. Ends of empty examples coincide.
            snapshots.dedup();
            snapshots.retain(|n| *n > 0);
            if kept == 0 {
                snapshots.clear();
            }
            let initial = at.checked_sub(1).and_then(|last| track.read[last].state.clone()).unwrap_or_else(|| f.state.clone());
            if !tokens.is_empty() {
                work.push(Rest { key: f.key, at, tokens, snapshots, initial });
            }
        }
        let prompts: Vec<Prompt<'_>> = work.iter().map(Rest::prompt).collect();
        let began = Instant::now();
        let read = network.prefill(&prompts, control)?;
        let tokens: usize = work.iter().map(|rest| rest.tokens.len()).sum();
        if tokens > 0 {
            self.pace = Some(began.elapsed().as_secs_f64() / tokens as f64);
        }
        for (Rest { key, at, snapshots, .. }, result) in work.iter().zip(read) {
            let Some(track) = self.tracks.get_mut(*key) else { continue };
            track.read.truncate(*at);
            let states: HashMap<usize, State> = snapshots.iter().copied().zip(result.snapshots).collect();
            // Token 0 is the last token of the example before, if there is one. The log-probability
            // of token i is at index i − 1.
            let mut first = usize::from(*at > 0);
            for example in &examples[*at..] {
                let mut explained = Explained::default();
                for i in 0..example.tokens.len() {
                    let Some(logprob) = (first + i).checked_sub(1).and_then(|i| result.logprobs.get(i)) else { continue };
                    let sum = if i >= example.answer { &mut explained.answers } else { &mut explained.inputs };
                    *sum += f64::from(*logprob);
                }
                first += example.tokens.len();
                track.read.push(Read { example: example.clone(), explained, state: states.get(&(first - 1)).cloned() });
            }
            let surplus = track.read.len().saturating_sub(kept);
            track.read[..surplus].iter_mut().for_each(|r| r.state = None);
        }
        Ok(from.iter().map(|f| self.tracks[f.key].read[..examples.len()].iter().map(|r| r.explained).collect()).collect())
    }
}
