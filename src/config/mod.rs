//! `config.toml`: the user's own settings, keys and colours.
//!
//! ```toml
//! metric = "z-cosine"        # settings: the flags of the same names, which override the file
//! glyphs = "octant"
//!
//! [keys]                     # keys by command; they replace the default ones
//! "soup.normalise" = ["n", "alt-n"]
//!
//! [theme]                    # colours by role; `[theme.dark]`, `[theme.light]`: one background
//! focus = "light-magenta"
//! selected = { bg = "#24384A", bold = true }
//! ```
//!
//! The command line defines which settings exist ([`Setting`]). `read` reads and checks the TOML,
//! `template` writes it. Anything unknown is refused with its line and the nearest known name: a
//! setting with a misspelt name must not be silently ignored. Only `cli` uses this room.

mod read;
mod template;

pub use template::template;

use crate::app::key::Key;
use crate::app::keymap::Keymap;
use crate::app::palette::Palette;
use crate::error::{Error, Result};
use crate::files;
use read::{Place, in_order};
use std::path::{Path, PathBuf};
use toml::de::{DeTable, DeValue};

/// A setting that can be configured.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Its name, which is also the flag's.
    pub name: String,
    /// What it does, in a sentence.
    pub doc: String,
    /// The default: empty for none, one word, or several for a list.
    pub default: Vec<String>,
    /// The words allowed; empty if any are.
    pub words: Vec<String>,
    /// A placeholder for its value where it has no default.
    pub placeholder: String,
    /// Whether it takes several values.
    pub list: bool,
}

/// A setting's value in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The setting.
    pub name: String,
    /// Its value as the words of a flag; several for a list.
    pub words: Vec<String>,
    /// Its line in the file, from 1.
    pub line: usize,
}

/// A configuration file's contents.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The file's path.
    pub path: PathBuf,
    /// Whether the file exists.
    pub found: bool,
    /// The file's settings.
    pub settings: Vec<Given>,
    /// The file's keys, by command.
    pub keys: Vec<(String, Vec<Key>)>,
    /// The file's colours.
    pub palette: Palette,
}

/// The default path of the configuration: `config.toml` in the user's configuration folder.
///
/// # Errors
/// [`Error::Input`] if the user has no home folder.
pub fn default_path() -> Result<PathBuf> {
    let dirs = directories::ProjectDirs::from("", "", "state-soup");
    let none = || Error::Input("there is no home folder to look for a configuration in; --config names a file".into());
    Ok(dirs.ok_or_else(none)?.config_dir().join("config.toml"))
}

impl Config {
    /// Reads the configuration: the named file, or the default one if it exists.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be read; [`Error::Input`] as [`Config::parse`].
    pub fn load(named: Option<&Path>, known: &[Setting]) -> Result<Self> {
        let path = match named {
            Some(path) => path.to_owned(),
            // Without a home folder there is nothing to read, which is not an error.
            None => match default_path() {
                Ok(path) => path,
                Err(_) => return Ok(Self::default()),
            },
        };
        match files::text(&path, files::SMALL) {
            Ok(text) => Self::parse(&text, path, known),
            Err(error) if named.is_none() && files::is_missing(&error) => Ok(Self { path, ..Self::default() }),
            Err(error) => Err(error),
        }
    }

