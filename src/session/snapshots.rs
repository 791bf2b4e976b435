//! Snapshots of soups, stored from one sitting to the next.
//!
//! ```json
//! {"snapshots":1,"list":[{"name":"soup 1","recipe":"mean(0.6*antonym/0, 0.4*antonym/1)","soup":{…}}]}
//! ```
//! The recipe is for people to read; the program reads only the soup. The file is created with the
//! first snapshot and is always replaced as a whole, so no reader sees half of it. Two labs may
//! share it: each changes it under a lock and merges the other's changes.

use crate::app::instrument::sides::Snapshot;
use crate::error::{Error, Result};
use crate::files::{self, is_missing, private, private_folder};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// The version of the format.
const VERSION: u32 = 1;
/// The longest wait for the disk at the end.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Serialize, Deserialize)]
struct Kept {
    snapshots: u32,
    list: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipe: Option<String>,
    soup: crate::soup::Soup,
}

/// The file: `$XDG_STATE_HOME/state-soup/snapshots.json`.
///
/// # Errors
/// [`Error::Input`] if the system names no home folder.
pub fn file() -> Result<PathBuf> {
    Ok(super::journal::folder()?.with_file_name("snapshots.json"))
}

/// The snapshots of a file, in their order; none if there is no file.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] if it holds something else, or was written by a later version.
pub fn read(path: &Path) -> Result<Vec<Snapshot>> {
    let text = match files::text(path, files::LARGE) {
        Err(e) if is_missing(&e) => return Ok(Vec::new()),
        text => text?,
    };
    let wrong = |why: String| Error::Input(format!("{} is not a file of snapshots: {why}", path.display()));
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let version = value.get("snapshots").and_then(serde_json::Value::as_u64);
    if version != Some(u64::from(VERSION)) {
        let found = version.map_or_else(|| "none".into(), |v| v.to_string());
        return Err(wrong(format!("its version is {found}; this program reads version {VERSION}")));
    }
    let kept: Kept = serde_json::from_value(value).map_err(|e| wrong(e.to_string()))?;
    Ok(kept.list.into_iter().map(|Entry { name, soup, .. }| Snapshot { name, soup }).collect())
}

/// A change of the list: its state before and after, in this lab.
struct Change {
    before: Vec<Snapshot>,
    after: Vec<Snapshot>,
}

/// The thread that writes, so that the caller does not wait for a disk.
pub struct Keeper {
    changes: Sender<Change>,
    ended: Receiver<()>,
}

impl Keeper {
    /// Starts the thread. Each failure goes to `failed`; the next change tries again.
    ///
    /// # Errors
    /// [`Error::Io`] if the system cannot start a thread.
    pub fn start(path: PathBuf, failed: impl Fn(Error) + Send + 'static) -> Result<Self> {
        let (changes, waiting) = channel::<Change>();
        let (end, ended) = channel();
        let at = path.clone();
        let work = move || {
            waiting.iter().for_each(|change| change.apply(&at).unwrap_or_else(&failed));
            // The receiver may be gone.
            let _ = end.send(());
        };
        std::thread::Builder::new().name("snapshots".into()).spawn(work).map_err(Error::io(path))?;
        Ok(Self { changes, ended })
    }

    /// Queues the change from one list to another for the disk.
    pub fn change(&self, before: Vec<Snapshot>, after: Vec<Snapshot>) {
        // The thread lives as long as this value.
        let _ = self.changes.send(Change { before, after });
    }

    /// Waits until everything is written, but no longer than a second.
    pub fn finish(self) {
        let Self { changes, ended } = self;
        drop(changes);
        // If the disk takes longer than that, what is not written may be lost.
        let _ = ended.recv_timeout(PATIENCE);
    }
}

