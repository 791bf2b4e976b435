//! The TOML of a configuration, name by name. What is unknown or wrong is refused with its line.

use super::{Given, Setting};
use crate::app::key::Key;
use crate::app::palette::{Override, Palette};
use crate::app::{Background, command};
use crate::error::{Error, Result, did_you_mean};
use crate::ui::theme::ROLES;
use ratatui::style::Color;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Entries in the order of the file, so that the first mistake is the one reported.
pub(super) fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

/// The text being read, for the locations in messages.
pub(super) struct Place<'a> {
    pub(super) text: &'a str,
    pub(super) path: &'a Path,
}

impl Place<'_> {
    fn line(&self, span: &Range<usize>) -> usize {
        self.text.get(..span.start).map_or(0, |before| before.matches('\n').count()) + 1
    }

    pub(super) fn wrong(&self, span: &Range<usize>, what: &str) -> Error {
        Error::Input(format!("{}, line {}: {what}", self.path.display(), self.line(span)))
    }

    pub(super) fn setting(&self, name: &str, span: Range<usize>, value: &Spanned<DeValue<'_>>, known: &[Setting]) -> Result<Given> {
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
    pub(super) fn keys(&self, table: &DeTable<'_>, prefix: &str, keys: &mut Vec<(String, Vec<Key>)>) -> Result<()> {
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

    pub(super) fn theme(&self, table: &DeTable<'_>, palette: &mut Palette) -> Result<()> {
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
