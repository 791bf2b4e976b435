//! Every rule for composing the chunks of one document, compared: how well each predicts what
//! follows, and how far its state is from that of one pass.

use super::Lab;
use super::document::{self, Cut};
use super::open::lock;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::soup::chunks::{ChunkRule, ChunkStates, relative_errors};
use crate::soup::picaso;
use crate::state::State;
use crate::task::rng;
use std::sync::Arc;

/// Number of quantiles of the channels' half-lives, per layer.
const BANDS: usize = 32;

/// The source of a document.
#[derive(Clone, Debug, PartialEq)]
pub enum DecaySource {
    /// A text.
    Text(Arc<str>),
    /// Runs of examples of the lab's tasks, drawn with this seed.
    Sample(u64),
}

/// A request to compare the rules for a document's chunks.
#[derive(Clone, Debug, PartialEq)]
pub struct DecayRequest {
    /// The document.
    pub source: DecaySource,
    /// How it is cut.
    pub cut: Cut,
    /// γ of A-decay.
    pub gamma: f64,
}

/// The result of one rule.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleResult {
    /// The rule.
    pub rule: ChunkRule,
    /// −ln p of each predicted token of the continuation; nats.
    pub loss: Vec<f32>,
    /// Relative error of the SSM state against that of one pass, per layer.
    pub error: Vec<f64>,
}

impl RuleResult {
    /// Mean loss; nats per token.
    pub fn nats(&self) -> f64 {
        self.loss.iter().map(|v| f64::from(*v)).sum::<f64>() / self.loss.len() as f64
    }

    /// Perplexity.
    pub fn perplexity(&self) -> f64 {
        self.nats().exp()
    }
}

/// The rules compared on a document.
#[derive(Clone, Debug, PartialEq)]
pub struct DecayView {
    /// The request.
    pub request: DecayRequest,
    /// The document's text.
    pub text: Arc<str>,
    /// Byte offsets where each chunk begins, then where the continuation begins, then where it
    /// ends.
    pub bounds: Vec<usize>,
    /// Number of tokens of the whole text, including the beginning-of-text token.
    pub tokens: usize,
    /// The texts of the predicted tokens.
    pub continuation: Vec<String>,
    /// One result per rule; the full pass is the first.
    pub results: Vec<RuleResult>,
    /// Half-lives of channels in tokens, per layer, at quantiles from the shortest to the longest.
    pub half_life: Vec<Vec<f32>>,
}

impl DecayView {
    /// Nats per token that a rule loses against the full pass.
    pub fn excess(&self, result: &RuleResult) -> f64 {
        result.nats() - self.results.first().map_or(f64::NAN, RuleResult::nats)
    }
}

/// A document that was read, with every result that does not depend on γ.
pub(super) struct Encoded {
    source: DecaySource,
    cut: Cut,
    text: Arc<str>,
    bounds: Vec<usize>,
    tokens: usize,
    after: Vec<u32>,
    continuation: Vec<String>,
    states: ChunkStates,
    results: Vec<RuleResult>,
    half_life: Vec<Vec<f32>>,
}

/// The rules, in the order shown.
fn rules(gamma: f64) -> [ChunkRule; 10] {
    [
        ChunkRule::FullPass,
        ChunkRule::Decay { gamma, halo: true },
        ChunkRule::Decay { gamma, halo: false },
        ChunkRule::Mean { halo: false },
        ChunkRule::Sum,
        ChunkRule::PicasoS,
        ChunkRule::PicasoR,
        ChunkRule::Last,
        ChunkRule::First,
        ChunkRule::Empty,
    ]
}

impl DecayRequest {
    /// Names of the rules compared, in the order shown.
    pub fn rule_names() -> [&'static str; 10] {
        rules(1.0).map(ChunkRule::name)
    }

    /// The rules that this request compares, in the order shown.
    pub fn rules(&self) -> [ChunkRule; 10] {
        rules(self.gamma)
    }

    /// Fails for values out of range.
    ///
    /// # Errors
    /// [`Error::Input`] with the range.
    pub fn check(&self) -> Result<()> {
        let Cut { chunks, length, after } = self.cut;
        let wrong = if !(2..=picaso::MOST).contains(&chunks) {
            format!("there can be 2 to {} chunks, not {chunks}", picaso::MOST)
        } else if !(1..=4096).contains(&length) {
            format!("a chunk can have 1 to 4096 tokens, not {length}")
        } else if !(1..=1024).contains(&after) {
            format!("a continuation can have 1 to 1024 tokens, not {after}")
        } else if self.gamma.is_nan() || self.gamma < 0.0 {
            format!("gamma must be 0 or more (inf keeps the last chunk alone), not {}", self.gamma)
        } else {
            return Ok(());
        };
        Err(Error::Input(wrong))
    }
}

