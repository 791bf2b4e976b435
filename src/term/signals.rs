//! Signals as values, received by a separate thread: the loop may be stuck because the terminal
//! takes no more output, and must end nevertheless.

use super::tui;
use crate::error::Error;
use rustix::process::Signal as Unix;
use signal_hook::iterator::Signals as Heard;
use signal_hook::low_level::emulate_default_handler;
use std::io;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM, SIGHUP, SIGINT, SIGQUIT (by their numbers): end in good order.
    Quit(i32),
    /// SIGTSTP: give the terminal back and stop.
    Suspend,
    /// SIGWINCH: the terminal has another size.
    Resize,
}

/// The error for a program that a signal ended; its exit code is what a shell expects.
pub fn ended_by(raw: i32) -> Error {
    let named = [(Unix::TERM, "SIGTERM"), (Unix::HUP, "SIGHUP"), (Unix::INT, "SIGINT"), (Unix::QUIT, "SIGQUIT")];
    let name = named.into_iter().find(|(signal, _)| signal.as_raw() == raw).map_or("a signal", |(_, name)| name);
    Error::Ended { signal: raw, name }
}

/// The number of SIGHUP; a terminal that is gone counts as one.
pub const HANG_UP: i32 = Unix::HUP.as_raw();

/// How long the loop has to give the terminal back by itself.
const GRACE: Duration = Duration::from_millis(1200);

/// The loop that runs now, to which the thread sends its signals. The thread lives as long as the
/// process, because a handler can be replaced but not removed.
static LOOP: Mutex<Option<UnboundedSender<Signal>>> = Mutex::new(None);

/// The signals that are listened to.
pub struct Signals(UnboundedReceiver<Signal>);

impl Signals {
    /// Installs the handlers, once, and listens.
    ///
    /// # Errors
    /// The system's, if a handler cannot be installed.
    pub fn new() -> io::Result<Self> {
        static STARTED: OnceLock<()> = OnceLock::new();
        let (send, receive) = unbounded_channel();
        *LOOP.lock().unwrap_or_else(PoisonError::into_inner) = Some(send);
        if STARTED.set(()).is_ok() {
            let all = [Unix::TERM, Unix::HUP, Unix::INT, Unix::QUIT, Unix::TSTP, Unix::WINCH];
            let mut heard = Heard::new(all.map(Unix::as_raw))?;
            std::thread::Builder::new().name("signals".into()).spawn(move || heard.forever().for_each(act))?;
        }
        Ok(Self(receive))
    }

    /// The next signal.
    pub async fn next(&mut self) -> Signal {
        match self.0.recv().await {
            Some(signal) => signal,
            // Another loop listens now.
            None => std::future::pending().await,
        }
    }
}

/// Sends a signal to the loop, and does what it asks for if the loop does not.
fn act(raw: i32) {
    let signal = match raw {
        _ if raw == Unix::WINCH.as_raw() => Signal::Resize,
        _ if raw == Unix::TSTP.as_raw() => Signal::Suspend,
        _ => Signal::Quit(raw),
    };
    let told = LOOP.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|to| to.send(signal).is_ok());
    match signal {
        Signal::Resize => {}
        Signal::Suspend if told => {}
        Signal::Suspend => drop(emulate_default_handler(raw)),
        Signal::Quit(_) => {
            let deadline = Instant::now() + GRACE;
            while told && tui::is_taken() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            let stuck = tui::is_taken();
            if stuck {
                tui::give_back_at_once();
            }
            if raw == Unix::QUIT.as_raw() {
                // SIGQUIT asks for a core dump; it gets one once the terminal is given back.
                let _ = emulate_default_handler(raw);
            }
            if stuck || !told {
                // The exit code that shells give a program ended by a signal. Everything on disk is
                // whole at every instant.
                std::process::exit(128 + raw);
            }
        }
    }
}
