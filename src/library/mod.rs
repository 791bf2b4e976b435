//! Skills on disk.
mod types;
pub use types::{Metric, Part, Ranking, ScoredSkill, ScoredTask, SkillMeta, SkillOrigin};
