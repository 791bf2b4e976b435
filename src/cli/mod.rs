//! The command line: one file a subcommand, the flags they share, and where a query comes from.
//!
//! - [`args`]: flags and their parsing.
//! - [`output`]: progress on stderr, tables and JSON on stdout.
//! - [`screen`]: flags of the screen and the terminal's look.
//! - `build`, `rank`, `mix`, `ask`, `recipes`, `map`, `decay`, `instrument`, `inspect`, `doctor`,
//!   `optimise`, `reproduce`, `replay`, `bench`, `config`, `guide`: one subcommand each; its module
//!   docs give the schema of its `--json`.
//! - `lab`: no subcommand: the terminal.
//!
//! Exit codes: 0 done, 1 unexpected or an expectation of a session that does not hold, 2 bad input,
//! 3 model, 4 library, 5 things that do not belong together, 6 network, 74 files, 130 cancelled,
//! 128 and its number for a signal.

mod args;
mod ask;
mod bench;
mod build;
mod config;
mod decay;
mod doctor;
mod guide;
mod inspect;
mod instrument;
mod lab;
mod map;
mod mix;
mod optimise;
mod output;
mod rank;
mod recipes;
mod replay;
mod reproduce;
mod screen;
mod speed;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::text::{is_obeyed, visible};
use args::Common;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;

/// A terminal laboratory for state soups: in-context skills kept as Mamba states, retrieved by
/// similarity, mixed by linear algebra.
#[derive(Parser, Debug)]
#[command(name = "state-soup", version, after_help = EXAMPLES, arg_required_else_help = false)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    lab: lab::Args,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  state-soup                                       open the lab
  state-soup --resume                              go on where you were
  state-soup rank 'hot -> cold'                    which skill does this call for?
  state-soup ask 'lunch -> lunch?\\nhouse ->'       what do the query, the best skill and their soup answer?
  state-soup ask 'hot -> cold\\nbig ->' --soup 'mean(antonym)'
  state-soup mix '0.6*antonym/0 + 0.4*antonym/1' --out soup.safetensors
  echo 'France -> Paris' | state-soup rank - --json
  state-soup --model state-spaces/mamba-130m-hf doctor";

#[derive(Subcommand, Debug)]
enum Command {
    /// Build the library of skills, or finish one that was interrupted.
    Build(build::Args),
    /// Rank the skills for a few-shot query.
    Rank(rank::Args),
    /// Evaluate a recipe and save the state it yields.
    Mix(mix::Args),
    /// Answer a query from several states side by side.
    Ask(ask::Args),
    /// Show what recipes can say: a line on each rule, or one rule's formula.
    Recipes(recipes::Args),
    /// Project the library's states at one layer to two dimensions.
    Map(map::Args),
    /// Compose the chunks of a document by every rule and compare how each predicts what follows.
    Decay(decay::Args),
    /// Read an instrument of the lab: skill ECG, landscape, attribution, verdict, autopsy.
    Instrument(instrument::Args),
    /// Show the library, one skill, or a saved state file.
    Inspect(inspect::Args),
    /// Choose the weights of a soup by a query's own examples, and measure what that gains on
    /// others.
    Optimise(optimise::Args),
    /// Measure the claims of the literature: retrieval, mixing, order, with intervals and verdicts.
    Reproduce(reproduce::Args),
    /// Play a session file on the terminal, or without one, and check what it expects.
    Replay(replay::Args),
    /// Check the model, the library, the machine and the terminal.
    Doctor(doctor::Args),
    /// Measure the speed of this model and library on this machine.
    Bench(bench::Args),
    /// Show the configuration, print one to start from, or the table of keys.
    Config(config::Args),
    /// Read the guide: a list of its pages, or one page.
    Guide(guide::Args),
}

/// Parses the process's arguments and does what they say.
///
/// # Errors
/// Whatever went wrong, as a sentence for the user; see [`crate::error::Error::exit_code`].
pub fn run() -> Result<()> {
    let (Cli { common, lab, command }, config) = parse()?;
    if let (Some(flag), Some(_)) = (lab.given(), &command) {
        return Err(Error::Input(format!("{flag} is for the lab itself; leave it out, or the command after it")));
    }
    crate::log::start(common.screen.log.as_deref())?;
    crate::log::install_panic_hook();
    if let Err(error) = crate::library::fault::install(crate::term::tui::give_back_at_once) {
        tracing::warn!("a file that is cut short while it is read will end the program without a message: {error}");
    }
    tracing::info!("state-soup {}: {}", env!("CARGO_PKG_VERSION"), command.as_ref().map_or("lab".into(), |c| format!("{c:?}")));
    match command {
        None => lab::run(&common, &config, &lab),
        Some(Command::Build(args)) => build::run(&common, &args),
        Some(Command::Rank(args)) => rank::run(&common, &args),
        Some(Command::Mix(args)) => mix::run(&common, &args),
        Some(Command::Ask(args)) => ask::run(&common, &args),
        Some(Command::Recipes(args)) => recipes::run(&common, &args),
        Some(Command::Map(args)) => map::run(&common, &args),
        Some(Command::Decay(args)) => decay::run(&common, &args),
        Some(Command::Instrument(args)) => instrument::run(&common, &args),
        Some(Command::Inspect(args)) => inspect::run(&common, &args),
        Some(Command::Optimise(args)) => optimise::run(&common, &args),
        Some(Command::Reproduce(args)) => reproduce::run(&common, &args),
        Some(Command::Replay(args)) => replay::run(&common, &config, &args),
        Some(Command::Doctor(args)) => doctor::run(&common, &args, &config),
        Some(Command::Bench(args)) => bench::run(&common, &args),
        Some(Command::Config(args)) => config::run(&common, &args, &Cli::command(), &config),
        Some(Command::Guide(args)) => guide::run(&common, &args),
    }
}

