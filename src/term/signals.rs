//! Signals as values.

use std::io;
use tokio::signal::unix::{Signal as Stream, SignalKind, signal};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGHUP, SIGINT: end in good order.
    Quit,
    /// SIGTSTP: give the terminal back and stop.
    Suspend,
}

/// The signals that are listened to.
pub struct Signals {
    terminate: Stream,
    hang_up: Stream,
    interrupt: Stream,
    stop: Stream,
}

impl Signals {
    /// Installs the handlers. Must be called inside the runtime.
    ///
    /// # Errors
    /// The system's, if a handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        let stop = rustix::process::Signal::TSTP.as_raw();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            stop: signal(SignalKind::from_raw(stop))?,
        })
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Quit,
            _ = self.hang_up.recv() => Signal::Quit,
            _ = self.interrupt.recv() => Signal::Quit,
            _ = self.stop.recv() => Signal::Suspend,
        }
    }
}
