//! Texts from files and standard input: read up to a limit, refused with a sentence if they are too long, not UTF-8, or empty.

use crate::error::{Error, Result};
use std::io::Read;
use std::path::PathBuf;

/// The longest text that is read, in bytes.
pub const MAX: usize = 256 * 1024;

/// The text of a file (`~/` is the home folder), a pipe, or, for `-`, of standard input.
///
/// # Errors
/// [`Error::Io`] if it cannot be read; [`Error::Input`] if it is too long, not UTF-8 or empty.
pub fn read(path: &str) -> Result<String> {
    if path == "-" {
        return checked(take(std::io::stdin(), "standard input")?, "standard input");
    }
    let place = home(path);
    let file = std::fs::File::open(&place).map_err(Error::io(&place))?;
    checked(take(file, path)?, path)
}

/// The text of a file; what could keep its reader waiting (a pipe, a terminal) is refused.
///
/// # Errors
/// As [`read`]; [`Error::Input`] if it is no file.
pub fn file(path: &str) -> Result<String> {
    let place = home(path);
    let about = std::fs::metadata(&place).map_err(Error::io(&place))?;
    if !about.is_file() {
        return Err(Error::Input(format!("{path} is not a file")));
    }
    read(path)
}

/// At most one byte more than [`MAX`].
fn take(from: impl Read, origin: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX as u64 + 1).read_to_end(&mut bytes).map_err(Error::io(origin))?;
    Ok(bytes)
}

/// Bytes as text; `origin` says in messages where they came from.
///
/// # Errors
/// [`Error::Input`] if they are too many, not UTF-8, or blank.
pub fn checked(bytes: Vec<u8>, origin: &str) -> Result<String> {
    if bytes.len() > MAX {
        return Err(Error::Input(format!("{origin} is longer than {} KiB", MAX / 1024)));
    }
    let text = String::from_utf8(bytes).map_err(|e| {
        Error::Input(format!("{origin} is not UTF-8 text: byte {} is not part of a character", e.utf8_error().valid_up_to()))
    })?;
    if text.trim().is_empty() { Err(Error::Input(format!("{origin} is empty"))) } else { Ok(text) }
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
