//! How long work is watched and stopped: a cancel handle that is one atomic read, and a progress
//! report.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

/// How often work on another thread is looked after.
const POLL: Duration = Duration::from_millis(5);

/// A handle that calls work off. Clones share the flag; polling it costs one relaxed atomic read.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A handle that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls the work off, for every clone.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the work was called off.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How far a piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 if not known.
    pub total: u64,
    /// What is counted: `tokens`, `bytes`, `skills`, `epochs`.
    pub unit: &'static str,
}

/// What long-running functions take: the cancel handle they poll, the listener they report to, and
/// whoever may use their pauses.
#[derive(Clone, Copy)]
pub struct Control<'a> {
    cancel: &'a Cancel,
    progress: &'a (dyn Fn(Progress) + Sync),
    pause: &'a (dyn Fn() + Sync),
}

impl<'a> Control<'a> {
    /// A control over the given handle and listener. The listener is called from the working thread
    /// and must be quick.
    pub fn new(cancel: &'a Cancel, progress: &'a (dyn Fn(Progress) + Sync)) -> Self {
        Self { cancel, progress, pause: &|| {} }
    }

    /// The same, with something to do at every report, whoever listens to it: there, other work may
    /// go first.
    #[must_use]
    pub fn with_pauses(self, pause: &'a (dyn Fn() + Sync)) -> Self {
        Self { pause, ..self }
    }

    /// Fails with [`Error::Cancelled`] if the work was called off.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// The cancel handle, for a thread that outlives the call.
    pub fn cancel(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Reports progress.
    pub fn report(&self, done: u64, total: u64, unit: &'static str) {
        (self.progress)(Progress { done, total, unit });
        (self.pause)();
    }

    /// Does what tells nothing until it is done on a thread of its own, while this one goes on
    /// reporting (which lets urgent requests pass) and can leave.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Input`] if the work panics; [`Error::Io`] if the system gives
    /// no thread.
    pub fn aside<T: Send + 'static>(&self, total: u64, unit: &'static str, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let (send, done) = std::sync::mpsc::channel();
        // Nobody may be waiting any more when it is done.
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

    /// The same cancel handle and pauses with another listener: for a part of a larger piece of
    /// work.
    pub fn with_progress<'b>(&'b self, progress: &'b (dyn Fn(Progress) + Sync)) -> Control<'b> {
        Control { cancel: self.cancel, progress, pause: self.pause }
    }
}

/// A control that is never cancelled and reports to nobody: `quiet(|control| …)`.
pub fn quiet<T>(work: impl FnOnce(Control<'_>) -> T) -> T {
    work(Control::new(&Cancel::new(), &|_| {}))
}
