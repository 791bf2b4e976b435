//! The laboratory: one model, one library, and what can be asked of them. The screen (through [`super::Worker`](super)) and the
//! command line call the same functions, so they print the same numbers.

use super::answer::{Spec, Start, continue_from, nothing_to_answer};
use super::decay::Encoded;
use super::evidence::{EvidenceReader, Heard, Told};
use super::map::Drawn;
use super::query::{QueryReader, Read};
use super::tokens::Example;
use super::{Answer, AnswerFrom, AskRequest, CANDIDATES, Evidence, LibraryView, ModelView, RankView};
use crate::control::{Control, quiet};
use crate::error::{Error, Result};
use crate::library::{
    BuildSettings, Candidate, Explained, Library, LibraryWriter, Metric, NewLibrary, Part, Posterior, Ranking, ScoredSkill, StoredType,
};
use crate::model::{Bos, LoadOptions, MambaConfig, Model, ModelSource, Prompt, Want};
use crate::soup::{Recipe, Resolver};
use crate::state::{DecayRates, State, StateShape};
use crate::task::{ParsedQuery, Segment, SplitSpec, Task, TaskOrigin, Template, parse_query};
use candle_core::DeviceLocation;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

/// Everything a lab is opened with.
pub struct Setup {
    /// Which model.
    pub model: ModelSource,
    /// Where and how it is kept.
    pub load: LoadOptions,
    /// What every text begins with.
    pub bos: Bos,
    /// The library's folder; `None` is the cache folder of this model and these settings.
    pub library: Option<PathBuf>,
    /// Whether the tasks are a choice: then the library that is kept for the model and the settings is not that of all tasks.
    pub chosen: bool,
    /// What the library is to hold.
    pub build: BuildSettings,
    /// The tasks its skills are of.
    pub tasks: Vec<Task>,
}

/// Precision of states on disk: half the bytes of f32, a relative error of 2⁻¹¹ in each entry.
pub(super) const STORED: StoredType = StoredType::F16;

/// One model and its library.
pub struct Lab {
    pub(super) model: Model,
    device: String,
    pub(super) tasks: Vec<Task>,
    pub(super) build: BuildSettings,
    /// Whether the model is the one inside the program, whose training is known.
    bundled: bool,
    pub(super) template: Template,
    library: Mutex<Arc<Library>>,
    /// The writer of the build under way, for changes that overtake it: the library's lock is taken once a process.
    pub(super) writing: Mutex<Weak<Mutex<LibraryWriter>>>,
    reader: Mutex<QueryReader>,
    /// What the query's examples are from the library's tasks.
    pub(super) evidence: Mutex<EvidenceReader>,
    previous: Mutex<Option<Arc<Ranking>>>,
    /// The library that was ranked last, and how often in turn.
    ranked: Mutex<(Weak<Library>, u64)>,
    /// The document read last, for the Decay tab.
    pub(super) document: Mutex<Option<Arc<Encoded>>>,
    /// The map drawn last.
    pub(super) drawn: Mutex<Option<Drawn>>,
}

/// A query in the model's terms.
pub(crate) struct Query {
    pub parsed: ParsedQuery,
    /// What begins every text (often one token, or none), then each complete example.
    pub segments: Vec<Vec<u32>>,
    /// The unfinished line, as it stands after the examples.
    pub tail: Vec<u32>,
    /// The unfinished line with nothing before it.
    pub alone: Vec<u32>,
    /// What a ranking reads and evidence explains: the examples, the last one closed if its answer is begun.
    pub examples: Vec<Example>,
}

/// What the texts of the library in a folder began with; `None` without a library, or where it is
/// of another model.
fn built_with(dir: &Path, model: &Model) -> Result<Option<Vec<u32>>> {
    let own = Library::model_of(dir)?.filter(|own| own.fingerprint == model.fingerprint);
    Ok(own.map(|own| own.bos.unwrap_or_else(|| model.special.old_bos.clone())))
}

