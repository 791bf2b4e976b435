//! Colours by role. Every role has hand-picked values for 24-bit, 256 and 16 colours, on dark and
//! on light, and a modifier that carries its meaning where there is no colour. The background is
//! painted only behind selections. The user's colours from `[theme]` override these.

use crate::app::palette::{Override, Palette};
use crate::app::{Background, ColourDepth, Look};
use ratatui::style::{Color, Modifier, Style};

/// The role of a piece of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Plain text.
    Text,
    /// Less important text: units, labels, origins.
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
    /// Running work, results of an older request.
    Stale,
    /// What is in the soup.
    Mark,
    /// The most important figures and texts.
    Strong,
    /// The cell under the cursor.
    Cursor,
    /// A category: task or family. Colours repeat after eight; a letter always accompanies them.
    Category(usize),
    /// A step from far (0) to near (4).
    Ramp(usize),
}

/// Every role with its name in the configuration and its use.
pub static ROLES: [(&str, Role, &str); 28] = [
    ("text", Role::Text, "plain text"),
    ("dim", Role::Dim, "units, labels, origins"),
    ("border", Role::Border, "lines around panes"),
    ("focus", Role::Focus, "border and title of the pane in focus, the tab on screen"),
    ("title", Role::Title, "titles"),
    ("key", Role::Key, "keys in hints and help"),
    ("selected", Role::Selected, "the selected row"),
    ("bar", Role::Bar, "filled parts of bars"),
    ("track", Role::Track, "empty parts of bars"),
    ("good", Role::Good, "rising, better"),
    ("bad", Role::Bad, "falling, wrong"),
    ("stale", Role::Stale, "work in flight, results of an older request"),
    ("mark", Role::Mark, "what is in the soup"),
    ("strong", Role::Strong, "figures and texts that matter most"),
    ("cursor", Role::Cursor, "the cell under the cursor"),
    ("category-1", Role::Category(0), "tasks or families, in turn"),
    ("category-2", Role::Category(1), ""),
    ("category-3", Role::Category(2), ""),
    ("category-4", Role::Category(3), ""),
    ("category-5", Role::Category(4), ""),
    ("category-6", Role::Category(5), ""),
    ("category-7", Role::Category(6), ""),
    ("category-8", Role::Category(7), ""),
    ("ramp-1", Role::Ramp(0), "from far"),
    ("ramp-2", Role::Ramp(1), ""),
    ("ramp-3", Role::Ramp(2), ""),
    ("ramp-4", Role::Ramp(3), ""),
    ("ramp-5", Role::Ramp(4), "to near"),
];

impl Role {
    /// Its index in [`ROLES`].
    fn number(self) -> usize {
        match self {
            Self::Category(n) => 15 + n % CATEGORIES.len(),
            Self::Ramp(n) => 15 + CATEGORIES.len() + n.min(RAMP.len() - 1),
            plain => ROLES.iter().position(|(_, role, _)| *role == plain).unwrap_or(0),
        }
    }

    /// Its name in the configuration.
    pub fn name(self) -> &'static str {
        ROLES[self.number()].0
    }
}

/// One role's values: 24-bit, 256 and 16 colours for dark; the same for light; modifiers with
/// colours; modifiers without.
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

/// Okabe & Ito's colour-blind safe set; the blue is lightened on dark, the yellow and others
/// darkened on light, and the black is a grey, so that each stands 3:1 against its background.
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

/// From far to near, after cividis, in even steps of lightness.
const RAMP: [Spec; 5] = [
    spec((0x5B6B8C, 60, Color::DarkGray), (0x9AA3AD, 247, Color::Gray), NONE, NONE),
    spec((0x7C7F86, 244, Color::Blue), (0x7C7B78, 243, Color::Cyan), NONE, NONE),
    spec((0x9E9673, 144, Color::Cyan), (0x66695F, 241, Color::Blue), NONE, NONE),
    spec((0xCBB95D, 185, Color::Yellow), (0x3F4C6B, 59, Color::Magenta), NONE, NONE),
    spec((0xFDE737, 227, Color::LightYellow), (0x00224E, 17, Color::Black), BOLD, BOLD),
];

/// The colours of one look.
#[derive(Clone, Copy, Debug)]
pub struct Theme<'a> {
    depth: ColourDepth,
    background: Background,
    palette: &'a Palette,
}

impl<'a> Theme<'a> {
    /// The theme of a look, with the user's colours applied.
    pub fn new(look: Look, palette: &'a Palette) -> Self {
        Self { depth: look.depth, background: look.background, palette }
    }

    /// A role's style.
    pub fn style(self, role: Role) -> Style {
        let own = self.own(role);
        match self.palette.get(self.background, role.name()) {
            Some(change) => self.changed(own, change),
            None => own,
        }
    }

