//! The thread that reads the terminal and parses what comes.

use super::{Input, Parser};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::fs::File;
use std::io::{self, IsTerminal, PipeWriter};
use std::os::fd::{AsFd, OwnedFd};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The terminal's inputs, read by a thread that ends with this.
pub struct Inputs {
    read: UnboundedReceiver<io::Result<Input>>,
    /// Closing it ends the thread.
    stop: Option<PipeWriter>,
    thread: Option<JoinHandle<()>>,
}

impl Inputs {
    /// Starts reading.
    ///
    /// # Errors
    /// The system's, if there is no terminal to read from, or no thread can be started.
    pub fn start() -> io::Result<Self> {
        let terminal = terminal()?;
        let (stopped, stop) = io::pipe()?;
        let (send, received) = unbounded_channel();
        let work = move || {
            if let Err(error) = read(&terminal, &stopped, &send) {
                // This fails only after the loop has ended, when nobody listens.
                let _ = send.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("keys".into()).spawn(work)?;
        Ok(Self { read: received, stop: Some(stop), thread: Some(thread) })
    }

    /// The next input.
    ///
    /// # Errors
    /// The system's, if the terminal cannot be read any more.
    pub async fn next(&mut self) -> io::Result<Input> {
        self.read.recv().await.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into()))
    }

    /// An input that is waiting, if there is one. (A failure waits for [`Inputs::next`].)
    pub fn waiting(&mut self) -> Option<Input> {
        self.read.try_recv().ok()?.ok()
    }
}

impl Drop for Inputs {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It looks at the pipe before it reads, so this takes no time.
            let _ = thread.join();
        }
    }
}

/// Where keys come from: standard input, or the terminal itself if standard input is not one.
fn terminal() -> io::Result<OwnedFd> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return stdin.as_fd().try_clone_to_owned();
    }
    File::options().read(true).write(true).open("/dev/tty").map(OwnedFd::from)
}

fn read(terminal: &OwnedFd, stopped: &impl AsFd, send: &UnboundedSender<io::Result<Input>>) -> io::Result<()> {
    let mut parser = Parser::default();
    let mut buffer = vec![0; 1 << 16];
    let mut found = Vec::new();
    loop {
        let left = parser.deadline().map(|at| at.saturating_duration_since(Instant::now()));
        // A nanosecond more than what is left, so that it is not zero for ever.
        let timeout = left.map(|left| Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) + 1 });
        let timeout = timeout.map(|t| if t.tv_nsec == 1_000_000_000 { Timespec { tv_sec: t.tv_sec + 1, tv_nsec: 0 } } else { t });
        let mut fds = [PollFd::new(terminal, PollFlags::IN), PollFd::from_borrowed_fd(stopped.as_fd(), PollFlags::IN)];
        match poll(&mut fds, timeout.as_ref()) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
            Ok(0) => parser.expire(&mut found),
            Ok(_) if !fds[1].revents().is_empty() => return Ok(()),
            Ok(_) => match rustix::io::read(terminal, &mut buffer) {
                Ok(0) => return Err(io::ErrorKind::BrokenPipe.into()),
                Ok(n) => parser.feed(&buffer[..n], Instant::now(), &mut found),
                Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => continue,
                Err(error) => return Err(error.into()),
            },
        }
        for input in found.drain(..) {
            if send.send(Ok(input)).is_err() {
                return Ok(());
            }
        }
    }
}