/// The process's arguments, over what the configuration file says. They are read without it first:
/// `--help`, a wrong flag and `--config` itself come before a file that may be wrong.
fn parse() -> Result<(Cli, Config)> {
    let cli = from_words()?;
    let config = Config::load(cli.common.config.as_deref(), &config::settings(&Cli::command()))?;
    if config.settings.is_empty() {
        return Ok((cli, config));
    }
    let matches = config::with_defaults(Cli::command(), &config)?.get_matches_from(words());
    Ok((Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit()), config))
}

/// The process's arguments.
fn words() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

/// Reads the arguments, or prints clap's answer (help, a refusal) and ends. What a refusal quotes
/// of them is shown, not obeyed.
fn from_words() -> Result<Cli> {
    let refused = match Cli::try_parse() {
        Ok(cli) => return Ok(cli),
        Err(refused) => refused,
    };
    if words().all(|word| !word.to_string_lossy().contains(is_obeyed)) {
        refused.exit();
    }
    // The same words, harmless, are refused for the same reason. (Were they not, the words
    // themselves would still be wrong.)
    let harmless = words().map(|word| visible(&word.to_string_lossy()).into_owned());
    match Cli::try_parse_from(harmless) {
        Err(refused) => refused.exit(),
        Ok(_) => Err(Error::Input("an argument holds control characters where none are allowed".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::template;
    use std::path::PathBuf;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    fn parsed(config: &str, words: &[&str]) -> Cli {
        let config = Config::parse(config, PathBuf::from("config.toml"), &config::settings(&Cli::command())).unwrap();
        let command = config::with_defaults(Cli::command(), &config).unwrap();
        Cli::from_arg_matches(&command.try_get_matches_from(["state-soup"].iter().chain(words)).unwrap()).unwrap()
    }

    #[test]
    fn flags_go_before_the_file_and_the_file_before_the_defaults() {
        let file = "metric = 'l2'\nshots = 4\ntasks = ['a', 'b']\nlibrary = 'here'\nlayer = 3\n";
        let cli = parsed(file, &["rank", "x", "--shots", "8"]);
        assert_eq!((cli.common.metric, cli.common.shots, cli.common.sets), (crate::library::Metric::L2, 8, 3));
        assert_eq!(cli.common.tasks, [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!((cli.common.library, cli.common.layer.as_deref()), (Some(PathBuf::from("here")), Some("3")));
        let cli = parsed(file, &["--tasks", "c", "--metric", "cosine"]);
        assert_eq!((cli.common.metric, cli.common.tasks), (crate::library::Metric::Cosine, vec![PathBuf::from("c")]));
    }

    #[test]
    fn values_that_a_flag_refuses_are_refused_with_their_line() {
        let config = Config::parse("\nshots = -1", "config.toml".into(), &config::settings(&Cli::command())).unwrap();
        let message = config::with_defaults(Cli::command(), &config).unwrap_err().to_string();
        assert!(message.starts_with("config.toml, line 2: `shots` cannot be `-1`: "), "{message}");
    }

    #[test]
    fn the_template_of_the_real_settings_is_a_configuration() {
        let known = config::settings(&Cli::command());
        assert!(known.iter().any(|s| s.name == "model") && known.iter().any(|s| s.name == "glyphs"));
        assert!(known.iter().all(|s| !s.doc.is_empty() && !config::NOT_SETTINGS.contains(&s.name.as_str())));
        let text = template(&known);
        let taken: String =
            text.lines().map(|l| format!("{}\n", if l.starts_with("# ") { l } else { l.trim_start_matches('#') })).collect();
        let config = Config::parse(&taken, "config.toml".into(), &known).unwrap();
        assert_eq!(config.settings.len(), known.len());
        config::with_defaults(Cli::command(), &config).unwrap();
    }
}
