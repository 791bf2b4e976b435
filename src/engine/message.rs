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

impl Job {
    /// An event that belongs to it.
    pub fn event(&self, news: News) -> Event {
        Event::Job { generation: self.generation, kind: self.request.kind(), news }
    }
}

/// What the engine reports.
#[derive(Clone, Debug)]
pub enum Event {
    /// The model is loaded.
    Model(Arc<ModelView>),
    /// The library was opened or changed.
    Library(Arc<LibraryView>),
    /// Something of a job.
    Job {
        /// The generation of the job's request.
        generation: Generation,
        /// The job's kind.
        kind: JobKind,
        /// What there is to report.
        news: News,
    },
}

/// What the engine reports of one job.
#[derive(Clone, Debug)]
pub enum News {
    /// It goes on.
    Progress {
        /// Units done.
        done: u64,
        /// Units in all; 0 if not known.
        total: u64,
        /// What is counted.
        unit: &'static str,
    },
    /// A ranking.
    Ranking(Arc<Ranking>),
    /// What the query's examples say; several come where the machine is slow, each of more tasks.
    Evidence(Arc<Evidence>),
    /// How the soup fares against the query alone on the query's own examples.
    Gain(Gain),
    /// One answer; they come one by one.
    Answer(Answer),
    /// A map.
    Map(Arc<MapView>),
    /// Rules compared on a document's chunks.
    Decay(Arc<DecayView>),
    /// The query on the map.
    Placed(Placed),
    /// A skill's report.
    Report(Box<SkillReport>),
    /// What was found when every file of the library was checked.
    Checked(Arc<Health>),
    /// What an experiment has found so far, or in all.
    Experiment {
        /// The report.
        report: Arc<Report>,
        /// Whether it is whole.
        complete: bool,
    },
    /// Reports were read.
    Loaded {
        /// The reports of the present model.
        reports: Vec<Arc<Report>>,
        /// A sentence for each one left out.
        left_out: Vec<String>,
    },
    /// Reports were written.
    Saved {
        /// Their folders.
        folders: Vec<PathBuf>,
        /// Folders that hold reports of other settings and were left as they are.
        kept: Vec<PathBuf>,
    },
    /// What an instrument reads.
    Reading(Reading),
    /// It ended well; nothing more of it comes.
    Done,
    /// It ended badly.
    Failed {
        /// Whether it was called off rather than failed.
        cancelled: bool,
        /// A sentence for the user.
        message: String,
    },
}
