//! Continuations from states: what a state answers, how sure it is, and how likely a given answer is to it.

use super::{Decoding, TokenProbability};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::{Model, Prefilled, Prompt, Want};
use crate::state::State;
use candle_core::{Device, Tensor};
use candle_transformers::generation::{LogitsProcessor, Sampling};

/// Next tokens listed.
const TOP: usize = 10;

/// Where a continuation starts.
pub struct Start {
    /// The state; `None` is the empty one.
    pub state: Option<State>,
    /// What is read before the continuation; at least one token.
    pub tokens: Vec<u32>,
}

/// How continuations are made.
pub struct Spec<'a> {
    /// Tokens at most.
    pub max_tokens: usize,
    /// Greedy or sampled.
    pub decoding: &'a Decoding,
    /// The text an answer ends at (a template's terminator).
    pub end: &'a str,
    /// An answer, terminator included, whose log-probability is asked for.
    pub target: Option<&'a [u32]>,
}

/// A continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// The text up to the terminator, trimmed.
    pub text: String,
    /// Natural log of its probability, the terminator's tokens included.
    pub logprob: f64,
    /// The likeliest next tokens after the start.
    pub top: Vec<TokenProbability>,
    /// Natural log of the target's probability.
    pub target_logprob: Option<f64>,
}

/// Continues from every start at once: one packed prefill, then one batched step a token.
///
/// # Errors
/// [`Error::Input`] if a start has no token; the model's errors; [`Error::Cancelled`].
pub fn continue_from(model: &Model, starts: &[Start], spec: &Spec<'_>, control: Control<'_>) -> Result<Vec<Continuation>> {
    let read = read_starts(model, starts, control)?;
    let first: Vec<&[f32]> = read.iter().map(|r| r.logits.last().map_or(&[][..], Vec::as_slice)).collect();
    let states: Vec<&State> = read.iter().map(|r| &r.state).collect();

    let targets = match spec.target {
        Some(target) if !target.is_empty() => target_logprobs(model, &states, &first, target, control)?.into_iter().map(Some).collect(),
        _ => vec![None; starts.len()],
    };
    let texts = decode(model, &states, &first, spec, control)?;
    Ok(texts
        .into_iter()
        .zip(first)
        .zip(targets)
        .map(|(((text, logprob), logits), target_logprob)| Continuation { text, logprob, top: top_tokens(model, logits), target_logprob })
        .collect())
}

/// ln p(target | start) for every start, without a continuation.
///
/// # Errors
/// As [`continue_from`].
pub fn target_from(model: &Model, starts: &[Start], target: &[u32], control: Control<'_>) -> Result<Vec<f64>> {
    let read = read_starts(model, starts, control)?;
    let first: Vec<&[f32]> = read.iter().map(|r| r.logits.last().map_or(&[][..], Vec::as_slice)).collect();
    let states: Vec<&State> = read.iter().map(|r| &r.state).collect();
    target_logprobs(model, &states, &first, target, control)
}

fn read_starts(model: &Model, starts: &[Start], control: Control<'_>) -> Result<Vec<Prefilled>> {
    if starts.iter().any(|s| s.tokens.is_empty()) {
        return Err(nothing_to_answer());
    }
    let prompts: Vec<_> =
        starts.iter().map(|s| Prompt { tokens: &s.tokens, initial: s.state.as_ref(), snapshots: &[], want: Want::LastLogits }).collect();
    model.mamba.prefill(&prompts, control)
}

/// What is said where a query has no unfinished line.
pub fn nothing_to_answer() -> Error {
    Error::Input("there is nothing to answer: end the query with an unfinished line, such as `big ->`".into())
}

/// ln p(target | state) for every state: the first token from the logits at hand, the others from one packed pass.
fn target_logprobs(model: &Model, states: &[&State], first: &[&[f32]], target: &[u32], control: Control<'_>) -> Result<Vec<f64>> {
    let head: Vec<f64> = first.iter().map(|logits| logprob(logits, target[0])).collect();
    if target.len() == 1 {
        return Ok(head);
    }
    let prompts: Vec<_> =
        states.iter().map(|&s| Prompt { tokens: target, initial: Some(s), snapshots: &[], want: Want::LogProbs }).collect();
    let read = model.mamba.prefill(&prompts, control)?;
    Ok(head.iter().zip(read).map(|(head, r)| head + r.logprobs.iter().map(|&p| f64::from(p)).sum::<f64>()).collect())
}

/// One sequence being continued.
struct Line {
    tokens: Vec<u32>,
    logprob: f64,
    choose: LogitsProcessor,
    /// The text up to the terminator, once it has ended.
    text: Option<String>,
}

fn decode(model: &Model, states: &[&State], first: &[&[f32]], spec: &Spec<'_>, control: Control<'_>) -> Result<Vec<(String, f64)>> {
    let stop: Vec<u32> = [model.tokenizer.bos(), model.config().eos_token_id].into_iter().flatten().collect();
    let mut lines: Vec<Line> =
        states.iter().map(|_| Line { tokens: Vec::new(), logprob: 0.0, choose: chooser(spec.decoding), text: None }).collect();
    let mut decoder = model.mamba.decoder(states)?;
    let vocab = first.first().map_or(0, |l| l.len());
    let mut logits: Vec<f32> = first.concat();
    for i in 0..spec.max_tokens {
        control.check()?;
        let mut next = Vec::with_capacity(lines.len());
        for (line, logits) in lines.iter_mut().zip(logits.chunks_exact(vocab)) {
            next.push(line.push(model, logits, spec.end, &stop)?);
        }
        if lines.iter().all(|l| l.text.is_some()) || i + 1 == spec.max_tokens {
            break;
        }
        logits.clear();
        logits.extend_from_slice(decoder.step(&next)?);
    }
    Ok(lines.into_iter().map(|l| (l.text.unwrap_or_else(|| model.tokenizer.decode(&l.tokens)).trim().to_string(), l.logprob)).collect())
}

impl Line {
    /// Chooses the next token; an ended line goes on with token 0, whose logits nobody reads.
    fn push(&mut self, model: &Model, logits: &[f32], end: &str, stop: &[u32]) -> Result<u32> {
        if self.text.is_some() {
            return Ok(0);
        }
        let token = self.choose.sample(&Tensor::from_slice(logits, logits.len(), &Device::Cpu)?)?;
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

fn chooser(decoding: &Decoding) -> LogitsProcessor {
    match *decoding {
        Decoding::Greedy => LogitsProcessor::from_sampling(0, Sampling::ArgMax),
        Decoding::Sample { temperature, top_p, seed } => {
            LogitsProcessor::from_sampling(seed, Sampling::TopP { p: top_p.clamp(0.0, 1.0), temperature: temperature.max(1e-6) })
        }
    }
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
    fn log_probabilities_sum_to_one_and_stay_finite_far_out() {
        let logits = [1e4_f32, 9.999e3, -1e4];
        let total: f64 = (0..3).map(|t| logprob(&logits, t).exp()).sum();
        assert!((total - 1.0).abs() < 1e-12);
        assert!((logprob(&logits, 0) - (1.0 / (1.0 + (-1.0_f64).exp())).ln()).abs() < 1e-9);
        assert_eq!(logprob(&logits, 7), f64::NEG_INFINITY);
    }
}
