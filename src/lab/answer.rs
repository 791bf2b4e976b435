//! Continuations from states: a state's answer, its probabilities, and the probability of a given
//! answer.

use super::{Decoding, TokenProbability};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::{Model, Prefilled, Prompt, Want};
use crate::state::State;
use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};

/// Number of next tokens listed.
const TOP: usize = 10;

/// Where a continuation starts.
pub struct Start {
    /// The states; no states mean the empty one. Several answer together, by the mean of their
    /// logits.
    pub states: Vec<State>,
    /// The tokens read before the continuation; at least one.
    pub tokens: Vec<u32>,
}

impl Start {
    /// Number of sequences run for this start.
    fn width(&self) -> usize {
        self.states.len().max(1)
    }
}

/// How continuations are made.
pub struct Spec<'a> {
    /// Maximum number of tokens.
    pub max_tokens: usize,
    /// Greedy or sampled.
    pub decoding: &'a Decoding,
    /// The text at which an answer ends (a template's terminator).
    pub end: &'a str,
    /// An answer, including the terminator, whose log-probability is computed.
    pub target: Option<&'a [u32]>,
}

/// A continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// The text before the terminator, trimmed.
    pub text: String,
    /// Natural log of its probability, including the terminator's tokens.
    pub logprob: f64,
    /// The most probable next tokens after the start.
    pub top: Vec<TokenProbability>,
    /// Natural log of the target's probability.
    pub target_logprob: Option<f64>,
}

/// Continues from every start at once: one packed prefill, then one batched step per token.
///
/// # Errors
/// [`Error::Input`] if a start has no token; the model's errors; [`Error::Cancelled`].
pub fn continue_from(model: &Model, starts: &[Start], spec: &Spec<'_>, control: Control<'_>) -> Result<Vec<Continuation>> {
    let read = read_starts(model, starts, control)?;
    let targets = match spec.target {
        Some(target) if !target.is_empty() => target_logprobs(model, &read, target, control)?.into_iter().map(Some).collect(),
        _ => vec![None; starts.len()],
    };
    let first: Vec<Vec<f32>> = read.iter().map(Group::first).collect();
    let texts = decode(model, &read, &first, spec, control)?;
    Ok(texts
        .into_iter()
        .zip(first)
        .zip(targets)
        .map(|(((text, logprob), logits), target_logprob)| Continuation { text, logprob, top: top_tokens(model, &logits), target_logprob })
        .collect())
}

/// The sequences of one start, after its tokens.
struct Group(Vec<Prefilled>);

impl Group {
    /// The logits after the start's tokens.
    fn first(&self) -> Vec<f32> {
        mean_logits(self.0.iter().map(|r| r.logits.last().map_or(&[][..], Vec::as_slice)))
    }
}

/// The entrywise mean of several logit vectors. A single one is returned unchanged.
pub(crate) fn mean_logits<'l>(mut of: impl ExactSizeIterator<Item = &'l [f32]>) -> Vec<f32> {
    let n = of.len() as f32;
    let mut sum = of.next().map(<[f32]>::to_vec).unwrap_or_default();
    for logits in of {
        sum.iter_mut().zip(logits).for_each(|(s, l)| *s += l);
    }
    if n > 1.0 {
        sum.iter_mut().for_each(|s| *s /= n);
    }
    sum
}

/// ln p(target | start) for every start, without a continuation.
///
/// # Errors
/// As [`continue_from`].
pub fn target_from(model: &Model, starts: &[Start], target: &[u32], control: Control<'_>) -> Result<Vec<f64>> {
    let read = read_starts(model, starts, control)?;
    target_logprobs(model, &read, target, control)
}

