//! Flags that mean the same in every subcommand, and their parsing.

use super::output;
use crate::control::Control;
use crate::error::{Error, Result, did_you_mean};
use crate::lab::{Lab, RankView, Setup};
use crate::library::{BuildSettings, Metric, Part};
use crate::model::{Bos, LoadOptions, ModelSource, WeightType};
use crate::task::{Task, TaskOrigin};
use candle_core::Device;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{ArgAction, Args};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

/// Flags shared by every subcommand.
#[derive(Args, Debug, Clone, Serialize, Deserialize)]
pub struct Common {
    /// Model: `bundled`, a folder in HF layout, or a hub id such as
    /// `state-spaces/mamba-130m-hf[@revision]`
    #[arg(long, global = true, default_value = "bundled", value_name = "SOURCE")]
    pub model: String,
    /// Where to compute: `auto`, `cpu`, `cuda:0`
    #[arg(long, global = true, default_value = "auto")]
    pub device: String,
    /// How weights are kept in memory
    #[arg(long, global = true, value_parser = one_of(WEIGHTS), default_value = "stored")]
    pub weights: WeightType,
    /// What every text begins with: `auto` (what the model's own tokenizer puts there), `none`, or
    /// a token's number
    #[arg(long, global = true, default_value_t = Bos::Auto, value_name = "BOS")]
    #[serde(default)]
    pub bos: Bos,
    /// Library folder [default: a separate cache folder for each model and set of build settings]
    #[arg(long, global = true, value_name = "DIR")]
    pub library: Option<PathBuf>,
    /// Tasks of your own: a TSV, CSV, JSON or JSONL file, or a folder of them (repeatable)
    #[arg(long, global = true, value_name = "PATH")]
    pub tasks: Vec<PathBuf>,
    /// Leave out the bundled tasks and use your own alone
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set)]
    #[serde(default)]
    pub no_bundled: bool,
    /// Tasks to use, bundled or your own, separated by commas [default: all]
    #[arg(long, global = true, value_name = "TASK", value_delimiter = ',')]
    #[serde(default)]
    pub only: Vec<String>,
    /// How an example becomes text: `arrow` (x -> y), `qa` (Q: x / A: y), or a text with {input}
    /// and {output}
    #[arg(long, global = true, default_value = "arrow")]
    pub template: String,
    /// Examples read for each skill
    #[arg(long, global = true, default_value_t = 32)]
    pub shots: usize,
    /// Skills for each task, from disjoint sets of examples
    #[arg(long, global = true, default_value_t = 3)]
    pub sets: usize,
    /// Seed of all random draws
    #[arg(long, global = true, default_value_t = 0)]
    pub seed: u64,
    /// Layers compared: one (`6`), a range (`4..8`) or `all` [default: from a quarter to two thirds
    /// of the depth]
    #[arg(long, global = true, value_name = "LAYERS")]
    pub layer: Option<String>,
    /// Similarity
    #[arg(long, global = true, value_parser = one_of(METRICS), default_value = "cosine")]
    pub metric: Metric,
    /// Part of the state that is compared
    #[arg(long, global = true, value_parser = one_of(PARTS), default_value = "ssm")]
    pub part: Part,
    /// What the screen looks like
    #[command(flatten)]
    #[serde(skip)]
    pub screen: super::screen::Screen,
    /// Configuration file [default: config.toml in the user's configuration folder, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print one JSON object on stdout
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress on stderr
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Stop if anything given would be left out (a damaged shard, a second output, a task too
    /// small), which is otherwise reported on stderr; `reproduce` always stops
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set)]
    #[serde(default)]
    pub strict: bool,
}

/// What `--weights` takes.
const WEIGHTS: &[Choice<WeightType>] = &[
    ("stored", WeightType::AsStored, "As the file has them"),
    ("f32", WeightType::F32, "32-bit floats"),
    ("f16", WeightType::F16, "IEEE half precision"),
    ("bf16", WeightType::BF16, "bfloat16"),
];

