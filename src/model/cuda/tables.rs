//! The tables of a chunk that the kernels read.

use super::mixer::{CHANNELS, SEGMENTS};
use crate::model::MambaConfig;
use crate::model::plan::{Chunk, Span};

/// The fewest tokens of a segment.
const SEGMENT: usize = 128;

/// Which slots a sequence of a chunk begins and ends in, and where its snapshots go.
pub struct Places {
    /// By sequence: the slot it starts from, if not from nothing; the slot it ends in.
    pub seqs: Vec<(Option<usize>, usize)>,
    /// By snapshot: the slot it goes to.
    pub kept: Vec<usize>,
}

/// What the kernels read about a chunk: one array of whole numbers, copied to the card in one
/// piece.
pub struct Tables {
    pub numbers: Vec<i32>,
    pub layout: Layout,
    pub looks: usize,
    pub targets: usize,
    /// Slots of what the chunk leaves behind: snapshots, then last states.
    pub(super) outs: usize,
    pub(super) n_outs: usize,
}

/// Where the layers find their tables, in bytes, and how many there are of what: all that their
/// launches depend on beside addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    pub(super) tokens: usize,
    pub(super) ids: usize,
    pub(super) marks: usize,
    pub(super) units: usize,
    pub(super) spans: usize,
    pub(super) chains: usize,
    pub(super) n_units: usize,
    pub(super) n_seqs: usize,
    /// Sequences that are cut into segments; 0 where each runs in one piece.
    pub(super) n_chains: usize,
}

impl Layout {
    /// Tokens of the chunk.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Where the token numbers lie.
    pub fn ids(&self) -> usize {
        self.ids
    }
}

impl Tables {
    /// The tables of a chunk whose states lie in these places. `processors`: the card's, to judge
    /// whether sequences alone can fill it.
    pub fn new(chunk: &Chunk, places: &Places, config: &MambaConfig, processors: usize) -> Self {
        let mut pieces: Vec<Vec<Span>> = vec![Vec::new(); chunk.seqs.len()];
        for span in &chunk.spans {
            pieces[span.seq].push(*span);
        }
        let length = segment_length(chunk, config, processors);
        let (mut units, mut spans, mut chains) = (Vec::new(), Vec::new(), Vec::new());
        let slot = |s: Option<usize>| s.map_or(-1, |s| s as i32);
        for (pieces, &(from, to)) in pieces.iter().zip(&places.seqs) {
            let first = units.len() as i32 / 4;
            let start = pieces.first().map_or(0, |s| s.from);
            let mut left: Vec<Span> = pieces.clone();
            let mut cut = start + length.unwrap_or(usize::MAX - start);
            while !left.is_empty() {
                let begin = spans.len() as i32 / 4;
                let mut rest = Vec::new();
                for span in left {
                    if span.from < cut {
                        let keep = if span.to <= cut { span.keep } else { None };
                        spans.extend([span.from as i32, span.to.min(cut) as i32, slot(keep.map(|k| places.kept[k])), 0]);
                    }
                    if span.to > cut {
                        rest.push(Span { from: span.from.max(cut), ..span });
                    }
                }
                // Only the last unit of a sequence leaves its state in the slot.
                units.extend([begin, spans.len() as i32 / 4, slot(from), if rest.is_empty() { to as i32 } else { -1 }]);
                left = rest;
                cut = cut.saturating_add(length.unwrap_or(0));
            }
            chains.extend([first, units.len() as i32 / 4, slot(from), 0]);
        }
        let mut marks = Vec::with_capacity(4 * chunk.tokens.len());
        for (pieces, &(from, to)) in pieces.iter().zip(&places.seqs) {
            let (start, end) = (pieces.first().map_or(0, |s| s.from), pieces.last().map_or(0, |s| s.to));
            for span in pieces {
                for t in span.from..span.to {
                    let keep = span.keep.filter(|_| t + 1 == span.to).map(|k| places.kept[k]);
                    marks.extend([slot(from), (t - start) as i32, if t + 1 == end { to as i32 } else { -1 }, slot(keep)]);
                }
            }
        }
        let (n_units, n_chains) = (units.len() / 4, if length.is_some() { chains.len() / 4 } else { 0 });
        let mut numbers: Vec<i32> = Vec::new();
        let mut add = |part: Vec<i32>| {
            // Four numbers are read at once: parts begin at multiples of 16 bytes.
            numbers.resize(numbers.len().next_multiple_of(4), 0);
            let at = numbers.len() * 4;
            numbers.extend(part);
            at
        };
        let marks = add(marks);
        let (units, spans, chains) = (add(units), add(spans), add(chains));
        let ids = add(chunk.tokens.iter().map(|&t| t as i32).collect());
        let looks = add(chunk.looks.iter().map(|l| l.row as i32).collect());
        let targets = add(chunk.looks.iter().map(|l| l.target.unwrap_or(0) as i32).collect());
        let ended = chunk.seqs.iter().zip(&places.seqs).filter(|(s, _)| s.ends).map(|(_, &(_, to))| to);
        let all_outs: Vec<i32> = places.kept.iter().copied().chain(ended).map(|s| s as i32).collect();
        let n_outs = all_outs.len();
        let outs = add(all_outs);
        let (tokens, n_seqs) = (chunk.tokens.len(), chunk.seqs.len());
        let layout = Layout { tokens, ids, marks, units, spans, chains, n_units, n_seqs, n_chains };
        Self { numbers, layout, looks, targets, outs, n_outs }
    }

