//! What goes to the engine and what comes back: plain values, so that the screen, the tests and the command line share them.

use super::JobKind;
use crate::experiment::{Report, Settings};
use crate::lab::{
    Answer, AskRequest, BuildRequest, DecayRequest, DecayView, Evidence, Gain, Instrument, LibraryEdit, LibraryView, MapRequest, MapView,
    ModelView, Placed, RankView, Reading, SkillReport,
};
use crate::library::{Health, Ranking};
use std::path::PathBuf;
use std::sync::Arc;

/// Which request of a kind a result belongs to; a result older than the newest request of its kind is dropped.
pub type Generation = u64;

/// A piece of work for the engine.
#[derive(Clone, Debug)]
pub enum Request {
    /// Build skills of the library.
    Build(BuildRequest),
    /// Check every file of the library.
    Check,
    /// Rank the skills for this query.
    Rank {
        /// The query as typed.
        query: String,
        /// How.
        view: RankView,
    },
    /// What the query's examples say of the best tasks.
    Weigh {
        /// The query as typed.
        query: String,
        /// How similarity proposes them.
        view: RankView,
    },
    /// Answers side by side.
    Ask(AskRequest),
    /// A map.
    Map(MapRequest),
    /// Rules compared on a document's chunks.
    Decay(DecayRequest),
    /// The t-SNE map of this request goes on from where it was called off.
    MapOn {
        /// The map's request.
        request: MapRequest,
        /// For so many epochs, or to its end.
        epochs: usize,
    },
    /// The query on the map drawn last.
    Place(String),
    /// One skill's report.
    Inspect(String),
    /// A change of the library.
    Edit(LibraryEdit),
    /// An experiment.
    Experiment {
        /// Its name.
        name: String,
        /// How much is drawn.
        settings: Settings,
    },
    /// Reports of experiments, read or written.
    Results(ResultsRequest),
    /// A measurement of the Lab.
    Instrument(Box<Instrument>),
}

/// What is done with a folder of reports, one folder an experiment.
#[derive(Clone, Debug)]
pub enum ResultsRequest {
    /// Read those of the present model.
    Load(PathBuf),
    /// Write some.
    Save {
        /// The folder of folders.
        dir: PathBuf,
        /// Which.
        reports: Vec<Arc<Report>>,
        /// Whether reports of other settings that lie there are written over.
        replace: bool,
    },
}

impl Request {
    /// Its kind.
    pub fn kind(&self) -> JobKind {
        match self {
            Self::Build(_) => JobKind::Build,
            Self::Check => JobKind::Check,
            Self::Rank { .. } => JobKind::Rank,
            Self::Weigh { .. } => JobKind::Weigh,
            Self::Ask(_) => JobKind::Ask,
            Self::Map(_) | Self::MapOn { .. } => JobKind::Map,
            Self::Place(_) => JobKind::Place,
            Self::Decay(_) => JobKind::Decay,
            Self::Inspect(_) => JobKind::Inspect,
            Self::Edit(_) => JobKind::Edit,
            Self::Experiment { .. } => JobKind::Experiment,
            Self::Results(_) => JobKind::Results,
            Self::Instrument(instrument) => instrument.kind(),
        }
    }
}

/// A request with the generation its results carry.
#[derive(Clone, Debug)]
pub struct Job {
    /// Which.
    pub generation: Generation,
    /// What.
    pub request: Request,
}

/// What the engine tells. Every event but the first two belongs to a job.
#[derive(Clone, Debug)]
pub enum Event {
    /// The model is loaded.
    Model(Arc<ModelView>),
    /// The library was opened or changed.
    Library(Arc<LibraryView>),
    /// A job goes on.
    Progress {
        /// Whose.
        generation: Generation,
        /// Of which kind.
        kind: JobKind,
        /// Units done.
        done: u64,
        /// Units in all; 0 if not known.
        total: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// A ranking.
    Ranking {
        /// Whose.
        generation: Generation,
        /// The ranking.
        ranking: Arc<Ranking>,
    },
    /// What the query's examples say; several come where the machine is slow, each of more tasks.
    Evidence {
        /// Whose.
        generation: Generation,
        /// What was found.
        evidence: Arc<Evidence>,
    },
    /// How the soup fares against the query alone on the query's own examples.
    Gain {
        /// Whose: that of a request for answers.
        generation: Generation,
        /// How.
        gain: Gain,
    },
    /// One answer; they come one by one.
    Answer {
        /// Whose.
        generation: Generation,
        /// The answer.
        answer: Answer,
    },
    /// A map.
    Map {
        /// Whose.
        generation: Generation,
        /// The map.
        map: Arc<MapView>,
    },
    /// Rules compared on a document's chunks.
    Decay {
        /// Whose.
        generation: Generation,
        /// The comparison.
        view: Arc<DecayView>,
    },
    /// The query on the map.
    Placed {
        /// Whose.
        generation: Generation,
        /// Where.
        placed: Placed,
    },
    /// A skill's report.
    Report {
        /// Whose.
        generation: Generation,
        /// The report.
        report: Box<SkillReport>,
    },
    /// Every file of the library was checked.
    Checked {
        /// Whose.
        generation: Generation,
        /// What was found.
        health: Arc<Health>,
    },
    /// What an experiment has found so far, or in all.
    Experiment {
        /// Whose.
        generation: Generation,
        /// The report.
        report: Arc<Report>,
        /// Whether it is whole.
        complete: bool,
    },
    /// Reports were read.
    Loaded {
        /// Whose.
        generation: Generation,
        /// The reports of the present model.
        reports: Vec<Arc<Report>>,
        /// A sentence for each one left out.
        left_out: Vec<String>,
    },
    /// Reports were written.
    Saved {
        /// Whose.
        generation: Generation,
        /// Their folders.
        folders: Vec<PathBuf>,
        /// Folders that hold reports of other settings and were left as they are.
        kept: Vec<PathBuf>,
    },
    /// What an instrument reads.
    Instrument {
        /// Whose.
        generation: Generation,
        /// The reading.
        reading: Reading,
    },
    /// A job ended well; nothing more of it comes.
    Done {
        /// Whose.
        generation: Generation,
        /// Of which kind.
        kind: JobKind,
    },
    /// A job ended badly; `message` is a sentence for the user. Cancelled jobs say so through `cancelled`.
    Failed {
        /// Whose.
        generation: Generation,
        /// Of which kind.
        kind: JobKind,
        /// Whether it was called off rather than failed.
        cancelled: bool,
        /// What to tell the user.
        message: String,
    },
}
