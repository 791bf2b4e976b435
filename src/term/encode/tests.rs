use super::disputed::{is_plain, widest};
use super::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use ratatui::layout::Rect;
use ratatui::style::Style as Full;

/// A terminal that knows what [`changes`] sends: moves, styles, erasing, text. It takes no step
/// from behind the last column but a return.
fn play(screen: &mut Buffer, text: &str) {
    let (width, height) = (screen.area.width, screen.area.height);
    let (mut x, mut y, mut style) = (0, 0, Full::reset());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(sequence) = rest.strip_prefix("\x1b[") {
            let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
            let numbers: Vec<u16> = sequence[..end].split(';').filter_map(|n| n.parse().ok()).collect();
            let by = numbers.first().copied().unwrap_or(1);
            let letter = &sequence[end..=end];
            assert!(x < width || "Hm".contains(letter), "{letter} at the edge of {text:?}");
            match letter {
                "H" => (x, y) = (numbers.get(1).copied().unwrap_or(1) - 1, by - 1),
                "A" => y -= by,
                "B" => y += by,
                "C" => x += by,
                "D" => x -= by,
                "K" | "X" => {
                    // Terminals differ in whether they erase with the background.
                    assert_eq!(style, Full::reset(), "{text:?}");
                    let end = if letter == "K" { width } else { x + by };
                    (x..end).for_each(|x| screen[(x, y)].reset());
                }
                "m" => style = styled(style, &numbers),
                other => panic!("{other}"),
            }
            rest = &sequence[end + 1..];
            assert!(x < width && y < height || letter == "m", "{text:?}");
            continue;
        }
        match c {
            '\r' => x = 0,
            '\n' => {
                assert!(x < width && y + 1 < height, "it scrolls: {text:?}");
                y += 1;
            }
            '\x08' => {
                assert!(x < width && x > 0, "{text:?}");
                x -= 1;
            }
            c => {
                assert!(x < width, "{text:?}");
                screen.set_string(x, y, c.to_string(), style);
                x += c.to_string().width() as u16;
            }
        }
        rest = &rest[c.len_utf8()..];
    }
    assert_eq!(style, Full::reset(), "{text:?}");
}

fn styled(before: Full, numbers: &[u16]) -> Full {
    const FLAGS: [Modifier; 4] = [Modifier::BOLD, Modifier::DIM, Modifier::ITALIC, Modifier::UNDERLINED];
    let mut style = if numbers.is_empty() { Full::reset() } else { before };
    let mut at = 0;
    while let Some(n) = numbers.get(at) {
        let long = |at: usize| match numbers[at + 1] {
            2 => (Color::Rgb(numbers[at + 2] as u8, numbers[at + 3] as u8, numbers[at + 4] as u8), 5),
            _ => (Color::Indexed(numbers[at + 2] as u8), 3),
        };
        let (change, used) = match n {
            0 => (Full::reset(), 1),
            1..=4 => (Full::new().add_modifier(FLAGS[usize::from(*n) - 1]), 1),
            7 => (Full::new().add_modifier(Modifier::REVERSED), 1),
            31 => (Full::new().fg(Color::Red), 1),
            97 => (Full::new().fg(Color::White), 1),
            44 => (Full::new().bg(Color::Blue), 1),
            100 => (Full::new().bg(Color::DarkGray), 1),
            38 => (Full::new().fg(long(at).0), long(at).1),
            48 => (Full::new().bg(long(at).0), long(at).1),
            other => panic!("{other}"),
        };
        style = style.patch(change);
        at += used;
    }
    style
}

fn picture() -> impl Strategy<Value = Buffer> {
    let fg = prop_oneof![Just(Color::Reset), Just(Color::Red), Just(Color::White), Just(Color::Rgb(1, 20, 255)), Just(Color::Indexed(99))];
    let bg = prop_oneof![Just(Color::Reset), Just(Color::Blue), Just(Color::DarkGray), Just(Color::Rgb(9, 8, 7))];
    let flags = prop_oneof![Just(Modifier::empty()), Just(Modifier::BOLD), Just(Modifier::REVERSED | Modifier::UNDERLINED)];
    let pieces = prop::collection::vec(("[a-c日█ ]{1,6}", fg, bg, flags), 0..5);
    // Rows are filled from the left: a text that begins in the middle of a wide character is no
    // picture.
    prop::collection::vec(pieces, 4).prop_map(|rows| {
        let mut buf = Buffer::empty(Rect::new(0, 0, 12, 4));
        for (y, row) in rows.into_iter().enumerate() {
            let mut x = 0;
            for (text, fg, bg, flags) in row {
                x = buf.set_stringn(x, y as u16, text, 12, Full::reset().fg(fg).bg(bg).add_modifier(flags)).0;
                if x >= 12 {
                    break;
                }
            }
        }
        buf
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: RngSeed::Fixed(7), ..ProptestConfig::default() })]

    /// Whatever was on screen: what is sent makes the new picture of it, as far as eyes can
    /// tell.
    #[test]
    fn a_terminal_shows_the_new_picture(old in picture(), new in picture()) {
        let mut screen = old.clone();
        play(&mut screen, &changes(&old, &new));
        let told = |b: &Buffer| seen(b).content().iter().map(|c| (c.symbol().to_owned(), c.fg, c.bg, c.modifier)).collect::<Vec<_>>();
        prop_assert_eq!(told(&screen), told(&new));
    }
}

