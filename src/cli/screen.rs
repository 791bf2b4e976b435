//! Flags of the screen, and the look that they and the terminal's environment give.

use crate::app::{Background, ColourDepth, GlyphSet, Look};
use crate::term::caps::{self, Environment};
use clap::builder::PossibleValuesParser;
use clap::{ArgAction, Args, ValueEnum};

/// Flags of the screen.
#[derive(Args, Debug, Clone, Default)]
pub struct Screen {
    /// Colours on screen
    #[arg(long, global = true, default_value = "auto", visible_aliases = ["colors", "color"], value_parser = words(ColourDepth::ALL.map(ColourDepth::name)))]
    pub colours: String,
    /// The terminal's background
    #[arg(long, global = true, value_enum, default_value_t = BackgroundArg::Auto)]
    pub background: BackgroundArg,
    /// Shapes of bars and points; octant needs a font with Unicode 16
    #[arg(long, global = true, default_value = "auto", value_parser = words(GlyphSet::ALL.map(GlyphSet::name)))]
    pub glyphs: String,
    /// Take the mouse: click selects, the wheel scrolls
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set)]
    pub mouse: bool,
    /// Write little: at most five frames a second, progress once a second
    #[arg(long, global = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = ArgAction::Set)]
    pub low_bandwidth: bool,
    /// How much is logged, to a file: `error`, `warn`, `info`, `debug`, `trace` [default:
    /// STATE_SOUP_LOG, or warn]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,
}

/// `--background`.
#[derive(ValueEnum, Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BackgroundArg {
    /// By COLORFGBG, else by asking the terminal, else dark
    #[default]
    Auto,
    /// Light text on dark
    Dark,
    /// Dark text on light
    Light,
}

/// `auto` or one of the names.
fn words<const N: usize>(names: [&'static str; N]) -> PossibleValuesParser {
    std::iter::once("auto").chain(names).collect::<Vec<_>>().into()
}

impl Screen {
    /// The look: as the flags say, and where they say `auto` as the environment says. Also whether
    /// anything names the background: if not, the terminal is asked for it.
    pub fn look(&self, environment: &Environment) -> (Look, bool) {
        let found = caps::look(environment);
        let background = match self.background {
            BackgroundArg::Auto => environment.background,
            BackgroundArg::Dark => Some(Background::Dark),
            BackgroundArg::Light => Some(Background::Light),
        };
        let look = Look {
            depth: ColourDepth::ALL.into_iter().find(|d| d.name() == self.colours).unwrap_or(found.depth),
            background: background.unwrap_or(found.background),
            glyphs: GlyphSet::ALL.into_iter().find(|g| g.name() == self.glyphs).unwrap_or(found.glyphs),
        };
        (look, background.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_go_before_the_environment() {
        let environment = Environment::of(|name| (name == "LANG").then(|| "en_GB.UTF-8".to_owned()));
        let auto = Screen {
            colours: "auto".into(),
            background: BackgroundArg::Auto,
            glyphs: "auto".into(),
            mouse: false,
            low_bandwidth: false,
            log: None,
        };
        assert_eq!(auto.look(&environment), (caps::look(&environment), false));
        let own = Screen { colours: "none".into(), background: BackgroundArg::Light, glyphs: "octant".into(), ..auto };
        let look = Look { depth: ColourDepth::Mono, background: Background::Light, glyphs: GlyphSet::Octant };
        assert_eq!(own.look(&environment), (look, true));
    }
}
