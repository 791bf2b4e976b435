//! The laboratory: one model and one library. The screen (through the engine's thread) and the
//! command line call the same functions, so they print the same numbers.

use super::decay::Encoded;
use super::evidence::EvidenceReader;
use super::map::Drawn;
use super::reader::QueryReader;
use super::{LibraryView, ModelView, RankView};
use crate::control::{Control, quiet};
use crate::error::{Error, Result};
use crate::library::{BuildSettings, Library, LibraryWriter, Metric, NewLibrary, Part, Ranking, StoredType};
use crate::model::{Bos, LoadOptions, MambaConfig, Model, ModelSource};
use crate::state::{Layout, State};
use crate::task::{SplitSpec, Task, TaskOrigin, Template};
use candle_core::DeviceLocation;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The arguments of [`Lab::open`].
pub struct Setup {
    /// The model.
    pub model: ModelSource,
    /// The device and precision of the model.
    pub load: LoadOptions,
    /// The tokens that every text begins with.
    pub bos: Bos,
    /// The library's folder; `None` for the cache folder of this model and these settings.
    pub library: Option<PathBuf>,
    /// Whether the tasks are a selection. If so, the cache folder differs from that of all tasks.
    pub chosen: bool,
    /// The settings of the library's build.
    pub build: BuildSettings,
    /// The tasks to make skills of.
    pub tasks: Vec<Task>,
}

/// Precision of states on disk: half the bytes of f32, with a relative error of 2⁻¹¹ in each entry.
pub(super) const STORED: StoredType = StoredType::F16;

/// One model and its library.
///
/// ```
/// use state_soup::control::quiet;
/// use state_soup::lab::{Lab, Setup};
/// use state_soup::library::BuildSettings;
/// use state_soup::model::{Bos, LoadOptions, ModelSource, WeightType};
/// use state_soup::soup::Recipe;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// let few = ["antonym", "country_capital"];
/// let lab = quiet(|control| {
///     let lab = Lab::open(
///         Setup {
///             model: ModelSource::Bundled,
///             load: LoadOptions { device: candle_core::Device::Cpu, weights: WeightType::AsStored },
///             bos: Bos::Auto,
///             library: Some(folder.path().to_owned()),
///             chosen: true,
///             build: BuildSettings { shots: 4, sets: 1, ..BuildSettings::default() },
///             tasks: state_soup::task::bundled().iter().filter(|t| few.contains(&t.name.as_str())).cloned().collect(),
///         },
///         control,
///     )?;
///     lab.build(control, &|_| {})?;
///     Ok::<_, state_soup::error::Error>(lab)
/// })?;
/// let ranking = quiet(|control| lab.rank("France -> Paris", &lab.default_view(), control))?;
/// assert_eq!(ranking.by_task[0].task, "country_capital");
///
/// let soup: Recipe = "0.6*antonym/0 + 0.4*country_capital/0".parse()?;
/// let state = quiet(|control| lab.mix(&soup, None, &lab.default_view(), control))?;
/// assert_eq!(state.shape(), lab.shape());
/// # Ok(())
/// # }
/// ```
pub struct Lab {
    pub(super) model: Model,
    pub(super) device: String,
    pub(super) tasks: Vec<Task>,
    pub(super) build: BuildSettings,
    /// Whether the model is the bundled one, whose training data are known.
    bundled: bool,
    library: Mutex<Arc<Library>>,
    /// The writer of the current build, for changes that overtake it. A process takes the library's
    /// lock only once.
    pub(super) writing: Mutex<Weak<Mutex<LibraryWriter>>>,
    pub(super) reader: Mutex<QueryReader>,
    /// What was read of the query's examples from the library's tasks.
    pub(super) evidence: Mutex<EvidenceReader>,
    /// The last ranking for the screen.
    pub(super) last: Mutex<Option<LastRanking>>,
    /// The library ranked last, and the number of times in a row.
    pub(super) ranked: Mutex<(Weak<Library>, u64)>,
    /// The last document of the Decay tab.
    pub(super) document: Mutex<Option<Arc<Encoded>>>,
    /// The map drawn last.
    pub(super) drawn: Mutex<Option<Drawn>>,
}

/// The last ranking, with its inputs besides the view.
pub(super) struct LastRanking {
    pub ranking: Arc<Ranking>,
    /// The tokens read.
    pub segments: Vec<Vec<u32>>,
    pub library: Weak<Library>,
}

/// The tokens that the texts of a folder's library began with; `None` without a library, or if it
/// belongs to another model.
fn built_with(dir: &Path, model: &Model) -> Result<Option<Vec<u32>>> {
    let own = Library::model_of(dir)?.filter(|own| own.fingerprint == model.fingerprint);
    Ok(own.map(|own| own.bos.unwrap_or_else(|| model.special.old_bos.clone())))
}

/// The cache folder of a library whose texts begin with the user's choice. It is a separate folder
/// if that choice differs from what they begin with anyway.
fn own_folder(dir: PathBuf, model: &Model, bos: Bos) -> Result<PathBuf> {
    let there = built_with(&dir, model)?.unwrap_or_else(|| model.special.auto_bos.clone());
    if bos == Bos::Auto || there == model.special.bos {
        return Ok(dir);
    }
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(format!("-bos-{bos}"));
    Ok(dir.with_file_name(name))
}

/// Makes texts begin as those of the library did. If the user requests another beginning, the
/// request is refused.
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

