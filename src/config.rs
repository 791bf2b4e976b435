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
//! The command line defines which settings exist ([`Setting`]). This file reads, checks and writes
//! the TOML. Anything unknown is refused with its line and the nearest known name: a setting with a
//! misspelt name must not be silently ignored.

use crate::app::key::Key;
use crate::app::keymap::Keymap;
use crate::app::palette::{Override, Palette};
use crate::app::{Background, ColourDepth, GlyphSet, Look, command};
use crate::error::{Error, Result, did_you_mean};
use crate::files;
use crate::ui::theme::{ROLES, Theme};
use ratatui::style::{Color, Modifier, Style};
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use toml::Spanned;
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

/// Entries in the order of the file, so that the first mistake is the one reported.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

/// The text being read, for the locations in messages.
struct Place<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Place<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        self.text.get(..span.start).map_or(0, |before| before.matches('\n').count()) + 1
    }

    fn wrong(&self, span: &Range<usize>, what: &str) -> Error {
        Error::Input(format!("{}, line {}: {what}", self.path.display(), self.line(span)))
    }

    fn setting(&self, name: &str, span: Range<usize>, value: &Spanned<DeValue<'_>>, known: &[Setting]) -> Result<Given> {
        let Some(setting) = known.iter().find(|s| s.name == name) else {
            let names = known.iter().map(|s| s.name.as_str()).chain(["keys", "theme"]);
            return Err(self.wrong(&span, &format!("there is no setting `{name}`{}", did_you_mean(name, names))));
        };
        let words = match value.get_ref() {
            DeValue::Array(items) if setting.list => items.iter().map(|item| self.word(item)).collect::<Result<Vec<String>>>()?,
            _ => vec![self.word(value)?],
        };
        if let Some(word) = words.iter().find(|w| !setting.words.is_empty() && !setting.words.contains(w)) {
            let all = setting.words.join(", ");
            let hint = did_you_mean(word, setting.words.iter().map(String::as_str));
            return Err(self.wrong(&value.span(), &format!("`{name}` is `{word}`; it can be {all}{hint}")));
        }
        Ok(Given { name: name.to_owned(), words, line: self.line(&span) })
    }

    /// A plain value as a flag would have it. `~/` is expanded to the home folder, because no shell
    /// does it.
    fn word(&self, value: &Spanned<DeValue<'_>>) -> Result<String> {
        match value.get_ref() {
            DeValue::String(text) => Ok(match (text.strip_prefix("~/"), directories::BaseDirs::new()) {
                (Some(rest), Some(dirs)) => dirs.home_dir().join(rest).to_string_lossy().into_owned(),
                _ => text.to_string(),
            }),
            DeValue::Integer(number) => Ok(number.to_string()),
            DeValue::Float(number) => Ok(number.to_string()),
            DeValue::Boolean(truth) => Ok(truth.to_string()),
            _ => Err(self.wrong(&value.span(), "a single value is expected here")),
        }
    }

    /// Reads the keys of `[keys]`. TOML parses an unquoted `soup.mute` as a table; it means the
    /// same command.
    fn keys(&self, table: &DeTable<'_>, prefix: &str, keys: &mut Vec<(String, Vec<Key>)>) -> Result<()> {
        for (name, value) in in_order(table) {
            let id = format!("{prefix}{}", name.get_ref());
            let items: Vec<&Spanned<DeValue<'_>>> = match value.get_ref() {
                DeValue::Table(inner) => {
                    self.keys(inner, &format!("{id}."), keys)?;
                    continue;
                }
                DeValue::Array(items) => items.iter().collect(),
                _ => vec![value],
            };
            if command::all().all(|c| c.id != id) {
                let hint = did_you_mean(&id, command::all().map(|c| c.id));
                return Err(self.wrong(&name.span(), &format!("there is no command `{id}` to bind keys to{hint}")));
            }
            let key = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => text.parse::<Key>().map_err(|why| self.wrong(&item.span(), &why)),
                _ => Err(self.wrong(&item.span(), "keys are strings such as \"ctrl-p\"")),
            };
            keys.push((id, items.into_iter().map(key).collect::<Result<Vec<Key>>>()?));
        }
        Ok(())
    }

    fn theme(&self, table: &DeTable<'_>, palette: &mut Palette) -> Result<()> {
        // Colours for one background override those for both, wherever they stand in the file.
        for (name, value) in in_order(table) {
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("dark" | "light", DeValue::Table(_)) => {}
                _ => self.role(name, value, &[Background::Dark, Background::Light], palette)?,
            }
        }
        for (name, background) in [("dark", Background::Dark), ("light", Background::Light)] {
            if let Some(DeValue::Table(table)) = table.get(name).map(Spanned::get_ref) {
                for (name, value) in in_order(table) {
                    self.role(name, value, &[background], palette)?;
                }
            }
        }
        Ok(())
    }

    fn role(
        &self,
        name: &Spanned<toml::de::DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
        backgrounds: &[Background],
        palette: &mut Palette,
    ) -> Result<()> {
        let role = ROLES.iter().map(|(role, ..)| *role).find(|role| role == name.get_ref());
        let Some(role) = role else {
            let hint = did_you_mean(name.get_ref(), ROLES.iter().map(|(role, ..)| *role).chain(["dark", "light"]));
            return Err(self.wrong(&name.span(), &format!("there is no role `{}` to colour{hint}", name.get_ref())));
        };
        let change = match value.get_ref() {
            DeValue::Table(table) => self.style(table)?,
            _ => Override { fg: Some(self.colour(value)?), ..Override::default() },
        };
        for background in backgrounds {
            palette.set(*background, role, change);
        }
        Ok(())
    }

    fn style(&self, table: &DeTable<'_>) -> Result<Override> {
        let mut style = Override::default();
        for (name, value) in in_order(table) {
            let truth = || match value.get_ref() {
                DeValue::Boolean(truth) => Ok(Some(*truth)),
                _ => Err(self.wrong(&value.span(), &format!("`{}` must be true or false", name.get_ref()))),
            };
            match name.get_ref().as_ref() {
                "fg" => style.fg = Some(self.colour(value)?),
                "bg" => style.bg = Some(self.colour(value)?),
                "bold" => style.bold = truth()?,
                "underlined" => style.underlined = truth()?,
                "reversed" => style.reversed = truth()?,
                other => {
                    let hint = did_you_mean(other, ["fg", "bg", "bold", "underlined", "reversed"]);
                    return Err(self.wrong(&name.span(), &format!("a style has no `{other}`{hint}")));
                }
            }
        }
        Ok(style)
    }

    fn colour(&self, value: &Spanned<DeValue<'_>>) -> Result<Color> {
        let text = self.word(value)?;
        let colours = "a colour is `#56B4E9`, a number of 0 to 255, or a name such as `light-cyan`";
        text.parse().map_err(|_| self.wrong(&value.span(), &format!("`{text}` is not a colour; {colours}")))
    }
}

