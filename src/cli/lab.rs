//! No subcommand: the terminal.

use super::args::{self, Common};
use super::{output, replay};
use crate::app::instrument::sides::Snapshot;
use crate::app::{ColourDepth, EngineHandle, Options, screen};
use crate::config::Config;
use crate::engine::{Engine, Job, JobKind, opener_on};
use crate::error::{Error, Result};
use crate::lab::{RankView, Setup};
use crate::library::Copies;
use crate::session::journal::{self, Header, Journal, Read};
use crate::session::snapshots::{self, Keeper};
use crate::term::{self, Files, Left, Then, caps::Environment};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The value that means the last journal.
const LAST: &str = "last";

/// Flags of the lab.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Resume a sitting where it was left: the last one, or that of a journal
    #[arg(long, value_name = "JOURNAL", num_args = 0..=1, default_missing_value = LAST)]
    resume: Option<PathBuf>,
    /// Keep no journal of what is done
    #[arg(long, conflicts_with = "resume")]
    no_journal: bool,
    /// Record what the terminal shows to a new file (asciicast)
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Draw for an audience: fewer panes, larger figures, keys shown
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

/// Opens the lab, and whatever the user goes to from there; then one line says where the journal
/// is.
///
/// # Errors
/// Flags that make no sense, a journal that cannot be resumed, a terminal that cannot be used.
pub fn run(common: &Common, config: &Config, args: &Args) -> Result<()> {
    let mut passed = Vec::new();
    let journal = match &args.resume {
        None => None,
        Some(path) if path.as_os_str() != LAST => Some(path.clone()),
        Some(_) => {
            let folder = journal::folder()?;
            let (newest, empty) = journal::newest(&folder);
            passed = empty;
            let none = || Error::Input(format!("there is nothing to resume: {} holds no journal", folder.display()));
            Some(newest.ok_or_else(none)?)
        }
    };
    let left = match &journal {
        Some(path) => resume(common, config, path, &passed, args.record.clone(), args.present)?,
        None => begin(common, config, args)?,
    };
    go_on(common, config, left, args.present)
}

/// What comes after the lab was left, until the user leaves for good.
///
/// # Errors
/// As [`run`].
pub fn go_on(common: &Common, config: &Config, mut left: Left, present: bool) -> Result<()> {
    loop {
        // Only the first part is recorded: a recording is one file.
        left = match &left.then {
            Then::End => break,
            Then::Resume(path) => resume(common, config, path, &[], None, present)?,
            Then::Play(path) => replay::play_journal(common, config, path, present)?,
        };
    }
    let told = match left.journal {
        Some(path) => output::print(&format!("The journal is in {}; `state-soup --resume` resumes it.\n", path.display())),
        None => Ok(()),
    };
    // After a hang-up there is nobody to read it.
    left.signal.map_or(told, |raw| Err(term::signals::ended_by(raw)))
}

/// Where reports of experiments go.
const RESULTS: &str = "results";
const NOT_KEPT: &str = "What is done from here on is not recorded.";

fn begin(common: &Common, config: &Config, args: &Args) -> Result<Left> {
    let mut files = Files { record: args.record.clone(), ..Files::default() };
    if !args.no_journal {
        let settings = serde_json::to_value(common).map_err(|e| Error::Input(format!("the settings cannot be written: {e}")))?;
        let results = std::path::absolute(RESULTS).ok();
        let header = Header { results, ..Header::new(&common.model, settings) };
        let complain = files.complaints.sender(NOT_KEPT);
        match journal::folder() {
            Ok(folder) => files.journal = Some(Journal::create(&folder, &header, complain)?),
            Err(error) => complain(error),
        }
    }
    open(common, config, files, None, |options| (options.present, options.evidence) = (args.present, true))
}

