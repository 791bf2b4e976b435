//! The requests to the engine and its events: plain values, so that the screen, the tests and the
//! command line share them.

use super::JobKind;
use crate::experiment::{Report, Settings};
use crate::lab::{
    Answer, AskRequest, BuildRequest, DecayRequest, DecayView, Evidence, Gain, Instrument, LibraryEdit, LibraryView, MapRequest, MapView,
    ModelView, Placed, RankView, Reading, SkillReport,
};
use crate::library::{Health, Ranking};
use std::path::PathBuf;
use std::sync::Arc;

/// The number of a request. A result that is older than the newest request of its kind is dropped.
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
        /// How states are compared.
        view: RankView,
    },
    /// Compute what the query's examples say about the best tasks.
    Weigh {
        /// The query as typed.
        query: String,
        /// How similarity proposes the tasks.
        view: RankView,
    },
    /// Answer side by side.
    Ask(AskRequest),
    /// Draw a map.
    Map(MapRequest),
    /// Compare the rules on a document's chunks.
    Decay(DecayRequest),
    /// Resume the t-SNE map of this request where it was cancelled.
    MapOn {
        /// The map's request.
        request: MapRequest,
        /// Number of epochs to run; the map may end earlier.
        epochs: usize,
    },
    /// Place the query on the map drawn last.
    Place(String),
    /// Report on one skill.
    Inspect(String),
    /// Change the library.
    Edit(LibraryEdit),
    /// Run an experiment.
    Experiment {
        /// The experiment's name.
        name: String,
        /// The experiment's settings.
        settings: Settings,
    },
    /// Read or write reports of experiments.
    Results(ResultsRequest),
    /// Run a measurement of the Lab.
    Instrument(Box<Instrument>),
}

/// An operation on a folder of reports, which holds one folder per experiment.
#[derive(Clone, Debug)]
pub enum ResultsRequest {
    /// Read the reports of the current model.
    Load(PathBuf),
    /// Write reports.
    Save {
        /// The folder that holds the experiments' folders.
        dir: PathBuf,
        /// The reports to write.
        reports: Vec<Arc<Report>>,
        /// Whether to overwrite existing reports of other settings.
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
    /// The generation.
    pub generation: Generation,
    /// The request.
    pub request: Request,
}

impl Job {
    /// An event of this job.
    pub fn event(&self, news: News) -> Event {
        Event::Job { generation: self.generation, kind: self.request.kind(), news }
    }
}

/// An event from the engine.
#[derive(Clone, Debug)]
pub enum Event {
    /// The model is loaded.
    Model(Arc<ModelView>),
    /// The library was opened or changed.
    Library(Arc<LibraryView>),
    /// News of a job.
    Job {
        /// The generation of the job's request.
        generation: Generation,
        /// The job's kind.
        kind: JobKind,
        /// The news.
        news: News,
    },
}

/// News of one job.
#[derive(Clone, Debug)]
pub enum News {
    /// The job's progress.
    Progress {
        /// Number of units done.
        done: u64,
        /// Total number of units; 0 if not known.
        total: u64,
        /// The unit that is counted.
        unit: &'static str,
    },
    /// A ranking.
    Ranking(Arc<Ranking>),
    /// What the query's examples say. On a slow machine several arrive, each with more tasks.
    Evidence(Arc<Evidence>),
    /// The soup against the query alone, on the query's own examples.
    Gain(Gain),
    /// One answer; answers arrive one by one.
    Answer(Answer),
    /// A map.
    Map(Arc<MapView>),
    /// Rules compared on a document's chunks.
    Decay(Arc<DecayView>),
    /// The query on the map.
    Placed(Placed),
    /// A skill's report.
    Report(Box<SkillReport>),
    /// The findings of a check of every file of the library.
    Checked(Arc<Health>),
    /// An experiment's results, partial or complete.
    Experiment {
        /// The report.
        report: Arc<Report>,
        /// Whether the report is complete.
        complete: bool,
    },
    /// Reports were read.
    Loaded {
        /// The reports of the current model.
        reports: Vec<Arc<Report>>,
        /// A sentence for each report left out.
        left_out: Vec<String>,
    },
    /// Reports were written.
    Saved {
        /// Their folders.
        folders: Vec<PathBuf>,
        /// Folders that hold reports of other settings and were left unchanged.
        kept: Vec<PathBuf>,
    },
    /// The reading of an instrument.
    Reading(Reading),
    /// The job succeeded and sends nothing more.
    Done,
    /// The job failed.
    Failed {
        /// Whether the job was cancelled, as opposed to failed.
        cancelled: bool,
        /// A sentence for the user.
        message: String,
    },
}
