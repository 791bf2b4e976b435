//! Styles as the parameters of an escape sequence (SGR, ECMA-48 8.3.117 with the usual colours).

use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;

const FLAGS: [(Modifier, &str); 9] = [
    (Modifier::BOLD, ";1"),
    (Modifier::DIM, ";2"),
    (Modifier::ITALIC, ";3"),
    (Modifier::UNDERLINED, ";4"),
    (Modifier::SLOW_BLINK, ";5"),
    (Modifier::RAPID_BLINK, ";6"),
    (Modifier::REVERSED, ";7"),
    (Modifier::HIDDEN, ";8"),
    (Modifier::CROSSED_OUT, ";9"),
];

/// Writes the parameters that follow a reset (`0`), each preceded by a semicolon. Writes nothing
/// for the terminal's own style.
pub fn parameters(fg: Color, bg: Color, modifier: Modifier, out: &mut String) {
    FLAGS.iter().filter(|(flag, _)| modifier.contains(*flag)).for_each(|(_, text)| out.push_str(text));
    for (colour, base) in [(fg, 30), (bg, 40)] {
        // Writing to a string cannot fail.
        let _ = match colour {
            Color::Reset => Ok(()),
            Color::Rgb(r, g, b) => write!(out, ";{};2;{r};{g};{b}", base + 8),
            Color::Indexed(n) => write!(out, ";{};5;{n}", base + 8),
            named => match index(named) {
                n @ 0..8 => write!(out, ";{}", base + n),
                n => write!(out, ";{}", base + 60 + n - 8),
            },
        };
    }
}

/// A named colour's index among the 16.
pub fn index(colour: Color) -> u8 {
    match colour {
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        _ => 0,
    }
}
