//! What is written to the terminal, recorded as an asciicast (version 2): a line with the size,
//! then `[seconds, "o", text]` for each frame.

use crate::error::Result;
use crate::session::writer::LineWriter;
use serde_json::json;
use std::cell::RefCell;
use std::io::{self, Write};
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

/// A recording under way.
pub struct Cast {
    began: Instant,
    writer: LineWriter,
    /// Written since the last flush.
    pending: RefCell<Vec<u8>>,
    size: RefCell<(u16, u16)>,
}

impl Cast {
    /// Starts a recording in a new file. What fails later goes to `failed`, once.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`] if there is such a file already, or it cannot be made.
    pub fn create(path: &Path, size: (u16, u16), failed: impl FnOnce(crate::error::Error) + Send + 'static) -> Result<Self> {
        let file = crate::files::private().write(true).create_new(true).open(path).map_err(crate::error::Error::io(path))?;
        let writer = LineWriter::start(path.to_owned(), false, move || Ok(file), failed)?;
        let term = std::env::var("TERM").unwrap_or_default();
        let timestamp = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        let header = json!({ "version": 2, "width": size.0, "height": size.1, "timestamp": timestamp, "title": "state-soup", "env": { "TERM": term } });
        writer.write(header.to_string());
        Ok(Self { began: Instant::now(), writer, pending: RefCell::default(), size: RefCell::new(size) })
    }

    fn event(&self, kind: &str, text: &str) {
        // Microseconds: what players read.
        let seconds = (self.began.elapsed().as_secs_f64() * 1e6).round() / 1e6;
        self.writer.write(json!([seconds, kind, text]).to_string());
    }

    /// Records the terminal's size, if it changed.
    pub fn resized(&self, size: (u16, u16)) {
        if self.size.replace(size) != size {
            self.event("r", &format!("{}x{}", size.0, size.1));
        }
    }

    fn flush(&self) {
        let bytes = std::mem::take(&mut *self.pending.borrow_mut());
        if !bytes.is_empty() {
            self.event("o", &String::from_utf8_lossy(&bytes));
        }
    }

    /// Flushes, and waits briefly for the disk.
    pub fn finish(self) {
        self.flush();
        self.writer.finish();
    }
}

/// A writer that is recorded, if a recording is under way.
pub struct Tee<W: Write> {
    out: W,
    cast: Option<Rc<Cast>>,
}

impl<W: Write> Tee<W> {
    /// A writer and its recording.
    pub fn new(out: W, cast: Option<Rc<Cast>>) -> Self {
        Self { out, cast }
    }
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        if let Some(cast) = &self.cast {
            cast.pending.borrow_mut().extend_from_slice(&bytes[..written]);
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(cast) = &self.cast {
            cast.flush();
        }
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_json_lines_with_rising_times_and_everything_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.cast");
        let cast = Rc::new(Cast::create(&path, (80, 24), |e| panic!("{e}")).unwrap());
        let mut tee = Tee::new(Vec::new(), Some(cast.clone()));
        for text in ["\x1b[1mfirst\x1b[0m", "λ → ⏎", "last\r\n"] {
            write!(tee, "{text}").unwrap();
            tee.flush().unwrap();
            cast.resized((80, 24));
        }
        cast.resized((100, 30));
        let out = std::mem::take(&mut tee.out);
        drop(tee);
        Rc::into_inner(cast).unwrap().finish();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!((lines[0]["version"].as_u64(), lines[0]["width"].as_u64(), lines[0]["height"].as_u64()), (Some(2), Some(80), Some(24)));
        let times: Vec<f64> = lines[1..].iter().map(|l| l[0].as_f64().unwrap()).collect();
        assert!(times.windows(2).all(|t| t[0] <= t[1]), "{times:?}");
        let output: String = lines[1..].iter().filter(|l| l[1] == "o").map(|l| l[2].as_str().unwrap()).collect();
        assert_eq!(output.as_bytes(), out);
        let last = lines.last().unwrap();
        assert_eq!((&last[1], &last[2]), (&json!("r"), &json!("100x30")));
        assert!(Cast::create(&path, (1, 1), |_| {}).is_err(), "a file that is there is not written over");
    }
}