/// What `--metric` takes.
const METRICS: &[Choice<Metric>] = &[
    ("cosine", Metric::Cosine, "Cosine of the raw states (the paper's)"),
    ("l2", Metric::L2, "Minus the Euclidean distance"),
    ("z-cosine", Metric::ZCosine, "Cosine after each entry is centred and scaled over the library"),
];

/// What `--part` takes.
const PARTS: &[Choice<Part>] = &[("ssm", Part::Ssm, "The SSM state"), ("conv", Part::Conv, "The convolution window")];

/// A value of a flag: its name, the value, its help.
type Choice<T> = (&'static str, T, &'static str);

/// Takes one of a few names.
fn one_of<T: Copy + Send + Sync + 'static>(choices: &'static [Choice<T>]) -> impl TypedValueParser<Value = T> {
    let names = choices.iter().map(|(name, _, help)| PossibleValue::new(*name).help(*help));
    PossibleValuesParser::new(names)
        .try_map(|given| choices.iter().find(|(name, ..)| *name == given).map(|(_, value, _)| *value).ok_or("is not known"))
}

impl Common {
    /// Everything a lab is opened with.
    ///
    /// # Errors
    /// [`Error::Input`] for a flag that makes no sense; task files' own errors.
    pub fn setup(&self) -> Result<Setup> {
        let mut own: Vec<Task> = Vec::new();
        for path in &self.tasks {
            own.extend(crate::task::read_path(path)?);
        }
        check_names(&own)?;
        // The user's own task replaces the bundled one of the same name.
        let bundled: &[Task] = if self.no_bundled { &[] } else { crate::task::bundled() };
        let hidden = |t: &&Task| own.iter().any(|o| o.name == t.name);
        let mut tasks: Vec<Task> = bundled.iter().filter(|t| !hidden(t)).cloned().collect();
        tasks.extend(own);
        let names: Vec<&str> = tasks.iter().map(|t| t.name.as_str()).collect();
        if let Some(unknown) = self.only.iter().find(|name| !names.contains(&name.as_str())) {
            let hint = did_you_mean(unknown, names.iter().copied());
            return Err(Error::Input(format!("--only names `{unknown}`, which is not a task here{hint}")));
        }
        if tasks.is_empty() {
            return Err(Error::Input("--no-bundled leaves no task; name your own with --tasks".into()));
        }
        if !self.only.is_empty() {
            tasks.retain(|t| self.only.contains(&t.name));
        }
        if self.shots == 0 || self.sets == 0 {
            return Err(Error::Input("--shots and --sets must be at least 1".into()));
        }
        Ok(Setup {
            model: self.model.parse::<ModelSource>()?,
            load: LoadOptions { device: device(&self.device)?, weights: self.weights },
            bos: self.bos,
            library: self.library.clone(),
            chosen: self.no_bundled || !self.only.is_empty(),
            build: BuildSettings {
                template: self.template.parse()?,
                shots: self.shots,
                sets: self.sets,
                seed: self.seed,
                ..BuildSettings::default()
            },
            tasks,
        })
    }

    /// Opens the lab.
    ///
    /// # Errors
    /// As [`Common::setup`] and [`Lab::open`].
    pub fn open(&self, control: Control<'_>) -> Result<Lab> {
        Lab::open(self.setup()?, control)
    }

    /// Opens the lab, with progress. Reports on standard error what was ignored or decided in the
    /// model's files, and what is left out of the tasks and the library.
    ///
    /// # Errors
    /// As [`Common::open`] and [`Common::tell`].
    pub fn opened(&self) -> Result<Lab> {
        let lab = output::with_progress(self.quiet, "opening", |control| self.open(control))?;
        for note in lab.notes() {
            crate::log::say(format_args!("Note: {note}."));
        }
        let mut notes = self.left_out(&lab);
        if self.strict {
            // Only its hash shows whether a file has changed since it was written.
            let health = output::with_progress(self.quiet, "checking", |control| lab.check(control))?;
            let more: Vec<String> = health.sentences().map(str::to_owned).filter(|s| !notes.contains(s)).collect();
            notes.extend(more);
        }
        self.tell(&notes)?;
        Ok(lab)
    }

