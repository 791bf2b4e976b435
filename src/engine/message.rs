//! What goes to the engine and what comes back: plain values, so that the screen, the tests and the command line share them.

use super::decay::{DecayRequest, DecayView};
use super::instrument::{Autopsy, Instrument, Reading};
use crate::experiment::{Report, Settings};
pub use crate::library::RankView;
use crate::library::{Calibration, Explained, Health, Part, Ranking, SkillMeta};
use crate::soup::{Recipe, Soup};
use crate::state::StateShape;
use std::path::PathBuf;
use std::sync::Arc;

/// Which request of a kind a result belongs to; a result older than the newest request of its kind is dropped.
pub type Generation = u64;

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

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AnswerFrom {
    /// The unfinished line alone, from the empty state.
    ZeroShot,
    /// The query as typed: its examples, then the unfinished line.
    Query,
    /// The best-ranked skill's state, then the unfinished line.
    BestSkill,
    /// The soup's state, then the unfinished line.
    Soup,
    /// Every example of the best task's first set and the query's own, read in one pass, then the unfinished line.
    Full,
}

impl AnswerFrom {
    /// All, in the order they are shown.
    pub const ALL: [Self; 5] = [Self::ZeroShot, Self::Query, Self::BestSkill, Self::Soup, Self::Full];

    /// The name in `--json` output.
    pub fn name(self) -> &'static str {
        match self {
            Self::ZeroShot => "zero-shot",
            Self::Query => "query",
            Self::BestSkill => "best-skill",
            Self::Soup => "soup",
            Self::Full => "full",
        }
    }
}

/// How the continuation is chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoding {
    /// The likeliest token each time.
    Greedy,
    /// Drawn at random.
    Sample {
        /// Softmax temperature, > 0.
        temperature: f64,
        /// Nucleus mass, 0 < p ≤ 1.
        top_p: f64,
        /// Seed of the draw.
        seed: u64,
    },
}

/// A request for answers.
#[derive(Clone, Debug, PartialEq)]
pub struct AskRequest {
    /// The query as typed.
    pub query: String,
    /// The soup; `None` leaves that column out.
    pub soup: Option<Recipe>,
    /// How the best skill, `top(n)` and similarities are found.
    pub view: RankView,
    /// Whether the best skill is that of the task which the query's examples put first, rather than the most similar one.
    pub by_evidence: bool,
    /// Which answers.
    pub from: Vec<AnswerFrom>,
    /// Tokens at most, of each continuation (it also ends where the template's answer ends).
    pub max_tokens: usize,
    /// Greedy or sampled.
    pub decoding: Decoding,
    /// An answer whose log-probability is asked for.
    pub target: Option<String>,
}

/// One token and its probability.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenProbability {
    /// The token's text.
    pub token: String,
    /// Its probability, 0 to 1.
    pub probability: f64,
}

/// One answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Where it comes from.
    pub from: AnswerFrom,
    /// What the state was made of, in words: a skill's id, a recipe, `32 examples of antonym`.
    pub origin: String,
    /// Whether there is no such answer; `origin` then says why, and the rest is empty.
    pub missing: bool,
    /// The continuation.
    pub text: String,
    /// Its log-probability (natural log, summed over its tokens, the answer's end included).
    pub logprob: f64,
    /// The ten likeliest next tokens.
    pub top: Vec<TokenProbability>,
    /// The log-probability of the asked-for answer.
    pub target_logprob: Option<f64>,
    /// Milliseconds it took.
    pub millis: f64,
}

/// What a query's own examples say of one task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskEvidence {
    /// The task.
    pub task: String,
    /// Similarity of its best skill, as the ranking has it.
    pub similarity: f32,
    /// How probable the examples are, read from the mean of its skills; nats.
    pub explained: Explained,
    /// Nats an answer token gained over nothing read: above 0 it explains the examples.
    pub gain: f64,
    /// Its posterior, 0 to 1, among the tasks read and "none of these".
    pub posterior: f64,
}