/// The cache folder of a library whose texts begin as the user says: one of its own where that is
/// not what they begin with anyway.
fn own_folder(dir: PathBuf, model: &Model, bos: Bos) -> Result<PathBuf> {
    let there = built_with(&dir, model)?.unwrap_or_else(|| model.special.auto_bos.clone());
    if bos == Bos::Auto || there == model.special.bos {
        return Ok(dir);
    }
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(format!("-bos-{bos}"));
    Ok(dir.with_file_name(name))
}

/// Texts begin as those of the library did, unless the user asks for something else, which is
/// refused.
fn begin_as_built(dir: &Path, model: &mut Model, bos: Bos) -> Result<()> {
    let Some(built) = built_with(dir, model)?.filter(|built| *built != model.special.bos) else { return Ok(()) };
    let words = |bos: &[u32]| if bos.is_empty() { "nothing".into() } else { format!("token {}", list(bos)) };
    let (old, new) = (words(&built), words(&model.special.bos));
    if bos != Bos::Auto {
        return Err(Error::Mismatch(format!(
            "the texts of the library in {} were read after {old}, and --bos {bos} begins them with {new}; leave the flag out, or choose another --library",
            dir.display()
        )));
    }
    model.notes.push(format!(
        "the texts of the library in {} were read after {old}, and so is every text now; the model's files say {new}, which --bos {} with another --library gives",
        dir.display(),
        model.special.bos.first().map_or_else(|| "none".into(), u32::to_string)
    ));
    model.begin_as(built, "the library".into());
    Ok(())
}

