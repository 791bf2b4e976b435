//! `state-soup guide`: the pages of the guide.
//!
//! On a terminal a page is wrapped and its headings are bold; into a pipe goes the Markdown as it
//! is.
//!
//! `--json`: `[{ "topic", "title" }]`, or of one page `{ "topic", "title", "text" }`.

use super::args::Common;
use super::output;
use crate::error::Result;
use crate::guide::{self, Face, Piece, TOPICS};
use crate::text::visible;
use serde_json::json;
use std::io::IsTerminal;

/// The widest line of a page on a terminal, in columns.
const WIDEST: u16 = 100;

/// Flags of `guide`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A page, such as `recipes` [default: the list of pages]
    topic: Option<String>,
}

/// Prints.
///
/// # Errors
/// [`Input`](crate::error::Error::Input) if there is no such page.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let Some(name) = &args.topic else {
        if common.json {
            return output::json(&TOPICS.iter().map(|t| json!({ "topic": t.name, "title": t.title() })).collect::<Vec<_>>());
        }
        let rows: Vec<Vec<String>> = TOPICS.iter().map(|t| vec![t.name.into(), t.title().into()]).collect();
        return output::print(&format!("{}\n`state-soup guide TOPIC` shows a page.\n", output::table(&["topic", "about"], &rows)));
    };
    let page = guide::topic(name)?;
    if common.json {
        return output::json(&json!({ "topic": page.name, "title": page.title(), "text": page.text }));
    }
    if !std::io::stdout().is_terminal() {
        return output::print(page.text);
    }
    let columns = crossterm::terminal::size().map_or(80, |(columns, _)| columns.min(WIDEST));
    output::styled(&styled(&guide::lines(page.text, usize::from(columns)), std::env::var_os("TERM").is_none_or(|t| t == "dumb")))
}

