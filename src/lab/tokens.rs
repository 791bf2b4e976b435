//! How texts become tokens here: as the tokenizer makes them of the whole text, cut at the borders of examples.
//!
//! A text is tokenised with what stands around it in what the model reads: an example with another one
//! after it (every skill is read on from), a question with an example before it. A library that was
//! built when each example was tokenised apart is read that way ([`Borders::Apart`]).

use super::Lab;
use crate::error::Result;
use crate::library::Borders;
use crate::task::{Pair, Segment};

/// An example's tokens, and from which token on they are its answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Example {
    pub tokens: Vec<u32>,
    pub answer: usize,
}

/// Stands for any word of an example.
const WORD: &str = "a";

impl Lab {
    /// The tokens of segments that follow each other, and of what comes right after them.
    pub(crate) fn tokens_of<'s>(&self, segments: impl IntoIterator<Item = &'s Segment>, then: &str) -> Result<(Vec<Example>, Vec<u32>)> {
        let segments: Vec<[String; 2]> = segments.into_iter().map(|s| self.halves(s)).collect();
        if self.build.borders == Borders::Apart {
            let example = |[tail, answer]: &[String; 2]| {
                let (tokens, tail) = (self.tokens(&[&tail[..], answer].concat())?, self.tokens(tail)?);
                // The answer begins where the example's tokens leave those of its unfinished line.
                let answer = if answer.is_empty() { tokens.len() } else { tail.iter().zip(&tokens).take_while(|(a, b)| a == b).count() };
                Ok(Example { tokens, answer })
            };
            return Ok((segments.iter().map(example).collect::<Result<_>>()?, self.tokens(then)?));
        }
        let mut pieces: Vec<&str> = segments.iter().flatten().map(String::as_str).collect();
        pieces.push(then);
        let mut tokens = self.model.tokenizer.encode_pieces(&pieces)?;
        let then = tokens.pop().unwrap_or_default();
        let example = |halves: &[Vec<u32>]| Example { tokens: halves.concat(), answer: halves[0].len() };
        Ok((tokens.chunks_exact(2).map(example).collect(), then))
    }

    /// A segment up to its answer, and the rest.
    fn halves(&self, segment: &Segment) -> [String; 2] {
        match &segment.pair {
            Some(pair) => [self.build.template.tail(&pair.input), self.build.template.answer(&pair.output)],
            None => [segment.text.clone(), String::new()],
        }
    }

    /// Segments as they are read where another example follows: by a ranking, and by whatever is made into a skill.
    pub(crate) fn examples_of<'s>(&self, segments: impl IntoIterator<Item = &'s Segment>) -> Result<Vec<Example>> {
        Ok(self.tokens_of(segments, &self.build.template.tail(WORD))?.0)
    }

    /// Segments, and an unfinished line after them; after any example if there are none.
    pub(crate) fn tail_after(&self, segments: &[Segment], tail: &str) -> Result<(Vec<Example>, Vec<u32>)> {
        if segments.is_empty() {
            return Ok((Vec::new(), self.tokens_of([&self.any_example()], tail)?.1));
        }
        self.tokens_of(segments, tail)
    }

    /// What an unfinished line after segments is hoped to be completed by, with its end. `asked`: the line's tokens there.
    pub(crate) fn answer_after(&self, segments: &[Segment], tail: &str, asked: &[u32], output: &str) -> Result<Vec<u32>> {
        let (context, answer) = ([self.any_example()], self.build.template.answer(output));
        let before = if segments.is_empty() { &context } else { segments };
        if self.build.borders == Borders::Apart {
            return self.tokens(&answer);
        }
        let mut pieces: Vec<&str> = before.iter().map(|s| s.text.as_str()).collect();
        let next = self.build.template.tail(WORD);
        pieces.extend([tail, &answer, &next]);
        let mut tokens = self.model.tokenizer.encode_pieces(&pieces)?;
        tokens.pop();
        let answer_tokens = tokens.pop().unwrap_or_default();
        // Where a token would reach from the line into the answer, or from the answer into the next example, the line is asked as it stands, and the answer is read
        // by itself.
        if tokens.pop().as_deref() == Some(asked) && !answer_tokens.is_empty() { Ok(answer_tokens) } else { self.tokens(&answer) }
    }

    /// The unfinished line of a pair, and its answer, after an example.
    pub(crate) fn question(&self, pair: &Pair) -> Result<(Vec<u32>, Vec<u32>)> {
        let tail = self.build.template.tail(&pair.input);
        let (_, asked) = self.tail_after(&[], &tail)?;
        let answer = self.answer_after(&[], &tail, &asked, &pair.output)?;
        Ok((asked, answer))
    }

    fn any_example(&self) -> Segment {
        self.build.template.segment(Pair { input: WORD.into(), output: WORD.into() })
    }

    /// The tokens of a whole text.
    pub(crate) fn tokens(&self, text: &str) -> Result<Vec<u32>> {
        self.model.tokenizer.encode(text)
    }
}
