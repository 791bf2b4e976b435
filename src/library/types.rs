//! The values that describe skills and rankings.

use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Precision of states on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoredAs {
    /// IEEE half precision; a shard with a number beyond its range is kept in f32.
    F16,
    /// 32-bit floats.
    F32,
}

/// What a library is to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BuildSettings {
    /// Template, as `--template` takes it.
    pub template: String,
    /// Examples a skill reads.
    pub shots: usize,
    /// Disjoint sets, hence skills, a task.
    pub sets: usize,
    /// Seed of the splits.
    pub seed: u64,
    /// Share of a task's pairs put aside for testing.
    pub test_share: f64,
    /// Precision on disk.
    pub stored_as: StoredAs,
}

impl Default for BuildSettings {
    fn default() -> Self {
        Self { template: "arrow".into(), shots: 32, sets: 5, seed: 0, test_share: 0.2, stored_as: StoredAs::F16 }
    }
}

impl std::fmt::Display for BuildSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "template {}, {} sets of {} shots, seed {}, test share {}",
            self.template, self.sets, self.shots, self.seed, self.test_share
        )
    }
}

/// How a ranking is made.
#[derive(Clone, Debug, PartialEq)]
pub struct RankView {
    /// The similarity.
    pub metric: Metric,
    /// Layers compared; their scores are averaged.
    pub layers: Range<usize>,
    /// SSM state or convolution window.
    pub part: Part,
}

/// Where a skill came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum SkillOrigin {
    /// A seeded, disjoint set of a task's examples.
    Examples {
        /// Which set of the split, from 0.
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
    /// When, RFC 3339, UTC.
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
    Ssm,
    /// The convolution window.
    Conv,
}

/// The similarity. Higher is better for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Cosine of the raw, flattened states (the paper's).
    Cosine,
    /// Minus the Euclidean distance.
    L2,
    /// Cosine after every entry is centred and scaled by the library's mean and deviation of that entry.
    ZCosine,
}

impl RankView {
    /// The layers compared unless the user says otherwise: the middle one.
    pub fn default_layers(n_layer: usize) -> Range<usize> {
        n_layer / 2..(n_layer / 2 + 1).min(n_layer)
    }
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
    /// Places gained (+) or lost (−) since the ranking before; `None` if there was none.
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
    /// Places gained (+) or lost (−) since the ranking before.
    pub change: Option<i32>,
}

/// Skills and tasks, best first.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Ranking {
    /// All skills.
    pub ranking: Vec<ScoredSkill>,
    /// All tasks, by their best skill.
    pub by_task: Vec<ScoredTask>,
    /// Best task's score minus the second task's.
    pub margin: f32,
    /// Complete examples in the query.
    pub shots: usize,
    /// Tokens that were run for this ranking (not those reused from the one before).
    pub tokens_run: usize,
    /// Milliseconds: running the model, comparing.
    pub millis: [f64; 2],
}
