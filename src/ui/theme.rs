//! Colours by role. Every role has values chosen by hand for 24-bit, 256 and 16 colours, on dark and on light, and a modifier
//! that carries its meaning where there is no colour at all. The background is never painted, but behind selections.

use crate::app::{Background, ColourDepth, Look};
use ratatui::style::{Color, Modifier, Style};

/// What a piece of the picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Plain text.
    Text,
    /// Text of less weight: units, labels, origins.
    Dim,
    /// Lines around panes.
    Border,
    /// The border and title of the pane in focus.
    Focus,
    /// Titles.
    Title,
    /// Keys in hints and help.
    Key,
    /// The selected row.
    Selected,
    /// Filled parts of bars.
    Bar,
    /// Empty parts of bars.
    Track,
    /// Rising, better.
    Good,
    /// Falling, wrong.
    Bad,
    /// Work in flight, results of an older request.
    Stale,
    /// What is in the soup.
    Mark,
    /// Figures and texts that matter most.
    Strong,
    /// The cell under the cursor.
    Cursor,
    /// A category: task or family. Colours go round after eight; a letter always goes with them.
    Category(usize),
    /// A step from far (0) to near (4).
    Ramp(usize),
}

/// One role's values: 24-bit, 256, 16 for dark; the same for light; modifiers with colours; modifiers without.
struct Spec {
    dark: (u32, u8, Color),
    light: (u32, u8, Color),
    modifier: Modifier,
    mono: Modifier,
}

const NONE: Modifier = Modifier::empty();
const BOLD: Modifier = Modifier::BOLD;

const fn spec(dark: (u32, u8, Color), light: (u32, u8, Color), modifier: Modifier, mono: Modifier) -> Spec {
    Spec { dark, light, modifier, mono }
}

const DIM: Spec = spec((0x98A2AE, 247, Color::Reset), (0x5D6673, 241, Color::Reset), NONE, NONE);
const BORDER: Spec = spec((0x5A6572, 240, Color::DarkGray), (0xA3ACB8, 248, Color::Gray), NONE, NONE);
const FOCUS: Spec = spec((0x56B4E9, 74, Color::LightCyan), (0x0072B2, 25, Color::Blue), BOLD, BOLD);
const KEY: Spec = spec((0xE6B450, 179, Color::LightYellow), (0x8A5A00, 94, Color::Magenta), NONE, BOLD);
const BAR: Spec = spec((0x3F87B8, 67, Color::Cyan), (0x3C8FC4, 68, Color::Blue), NONE, NONE);
const TRACK: Spec = spec((0x3A4450, 238, Color::DarkGray), (0xD5DAE1, 253, Color::Gray), NONE, NONE);
const GOOD: Spec = spec((0x2FBF95, 79, Color::LightGreen), (0x00795A, 29, Color::Green), NONE, NONE);
const BAD: Spec = spec((0xFF8A4C, 209, Color::LightRed), (0xB34700, 130, Color::Red), NONE, BOLD);
const STALE: Spec = spec((0xF0E442, 227, Color::LightYellow), (0x7A6A00, 58, Color::Magenta), NONE, BOLD);
const MARK: Spec = spec((0xE69F00, 178, Color::Yellow), (0x9A5B00, 94, Color::Red), NONE, BOLD);

/// Okabe & Ito's colour-blind safe set; the blue is lightened on dark, the yellow and others darkened on light, and the black is a grey,
/// so that each stands 3:1 against its background.
const CATEGORIES: [Spec; 8] = [
    spec((0xE69F00, 178, Color::Yellow), (0xA87000, 136, Color::Yellow), NONE, NONE),
    spec((0x56B4E9, 74, Color::LightCyan), (0x2486BD, 32, Color::Cyan), NONE, NONE),
    spec((0x00B887, 36, Color::Green), (0x00855F, 29, Color::Green), NONE, NONE),
    spec((0xF0E442, 227, Color::LightYellow), (0x7F7500, 100, Color::DarkGray), NONE, NONE),
    spec((0x3D8FD1, 68, Color::LightBlue), (0x0060A0, 25, Color::Blue), NONE, NONE),
    spec((0xF0702A, 202, Color::LightRed), (0xC04F00, 166, Color::Red), NONE, NONE),
    spec((0xD98CB6, 175, Color::LightMagenta), (0xA8487F, 132, Color::Magenta), NONE, NONE),
    spec((0xC8CDD3, 252, Color::Gray), (0x4A4F57, 239, Color::Black), NONE, NONE),
];

/// From far to near, after cividis: even steps of lightness.
const RAMP: [Spec; 5] = [
    spec((0x5B6B8C, 60, Color::DarkGray), (0x9AA3AD, 247, Color::Gray), NONE, NONE),
    spec((0x7C7F86, 244, Color::Blue), (0x7C7B78, 243, Color::Cyan), NONE, NONE),
    spec((0x9E9673, 144, Color::Cyan), (0x66695F, 241, Color::Blue), NONE, NONE),
    spec((0xCBB95D, 185, Color::Yellow), (0x3F4C6B, 59, Color::Magenta), NONE, NONE),
    spec((0xFDE737, 227, Color::LightYellow), (0x00224E, 17, Color::Black), BOLD, BOLD),
];

