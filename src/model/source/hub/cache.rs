//! The cache folder of a Hugging Face hub, laid out as Python's `huggingface_hub` lays it out.
//!
//! ```text
//! models--owner--name/
//!   blobs/<etag>                   files' contents; `<etag>.incomplete` is part of one
//!   snapshots/<commit>/<file>      links to ../../blobs/<etag>
//!   refs/<branch or tag>           the commit it was at
//!   .no_exist/<commit>/<file>      the commit has no such file
//!   trees/<commit>.json            all files of the commit, where Python listed them
//! .locks/models--owner--name/<etag>.lock
//! ```
//!
//! Names that come from a hub are checked before they get here, and a link that leads out of the
//! model's folder is never written through.

use super::names::is_commit;
use super::part::Part;
use crate::control::Control;
use crate::error::{Error, Result};
use serde_json::Value;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// How often a lock is tried, and a silent connection looked at.
pub(super) const POLL: Duration = Duration::from_millis(50);

/// A part that has not been written to for this long is abandoned. Some network file systems grant
/// every lock, so a free lock alone does not prove it.
const ABANDONED: Duration = Duration::from_mins(1);

/// The longest list of a commit's files that is read, in bytes.
const LONGEST_TREE: u64 = 64 << 20;

const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This file is a cache directory tag created by huggingface_hub.\n\
    # For information about cache directory tags, see:\n\
    #\thttps://bford.info/cachedir/\n";

/// The name of a blob. A hash that the hub announces is taken as it is; for any other ETag, or
/// none, the name is a hash of our own, 40 digits long so that it is not mistaken for a SHA-256.
pub(super) fn blob_name(etag: Option<&str>, commit: &str, file: &str) -> String {
    let announced = etag.unwrap_or_default().trim();
    let bare = announced.trim_start_matches("W/").trim_matches('"');
    if is_commit(bare) {
        return bare.into();
    }
    let mut name = blake3::hash(format!("{commit}/{file}/{announced}").as_bytes()).to_hex().to_string();
    name.truncate(40);
    name
}

/// One model's part of the cache.
pub(super) struct ModelCache {
    cache: PathBuf,
    /// `models--owner--name`.
    name: String,
}

impl ModelCache {
    /// The part of `owner/name`, whose name has been checked.
    pub(super) fn new(cache: &Path, repo: &str) -> Self {
        Self { cache: cache.into(), name: format!("models--{}", repo.replace('/', "--")) }
    }

    fn root(&self) -> PathBuf {
        self.cache.join(&self.name)
    }

