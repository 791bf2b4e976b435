//! `state-soup config`: where the configuration is and what it says; a complete one to start from;
//! the key table.
//!
//! `--json`: `{ "path", "found", "settings": { name: { "value": [text], "line" } }, "keys": {
//! command: [key] } }`, what the file says.
//!
//! Settings are the flags that every command shares: [`settings`] takes them from the command
//! line's own definition, so a new flag is a setting at once, with its default, its values and its
//! doc.

use super::args::Common;
use super::output;
use crate::app::command::key_table;
use crate::app::keymap::Keymap;
use crate::config::{Config, Given, Setting, template};
use crate::error::{Error, Result};
use clap::{Arg, ArgAction, Command};
use serde_json::{Map, json};
use std::path::Path;

/// Flags that concern a single call, so they are not preferences.
pub(super) const NOT_SETTINGS: [&str; 5] = ["json", "quiet", "config", "help", "version"];

/// Flags of `config`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Print a configuration with every setting, key and colour, its default and what it is for
    #[arg(long, conflicts_with = "keys")]
    print_template: bool,
    /// Print the table of keys in Markdown, with the configured ones
    #[arg(long)]
    keys: bool,
}

/// Prints.
///
/// # Errors
/// [`Error::Io`] if standard output is closed.
pub fn run(common: &Common, args: &Args, command: &Command, config: &Config) -> Result<()> {
    if args.print_template {
        return output::print(&template(&settings(command)));
    }
    if args.keys {
        let keymap = Keymap::new(&config.keys).map_err(Error::Input)?;
        return output::print(&key_table(&keymap));
    }
    if common.json {
        let given = |s: &Given| (s.name.clone(), json!({ "value": s.words, "line": s.line }));
        let settings: Map<_, _> = config.settings.iter().map(given).collect();
        let words = |keys: &[crate::app::Key]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
        let keys: Map<_, _> = config.keys.iter().map(|(id, keys)| (id.clone(), json!(words(keys)))).collect();
        return output::json(&json!({ "path": config.path, "found": config.found, "settings": settings, "keys": keys }));
    }
    let mut text = format!("{}\n", config.path.display());
    if !config.found {
        text.push_str("There is no such file: `state-soup config --print-template` prints one to start from.\n");
    }
    let settings = config.settings.iter().map(|s| (s.name.clone(), s.words.join(", ")));
    let keys = config.keys.iter().map(|(id, keys)| (id.clone(), keys.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(" ")));
    for (name, value) in settings.chain(keys) {
        text.push_str(&format!("{name} = {value}\n"));
    }
    output::print(&text)
}

fn is_setting(arg: &Arg) -> bool {
    arg.is_global_set() && arg.get_long().is_some_and(|long| !NOT_SETTINGS.contains(&long))
}

/// The settings: the flags that all commands share.
pub fn settings(command: &Command) -> Vec<Setting> {
    let words = |arg: &Arg| match arg.get_action() {
        ArgAction::SetTrue => vec!["true".into(), "false".into()],
        _ => arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect(),
    };
    let setting = |arg: &Arg| Setting {
        name: arg.get_long().unwrap_or_default().to_owned(),
        doc: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        default: arg.get_default_values().iter().map(|v| v.to_string_lossy().into_owned()).collect(),
        words: words(arg),
        placeholder: arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default(),
        list: matches!(arg.get_action(), ArgAction::Append),
    };
    command.get_arguments().filter(|a| is_setting(a)).map(setting).collect()
}

/// The command line with the file's values as the defaults of its flags: flags override the file,
/// and the file overrides the defaults.
///
/// # Errors
/// [`Error::Input`] with file and line for a value its flag would refuse.
pub fn with_defaults(command: Command, config: &Config) -> Result<Command> {
    let given = |arg: &Arg| config.settings.iter().find(|s| Some(s.name.as_str()) == arg.get_long());
    for arg in command.get_arguments().filter(|a| is_setting(a)) {
        if let Some(given) = given(arg) {
            check(arg, given, &config.path)?;
        }
    }
    Ok(command.mut_args(|arg| match given(&arg).filter(|_| is_setting(&arg)) {
        Some(given) => arg.default_values(given.words.clone()),
        None => arg,
    }))
}

/// Lets the flag's own parser check the values.
fn check(arg: &Arg, given: &Given, path: &Path) -> Result<()> {
    // Words of a switch were compared already; it takes no value on the command line.
    if matches!(arg.get_action(), ArgAction::SetTrue) {
        return Ok(());
    }
    let flags = given.words.iter().map(|word| format!("--{}={word}", given.name));
    let parsed = Command::new("config").arg(arg.clone()).try_get_matches_from(std::iter::once("config".to_owned()).chain(flags));
    parsed.map(drop).map_err(|error| {
        let reason = std::error::Error::source(&error).map_or_else(|| error.kind().to_string(), ToString::to_string);
        Error::Input(format!("{}, line {}: `{}` cannot be `{}`: {reason}", path.display(), given.line, given.name, given.words.join(", ")))
    })
}
