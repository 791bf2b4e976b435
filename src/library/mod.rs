//! Skills on disk: a folder that is whole at every instant, read through memory maps and ranked in place.
//!
//! - `types`: the values that describe models, skills and rankings.
//! - `disk`: the operations that change the disk, replaceable by failing ones in tests.
//! - `manifest`, `shard`: the two kinds of file.
//! - `store`: [`Library`], for reading; needs no lock. `health`: its files checked byte by byte.
//!   `writer`: [`LibraryWriter`], the one process that may change it.
//!   `lock`: what makes it the one. `compact`: how it drops the states of deleted skills.
//! - `stats`, `rank`: similarity of a query's state to every skill. `spread`: how far states lie from their mean.
//! - `posterior`: what similarity proposes and evidence decides, and how the two are weighed.
//! - `build`: from plans to skills on disk; where libraries are cached.
//!
//! # Format, version 2
//!
//! A library is a folder with these files; any other file in it is ignored and left alone.
//!
//! | file | content |
//! |---|---|
//! | `manifest.json` | what the library holds; the only file that is ever replaced |
//! | `shard-NNNNN.safetensors` | states of a batch of skills; never changed once it has this name |
//! | `lock` | advisory lock (`flock`, whole file) of the writing process, whose id is its content |
//! | `*.tmp` of the first two | being written, or left by a killed writer |
//!
//! ## `manifest.json`
//!
//! UTF-8 JSON, an object:
//!
//! | key | value |
//! |---|---|
//! | `format` | `"state-soup library"` |
//! | `version` | `2`; version 1 is read too (its `model` has `shape`: `n_layer`, `d_inner`, `d_state`, `d_conv` for `layout`) and becomes 2 at the next change; others are refused |
//! | `generation` | goes up by one at every change |
//! | `next_shard` | number of the next shard; numbers are never used twice |
//! | `model` | `name`, `fingerprint`, `tokenizer_hash` (BLAKE3, hexadecimal), `bos` (tokens that texts begin with; absent in libraries from before it was written down, which began them with the `bos_token_id` of config.json, else `<\|endoftext\|>`), `layout`: `family`, `n_layer`, `parts` ([`crate::state::Layout`]) |
//! | `dtype` | type new shards are meant to have: `"f16"` or `"f32"` |
//! | `settings` | of the latest build: `template`, `shots`, `sets`, `seed`, `test_share` ([`BuildSettings`]) |
//! | `shards` | list of `file`, `bytes` (length), `blake3` (of the whole file, hexadecimal), `skills` (how many), `dtype` |
//! | `skills` | list of [`SkillMeta`]'s keys and `shard` (a `file` above), `index` (its place in the shard), `deleted` (time; absent while the skill lives) |
//! | `removed` | list of `id`, `origin` of deleted skills whose states are gone (compaction); a build leaves them out |
//! | `calibration` | [`Calibration`]'s keys; absent until a build has measured it |
//!
//! Skills are listed in the order they were added; that is the library's order. Ids of living skills are unique.
//! `origin` has `kind`: `examples` (`set`, `shots`, `seed`, `template`, `text_hash`), `drawn` (the same but `set`) or `text` (`text`). Times are RFC 3339, UTC.
//!
//! ## Shards
//!
//! [Safetensors](https://github.com/huggingface/safetensors): `u64` header length, JSON header, data, all little-endian.
//! With n the shard's skills and T its type, in this order:
//!
//! | tensor | type | shape |
//! |---|---|---|
//! | `dt_sum` | F32 | `[n, n_layer, d_inner]`: ΣΔ since the zero state |
//! | `ssm.0` … `ssm.{n_layer-1}` | T | `[n, d_inner, d_state]`: SSM states of one layer |
//! | `conv.0` … `conv.{n_layer-1}` | T | `[n, d_inner, d_conv - 1]`: convolution windows of one layer, oldest input first |
//!
//! `__metadata__` repeats `format` (`state-soup shard`), `version`, `model`, `tokenizer` and `skills` (a JSON list of ids, in a
//! string), so that a stray shard can be told; readers do not depend on it.
//!
//! Layers come first because a ranking looks at one layer, or a few, of every skill: `ssm.{l}` is one contiguous run of
//! n·d_inner·d_state entries that is streamed once, and pages of other layers are never touched. Reading one whole skill is then
//! 2·n_layer + 1 short runs, which is rare and still few. The header is padded with spaces to a multiple of 64 bytes and tensors
//! follow without gaps (safetensors allows none), so every row begins on a cache line whenever d_inner is a multiple of 32; with
//! other sizes rows are merely aligned to their type. ΣΔ stays f32: it is 1/16 of the entries, it is multiplied by A before an
//! exponential, and its sums have no bound that f16 could hold.
//!
//! ## Half precision
//!
//! With T = F16, entries are rounded to nearest (relative error 2⁻¹¹; below 6·10⁻⁵ the step is 6·10⁻⁸). A skill with an
//! entry beyond ±65504 is not clipped: it goes to an F32 shard of its own batch, so a library may hold shards of both types.
//!
//! ## How it changes
//!
//! Writers hold the lock. A shard is written as `shard-NNNNN.safetensors.tmp`, synced, renamed, the folder synced; then the
//! manifest the same way. So a manifest only ever names whole shards, and a kill at any instant loses at most the batch in
//! flight; what a killed writer left under names of this format is removed when the next writer opens. A new library begins with
//! an empty manifest, so shards without a manifest mean a lost one, and are refused rather than cleaned up.
//! Deleting sets `deleted`; the state can be restored until compaction, which copies the living skills of shards with dead ones into
//! new shards, names those in a new manifest, and only then unlinks the old files. Readers take no lock: their maps outlive an
//! unlink, and a reader that finds a shard missing reads the manifest again in case it has just been replaced.
//!
//! ## What is refused
//!
//! Nothing on disk is changed by a refusal. The whole library: another model, tokenizer or shape, an unknown version, a manifest
//! that is unreadable or contradicts itself. A shard (its skills are left out, a warning says so, the rest opens): missing, of
//! another length than the manifest says, not safetensors, a tensor missing or of another type or shape. A skill whose state holds
//! NaN or infinity is left out with a warning ([`Library::look`], [`Library::without_damaged`]): all states are looked at when a lab
//! opens a library of at most 8 GiB; in a larger one, each when it is used. Hashes are only compared by [`Library::check`], which reads every byte.

mod build;
mod compact;
mod copy;
mod disk;
pub mod fault;
mod health;
mod lock;
mod manifest;
mod posterior;
mod rank;
mod rows;
mod shard;
mod spread;
mod stats;
mod store;
mod types;
mod writer;

pub use build::{BatchSize, BuildReport, Encode, SkillPlan, build, cache_dir, missing, now};
pub use copy::Copies;
pub use disk::{Disk, DiskFile, RealDisk};
pub use health::{Health, ShardHealth};
pub use posterior::{Calibration, Candidate, Explained, Posterior, Witness};
pub use rows::{Job, Rows, Sum};
pub use shard::LayerView;
pub use spread::Spread;
pub use store::Library;
pub use types::{
    Borders, BuildSettings, Metric, ModelIdentity, Part, RankView, Ranking, ScoredSkill, ScoredTask, SkillMeta, SkillOrigin, StoredType,
};
pub use writer::{LibraryWriter, NewLibrary, Wait};

#[cfg(test)]
mod tests;
