//! A copy of a library to experiment on: changes to the copy leave the original unchanged.

use super::manifest::{MANIFEST, Manifest};
use super::store::list;
use super::types::{SkillMeta, SkillOrigin};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use tempfile::TempDir;

/// A slot for one copy, shared by the code that makes it and the code that lists its changes. The
/// copy is removed when the last clone is dropped or the next copy is made.
#[derive(Clone, Debug, Default)]
pub struct Copies(Arc<Mutex<Option<Copy>>>);

#[derive(Debug)]
struct Copy {
    of: TempDir,
    before: Option<Manifest>,
}

impl Copies {
    /// Makes a copy of a library and returns its folder, which is not created if there is no
    /// library. It copies the manifest only: shards never change, so the copy has symbolic links to
    /// them, and new shards lie in the copy.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Library`] if the manifest is damaged or of an unknown version.
    pub fn of(&self, library: &Path) -> Result<PathBuf> {
        let before = Manifest::read(library)?;
        let of = TempDir::with_prefix("state-soup-").map_err(Error::io(std::env::temp_dir()))?;
        // The copy keeps the library's folder name, because the name may be displayed.
        let folder = of.path().join(library.file_name().unwrap_or("library".as_ref()));
        if let Some(manifest) = &before {
            std::fs::create_dir(&folder).map_err(Error::io(&folder))?;
            let real = library.canonicalize().map_err(Error::io(library))?;
            for shard in &manifest.shards {
                symlink(real.join(&shard.file), folder.join(&shard.file)).map_err(Error::io(&folder))?;
            }
            std::fs::copy(library.join(MANIFEST), folder.join(MANIFEST)).map_err(Error::io(&folder))?;
        }
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Copy { of, before });
        Ok(folder)
    }

    /// What was changed in the copy, one phrase per kind of change, such as `deleted antonym/0`;
    /// empty if nothing was. Skills that a build added do not count.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Library`] if the copy's manifest is damaged.
    pub fn changes(&self) -> Result<Vec<String>> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(copy) = guard.as_ref() else { return Ok(Vec::new()) };
        let mut folders = std::fs::read_dir(copy.of.path()).map_err(Error::io(copy.of.path()))?;
        let Some(Ok(folder)) = folders.next() else { return Ok(Vec::new()) };
        let after = Manifest::read(&folder.path())?;
        let (before, after) = (living(copy.before.as_ref()), living(after.as_ref()));
        let own = |s: &SkillMeta| !matches!(s.origin, SkillOrigin::Examples { .. });
        let both = || after.iter().filter_map(|(id, new)| before.get(id).map(|old| (*id, *old, *new)));
        let kinds: [(&str, Vec<&str>); 4] = [
            ("deleted", before.keys().filter(|id| !after.contains_key(*id)).copied().collect()),
            ("added", after.iter().filter(|(id, new)| own(new) && !before.contains_key(*id)).map(|(id, _)| *id).collect()),
            ("read again", both().filter(|(_, old, new)| old.created != new.created).map(|(id, ..)| id).collect()),
            ("tagged", both().filter(|(_, old, new)| old.tags != new.tags).map(|(id, ..)| id).collect()),
        ];
        Ok(kinds.iter().filter(|(_, ids)| !ids.is_empty()).map(|(kind, ids)| format!("{kind} {}", list(ids))).collect())
    }
}

fn living(manifest: Option<&Manifest>) -> BTreeMap<&str, &SkillMeta> {
    let skills = manifest.into_iter().flat_map(|m| &m.skills);
    skills.filter(|s| s.deleted.is_none()).map(|s| (s.meta.id.as_str(), &s.meta)).collect()
}
