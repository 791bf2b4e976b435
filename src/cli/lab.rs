//! No subcommand: the terminal.

use super::args::{self, Common};
use super::{output, replay};
use crate::app::{EngineHandle, Options};
use crate::engine::{Engine, Job, JobKind, RankView, Setup, opener};
use crate::error::{Error, Result};
use crate::session::journal::{self, Header, Journal, Read};
use crate::term::{self, Files, Left, Then};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Flags of the lab.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Go on where a sitting was left: the last one, or that of a journal
    #[arg(long, value_name = "JOURNAL", num_args = 0..=1)]
    resume: Option<Option<PathBuf>>,
    /// Do not write down what is done
    #[arg(long, conflicts_with = "resume")]
    no_journal: bool,
    /// Record what the terminal shows to a new file (asciicast)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Draw for an audience: fewer panes, larger figures, keys told
    #[arg(long)]
    present: bool,
}

impl Args {
    /// A flag that was given, if one was.
    pub fn given(&self) -> Option<&'static str> {
        let flags = [
            (self.resume.is_some(), "--resume"),
            (self.no_journal, "--no-journal"),
            (self.record.is_some(), "--record"),
            (self.present, "--present"),
        ];
        flags.into_iter().find_map(|(given, name)| given.then_some(name))
    }
}

/// The engine as the terminal's loop sees it.
struct Handle(Engine);

impl EngineHandle for Handle {
    fn send(&self, job: Job) {
        self.0.send(job);
    }

    fn cancel(&self, kind: JobKind) {
        self.0.cancel(kind);
    }
}

/// Opens the lab, and whatever the user goes to from there; then one line says where the journal is.
///
/// # Errors
/// Flags that make no sense, a journal that cannot be resumed, a terminal that cannot be used.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let journal = match &args.resume {
        None => None,
        Some(Some(path)) => Some(path.clone()),
        Some(None) => {
            let folder = journal::folder()?;
            let none = || Error::Input(format!("there is nothing to go on with: {} holds no journal", folder.display()));
            Some(journal::files(&folder).into_iter().next().ok_or_else(none)?)
        }
    };
    let left = match &journal {
        Some(path) => resume(common, path, args.record.clone(), args.present)?,
        None => begin(common, args)?,
    };
    go_on(common, left, args.present)
}

/// What comes after the lab was left, until the user leaves for good.
///
/// # Errors
/// As [`run`].
pub fn go_on(common: &Common, mut left: Left, present: bool) -> Result<()> {
    loop {
        // Only the first part is recorded: a recording is one file.
        left = match &left.then {
            Then::End => break,
            Then::Resume(path) => resume(common, path, None, present)?,
            Then::Play(path) => replay::play_journal(common, path, present)?,
        };
    }
    match left.journal {
        Some(path) => output::print(&format!("The journal is in {}; `state-soup --resume` goes on with it.\n", path.display())),
        None => Ok(()),
    }
}

const NOT_KEPT: &str = "What is done from here on is not written down.";

fn begin(common: &Common, args: &Args) -> Result<Left> {
    let mut files = Files { record: args.record.clone(), ..Files::default() };
    if !args.no_journal {
        let settings = serde_json::to_value(common).map_err(|e| Error::Input(format!("the settings cannot be written: {e}")))?;
        let header = Header::new(&common.model, settings);
        let complain = files.complaints.sender(NOT_KEPT);
        match journal::folder() {
            Ok(folder) => files.journal = Some(Journal::create(&folder, &header, complain)?),
            Err(error) => complain(error),
        }
    }
    open(common, files, |options| options.present = args.present)
}

/// Goes on with a sitting: its settings are its own, but for the device.
fn resume(common: &Common, path: &Path, record: Option<PathBuf>, present: bool) -> Result<Left> {
    let mut files = Files { record, ..Files::default() };
    let (journal, read) = Journal::append(path, files.complaints.sender(NOT_KEPT))?;
    files.journal = Some(journal);
    open(&settings(common, path, &read)?, files, |options| (options.resume, options.present) = (Some(read.resume()), present))
}

/// What a sitting's lab was opened with, on the present device and with the present output.
///
/// # Errors
/// [`Error::Input`] if it cannot be read.
pub fn settings(common: &Common, path: &Path, read: &Read) -> Result<Common> {
    let wrong = |e| Error::Input(format!("{}: its settings cannot be read: {e}", path.display()));
    let settings: Common = serde_json::from_value(read.header.settings.clone()).map_err(wrong)?;
    Ok(Common { device: common.device.clone(), json: common.json, quiet: common.quiet, ..settings })
}

/// Opens the lab. The first frame does not wait for the model: it loads on the engine's thread.
///
/// # Errors
/// Flags that make no sense, a terminal that cannot be used.
pub fn open(common: &Common, files: Files, adapt: impl FnOnce(&mut Options)) -> Result<Left> {
    let setup = common.setup()?;
    let mut options = Options {
        look: term::caps::detect(|name| std::env::var(name).ok()),
        results: Some("results".into()),
        journal: files.journal.as_ref().map(|j| j.path().display().to_string()),
        ..options(common, &setup)?
    };
    adapt(&mut options);
    let (send, events) = mpsc::unbounded_channel();
    let tell = Arc::new(move |event| {
        // After the loop has ended nobody listens, and nothing is lost: the engine ends next.
        let _ = send.send(event);
    });
    let engine = Engine::start(opener(setup), tell)?;
    term::run(options, files, Handle(engine), events)
}

/// What the flags say of the screen.
///
/// # Errors
/// [`crate::error::Error::Input`] for layers that are none.
pub fn options(common: &Common, setup: &Setup) -> Result<Options> {
    // The model's layers are not known yet; the screen cuts the range to them when they are.
    let layers = common.layer.as_ref().map_or(Ok(0..0), |text| args::layers(text, usize::MAX))?;
    Ok(Options {
        template: setup.build.template.clone(),
        view: RankView { metric: common.metric.into(), layers, part: common.part.into() },
        ..Options::default()
    })
}
