//! Handles SIGBUS, which a mapped file raises if it is cut short at the moment it is read.

use signal_hook::low_level::{exit, register};
use std::io;
use std::sync::OnceLock;

/// The message. It names no file, because only an address is known.
const SENTENCE: &str = "state-soup: a file was cut short while it was read (a shard of the library, or the model's weights); \
                        `state-soup inspect --verify` tells which shard\n";
/// [`crate::error::Error::Library`]'s exit code.
const CODE: i32 = 4;

/// Makes SIGBUS end the process with a message, after `give_back` has restored the terminal.
/// Without this handler the kernel ends the process without a message.
///
/// # Errors
/// The system's, if the handler cannot be installed.
pub fn install(give_back: fn()) -> io::Result<()> {
    const SIGBUS: i32 = rustix::process::Signal::BUS.as_raw();
    static INSTALLED: OnceLock<()> = OnceLock::new();
    if INSTALLED.set(()).is_err() {
        return Ok(());
    }
    let end = move || {
        give_back();
        let _ = rustix::io::write(rustix::stdio::stderr(), SENTENCE.as_bytes());
        exit(CODE);
    };
    // SAFETY: the handler makes system calls only (`give_back` too:
    // `term::tui::give_back_at_once`), takes no lock, does not allocate, and does not return to the
    // code that raised the signal.
    unsafe { register(SIGBUS, end) }.map(drop)
}
