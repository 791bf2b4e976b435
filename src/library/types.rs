//! The values that describe skills and rankings.

pub use crate::state::ModelIdentity;
use crate::task::Template;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// How a library's skills were drawn from the tasks and written as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildSettings {
    /// How an example becomes text.
    pub template: Template,
    /// Examples per skill.
    pub shots: usize,
    /// Disjoint sets per task, at most.
    pub sets: usize,
    /// Seed of the splits.
    pub seed: u64,
    /// Share of a task's pairs that is held out for tests, 0 to 1.
    pub test_share: f64,
    /// How texts are tokenised.
    #[serde(default, skip_serializing_if = "Borders::is_apart")]
    pub borders: Borders,
}

/// How a text of several examples is tokenised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Borders {
    /// Each example by itself; the default where the manifest has no `borders`. The whole text may
    /// have other tokens at the border of two examples.
    #[default]
    Apart,
    /// The whole text at once, cut at those borders of examples where a token ends.
    Whole,
}

impl Borders {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde passes a reference.
    fn is_apart(&self) -> bool {
        *self == Self::Apart
    }
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self { template: Template::Arrow, shots: 32, sets: 3, seed: 0, test_share: 0.2, borders: Borders::Whole }
    }
}

impl std::fmt::Display for BuildSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "template {}, {} sets of {} shots, seed {}, test share {}",
            self.template, self.sets, self.shots, self.seed, self.test_share
        )?;
        f.write_str(if self.borders.is_apart() { ", each example tokenised by itself" } else { "" })
    }
}

/// How SSM states and convolution windows are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredType {
    /// Half precision: relative error 2⁻¹¹, magnitudes up to 65504.
    F16,
    /// Single precision: exact.
    F32,
}

impl StoredType {
    /// Bytes per entry.
    pub fn size(self) -> usize {
        match self {
            Self::F16 => 2,
            Self::F32 => 4,
        }
    }
}

/// What a ranking compares, and how.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RankView {
    /// The similarity.
    pub metric: Metric,
    /// Layers compared; their scores are averaged.
    pub layers: Range<usize>,
    /// SSM state or convolution window.
    pub part: Part,
}

impl RankView {
    /// The layers compared by default: from a quarter to two thirds of the depth, which separate
    /// tasks best (measured on the bundled model: the guide, `experiments`, "Which layers").
    pub fn default_layers(n_layer: usize) -> Range<usize> {
        n_layer / 4..(2 * n_layer).div_ceil(3)
    }
}

/// Where a skill came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum SkillOrigin {
    /// A seeded, disjoint set of a task's examples.
    Examples {
        /// Index of the set in the split, from 0.
        set: usize,
        /// Examples read.
        shots: usize,
        /// Seed of the split.
        seed: u64,
        /// Template, as `--template` takes it.
        template: String,
        /// BLAKE3 of the exact text that was read, hexadecimal.
        text_hash: String,
    },
    /// Examples of a task that the user requested in addition to the build's sets, drawn from all
    /// pairs outside the test split.
    Drawn {
        /// Examples read.
        shots: usize,
        /// Seed of the draw.
        seed: u64,
        /// Template, as `--template` takes it.
        template: String,
        /// BLAKE3 of the exact text that was read, hexadecimal.
        text_hash: String,
    },
    /// A text typed or loaded by the user.
    Text {
        /// The text itself.
        text: String,
    },
}

/// One skill of a library: its manifest entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkillMeta {
    /// `task/0`: unique in the library.
    pub id: String,
    /// Task name.
    pub task: String,
    /// Task family (`geography`); `user` for typed texts.
    pub family: String,
    /// Where it came from.
    pub origin: SkillOrigin,
    /// Tokens read.
    pub tokens: u64,
    /// Time of creation, RFC 3339, UTC.
    pub created: String,
    /// The user's tags.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// Which part of the state is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The SSM state.
    #[serde(alias = "Ssm")] // The names in older journals.
    Ssm,
    /// The convolution window.
    #[serde(alias = "Conv")]
    Conv,
}

/// The similarity metric. Higher is more similar for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Cosine of the raw, flattened states (the paper's metric).
    #[serde(alias = "Cosine")] // As for `Part`.
    Cosine,
    /// Minus the Euclidean distance.
    #[serde(alias = "L2")]
    L2,
    /// Cosine after every entry is centred by the library's mean of that entry and divided by its
    /// standard deviation.
    #[serde(alias = "ZCosine")]
    ZCosine,
}

/// One skill in a ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredSkill {
    /// The skill's id.
    pub skill: String,
    /// Its task.
    pub task: String,
    /// The similarity, averaged over the layers compared.
    pub score: f32,
    /// Places gained (+) or lost (−) since the previous ranking; `None` if the skill was not in it,
    /// or there was none.
    pub change: Option<i32>,
}

/// One task in a ranking.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredTask {
    /// The task.
    pub task: String,
    /// Its best skill.
    pub skill: String,
    /// That skill's similarity.
    pub score: f32,
    /// Mean similarity of all the task's skills.
    pub mean: f32,
    /// Places gained (+) or lost (−) since the previous ranking; `None` as for a skill.
    pub change: Option<i32>,
}

/// Skills and tasks, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ranking {
    /// All skills, ordered by score.
    pub ranking: Vec<ScoredSkill>,
    /// All tasks, ordered by their best skills.
    pub by_task: Vec<ScoredTask>,
    /// The best task's score minus the second's; 0 for fewer than two tasks.
    pub margin: f32,
    /// The text that was read, in the template's form; filled in by the caller that ran the model.
    #[serde(skip)]
    pub read: String,
    /// The view that the ranking was made with.
    #[serde(skip)]
    pub view: Option<RankView>,
    /// Complete examples in the query.
    pub shots: usize,
    /// Tokens that were run for this ranking, without those reused from the previous one.
    pub tokens_run: usize,
    /// Milliseconds spent running the model and comparing states.
    pub millis: [f64; 2],
}
