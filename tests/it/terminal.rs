//! The program on a real pseudo-terminal: what a person sees, Ctrl-Z and `fg`, signals, a line that
//! drops, tmux. Nothing sleeps: every step waits for a text on screen, for at most [`PATIENCE`].

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use crate::common::pty::{ENTERED, LEFT, PATIENCE, Terminal, in_home, lab};
use rustix::process::{Pid, Signal, kill_process};
use state_soup::session::journal::{self, Read};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// The first frame, a background told by the terminal, typed text, another size, the way out.
#[test]
fn a_person_types_resizes_and_leaves() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
    terminal.wait_for(ENTERED);
    terminal.wait_for("state-soup");
    // The lab asks for the background after its first frame. The answer comes among the keys: it
    // must not end up in the query.
    terminal.wait_for("\x1b]11;?");
    terminal.send("zebra\x1b]11;rgb:ffff/ffff/ffff\x07 -> horse");
    // The focus role on light.
    terminal.wait_for("38;2;0;114;178");
    // Drawn anew after the last key: a resize may overtake keys, and what is typed after it is not
    // written in one piece.
    terminal.send("\x0c");
    terminal.wait_for("zebra -> horse");
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
    assert_eq!(status.code(), Some(143), "{status}");
}

/// The trap this is about: reading on for ever from a terminal that is gone, at 100 % of a core.
#[test]
fn a_line_that_drops_ends_it() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
    terminal.wait_for("Query");
    terminal.hang_up();
    let (status, took) = terminal.end();
    println!("gone {took:.0?} after the hang-up");
    assert!(status.signal().is_none(), "it ended by itself: {status}");
    assert_eq!(status.code(), Some(129), "{status}");
    assert!(took < Duration::from_secs(30), "{took:?}");
}

/// What was typed is in the journal, whole, and the code is what a shell expects of the signal.
#[test]
fn a_signal_leaves_a_whole_journal_and_its_own_exit_code() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
        let home = tempfile::tempdir().unwrap();
        let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
        terminal.wait_for("Query");
        terminal.send("zebra -> horse\x0c");
        terminal.wait_for("zebra -> horse");
        kill_process(Pid::from_child(&terminal.child), signal).unwrap();
        terminal.wait_for(LEFT);
        terminal.wait_for("The journal is in ");
        let (status, _) = terminal.end();
        assert_eq!(status.code(), Some(code), "{status}");
        let journals = journal::files(&home.path().join("state-soup/journals"));
        let text = std::fs::read(&journals[0]).unwrap();
        let read = Read::parse(&text).unwrap();
        assert_eq!(read.whole, text.len() as u64, "no line is torn");
        assert_eq!(read.inputs().len(), "zebra -> horse".len());
    }
}

/// Keys are heard again soon after whatever broke off in the middle.
#[test]
fn what_breaks_off_does_not_keep_keys_waiting() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
    terminal.wait_for("Query");
    let cut = ["\x1b[<0;1", "\x1b[?2026;2$", "\x1b[", "\x1bO", "\x1b[200~paste", "\x1bP1$r", "\x1b]11;rgb:ff"];
    for (i, bytes) in cut.into_iter().enumerate() {
        terminal.send(bytes);
        // The half second that is allowed.
        std::thread::sleep(Duration::from_millis(500));
        // Drawn whole: what is typed one by one is not written in one piece.
        terminal.send(&format!("zebra{i}\x0c"));
        terminal.wait_for(&format!("zebra{i}"));
    }
    // A late answer that is whole, and bytes of no character.
    terminal.send("\x1b[?2026;2$y");
    kill_process(Pid::from_child(&terminal.child), Signal::WINCH).unwrap();
    terminal.send("horse\x0c");
    terminal.wait_for("horse");
    terminal.send("\x11");
    terminal.wait_for(LEFT);
    assert!(terminal.end().0.success());
}

#[test]
fn a_huge_paste_is_cut_with_a_sentence_and_can_be_left() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
    terminal.wait_for("Query");
    let began = Instant::now();
    terminal.send(&format!("\x1b[200~{}\x1b[201~", "hot -> cold ".repeat(170_000)));
    terminal.wait_for("bytes were left out");
    println!("2 MB are in after {:.0?}", began.elapsed());
    terminal.send("\x1b[D\x1b[Dx\x0c");
    terminal.wait_for("\x1b[?2026l");
    let began = Instant::now();
    terminal.send("\x11");
    terminal.wait_for(LEFT);
    println!("ctrl-q is heard after {:.0?}", began.elapsed());
    let (status, took) = terminal.end();
    println!("and the program ends after {took:.0?}");
    assert!(status.success(), "{status}");
}

#[test]
fn sigquit_gives_the_terminal_back_and_still_quits() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
    terminal.wait_for("Query");
    kill_process(Pid::from_child(&terminal.child), Signal::QUIT).unwrap();
    terminal.wait_for(LEFT);
    let (status, _) = terminal.end();
    assert_eq!(status.signal(), Some(Signal::QUIT.as_raw()), "{status}");
}

#[test]
fn sigterm_is_heard_while_the_terminal_takes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let Some(mut terminal) = Terminal::start(&lab(home.path()), home.path()) else { return };
    terminal.wait_for("Query");
    terminal.stop(true);
    // Frames until nothing more fits: nobody reads them, so the number of bytes taken in stands
    // still anyway.
    for _ in 0..60 {
        terminal.send("\x0c");
        std::thread::sleep(Duration::from_millis(40));
    }
    let began = Instant::now();
    kill_process(Pid::from_child(&terminal.child), Signal::TERM).unwrap();
    let (status, _) = terminal.end();
    let took = began.elapsed();
    println!("ended after {took:.0?} with {status}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(status.code(), Some(128 + Signal::TERM.as_raw()), "{status}");
    // What the terminal takes when it goes on is its own screen again.
    terminal.stop(false);
    terminal.wait_for(LEFT);
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
