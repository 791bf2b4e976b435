//! The kinds of work.

use crate::lab::{Instrument, Reading};

/// The kinds of work. A new job of a kind replaces (cancels) the running one of the same kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobKind {
    /// Loading the model and opening the library at start.
    Open,
    /// Building skills of the library (background).
    Build,
    /// Checking the library's files (background).
    Check,
    /// Ranking the skills for the query.
    Rank,
    /// Reading the query's examples from the best tasks.
    Weigh,
    /// Answers side by side.
    Ask,
    /// A map of the library.
    Map,
    /// Rules compared on a document's chunks.
    Decay,
    /// The query on the map.
    Place,
    /// One skill's provenance and figures.
    Inspect,
    /// A change of the library: add, delete, restore, tag.
    Edit,
    /// An experiment (background).
    Experiment,
    /// Reports of experiments, read or written.
    Results,
    /// Similarity along the query.
    Ecg,
    /// Log-probability over mixes.
    Landscape,
    /// What each part of the soup adds.
    Attribution,
    /// The soup against its baselines.
    Verdict,
    /// The soup's state, layer by layer.
    Autopsy,
    /// Two soups beside each other.
    Compare,
}

impl Instrument {
    /// Its kind of work.
    pub fn kind(&self) -> JobKind {
        match self {
            Self::Ecg(_) => JobKind::Ecg,
            Self::Landscape(_) => JobKind::Landscape,
            Self::Attribution(_) => JobKind::Attribution,
            Self::Verdict(_) => JobKind::Verdict,
            Self::Autopsy(_) => JobKind::Autopsy,
            Self::Compare(_) => JobKind::Compare,
        }
    }
}

impl Reading {
    /// The kind of work it is a result of.
    pub fn kind(&self) -> JobKind {
        match self {
            Self::Ecg(_) => JobKind::Ecg,
            Self::Landscape(_) => JobKind::Landscape,
            Self::Attribution(_) => JobKind::Attribution,
            Self::Verdict(_) => JobKind::Verdict,
            Self::Autopsy(_) => JobKind::Autopsy,
            Self::Compare(_) => JobKind::Compare,
        }
    }
}
