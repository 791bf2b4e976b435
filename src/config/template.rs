//! The template: a configuration with every default, commented out.

use super::Setting;
use crate::app::palette::Palette;
use crate::app::{Background, ColourDepth, GlyphSet, Look, command};
use crate::ui::theme::{ROLES, Theme};
use ratatui::style::{Modifier, Style};
use std::fmt::Write as _;

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

fn style_literal(style: Style) -> String {
    let mut parts: Vec<String> = Vec::new();
    parts.extend(style.fg.map(|c| format!("fg = {}", quoted(&c.to_string()))));
    parts.extend(style.bg.map(|c| format!("bg = {}", quoted(&c.to_string()))));
    let flags = [(Modifier::BOLD, "bold"), (Modifier::UNDERLINED, "underlined"), (Modifier::REVERSED, "reversed")];
    parts.extend(flags.iter().filter(|(m, _)| style.add_modifier.contains(*m)).map(|(_, name)| format!("{name} = true")));
    if parts.is_empty() { "{}".into() } else { format!("{{ {} }}", parts.join(", ")) }
}