/// A terminal that counts graphemes in its own way: each of `disputed` takes `cells` cells.
/// Only moves, blanks and text; styles are let pass.
struct Counting<'c> {
    cells: usize,
    disputed: &'c [&'c str],
    rows: Vec<Vec<String>>,
}

impl Counting<'_> {
    fn put(&mut self, (x, y): (usize, usize), text: &str, cells: usize) {
        let row = &mut self.rows[y];
        // Whoever writes over half of a wide character leaves a blank of the other half.
        if row[x].is_empty() {
            row[..x].iter_mut().rev().find(|c| !c.is_empty()).unwrap().replace_range(.., " ");
        }
        for i in x..(x + cells).min(row.len()) {
            row[i] = if i == x { text.into() } else { String::new() };
        }
        let behind = (x + cells).min(row.len());
        for cell in row[behind..].iter_mut().take_while(|c| c.is_empty()) {
            *cell = " ".into();
        }
    }

    fn play(&mut self, text: &str) {
        let (width, height) = (self.rows[0].len(), self.rows.len());
        let (mut x, mut y, mut rest, mut wraps) = (0, 0, text, true);
        while let Some(c) = rest.chars().next() {
            if let Some(sequence) = rest.strip_prefix("\x1b[") {
                let end = sequence.find(|c: char| c.is_ascii_alphabetic()).unwrap();
                let numbers: Vec<usize> = sequence[..end].split(';').filter_map(|n| n.parse().ok()).collect();
                let by = numbers.first().copied().unwrap_or(1);
                match &sequence[end..=end] {
                    "H" => (x, y) = (numbers.get(1).copied().unwrap_or(1) - 1, by - 1),
                    "A" => y -= by,
                    "B" => y += by,
                    "C" => x = (x + by).min(width - 1),
                    "D" => x = x.saturating_sub(by),
                    "K" => (x..width).for_each(|x| self.put((x, y), " ", 1)),
                    "X" => (x..x + by).for_each(|x| self.put((x, y), " ", 1)),
                    "m" => {}
                    "l" | "h" => wraps = &sequence[end..=end] == "h",
                    other => panic!("{other}"),
                }
                rest = &sequence[end + 1..];
                continue;
            }
            let piece = self.disputed.iter().filter(|d| rest.starts_with(**d)).max_by_key(|d| d.len());
            let (piece, cells) = match piece {
                Some(piece) => (*piece, self.cells.min(usize::from(widest(piece)))),
                None => (&rest[..c.len_utf8()], c.to_string().width().max(1)),
            };
            match c {
                '\r' => x = 0,
                '\n' => y += 1,
                '\x08' => x = x.saturating_sub(1),
                _ => {
                    if x + cells > width {
                        assert!(!wraps || x >= width, "{piece:?} goes on in the next row");
                        x = width.saturating_sub(cells);
                    }
                    assert!(y < height);
                    self.put((x, y), piece, cells);
                    // Without wrapping the cursor stays in the last column.
                    x = if wraps { x + cells } else { (x + cells).min(width - 1) };
                }
            }
            rest = &rest[piece.len()..];
        }
    }
}

const DISPUTED: [&str; 12] = [
    "1\u{fe0f}\u{20e3}",
    "❤\u{fe0f}",
    "❤",
    "👍\u{1f3fd}",
    "👨\u{200d}👩\u{200d}👧",
    "🇫🇷",
    "e\u{301}",
    "ก\u{e31}",
    "น\u{e49}",
    "\u{915}\u{94d}\u{937}",
    "🙂",
    "☀\u{fe0f}",
];