impl Change {
    fn apply(self, path: &Path) -> Result<()> {
        if let Some(folder) = path.parent() {
            private_folder(folder).map_err(Error::io(folder))?;
        }
        let beside = path.with_extension("lock");
        let lock = private().write(true).create(true).truncate(false).open(&beside).map_err(Error::io(&beside))?;
        lock.lock().map_err(Error::io(&beside))?;
        let list = merged(&read(path)?, &self.before, self.after);
        let entry = |Snapshot { name, soup }: Snapshot| Entry { name, recipe: soup.to_recipe().map(|r| r.to_string()), soup };
        let kept = Kept { snapshots: VERSION, list: list.into_iter().map(entry).collect() };
        let text = serde_json::to_vec_pretty(&kept).map_err(|e| Error::Input(format!("the snapshots cannot be written: {e}")))?;
        files::replace(path, &text, &private())
    }
}

/// The list to store after a change: the list here, plus what another lab has added since.
fn merged(disk: &[Snapshot], before: &[Snapshot], after: Vec<Snapshot>) -> Vec<Snapshot> {
    if disk == before {
        return after;
    }
    // Another lab has changed the file: apply only the changes made here.
    let mut list: Vec<Snapshot> = disk.iter().filter(|s| !before.contains(s) || after.contains(s)).cloned().collect();
    for Snapshot { name, soup } in after.into_iter().filter(|s| !before.contains(s)) {
        let free = |name: &str| list.iter().all(|s| s.name != name);
        let numbered = (2..).map(|n| format!("{name} ({n})"));
        let name = std::iter::once(name.clone()).chain(numbered).find(|name| free(name)).unwrap_or(name);
        list.push(Snapshot { name, soup });
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::soup::{Ingredient, Soup, Values};
    use std::sync::mpsc::channel;

    fn snapshot(name: &str, weight: f64) -> Snapshot {
        let ingredients = vec![Ingredient { weight, ..Ingredient::new("antonym/0") }];
        Snapshot {
            name: name.into(),
            soup: Soup { ingredients, values: Values::default().with("gamma", f64::INFINITY), ..Soup::default() },
        }
    }

    fn keep(path: &Path, before: &[Snapshot], after: &[Snapshot]) -> Vec<String> {
        let (tell, told) = channel();
        let keeper = Keeper::start(path.to_owned(), move |e| tell.send(e.to_string()).unwrap()).unwrap();
        keeper.change(before.to_vec(), after.to_vec());
        keeper.finish();
        told.iter().collect()
    }

    #[test]
    fn what_was_kept_is_there_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("snapshots.json");
        assert_eq!(read(&path).unwrap(), []);
        let list = [snapshot("soup 1", 0.1 + 0.2), snapshot("naïve, \"quoted\"", 1.0)];
        assert!(keep(&path, &[], &list).is_empty());
        assert_eq!(read(&path).unwrap(), list);
        assert!(keep(&path, &list, &list[1..]).is_empty());
        assert_eq!(read(&path).unwrap(), list[1..]);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(
            text.contains("\"recipe\": \"mean(antonym/0)\"") && std::fs::read_dir(path.parent().unwrap()).unwrap().count() == 2,
            "{text}"
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_file_that_is_damaged_or_newer_is_told_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("snapshots.json");
        for (text, part) in
            [("{\"snapshots\":1,\"li", "EOF"), ("{\"snapshots\":2,\"list\":[]}", "its version is 2"), ("[]", "its version is none")]
        {
            std::fs::write(&path, text).unwrap();
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains("snapshots.json") && message.contains(part), "{message}");
            let told = keep(&path, &[], &[snapshot("a", 1.0)]);
            assert!(told.len() == 1 && told[0].contains(part), "{told:?}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn two_labs_lose_nothing_of_each_other() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("snapshots.json");
        let old = [snapshot("old", 1.0), snapshot("gone", 2.0)];
        keep(&path, &[], &old);
        // Both labs know the old list. One takes a snapshot; the other takes one of the same name
        // and deletes one.
        keep(&path, &old, &[old[0].clone(), old[1].clone(), snapshot("soup 1", 3.0)]);
        keep(&path, &old, &[old[0].clone(), snapshot("soup 1", 4.0)]);
        assert_eq!(read(&path).unwrap(), [old[0].clone(), snapshot("soup 1", 3.0), snapshot("soup 1 (2)", 4.0)]);
    }
}
