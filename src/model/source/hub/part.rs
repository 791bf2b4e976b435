//! A blob on its way into the cache.

use crate::control::Control;
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes of an earlier try hashed between two looks at the cancel handle.
const STEP: usize = 1 << 20;

/// Bytes of a part kept as its head.
const HEAD: usize = 512;

enum Fate {
    /// It rests for the next try.
    Rests,
    /// It is wrong and is removed.
    Goes,
    /// It has become a blob.
    Kept,
}

/// A blob on its way. Dropped before it is complete, it stays for the next try, unless it was found
/// wrong.
pub(super) struct Part {
    file: File,
    path: PathBuf,
    resting: PathBuf,
    len: u64,
    /// The hash of what is there so far, if the blob's name is a SHA-256.
    hasher: Option<Sha256>,
    /// The first bytes.
    head: Vec<u8>,
    fate: Fate,
}

impl Part {
    /// Takes over a file, and hashes what an earlier try left in it.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Cancelled`].
    pub(super) fn adopt(file: File, path: PathBuf, resting: PathBuf, blob: &str, control: Control<'_>) -> Result<Self> {
        // Marks it as in use, see `cache::abandoned`; where there are no locks, its age does.
        let _ = file.try_lock();
        let hasher = (blob.len() == 64).then(Sha256::new);
        let mut part = Self { file, path, resting, len: 0, hasher, head: Vec::new(), fate: Fate::Rests };
        let mut buffer = vec![0; STEP];
        let total = part.file.metadata().map_err(Error::io(&part.path))?.len();
        loop {
            control.check()?;
            let n = part.file.read(&mut buffer).map_err(Error::io(&part.path))?;
            if n == 0 {
                return Ok(part);
            }
            part.count(&buffer[..n]);
            control.report(part.len, total, "bytes");
        }
    }

    /// Bytes so far.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The first bytes, at most 512.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io(&self.path))?;
        self.count(bytes);
        Ok(())
    }

    fn count(&mut self, bytes: &[u8]) {
        let room = HEAD - self.head.len();
        self.head.extend(&bytes[..room.min(bytes.len())]);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        self.len += bytes.len() as u64;
    }

    /// Starts again from nothing.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn restart(&mut self) -> Result<()> {
        self.file.set_len(0).and_then(|()| self.file.seek(SeekFrom::Start(0))).map_err(Error::io(&self.path))?;
        self.hasher = self.hasher.is_some().then(Sha256::new);
        self.head.clear();
        self.len = 0;
        Ok(())
    }

    /// The SHA-256 so far, if the blob's name is one.
    pub(super) fn sha256(&self) -> Option<String> {
        self.hasher.clone().map(|h| h.finalize().iter().map(|b| format!("{b:02x}")).collect())
    }

    /// Completes it and gives it the name of its blob.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn keep(mut self, path: &Path) -> Result<()> {
        self.file.sync_data().map_err(Error::io(&self.path))?;
        // Replaces a link that leads nowhere, instead of writing through it.
        std::fs::rename(&self.path, path).map_err(Error::io(path))?;
        self.fate = Fate::Kept;
        Ok(())
    }

    /// Marks it as wrong, so that it is removed.
    pub(super) fn discard(&mut self) {
        self.fate = Fate::Goes;
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // The next try takes what it finds; nothing else depends on it.
        let _ = match self.fate {
            Fate::Kept => Ok(()),
            Fate::Rests if self.file.metadata().is_ok_and(|m| m.len() > 0) => std::fs::rename(&self.path, &self.resting),
            Fate::Rests | Fate::Goes => std::fs::remove_file(&self.path),
        };
    }
}