/// What of a query evidence does not read: it reads [`MOST_TOKENS`](super::MOST_TOKENS) tokens, the last ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unread {
    /// Examples of which it reads nothing.
    pub examples: usize,
    /// Examples in the query.
    pub of: usize,
    /// Whether it reads the end of the last example alone.
    pub is_cut: bool,
}

impl Unread {
    /// That, in a sentence; `None` if it reads all of it.
    pub fn words(&self) -> Option<String> {
        let Self { examples, of, is_cut } = *self;
        let most = super::MOST_TOKENS;
        match (is_cut, examples) {
            (false, 0) => None,
            (false, n) => {
                Some(format!("Evidence reads the last {} of the query's {of} examples, which are {most} tokens at most.", of - n))
            }
            (true, 0) => Some(format!("Evidence reads the last {most} tokens of the query's example.")),
            (true, n) => Some(format!("Evidence reads the last {most} tokens of the query's last example, and none of the other {n}.")),
        }
    }
}

/// What a query's own examples say of the tasks that are most similar to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The examples as they were read: the query in the template's form, without its unfinished line.
    pub read: String,
    /// How similarity was measured.
    pub view: RankView,
    /// Complete examples that were read.
    pub shots: usize,
    /// What of the query was not.
    pub unread: Unread,
    /// Tokens of their answers, ends included.
    pub answer_tokens: usize,
    /// The tasks read, the most probable first.
    pub tasks: Vec<TaskEvidence>,
    /// How probable the examples are with nothing read; nats.
    pub none: Explained,
    /// Posterior of "none of these".
    pub none_posterior: f64,
    /// Nats by which the tasks together, each as likely as any, foretell the answers better than the query alone: ln mean p(answers | task) − ln p(answers | query so far).
    pub foretold: f64,
    /// Whether anything here explains the query: the posterior of none is not above the library's gate, or the answers are foretold so well that the
    /// soup follows what foretells them ([`Evidence::follows_answers`]).
    pub fits: bool,
    /// Nats an answer token by which the tasks, weighed by their posterior, foretell the examples after the first better than the query alone; `None` for one example.
    pub ahead: Option<f64>,
    /// Tasks that are read in all; fewer have been if this is not the last word.
    pub asked: usize,
    /// The soup that this calls for.
    pub auto: Soup,
    /// The constants it was weighed with.
    pub calibration: Calibration,
    /// Milliseconds it took, the ranking included.
    pub millis: f64,
}

impl Evidence {
    /// Whether all candidates have been read.
    pub fn is_whole(&self) -> bool {
        self.tasks.len() == self.asked
    }

    /// A task's place in the order of the evidence; those that were not read come after all others.
    pub fn place(&self, task: &str) -> usize {
        self.tasks.iter().position(|t| t.task == task).unwrap_or(usize::MAX)
    }

    /// What was found of a task, if it was read.
    pub fn of(&self, task: &str) -> Option<&TaskEvidence> {
        self.tasks.iter().find(|t| t.task == task)
    }
}

/// The soup against the query alone, on the query's own examples: each is asked with the others as the query.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Gain {
    /// Nats an example by which the soup makes its answer more probable than the query alone.
    pub nats: f64,
    /// Examples asked.
    pub examples: usize,
    /// Whether each was left out of what the soup was made from. A single example cannot be: it is asked from the soup's skills and from nothing read, and the
    /// soup has seen it.
    pub left_out: bool,
}

/// How a map is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapMethod {
    /// The two leading principal components.
    Pca,
    /// t-SNE of the leading principal components, from the first two: animated, the same every time.
    Tsne,
    /// linfa-tsne's, from a random start.
    OneShot,
}

/// A request for a map.
#[derive(Clone, Debug, PartialEq)]
pub struct MapRequest {
    /// The layer whose states are drawn.
    pub layer: usize,
    /// SSM state or convolution window.
    pub part: Part,
    /// Method.
    pub method: MapMethod,
    /// Perplexity wished for; lowered where there are too few points.
    pub perplexity: f64,
    /// Seed of the method.
    pub seed: u64,
}

