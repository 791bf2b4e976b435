//! Tokenisation: the tokenizer encodes the whole text, and its tokens are cut at the boundaries of
//! examples.
//!
//! A text is tokenised in the context in which the model reads it. An example has another one after
//! it (every skill is read on from), and a question has an example before it. A library that was
//! built with each example tokenised separately is read that way ([`Borders::Apart`]).

use super::Lab;
use crate::error::Result;
use crate::library::Borders;
use crate::task::{Pair, Segment};

/// An example's tokens, and the index of the first token of its answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Example {
    pub tokens: Vec<u32>,
    pub answer: usize,
}

/// A placeholder for any word of an example.
const WORD: &str = "a";

impl Lab {
    /// The tokens of consecutive segments, and of the text `then` that follows them.
    pub(crate) fn tokens_of<'s>(&self, segments: impl IntoIterator<Item = &'s Segment>, then: &str) -> Result<(Vec<Example>, Vec<u32>)> {
        let segments: Vec<[String; 2]> = segments.into_iter().map(|s| self.halves(s)).collect();
        if self.build.borders == Borders::Apart {
            let example = |[tail, answer]: &[String; 2]| {
                let (tokens, tail) = (self.tokens(&[&tail[..], answer].concat())?, self.tokens(tail)?);
                // The answer begins where the example's tokens first differ from those of its
                // unfinished line.
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

    /// Tokens of segments that another example follows. Rankings read them so, and so does
    /// everything that becomes a skill.
    pub(crate) fn examples_of<'s>(&self, segments: impl IntoIterator<Item = &'s Segment>) -> Result<Vec<Example>> {
        Ok(self.tokens_of(segments, &self.build.template.tail(WORD))?.0)
    }

    /// The tokens of segments and of an unfinished line after them. Without segments, the line is
    /// tokenised after a placeholder example.
    pub(crate) fn tail_after(&self, segments: &[Segment], tail: &str) -> Result<(Vec<Example>, Vec<u32>)> {
        if segments.is_empty() {
            return Ok((Vec::new(), self.tokens_of([&self.any_example()], tail)?.1));
        }
        self.tokens_of(segments, tail)
    }

    /// The tokens of the target answer to an unfinished line after segments, including its end.
    /// `asked`: the line's tokens in that context.
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
        // If a token would span the line and the answer, or the answer and the next example, the
        // line keeps its tokens and the answer is tokenised by itself.
        if tokens.pop().as_deref() == Some(asked) && !answer_tokens.is_empty() { Ok(answer_tokens) } else { self.tokens(&answer) }
    }

    /// The tokens of a pair's unfinished line and of its answer, after a placeholder example.
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
