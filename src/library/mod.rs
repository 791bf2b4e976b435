//! Skills on disk: a folder that any program can read, one writer at a time, whole at every instant.
//!
//! # The format, version 1
//! - `manifest.json`: `version` (1); `model` (`name`, `fingerprint`: BLAKE3 of weights, configuration and tokenizer, `tokenizer_hash`, `shape`: `n_layer`,
//!   `d_inner`, `d_state`, `d_conv`); `settings` (`template`, `shots`, `sets`, `seed`, `test_share`, `stored_as`: `f16` or `f32`); `shards`
//!   (`file`, `rows`, `bytes`, `blake3`); `skills` and `deleted` (each a [`SkillMeta`] with `shard`, a file name, and `row`).
//! - `*.safetensors`: shards. Tensors `ssm.L [rows, d_inner · d_state]` and `conv.L [rows, d_inner · (d_conv − 1)]` (oldest input first) for each layer L, in
//!   f16, or in f32 where a number of the shard is beyond f16's range; `dt_sum [rows, n_layer, d_inner]` in f32, the ΣΔ of the decay sidecar.
//!   A shard is named after its content and never changed.
//! - `.lock`: held by the process that writes. Readers need no lock.
//!
//! A change writes new shards first, then the manifest by rename; files that no manifest names are swept by the next writer.
//!
//! # Files
//! - `types`: skills, settings, rankings as plain values.
//! - [`Library`] (`store`, `shard`, `manifest`): what readers see, memory-mapped.
//! - [`Writer`] (`writer`, `disk`): the one who changes it.
//! - `build`: which skills are missing, and how they come in.
//! - `rank`: comparing a state with every skill.

mod build;
mod disk;
mod manifest;
mod rank;
mod shard;
mod store;
mod types;
mod writer;

pub use crate::model::ModelIdentity;
pub use build::{Encode, SkillPlan, build_missing, cache_dir, missing};
pub use store::Library;
pub use types::{BuildSettings, Metric, Part, RankView, Ranking, ScoredSkill, ScoredTask, SkillMeta, SkillOrigin, StoredAs};
pub use writer::Writer;

#[cfg(test)]
mod tests;