fn read_starts(model: &Model, starts: &[Start], control: Control<'_>) -> Result<Vec<Group>> {
    if starts.iter().any(|s| s.tokens.is_empty()) {
        return Err(nothing_to_answer());
    }
    let prompt = |tokens, initial| Prompt { tokens, initial, snapshots: &[], want: Want::LastLogits };
    let prompts: Vec<_> = starts
        .iter()
        .flat_map(|s| {
            let initial = (0..s.width()).map(move |i| s.states.get(i));
            initial.map(move |initial| prompt(&s.tokens, initial))
        })
        .collect();
    let mut read = model.network.prefill(&prompts, control)?.into_iter();
    Ok(starts.iter().map(|s| Group(read.by_ref().take(s.width()).collect())).collect())
}

/// The error for a query without an unfinished line.
pub fn nothing_to_answer() -> Error {
    Error::Input("there is nothing to answer: end the query with an unfinished line, such as `big ->`".into())
}

/// ln p(target | start) for every start. The first token's term comes from the logits already
/// computed, the others' from one packed pass.
fn target_logprobs(model: &Model, starts: &[Group], target: &[u32], control: Control<'_>) -> Result<Vec<f64>> {
    let head: Vec<f64> = starts.iter().map(|group| logprob(&group.first(), target[0])).collect();
    let Some((_, shown)) = target.split_last().filter(|(_, shown)| !shown.is_empty()) else { return Ok(head) };
    let at: Vec<usize> = (0..shown.len()).collect();
    // For a single state, the log-probabilities suffice and no logits need to be stored.
    let of = |group: &Group| if group.0.len() == 1 { (target, Want::LogProbs) } else { (shown, Want::LogitsAt(&at)) };
    let prompts: Vec<_> = starts
        .iter()
        .flat_map(|group| {
            let (tokens, want) = of(group);
            group.0.iter().map(move |r| Prompt { tokens, initial: Some(&r.state), snapshots: &[], want })
        })
        .collect();
    let mut read = model.network.prefill(&prompts, control)?.into_iter();
    let rest = |group: &Group| {
        let of_states: Vec<Prefilled> = read.by_ref().take(group.0.len()).collect();
        match &of_states[..] {
            [one] => one.logprobs.iter().map(|&p| f64::from(p)).sum::<f64>(),
            all => {
                target[1..].iter().enumerate().map(|(i, &token)| logprob(&mean_logits(all.iter().map(|r| &r.logits[i][..])), token)).sum()
            }
        }
    };
    Ok(head.iter().zip(starts.iter().map(rest)).map(|(head, rest)| head + rest).collect())
}

/// One sequence being continued.
struct Line {
    tokens: Vec<u32>,
    logprob: f64,
    /// Samples tokens; `None` for greedy decoding.
    draw: Option<LogitsProcessor>,
    /// The text before the terminator, once the line has ended.
    text: Option<String>,
}

fn decode(model: &Model, starts: &[Group], first: &[Vec<f32>], spec: &Spec<'_>, control: Control<'_>) -> Result<Vec<(String, f64)>> {
    let mut lines: Vec<Line> =
        starts.iter().map(|_| Line { tokens: Vec::new(), logprob: 0.0, draw: sampler(spec.decoding), text: None }).collect();
    let states: Vec<&State> = starts.iter().flat_map(|group| &group.0).map(|r| &r.state).collect();
    let mut decoder = model.network.decoder(&states)?;
    let vocab = first.first().map_or(0, Vec::len);
    let mut logits: Vec<f32> = first.concat();
    for i in 0..spec.max_tokens {
        control.check()?;
        let mut next = Vec::with_capacity(states.len());
        for ((line, group), logits) in lines.iter_mut().zip(starts).zip(logits.chunks_exact(vocab)) {
            let token = line.push(model, logits, spec.end, &model.special.eos)?;
            next.extend(std::iter::repeat_n(token, group.0.len()));
        }
        if lines.iter().all(|l| l.text.is_some()) || i + 1 == spec.max_tokens {
            break;
        }
        logits.clear();
        let mut of_states = decoder.step(&next)?.chunks_exact(vocab);
        for group in starts {
            let n = group.0.len();
            if n == 1 {
                logits.extend_from_slice(of_states.next().unwrap_or_default());
            } else {
                logits.extend(mean_logits(of_states.by_ref().take(n).collect::<Vec<_>>().into_iter()));
            }
        }
    }
    Ok(lines.into_iter().map(|l| (l.text.unwrap_or_else(|| model.tokenizer.decode(&l.tokens)).trim().to_string(), l.logprob)).collect())
}

