//! The guide: the pages of `assets/guide` and their layout in columns.
//!
//! The command line prints them (`state-soup guide`) and the lab shows them (`?`, then Tab). Some
//! are generated: `keys` from the command table, `cli` from the flags, and the sections on rules in
//! `recipes`. A test of `cli::guide` compares them.
//!
//! - [`layout`]: a page as lines of a given width.

pub mod layout;

pub use layout::{Face, Piece, lines};

use crate::error::{Error, Result, did_you_mean};

/// A page.
#[derive(Debug)]
pub struct Topic {
    /// The word that names it: `recipes`.
    pub name: &'static str,
    /// The page, in Markdown; its first line is its title.
    pub text: &'static str,
}

impl Topic {
    /// What the page is about, in a line.
    pub fn title(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

macro_rules! topics {
    ($($name:literal)*) => { &[$(Topic { name: $name, text: include_str!(concat!("../../assets/guide/", $name, ".md")) }),*] };
}

/// All pages, in the order a newcomer reads them.
pub static TOPICS: &[Topic] = topics! {
    "tour" "lab" "map" "decay" "experiments" "library" "sessions" "recipes" "models" "speed" "gpu" "cluster" "configuration" "keys" "cli"
};

/// The page of this name.
///
/// # Errors
/// [`Error::Input`] with the nearest name if there is none.
pub fn topic(name: &str) -> Result<&'static Topic> {
    TOPICS.iter().find(|t| t.name == name).ok_or_else(|| {
        let hint = did_you_mean(name, TOPICS.iter().map(|t| t.name));
        Error::Input(format!("the guide has no page `{name}`{hint}; `state-soup guide` lists its pages"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::is_obeyed;
    use std::path::Path;

    #[test]
    fn every_page_has_a_title_and_nothing_a_terminal_obeys() {
        for page in TOPICS {
            assert!(page.text.starts_with("# ") && (8..=52).contains(&page.title().len()), "{}: {}", page.name, page.title());
            assert!(!page.text.contains(is_obeyed), "{}", page.name);
        }
    }

    #[test]
    fn every_file_is_a_page() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/guide");
        let files: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(files.len(), TOPICS.len());
        assert!(files.iter().all(|file| topic(file).is_ok()), "{files:?}");
    }

    #[test]
    fn an_unknown_page_is_refused_with_the_nearest_name() {
        let message = topic("recipe").unwrap_err().to_string();
        assert!(message.contains("`recipe`") && message.contains("did you mean `recipes`?"), "{message}");
        assert_eq!(topic("tour").unwrap().name, "tour");
    }

    /// Links between the pages, to the results and to the pictures lead somewhere; so do the
    /// README's.
    #[test]
    fn every_link_leads_to_a_file() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut pages: Vec<(String, String)> = TOPICS.iter().map(|t| (format!("assets/guide/{}.md", t.name), t.text.to_owned())).collect();
        for file in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
            pages.push((file.to_owned(), std::fs::read_to_string(root.join(file)).unwrap()));
        }
        let mut found = 0;
        for (file, text) in &pages {
            for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                if link.contains("://") {
                    continue;
                }
                let folder = root.join(file);
                let target = folder.parent().unwrap().join(link.split('#').next().unwrap());
                assert!(target.exists(), "{file} links to {link}");
                found += 1;
            }
        }
        assert!(found > 20, "{found}");
    }

    /// Prose of at most 100 columns; only tables may be wider.
    #[test]
    fn the_sources_are_written_in_short_lines() {
        for page in TOPICS.iter().filter(|t| !["keys", "cli"].contains(&t.name)) {
            for (number, line) in page.text.lines().enumerate().filter(|(_, l)| !l.starts_with('|')) {
                assert!(line.chars().count() <= 100, "{}, line {}: {line}", page.name, number + 1);
            }
        }
    }
}
