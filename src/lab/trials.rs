//! Building blocks of experiments: states of texts, and how well a state answers.

use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::{Lab, logprob, mean_logits};
use crate::model::{Model, Prompt, Want};
use crate::state::State;
use crate::task::{Pair, Segment, Split, Task};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// Number of prompts run together: enough to fill the matrix products, few enough that their states
/// stay near the cache.
const TOGETHER: usize = 64;

/// One question and the state it is asked from.
pub struct Ask {
    /// The state asked. Several are asked together and their logits averaged (the ensemble that
    /// mixing competes with).
    pub states: Vec<State>,
    /// The unfinished line.
    pub tail: Vec<u32>,
    /// The right answer, including its end.
    pub answer: Vec<u32>,
}

/// A named state, or ensemble of states, that answers questions.
pub struct Candidate {
    /// Its name in the reports.
    pub name: &'static str,
    /// Its state, or the states of the ensemble.
    pub states: Vec<State>,
}

impl Candidate {
    /// A candidate with a single state.
    pub fn one(name: &'static str, state: State) -> Self {
        Self { name, states: vec![state] }
    }
}

/// The score of one answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// −ln p of the whole answer, nats.
    pub nll: f64,
    /// Whether the greedy answer is exactly the right one.
    pub hit: bool,
}

/// The lab as experiments see it.
pub struct Trials<'a> {
    /// The lab.
    pub lab: &'a Lab,
    /// Its model.
    pub model: &'a Model,
}

impl<'a> Trials<'a> {
    /// Trials in a lab.
    pub fn new(lab: &'a Lab) -> Self {
        Self { lab, model: lab.model() }
    }

    /// The tokens of consecutive examples, example by example.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn examples<'p>(&self, pairs: impl IntoIterator<Item = &'p Pair>) -> Result<Vec<Vec<u32>>> {
        let segments: Vec<Segment> = pairs.into_iter().map(|pair| self.lab.template().segment(pair.clone())).collect();
        Ok(self.lab.examples_of(&segments)?.into_iter().map(|e| e.tokens).collect())
    }

    /// The beginning-of-text tokens and the examples.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn prompt<'p>(&self, pairs: impl IntoIterator<Item = &'p Pair>) -> Result<Vec<u32>> {
        let mut tokens = self.model.tokenizer.bos().to_vec();
        tokens.extend(self.examples(pairs)?.concat());
        Ok(tokens)
    }

    /// A question about a pair, without a state: the unfinished line and the answer.
    ///
    /// # Errors
    /// The tokenizer's.
    pub fn question(&self, pair: &Pair) -> Result<(Vec<u32>, Vec<u32>)> {
        self.lab.question(pair)
    }

    /// The state after each text, read from the given state or from the empty one.
    ///
    /// # Errors
    /// The model's; [`Error::Cancelled`].
    pub fn states(&self, texts: &[(Option<&State>, &[u32])], control: Control<'_>) -> Result<Vec<State>> {
        let mut states = Vec::with_capacity(texts.len());
        for part in texts.chunks(TOGETHER) {
            control.check()?;
            let prompts: Vec<_> =
                part.iter().map(|(initial, tokens)| Prompt { tokens, initial: *initial, snapshots: &[], want: Want::State }).collect();
            let quiet = control.with_progress(&|_| {});
            states.extend(self.model.network.prefill(&prompts, quiet)?.into_iter().map(|r| r.state));
        }
        Ok(states)
    }

    /// Scores the questions, all by teacher forcing: a greedy answer is right exactly if each of
    /// its tokens is the most probable one after the tokens before it.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty tail or answer; the model's; [`Error::Cancelled`].
    pub fn ask(&self, asks: &[Ask], control: Control<'_>) -> Result<Vec<Score>> {
        let mut scores = Vec::with_capacity(asks.len());
        let mut at = 0;
        while at < asks.len() {
            control.check()?;
            let mut to = at;
            let mut width = 0;
            while to < asks.len() && (to == at || width + asks[to].states.len() <= TOGETHER) {
                width += asks[to].states.len();
                to += 1;
            }
            scores.extend(self.ask_some(&asks[at..to], control)?);
            at = to;
        }
        Ok(scores)
    }

    /// Asks one question from every candidate.
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn put(&self, candidates: Vec<Candidate>, pair: &Pair, control: Control<'_>) -> Result<Vec<(&'static str, Score)>> {
        let (tail, answer) = self.question(pair)?;
        let names: Vec<&'static str> = candidates.iter().map(|c| c.name).collect();
        let ask = |c: Candidate| Ask { states: c.states, tail: tail.clone(), answer: answer.clone() };
        let asks: Vec<Ask> = candidates.into_iter().map(ask).collect();
        Ok(names.into_iter().zip(self.ask(&asks, control)?).collect())
    }

    fn ask_some(&self, asks: &[Ask], control: Control<'_>) -> Result<Vec<Score>> {
        let mut texts = Vec::with_capacity(asks.len());
        for ask in asks {
            let (Some((_, shown)), false, false) = (ask.answer.split_last(), ask.tail.is_empty(), ask.states.is_empty()) else {
                return Err(Error::Input("a question needs a state, an unfinished line and an answer".into()));
            };
            let first = ask.tail.len() - 1;
            texts.push(([&ask.tail[..], shown].concat(), (first..first + ask.answer.len()).collect::<Vec<_>>()));
        }
        let prompts: Vec<Prompt<'_>> = asks
            .iter()
            .zip(&texts)
            .flat_map(|(ask, (tokens, at))| {
                ask.states.iter().map(move |s| Prompt { tokens, initial: Some(s), snapshots: &[], want: Want::LogitsAt(at) })
            })
            .collect();
        let quiet = control.with_progress(&|_| {});
        let mut read = self.model.network.prefill(&prompts, quiet)?.into_iter().map(|r| r.logits);
        Ok(asks
            .iter()
            .map(|ask| {
                let of_states: Vec<Vec<Vec<f32>>> = read.by_ref().take(ask.states.len()).collect();
                let mut score = Score { nll: 0.0, hit: true };
                for (i, &token) in ask.answer.iter().enumerate() {
                    let logits = mean_logits(of_states.iter().map(|l| &l[i][..]));
                    score.nll -= logprob(&logits, token);
                    let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]).then(b.cmp(&a)));
                    score.hit &= best == Some(token as usize);
                }
                score
            })
            .collect())
    }

    /// Tasks of the lab that allow a split into `sets` sets of `shots` examples, with their index
    /// and split.
    ///
    /// # Errors
    /// None but [`Error::Input`] if no task is large enough.
    pub fn splits(&self, sets: usize, shots: usize, seed: u64) -> Result<Vec<(usize, &'a Task, Split)>> {
        let spec = crate::task::SplitSpec { sets, shots, seed, test_share: self.lab.split_spec().test_share };
        let tasks = self.lab.tasks().iter().enumerate();
        let splits: Vec<_> = tasks.filter_map(|(i, t)| spec.draw(t).ok().filter(|s| s.sets.len() == sets).map(|s| (i, t, s))).collect();
        if splits.is_empty() {
            return Err(Error::Input(format!("no task has {sets} sets of {shots} examples besides its test split")));
        }
        Ok(splits)
    }
}

