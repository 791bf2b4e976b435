//! What the Lab's instruments ask of the engine and what they read: plain values.

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

/// What an instrument reads. Each carries its request, so that the screen can tell whether it is
/// still what would be asked now.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Of [`Instrument::Ecg`].
    Ecg(Arc<EcgView>),
    /// Of [`Instrument::Landscape`]; several come, each with more points.
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
    /// Tasks shown: the best of the ranking at the end.
    pub tasks: usize,
}

/// Similarity of the running state to the best tasks, token by token.
#[derive(Clone, Debug, PartialEq)]
pub struct EcgView {
    /// What was asked.
    pub request: EcgRequest,
    /// The texts of the tokens read.
    pub tokens: Vec<String>,
    /// Tokens that the ranking has read; those after them are the unfinished line.
    pub ranked: usize,
    /// One row a task, best first.
    pub rows: Vec<EcgRow>,
}

/// One task's strip.
#[derive(Clone, Debug, PartialEq)]
pub struct EcgRow {
    /// The task.
    pub task: String,
    /// After each token: the similarity of its best skill, which is the score the ranking gives the
    /// task.
    pub scores: Vec<f32>,
}

/// A request for a landscape.
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapeRequest {
    /// The query as typed; it ends with an unfinished line.
    pub query: String,
    /// How similarities are found.
    pub view: RankView,
    /// The soup, two or three ingredients of which count; their weights do not.
    pub soup: Soup,
    /// The answer whose log-probability is drawn.
    pub target: String,
}

/// One mix and how likely it makes the target.
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapePoint {
    /// Shares of the ingredients, in steps of 1/`fine`.
    pub mix: Vec<usize>,
    /// ln p of the target, the answer's end included.
    pub logprob: f64,
}

/// A landscape, whole or in part.
#[derive(Clone, Debug, PartialEq)]
pub struct LandscapeView {
    /// What was asked.
    pub request: LandscapeRequest,
    /// The ingredients at the corners.
    pub corners: Vec<String>,
    /// Steps from one corner to another.
    pub fine: usize,
    /// What has been measured, coarse to fine.
    pub points: Vec<LandscapePoint>,
    /// Points in all.
    pub total: usize,
}

/// A request for an attribution.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributionRequest {
    /// The query as typed; it ends with an unfinished line.
    pub query: String,
    /// How similarities are found.
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
    /// A band of layers: the query's state stands there instead.
    Layers(Range<usize>),
}

/// The soup without a part.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    /// The part.
    pub part: SoupPart,
    /// ln p of the target without it; `None` if nothing is left to mix.
    pub without: Option<f64>,
}

/// An attribution.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributionView {
    /// What was asked.
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
    /// What was asked.
    pub request: VerdictRequest,
    /// The task whose held-out pairs were asked.
    pub task: String,
    /// The soup's share of exact answers.
    pub accuracy: f64,
    /// The best single skill, then the query alone.
    pub against: Vec<Against>,
}

/// A request for a soup's autopsy.
#[derive(Clone, Debug, PartialEq)]
pub struct AutopsyRequest {
    /// The query as typed; may be empty if the soup does without.
    pub query: String,
    /// How similarities are found.
    pub view: RankView,
    /// The soup.
    pub soup: Recipe,
}

/// A state's figures, one a layer.
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
    /// The drift of the library's farthest skill: beyond it no skill has been.
    pub farthest: Vec<f32>,
}

impl Autopsy {
    /// Layers where the state lies farther from the library's mean than any of its skills.
    pub fn unvisited(&self) -> Vec<usize> {
        // A skill is its own farthest one; its f16 copy may round to either side.
        (0..self.drift.len()).filter(|&l| self.drift[l] > self.farthest[l] * 1.001).collect()
    }
}

/// A soup's autopsy.
#[derive(Clone, Debug, PartialEq)]
pub struct AutopsyView {
    /// What was asked.
    pub request: AutopsyRequest,
    /// The figures. Half-lives are means over the soup's skills: a mixed state has no decay of its
    /// own.
    pub figures: Autopsy,
}

/// A request for two soups beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareRequest {
    /// Query, target and decoding; its soup and columns are not looked at.
    pub ask: AskRequest,
    /// A and B; `None` where there is nothing to mix.
    pub soups: [Option<Recipe>; 2],
}

/// Two soups beside each other.
#[derive(Clone, Debug, PartialEq)]
pub struct CompareView {
    /// What was asked.
    pub request: CompareRequest,
    /// Their answers.
    pub answers: [Option<Answer>; 2],
    /// Cosine of their SSM states, per layer; empty unless there are both.
    pub cosine: Vec<f32>,
}