/// Lines for a terminal: headings and strong text in bold. `plain`: without escape sequences.
fn styled(lines: &[Vec<Piece>], plain: bool) -> String {
    let mut out = String::new();
    for line in lines {
        for piece in line {
            let text = visible(&piece.text);
            match piece.face {
                Face::Heading | Face::Strong if !plain => out.push_str(&format!("\x1b[1m{text}\x1b[0m")),
                _ => out.push_str(&text),
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::command::key_page;
    use crate::app::keymap::Keymap;
    use crate::soup::PAGES;
    use clap::{Arg, ArgAction, Command, CommandFactory};
    use std::fmt::Write as _;
    use std::path::Path;

    #[test]
    fn headings_are_bold_and_nothing_else_is_obeyed() {
        let lines = guide::lines("# T\n\na `b` **c** \u{1b}[31m", 40);
        assert_eq!(styled(&lines, false), "\u{1b}[1mT\u{1b}[0m\n\na `b` \u{1b}[1mc\u{1b}[0m \\u{1b}[31m\n");
        assert_eq!(styled(&lines, true), "T\n\na `b` c \\u{1b}[31m\n");
    }

    /// A flag or an argument: how it is written, what it does, its values and its default.
    fn flag(page: &mut String, arg: &Arg) {
        let value = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
        let takes = matches!(arg.get_action(), ArgAction::Set | ArgAction::Append);
        let optional = arg.get_num_args().is_some_and(|n| n.min_values() == 0);
        let written = match arg.get_long() {
            None => value,
            Some(long) if optional => format!("--{long}[={value}]"),
            Some(long) if takes => format!("--{long} {value}"),
            Some(long) => format!("--{long}"),
        };
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('\n', " ");
        let _ = write!(page, "- `{written}`: {help}");
        let words: Vec<String> = arg.get_possible_values().iter().map(|v| format!("`{}`", v.get_name())).collect();
        if takes && !words.is_empty() && !optional {
            let _ = write!(page, "; one of {}", words.join(", "));
        }
        let default: Vec<_> = arg.get_default_values().iter().map(|v| v.to_string_lossy()).collect();
        if takes && !default.is_empty() && !optional {
            let _ = write!(page, " (default `{}`)", default.join(","));
        }
        page.push_str(".\n");
    }

    fn flags<'a>(page: &mut String, args: impl Iterator<Item = &'a Arg>) {
        for arg in args.filter(|a| !a.is_hide_set() && !["help", "version"].contains(&a.get_id().as_str())) {
            flag(page, arg);
        }
    }

    fn command(page: &mut String, path: &str, command: &Command) {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = write!(page, "\n## {path}\n\n{about}.\n");
        let mut own = String::new();
        flags(&mut own, command.get_arguments().filter(|a| !a.is_global_set()));
        if !own.is_empty() {
            let _ = write!(page, "\n{own}");
        }
        for sub in command.get_subcommands().filter(|s| s.get_name() != "help" && !s.is_hide_set()) {
            self::command(page, &format!("{path} {}", sub.get_name()), sub);
        }
    }

    /// The page of the command line, from its own definition.
    fn cli_page() -> String {
        let root = crate::cli::Cli::command();
        let mut page = String::from(
            "# The command line, flag by flag\n\n<!-- Generated: UPDATE_GUIDE=1 cargo test --lib guide -->\n\n`state-soup` alone opens the lab. \
             `state-soup COMMAND` works without a terminal\nand prints a table, or one JSON object with `--json`.\n\n## Flags of every command\n\n",
        );
        flags(&mut page, root.get_arguments().filter(|a| a.is_global_set()));
        page.push_str("\n## Flags of the lab\n\n");
        flags(&mut page, root.get_arguments().filter(|a| !a.is_global_set()));
        for sub in root.get_subcommands().filter(|s| s.get_name() != "help") {
            command(&mut page, &format!("state-soup {}", sub.get_name()), sub);
        }
        page.push_str(
            "\n## Exit codes\n\n| code | meaning |\n|---|---|\n| 0 | done |\n| 1 | unexpected, or an expectation of a session does not hold |\n\
             | 2 | bad input |\n| 3 | model |\n| 4 | library |\n| 5 | things that do not belong together |\n| 6 | network |\n| 74 | files |\n\
             | 130 | cancelled |\n| 128 + n | ended by signal n |\n",
        );
        page
    }

    /// The page of recipes: the part written by hand, and a section on each rule from the pages of
    /// `state-soup recipes`.
    fn recipes_page() -> String {
        const MARK: &str = "<!-- From here on generated: UPDATE_GUIDE=1 cargo test --lib guide -->\n";
        let (by_hand, _) = guide::topic("recipes").unwrap().text.split_once(MARK).unwrap();
        let mut page = format!("{by_hand}{MARK}");
        for rule in PAGES.iter() {
            let text = crate::ui::wrapped(rule.text, 96);
            let (first, rest) = rule.summary.split_at(rule.summary.chars().next().map_or(0, char::len_utf8));
            let summary = first.to_uppercase() + rest;
            let _ = write!(page, "\n## {}\n\n{summary}. Example: `{}`\n\n{text}\n", rule.name, rule.example);
        }
        page
    }

    /// The pages `keys` and `cli` are made from the command table and the flags, the rules of
    /// `recipes` from their help. After a change of these: `UPDATE_GUIDE=1 cargo test --lib guide`.
    #[test]
    fn the_generated_pages_of_the_guide_are_current() {
        let keymap = Keymap::new(&[]).unwrap();
        for (name, wanted) in [("keys", key_page(&keymap)), ("cli", cli_page()), ("recipes", recipes_page())] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("assets/guide/{name}.md"));
            if std::env::var_os("UPDATE_GUIDE").is_some() {
                std::fs::write(&path, wanted).unwrap();
            } else {
                let found = std::fs::read_to_string(&path).unwrap();
                assert!(found == wanted, "{} is not current; `UPDATE_GUIDE=1 cargo test --lib guide` writes it", path.display());
            }
        }
    }
}
