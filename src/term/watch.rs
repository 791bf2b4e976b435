//! The thread that notices a terminal that is gone.
//!
//! When the terminal hangs up (an SSH connection drops, tmux is killed) the loop may be in the
//! middle of something. So a separate thread polls the terminal for a hang-up. It tells the loop,
//! and if the loop does not end in time, it ends the process. That loses nothing: everything on
//! disk is whole at every instant.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::IsTerminal;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;
use tokio::sync::oneshot;

/// How often the terminal is looked at.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 400_000_000 };
/// How long the loop has to end by itself.
const GRACE: Duration = Duration::from_millis(300);

/// Tells once when the terminal is gone.
pub struct Gone(Option<oneshot::Receiver<()>>);

impl Gone {
    /// Waits until the terminal is gone; for ever if it cannot be watched.
    pub async fn wait(&mut self) {
        if let Some(receiver) = &mut self.0 {
            let told = receiver.await.is_ok();
            self.0 = None;
            if told {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Starts the thread.
pub fn watch() -> Gone {
    let Some(terminal) = terminal() else { return Gone(None) };
    let (sender, receiver) = oneshot::channel();
    let started = std::thread::Builder::new().name("terminal-watch".into()).spawn(move || {
        while !is_gone(&terminal) {}
        let _ = sender.send(());
        std::thread::sleep(GRACE);
        // 128 + SIGHUP: the exit code that shells give a program that ended with its terminal.
        std::process::exit(129);
    });
    Gone(started.is_ok().then_some(receiver))
}

fn terminal() -> Option<OwnedFd> {
    let stdout = std::io::stdout();
    if stdout.is_terminal() {
        return stdout.as_fd().try_clone_to_owned().ok();
    }
    File::open("/dev/tty").ok().map(OwnedFd::from)
}

/// Waits a moment for a hang-up. Asking for no events, poll sleeps until there is a hang-up or the
/// time is over.
fn is_gone(terminal: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(terminal, PollFlags::empty())];
    match poll(&mut fds, Some(&LOOK)) {
        Ok(0) | Err(rustix::io::Errno::INTR) => false,
        Ok(_) => fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL),
        Err(_) => true,
    }
}