/// Locks even after a panic elsewhere: no change of a guarded value leaves it inconsistent.
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

    /// As [`Lab::open`], but with the library in the folder that `place` returns for the original
    /// one: a copy, for example.
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
        // All skills of a library are built with the same settings. If no settings are requested,
        // the library's own apply; if different ones are requested, they are refused.
        let build = library.settings().clone();
        let asked = BuildSettings { borders: build.borders, ..setup.build.clone() };
        if build != asked && setup.build != BuildSettings::default() {
            return Err(Error::Mismatch(format!(
                "the library in {} was built with {build}, not with {}; leave these flags out, or choose another --library",
                dir.display(),
                setup.build
            )));
        }
        for task in setup.tasks.iter().filter(|t| matches!(t.origin, TaskOrigin::File(_))) {
            task.check(&build.template)?;
        }
        Ok(Self {
            model,
            device,
            tasks: setup.tasks,
            build,
            library: Mutex::new(Arc::new(library)),
            writing: Mutex::default(),
            reader: Mutex::default(),
            evidence: Mutex::default(),
            bundled: setup.model == ModelSource::Bundled,
            last: Mutex::default(),
            ranked: Mutex::default(),
            document: Mutex::default(),
            drawn: Mutex::default(),
        })
    }

    /// The current library. Later changes make a new one.
    pub fn library(&self) -> Arc<Library> {
        Arc::clone(&lock(&self.library))
    }

    /// Opens the library again from its current files, without what was damaged or removed.
    ///
    /// # Errors
    /// Those of [`Library::reopened`].
    pub fn reopen(&self) -> Result<()> {
        self.set_library(self.library().reopened()?);
        Ok(())
    }

    /// Replaces the library, without its damaged skills. Skills that the old one had were checked
    /// before, so only new ones cost time.
    pub(super) fn set_library(&self, library: Library) {
        // This check is never cancelled.
        let _ = quiet(|control| library.look(control));
        *lock(&self.library) = Arc::new(library.without_damaged());
    }

    /// Sizes of the model's states.
    pub fn shape(&self) -> Layout {
        self.model.network.shape()
    }

    /// The model's configuration.
    pub fn config(&self) -> &MambaConfig {
        self.model.config()
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The tasks that skills can be made of.
    pub fn tasks(&self) -> &[Task] {
        &self.tasks
    }

    /// The names of the tasks that the model never saw in training.
    pub fn unseen(&self) -> Vec<String> {
        self.tasks.iter().filter(|t| self.is_unseen(t)).map(|t| t.name.clone()).collect()
    }

    /// Whether the model never saw any of a task in training. This is known only of the bundled
    /// model.
    pub fn is_unseen(&self, task: &Task) -> bool {
        self.bundled && task.unseen
    }

    /// How an example becomes text.
    pub fn template(&self) -> &Template {
        &self.build.template
    }

    /// The model's fingerprint.
    pub fn fingerprint(&self) -> &str {
        &self.model.fingerprint
    }

    /// What was skipped or decided when the model was opened, as sentences.
    pub fn notes(&self) -> &[String] {
        &self.model.notes
    }

    /// When the model was trained, if the model records it.
    pub fn trained(&self) -> Option<&str> {
        self.model.trained.as_deref()
    }

    /// What the screen shows of the model.
    pub fn model_view(&self) -> ModelView {
        ModelView {
            name: self.model.name.clone(),
            fingerprint: self.model.fingerprint.clone(),
            parameters: self.config().parameters(),
            layout: self.shape(),
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

    /// The default view of rankings: cosine over [`RankView::default_layers`].
    pub fn default_view(&self) -> RankView {
        RankView { metric: Metric::Cosine, layers: RankView::default_layers(self.shape().n_layer), part: Part::Ssm }
    }

    /// How tasks are split into test pairs and example sets.
    pub fn split_spec(&self) -> SplitSpec {
        SplitSpec { sets: self.build.sets, shots: self.build.shots, seed: self.build.seed, test_share: self.build.test_share }
    }

    pub(super) fn bos(&self) -> Vec<u32> {
        self.model.tokenizer.bos().to_vec()
    }

    pub(super) fn filled_library(&self) -> Result<Arc<Library>> {
        let library = self.library();
        if library.skills().is_empty() {
            return Err(Error::Library(format!("the library in {} has no skill yet", library.path().display())));
        }
        Ok(library)
    }

    /// The state after only the tokens that begin every text: `h0` of state arithmetic. If there
    /// are none, it is the empty state.
    pub(super) fn neutral(&self, control: Control<'_>) -> Result<State> {
        let bos = self.bos();
        if bos.is_empty() {
            return Ok(State::zeros(self.shape()));
        }
        self.model.network.state_after(&bos, None, control)
    }
}

/// The index of a skill.
///
/// # Errors
/// [`Error::Input`] if no skill has this id; the message lists the skills of its task.
pub(super) fn find(library: &Library, id: &str) -> Result<usize> {
    library.find(id).ok_or_else(|| {
        let task = id.split('/').next().unwrap_or(id);
        let of_task: Vec<&str> = library.skills().iter().filter(|s| s.task == task).map(|s| s.id.as_str()).collect();
        let hint = if of_task.is_empty() { String::new() } else { format!("; its task has {}", of_task.join(", ")) };
        Error::Input(format!("the library has no skill `{id}`{hint}"))
    })
}
