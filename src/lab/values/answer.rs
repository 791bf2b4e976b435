//! What is asked for as answers, and what an answer is.

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
    /// Every example of the best task's first set and the query's own, read in one pass, then the
    /// unfinished line.
    Full,
}

impl AnswerFrom {
    /// All, in the order they are shown.
    pub const ALL: [Self; 5] = [Self::ZeroShot, Self::Query, Self::BestSkill, Self::Soup, Self::Full];

    /// The name in `--json` output.
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

/// How the continuation is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoding {
    /// The likeliest token each time.
    Greedy,
    /// Drawn at random.
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
    /// The soup; `None` leaves that column out.
    pub soup: Option<Recipe>,
    /// How the best skill, `top(n)` and similarities are found.
    pub view: RankView,
    /// Whether the best skill is that of the task which the query's examples put first, rather than
    /// the most similar one.
    pub by_evidence: bool,
    /// Which answers.
    pub from: Vec<AnswerFrom>,
    /// Tokens at most, of each continuation (it also ends where the template's answer ends).
    pub max_tokens: usize,
    /// Greedy or sampled.
    pub decoding: Decoding,
    /// An answer whose log-probability is asked for.
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
    /// Whether there is no such answer; `origin` then says why, and the rest is empty.
    pub missing: bool,
    /// The continuation.
    pub text: String,
    /// Its log-probability (natural log, summed over its tokens, the answer's end included).
    pub logprob: f64,
    /// The ten likeliest next tokens.
    pub top: Vec<TokenProbability>,
    /// The log-probability of the asked-for answer.
    pub target_logprob: Option<f64>,
    /// Milliseconds it took.
    pub millis: f64,
}
