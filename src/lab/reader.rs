//! Reading a query so that an edit costs only what changed.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::{Network, Prompt, Want};
use crate::state::State;

/// Maximum number of boundary states stored. Edits are mostly at the end, so the last few are what
/// the next keystroke needs. More would let a long query fill the memory (a state of mamba-2.8b
/// takes 28 MB).
const KEPT: usize = 16;

/// The states at the example boundaries of the query read last.
#[derive(Clone, Default)]
pub struct QueryReader {
    /// Tokens of each segment read. Segment 0 holds the tokens that begin every text, and may be
    /// empty.
    segments: Vec<Vec<u32>>,
    /// `(n, state)`: the state after the first `n` segments, ascending, at most [`KEPT`].
    states: Vec<(usize, State)>,
}

/// The state after a query, and the tokens run to get it.
pub struct Read {
    /// The state after all segments.
    pub state: State,
    /// Tokens that had to be run.
    pub tokens_run: usize,
}

impl QueryReader {
    /// The state after the segments, run from the last stored boundary before the first change.
    ///
    /// # Errors
    /// Whatever the model reports; [`Error::Cancelled`].
    pub fn read(&mut self, network: &Network, segments: &[Vec<u32>], control: Control<'_>) -> Result<Read> {
        let same = self.segments.iter().zip(segments).take_while(|(a, b)| a == b).count();
        self.states.retain(|(n, _)| *n <= same);
        self.segments.clear();
        let (from, initial) = match self.states.last() {
            Some((n, state)) => (*n, Some(state.clone())),
            None => (0, None),
        };
        let rest = &segments[from..];
        let tokens: Vec<u32> = rest.iter().flatten().copied().collect();
        let state = match initial {
            Some(state) if tokens.is_empty() => state,
            // Without beginning-of-text tokens and without examples there is nothing to read.
            None if tokens.is_empty() => State::zeros(network.shape()),
            initial => {
                let boundaries = boundaries(rest);
                let first_kept = boundaries.len().saturating_sub(KEPT);
                let snapshots: Vec<usize> = boundaries[first_kept..].iter().map(|(_, at)| *at).collect();
                let prompt = Prompt { tokens: &tokens, initial: initial.as_ref(), snapshots: &snapshots, want: Want::State };
                let mut read = network.prefill(&[prompt], control)?;
                let read = read.pop().ok_or_else(|| Error::Model("the model returned no state for the query".into()))?;
                let kept = boundaries[first_kept..].iter().map(|(n, _)| from + n).zip(read.snapshots);
                self.states.extend(kept);
                let surplus = self.states.len().saturating_sub(KEPT);
                self.states.drain(..surplus);
                read.state
            }
        };
        self.segments = segments.to_vec();
        Ok(Read { state, tokens_run: tokens.len() })
    }
}

/// `(segments, tokens)` at the end of each segment that has a token. Empty segments are skipped,
/// because snapshots must ascend strictly.
fn boundaries(segments: &[Vec<u32>]) -> Vec<(usize, usize)> {
    let mut at = 0;
    let mut ends = Vec::with_capacity(segments.len());
    for (i, segment) in segments.iter().enumerate() {
        if !segment.is_empty() {
            at += segment.len();
            ends.push((i + 1, at));
        }
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::boundaries;

    #[test]
    fn boundaries_ascend_and_skip_empty_segments() {
        assert_eq!(boundaries(&[vec![0], vec![5, 6], vec![], vec![7]]), [(1, 1), (2, 3), (4, 4)]);
    }
}
