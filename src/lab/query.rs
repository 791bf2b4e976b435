//! A query as tokens, and reading it so that an edit costs only what changed.

use super::Lab;
use super::open::lock;
use super::reader::{QueryReader, Read};
use super::tokens::Example;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::task::{ParsedQuery, parse_query};

/// A query as tokens.
pub(crate) struct Query {
    pub parsed: ParsedQuery,
    /// The tokens that begin every text (often one, or none), then those of each complete example.
    pub segments: Vec<Vec<u32>>,
    /// The tokens of the unfinished line after the examples.
    pub tail: Vec<u32>,
    /// The tokens of the unfinished line with nothing before it.
    pub alone: Vec<u32>,
    /// The examples that a ranking reads and evidence explains. The last one is completed if its
    /// answer is begun.
    pub examples: Vec<Example>,
}

impl Query {
    /// Number of complete examples.
    pub(super) fn shots(&self) -> usize {
        self.parsed.shots()
    }
}

impl Lab {
    pub(super) fn query(&self, text: &str) -> Result<Query> {
        let parsed = parse_query(text, &self.build.template);
        let examples = self.examples_of(parsed.pieces())?;
        let (segments, tail, alone) = if parsed.tail.is_empty() {
            (examples.clone(), Vec::new(), Vec::new())
        } else {
            let (segments, tail) = self.tail_after(&parsed.segments, &parsed.tail)?;
            (segments, tail, self.tokens(&parsed.tail)?)
        };
        let segments: Vec<Vec<u32>> = std::iter::once(self.bos()).chain(segments.into_iter().map(|e| e.tokens)).collect();
        if segments.len() == 1 && tail.is_empty() {
            return Err(Error::Input("the query is empty; type a few examples, one a line, such as `hot -> cold`".into()));
        }
        Ok(Query { parsed, segments, tail, alone, examples })
    }

    /// A query without a question: a last example that lacks its line break is read like the
    /// others.
    pub(super) fn whole_query(&self, text: &str) -> Result<Query> {
        let mut query = self.query(text)?;
        if query.parsed.closed_tail.is_some() {
            query.segments = self.ranked_segments(&query);
        }
        Ok(query)
    }

    /// What a ranking reads of a query: its complete examples, with the last one completed if its
    /// answer is begun.
    pub(super) fn ranked_segments(&self, query: &Query) -> Vec<Vec<u32>> {
        let alone = query.examples.is_empty().then(|| query.alone.clone());
        let read = query.examples.iter().map(|e| e.tokens.clone());
        std::iter::once(self.bos()).chain(read).chain(alone).collect()
    }

    /// Forgets the query read last.
    pub(super) fn forget_reading(&self) {
        *lock(&self.reader) = QueryReader::default();
    }

    /// Reads segments from the last boundary that is still valid. While the model runs, the reader
    /// is copied instead of locked, because a ranking may overtake an answer at any point. The copy
    /// is cheap: states are shared.
    pub(super) fn read(&self, segments: &[Vec<u32>], control: Control<'_>) -> Result<Read> {
        let mut reader = lock(&self.reader).clone();
        let read = reader.read(&self.model.network, segments, control)?;
        *lock(&self.reader) = reader;
        Ok(read)
    }
}
