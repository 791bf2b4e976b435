//! Watching and stopping long work: a cancel handle that is one atomic read, and a progress report.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// How often work on another thread is polled.
const POLL: Duration = Duration::from_millis(5);

/// A handle that cancels work. Clones share the flag; polling it costs one relaxed atomic read.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A handle that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels the work, for every clone.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The progress of a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Number of units done.
    pub done: u64,
    /// Total number of units; 0 if not known.
    pub total: u64,
    /// The unit that is counted: `tokens`, `bytes`, `skills`, `epochs`.
    pub unit: &'static str,
}

/// The argument of long-running functions: the cancel handle that they poll, the listener that they
/// report to, and a function that runs at their pauses.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    cancel: &'a Cancel,
    progress: &'a (dyn Fn(Progress) + Sync),
    pause: &'a (dyn Fn() + Sync),
}

impl<'a> Control<'a> {
    /// A control with the given handle and listener. The listener is called from the working thread
    /// and must be quick.
    pub fn new(cancel: &'a Cancel, progress: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Self { cancel, progress, pause: &|| {} }
    }

    /// The same control with a function that runs at every report, whoever the listener is. Other
    /// work may go first there.
    #[must_use]
    pub fn with_pauses(self, pause: &'a (dyn Fn() + Sync)) -> Self {
        Self { pause, ..self }
    }

    /// Fails if the work was cancelled.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// A clone of the cancel handle, for a thread that outlives the call.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Reports progress.
    pub fn report(&self, done: u64, total: u64, unit: &'static str) {
        (self.progress)(Progress { done, total, unit });
        (self.pause)();
    }

    /// Runs work that cannot report progress on a separate thread. Meanwhile this thread reports
    /// for it (which lets urgent requests pass) and can return early if cancelled.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Input`] if the work panics; [`Error::Io`] if the system
    /// cannot start a thread.
    pub fn aside<T: Send + 'static>(&self, total: u64, unit: &'static str, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (send, done) = std::sync::mpsc::channel();
        // The receiver may be gone when the work is done.
        std::thread::Builder::new().spawn(move || drop(send.send(work()))).map_err(Error::io("a thread"))?;
        loop {
            match done.recv_timeout(POLL) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) => {
                    self.check()?;
                    self.report(0, total, unit);
                }
                Err(RecvTimeoutError::Disconnected) => return Err(Error::Input("the computation broke off on these numbers".into())),
            }
        }
    }

    /// The same cancel handle and pauses with another listener, for a part of a larger piece of
    /// work.
    pub fn with_progress<'b>(&'b self, progress: &'b (dyn Fn(Progress) + Sync)) -> Control<'b> {
        Control { cancel: self.cancel, progress, pause: self.pause }
    }
}

/// A control that is never cancelled and reports to nobody: `quiet(|control| …)`.
pub fn quiet<T>(work: impl FnOnce(Control<'_>) -> T) -> T {
    work(Control::new(&Cancel::new(), &|_| {}))
}
