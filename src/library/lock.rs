//! The lock that the writing process holds.

use super::writer::Wait;
use crate::error::{Error, Result};
use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

/// Name of the file that is locked.
pub(super) const LOCK: &str = "lock";

/// A held lock. The system releases it when the process dies. Otherwise it is released explicitly,
/// because closing the file is not enough while a child process that is just starting holds a copy
/// of the descriptor.
#[derive(Debug)]
pub(super) struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Takes the lock of the library in `dir`.
///
/// # Errors
/// [`Error::Library`] if another process has it and `wait` is [`Wait::No`]; [`Error::Io`];
/// [`Error::Cancelled`].
pub(super) fn take(mut lock: File, dir: &Path, wait: Wait<'_>) -> Result<Lock> {
    loop {
        match lock.try_lock() {
            Ok(()) => break,
            Err(TryLockError::Error(e)) => return Err(unwritable(dir)(e)),
            Err(TryLockError::WouldBlock) => match wait {
                Wait::Until(control) => {
                    control.check()?;
                    std::thread::sleep(Duration::from_millis(20));
                }
                Wait::No => {
                    let mut holder = String::new();
                    let _ = lock.read_to_string(&mut holder);
                    let holder = holder.trim().parse::<u32>().map_or("another process".to_owned(), |id| format!("the process {id}"));
                    let dir = dir.display();
                    return Err(Error::Library(format!(
                        "the library {dir} is being written by {holder}; wait until it is done, or choose another folder with --library DIR"
                    )));
                }
            },
        }
    }
    // The id is only for the message above, which names no process without it.
    let _ = lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| writeln!(lock, "{}", std::process::id()));
    Ok(Lock(lock))
}

/// The error for a folder that cannot be written to.
pub(super) fn unwritable(dir: &Path) -> impl FnOnce(io::Error) -> Error {
    let dir = dir.to_path_buf();
    move |e| {
        let what = format!("the library cannot be written here ({e}); choose another folder with --library DIR");
        Error::Io { path: dir, source: io::Error::new(e.kind(), what) }
    }
}
