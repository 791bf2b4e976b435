//! A thread that writes lines to a file, so that the caller does not wait for a disk.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// The longest wait for the disk at the end.
const PATIENCE: Duration = Duration::from_secs(1);

/// Lines queued for a file.
pub struct LineWriter {
    lines: Sender<String>,
    ended: Receiver<()>,
}

impl LineWriter {
    /// Starts the thread. `open` runs on it with the first line. Lines queued together are written
    /// together and, if `synced`, reach the disk before the next ones are taken. The first failure
    /// goes to `failed`; nothing is written after it.
    ///
    /// # Errors
    /// [`Error::Io`] if the system cannot start a thread.
    pub fn start(
        path: PathBuf,
        synced: bool,
        open: impl FnOnce() -> std::io::Result<File> + Send + 'static,
        failed: impl FnOnce(Error) + Send + 'static,
    ) -> Result<Self> {
        let (lines, waiting) = channel::<String>();
        let (end, ended) = channel();
        let at = path.clone();
        let work = move || {
            if let Err(error) = write(&waiting, synced, open) {
                failed(Error::io(at)(error));
            }
            // The receiver may be gone.
            let _ = end.send(());
        };
        std::thread::Builder::new().name("writer".into()).spawn(work).map_err(Error::io(path))?;
        Ok(Self { lines, ended })
    }

    /// Queues a line (its line break is added).
    pub fn write(&self, mut line: String) {
        line.push('\n');
        // After a failure, which was reported, there is no receiver.
        let _ = self.lines.send(line);
    }

    /// Waits until everything is written, but no longer than a second.
    pub fn finish(self) {
        let Self { lines, ended } = self;
        drop(lines);
        // If the disk takes longer than that, what is not written may be lost.
        let _ = ended.recv_timeout(PATIENCE);
    }
}

fn write(waiting: &Receiver<String>, synced: bool, open: impl FnOnce() -> std::io::Result<File>) -> std::io::Result<()> {
    let Ok(mut batch) = waiting.recv() else { return Ok(()) };
    let mut file = open()?;
    loop {
        waiting.try_iter().for_each(|line| batch.push_str(&line));
        file.write_all(batch.as_bytes())?;
        if synced {
            file.sync_data()?;
        }
        match waiting.recv() {
            Ok(line) => batch = line,
            Err(_) => return Ok(()),
        }
    }
}