impl Line {
    /// Chooses the next token. An ended line continues with token 0, whose logits are not used.
    fn push(&mut self, model: &Model, logits: &[f32], end: &str, stop: &[u32]) -> Result<u32> {
        if self.text.is_some() {
            return Ok(0);
        }
        let token = match &mut self.draw {
            None => likeliest(logits),
            Some(draw) => draw.sample(&Tensor::from_slice(logits, logits.len(), &Device::Cpu)?)?,
        };
        self.logprob += logprob(logits, token);
        if stop.contains(&token) {
            self.text = Some(model.tokenizer.decode(&self.tokens));
            return Ok(token);
        }
        self.tokens.push(token);
        let text = model.tokenizer.decode(&self.tokens);
        if let Some((before, _)) = text.split_once(end).filter(|_| !end.is_empty()) {
            self.text = Some(before.to_string());
        }
        Ok(token)
    }
}

fn sampler(decoding: &Decoding) -> Option<LogitsProcessor> {
    let Decoding::Sample { temperature, top_p, seed } = *decoding else { return None };
    let sampling = Sampling::TopP { p: top_p.clamp(0.0, 1.0), temperature: temperature.max(1e-6) };
    Some(LogitsProcessor::from_sampling(seed, sampling))
}

/// The token with the largest logit; the first one in a tie.
fn likeliest(logits: &[f32]) -> u32 {
    let mut best = (0, logits.first().copied().unwrap_or_default());
    for (token, &logit) in logits.iter().enumerate() {
        if best.1 < logit {
            best = (token, logit);
        }
    }
    best.0 as u32
}

/// Natural log of the softmax at one entry, in f64.
pub fn logprob(logits: &[f32], token: u32) -> f64 {
    logits.get(token as usize).map_or(f64::NEG_INFINITY, |&l| f64::from(l) - log_sum_exp(logits))
}

fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    f64::from(max) + logits.iter().map(|&l| f64::from(l - max).exp()).sum::<f64>().ln()
}

fn top_tokens(model: &Model, logits: &[f32]) -> Vec<TokenProbability> {
    let norm = log_sum_exp(logits);
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let by_logit = |a: &u32, b: &u32| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b));
    if order.len() > TOP {
        order.select_nth_unstable_by(TOP, by_logit);
        order.truncate(TOP);
    }
    order.sort_by(by_logit);
    order
        .into_iter()
        .map(|t| TokenProbability { token: model.tokenizer.token_text(t), probability: (f64::from(logits[t as usize]) - norm).exp() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_token_is_the_first_of_equals() {
        assert_eq!(likeliest(&[0.5, 2.0, -1.0, 2.0]), 1);
        assert_eq!(likeliest(&[f32::NEG_INFINITY, f32::NEG_INFINITY]), 0);
        assert_eq!(likeliest(&[-3.0, f32::NAN, -2.0]), 2);
    }

    #[test]
    fn log_probabilities_sum_to_one_and_stay_finite_far_out() {
        let logits = [1e4_f32, 9.999e3, -1e4];
        let total: f64 = (0..3).map(|t| logprob(&logits, t).exp()).sum();
        assert!((total - 1.0).abs() < 1e-12);
        assert!((logprob(&logits, 0) - (1.0 / (1.0 + (-1.0_f64).exp())).ln()).abs() < 1e-9);
        assert_eq!(logprob(&logits, 7), f64::NEG_INFINITY);
    }
}
