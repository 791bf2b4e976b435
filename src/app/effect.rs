//! What `update` asks of the world outside.

use super::instrument::sides::Snapshot;
use super::session::{Entry, Session};
use crate::engine::{Job, JobKind};

/// Something for the loop to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Hand a job to the engine.
    Send(Job),
    /// Call off the running job of a kind.
    Cancel(JobKind),
    /// Put a text on the clipboard (OSC 52).
    Copy(String),
    /// Read the text of a file; `Action::Decay(DecayAction::Opened(…))` answers.
    ReadDocument(String),
    /// Write a copied text to a file.
    SaveCopy(String),
    /// Take the mouse, or give it back.
    Mouse(bool),
    /// Write the frame on screen to a file.
    SaveFrame(FrameFormat),
    /// Add a line to the journal.
    Journal(Entry),
    /// Write a session to a new file, named after its title.
    SaveSession(Session),
    /// The list of snapshots has changed: keep it.
    Snapshots {
        /// As it was kept last.
        before: Vec<Snapshot>,
        /// As it is.
        after: Vec<Snapshot>,
    },
    /// Look the earlier sittings up.
    ListSittings,
    /// Leave, and go on with the sitting of this journal.
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

/// The engine as the loop sees it. Neither call waits.
pub trait EngineHandle {
    /// Queues a job; a running job of the same kind is replaced.
    fn send(&self, job: Job);
    /// Calls off the running job of a kind, if there is one.
    fn cancel(&self, kind: JobKind);
}
