//! Which colours and glyphs the terminal can show.

/// The number of colours that may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ColourDepth {
    /// 24-bit.
    True,
    /// The 256-colour palette.
    Indexed,
    /// The terminal's own 16 colours.
    #[default]
    Ansi,
    /// No colour, bold and reverse only (`NO_COLOR`).
    Mono,
}

impl ColourDepth {
    /// All, richest first.
    pub const ALL: [Self; 4] = [Self::True, Self::Indexed, Self::Ansi, Self::Mono];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::True => "truecolor",
            Self::Indexed => "256",
            Self::Ansi => "16",
            Self::Mono => "none",
        }
    }
}

/// The terminal's background.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// Light text on dark.
    #[default]
    Dark,
    /// Dark text on light.
    Light,
}

/// The shapes that bars, scatter points and borders are drawn with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GlyphSet {
    /// Octants (2×4 per cell, filled), eighth blocks. Unicode 16: few fonts have them yet, so they
    /// are never the default.
    Octant,
    /// Braille dots (2×4 per cell), eighth blocks.
    #[default]
    Braille,
    /// Half blocks.
    HalfBlock,
    /// One dot per cell.
    Dot,
    /// ASCII only.
    Ascii,
}

impl GlyphSet {
    /// All, finest first.
    pub const ALL: [Self; 5] = [Self::Octant, Self::Braille, Self::HalfBlock, Self::Dot, Self::Ascii];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Octant => "octant",
            Self::Braille => "braille",
            Self::HalfBlock => "halfblock",
            Self::Dot => "dot",
            Self::Ascii => "ascii",
        }
    }

    /// The next coarser set; the finest after the coarsest.
    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Octant => Self::Braille,
            Self::Braille => Self::HalfBlock,
            Self::HalfBlock => Self::Dot,
            Self::Dot => Self::Ascii,
            Self::Ascii => Self::Octant,
        }
    }
}

/// Colours, background and glyphs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Colours.
    pub depth: ColourDepth,
    /// Background.
    pub background: Background,
    /// Glyphs.
    pub glyphs: GlyphSet,
}
