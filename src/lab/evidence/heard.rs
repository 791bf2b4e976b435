//! Which examples of a query evidence reads, and the sums over what it read.

use crate::lab::Unread;
use crate::lab::tokens::Example;
use crate::library::Explained;

/// Maximum number of tokens of a query's examples that evidence reads: the last ones. Every
/// candidate reads them, so 24 candidates read 25,000 tokens, which takes some seconds on two
/// cores. A hundred examples of ten tokens are more than enough; the constants were chosen with
/// fewer.
pub const MOST_TOKENS: usize = 1024;

/// The examples of a query that evidence reads.
pub struct Heard {
    /// The last examples, with at most [`MOST_TOKENS`] tokens.
    pub examples: Vec<Example>,
    /// The part of the query that is not in `examples`.
    pub unread: Unread,
}

impl Heard {
    /// The last examples that fit. If the last one does not fit by itself, its end.
    pub fn of(examples: &[Example]) -> Self {
        let mut tokens = 0;
        let fits = |e: &&Example| {
            tokens += e.tokens.len();
            tokens <= MOST_TOKENS
        };
        let read = examples.iter().rev().take_while(fits).count();
        let before = examples.len() - read;
        let unread = Unread { examples: before, of: examples.len(), is_cut: false };
        match examples.last() {
            Some(last) if read == 0 => {
                let cut = last.tokens.len() - MOST_TOKENS;
                let example = Example { tokens: last.tokens[cut..].to_vec(), answer: last.answer.saturating_sub(cut) };
                Self { examples: vec![example], unread: Unread { examples: before - 1, is_cut: true, ..unread } }
            }
            _ => Self { examples: examples[before..].to_vec(), unread },
        }
    }
}

/// Log-probabilities of examples from one state.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    /// Of all examples.
    pub all: Explained,
    /// Of the examples after the first. Each is predicted after those before it were read, so
    /// without hindsight.
    pub later: Explained,
}

impl Told {
    /// Sums over examples read in sequence.
    pub fn of(examples: &[Explained]) -> Self {
        let sum = |of: &[Explained]| of.iter().fold(Explained::default(), |sum, e| sum.plus(*e));
        Self { all: sum(examples), later: sum(examples.get(1..).unwrap_or_default()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examples(lengths: &[usize]) -> Vec<Example> {
        lengths.iter().enumerate().map(|(i, &n)| Example { tokens: vec![i as u32; n], answer: n.saturating_sub(2) }).collect()
    }

    #[test]
    fn the_last_examples_that_fit_are_read_and_the_rest_is_named() {
        let short = examples(&[10; 102]);
        let heard = Heard::of(&short);
        assert_eq!((heard.examples, heard.unread.words()), (short, None));
        assert_eq!(Heard::of(&[]).unread.words(), None);

        let heard = Heard::of(&examples(&[10; 103]));
        assert_eq!((heard.examples.len(), heard.examples[0].tokens[0]), (102, 1));
        assert_eq!(
            heard.unread.words().unwrap(),
            "Evidence reads the last 102 of the query's 103 examples, which are 1024 tokens at most."
        );

        // The first example that does not fit ends the reading, even if an earlier one would fit.
        let heard = Heard::of(&examples(&[5, MOST_TOKENS, 5]));
        assert_eq!(heard.examples, examples(&[5, MOST_TOKENS, 5])[2..]);

        let heard = Heard::of(&examples(&[7, MOST_TOKENS + 50]));
        assert_eq!((heard.examples.len(), heard.examples[0].tokens.len(), heard.examples[0].answer), (1, MOST_TOKENS, MOST_TOKENS - 2));
        assert_eq!(
            heard.unread.words().unwrap(),
            "Evidence reads the last 1024 tokens of the query's last example, and none of the other 1."
        );
    }
}
