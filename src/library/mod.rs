//! Skills on disk: a folder that is consistent at every instant, read through memory maps and
//! ranked in place.
//!
//! - `types`: the values that describe models, skills and rankings.
//! - `disk`: the operations that change the disk, replaceable by failing ones in tests.
//! - `manifest`, `shard`: the two kinds of file.
//! - `store`: [`Library`], for reading; needs no lock. `health`: checks its files byte by byte.
//!   `writer`: [`LibraryWriter`], held by the one process that may change it. `lock`: the lock that
//!   admits only one. `compact`: how it drops the states of deleted skills.
//! - `stats`, `rank`: similarity of a query's state to every skill. `spread`: the distances of
//!   states from their mean.
//! - `posterior`: probabilities of candidates from similarity and evidence, and the constants that
//!   weigh the two.
//! - `build`: makes skills on disk from plans; where libraries are cached.
//!
//! # Format, version 2
//!
//! A library is a folder with these files; any other file in it is ignored and left alone.
//!
//! | file | content |
//! |---|---|
//! | `manifest.json` | what the library holds; the only file that is ever replaced |
//! | `shard-NNNNN.safetensors` | states of a batch of skills; never changed once it has this name |
//! | `lock` | advisory lock (`flock`, whole file) of the writing process; contains its process id |
//! | `*.tmp` of the first two | a file being written, or left by a killed writer |
//!
//! ## `manifest.json`
//!
//! UTF-8 JSON, an object:
//!
//! | key | value |
//! |---|---|
//! | `format` | `"state-soup library"` |
//! | `version` | `2`; version 1 is read too (its `model` has `shape`: `n_layer`, `d_inner`, `d_state`, `d_conv` in place of `layout`) and becomes 2 at the next change; others are refused |
//! | `generation` | goes up by one at every change |
//! | `next_shard` | number of the next shard; numbers are never used twice |
//! | `model` | `name`, `fingerprint`, `tokenizer_hash` (BLAKE3, hexadecimal), `bos` (tokens that texts begin with; absent in libraries older than this key, whose texts begin with the `bos_token_id` of config.json, else `<\|endoftext\|>`), `weights` (precision of the weights that made the states; absent where unknown), `layout`: `family`, `n_layer`, `parts` ([`crate::state::Layout`]) |
//! | `dtype` | type of new shards: `"f16"` or `"f32"` (a state beyond f16's range goes to an `f32` shard) |
//! | `settings` | of the latest build: `template`, `shots`, `sets`, `seed`, `test_share`, `borders` (absent: `apart`) ([`BuildSettings`]) |
//! | `shards` | list of `file`, `bytes` (length), `blake3` (of the whole file, hexadecimal), `skills` (count), `dtype` |
//! | `skills` | list of [`SkillMeta`]'s keys and `shard` (a `file` above), `index` (position in the shard), `deleted` (time; absent while the skill lives) |
//! | `removed` | list of `id`, `origin` of deleted skills whose states compaction has dropped; a build does not make them again |
//! | `calibration` | [`Calibration`]'s keys; absent until a build has fitted it |
//!
//! Skills are listed in the order they were added, which is the library's order. Ids of living
//! skills are unique. `origin` has `kind`: `examples` (`set`, `shots`, `seed`, `template`,
//! `text_hash`), `drawn` (the same without `set`) or `text` (`text`). Times are RFC 3339, UTC.
//!
//! ## Shards
//!
//! [Safetensors](https://github.com/huggingface/safetensors): `u64` header length, JSON header,
//! data, all little-endian. With n the shard's skills and T its type, in this order:
//!
//! | tensor | type | shape |
//! |---|---|---|
//! | `dt_sum` | F32 | `[n, n_layer, d_inner]`: ΣΔ since the zero state |
//! | `ssm.0` … `ssm.{n_layer-1}` | T | `[n, d_inner, d_state]`: SSM states of one layer |
//! | `conv.0` … `conv.{n_layer-1}` | T | `[n, d_inner, d_conv - 1]`: convolution windows of one layer, oldest input first |
//!
//! `__metadata__` repeats `format` (`state-soup shard`), `version`, `model`, `tokenizer` and
//! `skills` (a JSON list of ids, in a string), which identify a stray shard. Readers do not depend
//! on them.
//!
//! Layers come first because a ranking reads one layer, or a few, of every skill. `ssm.{l}` is one
//! contiguous run of n·d_inner·d_state entries that is streamed once; pages of other layers are
//! never touched. Reading one whole skill takes 2·n_layer + 1 short runs; this is rare. The header
//! is padded with spaces to a multiple of 64 bytes and tensors follow without gaps (safetensors
//! allows none), so every row begins on a cache line whenever d_inner is a multiple of 32. With
//! other sizes rows are aligned to their type only. ΣΔ stays f32: it is 1/16 as large as the SSM
//! state, it is multiplied by A before an exponential, and it grows without bound, beyond the range
//! of f16.
//!
//! ## Half precision
//!
//! With T = F16, entries are rounded to nearest (relative error 2⁻¹¹; below 6·10⁻⁵ the step is
//! 6·10⁻⁸). A skill with an entry beyond ±65504 is not clipped: it goes to a separate F32 shard of
//! the same batch. So a library may hold shards of both types.
//!
//! ## How it changes
//!
//! A writer holds the lock. A shard is written as `shard-NNNNN.safetensors.tmp`, synced and
//! renamed, and the folder is synced. Then the manifest is written the same way. So a manifest only
//! names complete shards, and a kill at any instant loses at most the batch being written. The next
//! writer removes what a killed writer left under names of this format. A new library begins with
//! an empty manifest, so shards without a manifest mean that the manifest was lost; such a folder
//! is refused, not cleaned up. Deleting a skill sets `deleted`; its state can be restored until
//! compaction. Compaction takes the shards with deleted skills, copies their living skills into new
//! shards, names these in a new manifest, and only then unlinks the old files. Readers take no
//! lock: their maps outlive an unlink. A reader that finds a shard missing reads the manifest
//! again, because a writer may just have replaced it.
//!
//! ## What is refused
//!
//! A refusal changes nothing on disk. The whole library is refused for another model, tokenizer or
//! shape, an unknown version, or a manifest that is unreadable or contradicts itself. A shard is
//! refused (its skills are left out with a warning, the rest opens) if it is missing, has another
//! length than the manifest says, is not safetensors, or lacks a tensor or has one of another type
//! or shape. A skill whose state holds NaN or infinity is left out with a warning
//! ([`Library::look`], [`Library::without_damaged`]): all states are checked when a lab opens a
//! library of at most 8 GiB; in a larger one, each state is checked when it is used. Only
//! [`Library::check`], which reads every byte, compares hashes.

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