fn list(tokens: &[u32]) -> String {
    tokens.iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// Locks without caring for a panic elsewhere: each guarded value is replaced whole, never left half changed.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Lab {
    /// Loads the model and opens its library (an empty one if there is none yet).
    ///
    /// # Errors
    /// The model's, the library's; [`Error::Cancelled`].
    pub fn open(setup: Setup, control: Control<'_>) -> Result<Self> {
        Self::open_where(setup, &|library| Ok(library), control)
    }

    /// As [`Lab::open`], with the library in the folder that `place` makes of its own: a copy, for example.
    ///
    /// # Errors
    /// Those of [`Lab::open`] and of `place`.
    pub fn open_where(setup: Setup, place: &dyn Fn(PathBuf) -> Result<PathBuf>, control: Control<'_>) -> Result<Self> {
        let device = match setup.load.device.location() {
            DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
            _ => "cpu".into(),
        };
        let mut model = Model::open_with(&setup.model, &setup.load, setup.bos, control)?;
        let dir = if let Some(dir) = setup.library {
            dir
        } else {
            let names = setup.tasks.iter().map(|t| t.name.as_str()).filter(|_| setup.chosen).collect::<Vec<_>>();
            own_folder(crate::library::cache_dir(&model.fingerprint, &setup.build, &names)?, &model, setup.bos)?
        };
        let dir = place(dir)?;
        begin_as_built(&dir, &mut model, setup.bos)?;
        let new = NewLibrary { model: &model.identity(), settings: &setup.build, dtype: STORED };
        let (library, _) = Library::create_or_open(&dir, &new, control)?;
        library.look(control)?;
        let library = library.without_damaged();
        // A library is built one way. Its own settings hold where none were asked for; other ones are refused, not built over it.
        let build = library.settings().clone();
        let asked = BuildSettings { borders: build.borders, ..setup.build.clone() };
        if build != asked && setup.build != BuildSettings::default() {
            return Err(Error::Mismatch(format!(
                "the library in {} was built with {build}, not with {}; leave these flags out, or choose another --library",
                dir.display(),
                setup.build
            )));
        }
        let template: Template = build.template.parse()?;
        for task in setup.tasks.iter().filter(|t| matches!(t.origin, TaskOrigin::File(_))) {
            task.check(&template)?;
        }
        Ok(Self {
            model,
            device,
            tasks: setup.tasks,
            build,
            template,
            library: Mutex::new(Arc::new(library)),
            writing: Mutex::default(),
            reader: Mutex::default(),
            evidence: Mutex::default(),
            bundled: setup.model == ModelSource::Bundled,
            previous: Mutex::default(),
            ranked: Mutex::default(),
            document: Mutex::default(),
            drawn: Mutex::default(),
        })
    }

    /// The library as it is now; later changes make a new one.
    pub fn library(&self) -> Arc<Library> {
        Arc::clone(&lock(&self.library))
    }

    /// Puts a library in place, without its damaged skills. What this one had already was looked at before, so that this
    /// costs only what is new.
    pub(super) fn set_library(&self, library: Library) {
        // Nobody cancels it.
        let _ = quiet(|control| library.look(control));
        *lock(&self.library) = Arc::new(library.without_damaged());
    }

    /// Sizes of the model's states.
    pub fn shape(&self) -> StateShape {
        self.model.mamba.shape()
    }

    /// The model's configuration.
    pub fn config(&self) -> &MambaConfig {
        self.model.config()
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The tasks its skills are of.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The names of the tasks that the model's training never saw.
    pub fn unseen(&self) -> Vec<String> {
        self.tasks.iter().filter(|t| self.is_unseen(t)).map(|t| t.name.clone()).collect()
    }

    /// Whether the model's training never saw any of a task: known of the bundled model alone.
    pub fn is_unseen(&self, task: &Task) -> bool {
        self.bundled && task.unseen
    }

    /// How an example becomes text.
    pub fn template(&self) -> &Template {
        &self.template
    }

    /// The model's fingerprint.
    pub fn fingerprint(&self) -> &str {
        &self.model.fingerprint
    }

    /// What was passed over or settled in opening the model, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.model.notes
    }

    /// When the model was trained, where it says so.
    pub fn trained(&self) -> Option<&str> {
        self.model.trained.as_deref()
    }

    /// What the screen shows of the model.
    pub fn model_view(&self) -> ModelView {
        ModelView {
            name: self.model.name.clone(),
            fingerprint: self.model.fingerprint.clone(),
            parameters: self.config().parameters(),
            shape: self.shape(),
            device: self.device.clone(),
        }
    }

    /// What the screen shows of the library.
    pub fn library_view(&self) -> LibraryView {
        let library = self.library();
        LibraryView {
            path: library.path().display().to_string(),
            skills: library.skills().to_vec(),
            files: library.files().map(str::to_owned).collect(),
            tasks: self.tasks.iter().map(|t| t.name.clone()).collect(),
            unseen: self.unseen(),
            bytes: library.bytes(),
            missing: self.missing(&library),
            warnings: library.warnings(),
            calibrated: library.is_calibrated(),
        }
    }

    /// Rankings unless the user says otherwise: the paper's cosine at the middle layer.
    pub fn default_view(&self) -> RankView {
        RankView { metric: Metric::Cosine, layers: RankView::default_layers(self.shape().n_layer), part: Part::Ssm }
    }

    /// Ranks the skills for a query.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty query, [`Error::Library`] for an empty library; the model's; [`Error::Cancelled`].
    pub fn rank(&self, query: &str, view: &RankView, control: Control<'_>) -> Result<Ranking> {
        let query = self.query(query)?;
        let library = self.filled_library()?;
        let began = Instant::now();
        let read = self.read_for_ranking(&query, control)?;
        let reading = began.elapsed();
        control.check()?;
        let previous = lock(&self.previous).clone();
        let began = Instant::now();
        let mut ranking = library.rank(&read.state, view, previous.as_deref())?;
        // The library counts its own time; the whole comparison is what the user waits for.
        ranking.shots = query.shots();
        ranking.read = query.parsed.read();
        ranking.tokens_run = read.tokens_run;
        ranking.millis = [reading, began.elapsed()].map(|d| d.as_secs_f64() * 1e3);
        *lock(&self.previous) = Some(Arc::new(ranking.clone()));
        self.shelve(&library);
        Ok(ranking)
    }

    /// Has a library's rows copied to the model's own device, if it has one, on a thread of its own: when it has been ranked twice, since one that is being built changes
    /// all the time. Until they are there, and where they do not fit, the CPU ranks.
    fn shelve(&self, library: &Arc<Library>) {
        let mut ranked = lock(&self.ranked);
        let again = std::ptr::eq(ranked.0.as_ptr(), Arc::as_ptr(library));
        *ranked = (Arc::downgrade(library), if again { ranked.1 + 1 } else { 1 });
        if ranked.1 != 2 {
            return;
        }
        drop(ranked);
        let Some(copy) = self.model.mamba.shelver() else { return };
        let library = Arc::clone(library);
        let work = move || match copy(&library) {
            Ok(rows) => library.attach(rows),
            Err(error) => tracing::info!("{error}; rankings are made on the CPU"),
        };
        if let Err(error) = std::thread::Builder::new().name("shelf".into()).spawn(work) {
            tracing::warn!("no thread could be started to copy the library to the GPU: {error}");
        }
    }

    /// Answers a query from each of the states asked for, in that order.
    ///
    /// # Errors
    /// [`Error::Input`] if the query has no unfinished line or the recipe cannot be evaluated; the model's; [`Error::Cancelled`].
    pub fn ask(&self, request: &AskRequest, control: Control<'_>) -> Result<Vec<Answer>> {
        let began = Instant::now();
        let query = self.query(&request.query)?;
        if query.tail.is_empty() {
            return Err(nothing_to_answer());
        }
        let mixer = Mixer::new(self, Some(&query), &request.view, control);
        let mut resolver = if request.by_evidence { mixer.by_evidence() } else { mixer };
        let mut starts = Vec::new();
        let mut origins = Vec::new();
        let mut missing = Vec::new();
        for &from in &request.from {
            if from == AnswerFrom::Full
                && let Some(why) = self.not_at_hand(&resolver.best()?.1)
            {
                missing.push((from, why));
                continue;
            }
            let Some((start, origin)) = self.start(from, request, &query, &mut resolver)? else { continue };
            starts.push(start);
            origins.push((from, origin));
        }
        let ParsedQuery { segments, tail, .. } = &query.parsed;
        let target = request.target.as_ref().map(|t| self.answer_after(segments, tail, &query.tail, t)).transpose()?;
        let end = self.template.answer_end().to_string();
        let spec = Spec { max_tokens: request.max_tokens, decoding: &request.decoding, end: &end, target: target.as_deref() };
        let continuations = if starts.is_empty() { Vec::new() } else { continue_from(&self.model, &starts, &spec, control)? };
        let millis = began.elapsed().as_secs_f64() * 1e3;
        let not_given = missing.into_iter().map(|(from, why)| Answer {
            from,
            origin: why,
            missing: true,
            text: String::new(),
            logprob: f64::NAN,
            top: Vec::new(),
            target_logprob: None,
            millis,
        });
        Ok(origins
            .into_iter()
            .zip(continuations)
            .map(|((from, origin), c)| Answer {
                from,
                origin,
                missing: false,
                text: c.text,
                logprob: c.logprob,
                top: c.top,
                target_logprob: c.target_logprob,
                millis,
            })
            .chain(not_given)
            .collect())
    }

    /// Why a task's examples cannot be read before a query, if they cannot.
    fn not_at_hand(&self, task: &str) -> Option<String> {
        self.first_set(task).err().map(|error| error.to_string())
    }

    /// The state a recipe yields, at a query of which nothing is asked.
    ///
    /// # Errors
    /// As [`Recipe::evaluate`]; [`Error::Input`] if the recipe needs a query and none is given.
    pub fn mix(&self, recipe: &Recipe, query: Option<&str>, view: &RankView, control: Control<'_>) -> Result<State> {
        let query = query.map(|q| self.whole_query(q)).transpose()?;
        recipe.evaluate(&Mixer::new(self, query.as_ref(), view, control))
    }

    /// What names and recipes stand for at a query, for as long as `work` takes; `without`: tasks that are as if they were not in the library.
    ///
    /// # Errors
    /// [`Error::Input`] for an empty query; those of `work`.
    pub(crate) fn at<T>(
        &self,
        query: &str,
        view: &RankView,
        without: &[&str],
        control: Control<'_>,
        work: impl FnOnce(&Mixer<'_>) -> Result<T>,
    ) -> Result<T> {
        let query = self.query(query)?;
        work(&Mixer { without, ..Mixer::new(self, Some(&query), view, control) })
    }

    /// Where an answer starts; `None` for a soup that was not asked for.
    fn start(&self, from: AnswerFrom, request: &AskRequest, query: &Query, mixer: &mut Mixer<'_>) -> Result<Option<(Start, String)>> {
        let tail = query.tail.clone();
        let bos = self.bos();
        Ok(Some(match from {
            AnswerFrom::ZeroShot => (Start { states: Vec::new(), tokens: [&bos[..], &query.alone].concat() }, "nothing read".into()),
            AnswerFrom::Query => {
                let read = self.read(&query.segments, mixer.control)?;
                let n = query.parsed.segments.iter().filter(|s| s.pair.is_some()).count();
                (Start { states: vec![read.state], tokens: tail }, format!("{n} example{}", if n == 1 { "" } else { "s" }))
            }
            AnswerFrom::BestSkill => {
                let (skill, _) = mixer.best()?;
                (Start { states: vec![mixer.skill(&skill)?], tokens: tail }, skill)
            }
            AnswerFrom::Soup => {
                let Some(recipe) = &request.soup else { return Ok(None) };
                let chosen = if *recipe == Recipe::Auto { Some(mixer.auto()?) } else { None };
                let recipe = chosen.as_ref().unwrap_or(recipe);
                (Start { states: recipe.answering(mixer)?, tokens: tail }, recipe.to_string())
            }
            AnswerFrom::Full => {
                let (_, task) = mixer.best()?;
                let examples = self.first_set(&task)?;
                let origin = format!("{} examples of {task}, then the query", examples.len());
                let (read, tail) = self.tokens_of(examples.iter().chain(&query.parsed.segments), &query.parsed.tail)?;
                let mut tokens = bos;
                tokens.extend(read.into_iter().flat_map(|example| example.tokens));
                tokens.extend(tail);
                (Start { states: Vec::new(), tokens }, origin)
            }
        }))
    }

    /// A task's first example set, as the library's first skill of it read it.
    fn first_set(&self, task: &str) -> Result<Vec<Segment>> {
        let task = self.task_named(task)?;
        let split = self.split_spec().draw(task)?;
        Ok(split.sets.first().into_iter().flatten().map(|&i| self.template.segment(task.pairs[i].clone())).collect())
    }

    /// A task at hand, by its name.
    pub(super) fn task_named(&self, name: &str) -> Result<&Task> {
        self.tasks.iter().find(|t| t.name == name).ok_or_else(|| {
            Error::Input(format!(
                "the examples of `{name}` are not at hand: it is a skill made from a text, or of a task that is not opened"
            ))
        })
    }

    /// How tasks are split into test pairs and example sets.
    pub fn split_spec(&self) -> SplitSpec {
        SplitSpec { sets: self.build.sets, shots: self.build.shots, seed: self.build.seed, test_share: self.build.test_share }
    }

    pub(super) fn bos(&self) -> Vec<u32> {
        self.model.tokenizer.bos().to_vec()
    }

    pub(super) fn query(&self, text: &str) -> Result<Query> {
        let parsed = parse_query(text, &self.template);
        let examples = self.examples_of(parsed.pieces())?;
        let (segments, tail, alone) = if parsed.tail.is_empty() {
            (examples.clone(), Vec::new(), Vec::new())
        } else {
            let (segments, tail) = self.tail_after(&parsed.segments, &parsed.tail)?;
            (segments, tail, self.tokens(&parsed.tail)?)
        };
        let segments: Vec<Vec<u32>> = std::iter::once(self.bos()).chain(segments.into_iter().map(|e| e.tokens)).collect();
        if segments.len() == 1 && tail.is_empty() {
            return Err(Error::Input("the query is empty; type a few examples, one a line, such as `hot -> cold`".into()));
        }
        Ok(Query { parsed, segments, tail, alone, examples })
    }

    /// A query of which nothing is asked: a last example that lacks its line break is read like the others.
    pub(super) fn whole_query(&self, text: &str) -> Result<Query> {
        let mut query = self.query(text)?;
        if query.parsed.closed_tail.is_some() {
            query.segments = self.ranked_segments(&query);
        }
        Ok(query)
    }

    pub(super) fn filled_library(&self) -> Result<Arc<Library>> {
        let library = self.library();
        if library.skills().is_empty() {
            return Err(Error::Library(format!("the library in {} has no skill yet", library.path().display())));
        }
        Ok(library)
    }

    /// What a ranking reads of a query: its complete examples, the last one closed if an answer is begun.
    pub(super) fn ranked_segments(&self, query: &Query) -> Vec<Vec<u32>> {
        let alone = query.examples.is_empty().then(|| query.alone.clone());
        let read = query.examples.iter().map(|e| e.tokens.clone());
        std::iter::once(self.bos()).chain(read).chain(alone).collect()
    }

    pub(super) fn read_for_ranking(&self, query: &Query, control: Control<'_>) -> Result<Read> {
        self.read(&self.ranked_segments(query), control)
    }

    /// Forgets the query read last.
    pub(super) fn forget_reading(&self) {
        *lock(&self.reader) = QueryReader::default();
    }

    /// Reads segments from the last boundary that is still valid. The reader is copied (states are shared, so this is cheap) rather than
    /// locked while the model runs: a ranking may overtake an answer in the middle of it.
    fn read(&self, segments: &[Vec<u32>], control: Control<'_>) -> Result<Read> {
        let mut reader = lock(&self.reader).clone();
        let read = reader.read(&self.model.mamba, segments, control)?;
        *lock(&self.reader) = reader;
        Ok(read)
    }

    /// The state after what begins every text alone: `h0` of state arithmetic. The empty one where
    /// nothing does.
    pub(super) fn neutral(&self, control: Control<'_>) -> Result<State> {
        let bos = self.bos();
        if bos.is_empty() {
            return Ok(State::zeros(self.shape()));
        }
        let prompt = Prompt { tokens: &bos, initial: None, snapshots: &[], want: Want::State };
        let mut read = self.model.mamba.prefill(&[prompt], control)?;
        read.pop().map(|r| r.state).ok_or_else(|| Error::Model("the model returned no state".into()))
    }
}

impl Query {
    /// Complete examples.
    pub(super) fn shots(&self) -> usize {
        self.parsed.shots()
    }
}

/// The index of a skill.
///
/// # Errors
/// [`Error::Input`] if there is none of that id, naming what the task has.
pub(super) fn find(library: &Library, id: &str) -> Result<usize> {
    library.find(id).ok_or_else(|| {
        let task = id.split('/').next().unwrap_or(id);
        let of_task: Vec<&str> = library.skills().iter().filter(|s| s.task == task).map(|s| s.id.as_str()).collect();
        let hint = if of_task.is_empty() { String::new() } else { format!("; its task has {}", of_task.join(", ")) };
        Error::Input(format!("the library has no skill `{id}`{hint}"))
    })
}

/// What a recipe's names stand for, at one query.
pub(crate) struct Mixer<'a> {
    lab: &'a Lab,
    query: Option<&'a Query>,
    view: &'a RankView,
    control: Control<'a>,
    /// Tasks that are as if they were not in the library.
    without: &'a [&'a str],
    /// Whether the best skill is that of the task the evidence puts first.
    by_evidence: bool,
    /// Tasks that evidence is read of; those most similar if none are named.
    among: &'a [String],
    /// The ranking at this query, made once.
    ranked: Mutex<Option<Arc<Ranking>>>,
    /// What the evidence says of the best tasks, likewise.
    evidence: Mutex<Option<Arc<Evidence>>>,
}

