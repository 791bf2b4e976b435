//! Writing to a terminal that may take no more output (a full line, a stopped window): writers wait
//! for it only until it is given up.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::termios::ttyname;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the terminal was given up: nothing waits for it any more.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);
/// The terminal, opened a second time, so that not waiting concerns this program alone: the mode
/// belongs to the open file, and the shell shares the one of standard output. `None` if it cannot
/// be opened again.
static TERMINAL: OnceLock<Option<OwnedFd>> = OnceLock::new();
/// How often writers check whether the terminal was given up.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// A writer to the terminal.
#[derive(Debug)]
pub struct Out(());

impl Out {
    /// Standard output's terminal.
    pub fn new() -> Self {
        TERMINAL.get_or_init(|| {
            let name = ttyname(rustix::stdio::stdout(), Vec::new()).ok()?;
            open(name, OFlags::WRONLY | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()
        });
        Self(())
    }
}

impl Default for Out {
    fn default() -> Self {
        Self::new()
    }
}

fn terminal() -> BorrowedFd<'static> {
    TERMINAL.get().and_then(Option::as_ref).map_or(rustix::stdio::stdout(), AsFd::as_fd)
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if GIVEN_UP.load(Ordering::SeqCst) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            match rustix::io::write(terminal(), bytes) {
                Ok(n) => return Ok(n),
                Err(Errno::AGAIN) => drop(poll(&mut [PollFd::from_borrowed_fd(terminal(), PollFlags::OUT)], Some(&LOOK))),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the last texts, now or not at all; whatever else is being written ends with an error.
/// Calls the system only and takes no lock.
pub fn give_up(last: &[&str]) {
    GIVEN_UP.store(true, Ordering::SeqCst);
    let _ = rustix::termios::tcflush(terminal(), rustix::termios::QueueSelector::OFlush);
    last.iter().for_each(|text| write_now(text.as_bytes()));
}

fn write_now(mut bytes: &[u8]) {
    for _ in 0..4 {
        let mut fds = [PollFd::from_borrowed_fd(terminal(), PollFlags::OUT)];
        // A terminal that could not be opened again may block a write for ever: poll it first.
        if poll(&mut fds, Some(&LOOK)).is_ok_and(|n| n > 0) && fds[0].revents().contains(PollFlags::OUT) {
            match rustix::io::write(terminal(), bytes) {
                Ok(n) if n == bytes.len() => return,
                Ok(n) => bytes = &bytes[n..],
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(_) => return,
            }
        }
    }
}
