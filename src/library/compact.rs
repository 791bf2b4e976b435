//! Compaction: the only way to free the bytes of deleted skills.

use super::manifest::{Removed, ShardEntry, SkillEntry};
use super::shard::Shard;
use super::types::StoredType;
use super::writer::{LibraryWriter, put};
use crate::control::Control;
use crate::error::{Error, Result};
use std::collections::HashSet;

/// Bytes of states per shard that compaction writes.
const COMPACT_BYTES: usize = 64 << 20;

impl LibraryWriter {
    /// Drops the states of deleted skills for good and returns the number of bytes freed. Damaged
    /// shards with living skills, and shards with a living skill whose state is damaged, are kept
    /// as they are. Reports progress in skills copied.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Library`] if a state cannot be read; [`Error::Cancelled`].
    pub fn compact(&mut self, control: Control<'_>) -> Result<u64> {
        let before = self.library.bytes();
        let all = &self.library.manifest;
        let is_damaged = |shard: &Shard| {
            let mut living = all.skills.iter().filter(|s| s.shard == shard.entry.file && s.deleted.is_none());
            living.any(|s| shard.fault(s.index).is_some())
        };
        let lives = |file: &str| all.skills.iter().filter(|s| s.shard == file && s.deleted.is_none()).count();
        let is_old = |s: &&ShardEntry| {
            let n = lives(&s.file);
            n < s.skills && (n == 0 || self.library.shards.get(&s.file).is_some_and(|shard| !is_damaged(shard)))
        };
        let old: HashSet<String> = all.shards.iter().filter(is_old).map(|s| s.file.clone()).collect();
        if old.is_empty() {
            return Ok(0);
        }
        self.change(|disk, library, manifest| {
            let dead = |s: &SkillEntry| s.deleted.is_some() && old.contains(&s.shard);
            let gone: Vec<_> = manifest.skills.iter().filter(|s| dead(s)).cloned().collect();
            manifest.skills.retain(|s| !dead(s));
            for s in gone {
                let removed = Removed { id: s.meta.id, origin: s.meta.origin };
                let lives = manifest.live(&removed.id).is_some();
                if !lives && !manifest.removed.contains(&removed) {
                    manifest.removed.push(removed);
                }
            }
            let moving: Vec<usize> = (0..manifest.skills.len()).filter(|&i| old.contains(&manifest.skills[i].shard)).collect();
            let mut copied = 0;
            for dtype in [StoredType::F16, StoredType::F32] {
                let of_type = |i: &&usize| library.shards.get(&manifest.skills[**i].shard).is_some_and(|s| s.entry.dtype == dtype);
                let picks: Vec<usize> = moving.iter().filter(of_type).copied().collect();
                let at_once = (COMPACT_BYTES / (library.shape().total_len() * dtype.size()).max(1)).max(1);
                for group in picks.chunks(at_once) {
                    control.check()?;
                    let mut states = Vec::new();
                    for &i in group {
                        let s = &manifest.skills[i];
                        let shard =
                            library.shards.get(&s.shard).ok_or_else(|| Error::Library(format!("the shard {} is not open", s.shard)))?;
                        if let Some(what) = shard.cut_short() {
                            return Err(Error::Library(what));
                        }
                        states.push((s.meta.clone(), shard.state(s.index, s.meta.tokens)?));
                    }
                    let states: Vec<_> = states.iter().map(|(m, s)| (m, s)).collect();
                    put(disk, library.path(), manifest, dtype, &states, group)?;
                    copied += group.len() as u64;
                    control.report(copied, moving.len() as u64, "skills");
                }
            }
            manifest.shards.retain(|s| !old.contains(&s.file));
            Ok(())
        })?;
        self.remove_orphans();
        Ok(before.saturating_sub(self.library.bytes()))
    }
}
