//! What `update` requests from the world outside.

use super::instrument::sides::Snapshot;
use super::session::{Entry, Session};
use crate::engine::{Job, JobKind};

/// Something for the loop to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Hand a job to the engine.
    Send(Job),
    /// Cancel the running job of a kind.
    Cancel(JobKind),
    /// Put a text on the clipboard (OSC 52).
    Copy(String),
    /// Read a file's text; `Action::Decay(DecayAction::Opened(…))` brings the answer.
    ReadDocument(String),
    /// Write a copied text to a file.
    SaveCopy(String),
    /// Capture the mouse, or release it.
    Mouse(bool),
    /// Write the frame on screen to a file.
    SaveFrame(FrameFormat),
    /// Add a line to the journal.
    Journal(Entry),
    /// Write a session to a new file, named after its title.
    SaveSession(Session),
    /// The list of snapshots has changed: store it.
    Snapshots {
        /// The list as last stored.
        before: Vec<Snapshot>,
        /// The list now.
        after: Vec<Snapshot>,
    },
    /// Look up the earlier sittings.
    ListSittings,
    /// Leave, and resume the sitting of this journal.
    Resume(String),
    /// Leave, and play this journal.
    Play(String),
    /// Forget what the terminal shows and draw all of it.
    Redraw,
    /// Give the terminal back and stop, as Ctrl-Z does.
    Suspend,
    /// End the program.
    Quit,
}

/// A file format for a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameFormat {
    /// A picture.
    Svg,
    /// Text with escape sequences.
    Ansi,
    /// Plain text.
    Text,
}

impl FrameFormat {
    /// The file extension.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Ansi => "ansi",
            Self::Text => "txt",
        }
    }
}

/// The engine as the loop sees it. Neither method blocks.
pub trait EngineHandle {
    /// Queues a job; it replaces a running job of the same kind.
    fn send(&self, job: Job);
    /// Cancels the running job of a kind, if there is one.
    fn cancel(&self, kind: JobKind);
}
