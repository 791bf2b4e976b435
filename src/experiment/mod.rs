//! Measures the claims of State Soup and related methods. Each experiment is a seeded function from
//! a lab to a [`Report`] with computed verdicts.
//!
//! - `retrieval`, `clusters`, `one_shot`, `retrieve_mix`, `unknown`, `optimise`, `cross_task`,
//!   `sequential` (with `exactness` and `permutation`), `documents`, `labels`, `cost` (with
//!   `transformer`), `everyday`, `card`: one file or folder per group of experiments.
//! - `few_shot`: queries of few examples, and soups by their recipes. `compare`: one question, many
//!   states. `group`: trained and unseen tasks apart. States of texts, questions to states and
//!   controls are in `lab::trials`.
//! - `report`, `figure`: what is written. `saved`: reports read back. `live`: partial reports
//!   during a run. Bootstrap and verdicts are in [`crate::stats`].
//!
//! A question is never in a context or a skill of the same run. No number is compared with one of
//! the paper's, because the paper's claims are orderings.

mod card;
mod clusters;
mod compare;
mod cost;
mod cross_task;
mod documents;
mod everyday;
mod few_shot;
mod figure;
mod group;
mod labels;
mod live;
mod one_shot;
pub mod optimise;
mod report;
mod retrieval;
mod retrieve_mix;
mod saved;
mod sequential;
mod transformer;
mod unknown;

pub use figure::{Figure, Heat, Picture};
pub use report::{Finding, Report, Table};
pub use saved::{holds_other_settings, load};

use crate::control::Control;
use crate::error::{Error, Result};
use crate::lab::Lab;
use crate::lab::trials::Trials;
use live::Live;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How much an experiment draws, and from what.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Number of independent draws of example sets.
    pub seeds: usize,
    /// The first seed.
    pub seed: u64,
    /// Questions per task and draw.
    pub per_task: usize,
    /// Number of bootstrap resamples.
    pub resamples: usize,
    /// A file of prose for the experiments on documents; `None` makes documents of the tasks'
    /// examples.
    pub text: Option<PathBuf>,
    /// A file of queries with accepted answers for `everyday`; `None` means the bundled ones.
    pub queries: Option<PathBuf>,
}

impl Settings {
    /// Settings that take minutes on two cores.
    pub fn quick() -> Self {
        Self { seeds: 3, seed: 0, per_task: 2, resamples: 1000, text: None, queries: None }
    }

    /// Settings that take about an hour on two cores.
    pub fn thorough() -> Self {
        Self { per_task: 12, resamples: 4000, ..Self::quick() }
    }

    fn is_quick(&self) -> bool {
        self.per_task <= 2
    }

    /// Number of documents in the experiments on order.
    fn documents(&self) -> usize {
        20 * self.seeds * self.per_task
    }
}

