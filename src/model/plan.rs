//! Prompts cut into chunks: which tokens run together, where one sequence ends and the next begins,
//! which states are kept and which logits are wanted. The same for every device.
//!
//! Prompts are laid end to end, so nothing is padded; a long one goes on in the next chunk, from
//! its state.

use super::{Prefilled, Prompt, Want};
use crate::error::{Error, Result};
use crate::state::{Layout, State};

/// A prompt's tokens within a chunk: rows `from..to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seq {
    pub prompt: usize,
    pub from: usize,
    pub to: usize,
    /// Whether its first token is here; if not, the sequence goes on from the last one of the chunk
    /// before.
    pub begins: bool,
    /// Whether its last token is here.
    pub ends: bool,
}

/// A stretch of one sequence; it ends at a snapshot, or where the sequence or the chunk ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Index of the sequence in the chunk.
    pub seq: usize,
    pub from: usize,
    pub to: usize,
    /// Index of the snapshot that is taken after its last token.
    pub keep: Option<usize>,
}

/// A snapshot: of which sequence of the chunk, after how many of the prompt's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    pub seq: usize,
    pub tokens: usize,
}

/// A row of the chunk whose logits are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    pub row: usize,
    pub prompt: usize,
    /// The token whose log-probability is wanted, or `None` for the logits themselves.
    pub target: Option<u32>,
}

/// Tokens that run together.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Chunk {
    pub tokens: Vec<u32>,
    pub seqs: Vec<Seq>,
    pub spans: Vec<Span>,
    pub kept: Vec<Kept>,
    pub looks: Vec<Look>,
}

impl Chunk {
    /// States that the chunk leaves behind or begins from: one for each sequence, each snapshot and
    /// each initial state.
    fn states(&self, prompts: &[Prompt<'_>]) -> usize {
        self.kept.len() + self.seqs.iter().map(|s| 1 + usize::from(s.begins && prompts[s.prompt].initial.is_some())).sum::<usize>()
    }
}

/// Cuts prompts into chunks.
pub struct Plan<'a> {
    pub prompts: &'a [Prompt<'a>],
    /// Next token: prompt and position in it.
    at: (usize, usize),
    most_tokens: usize,
    most_states: usize,
}

impl<'a> Plan<'a> {
    /// Chunks of at most `most_tokens` tokens and `most_states` states (a token may need three).
    pub fn new(prompts: &'a [Prompt<'a>], most_tokens: usize, most_states: usize) -> Self {
        Self { prompts, at: (0, 0), most_tokens, most_states: most_states.max(3) }
    }

    /// Tokens of all prompts.
    pub fn total(&self) -> usize {
        self.prompts.iter().map(|p| p.tokens.len()).sum()
    }

    /// The next tokens, none when all are done.
    pub fn next_chunk(&mut self) -> Option<Chunk> {
        let mut chunk = Chunk::default();
        while chunk.tokens.len() < self.most_tokens {
            let (p, start) = self.at;
            let Some(prompt) = self.prompts.get(p) else { break };
            if prompt.tokens.is_empty() {
                self.at = (p + 1, 0);
                continue;
            }
            let needed = chunk.states(self.prompts) + 1 + usize::from(start == 0 && prompt.initial.is_some());
            if needed > self.most_states {
                break;
            }
            let mut end = prompt.tokens.len().min(start + self.most_tokens - chunk.tokens.len());
            // No more snapshots than there is room for; the rest of the prompt goes into the next
            // chunk.
            let room = self.most_states - needed;
            let mut cuts = prompt.snapshots.iter().copied().filter(|&cut| cut > start && cut <= end);
            let last = room.checked_sub(1).and_then(|n| cuts.nth(n));
            if cuts.next().is_some() {
                match last {
                    Some(cut) => end = cut,
                    None => break,
                }
            }
            self.add(&mut chunk, p, start, end);
            self.at = if end == prompt.tokens.len() { (p + 1, 0) } else { (p, end) };
            if end < prompt.tokens.len() {
                break;
            }
        }
        (!chunk.tokens.is_empty()).then_some(chunk)
    }

    fn add(&self, chunk: &mut Chunk, p: usize, start: usize, end: usize) {
        let prompt = &self.prompts[p];
        let (seq, n, first) = (chunk.seqs.len(), prompt.tokens.len(), chunk.tokens.len());
        let row = |token: usize| first + token - start;
        let mut from = start;
        for &cut in prompt.snapshots.iter().filter(|&&cut| cut > start && cut <= end) {
            chunk.spans.push(Span { seq, from: row(from), to: row(cut), keep: Some(chunk.kept.len()) });
            chunk.kept.push(Kept { seq, tokens: cut });
            from = cut;
        }
        if from < end {
            chunk.spans.push(Span { seq, from: row(from), to: row(end), keep: None });
        }
        let look = |token: usize, target: Option<u32>| Look { row: row(token), prompt: p, target };
        match prompt.want {
            Want::State => {}
            Want::LastLogits => chunk.looks.extend((end == n).then(|| look(n - 1, None))),
            Want::LogitsAt(at) => chunk.looks.extend(at.iter().filter(|&&i| i >= start && i < end).map(|&i| look(i, None))),
            Want::LogProbs => chunk.looks.extend((start..end.min(n - 1)).map(|i| look(i, Some(prompt.tokens[i + 1])))),
        }
        chunk.tokens.extend_from_slice(&prompt.tokens[start..end]);
        chunk.seqs.push(Seq { prompt: p, from: row(start), to: row(end), begins: start == 0, ends: end == n });
    }
}

