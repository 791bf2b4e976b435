//! JSON as Python writes it, read with bounds on its size and depth.

use super::source::Instead;
use crate::error::{Error, Result};
use crate::files;
use serde_json::Value;
use std::borrow::Cow;
use std::io::ErrorKind;
use std::path::Path;

/// The most levels of brackets. Real files have fewer than ten; parsers recurse, and some try every
/// level twice.
const DEPTH: usize = 24;

/// Parses a text that Python's `json` may have written: `Infinity`, `-Infinity` and `NaN` become
/// strings, so a caller that wants a number refuses them and names their key.
///
/// # Errors
/// [`Error::Model`] naming `origin` if it is not JSON, or is nested too deeply.
pub fn parse(text: &[u8], origin: &str) -> Result<Value> {
    let text = strict(text, origin)?;
    serde_json::from_slice(&text).map_err(|e| Error::Model(format!("{origin} is not JSON: {e}")))
}

/// The text with `Infinity`, `-Infinity` and `NaN` quoted; refuses what is nested too deeply.
fn strict<'t>(text: &'t [u8], origin: &str) -> Result<Cow<'t, [u8]>> {
    let mut out: Option<Vec<u8>> = None;
    let (mut at, mut copied, mut depth) = (0, 0, 0usize);
    while at < text.len() {
        match text[at] {
            b'"' => {
                at += 1;
                while at < text.len() && text[at] != b'"' {
                    at += if text[at] == b'\\' { 2 } else { 1 };
                }
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > DEPTH {
                    return Err(Error::Model(format!("{origin} is nested more than {DEPTH} levels deep (at byte {at})")));
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'I' | b'N' | b'-' => {
                let word = ["-Infinity", "Infinity", "NaN"].into_iter().find(|w| text[at..].starts_with(w.as_bytes()));
                if let Some(word) = word {
                    let out = out.get_or_insert_default();
                    out.extend_from_slice(&text[copied..at]);
                    out.extend_from_slice(format!("\"{word}\"").as_bytes());
                    at += word.len();
                    copied = at;
                    continue;
                }
            }
            _ => {}
        }
        at += 1;
    }
    Ok(match out {
        None => Cow::Borrowed(text),
        Some(mut out) => {
            out.extend_from_slice(&text[copied..]);
            Cow::Owned(out)
        }
    })
}

/// The bytes of a model's file, `most` of them at most; `None` if there is no such file.
///
/// # Errors
/// [`Error::Model`] if it is not a plain file, is longer, or holds a web page or a Git LFS pointer
/// instead; [`Error::Io`].
pub fn read(path: &Path, most: u64) -> Result<Option<Vec<u8>>> {
    let bytes = match files::read(path, most) {
        Ok(bytes) => bytes,
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(of_model(error)),
    };
    match Instead::of(&bytes, true, true).and_then(|instead| instead.in_folder(path)) {
        Some(why) => Err(Error::Model(why)),
        None => Ok(Some(bytes)),
    }
}

/// Turns an [`Error::Input`] about a file into an [`Error::Model`].
pub fn of_model(error: Error) -> Error {
    match error {
        Error::Input(what) => Error::Model(what),
        other => other,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_python_writes_beyond_json_is_read_as_text_and_texts_stay() {
        let value = parse(br#"{"a":[0.0,Infinity,-Infinity,NaN],"b":"Infinity \" NaN","c":-1}"#, "x").unwrap();
        assert_eq!(value["a"][1], "Infinity");
        assert_eq!(value["a"][2], "-Infinity");
        assert_eq!(value["a"][3], "NaN");
        assert_eq!(value["b"], "Infinity \" NaN");
        assert_eq!(value["c"], -1);
    }

    #[test]
    fn depth_is_bounded_before_anything_recurses() {
        let deep = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        parse(&deep(DEPTH), "x").unwrap();
        for n in [DEPTH + 1, 1_000_000] {
            let message = parse(&deep(n), "config.json").unwrap_err().to_string();
            assert!(message.contains("config.json is nested"), "{message}");
        }
        // Brackets in strings do not count.
        parse(format!("\"{}\"", "[".repeat(100)).as_bytes(), "x").unwrap();
    }
}