/// The pairs with each input given the output of the pair half the list further on: the same words,
/// without the rule.
pub fn shuffled_labels(pairs: &[Pair]) -> Vec<Pair> {
    let n = pairs.len();
    (0..n).map(|i| Pair { input: pairs[i].input.clone(), output: pairs[(i + n / 2) % n].output.clone() }).collect()
}

/// The given state with Gaussian noise for its SSM state, with the same norm in each layer. It
/// shows the effect of magnitude alone.
///
/// # Errors
/// None in practice: the noise is finite.
pub fn random_like(state: &State, rng: &mut ChaCha8Rng) -> Result<State> {
    let shape = state.shape();
    let noise = |n: usize, rng: &mut ChaCha8Rng| StandardNormal.sample_iter(rng).take(n).collect::<Vec<f32>>();
    let ssm = noise(state.ssm().len(), rng);
    let conv = state.conv().to_vec();
    let raw = State::new(shape, ssm, conv, state.dt_sum().to_vec(), state.tokens())?;
    let norms: Vec<f64> = (0..shape.n_layer).map(|l| f64::from(state.ssm_norm(l))).collect();
    crate::soup::mix::scale_to_norms(&raw, &norms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shuffled_labels_keep_the_words_and_lose_the_rule() {
        let pairs: Vec<Pair> = (0..7).map(|i| Pair { input: format!("i{i}"), output: format!("o{i}") }).collect();
        let shuffled = shuffled_labels(&pairs);
        assert!(shuffled.iter().zip(&pairs).all(|(s, p)| s.input == p.input && s.output != p.output));
        let mut outputs: Vec<_> = shuffled.iter().map(|p| p.output.clone()).collect();
        outputs.sort();
        assert_eq!(outputs, pairs.iter().map(|p| p.output.clone()).collect::<Vec<_>>());
    }
}