fn disputed_picture() -> impl Strategy<Value = Buffer> {
    let piece = prop_oneof![3 => "[a-c日│]{1,5}", 2 => prop::sample::select(DISPUTED.to_vec()).prop_map(str::to_owned), 1 => Just("    ".to_owned())];
    let style = prop_oneof![Just(Color::Reset), Just(Color::Red), Just(Color::White)];
    prop::collection::vec(prop::collection::vec((piece, style), 0..6), 4).prop_map(|rows| {
        let mut buf = Buffer::empty(Rect::new(0, 0, 16, 4));
        for (y, row) in rows.into_iter().enumerate() {
            let mut x = 0;
            for (text, fg) in row {
                if x >= 16 {
                    break;
                }
                x = buf.set_stringn(x, y as u16, text, 16, Full::reset().fg(fg)).0;
            }
        }
        buf
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, rng_seed: RngSeed::Fixed(5), ..ProptestConfig::default() })]

    /// However many cells a terminal gives a disputed grapheme, and through any changes: all
    /// else is where it belongs.
    #[test]
    fn what_terminals_dispute_moves_nothing_else(pictures in prop::collection::vec(disputed_picture(), 1..4), cells in 1usize..=6) {
        let area = pictures[0].area;
        let blank = vec![vec![" ".to_owned(); usize::from(area.width)]; usize::from(area.height)];
        let mut screen = Counting { cells, disputed: &DISPUTED, rows: blank };
        let mut old = Buffer::empty(area);
        for new in pictures {
            screen.play(&changes(&old, &new));
            for y in 0..area.height {
                let mut x = 0;
                while x < area.width {
                    let symbol = new[(x, y)].symbol();
                    let width = symbol.width().max(1) as u16;
                    if is_plain(symbol) {
                        let shown = screen.rows[usize::from(y)][usize::from(x)].as_str();
                        prop_assert_eq!(shown, symbol, "at {},{} of {:?} with {} cells", x, y, new, cells);
                    }
                    x += width;
                }
            }
            old = new;
        }
    }
}

#[test]
fn a_disputed_grapheme_is_followed_by_an_absolute_move() {
    let area = Rect::new(0, 0, 30, 3);
    let old = Buffer::empty(area);
    let mut new = old.clone();
    new.set_string(2, 1, "a1\u{fe0f}\u{20e3}b", Full::new());
    new.set_string(20, 1, "252", Full::new());
    let sent = changes(&old, &new);
    let at = 3 + "1\u{fe0f}\u{20e3}".width();
    assert!(sent.starts_with("\x1b[2;4H") && sent.contains("\u{20e3}\x1b[2;3Ha"), "{sent:?}");
    assert!(sent.contains(&format!("\x1b[{}Cb", at - 3)) || sent.contains(&format!("\x1b[2;{}Hb", at + 1)), "{sent:?}");
    // What turns the text around it is not sent at all.
    let mut turned = old.clone();
    turned[(0, 0)].set_symbol("x\u{202e}");
    assert!(!changes(&old, &turned).contains('\u{202e}'));
}

#[test]
fn a_style_is_named_once_and_nothing_is_sent_for_nothing() {
    let area = Rect::new(0, 0, 20, 3);
    let old = Buffer::empty(area);
    let mut new = old.clone();
    let (red, plain) = (Full::new().fg(Color::Red), Full::new());
    for y in 0..3 {
        new.set_string(0, y, "aa", red);
        new.set_string(2, y, "b", plain);
        new.set_string(5, y, "c", red);
    }
    let sent = changes(&old, &new);
    assert_eq!(sent, "\x1b[31m\x1b[Haa\r\naa\r\naa\x1b[3Cc\x1b[A\x08c\x1b[A\x08c\x1b[m\x1b[4Db\n\x08b\n\x08b");
    assert_eq!(changes(&new, &new), "");
    // The colour of a blank is nobody's business.
    let mut coloured = new.clone();
    coloured.set_string(8, 1, "     ", red);
    assert_eq!(changes(&new, &coloured), "");
}

#[test]
fn a_border_goes_down_the_screen_in_five_bytes_a_row_and_blanks_are_erased() {
    let area = Rect::new(0, 0, 40, 12);
    let mut new = Buffer::empty(area);
    (0..12).for_each(|y| new.set_string(7, y, "│", Full::new()));
    let sent = changes(&Buffer::empty(area), &new);
    assert_eq!(sent, format!("\x1b[1;8H│{}", "\n\x08│".repeat(11)));
    let mut old = new.clone();
    old.set_string(9, 3, "a long text", Full::new().fg(Color::Red));
    old.set_string(0, 5, "hidden", Full::new());
    assert_eq!(changes(&old, &new), "\x1b[6H\x1b[6X\x1b[4;10H\x1b[K");
}
