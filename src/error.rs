//! The crate's one error type.
//!
//! Every message is a complete sentence that says what is wrong and where. It can be shown to the
//! user unchanged.

use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong, grouped by who can fix it (see [`Error::exit_code`]).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The user, or a newer request, cancelled the work.
    #[error("cancelled")]
    Cancelled,
    /// A signal requested the end, and the program shut down in order.
    #[error("ended by {name}")]
    Ended {
        /// The signal's number.
        signal: i32,
        /// The signal's name, such as `SIGTERM`.
        name: &'static str,
    },
    /// The work ran to its end, but a check failed: an expectation of a session, or a comparison of
    /// `doctor --verify`.
    #[error("{0}")]
    Unmet(String),
    /// The operating system refused a file or folder.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// What the user gave (query, recipe, flag, task file, configuration) is wrong.
    #[error("{0}")]
    Input(String),
    /// A model folder, weight file, configuration or tokenizer is wrong.
    #[error("{0}")]
    Model(String),
    /// A library on disk is damaged or of an unknown version.
    #[error("{0}")]
    Library(String),
    /// Two things that must come from the same model, or have the same shape, do not.
    #[error("{0}")]
    Mismatch(String),
    /// The network or the hub failed.
    #[error("{0}")]
    Hub(String),
    /// The tensor library failed.
    #[error("model computation failed: {0}")]
    Candle(#[from] candle_core::Error),
}

/// The crate's result type.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Wraps an I/O error with its path; use as `.map_err(Error::io(path))`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| Self::Io { path, source }
    }

    /// The process's exit code: 2 bad input, 3 model, 4 library, 5 mismatch, 6 network, 74 I/O, 130
    /// cancelled, 128 plus the signal's number for an end that a signal requested, 1 anything else.
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Input(_) => 2,
            Self::Model(_) => 3,
            Self::Library(_) => 4,
            Self::Mismatch(_) => 5,
            Self::Hub(_) => 6,
            Self::Io { .. } => 74,
            Self::Cancelled => 130,
            // The shells' convention for a program that a signal ended.
            Self::Ended { signal, .. } => 128 + signal,
            Self::Candle(_) | Self::Unmet(_) => 1,
        }
    }
}

/// `; did you mean `x`?` with the nearest of the known names, or an empty string if none is near.
pub fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let scored = known.into_iter().map(|k| (strsim::jaro_winkler(name, k), k)).filter(|(likeness, _)| *likeness >= 0.8);
    // The first one in a tie.
    let nearest = scored.reduce(|best, next| if next.0 > best.0 { next } else { best });
    nearest.map_or_else(String::new, |(_, k)| format!("; did you mean `{k}`?"))
}