/// A text in TOML syntax.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// A word of the command line in TOML syntax: numbers and booleans bare, anything else as a string.
fn literal(word: &str) -> String {
    let bare = matches!(word, "true" | "false") || word.parse::<i64>().is_ok();
    if bare { word.to_owned() } else { quoted(word) }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(", "))
}

/// A complete configuration with every default, commented out, as `state-soup config
/// --print-template` prints it.
pub fn template(known: &[Setting]) -> String {
    let mut text = String::from(
        "# Configuration of state-soup. Every line with a value shows the default; take its `#` away to change it.\n\
         # A flag of the same name goes before what stands here. `~/` is your home folder.\n",
    );
    // Writing to a string cannot fail.
    for setting in known {
        let _ = write!(text, "\n# {}", setting.doc);
        if !setting.words.is_empty() {
            let _ = write!(text, " ({})", setting.words.join(", "));
        }
        let value = match (setting.list, setting.default.first()) {
            (true, _) => list(setting.default.iter().map(|w| literal(w))),
            (false, Some(word)) => literal(word),
            (false, None) => {
                text.push_str("; without a default");
                quoted(&setting.placeholder)
            }
        };
        let _ = write!(text, "\n#{} = {value}\n", setting.name);
    }
    text.push_str("\n# Keys by command: one or several, instead of the default ones; [] for none. Two commands of one pane cannot share a key.\n[keys]\n");
    for command in command::all() {
        let keys = list(command.keys.iter().map(|k| quoted(k)));
        let _ = writeln!(text, "# {} ({})\n#{} = {keys}", command.doc, command::place_name(command.place), quoted(command.id));
    }
    text.push_str(
        "\n# Colours by role: \"#56B4E9\", a number of 0 to 255, a name such as \"light-cyan\", or { fg, bg, bold, underlined, reversed }.\n\
         # [theme] holds on every background; the two below on one. With fewer colours than a value needs, the default stays.\n[theme]\n",
    );
    for (name, background) in [("dark", Background::Dark), ("light", Background::Light)] {
        let _ = writeln!(text, "\n[theme.{name}]");
        let palette = Palette::new();
        let theme = Theme::new(Look { depth: ColourDepth::True, background, glyphs: GlyphSet::default() }, &palette);
        for (role, value, doc) in ROLES {
            let doc = if doc.is_empty() { String::new() } else { format!(" # {doc}") };
            let _ = writeln!(text, "#{role} = {}{doc}", style_literal(theme.style(value)));
        }
    }
    text
}

fn style_literal(style: Style) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(style.fg.map(|c| format!("fg = {}", quoted(&c.to_string()))));
    parts.extend(style.bg.map(|c| format!("bg = {}", quoted(&c.to_string()))));
    let flags = [(Modifier::BOLD, "bold"), (Modifier::UNDERLINED, "underlined"), (Modifier::REVERSED, "reversed")];
    parts.extend(flags.iter().filter(|(m, _)| style.add_modifier.contains(*m)).map(|(_, name)| format!("{name} = true")));
    if parts.is_empty() { "{}".into() } else { format!("{{ {} }}", parts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

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