    /// The folder of a commit's files.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.root().join("snapshots").join(commit)
    }

    /// The commit of a revision, if the cache knows it.
    pub(super) fn commit_of(&self, revision: &str) -> Option<String> {
        if is_commit(revision) {
            return Some(revision.into());
        }
        let mut text = String::new();
        File::open(self.root().join("refs").join(revision)).ok()?.take(100).read_to_string(&mut text).ok()?;
        let commit = text.trim();
        is_commit(commit).then(|| commit.into())
    }

    /// A file of a commit, if it is there.
    pub(super) fn file(&self, commit: &str, file: &str) -> Option<PathBuf> {
        Some(self.snapshot(commit).join(file)).filter(|path| path.is_file())
    }

    /// Whether the cache knows that the commit has no such file.
    pub(super) fn is_absent(&self, commit: &str, file: &str) -> bool {
        let root = self.root();
        if root.join(".no_exist").join(commit).join(file).is_file() {
            return true;
        }
        let mut text = Vec::new();
        let Ok(tree) = File::open(root.join("trees").join(format!("{commit}.json"))) else { return false };
        if tree.take(LONGEST_TREE).read_to_end(&mut text).is_err() {
            return false;
        }
        let Ok(tree) = serde_json::from_slice::<Value>(&text) else { return false };
        tree["format_version"] == 1 && tree["files"].as_object().is_some_and(|files| !files.contains_key(file))
    }

    /// Remembers that the commit has no such file. A cache that cannot be written to asks again
    /// next time.
    pub(super) fn remember_absent(&self, commit: &str, file: &str) {
        let written = self.folder(&[".no_exist", commit]).and_then(|dir| {
            let path = dir.join(file);
            match create(&path) {
                Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(Error::io(path)(e)),
                _ => Ok(()),
            }
        });
        if let Err(why) = written {
            tracing::warn!("the hub will be asked again for {file}, which the commit lacks: {why}");
        }
    }

    /// Remembers which commit a branch or tag is at. Without this the model is still in the cache,
    /// but not found offline by this name.
    pub(super) fn remember_revision(&self, revision: &str, commit: &str) {
        if revision == commit || self.commit_of(revision).as_deref() == Some(commit) {
            return;
        }
        let parts: Vec<&str> = std::iter::once("refs").chain(revision.split('/')).collect();
        let Some((last, folders)) = parts.split_last() else { return };
        let written = self.folder(folders).and_then(|dir| {
            let (path, fresh) = (dir.join(last), dir.join(format!("{last}.{}.tmp", unique())));
            create(&fresh).and_then(|mut file| file.write_all(commit.as_bytes())).map_err(Error::io(&fresh))?;
            std::fs::rename(&fresh, &path).map_err(|e| {
                // Nothing can be done about what cannot be removed.
                let _ = std::fs::remove_file(&fresh);
                Error::io(&path)(e)
            })
        });
        if let Err(why) = written {
            tracing::warn!("the cache will not know offline that `{revision}` is {commit}: {why}");
        }
    }

    /// Whether a blob is there.
    pub(super) fn has_blob(&self, blob: &str) -> bool {
        self.root().join("blobs").join(blob).is_file()
    }

    /// Locks a blob for this process; waits while another one fetches it.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Io`] if the lock file cannot be made.
    pub(super) fn lock(&self, blob: &str, control: Control<'_>) -> Result<Option<File>> {
        self.make_cache()?;
        let path = folder(&self.cache, &[".locks", &self.name])?.join(format!("{blob}.lock"));
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            // As Python's, so that a cache may be shared by a group.
            .mode(0o664)
            .custom_flags(no_follow())
            .open(&path)
            .map_err(Error::io(&path))?;
        let begun = Instant::now();
        loop {
            control.check()?;
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) => {
                    let waited = begun.elapsed().as_secs();
                    control.report(waited, 0, "seconds of waiting for another program that fetches the same file");
                    std::thread::sleep(POLL);
                }
                Err(TryLockError::Error(e)) if e.kind() == ErrorKind::Interrupted => {}
                Err(TryLockError::Error(e)) => {
                    // At worst a file is fetched twice: each process writes to a part of its own.
                    tracing::warn!("{} cannot be locked ({e}); going on without", path.display());
                    return Ok(None);
                }
            }
        }
    }

    /// A file to receive a blob in, with what an earlier try left of it.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Hub`] for a link that leads out of the model's folder;
    /// [`Error::Cancelled`].
    pub(super) fn part(&self, blob: &str, control: Control<'_>) -> Result<Part> {
        let dir = self.folder(&["blobs"])?;
        let resting = dir.join(format!("{blob}.incomplete"));
        let path = dir.join(format!("{blob}.{}.incomplete", unique()));
        let left = std::iter::once(resting.clone()).chain(abandoned(&dir, blob));
        for left in left {
            if !std::fs::symlink_metadata(&left).is_ok_and(|m| m.is_file()) || std::fs::rename(&left, &path).is_err() {
                continue;
            }
            let file = OpenOptions::new().read(true).write(true).custom_flags(no_follow()).open(&path).map_err(Error::io(&path))?;
            return Part::adopt(file, path, resting, blob, control);
        }
        let file = create(&path).map_err(Error::io(&path))?;
        Part::adopt(file, path, resting, blob, control)
    }

    /// Gives a received blob its name.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn keep(&self, part: Part, blob: &str) -> Result<()> {
        part.keep(&self.folder(&["blobs"])?.join(blob))
    }

    /// Makes a blob a file of a commit.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Hub`] for a link that leads out of the model's folder.
    pub(super) fn link(&self, commit: &str, file: &str, blob: &str) -> Result<PathBuf> {
        let path = self.folder(&["snapshots", commit])?.join(file);
        let target = Path::new("../../blobs").join(blob);
        match std::os::unix::fs::symlink(&target, &path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {
                if std::fs::read_link(&path).is_ok_and(|present| present == target) {
                    return Ok(path);
                }
                std::fs::remove_file(&path).map_err(Error::io(&path))?;
                std::os::unix::fs::symlink(&target, &path)
            }
            other => other,
        }
        .or_else(|e| match e.kind() {
            ErrorKind::AlreadyExists => Err(e),
            // On a file system without links, the file itself goes there.
            _ => std::fs::rename(self.root().join("blobs").join(blob), &path),
        })
        .map_err(Error::io(&path))?;
        Ok(path)
    }

    /// Bytes free on the disk of the cache, if the system knows.
    pub(super) fn free(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.cache).ok()?;
        (disk.f_blocks > 0).then(|| disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// A folder inside the model's folder, made where it is missing.
    fn folder(&self, parts: &[&str]) -> Result<PathBuf> {
        self.make_cache()?;
        let all: Vec<&str> = std::iter::once(self.name.as_str()).chain(parts.iter().copied()).collect();
        folder(&self.cache, &all)
    }

    fn make_cache(&self) -> Result<()> {
        std::fs::create_dir_all(&self.cache).map_err(Error::io(&self.cache))?;
        // For backup programs only.
        let _ = create(&self.cache.join("CACHEDIR.TAG")).and_then(|mut file| file.write_all(TAG.as_bytes()));
        Ok(())
    }
}