impl Lab {
    /// Compares the rules on a document. The document's states are stored, so that another γ only
    /// costs composing and predicting.
    ///
    /// # Errors
    /// [`Error::Input`] for values out of range or a text that is too short or too long; the
    /// model's; [`Error::Cancelled`].
    pub fn decay(&self, request: &DecayRequest, control: Control<'_>) -> Result<DecayView> {
        request.check()?;
        let kept = lock(&self.document).clone().filter(|e| e.source == request.source && e.cut == request.cut);
        let encoded = if let Some(encoded) = kept {
            encoded
        } else {
            let encoded = Arc::new(self.encode_document(request, control)?);
            *lock(&self.document) = Some(Arc::clone(&encoded));
            encoded
        };
        let moving: Vec<ChunkRule> = request.rules().into_iter().filter(|r| depends_on_gamma(*r)).collect();
        let mut moved = self.results(&encoded.states, &encoded.after, &moving, control)?.into_iter();
        let mut fixed = encoded.results.iter().cloned();
        let results = request.rules().into_iter().filter_map(|r| if depends_on_gamma(r) { moved.next() } else { fixed.next() });
        Ok(DecayView {
            request: request.clone(),
            text: Arc::clone(&encoded.text),
            bounds: encoded.bounds.clone(),
            tokens: encoded.tokens,
            continuation: encoded.continuation.clone(),
            results: results.collect(),
            half_life: encoded.half_life.clone(),
        })
    }

    fn encode_document(&self, request: &DecayRequest, control: Control<'_>) -> Result<Encoded> {
        let cut = request.cut;
        let text: Arc<str> = match &request.source {
            DecaySource::Text(text) => Arc::clone(text),
            DecaySource::Sample(seed) => {
                let mut random = rng(*seed, "sample document", cut.chunks);
                document::of_tasks(&self.model, &self.tasks, &self.build.template, cut, &mut random)?.0.into()
            }
        };
        if text.len() > crate::text::MAX {
            return Err(Error::Input(format!("the document is longer than {} KiB", crate::text::MAX / 1024)));
        }
        let (read, starts) = self.model.tokenizer.encode_with_starts(&text)?;
        let bos = self.bos();
        let tokens = [&bos[..], &read].concat();
        let parts = cut.document(&tokens)?;
        let start = |token: usize| token.checked_sub(bos.len()).map_or(0, |i| starts.get(i).copied().unwrap_or(text.len()));
        let bounds = (0..=cut.chunks).map(|c| start(c * cut.length)).chain([start(cut.tokens())]).collect();
        let states = document::encode(&self.model, &parts, control)?;
        let fixed: Vec<ChunkRule> = request.rules().into_iter().filter(|r| !depends_on_gamma(*r)).collect();
        let results = self.results(&states, &parts.after, &fixed, control)?;
        let half_life = (0..self.shape().n_layer).map(|l| self.bands(&states.full, l)).collect();
        let continuation = parts.after.iter().skip(1).map(|t| self.model.tokenizer.token_text(*t)).collect();
        Ok(Encoded {
            source: request.source.clone(),
            cut,
            text,
            bounds,
            tokens: tokens.len(),
            after: parts.after,
            continuation,
            states,
            results,
            half_life,
        })
    }

    /// Composes the chunks by each rule, and computes each state's loss on the continuation.
    fn results(&self, read: &ChunkStates, after: &[u32], rules: &[ChunkRule], control: Control<'_>) -> Result<Vec<RuleResult>> {
        let mut composed = Vec::with_capacity(rules.len());
        for (i, rule) in rules.iter().enumerate() {
            control.check()?;
            control.report(i as u64, rules.len() as u64, "rules");
            composed.push(read.compose(*rule, self.model.network.decay())?);
        }
        let losses = document::losses(&self.model, &composed, after, control)?;
        let result = |((rule, state), loss): ((&ChunkRule, &State), Vec<f32>)| RuleResult {
            rule: *rule,
            loss,
            error: relative_errors(state, &read.full),
        };
        Ok(rules.iter().zip(&composed).zip(losses).map(result).collect())
    }

    /// Half-lives of a layer's channels, shortest first, in at most [`BANDS`] quantiles. A
    /// channel's half-life is that of its slowest entry.
    fn bands(&self, state: &State, layer: usize) -> Vec<f32> {
        let entries = self.model.network.decay().half_lives(state, layer);
        let mut channels: Vec<f32> =
            entries.chunks_exact(state.shape().memory.row()).map(|c| c.iter().copied().fold(f32::NEG_INFINITY, f32::max)).collect();
        channels.sort_by(f32::total_cmp);
        let bands = BANDS.min(channels.len());
        (0..bands).map(|b| channels[(2 * b + 1) * channels.len() / (2 * bands)]).collect()
    }
}

fn depends_on_gamma(rule: ChunkRule) -> bool {
    matches!(rule, ChunkRule::Decay { .. })
}