type Run = fn(&Trials<'_>, &Settings, Control<'_>, &mut Live<'_>) -> Result<Report>;

/// An experiment: its name, its question and the function that runs it.
#[derive(Clone, Copy)]
pub struct Experiment {
    /// Its name.
    pub name: &'static str,
    /// The question it answers.
    pub question: &'static str,
    run: Run,
}

/// All experiments, in the order in which `all` runs them.
pub const ALL: &[Experiment] = &[
    Experiment { name: "retrieval", question: "Does a k-shot query find its task's states?", run: retrieval::run },
    Experiment { name: "clusters", question: "Do the layers' states cluster by task?", run: clusters::run },
    Experiment { name: "one-shot-soup", question: "Does the mean of 32 one-shot states match one 32-shot state?", run: one_shot::run },
    Experiment { name: "retrieve-mix", question: "Does adding retrieved states help a query of few examples?", run: retrieve_mix::run },
    Experiment { name: "unknown", question: "What do soups do where the library has no skill of the task?", run: unknown::run },
    Experiment { name: "sequential", question: "Which rule composes ordered chunks best?", run: sequential::run },
    Experiment {
        name: "exactness",
        question: "Is A-decay with halo exact for one layer, and how does its error grow with depth?",
        run: sequential::exactness,
    },
    Experiment { name: "documents", question: "How many documents can be souped without fine-tuning?", run: documents::run },
    Experiment { name: "permutation", question: "Which rules heed the order of chunks?", run: sequential::permutation },
    Experiment { name: "optimise", question: "Do weights chosen by the query's own examples hold on other questions?", run: optimise::run },
    Experiment {
        name: "cross-task",
        question: "Does a mix of two tasks help either, and how does it change along the mix?",
        run: cross_task::run,
    },
    Experiment { name: "labels", question: "Does mixing disjoint example sets add what each lacks?", run: labels::run },
    Experiment { name: "cost", question: "What does a long context cost, and what does retrieving states save?", run: cost::run },
    Experiment { name: "everyday", question: "Do soups answer more of the queries that people type?", run: everyday::run },
    Experiment { name: "card", question: "How accurate is the bundled model on the lab's tasks?", run: card::run },
];

/// Finds the experiment with this name.
///
/// # Errors
/// [`Error::Input`] with all names if there is none.
pub fn find(name: &str) -> Result<Experiment> {
    ALL.iter().copied().find(|e| e.name == name).ok_or_else(|| {
        let names: Vec<&str> = ALL.iter().map(|e| e.name).collect();
        Error::Input(format!("there is no experiment `{name}`; there are all, {}", names.join(", ")))
    })
}

impl Experiment {
    /// Runs the experiment in a lab whose library is built.
    ///
    /// # Errors
    /// [`Error::Library`] for an empty library; [`Error::Input`] if the lab's tasks are too few or
    /// too small; the model's; [`Error::Cancelled`].
    pub fn run(&self, lab: &Lab, settings: &Settings, control: Control<'_>) -> Result<Report> {
        self.measure(lab, settings, control, None)
    }

    /// Runs the experiment and passes partial reports to `partial` at most a few times per second.
    /// A partial report has the tables and figures of the final one over fewer questions, so its
    /// verdicts are provisional. Its `run` is empty. The final report is returned, not passed to
    /// `partial`.
    ///
    /// # Errors
    /// As [`Experiment::run`].
    pub fn stream(&self, lab: &Lab, settings: &Settings, control: Control<'_>, partial: &mut dyn FnMut(&Report)) -> Result<Report> {
        self.measure(lab, settings, control, Some(partial))
    }

    fn measure(&self, lab: &Lab, settings: &Settings, control: Control<'_>, partial: Option<&mut dyn FnMut(&Report)>) -> Result<Report> {
        if lab.library().is_empty() {
            return Err(Error::Library("the experiments need a library; build it first".into()));
        }
        let began = Instant::now();
        let mut live = Live::new(self.name, self.question, partial);
        let mut report = (self.run)(&Trials::new(lab), settings, control, &mut live)?;
        report.name = self.name.into();
        report.question = self.question.into();
        report.run = circumstances(lab, settings);
        report.run.push(("seconds".into(), format!("{:.1}", began.elapsed().as_secs_f64())));
        Ok(report)
    }

    /// The finished report of this experiment in the folder `out`, if its model, library and
    /// settings are the same.
    pub fn done(&self, out: &Path, lab: &Lab, settings: &Settings) -> Option<Report> {
        let report = Report::read(&out.join(self.name)).ok().flatten()?;
        let same = circumstances(lab, settings).into_iter().filter(|(key, _)| ["model", "settings", "library"].contains(&key.as_str()));
        (report.name == self.name && same.into_iter().all(|(key, value)| report.run_value(&key) == Some(&value))).then_some(report)
    }
}

/// The circumstances of a run that a report lists, except its duration.
fn circumstances(lab: &Lab, settings: &Settings) -> Vec<(String, String)> {
    let mut run = vec![
        ("model".into(), format!("{}, fingerprint {}", lab.model_view().name, lab.fingerprint())),
        ("settings".into(), settings.to_string()),
        ("library".into(), lab.library().settings().to_string()),
        ("program".into(), concat!("state-soup ", env!("CARGO_PKG_VERSION")).into()),
    ];
    run.extend(revision().map(|r| ("revision".into(), r)));
    run
}

/// The git revision of this program's source, if the program runs inside the source folder.
fn revision() -> Option<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !std::env::current_exe().ok()?.starts_with(source) {
        return None;
    }
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git").arg("-C").arg(source).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let changed = !git(&["status", "--porcelain", "--untracked-files=no", "--", "src", "Cargo.lock"])?.is_empty();
    Some(format!("{}{}", git(&["rev-parse", "--short=12", "HEAD"])?, if changed { ", with changes" } else { "" }))
}

impl std::fmt::Display for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} draws from seed {}, {} questions a task and draw, {} resamples",
            self.seeds, self.seed, self.per_task, self.resamples
        )?;
        for (what, file) in [("text", &self.text), ("queries", &self.queries)] {
            if let Some(file) = file {
                write!(f, ", {what} {}", file.display())?;
            }
        }
        Ok(())
    }
}