/// `base/first/second/…`, made where it is missing. `base/first` may be a link to another disk;
/// below it none may lead out.
fn folder(base: &Path, parts: &[&str]) -> Result<PathBuf> {
    let (mut path, mut root) = (base.to_path_buf(), None);
    for part in parts {
        path.push(part);
        match std::fs::create_dir(&path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(Error::io(&path)(e)),
            _ => {}
        }
        let real = std::fs::canonicalize(&path).map_err(Error::io(&path))?;
        let root = root.get_or_insert_with(|| real.clone());
        if !real.starts_with(&*root) {
            return Err(Error::Hub(format!(
                "{} leads out of the model's cache folder, to {}; nothing is written there: remove that link",
                path.display(),
                real.display()
            )));
        }
    }
    Ok(path)
}

/// Parts of a blob whose writers are gone.
fn abandoned(dir: &Path, blob: &str) -> Vec<PathBuf> {
    let is_ours = |name: &str| name.strip_prefix(blob).and_then(|n| n.strip_prefix('.')).is_some_and(|n| n.ends_with(".incomplete"));
    let is_old = |path: &Path| {
        std::fs::symlink_metadata(path)
            .and_then(|m| m.modified())
            .is_ok_and(|changed| SystemTime::now().duration_since(changed).is_ok_and(|age| age > ABANDONED))
    };
    let is_free = |path: &Path| {
        let file = OpenOptions::new().read(true).custom_flags(no_follow()).open(path);
        file.is_ok_and(|file| !matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
    };
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let named = entries.flatten().filter(|e| e.file_name().to_str().is_some_and(is_ours)).map(|e| e.path());
    named.filter(|path| is_old(path) && is_free(path)).collect()
}

/// Creates a file; fails if anything is there, a link included.
fn create(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).open(path)
}

fn no_follow() -> i32 {
    rustix::fs::OFlags::NOFOLLOW.bits().cast_signed()
}

fn unique() -> String {
    format!("{:08x}", rand::random::<u32>())
}
