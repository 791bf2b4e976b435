//! The command line: one file a subcommand, the flags they share, and where a query comes from.
//!
//! - [`args`]: flags and their parsing.
//! - [`output`]: progress on stderr, tables and JSON on stdout.
//! - `build`, `rank`, `mix`, `ask`, `map`, `decay`, `inspect`, `doctor`, `reproduce`, `replay`: one subcommand each; its module docs give the schema of its `--json`.
//! - `lab`: no subcommand: the terminal.
//!
//! Exit codes: 0 done, 1 unexpected or an expectation of a session that does not hold, 2 bad input, 3 model, 4 library, 5 things that do not belong together, 6 network, 74 files, 130 cancelled.

mod args;
mod ask;
mod build;
mod decay;
mod doctor;
mod inspect;
mod lab;
mod map;
mod mix;
mod output;
mod rank;
mod replay;
mod reproduce;

use crate::error::Result;
use args::Common;
use clap::{Parser, Subcommand};

/// A terminal laboratory for state soups: in-context skills kept as Mamba states, retrieved by similarity, mixed by linear algebra.
#[derive(Parser, Debug)]
#[command(name = "state-soup", version, after_help = EXAMPLES, arg_required_else_help = false)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

const EXAMPLES: &str = "\
Examples:
  state-soup                                       open the lab
  state-soup rank 'hot -> cold'                    which skill does this call for?
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
    /// Project the library's states at one layer to two dimensions.
    Map(map::Args),
    /// Compose the chunks of a document by every rule and compare how each predicts what follows.
    Decay(decay::Args),
    /// Show the library, one skill, or a saved state file.
    Inspect(inspect::Args),
    /// Measure the claims of the literature: retrieval, mixing, order, with intervals and verdicts.
    Reproduce(reproduce::Args),
    /// Play a session file without a terminal and check what it expects.
    Replay(replay::Args),
    /// Check the model, the library, the machine and the terminal.
    Doctor(doctor::Args),
}

/// Parses the process's arguments and does what they say.
///
/// # Errors
/// Whatever went wrong, as a sentence for the user; see [`crate::error::Error::exit_code`].
pub fn run() -> Result<()> {
    let Cli { common, command } = Cli::parse();
    match command {
        None => lab::run(&common),
        Some(Command::Build(args)) => build::run(&common, &args),
        Some(Command::Rank(args)) => rank::run(&common, &args),
        Some(Command::Mix(args)) => mix::run(&common, &args),
        Some(Command::Ask(args)) => ask::run(&common, &args),
        Some(Command::Map(args)) => map::run(&common, &args),
        Some(Command::Decay(args)) => decay::run(&common, &args),
        Some(Command::Inspect(args)) => inspect::run(&common, &args),
        Some(Command::Reproduce(args)) => reproduce::run(&common, &args),
        Some(Command::Replay(args)) => replay::run(&common, &args),
        Some(Command::Doctor(args)) => doctor::run(&common, &args),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
