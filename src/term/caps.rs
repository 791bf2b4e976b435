//! Which colours and glyphs the terminal can show, by its environment; [`super::background`] asks
//! the terminal itself for its background, which the environment seldom names.

use crate::app::{Background, ColourDepth, GlyphSet, Look};

/// What the environment says about the terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `TERM`; empty if not set.
    pub term: String,
    /// How many colours.
    pub depth: ColourDepth,
    /// What decided `depth`, in a word or two.
    pub depth_by: &'static str,
    /// The background, if `COLORFGBG` names it.
    pub background: Option<Background>,
    /// The locale: the first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set.
    pub locale: String,
    /// Whether the lab runs inside tmux.
    pub tmux: bool,
    /// Whether it runs inside GNU screen.
    pub screen: bool,
    /// Whether it is reached over SSH.
    pub ssh: bool,
}

impl Environment {
    /// Reads it: `Environment::of(|name| std::env::var(name).ok())`. An empty variable counts
    /// as not set.
    ///
    /// - Colours: none for `NO_COLOR`, `CLICOLOR=0` or a dumb terminal; else by `COLORTERM` and
    ///   `TERM`.
    /// - Background: by `COLORFGBG`.
    pub fn of(env: impl Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| env(name).filter(|value| !value.is_empty());
        let term = get("TERM").unwrap_or_default();
        let (depth, depth_by) = if get("NO_COLOR").is_some() {
            (ColourDepth::Mono, "NO_COLOR")
        } else if get("CLICOLOR").is_some_and(|c| c == "0") {
            (ColourDepth::Mono, "CLICOLOR")
        } else if term == "dumb" {
            (ColourDepth::Mono, "TERM")
        } else if get("COLORTERM").is_some_and(|c| c == "truecolor" || c == "24bit") {
            (ColourDepth::True, "COLORTERM")
        } else if term.ends_with("-direct") {
            (ColourDepth::True, "TERM")
        } else if term.contains("256color") {
            (ColourDepth::Indexed, "TERM")
        } else {
            (ColourDepth::Ansi, if term.is_empty() { "nothing known" } else { "TERM" })
        };
        let ground = get("COLORFGBG").and_then(|c| c.rsplit(';').next().and_then(|n| n.parse::<u8>().ok()));
        Self {
            depth,
            depth_by,
            background: ground.map(|n| if matches!(n, 7 | 9..=15) { Background::Light } else { Background::Dark }),
            locale: ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get).unwrap_or_default(),
            tmux: get("TMUX").is_some(),
            screen: get("STY").is_some(),
            ssh: ["SSH_CONNECTION", "SSH_TTY"].into_iter().any(|name| get(name).is_some()),
            term,
        }
    }

    /// Whether the terminal may be asked a question: a dumb one and the Linux console would print
    /// it, and GNU screen does not answer.
    pub fn may_be_asked(&self) -> bool {
        !matches!(self.term.as_str(), "" | "dumb" | "linux") && !self.screen
    }
}

/// The look for an environment. Dark unless it says otherwise; ASCII unless the locale names UTF-8;
/// half blocks on the Linux console, whose font has no braille.
pub fn look(environment: &Environment) -> Look {
    let locale = environment.locale.to_lowercase();
    let glyphs = if !(locale.contains("utf-8") || locale.contains("utf8")) {
        GlyphSet::Ascii
    } else if environment.term == "linux" {
        GlyphSet::HalfBlock
    } else {
        GlyphSet::Braille
    };
    Look { depth: environment.depth, background: environment.background.unwrap_or_default(), glyphs }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(vars: &[(&str, &str)]) -> Environment {
        Environment::of(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    fn look(vars: &[(&str, &str)]) -> Look {
        super::look(&environment(vars))
    }

    #[test]
    fn the_environment_decides() {
        let utf8 = ("LANG", "en_GB.UTF-8");
        assert_eq!(look(&[("TERM", "xterm-256color"), ("COLORTERM", "truecolor"), utf8]).depth, ColourDepth::True);
        assert_eq!(look(&[("TERM", "tmux-256color"), utf8]).depth, ColourDepth::Indexed);
        assert_eq!(
            look(&[("TERM", "linux"), utf8]),
            Look { depth: ColourDepth::Ansi, background: Background::Dark, glyphs: GlyphSet::HalfBlock }
        );
        assert_eq!(look(&[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]).depth, ColourDepth::Mono);
        assert_eq!(look(&[("NO_COLOR", ""), ("COLORTERM", "truecolor")]).depth, ColourDepth::True);
        assert_eq!(look(&[("CLICOLOR", "0"), ("COLORTERM", "truecolor")]).depth, ColourDepth::Mono);
        assert_eq!(look(&[("CLICOLOR", "1"), ("COLORTERM", "truecolor")]).depth, ColourDepth::True);
        assert_eq!(look(&[("TERM", "dumb")]).depth, ColourDepth::Mono);
        assert_eq!(look(&[("COLORFGBG", "0;15"), utf8]).background, Background::Light);
        assert_eq!(look(&[("COLORFGBG", "15;default;0"), utf8]).background, Background::Dark);
        assert_eq!(look(&[("LC_ALL", "C"), utf8]).glyphs, GlyphSet::Ascii);
        assert_eq!(look(&[]).glyphs, GlyphSet::Ascii);
        assert_eq!(look(&[utf8]).glyphs, GlyphSet::Braille);
    }

    #[test]
    fn only_terminals_that_understand_are_asked() {
        assert!(environment(&[("TERM", "xterm-256color")]).may_be_asked());
        for vars in [&[("TERM", "linux")][..], &[("TERM", "dumb")], &[], &[("TERM", "screen"), ("STY", "1.tty")]] {
            assert!(!environment(vars).may_be_asked(), "{vars:?}");
        }
        let remote = environment(&[("TERM", "tmux-256color"), ("TMUX", "/tmp/tmux,1,0"), ("SSH_CONNECTION", "a 1 b 22")]);
        assert!(remote.tmux && remote.ssh && !remote.screen && remote.may_be_asked());
    }
}