/// The colours of one look.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    depth: ColourDepth,
    background: Background,
}

impl Theme {
    /// The theme of a look.
    pub fn new(look: Look) -> Self {
        Self { depth: look.depth, background: look.background }
    }

    /// A role's style.
    pub fn style(self, role: Role) -> Style {
        match role {
            Role::Text => Style::new(),
            Role::Title | Role::Strong => Style::new().add_modifier(BOLD),
            Role::Cursor => Style::new().add_modifier(Modifier::REVERSED),
            Role::Selected => self.selected(),
            Role::Dim => self.of(&DIM),
            Role::Border => self.of(&BORDER),
            Role::Focus => self.of(&FOCUS),
            Role::Key => self.of(&KEY),
            Role::Bar => self.of(&BAR),
            Role::Track => self.of(&TRACK),
            Role::Good => self.of(&GOOD),
            Role::Bad => self.of(&BAD),
            Role::Stale => self.of(&STALE),
            Role::Mark => self.of(&MARK),
            Role::Category(n) => self.of(&CATEGORIES[n % CATEGORIES.len()]),
            Role::Ramp(n) => self.of(&RAMP[n.min(RAMP.len() - 1)]),
        }
    }

    fn selected(self) -> Style {
        let bold = Style::new().add_modifier(BOLD);
        match (self.depth, self.background) {
            (ColourDepth::True, Background::Dark) => bold.bg(rgb(0x24384A)),
            (ColourDepth::True, Background::Light) => bold.bg(rgb(0xD6E6F4)),
            (ColourDepth::Indexed, Background::Dark) => bold.bg(Color::Indexed(237)),
            (ColourDepth::Indexed, Background::Light) => bold.bg(Color::Indexed(254)),
            // Reversed, a row of many colours would become a row of many backgrounds: it gives its colours up.
            (ColourDepth::Ansi, _) => Style::new().fg(Color::Reset).add_modifier(Modifier::REVERSED),
            (ColourDepth::Mono, _) => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    fn of(self, spec: &Spec) -> Style {
        let (full, indexed, ansi) = match self.background {
            Background::Dark => spec.dark,
            Background::Light => spec.light,
        };
        match self.depth {
            ColourDepth::True => Style::new().fg(rgb(full)).add_modifier(spec.modifier),
            ColourDepth::Indexed => Style::new().fg(Color::Indexed(indexed)).add_modifier(spec.modifier),
            ColourDepth::Ansi => Style::new().fg(ansi).add_modifier(spec.modifier),
            // `Reset` is the buffer's own default, so no colour command is ever written (crossterm 0.29 would also drop
            // the modifiers if it filtered colours itself).
            ColourDepth::Mono => Style::new().add_modifier(spec.mono),
        }
    }
}

fn rgb(value: u32) -> Color {
    Color::Rgb((value >> 16) as u8, (value >> 8) as u8, value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(value: u32) -> f64 {
        let part = |shift: u32| {
            let c = f64::from((value >> shift) & 255) / 255.0;
            if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(16) + 0.7152 * part(8) + 0.0722 * part(0)
    }

    fn contrast(a: u32, b: u32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// WCAG asks 3:1 of graphics and 4.5:1 of text.
    #[test]
    fn colours_stand_out_from_their_background() {
        let text = [&DIM, &KEY, &FOCUS, &GOOD, &BAD, &STALE, &MARK];
        for (i, spec) in text.into_iter().enumerate() {
            assert!(contrast(spec.dark.0, 0x14181D) >= 4.5, "text role {i} on dark");
            assert!(contrast(spec.light.0, 0xFFFFFF) >= 4.5, "text role {i} on light: {}", contrast(spec.light.0, 0xFFFFFF));
        }
        for (i, spec) in CATEGORIES.iter().enumerate() {
            assert!(contrast(spec.dark.0, 0x14181D) >= 3.0, "category {i} on dark");
            assert!(contrast(spec.light.0, 0xFFFFFF) >= 3.0, "category {i} on light");
        }
    }

    #[test]
    fn mono_never_sets_a_colour_but_marks_selection_and_focus() {
        for background in [Background::Dark, Background::Light] {
            let theme = Theme { depth: ColourDepth::Mono, background };
            let roles = [Role::Text, Role::Dim, Role::Border, Role::Focus, Role::Title, Role::Key, Role::Selected, Role::Bar, Role::Track];
            let more = [Role::Good, Role::Bad, Role::Stale, Role::Mark, Role::Strong, Role::Cursor, Role::Category(3), Role::Ramp(4)];
            for role in roles.into_iter().chain(more) {
                let style = theme.style(role);
                assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
            }
            assert!(theme.style(Role::Selected).add_modifier.contains(Modifier::REVERSED));
            assert!(theme.style(Role::Focus).add_modifier.contains(Modifier::BOLD));
        }
    }

    #[test]
    fn sixteen_colours_use_the_terminals_own() {
        let theme = Theme { depth: ColourDepth::Ansi, background: Background::Dark };
        for n in 0..8 {
            let fg = theme.style(Role::Category(n)).fg.unwrap();
            assert!(!matches!(fg, Color::Rgb(..) | Color::Indexed(_)), "{fg:?}");
        }
    }
}
