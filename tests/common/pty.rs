//! The program on a real pseudo-terminal, for tests and benchmarks. Nothing here sleeps: every step
//! waits for a text on screen, for at most [`PATIENCE`].

#![allow(dead_code, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Far beyond what anything takes: machines that run tests are busy.
pub const PATIENCE: Duration = Duration::from_mins(2);
/// Enters the second screen.
pub const ENTERED: &str = "\x1b[?1049h";
/// Leaves it.
pub const LEFT: &str = "\x1b[?1049l";

/// A terminal with a program in it.
pub struct Terminal {
    master: Arc<OwnedFd>,
    written: Arc<(Mutex<Vec<u8>>, Condvar)>,
    closed: Arc<AtomicBool>,
    stopped: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    pub child: Child,
    /// What was written before here was seen.
    mark: usize,
}

/// The lab with a small library in a folder of the test, and nothing of the user's.
pub fn lab(home: &Path) -> Vec<String> {
    let library = home.join("library").to_string_lossy().into_owned();
    [env!("CARGO_BIN_EXE_state-soup"), "--sets", "1", "--shots", "1", "--library", &library].map(str::to_owned).to_vec()
}

pub fn in_home<'c>(command: &'c mut Command, home: &Path) -> &'c mut Command {
    for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"] {
        command.env(name, home);
    }
    for name in ["NO_COLOR", "CLICOLOR", "COLORFGBG", "TMUX", "STY", "LC_ALL", "LC_CTYPE", "ENV", "STATE_SOUP_LOG"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env("LANG", "C.UTF-8").env("PS1", "$ ")
}

impl Terminal {
    /// Starts a program as the leader of a session of its own, as a terminal does. `None` where
    /// util-linux's `setsid` is missing.
    pub fn start(words: &[String], home: &Path) -> Option<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        tcsetwinsize(&master, Winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let slave = ioctl_tiocgptpeer(&master, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let mut command = Command::new("setsid");
        command.arg("--ctty").args(words).stdin(end()).stdout(end()).stderr(end());
        let child = match in_home(&mut command, home).spawn() {
            Ok(child) => child,
            Err(error) => {
                println!("skipped: setsid cannot be run ({error})");
                return None;
            }
        };
        let master = Arc::new(master);
        let written = Arc::new((Mutex::new(Vec::new()), Condvar::new()));
        let closed = Arc::new(AtomicBool::new(false));
        let stopped = Arc::new(AtomicBool::new(false));
        let reader = std::thread::spawn({
            let (master, written, closed, stopped) = (master.clone(), written.clone(), closed.clone(), stopped.clone());
            move || read(&master, &written, &closed, &stopped)
        });
        Some(Self { master, written, closed, stopped, reader: Some(reader), child, mark: 0 })
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> usize {
        self.written.0.lock().unwrap().len()
    }

    pub fn send(&self, text: &str) {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            let sent = rustix::io::write(&*self.master, bytes).unwrap();
            bytes = &bytes[sent..];
        }
    }

    /// Takes no more of what is written, as a stopped window does; or takes it again.
    pub fn stop(&self, stopped: bool) {
        self.stopped.store(stopped, Ordering::SeqCst);
    }

    pub fn resize(&self, ws_col: u16, ws_row: u16) {
        tcsetwinsize(&*self.master, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    /// Waits until a text is written after what was waited for last.
    pub fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let (bytes, more) = &*self.written;
        let mut bytes = bytes.lock().unwrap();
        loop {
            if let Some(at) = find(&bytes[self.mark..], text.as_bytes()) {
                self.mark += at + text.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{text:?} never came; there was {}", String::from_utf8_lossy(&bytes[self.mark..]));
            bytes = more.wait_timeout(bytes, left).unwrap().0;
        }
    }

    /// Waits for the program's end; also how long it took.
    pub fn end(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, start.elapsed());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("the program does not end");
    }

    /// Closes the terminal, as a dropped connection does.
    pub fn hang_up(&mut self) {
        self.closed.store(true, Ordering::SeqCst);
        self.reader.take().unwrap().join().unwrap();
        // The reader's handle is gone; this puts another file in the place of the last one.
        self.master = Arc::new(std::fs::File::open("/dev/null").unwrap().into());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.closed.store(true, Ordering::SeqCst);
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|w| w == part)
}

fn read(master: &OwnedFd, written: &(Mutex<Vec<u8>>, Condvar), closed: &AtomicBool, stopped: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !closed.load(Ordering::SeqCst) {
        if stopped.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        let mut fds = [PollFd::new(master, PollFlags::IN)];
        let moment = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        if !poll(&mut fds, Some(&moment)).is_ok_and(|n| n > 0) {
            continue;
        }
        // EIO: the other end is closed. What was written before is read by then.
        let Ok(n @ 1..) = rustix::io::read(master, &mut buffer) else { return };
        written.0.lock().unwrap().extend_from_slice(&buffer[..n]);
        written.1.notify_all();
    }
}