/// Resumes a sitting, with its own settings except for the device.
fn resume(common: &Common, config: &Config, path: &Path, passed: &[String], record: Option<PathBuf>, present: bool) -> Result<Left> {
    let mut files = Files { record, ..Files::default() };
    passed.iter().for_each(|sentence| files.complaints.say(format!("{sentence}.")));
    let (journal, read) = Journal::append(path, files.complaints.sender(NOT_KEPT))?;
    files.journal = Some(journal);
    let settings = settings(common, path, &read)?;
    open(&settings, config, files, None, |options| {
        (options.evidence, options.present) = (read.header.evidence, present);
        options.resume = Some(read.resume());
        options.results = read.header.results.clone().or(options.results.take());
    })
}

/// What a sitting's lab was opened with, on the present device and screen and with the present
/// output.
///
/// # Errors
/// [`Error::Input`] if it cannot be read.
pub fn settings(common: &Common, path: &Path, read: &Read) -> Result<Common> {
    let wrong = |e| Error::Input(format!("{}: its settings cannot be read: {e}", path.display()));
    let settings: Common = serde_json::from_value(read.header.settings.clone()).map_err(wrong)?;
    let Common { device, screen, config, json, quiet, .. } = common.clone();
    Ok(Common { device, screen, config, json, quiet, ..settings })
}

/// Opens the lab, on a copy of its library if there is a place for one. The first frame does not
/// wait for the model: it loads on the engine's thread.
///
/// # Errors
/// Flags that make no sense, a terminal that cannot be used.
pub fn open(common: &Common, config: &Config, mut files: Files, copies: Option<Copies>, adapt: impl FnOnce(&mut Options)) -> Result<Left> {
    let setup = common.setup()?;
    let environment = Environment::of(|name| std::env::var(name).ok());
    let (look, background_known) = common.screen.look(&environment);
    let mut options = Options {
        look,
        screen: screen::Screen { mouse: common.screen.mouse, low_bandwidth: common.screen.low_bandwidth, ..screen::Screen::default() },
        palette: config.palette.clone(),
        keys: config.keys.clone(),
        results: Some(RESULTS.into()),
        journal: files.journal.as_ref().map(|j| j.path().display().to_string()),
        ..options(common, &setup)?
    };
    options.snapshots = keep_snapshots(&mut files);
    adapt(&mut options);
    let ask_background = !background_known && look.depth != ColourDepth::Mono && environment.may_be_asked();
    let (send, events) = mpsc::unbounded_channel();
    let tell = Arc::new(move |event| {
        // This fails only after the loop has ended; nothing is lost, as the engine ends next.
        let _ = send.send(event);
    });
    let engine = Engine::start(opener_on(setup, copies), tell)?;
    term::run(options, ask_background, files, Handle(engine), events)
}

/// The snapshots of earlier sittings, beside which those of this one are kept; `None`, and a
/// complaint, if that cannot be done.
fn keep_snapshots(files: &mut Files) -> Option<Vec<Snapshot>> {
    let complain = files.complaints.sender("Snapshots of soups are not kept beyond this sitting.");
    let failed = files.complaints.sender("The snapshots are as they were on disk.");
    let opened = snapshots::file().and_then(|path| Ok((snapshots::read(&path)?, Keeper::start(path, failed)?)));
    match opened {
        Ok((list, keeper)) => {
            files.snapshots = Some(keeper);
            Some(list)
        }
        Err(error) => {
            complain(error);
            None
        }
    }
}

/// What the flags say about the screen.
///
/// # Errors
/// [`crate::error::Error::Input`] if `--layer` does not name layers.
pub fn options(common: &Common, setup: &Setup) -> Result<Options> {
    // The model's layers are not known yet; the screen cuts the range to them when they are.
    let layers = common.layer.as_ref().map_or(Ok(0..0), |text| args::layers(text, usize::MAX))?;
    Ok(Options {
        template: setup.build.template.clone(),
        seed: common.seed,
        view: RankView { metric: common.metric, layers, part: common.part },
        ..Options::default()
    })
}
