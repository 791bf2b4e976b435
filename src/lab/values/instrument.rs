//! Requests to the Lab's instruments and their readings, as plain values.

use super::{Answer, AskRequest, RankView};
use crate::soup::{Recipe, Soup};
use crate::stats::Interval;
use std::ops::Range;
use std::sync::Arc;

/// A measurement of the Lab.
#[derive(Clone, Debug)]
pub enum Instrument {
    /// Similarity to skills along the query's tokens.
    Ecg(EcgRequest),
    /// Log-probability of the target over mixes of two or three ingredients.
    Landscape(LandscapeRequest),
    /// What each ingredient and each band of layers adds to the target's log-probability.
    Attribution(AttributionRequest),
    /// The soup against its baselines on held-out questions.
    Verdict(VerdictRequest),
    /// The soup's state, layer by layer.
    Autopsy(AutopsyRequest),
    /// Two soups beside each other.
    Compare(CompareRequest),
}

/// The reading of an instrument. Each carries its request, so that the screen can see whether the
/// reading is still current.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Of [`Instrument::Ecg`].
    Ecg(Arc<EcgView>),
    /// Of [`Instrument::Landscape`]. Several arrive, each with more points.
    Landscape(Arc<LandscapeView>),
    /// Of [`Instrument::Attribution`].
    Attribution(Arc<AttributionView>),
    /// Of [`Instrument::Verdict`].
    Verdict(Arc<VerdictView>),
    /// Of [`Instrument::Autopsy`].
    Autopsy(Arc<AutopsyView>),
    /// Of [`Instrument::Compare`].
    Compare(Arc<CompareView>),
}

/// A request for the similarity strip.
#[derive(Clone, Debug, PartialEq)]
pub struct EcgRequest {
    /// The query as typed.
    pub query: String,
    /// How states are compared.
    pub view: RankView,
    /// Number of tasks shown: the best in the ranking at the end of the query.
    pub tasks: usize,
}

/// Similarity of the running state to the best tasks, token by token.
#[derive(Clone, Debug, PartialEq)]
pub struct EcgView {
    /// The request.
    pub request: EcgRequest,
    /// The texts of the tokens read.
    pub tokens: Vec<String>,
    /// Number of tokens that the ranking has read. The tokens after them are the unfinished line.
    pub ranked: usize,
    /// One row per task, best first.
    pub rows: Vec<EcgRow>,
}

/// The similarity of one task along the query.
#[derive(Clone, Debug, PartialEq)]
pub struct EcgRow {
    /// The task.
    pub task: String,
    /// After each token, the similarity of the task's best skill. This is the task's score in the
    /// ranking.
    pub scores: Vec<f32>,
}

/// A request for a landscape.
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapeRequest {
    /// The query as typed; it ends with an unfinished line.
    pub query: String,
    /// How similarities are computed.
    pub view: RankView,
    /// The soup. Two or three of its ingredients are active; their weights are not used.
    pub soup: Soup,
    /// The answer whose log-probability is drawn.
    pub target: String,
}

/// One mix and the target's log-probability from it.
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapePoint {
    /// Shares of the ingredients, in units of 1/`fine`.
    pub mix: Vec<usize>,
    /// ln p of the target, including the end of the answer.
    pub logprob: f64,
}

/// A landscape, complete or partial.
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapeView {
    /// The request.
    pub request: LandscapeRequest,
    /// The ingredients at the corners.
    pub corners: Vec<String>,
    /// Steps from one corner to another.
    pub fine: usize,
    /// The points measured so far, coarse to fine.
    pub points: Vec<LandscapePoint>,
    /// Number of points in the complete landscape.
    pub total: usize,
}

/// A request for an attribution.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributionRequest {
    /// The query as typed; it ends with an unfinished line.
    pub query: String,
    /// How similarities are computed.
    pub view: RankView,
    /// The soup.
    pub soup: Soup,
    /// The answer whose log-probability is explained.
    pub target: String,
}

/// What an attribution leaves out.
#[derive(Clone, Debug, PartialEq)]
pub enum SoupPart {
    /// An ingredient, by its skill.
    Ingredient(String),
    /// A band of layers: the query's state replaces the soup's there.
    Layers(Range<usize>),
}

/// The soup without a part.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// The part.
    pub part: SoupPart,
    /// ln p of the target without the part; `None` if nothing is left to mix.
    pub without: Option<f64>,
}

/// An attribution.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributionView {
    /// The request.
    pub request: AttributionRequest,
    /// ln p of the target with the whole soup.
    pub whole: f64,
    /// Ingredients first, then layers.
    pub parts: Vec<LeftOut>,
}

/// A request for a verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictRequest {
    /// The query as typed.
    pub query: String,
    /// How the best skill is found.
    pub view: RankView,
    /// The soup.
    pub soup: Recipe,
}

/// The soup against one baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Against {
    /// The baseline: a skill's id, or `query only`.
    pub name: String,
    /// Accuracy of the soup minus the baseline's, paired.
    pub accuracy: Interval,
    /// ln p of the right answer from the soup minus that from the baseline, paired.
    pub logprob: Interval,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct VerdictView {
    /// The request.
    pub request: VerdictRequest,
    /// The task whose held-out pairs were the questions.
    pub task: String,
    /// The soup's accuracy (exact match), 0 to 1.
    pub accuracy: f64,
    /// The soup against the best single skill, then against the query alone.
    pub against: Vec<Against>,
}

/// A request for a soup's autopsy.
#[derive(Clone, Debug, PartialEq)]
pub struct AutopsyRequest {
    /// The query as typed. It may be empty if the soup does not need one.
    pub query: String,
    /// How similarities are computed.
    pub view: RankView,
    /// The soup.
    pub soup: Recipe,
}

/// Figures of a state, one entry per layer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Autopsy {
    /// Euclidean norm of the SSM state.
    pub norm: Vec<f32>,
    /// Median half-life of the channels in tokens: ln 2 · tokens / (|A| ΣΔ).
    pub half_life: Vec<f32>,
    /// Effective rank of the SSM state as a matrix `[d_inner, d_state]`: exp of the entropy of its
    /// singular values (Roy & Vetterli 2007).
    pub effective_rank: Vec<f32>,
    /// Distance from the library's mean in units of the library's spread (the root mean square of
    /// its skills' distances).
    pub drift: Vec<f32>,
    /// The largest drift of any skill of the library.
    pub farthest: Vec<f32>,
}

impl Autopsy {
    /// Layers where the state lies farther from the library's mean than any of its skills.
    pub fn unvisited(&self) -> Vec<usize> {
        // The library's farthest skill has exactly this drift; its f16 copy may round to either
        // side.
        (0..self.drift.len()).filter(|&l| self.drift[l] > self.farthest[l] * 1.001).collect()
    }
}

/// A soup's autopsy.
#[derive(Clone, Debug, PartialEq)]
pub struct AutopsyView {
    /// The request.
    pub request: AutopsyRequest,
    /// The figures. Half-lives are means over the soup's skills, because a mixed state has no decay
    /// of its own.
    pub figures: Autopsy,
}

/// A request for two soups beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareRequest {
    /// Query, target and decoding. Its `soup` and `from` are ignored.
    pub ask: AskRequest,
    /// The soups A and B; `None` where there is nothing to mix.
    pub soups: [Option<Recipe>; 2],
}

/// Two soups beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareView {
    /// The request.
    pub request: CompareRequest,
    /// The answers of A and B.
    pub answers: [Option<Answer>; 2],
    /// Cosine of the two SSM states, per layer; empty unless both exist.
    pub cosine: Vec<f32>,
}
