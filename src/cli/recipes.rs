//! `state-soup recipes`: the pages of help on recipes.
//!
//! `--json`: `[{ "name", "example", "summary", "text" }]`.

use super::args::Common;
use super::output;
use crate::error::{Error, Result, did_you_mean};
use crate::soup::{PAGES, Page};
use serde_json::json;

/// Flags of `recipes`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// A rule, such as `posterior` [default: a line on each]
    name: Option<String>,
}

/// Prints.
///
/// # Errors
/// [`Error::Input`] if there is no such rule.
pub fn run(common: &Common, args: &Args) -> Result<()> {
    let pages: Vec<&Page> =
        match &args.name {
            None => PAGES.iter().collect(),
            Some(name) => vec![PAGES.iter().find(|p| p.name == name).ok_or_else(|| {
                Error::Input(format!("there is no page on `{name}`{}", did_you_mean(name, PAGES.iter().map(|p| p.name))))
            })?],
        };
    if common.json {
        let page = |p: &&Page| json!({ "name": p.name, "example": p.example, "summary": p.summary, "text": p.text });
        return output::json(&pages.iter().map(page).collect::<Vec<_>>());
    }
    if let ([page], Some(_)) = (&pages[..], &args.name) {
        let text = crate::ui::wrapped(page.text, 92);
        return output::print(&format!("{}: {}\n\n  {}\n\n{text}\n", page.name, page.summary, page.example));
    }
    let rows: Vec<Vec<String>> = pages.iter().map(|p| vec![p.name.into(), p.summary.into(), p.example.into()]).collect();
    output::print(&format!("{}\n`state-soup recipes NAME` shows a rule's formula.\n", output::table(&["rule", "yields", "example"], &rows)))
}
