//! What is damaged in a library: files that were cut short or left out, and states that hold NaN or
//! infinity.

use super::{Library, live};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::manifest::SkillEntry;
use crate::library::shard::Shard;
use crate::library::types::SkillMeta;
use rayon::prelude::*;
use std::sync::Arc;

/// Size in bytes up to which all states of a library are checked for damage when it is opened. This
/// is no more than the largest model's weights, which are checked likewise; checking a larger
/// library would take too long.
const LOOKED_AT: u64 = 8 << 30;
/// Skills checked between two checks for cancellation.
const LOOKED_AT_ONCE: usize = 32;

impl Library {
    /// Checks each state once for NaN and infinity. In a library of more than [`LOOKED_AT`] bytes
    /// it checks none: there a state is checked when it is used ([`Self::is_sound`]). Reports
    /// progress in bytes.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn look(&self, control: Control<'_>) -> Result<()> {
        if self.bytes() > LOOKED_AT {
            return Ok(());
        }
        let each = self.bytes() / self.len().max(1) as u64;
        for (i, together) in self.places.chunks(LOOKED_AT_ONCE).enumerate() {
            control.check()?;
            together.par_iter().for_each(|(shard, index)| _ = shard.fault(*index));
            control.report(((i + 1) * LOOKED_AT_ONCE).min(self.len()) as u64 * each, self.bytes(), "bytes");
        }
        Ok(())
    }

    /// The library without the skills whose states were found to hold NaN or infinity;
    /// [`Self::warnings`] names them.
    #[must_use]
    pub fn without_damaged(self) -> Self {
        if self.places.iter().all(|(shard, index)| shard.known_fault(*index).is_none()) {
            return self;
        }
        Self::assemble(&self.dir, self.manifest, &self.shards)
    }

    /// Whether all numbers of a skill's state are finite. Reads the whole state on first use.
    pub fn is_sound(&self, i: usize) -> bool {
        self.places.get(i).is_some_and(|(shard, index)| shard.fault(*index).is_none())
    }

    /// Checks that no file was cut short since it was opened: reading such a file ends the process.
    /// Code that reads rows must call this first. It costs one system call per file, a microsecond
    /// or less.
    ///
    /// # Errors
    /// [`Error::Library`] naming the file.
    pub fn check_whole(&self) -> Result<()> {
        match self.shards.values().find_map(|shard| shard.cut_short()) {
            None => Ok(()),
            Some(what) => Err(Error::Library(format!("{what}; `state-soup build` makes its skills again"))),
        }
    }

    /// Living skills that are left out because their shards or their own states are damaged.
    pub fn lost(&self) -> impl Iterator<Item = &SkillMeta> {
        let is_lost = |s: &&SkillEntry| self.shards.get(&s.shard).is_none_or(|shard| shard.known_fault(s.index).is_some());
        live(&self.manifest).filter(is_lost).map(|s| &s.meta)
    }

    /// A sentence for each damage: shards and states that were left out when the library was
    /// opened, and states found since then to hold NaN or infinity.
    pub fn warnings(&self) -> Vec<String> {
        let mut all = self.left_out.clone();
        all.extend(self.found_since());
        all
    }

    /// The [`Self::warnings`] about damage that was found after the library was opened.
    pub fn found_since(&self) -> Vec<String> {
        let found = |((shard, index), meta): (&(Arc<Shard>, usize), &SkillMeta)| {
            Some(shard.sentence(&meta.id, *index, shard.found_damaged(*index)?))
        };
        self.places.iter().zip(&self.skills).filter_map(found).collect()
    }
}