    /// Opens the lab and builds what it needs, with progress: what a headless command begins with.
    /// Reports on standard error what could not be built of the user's own tasks, and how many
    /// skills of the bundled tasks the library lacks.
    ///
    /// # Errors
    /// As [`Common::opened`] and [`Lab::build_what_is_needed`].
    pub fn ready(&self) -> Result<Lab> {
        let lab = self.opened()?;
        let (lacks, skipped) = output::with_progress(self.quiet, "building the library", |control| lab.build_what_is_needed(control))?;
        let of_own = |line: &String| lab.tasks().iter().any(|t| t.origin != TaskOrigin::Bundled && line.contains(&format!("`{}`", t.name)));
        let (own, ours): (Vec<String>, Vec<String>) = skipped.into_iter().partition(of_own);
        self.tell(&own)?;
        ours.iter().for_each(crate::log::say);
        if lacks > 0 {
            let lacks = format!("The library lacks {} of the bundled tasks; `state-soup build` adds them.", output::count(lacks, "skill"));
            self.tell(&[lacks])?;
        }
        Ok(lab)
    }

    /// As [`Common::ready`]; also gives how rankings are made there.
    ///
    /// # Errors
    /// As [`Common::ready`] and [`Common::view`].
    pub fn ready_to_rank(&self) -> Result<(Lab, RankView)> {
        let lab = self.ready()?;
        let view = self.view(&lab)?;
        Ok((lab, view))
    }

    /// What is not used of the files given and of the library, or not as one would expect.
    fn left_out(&self, lab: &Lab) -> Vec<String> {
        let own = || lab.tasks().iter().filter(|t| t.origin != TaskOrigin::Bundled);
        let mut notes: Vec<String> = own().flat_map(|t| t.notes.clone()).collect();
        let bundled = if self.no_bundled { &[] } else { crate::task::bundled() };
        let replaced: Vec<&str> = own().map(|t| t.name.as_str()).filter(|name| bundled.iter().any(|t| t.name == *name)).collect();
        if !replaced.is_empty() {
            notes.push(format!("Your own lists replace the bundled ones of these names: {}.", replaced.join(", ")));
        }
        notes.extend(lab.library().warnings());
        notes
    }

    /// Reports on standard error what is left out.
    ///
    /// # Errors
    /// With `--strict`, [`Error::Input`] with the same sentences.
    pub fn tell(&self, notes: &[String]) -> Result<()> {
        if self.strict && !notes.is_empty() {
            return Err(Error::Input(format!("--strict: {}", notes.join(" "))));
        }
        notes.iter().for_each(crate::log::say);
        Ok(())
    }

    /// How rankings are made with this lab's model.
    ///
    /// # Errors
    /// [`Error::Input`] if the layers are not a range of the model's.
    pub fn view(&self, lab: &Lab) -> Result<RankView> {
        let view = lab.default_view();
        let layers = match &self.layer {
            Some(text) => layers(text, lab.shape().n_layer)?,
            None => view.layers,
        };
        Ok(RankView { metric: self.metric, layers, part: self.part })
    }
}

/// No two of the user's tasks may have one name.
fn check_names(own: &[Task]) -> Result<()> {
    let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for task in own {
        by_name.entry(&task.name).or_default().push(&task.source);
    }
    let twice: Vec<String> =
        by_name.iter().filter(|(_, files)| files.len() > 1).map(|(name, files)| format!("`{name}` ({})", files.join(", "))).collect();
    if twice.is_empty() {
        return Ok(());
    }
    Err(Error::Input(format!(
        "a task is named after its file, and these names occur more than once: {}; rename the files",
        twice.join("; ")
    )))
}

/// The device a flag names.
///
/// # Errors
/// [`Error::Input`] if the name is unknown or this build has no such device.
pub fn device(name: &str) -> Result<Device> {
    match name {
        "cpu" => Ok(Device::Cpu),
        "auto" => Ok(Device::new_cuda_with_stream(0).unwrap_or(Device::Cpu)),
        _ => {
            let index = name.strip_prefix("cuda").map(|rest| rest.strip_prefix(':').unwrap_or(if rest.is_empty() { "0" } else { rest }));
            match index.and_then(|i| i.parse().ok()) {
                Some(i) => Device::new_cuda_with_stream(i).map_err(|e| Error::Input(format!("--device {name} cannot be used: {e}"))),
                None => Err(Error::Input(format!("--device is `{name}`; it can be auto, cpu or cuda:0"))),
            }
        }
    }
}