    /// Slots of what the chunk leaves behind: snapshots, then last states.
    pub fn outs(&self) -> &[i32] {
        &self.numbers[self.outs / 4..][..self.n_outs]
    }

    /// The most numbers that a chunk of this many tokens can need: for each token marks, a span, a
    /// unit, a chain, an id, a look, a target and two states; the parts' rounding; segments.
    pub fn most(tokens: usize) -> usize {
        (4 + 4 + 4 + 4 + 3 + 2) * tokens + 12 * SEGMENTS + 64
    }
}

/// The length of the segments that sequences are cut into so that few channels fill the card;
/// `None` if they are not cut. Cutting costs a second pass over all but the last segment, so it
/// must at least double the threads at work.
fn segment_length(chunk: &Chunk, config: &MambaConfig, processors: usize) -> Option<usize> {
    let blocks = chunk.seqs.len() * config.d_inner.div_ceil(CHANNELS);
    let longest = chunk.seqs.iter().map(|s| s.to - s.from).max().unwrap_or(0);
    // One block a multiprocessor is about what its schedulers need to be busy.
    let wanted = (2 * processors / blocks.max(1)).min(SEGMENTS / chunk.seqs.len().max(1));
    let pieces = wanted.min(longest / SEGMENT);
    (pieces >= 4).then(|| longest.div_ceil(pieces).next_multiple_of(32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::plan::Plan;
    use crate::model::{Prompt, Want};

    fn config(d_inner: usize) -> MambaConfig {
        let json = format!(r#"{{"d_model": {}, "n_layer": 1, "vocab_size": 64}}"#, d_inner / 2);
        MambaConfig::from_json(&json, "test").unwrap_or_else(|e| panic!("{e}"))
    }

    /// Every token is in exactly one unit, in order; snapshots survive the cutting; only the last
    /// unit of a sequence writes its slot.
    #[test]
    fn segments_cover_every_token_and_snapshot_once() {
        let texts: Vec<Vec<u32>> = [2000, 3, 700].iter().map(|&n| vec![1; n]).collect();
        let cuts = [1, 128, 129, 1999];
        let prompts: Vec<Prompt<'_>> = texts
            .iter()
            .enumerate()
            .map(|(i, t)| Prompt { tokens: t, initial: None, snapshots: if i == 0 { &cuts } else { &[] }, want: Want::State })
            .collect();
        for (d_inner, cut) in [(64, true), (8192, false)] {
            let Some(chunk) = Plan::new(&prompts, 4096, 100).next_chunk() else { panic!("a chunk") };
            let places = Places { seqs: (0..3).map(|s| ((s == 1).then_some(9), s)).collect(), kept: (10..14).collect() };
            let tables = Tables::new(&chunk, &places, &config(d_inner), 132);
            let layout = tables.layout;
            assert_eq!(layout.n_chains > 0, cut, "{d_inner}");
            assert!(tables.numbers.len() <= Tables::most(chunk.tokens.len()) && layout.n_units <= SEGMENTS.max(3));
            let four = |at: usize, i: usize| &tables.numbers[at / 4 + 4 * i..][..4];
            let (mut next, mut kept, mut ends) = (0, Vec::new(), Vec::new());
            for unit in 0..layout.n_units {
                let &[from, to, _, out] = four(layout.units, unit) else { panic!("a unit") };
                for span in from..to {
                    let &[begin, end, keep, _] = four(layout.spans, span as usize) else { panic!("a span") };
                    assert!(begin == next && end > begin);
                    next = end;
                    kept.extend((keep >= 0).then_some((end, keep)));
                }
                ends.extend((out >= 0).then_some((next, out)));
            }
            assert_eq!(next, 2703);
            assert_eq!(kept, [(1, 10), (128, 11), (129, 12), (1999, 13)]);
            assert_eq!(ends, [(2000, 0), (2003, 1), (2703, 2)]);
            assert_eq!(four(layout.marks, 2001), [9, 1, -1, -1]);
            assert_eq!(four(layout.marks, 2702), [-1, 699, 2, -1]);
        }
    }
}
