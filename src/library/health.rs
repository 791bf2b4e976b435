//! Checks a library's files byte by byte.

use super::shard::Shard;
use super::store::{Library, list, live};
use crate::control::Control;
use crate::error::Result;

/// What a check of every byte found. A shard never changes once it has its name, so the result
/// stays valid for a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Every file that the manifest names, in its order.
    pub shards: Vec<ShardHealth>,
}

/// What a check found in one shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardHealth {
    /// The file name.
    pub file: String,
    /// Ids of its living skills.
    pub skills: Vec<String>,
    /// What is wrong with the file as a whole, in a sentence.
    pub fault: Option<String>,
    /// Id and a sentence for each living skill whose state holds NaN or infinity.
    pub damaged: Vec<(String, String)>,
}

impl ShardHealth {
    /// What is wrong with one of its skills, in a sentence; `None` if nothing is.
    pub fn fault_of(&self, id: &str) -> Option<&str> {
        let own = || self.damaged.iter().find(|(damaged, _)| damaged == id).map(|(_, sentence)| sentence.as_str());
        self.fault.as_deref().or_else(own)
    }
}

impl Health {
    /// What was found in a file; `None` if the manifest did not name it.
    pub fn of(&self, file: &str) -> Option<&ShardHealth> {
        self.shards.iter().find(|s| s.file == file)
    }

    /// A sentence for each fault.
    pub fn sentences(&self) -> impl Iterator<Item = &str> {
        self.shards.iter().flat_map(|s| s.fault.as_deref().into_iter().chain(s.damaged.iter().map(|(_, sentence)| sentence.as_str())))
    }

    /// Ids of the living skills in faulty files or with damaged states.
    pub fn bad_skills(&self) -> impl Iterator<Item = &str> {
        self.shards.iter().flat_map(|s| s.skills.iter().map(String::as_str).filter(|id| s.fault_of(id).is_some()))
    }
}

impl Library {
    /// Reads every byte on disk: compares shards with their hashes and looks for NaN and infinity
    /// in states. Reports progress in bytes.
    ///
    /// # Errors
    /// [`crate::error::Error::Cancelled`].
    pub fn check(&self, control: Control<'_>) -> Result<Health> {
        let (mut done, total) = (0, self.bytes());
        let mut health = Health::default();
        control.report(0, total, "bytes");
        for entry in &self.manifest.shards {
            let entries: Vec<_> = live(&self.manifest).filter(|s| s.shard == entry.file).collect();
            let living: Vec<&str> = entries.iter().map(|s| s.meta.id.as_str()).collect();
            let whole = |shard: &Shard| {
                shard.hash_is_right(&mut |bytes| {
                    control.report(done + bytes, total, "bytes");
                    control.check()
                })
            };
            // Opened again, because an earlier map outlives a file that was removed since.
            let opened = Shard::open(self.path(), entry, self.shape());
            let mut damaged = Vec::new();
            for (shard, s) in opened.iter().flat_map(|shard| entries.iter().map(move |s| (shard, s))) {
                control.check()?;
                let id = &s.meta.id;
                damaged.extend(shard.fault(s.index).map(|fault| (id.clone(), shard.sentence(id, s.index, fault))));
            }
            let fault = match opened {
                Err(what) if self.shards.contains_key(&entry.file) => Some(format!("{what}; it held {}", list(&living))),
                // A missing file without living skills is no loss; opening the library does not
                // warn of it either.
                Err(_) if living.is_empty() => None,
                Err(what) => Some(format!("{what}; left out: {}", list(&living))),
                Ok(shard) if whole(&shard)? => None,
                Ok(_) => {
                    let path = self.path().join(&entry.file);
                    Some(format!("the shard {} is not what was written (its BLAKE3 differs); it holds {}", path.display(), list(&living)))
                }
            };
            let skills = living.iter().map(|id| (*id).to_owned()).collect();
            health.shards.push(ShardHealth { file: entry.file.clone(), skills, fault, damaged });
            done += entry.bytes;
            control.report(done, total, "bytes");
        }
        Ok(health)
    }
}