impl<'a> Mixer<'a> {
    /// Names at a query; reads and ranks nothing until asked to.
    pub fn new(lab: &'a Lab, query: Option<&'a Query>, view: &'a RankView, control: Control<'a>) -> Self {
        Self {
            lab,
            query,
            view,
            control,
            without: &[],
            by_evidence: false,
            among: &[],
            ranked: Mutex::default(),
            evidence: Mutex::default(),
        }
    }

    /// The same, with evidence read of these tasks alone.
    pub fn among(self, among: &'a [String]) -> Self {
        Self { among, ..self }
    }

    /// The same, with the best skill that of the task the evidence puts first.
    pub fn by_evidence(self) -> Self {
        Self { by_evidence: true, ..self }
    }
}

impl Mixer<'_> {
    /// The skills by similarity to the query.
    pub fn ranking(&self) -> Result<Arc<Ranking>> {
        if let Some(ranking) = &*lock(&self.ranked) {
            return Ok(Arc::clone(ranking));
        }
        let query = self.needed_query()?;
        let read = self.lab.read_for_ranking(query, self.control)?;
        let mut ranking = self.lab.filled_library()?.rank(&read.state, self.view, None)?;
        ranking.leave_out(self.without);
        let ranking = Arc::new(ranking);
        *lock(&self.ranked) = Some(Arc::clone(&ranking));
        Ok(ranking)
    }

    /// What the query's examples say of the best tasks.
    pub fn evidence(&self) -> Result<Arc<Evidence>> {
        if let Some(evidence) = &*lock(&self.evidence) {
            return Ok(Arc::clone(evidence));
        }
        let mut ranking = self.ranking()?;
        if !self.among.is_empty() {
            Arc::make_mut(&mut ranking).by_task.retain(|t| self.among.contains(&t.task));
        }
        let evidence = Arc::new(self.lab.weigh(self.needed_query()?, self.view, &ranking, CANDIDATES, self.control, &mut |_| {})?);
        *lock(&self.evidence) = Some(Arc::clone(&evidence));
        Ok(evidence)
    }

    /// The best skill and its task.
    pub fn best(&self) -> Result<(String, String)> {
        let ranking = self.ranking()?;
        if self.by_evidence
            && let Some(best) = self.evidence()?.tasks.first().filter(|t| t.posterior > 0.0)
        {
            let library = self.lab.library();
            let sound = |s: &&ScoredSkill| s.task == best.task && library.find(&s.skill).is_some_and(|i| library.is_sound(i));
            let skill = ranking.ranking.iter().find(sound).map(|s| s.skill.clone());
            return Ok((skill.unwrap_or_default(), best.task.clone()));
        }
        let library = self.lab.library();
        let sound = |s: &&ScoredSkill| library.find(&s.skill).is_some_and(|i| library.is_sound(i));
        let best = ranking.ranking.iter().find(sound).ok_or_else(|| Error::Library("the library has no skill yet".into()))?;
        Ok((best.skill.clone(), best.task.clone()))
    }

    /// The posterior of these skills and tasks.
    fn weighed(&self, candidates: &[String]) -> Result<Posterior> {
        let query = self.needed_query()?;
        let (read, none) = self.lab.explain(candidates, None, &Heard::of(&query.examples).examples, self.control)?;
        let similarity = self.lab.weighed_similarity(query, self.view, &*self.ranking()?, self.control)?;
        let candidate = |(name, read): (&String, Vec<Explained>)| Candidate {
            explained: Told::of(&read).all,
            similarity: similarity.get(name).copied().map_or(f64::NAN, f64::from),
        };
        let known: Vec<Candidate> = candidates.iter().zip(read).map(candidate).collect();
        Ok(self.lab.library().calibration().posterior(&known, &Told::of(&none).all))
    }

    /// The query.
    pub(crate) fn needed_query(&self) -> Result<&Query> {
        self.query
            .ok_or_else(|| Error::Input("the recipe speaks of the query (`query`, `top(n)` or a similarity), but there is none".into()))
    }
}