    /// Reads a configuration's text.
    ///
    /// # Errors
    /// [`Error::Input`] with file and line for invalid TOML, an unknown name, an invalid value, or
    /// a key that is bound twice.
    pub fn parse(text: &str, path: PathBuf, known: &[Setting]) -> Result<Self> {
        let place = Place { text, path: &path };
        let table = DeTable::parse(text).map_err(|e| place.wrong(&e.span().unwrap_or(0..0), e.message()))?;
        let mut config = Self { found: true, ..Self::default() };
        for (name, value) in in_order(table.get_ref()) {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("keys", DeValue::Table(table)) => place.keys(table, "", &mut config.keys)?,
                ("theme", DeValue::Table(table)) => place.theme(table, &mut config.palette)?,
                ("keys" | "theme", _) => return Err(place.wrong(&value.span(), &format!("`[{}]` is a table", name.get_ref()))),
                (key, _) => config.settings.push(place.setting(key, name.span(), value, known)?),
            }
        }
        Keymap::new(&config.keys).map_err(|why| Error::Input(format!("{}, [keys]: {why}", path.display())))?;
        config.path = path;
        Ok(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::{Background, ColourDepth, GlyphSet, Look, command};
    use crate::ui::theme::{ROLES, Theme};
    use ratatui::style::Color;

    fn known() -> Vec<Setting> {
        let setting = |name: &str, default: &[&str], words: &[&str], list: bool| Setting {
            name: name.into(),
            doc: "What it does".into(),
            default: default.iter().map(|w| (*w).to_owned()).collect(),
            words: words.iter().map(|w| (*w).to_owned()).collect(),
            placeholder: "DIR".into(),
            list,
        };
        vec![
            setting("metric", &["cosine"], &["cosine", "l2"], false),
            setting("shots", &["32"], &[], false),
            setting("library", &[], &[], false),
            setting("tasks", &[], &[], true),
            setting("low-bandwidth", &["false"], &["true", "false"], false),
        ]
    }

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, "config.toml".into(), &known())
    }

    #[test]
    fn settings_keys_and_colours_are_read() {
        let text = "metric = 'l2'\nshots = 8\ntasks = ['a.tsv', 'b']\nlow-bandwidth = true\n\
                    [keys]\nsoup.mute = 'M'\n\"soup.solo\" = ['s', 'alt-s']\nquit = []\n\
                    [theme]\nfocus = 'light-cyan'\n[theme.light]\nfocus = { bg = '#102030', bold = false }\n";
        let config = parse(text).unwrap();
        let words: Vec<(&str, String, usize)> = config.settings.iter().map(|s| (s.name.as_str(), s.words.join("+"), s.line)).collect();
        let wanted = [("metric", "l2", 1), ("shots", "8", 2), ("tasks", "a.tsv+b", 3), ("low-bandwidth", "true", 4)];
        assert_eq!(words, wanted.map(|(n, w, l)| (n, w.to_owned(), l)));
        let keys: Vec<String> = config.keys.iter().map(|(id, keys)| format!("{id} {}", keys.len())).collect();
        assert_eq!(keys, ["soup.mute 1", "soup.solo 2", "quit 0"]);
        assert_eq!(config.palette.get(Background::Dark, "focus").unwrap().fg, Some(Color::LightCyan));
        let light = config.palette.get(Background::Light, "focus").unwrap();
        assert_eq!((light.fg, light.bg, light.bold), (Some(Color::LightCyan), Some(Color::Rgb(16, 32, 48)), Some(false)));
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_line_and_a_way_out() {
        let refused = |text: &str| parse(text).unwrap_err().to_string();
        let check = |text: &str, line: usize, parts: &[&str]| {
            let message = refused(text);
            assert!(message.starts_with(&format!("config.toml, line {line}: ")), "{message}");
            assert!(parts.iter().all(|p| message.contains(p)), "{message}");
        };
        check("\nmetrik = 'l2'", 2, &["no setting `metrik`", "did you mean `metric`?"]);
        check("low_bandwidth = true", 1, &["did you mean `low-bandwidth`?"]);
        check("shots = 1\nmetric = 'cosin'", 2, &["cosine, l2", "did you mean `cosine`?"]);
        check("metric = ['l2']", 1, &["single value"]);
        check("metric = \n", 1, &[]);
        check("[keys]\n'soup.mut' = 'm'", 2, &["`soup.mut`", "did you mean `soup.mute`?"]);
        check("[keys]\nquit = 'ctrl-foo'", 2, &["`ctrl-foo` is not a key"]);
        check("[theme]\nfokus = 'red'", 2, &["no role `fokus`", "did you mean `focus`?"]);
        check("[theme.dark]\nfocus = 'redd'", 2, &["`redd` is not a colour"]);
        check("[theme]\nfocus = { fgg = 'red' }", 2, &["did you mean `fg`?"]);
        let clash = refused("[keys]\nquit = '?'");
        assert!(clash.contains("config.toml") && clash.contains("`help`") && clash.contains("`quit`"), "{clash}");
        assert!(!refused("zzz = 1").contains("did you mean"));
    }

    /// The printed template, with every value uncommented, is a configuration that changes nothing.
    #[test]
    fn the_template_is_a_configuration_of_defaults() {
        let text = template(&known());
        let nothing = parse(&text).unwrap();
        assert!(nothing.settings.is_empty() && nothing.keys.is_empty() && nothing.palette == Palette::new());
        let taken: String =
            text.lines().map(|l| format!("{}\n", if l.starts_with("# ") { l } else { l.trim_start_matches('#') })).collect();
        let config = parse(&taken).unwrap();
        assert_eq!(config.settings.len(), known().len());
        for (given, setting) in config.settings.iter().zip(known()) {
            let default = if setting.default.is_empty() && !setting.list { vec![setting.placeholder] } else { setting.default };
            assert_eq!((given.name.as_str(), &given.words), (setting.name.as_str(), &default));
        }
        assert_eq!(config.keys.len(), command::all().count());
        for (command, (id, keys)) in command::all().zip(&config.keys) {
            assert_eq!((command.id, command.keys.len()), (id.as_str(), keys.len()));
        }
        let plain = Palette::new();
        for background in [Background::Dark, Background::Light] {
            let look = Look { depth: ColourDepth::True, background, glyphs: GlyphSet::default() };
            for (_, role, _) in ROLES {
                assert_eq!(Theme::new(look, &config.palette).style(role), Theme::new(look, &plain).style(role));
            }
        }
    }
}
