//! What headless commands print: progress bars on stderr, results on stdout.

use crate::control::{Cancel, Control, Progress};
use crate::error::{Error, Result};
use crate::text::{visible, visible_json};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::io::Write;
use std::sync::Mutex;

/// A number of things: `1 example`, `3 examples`.
pub fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// Runs work with a progress bar on stderr (none if stderr is not a terminal, or `quiet`) and
/// Ctrl-C as cancel.
///
/// # Errors
/// The work's own; [`Error::Cancelled`] after Ctrl-C.
pub fn with_progress<T>(quiet: bool, label: &str, work: impl FnOnce(Control<'_>) -> Result<T>) -> Result<T> {
    let bar = ProgressBar::with_draw_target(None, if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() });
    bar.set_prefix(visible(label).into_owned());
    let unit = Mutex::new("");
    let progress = |p: Progress| {
        if let Ok(mut unit) = unit.lock()
            && *unit != p.unit
        {
            *unit = p.unit;
            bar.set_style(style(p));
            bar.reset_eta();
        }
        bar.set_length(p.total.max(p.done));
        bar.set_position(p.done);
    };
    let cancel = Cancel::new();
    let result = interruptible(&cancel, || work(Control::new(&cancel, &progress)));
    bar.finish_and_clear();
    result
}

fn style(p: Progress) -> ProgressStyle {
    let template = if p.total == 0 {
        format!("{{prefix}} {{spinner}} {{human_pos}} {} {{elapsed}}", p.unit)
    } else {
        format!("{{prefix}} {{wide_bar}} {{human_pos}}/{{human_len}} {}  {{per_sec:.0}}  {{eta}} left", p.unit)
    };
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// The first Ctrl-C cancels (work stops at its next chunk, files stay whole); the second one kills
/// as usual.
fn interruptible<T>(cancel: &Cancel, work: impl FnOnce() -> T) -> T {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
        return work();
    };
    let (done, ended) = tokio::sync::oneshot::channel::<()>();
    std::thread::scope(|scope| {
        let handle = cancel.clone();
        scope.spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = ended => {}
                    Ok(()) = tokio::signal::ctrl_c() => handle.cancel(),
                }
            });
        });
        let result = work();
        drop(done);
        result
    })
}

/// Prints one JSON object, indented, on stdout.
///
/// # Errors
/// [`Error::Io`] if stdout is closed.
pub fn json(value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::Input(format!("the result cannot be written as JSON: {e}")))?;
    write(&format!("{}\n", visible_json(&text)))
}

/// Prints text on stdout, with control characters made [`visible`]. A reader that has gone (`|
/// head`) ends the program quietly, as with `cat`.
///
/// # Errors
/// [`Error::Io`] if stdout cannot be written for another reason.
pub fn print(text: &str) -> Result<()> {
    write(&visible(text))
}

/// Prints text whose escape sequences are the program's own; everything else in it has already gone
/// through [`visible`].
///
/// # Errors
/// As [`print`].
pub fn styled(text: &str) -> Result<()> {
    write(text)
}

fn write(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(Error::io("standard output")),
    }
}

/// A table as aligned text: the first row is the heading; columns whose heading starts with `>` are
/// right-aligned.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> String {
    use unicode_width::UnicodeWidthStr;
    let rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(|cell| visible(cell)).collect()).collect();
    let names: Vec<&str> = heading.iter().map(|h| h.trim_start_matches('>')).collect();
    let widths: Vec<usize> = names
        .iter()
        .enumerate()
        .map(|(c, name)| rows.iter().filter_map(|r| r.get(c)).map(|cell| cell.width()).chain([name.width()]).max().unwrap_or(0))
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (c, cell) in cells.enumerate() {
            let pad = " ".repeat(widths[c].saturating_sub(cell.width()));
            let right = heading[c].starts_with('>');
            text += if c == 0 { "" } else { "  " };
            text += &if right { format!("{pad}{cell}") } else { format!("{cell}{pad}") };
        }
        text.trim_end().to_string() + "\n"
    };
    let mut text = line(&mut names.iter().copied());
    for row in &rows {
        text += &line(&mut row.iter().map(AsRef::as_ref));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_align_by_what_is_seen() {
        let rows = vec![vec!["antonym".into(), "0.91".into()], vec!["café".into(), "12".into()]];
        assert_eq!(table(&["task", ">score"], &rows), "task     score\nantonym   0.91\ncafé        12\n");
        let rows = vec![vec!["a\u{1b}b".into(), "1".into()], vec!["café".into(), "12".into()]];
        assert_eq!(table(&["task", ">score"], &rows), "task      score\na\\u{1b}b      1\ncafé         12\n");
    }
}