impl Resolver for Mixer<'_> {
    fn shape(&self) -> StateShape {
        self.lab.shape()
    }

    fn rates(&self) -> &DecayRates {
        self.lab.model.mamba.rates()
    }

    fn skill(&self, id: &str) -> Result<State> {
        let library = self.lab.library();
        library.state(find(&library, id)?)
    }

    fn weighted(&self, parts: &[(&str, f64)]) -> Result<Option<State>> {
        let library = self.lab.library();
        if parts.iter().any(|(_, weight)| !weight.is_finite()) {
            // The usual way says what is wrong with it.
            return Ok(None);
        }
        let picks = parts.iter().map(|(id, weight)| Ok((find(&library, id)?, *weight))).collect::<Result<Vec<_>>>()?;
        library.weighted(&picks)
    }

    fn task(&self, name: &str) -> Result<Vec<String>> {
        let library = self.lab.library();
        let ids: Vec<String> = library.of_task(name).into_iter().map(|i| library.skills()[i].id.clone()).collect();
        if ids.is_empty() {
            return Err(Error::Input(format!("the library has no task `{name}`")));
        }
        Ok(ids)
    }

    fn query(&self) -> Result<State> {
        let query = self.needed_query()?;
        Ok(self.lab.read(&query.segments, self.control)?.state)
    }

    fn top(&self, n: usize) -> Result<Vec<(String, f32)>> {
        let (ranking, library) = (self.ranking()?, self.lab.library());
        let sound = |s: &&ScoredSkill| library.find(&s.skill).is_some_and(|i| library.is_sound(i));
        Ok(ranking.ranking.iter().filter(sound).take(n).map(|s| (s.skill.clone(), s.score)).collect())
    }

    fn similarity(&self, id: &str) -> Result<f32> {
        let ranking = self.ranking()?;
        let found = ranking.ranking.iter().find(|s| s.skill == id);
        found.map(|s| s.score).ok_or_else(|| Error::Input(format!("the library has no skill `{id}`")))
    }

    fn neutral(&self) -> Result<State> {
        self.lab.neutral(self.control)
    }

    fn top_tasks(&self, n: usize) -> Result<Vec<String>> {
        Ok(self.ranking()?.by_task.iter().take(n).map(|t| t.task.clone()).collect())
    }

    fn posterior(&self, candidates: &[String]) -> Result<Vec<f64>> {
        Ok(self.weighed(candidates)?.of)
    }

    fn explains(&self, candidates: &[String]) -> Result<bool> {
        let shots = self.needed_query()?.shots();
        Ok(shots > 0 && self.weighed(candidates)?.none <= self.lab.library().calibration().gate(shots))
    }

    fn mean_of(&self, task: &str) -> Result<Option<State>> {
        self.lab.task_mean(task).map(Some)
    }

    fn primed(&self, state: State) -> Result<State> {
        let tokens = self.needed_query()?.segments[1..].concat();
        if tokens.is_empty() {
            return Ok(state);
        }
        let prompt = Prompt { tokens: &tokens, initial: Some(&state), snapshots: &[], want: Want::State };
        let mut read = self.lab.model.mamba.prefill(&[prompt], self.control)?;
        read.pop().map(|r| r.state).ok_or_else(|| Error::Model("the model returned no state".into()))
    }

    fn auto(&self) -> Result<Recipe> {
        let auto = &self.evidence()?.auto;
        // Where the soup has no share nothing of it need be mixed.
        Ok(auto.to_recipe().filter(|_| auto.lambda > 0.0).unwrap_or(Recipe::Query))
    }
}
