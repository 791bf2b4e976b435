//! Requests for answers, and the answers.

use crate::library::RankView;
use crate::soup::Recipe;

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnswerFrom {
    /// The unfinished line alone, from the empty state.
    ZeroShot,
    /// The query as typed: its examples, then the unfinished line.
    Query,
    /// The best-ranked skill's state, then the unfinished line.
    BestSkill,
    /// The soup's state, then the unfinished line.
    Soup,
    /// All examples of the best task's first set, then the query's own, read in one pass; then the
    /// unfinished line.
    Full,
}

impl AnswerFrom {
    /// All variants, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::ZeroShot, Self::Query, Self::BestSkill, Self::Soup, Self::Full];

    /// The variant's name in `--json` output.
    pub fn name(self) -> &'static str {
        match self {
            Self::ZeroShot => "zero-shot",
            Self::Query => "query",
            Self::BestSkill => "best-skill",
            Self::Soup => "soup",
            Self::Full => "full",
        }
    }
}

/// How the next token is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoding {
    /// The token with the highest probability.
    Greedy,
    /// A random draw.
    Sample {
        /// Softmax temperature, > 0.
        temperature: f64,
        /// Nucleus mass, 0 < p ≤ 1.
        top_p: f64,
        /// Seed of the draw.
        seed: u64,
    },
}

/// A request for answers.
#[derive(Clone, Debug, PartialEq)]
pub struct AskRequest {
    /// The query as typed.
    pub query: String,
    /// The soup; `None` for no soup answer.
    pub soup: Option<Recipe>,
    /// How the best skill, `top(n)` and similarities are computed.
    pub view: RankView,
    /// Whether the best skill comes from the task that is most probable given the query's examples,
    /// instead of the task that is most similar.
    pub by_evidence: bool,
    /// Which answers to give.
    pub from: Vec<AnswerFrom>,
    /// The longest continuation, in tokens. It also ends where the template's answer ends.
    pub max_tokens: usize,
    /// Greedy or sampled.
    pub decoding: Decoding,
    /// An answer whose log-probability is also computed.
    pub target: Option<String>,
}

/// One token and its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenProbability {
    /// The token's text.
    pub token: String,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Where it comes from.
    pub from: AnswerFrom,
    /// What the state was made of, in words: a skill's id, a recipe, `32 examples of antonym`.
    pub origin: String,
    /// Whether there is no such answer. If so, `origin` says why, and the other fields are empty.
    pub missing: bool,
    /// The continuation.
    pub text: String,
    /// The continuation's log-probability: natural log, summed over its tokens, including the end
    /// of the answer.
    pub logprob: f64,
    /// The ten likeliest next tokens.
    pub top: Vec<TokenProbability>,
    /// The log-probability of the request's target, in nats.
    pub target_logprob: Option<f64>,
    /// Milliseconds that the answer took.
    pub millis: f64,
}
