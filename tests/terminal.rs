//! The program on a real pseudo-terminal: what a person sees, Ctrl-Z and `fg`, signals, a line that drops, tmux. Nothing sleeps: every
//! step waits for a text on screen, for at most [`PATIENCE`].

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Far beyond what anything takes: machines that run tests are busy.
const PATIENCE: Duration = Duration::from_secs(120);
/// Enters and leaves the second screen.
const ENTERED: &str = "\x1b[?1049h";
const LEFT: &str = "\x1b[?1049l";

/// A terminal with a program in it.
struct Terminal {
    master: Arc<OwnedFd>,
    written: Arc<(Mutex<Vec<u8>>, Condvar)>,
    closed: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
    child: Child,
    /// What was written before here was seen.
    mark: usize,
}

/// The lab with a small library in a folder of the test, and nothing of the user's.
fn lab(home: &Path) -> Vec<String> {
    let library = home.join("library").to_string_lossy().into_owned();
    [env!("CARGO_BIN_EXE_state-soup"), "--sets", "1", "--shots", "1", "--library", &library].map(str::to_owned).to_vec()
}

fn in_home<'c>(command: &'c mut Command, home: &Path) -> &'c mut Command {
    for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "HOME"] {
        command.env(name, home);
    }
    for name in ["NO_COLOR", "CLICOLOR", "COLORFGBG", "TMUX", "STY", "LC_ALL", "LC_CTYPE", "ENV", "STATE_SOUP_LOG"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env("LANG", "C.UTF-8").env("PS1", "$ ")
}

impl Terminal {
    /// Starts a program as the leader of a session of its own, as a terminal does. `None` where util-linux's `setsid` is missing.
    fn start(words: &[String], home: &Path) -> Option<Self> {
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
        let reader = std::thread::spawn({
            let (master, written, closed) = (master.clone(), written.clone(), closed.clone());
            move || read(&master, &written, &closed)
        });
        Some(Self { master, written, closed, reader: Some(reader), child, mark: 0 })
    }

    fn send(&self, text: &str) {
        let mut bytes = text.as_bytes();
        while !bytes.is_empty() {
            let sent = rustix::io::write(&*self.master, bytes).unwrap();
            bytes = &bytes[sent..];
        }
    }

    fn resize(&self, ws_col: u16, ws_row: u16) {
        tcsetwinsize(&*self.master, Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    /// Waits until a text is written after what was waited for last.
    fn wait_for(&mut self, text: &str) {
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
    fn end(&mut self) -> (ExitStatus, Duration) {
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
    fn hang_up(&mut self) {
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

fn read(master: &OwnedFd, written: &(Mutex<Vec<u8>>, Condvar), closed: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !closed.load(Ordering::SeqCst) {
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

/// The first frame, a background told by the terminal, typed text, another size, the way out.
#[test]
fn a_person_types_resizes_and_leaves() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
    terminal.wait_for(ENTERED);
    terminal.wait_for("state-soup");
    // The lab asks for the background after its first frame. The answer comes among the keys: it must not end up in the query.
    terminal.wait_for("\x1b]11;?");
    terminal.send("zebra\x1b]11;rgb:ffff/ffff/ffff\x07 -> horse");
    // The focus role on light.
    terminal.wait_for("38;2;0;114;178");
    terminal.resize(100, 30);
    terminal.wait_for("zebra -> horse");
    terminal.send("\x11");
    terminal.wait_for(LEFT);
    assert!(terminal.end().0.success());
}

#[test]
fn control_z_gives_the_terminal_back_and_fg_goes_on() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&["sh", "-i"].map(str::to_owned), home.path()) else { return };
    terminal.wait_for("$ ");
    terminal.send(&format!("{}\n", lab(home.path()).iter().map(|w| format!("'{w}'")).collect::<Vec<_>>().join(" ")));
    terminal.wait_for(ENTERED);
    terminal.wait_for("Query");
    terminal.send("zebra\x1a");
    terminal.wait_for(LEFT);
    terminal.wait_for("Stopped");
    terminal.send("fg\n");
    terminal.wait_for(ENTERED);
    terminal.wait_for("zebra");
    terminal.send("\x11");
    terminal.wait_for(LEFT);
    terminal.wait_for("$ ");
    terminal.send("exit\n");
    terminal.end();
}

#[test]
fn sigterm_ends_it_in_good_order() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
    terminal.wait_for("Query");
    kill_process(Pid::from_child(&terminal.child), Signal::TERM).unwrap();
    terminal.wait_for(LEFT);
    let (status, took) = terminal.end();
    println!("ended {took:.0?} after the terminal was given back");
    assert!(status.success(), "{status}");
}

/// The trap this is about: crossterm reads on for ever from a terminal that is gone, at 100 % of a core.
#[test]
fn a_line_that_drops_ends_it() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
    terminal.wait_for("Query");
    terminal.hang_up();
    let (status, took) = terminal.end();
    println!("gone {took:.0?} after the hang-up");
    assert!(status.signal().is_none(), "it ended by itself: {status}");
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// A tmux server of the test's own.
struct Tmux<'a> {
    home: &'a Path,
}

impl Tmux<'_> {
    fn run(&self, words: &[&str]) -> std::io::Result<std::process::Output> {
        let mut command = Command::new("tmux");
        command.args(["-f", "/dev/null", "-L", "lab"]).args(words).env("TMUX_TMPDIR", self.home);
        in_home(&mut command, self.home).output()
    }

    fn wait_for(&self, what: &str, there: impl Fn(&str) -> bool) -> String {
        let start = Instant::now();
        let mut screen = String::new();
        while start.elapsed() < PATIENCE {
            screen = String::from_utf8_lossy(&self.run(&["capture-pane", "-p", "-t", "lab"]).unwrap().stdout).into_owned();
            if there(&screen) {
                return screen;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{what} never came; there was\n{screen}");
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let _ = self.run(&["kill-server"]);
    }
}

#[test]
fn it_runs_inside_tmux() {
    let home = tempfile::tempdir().unwrap();
    let tmux = Tmux { home: home.path() };
    let lab = lab(home.path());
    let mut words = vec!["new-session", "-d", "-s", "lab", "-x", "120", "-y", "40"];
    words.extend(lab.iter().map(String::as_str));
    match tmux.run(&words) {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => return println!("skipped: tmux cannot be run ({error})"),
    }
    tmux.wait_for("the lab", |s| s.contains("Query") && s.contains("Answers"));
    tmux.run(&["send-keys", "-t", "lab", "-l", "zebra -> horse"]).unwrap();
    let screen = tmux.wait_for("the query", |s| s.contains("zebra -> horse"));
    assert!(!screen.contains("rgb:"), "{screen}");
    tmux.run(&["send-keys", "-t", "lab", "C-q"]).unwrap();
    let start = Instant::now();
    while tmux.run(&["has-session", "-t", "lab"]).unwrap().status.success() {
        assert!(start.elapsed() < PATIENCE, "the lab does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
}
