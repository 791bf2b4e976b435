//! Colours chosen by the user to replace the theme's, by the name of their role.

use super::look::Background;
use ratatui::style::Color;
use std::collections::BTreeMap;

/// The changes to a role's style; fields that are `None` keep the theme's value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Override {
    /// Colour of the text.
    pub fg: Option<Color>,
    /// Colour of the background.
    pub bg: Option<Color>,
    /// Whether it is bold.
    pub bold: Option<bool>,
    /// Whether it is underlined.
    pub underlined: Option<bool>,
    /// Whether text and background are exchanged.
    pub reversed: Option<bool>,
}

impl Override {
    /// This change, with the fields that `other` sets replaced by those of `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            fg: other.fg.or(self.fg),
            bg: other.bg.or(self.bg),
            bold: other.bold.or(self.bold),
            underlined: other.underlined.or(self.underlined),
            reversed: other.reversed.or(self.reversed),
        }
    }
}

/// The user's colours, for either background.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    dark: BTreeMap<&'static str, Override>,
    light: BTreeMap<&'static str, Override>,
}

impl Palette {
    /// The theme's own colours, unchanged.
    pub const fn new() -> Self {
        Self { dark: BTreeMap::new(), light: BTreeMap::new() }
    }

    /// Changes a role on one background. Fields not set here keep what an earlier call set.
    pub fn set(&mut self, background: Background, role: &'static str, change: Override) {
        let roles = match background {
            Background::Dark => &mut self.dark,
            Background::Light => &mut self.light,
        };
        let entry = roles.entry(role).or_default();
        *entry = entry.or(change);
    }

    /// The changes to a role.
    pub fn get(&self, background: Background, role: &str) -> Option<Override> {
        let roles = match background {
            Background::Dark => &self.dark,
            Background::Light => &self.light,
        };
        roles.get(role).copied()
    }
}
