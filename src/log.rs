//! The log: a file in the user's state folder, never the screen.
//!
//! `--log LEVEL` sets how much is logged (`error`, `warn`, `info`, `debug`, `trace`, or directives
//! such as `state_soup=debug`). Without the flag, `STATE_SOUP_LOG` does; without both, warnings are
//! logged. A panic leaves a report in the same folder.

use crate::error::{Error, Result};
use crate::files::{make_private, private, private_folder};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::File;
use std::io;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;

/// The environment variable that sets how much is logged.
pub const VARIABLE: &str = "STATE_SOUP_LOG";
/// A log longer than this (in bytes) is renamed at the next start. One old log remains.
const LONGEST: u64 = 4 << 20;

/// The folder of the log and of panic reports: `$XDG_STATE_HOME/state-soup`, or the user's data
/// folder on systems without a state folder.
pub fn folder() -> Option<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "state-soup")?;
    Some(dirs.state_dir().unwrap_or_else(|| dirs.data_local_dir()).to_owned())
}

/// The log file.
pub fn file() -> Option<PathBuf> {
    Some(folder()?.join("state-soup.log"))
}

/// Starts logging. If there is no place to write to, there is no log, and the program runs without
/// it.
///
/// # Errors
/// [`Error::Input`] if `level` (the flag's, or the variable's) is invalid; [`Error::Io`] if the
/// flag requests a log that cannot be written.
pub fn start(level: Option<&str>) -> Result<()> {
    let from_variable = std::env::var(VARIABLE).ok().filter(|v| !v.is_empty());
    let wanted = level.map(str::to_owned).or(from_variable);
    let directives = wanted.as_deref().unwrap_or("warn");
    let filter = EnvFilter::try_new(directives).map_err(|why| {
        Error::Input(format!("`{directives}` is not a log level ({why}); it can be error, warn, info, debug, trace, or state_soup=debug"))
    })?;
    let Some(path) = file() else { return Ok(()) };
    let log = match open(&path) {
        Ok(log) => log,
        Err(error) if level.is_some() => return Err(Error::io(&path)(error)),
        Err(_) => return Ok(()),
    };
    // A second call (tests in one process) keeps the first log. Failures to log (the disk is full)
    // are not reported on standard error, because that may be the lab's screen.
    let logging = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).log_internal_errors(false);
    let _ = logging.with_writer(Mutex::new(log)).try_init();
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    if std::fs::metadata(path).is_ok_and(|m| m.len() > LONGEST) {
        std::fs::rename(path, path.with_extension("log.old"))?;
    }
    let log = private().create(true).append(true).open(path)?;
    // The file may date from before logs were private.
    make_private(&log)?;
    Ok(log)
}

/// Writes a line to standard error, with everything escaped that a terminal would obey
/// ([`crate::text::visible`]). If standard error is gone, the line is dropped.
pub fn say(line: impl std::fmt::Display) {
    let line = format!("{line}\n");
    let _ = io::Write::write_all(&mut io::stderr(), crate::text::visible(&line).as_bytes());
}

thread_local! {
    /// Whether the code on this thread runs in [`contained`].
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Runs code of a library that may panic on bad data. A panic is returned as its message, without a
/// report and without output on the screen.
///
/// # Errors
/// The panic's message.
pub fn contained<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let outer = CONTAINED.replace(true);
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    CONTAINED.set(outer);
    done.map_err(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string).or_else(|| panic.downcast_ref::<String>().cloned());
        text.unwrap_or_else(|| "no message".into())
    })
}

/// Whether a panic of this thread is caught by [`contained`]. Panic hooks ignore such a panic.
pub fn is_contained() -> bool {
    CONTAINED.get()
}

/// Makes a panic write a report before the previous hook prints it, and then print the report's
/// path.
pub fn install_panic_hook() {
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if is_contained() {
            return;
        }
        let report = write_report(info);
        previous(info);
        if let Some(path) = report {
            say(format_args!("The report is in {}.", path.display()));
        }
    }));
}

/// Writes a panic's report into the log's folder. Returns its path, or `None` if it cannot be
/// written.
pub fn write_report(info: &PanicHookInfo<'_>) -> Option<PathBuf> {
    tracing::error!("panic: {info}");
    let folder = folder()?;
    private_folder(&folder).ok()?;
    let path = folder.join(format!("panic-{}.txt", std::process::id()));
    let mut file = private().write(true).create(true).truncate(true).open(&path).ok()?;
    io::Write::write_all(&mut file, report(&info.to_string()).as_bytes()).ok()?;
    Some(path)
}

fn report(what: &str) -> String {
    let mut text = format!("state-soup {} ({}, {})\n", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", jiff::Timestamp::now());
    let _ = writeln!(text, "thread {}", std::thread::current().name().unwrap_or("without a name"));
    let _ = writeln!(text, "{what}\n\n{}", Backtrace::force_capture());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_long_log_is_put_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state").join("state-soup.log");
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "from before logs were private").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let log = open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        log.set_len(LONGEST + 1).unwrap();
        open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        assert_eq!(std::fs::metadata(path.with_extension("log.old")).unwrap().len(), LONGEST + 1);
    }

    #[test]
    fn levels_that_are_none_are_refused() {
        let message = start(Some("state_soup=loud")).unwrap_err().to_string();
        assert!(message.contains("state_soup=loud") && message.contains("debug"), "{message}");
    }

    #[test]
    fn a_report_says_what_where_and_of_which_version() {
        let text = report("panicked at src/x.rs:1:2: no soup");
        assert!(text.contains("no soup") && text.contains(env!("CARGO_PKG_VERSION")) && text.contains("thread "), "{text}");
    }
}