/// Layers from `6`, `4..8` or `all`.
///
/// # Errors
/// [`Error::Input`] if it is none of these or goes beyond the model's layers.
pub fn layers(text: &str, n_layer: usize) -> Result<Range<usize>> {
    let wrong = || {
        Error::Input(format!("--layer is `{text}`; it can be one layer (0 to {}), a range such as `2..{n_layer}`, or `all`", n_layer - 1))
    };
    let range = match text.split_once("..") {
        _ if text == "all" => 0..n_layer,
        Some((from, to)) => {
            let from = if from.is_empty() { 0 } else { from.trim().parse().map_err(|_| wrong())? };
            let to = if to.is_empty() { n_layer } else { to.trim().parse().map_err(|_| wrong())? };
            from..to
        }
        None => {
            let layer: usize = text.trim().parse().map_err(|_| wrong())?;
            layer..layer.checked_add(1).ok_or_else(wrong)?
        }
    };
    if range.is_empty() || range.end > n_layer { Err(wrong()) } else { Ok(range) }
}

/// A query from an argument: the text itself (`\n` for a line break), `@file`, or `-` for
/// standard input.
///
/// # Errors
/// [`Error::Input`] if it is empty, too long or not UTF-8; [`Error::Io`] if the file cannot be
/// read.
pub fn query(argument: &str) -> Result<String> {
    let text = match argument.strip_prefix('@') {
        Some(path) => crate::text::read(path),
        None if argument == "-" => crate::text::read(argument),
        None => crate::text::checked(argument.replace("\\n", "\n").into_bytes(), "the query"),
    };
    text.map_err(|e| match e {
        Error::Input(what) => Error::Input(format!("{what}; a query is a few examples, one a line, such as `hot -> cold`")),
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_one_a_range_or_all() {
        assert_eq!(layers("6", 12).unwrap(), 6..7);
        assert_eq!(layers("4..8", 12).unwrap(), 4..8);
        assert_eq!(layers("..3", 12).unwrap(), 0..3);
        assert_eq!(layers("all", 12).unwrap(), 0..12);
        for wrong in ["12", "8..4", "3..13", "x", "", "18446744073709551615"] {
            let message = layers(wrong, 12).unwrap_err().to_string();
            assert!(message.contains("0 to 11"), "{message}");
        }
    }

    #[test]
    fn queries_come_from_text_and_files() {
        assert_eq!(query("hot -> cold\\nbig ->").unwrap(), "hot -> cold\nbig ->");
        assert!(query("  ").unwrap_err().to_string().contains("is empty"));
        assert!(query(&"x".repeat(crate::text::MAX + 1)).unwrap_err().to_string().contains("longer than 256 KiB"));
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"a -> \xff").unwrap();
        let message = query(&format!("@{}", file.path().display())).unwrap_err().to_string();
        assert!(message.contains("not UTF-8") && message.contains("byte 5"), "{message}");
    }

    #[test]
    fn flags_are_read_as_journals_were_and_are_written() {
        let read = |text: &str| serde_json::from_value::<Metric>(text.into()).unwrap();
        assert_eq!([read("ZCosine"), read("z-cosine")], [Metric::ZCosine; 2]);
        assert_eq!(["Cosine", "L2"].map(read), [Metric::Cosine, Metric::L2]);
        let part = |text: &str| serde_json::from_value::<Part>(text.into()).unwrap();
        assert_eq!(["Ssm", "Conv", "conv"].map(part), [Part::Ssm, Part::Conv, Part::Conv]);
        assert_eq!(serde_json::to_value(WeightType::BF16).unwrap(), "Bf16");
        assert_eq!(serde_json::from_value::<WeightType>("Stored".into()).unwrap(), WeightType::AsStored);
    }

    #[test]
    fn unknown_devices_are_named() {
        assert!(device("tpu").unwrap_err().to_string().contains("auto, cpu or cuda:0"));
        assert!(device("cpu").is_ok());
    }
}