/// What has come out so far.
pub struct Results(Vec<Partial>);

#[derive(Default)]
struct Partial {
    state: Option<State>,
    snapshots: Vec<State>,
    logits: Vec<Vec<f32>>,
    logprobs: Vec<f32>,
}

impl Results {
    /// Nothing yet, except for prompts without a token, which are done.
    pub fn new(prompts: &[Prompt<'_>], shape: Layout) -> Self {
        let empty = |p: &Prompt<'_>| p.tokens.is_empty().then(|| p.initial.cloned().unwrap_or_else(|| State::zeros(shape)));
        Self(prompts.iter().map(|p| Partial { state: empty(p), ..Partial::default() }).collect())
    }

    /// A prompt's last state.
    pub fn ended(&mut self, prompt: usize, state: State) {
        self.0[prompt].state = Some(state);
    }

    /// A prompt's next snapshot.
    pub fn kept(&mut self, prompt: usize, state: State) {
        self.0[prompt].snapshots.push(state);
    }

    /// The logits of a look without a target.
    pub fn logits(&mut self, look: &Look, logits: &[f32]) {
        self.0[look.prompt].logits.push(logits.to_vec());
    }

    /// The log-probability of a look's target.
    pub fn logprob(&mut self, look: &Look, logprob: f32) {
        self.0[look.prompt].logprobs.push(logprob);
    }

    /// The results of all prompts, in order.
    ///
    /// # Errors
    /// [`Error::Model`] if a prompt was not run to its end.
    pub fn finish(self) -> Result<Vec<Prefilled>> {
        let whole = |r: Partial| {
            let state = r.state.ok_or_else(|| Error::Model("a prompt was not run to its end".into()))?;
            Ok(Prefilled { state, snapshots: r.snapshots, logits: r.logits, logprobs: r.logprobs })
        };
        self.0.into_iter().map(whole).collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn prompt<'a>(tokens: &'a [u32], snapshots: &'a [usize]) -> Prompt<'a> {
        Prompt { tokens, initial: None, snapshots, want: Want::State }
    }

    /// Every token runs once and in order, every snapshot is taken once, and no chunk is larger
    /// than asked for.
    #[test]
    fn chunks_cover_all_tokens_and_snapshots_within_their_limits() {
        let texts: Vec<Vec<u32>> = [0, 5, 1, 17, 3, 64, 0, 2].iter().map(|&n| (0..n).collect()).collect();
        let every: Vec<Vec<usize>> = texts.iter().map(|t| (1..=t.len()).step_by(2).collect()).collect();
        let prompts: Vec<Prompt<'_>> = texts.iter().zip(&every).map(|(t, s)| prompt(t, s)).collect();
        for (tokens, states) in [(1, 3), (7, 3), (7, 100), (1000, 4), (1000, 1000)] {
            let mut plan = Plan::new(&prompts, tokens, states);
            let (mut read, mut kept) = (vec![Vec::new(); texts.len()], vec![Vec::new(); texts.len()]);
            let mut before: Option<Seq> = None;
            while let Some(chunk) = plan.next_chunk() {
                assert!(chunk.tokens.len() <= tokens && chunk.states(&prompts) <= states, "{tokens} {states}: {chunk:?}");
                for (i, seq) in chunk.seqs.iter().enumerate() {
                    assert_eq!(seq.begins, read[seq.prompt].is_empty());
                    assert!(seq.begins || i == 0 && before.is_some_and(|b| b.prompt == seq.prompt && !b.ends));
                    read[seq.prompt].extend_from_slice(&chunk.tokens[seq.from..seq.to]);
                    assert_eq!(seq.ends, read[seq.prompt].len() == texts[seq.prompt].len());
                    let spans: Vec<&Span> = chunk.spans.iter().filter(|s| s.seq == i).collect();
                    assert_eq!((spans[0].from, spans[spans.len() - 1].to), (seq.from, seq.to));
                    assert!(spans.windows(2).all(|w| w[0].to == w[1].from));
                    before = Some(*seq);
                }
                for k in &chunk.kept {
                    kept[chunk.seqs[k.seq].prompt].push(k.tokens);
                }
            }
            assert_eq!(read, texts);
            assert_eq!(kept, every);
        }
    }
}
