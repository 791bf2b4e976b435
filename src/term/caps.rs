//! Which colours and glyphs the terminal can show, by its environment. No question is put to the terminal: an answer may take long or never come.

use crate::app::{Background, ColourDepth, GlyphSet, Look};

/// The look for an environment: `detect(|name| std::env::var(name).ok())`.
///
/// - Colours: none if `NO_COLOR` is set and not empty, or for a dumb terminal; else by `COLORTERM` and `TERM`.
/// - Background: light if `COLORFGBG` says so.
/// - Glyphs: ASCII unless `LC_ALL`, `LC_CTYPE` or `LANG` (the first one set) names UTF-8; half blocks on the Linux console, whose font has no braille.
pub fn detect(env: impl Fn(&str) -> Option<String>) -> Look {
    let get = |name: &str| env(name).filter(|value| !value.is_empty());
    let term = get("TERM").unwrap_or_default();
    let depth = if get("NO_COLOR").is_some() || term == "dumb" {
        ColourDepth::Mono
    } else if get("COLORTERM").is_some_and(|c| c == "truecolor" || c == "24bit") || term.ends_with("-direct") {
        ColourDepth::True
    } else if term.contains("256color") {
        ColourDepth::Indexed
    } else {
        ColourDepth::Ansi
    };
    let ground = get("COLORFGBG").and_then(|c| c.rsplit(';').next().and_then(|n| n.parse::<u8>().ok()));
    let background = if matches!(ground, Some(7 | 9..=15)) { Background::Light } else { Background::Dark };
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(get).unwrap_or_default().to_lowercase();
    let glyphs = if !(locale.contains("utf-8") || locale.contains("utf8")) {
        GlyphSet::Ascii
    } else if term == "linux" {
        GlyphSet::HalfBlock
    } else {
        GlyphSet::Braille
    };
    Look { depth, background, glyphs }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(vars: &[(&str, &str)]) -> Look {
        detect(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
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
        assert_eq!(look(&[("COLORFGBG", "0;15"), utf8]).background, Background::Light);
        assert_eq!(look(&[("COLORFGBG", "15;default;0"), utf8]).background, Background::Dark);
        assert_eq!(look(&[("LC_ALL", "C"), utf8]).glyphs, GlyphSet::Ascii);
        assert_eq!(look(&[]).glyphs, GlyphSet::Ascii);
        assert_eq!(look(&[utf8]).glyphs, GlyphSet::Braille);
    }
}
