//! Texts from files and standard input. They are read up to a limit, and refused with a sentence if
//! they are too long, not UTF-8, or empty. [`visible`] escapes the characters of a text that a
//! terminal would obey.

use crate::error::{Error, Result};
use std::borrow::Cow;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::PathBuf;

/// Maximum size of a text, in bytes.
pub const MAX: usize = 256 * 1024;

/// The text of a file (`~/` is the home folder), of a pipe, or, for `-`, of standard input.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Input`] if it is too long, not UTF-8 or empty.
pub fn read(path: &str) -> Result<String> {
    checked(bytes_of(path)?, if path == "-" { "standard input" } else { path })
}

/// At most [`MAX`] + 1 bytes of a file, a pipe or standard input.
fn bytes_of(path: &str) -> Result<Vec<u8>> {
    if path == "-" {
        return take(std::io::stdin(), "standard input");
    }
    let place = home(path);
    // Opening a pipe that nobody writes to would block for ever. Opened like this, it is empty.
    let wait_for_nobody = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    let file = std::fs::OpenOptions::new().read(true).custom_flags(wait_for_nobody).open(&place).map_err(Error::io(&place))?;
    if file.metadata().map_err(Error::io(&place))?.file_type().is_fifo() {
        rustix::io::ioctl_fionbio(&file, false).map_err(|e| Error::io(&place)(e.into()))?;
    }
    take(file, path)
}

/// The first [`MAX`] bytes of a file's text, as by [`read`], and whether there is more.
///
/// # Errors
/// As [`read`], except for the length.
pub fn beginning(path: &str) -> Result<(String, bool)> {
    let mut bytes = bytes_of(path)?;
    let more = bytes.len() > MAX;
    if more {
        bytes.truncate(MAX);
        // A character that the limit splits is left out.
        let begins = (1..=4).find(|back| bytes[MAX - back] & 0b1100_0000 != 0b1000_0000).unwrap_or(1);
        if std::str::from_utf8(&bytes[MAX - begins..]).is_err_and(|e| e.error_len().is_none()) {
            bytes.truncate(MAX - begins);
        }
    }
    Ok((checked(bytes, path)?, more))
}

/// The text of a file. A pipe or a terminal, for which a reader could wait, is refused.
///
/// # Errors
/// As [`read`]; [`Error::Input`] if it is not a file.
pub fn file(path: &str) -> Result<String> {
    let place = home(path);
    let about = std::fs::metadata(&place).map_err(Error::io(&place))?;
    if !about.is_file() {
        return Err(Error::Input(format!("{path} is not a file")));
    }
    read(path)
}

/// At most [`MAX`] + 1 bytes.
fn take(from: impl Read, origin: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX as u64 + 1).read_to_end(&mut bytes).map_err(Error::io(origin))?;
    Ok(bytes)
}

/// Bytes as text. `origin` names their source in messages.
///
/// # Errors
/// [`Error::Input`] if they are too many, not UTF-8, or blank.
pub fn checked(bytes: Vec<u8>, origin: &str) -> Result<String> {
    if bytes.len() > MAX {
        return Err(Error::Input(format!("{origin} is longer than {} KiB", MAX / 1024)));
    }
    let mut text = String::from_utf8(bytes).map_err(|e| {
        Error::Input(format!("{origin} is not UTF-8 text: byte {} is not part of a character", e.utf8_error().valid_up_to()))
    })?;
    if text.starts_with('\u{feff}') {
        text.remove(0);
    }
    if text.trim().is_empty() { Err(Error::Input(format!("{origin} is empty"))) } else { Ok(text) }
}

/// Whether a terminal obeys this character instead of showing it. These are ESC, BEL and all other
/// control characters (C0, DEL, C1) except line break and tab, and the marks, overrides and
/// isolates that change the direction of the text around them.
pub fn is_obeyed(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

/// A text that a terminal shows and does not obey: each character that [`is_obeyed`] appears as
/// `\u{1b}`.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_obeyed(c) { shown.extend(c.escape_unicode()) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// JSON that a terminal shows and does not obey, with the same meaning. Characters that a terminal
/// obeys can occur only within its strings, and are written as `\u009b`.
pub fn visible_json(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        // All of them have four hexadecimal digits.
        if is_obeyed(c) { shown.push_str(&format!("\\u{:04x}", u32::from(c))) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

fn home(path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), std::env::var_os("HOME")) {
        (Some(rest), Some(home)) => PathBuf::from(home).join(rest),
        _ => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_long_file_ends_with_a_whole_character() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long.txt");
        for (start, unit) in [("", "é"), ("x", "é"), ("xx", "☺"), ("x", "🙂"), ("", "x")] {
            std::fs::write(&path, start.to_owned() + &unit.repeat(MAX + 8)).unwrap();
            let (text, more) = beginning(path.to_str().unwrap()).unwrap();
            assert!(more && text.len() <= MAX && text.len() > MAX - 4 && text.ends_with(unit), "{unit}: {}", text.len());
        }
        std::fs::write(&path, "short é").unwrap();
        assert_eq!(beginning(path.to_str().unwrap()).unwrap(), ("short é".into(), false));
    }

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        let hostile = "a\u{1b}[31mb\u{7}c\u{9b}2Jd\u{9d}0;x\u{9c}e\u{202e}f\u{2066}g\u{2069}h\u{7f}i\r\nj\t日本 é";
        let shown = visible(hostile);
        assert!(!shown.contains(is_obeyed), "{shown:?}");
        assert_eq!(shown, "a\\u{1b}[31mb\\u{7}c\\u{9b}2Jd\\u{9d}0;x\\u{9c}e\\u{202e}f\\u{2066}g\\u{2069}h\\u{7f}i\\u{d}\nj\t日本 é");
        assert!(matches!(visible("plain → text\n"), Cow::Borrowed(_)));
        let json = serde_json::to_string(&serde_json::json!({ hostile: [hostile] })).unwrap();
        let shown = visible_json(&json);
        assert!(!shown.contains(is_obeyed), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), serde_json::json!({ hostile: [hostile] }));
    }

    #[test]
    fn a_pipe_is_read_if_somebody_writes_to_it() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        assert!(read(&pipe.display().to_string()).unwrap_err().to_string().contains("is empty"), "nobody writes");
        let reader = std::fs::OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(&pipe).unwrap();
        let mut writer = std::fs::OpenOptions::new().write(true).open(&pipe).unwrap();
        drop(reader);
        let late = std::thread::spawn(move || {
            std::thread::sleep(std::time::Duration::from_millis(50));
            std::io::Write::write_all(&mut writer, b"hot -> cold").unwrap();
        });
        assert_eq!(read(&pipe.display().to_string()).unwrap(), "hot -> cold");
        late.join().unwrap();
    }

    #[test]
    fn what_is_no_text_is_refused_with_the_reason() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path.display().to_string()
        };
        let refused = |path: &str| super::file(path).unwrap_err().to_string();
        assert_eq!(super::file(&file("good", "é\n".as_bytes())).unwrap(), "é\n");
        let message = refused(&file("latin", b"a -> \xff"));
        assert!(message.contains("not UTF-8") && message.contains("byte 5"), "{message}");
        assert!(refused(&file("blank", b" \n")).contains("is empty"));
        assert!(refused(&file("long", &vec![b'x'; MAX + 1])).contains("longer than 256 KiB"));
        assert_eq!(super::file(&file("most", &vec![b'x'; MAX])).unwrap().len(), MAX);
        assert!(refused(&dir.path().display().to_string()).contains("is not a file"));
        assert!(refused(&dir.path().join("none").display().to_string()).contains("No such file"));
    }
}