/// A map: one point a skill, in the library's order.
#[derive(Clone, Debug, PartialEq)]
pub struct MapView {
    /// What was asked.
    pub request: MapRequest,
    /// Coordinates, in the order of [`LibraryView::skills`] at that moment.
    pub points: Vec<[f32; 2]>,
    /// Skills of the map drawn before by which this one was laid over it: turned, mirrored and shifted, not stretched; 0 if it was not.
    pub aligned: usize,
    /// Ids of the skills behind the points.
    pub skills: Vec<String>,
    /// Perplexity used.
    pub perplexity: f64,
    /// Trustworthiness at 15 neighbours (or fewer), 0 to 1.
    pub trust: Option<f64>,
    /// Share of each point's nearest neighbours (leave-one-out 1-NN) that are of its own task.
    pub purity: Option<f64>,
    /// Nearest skills in the original space, per point, nearest first: (index, cosine).
    pub neighbours: Vec<Vec<(usize, f32)>>,
    /// Trustworthiness of each point; empty while the map moves.
    pub trust_of_each: Vec<f32>,
    /// Epochs of t-SNE done; 0 for principal components.
    pub epoch: usize,
    /// Whether the map is as it will stay.
    pub finished: bool,
}

/// Where the query's states lie on a finished map: an approximation, as the map was made without them.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The query as typed.
    pub query: String,
    /// The map's request.
    pub request: MapRequest,
    /// After each example, the last one where the query is now.
    pub trail: Vec<[f32; 2]>,
}

/// What the screen knows of the model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelView {
    /// Name: `bundled`, a folder's name, a hub id.
    pub name: String,
    /// Fingerprint, hexadecimal.
    pub fingerprint: String,
    /// Parameters.
    pub parameters: u64,
    /// Sizes of a state.
    pub shape: StateShape,
    /// `cpu`, `cuda:0`.
    pub device: String,
}

/// What the screen knows of the library.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LibraryView {
    /// Where it lies.
    pub path: String,
    /// Skills, in the library's order.
    pub skills: Vec<SkillMeta>,
    /// The file that each skill lies in.
    pub files: Vec<String>,
    /// The tasks at hand, by name: what skills can be made of.
    pub tasks: Vec<String>,
    /// Those of them that the model's training never saw, where that is known.
    pub unseen: Vec<String>,
    /// Bytes on disk.
    pub bytes: u64,
    /// Skills still to be built for the library to be complete.
    pub missing: usize,
    /// Sentences about files that were damaged and left out.
    pub warnings: Vec<String>,
    /// Whether it was measured how evidence is weighed here.
    pub calibrated: bool,
}

/// A change of the library.
#[derive(Clone, Debug, PartialEq)]
pub enum LibraryEdit {
    /// Leave a skill out (it can be restored until the program ends).
    Delete(String),
    /// Bring a deleted skill back.
    Restore(String),
    /// Put the states that were replaced last in the place of these skills'.
    SwapBack(Vec<String>),
    /// Replace a skill's tags.
    Tag(String, Vec<String>),
    /// Read a text and keep the state it ends in, under this name.
    AddText {
        /// The skill's task name.
        name: String,
        /// The text.
        text: String,
    },
    /// Draw examples of a task beside those of the build, and keep the state they end in.
    AddTask {
        /// The task.
        task: String,
        /// Examples.
        shots: usize,
        /// Seed of the draw.
        seed: u64,
    },
}

/// What a build makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BuildRequest {
    /// Whether what the library lacks.
    pub missing: bool,
    /// Ids of skills that are read anew although the library has them.
    pub anew: Vec<String>,
}

/// Provenance and figures of one skill.
#[derive(Clone, Debug, PartialEq)]
pub struct SkillReport {
    /// Its manifest entry.
    pub meta: SkillMeta,
    /// First lines of the text it was read from, where it is known.
    pub preview: Vec<String>,
    /// Its state, layer by layer.
    pub figures: Autopsy,
}

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