    /// A style with the user's changes, as far as the terminal can show them.
    fn changed(self, mut style: Style, change: Override) -> Style {
        style.fg = change.fg.and_then(|c| self.shown(c)).or(style.fg);
        style.bg = change.bg.and_then(|c| self.shown(c)).or(style.bg);
        let flags = [(change.bold, BOLD), (change.underlined, Modifier::UNDERLINED), (change.reversed, Modifier::REVERSED)];
        for (wanted, modifier) in flags {
            style = match wanted {
                Some(true) => style.add_modifier(modifier),
                // Without colour the modifier may be all that carries the meaning.
                Some(false) if self.depth != ColourDepth::Mono => Style { add_modifier: style.add_modifier - modifier, ..style },
                _ => style,
            };
        }
        style
    }

    /// The colour nearest to it at the terminal's depth; `None` if there is none near it.
    fn shown(self, colour: Color) -> Option<Color> {
        match (self.depth, colour) {
            (ColourDepth::Mono, _) | (ColourDepth::Ansi, Color::Rgb(..) | Color::Indexed(16..)) => None,
            (ColourDepth::Indexed, Color::Rgb(r, g, b)) => Some(Color::Indexed(nearest_indexed([r, g, b]))),
            (_, colour) => Some(colour),
        }
    }

    fn own(self, role: Role) -> Style {
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
            // Reversed, a row of many colours would become a row of many backgrounds, so the row's
            // own colours are dropped.
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
            // `Reset` is the buffer's own default, so no colour command is ever written (crossterm
            // 0.29 would also drop the modifiers if it filtered colours itself).
            ColourDepth::Mono => Style::new().add_modifier(spec.mono),
        }
    }
}

/// The nearest colour of the 256-colour palette's cube and greys.
fn nearest_indexed(wanted: [u8; 3]) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let value = |index: u8| match index {
        232.. => [8 + (index - 232) * 10; 3],
        _ => [36, 6, 1].map(|unit| STEPS[usize::from((index - 16) / unit % 6)]),
    };
    let distance = |index: &u8| -> u32 { value(*index).iter().zip(wanted).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
    (16..=255).min_by_key(distance).unwrap_or(16)
}

fn rgb(value: u32) -> Color {
    Color::Rgb((value >> 16) as u8, (value >> 8) as u8, value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    static PLAIN: Palette = Palette::new();

    fn theme(depth: ColourDepth, background: Background, palette: &Palette) -> Theme<'_> {
        Theme::new(Look { depth, background, ..Look::default() }, palette)
    }

    #[test]
    fn every_role_has_its_name() {
        for (name, role, _) in ROLES {
            assert_eq!(role.name(), name);
        }
        assert_eq!((Role::Category(9).name(), Role::Ramp(7).name()), ("category-2", "ramp-5"));
    }

    #[test]
    fn the_users_colours_lie_over_the_themes_as_far_as_the_terminal_shows_them() {
        let mut palette = Palette::default();
        let change = Override { fg: Some(rgb(0xFF0000)), bold: Some(false), ..Override::default() };
        palette.set(Background::Dark, "focus", change);
        palette.set(Background::Dark, "dim", Override { fg: Some(Color::LightRed), ..Override::default() });
        let dark = |depth| theme(depth, Background::Dark, &palette);
        assert_eq!(dark(ColourDepth::True).style(Role::Focus), Style::new().fg(rgb(0xFF0000)));
        assert_eq!(dark(ColourDepth::Indexed).style(Role::Focus), Style::new().fg(Color::Indexed(196)));
        assert_eq!(dark(ColourDepth::Ansi).style(Role::Focus).fg, Some(Color::LightCyan), "no near one: the theme's own");
        assert_eq!(dark(ColourDepth::Ansi).style(Role::Dim).fg, Some(Color::LightRed));
        assert_eq!(dark(ColourDepth::Mono).style(Role::Focus), Style::new().add_modifier(BOLD), "bold is all there is: it stays");
        let light = theme(ColourDepth::True, Background::Light, &palette);
        assert_eq!(light.style(Role::Focus), theme(ColourDepth::True, Background::Light, &PLAIN).style(Role::Focus));
        assert_eq!((nearest_indexed([8, 8, 8]), nearest_indexed([95, 135, 255])), (232, 69));
    }

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

    /// WCAG requires 3:1 for graphics and 4.5:1 for text.
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
            let theme = theme(ColourDepth::Mono, background, &PLAIN);
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
        let theme = theme(ColourDepth::Ansi, Background::Dark, &PLAIN);
        for n in 0..8 {
            let fg = theme.style(Role::Category(n)).fg.unwrap();
            assert!(!matches!(fg, Color::Rgb(..) | Color::Indexed(_)), "{fg:?}");
        }
    }
}
