//! Prints frames of the screen with made-up values as text and SVG, to look at: `cargo test --test
//! it frames -- --ignored`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use crate::common::{Lab, busy, options};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use state_soup::app::key::parse_macro;
use state_soup::app::{Background, ColourDepth, GlyphSet, Look, Options};
use state_soup::term::tui::Tui;
use state_soup::ui::{draw, export};

fn save(lab: &Lab, name: &str, width: u16, height: u16) {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    draw(&lab.state, area, &mut buf);
    let dir = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("frames");
    std::fs::create_dir_all(&dir).unwrap();
    let light = lab.state.look.background == Background::Light;
    std::fs::write(dir.join(format!("{name}-{width}x{height}.svg")), export::svg(&buf, light)).unwrap();
    let text = export::text(&buf);
    std::fs::write(dir.join(format!("{name}-{width}x{height}.txt")), &text).unwrap();
    println!("{name} {width}×{height}\n{text}");
}

fn look(depth: ColourDepth, background: Background, glyphs: GlyphSet) -> Options {
    Options { look: Look { depth, background, glyphs }, ..options() }
}

#[test]
#[ignore = "writes pictures for people to look at"]
fn frames() {
    let dark = || look(ColourDepth::True, Background::Dark, GlyphSet::Braille);
    for (width, height) in [(80, 24), (120, 40), (200, 60), (70, 20)] {
        let mut lab = busy(dark());
        save(&lab, "lab", width, height);
        lab.keys("2");
        save(&lab, "map", width, height);
        lab.keys("v");
        save(&lab, "map-dots", width, height);
        lab.keys("5").idle();
        save(&lab, "library", width, height);
        lab.keys("6").idle();
        save(&lab, "session", width, height);
        lab.keys("1<alt-p>").idle();
        save(&lab, "present", width, height);
        lab.keys("<alt-p>?");
        save(&lab, "help", width, height);
        lab.keys("<esc>:soup");
        save(&lab, "palette", width, height);
    }
    save(&Lab::new(dark()), "start", 120, 40);
    save(&Lab::ready(dark()), "empty", 120, 40);
    save(&busy(look(ColourDepth::True, Background::Light, GlyphSet::Braille)), "light", 120, 40);
    save(&busy(look(ColourDepth::Ansi, Background::Dark, GlyphSet::HalfBlock)), "ansi", 120, 40);
    save(&busy(look(ColourDepth::Mono, Background::Dark, GlyphSet::Ascii)), "mono", 80, 24);
}

/// What each key of a macro sends to a terminal of 120×40: bytes of the key and the ranking that
/// comes with it, bytes of what a pause after it brings (the answers). The dearest key first.
fn cost_of_keys(lab: &mut Lab, keys: &str) -> Vec<(u64, u64, String)> {
    let area = Rect::new(0, 0, 120, 40);
    let mut tui = Tui::over(std::io::sink());
    tui.draw_at(&lab.state, area).unwrap();
    let mut costs = Vec::new();
    for key in parse_macro(keys).unwrap() {
        let before = tui.written().0;
        lab.keys(&if key.typed().is_some() { key.to_string().replace("space", " ") } else { format!("<{key}>") });
        tui.draw_at(&lab.state, area).unwrap();
        let pressed = tui.written().0;
        lab.idle();
        tui.draw_at(&lab.state, area).unwrap();
        costs.push((pressed - before, tui.written().0 - pressed, key.to_string()));
    }
    costs.sort_by(|a, b| b.cmp(a));
    costs
}

/// A line of 9600 baud carries about 1000 bytes a second: a key that costs more than two of these
/// is felt.
#[test]
fn a_keystroke_sends_less_than_two_kilobytes() {
    let look = || look(ColourDepth::True, Background::Dark, GlyphSet::Braille);
    let mut lab = Lab::ready(look());
    let first = cost_of_keys(&mut lab, "h");
    let typed = cost_of_keys(&mut lab, "ot -> cold<enter>big -> small<enter>rich -><backspace><left>");
    let mut lab = busy(look());
    let moved = cost_of_keys(&mut lab, "<up><down><right><left>.,m<tab><right><left><backtab><backtab><down><down><pgdn><home>");
    let around = cost_of_keys(&mut lab, &"<tab>".repeat(6));
    lab.keys("2").idle();
    let picked = cost_of_keys(&mut lab, "<right><left><up><tab><down><down>");
    lab.keys("5").idle();
    let listed = cost_of_keys(&mut lab, "<down><down><up>/geo<enter>/<ctrl-u>lex<backspace><enter><pgdn>v");
    for (what, costs) in
        [("first key", first), ("typing", typed), ("moving", moved), ("focus", around), ("picking", picked), ("listing", listed)]
    {
        let mean = costs.iter().map(|c| c.0).sum::<u64>() / costs.len() as u64;
        let paused = costs.iter().map(|c| c.1).max().unwrap_or(0);
        println!("{what}: {mean} bytes a key on average, the dearest {:?}; at most {paused} after a pause", &costs[..costs.len().min(3)]);
        assert!(costs.iter().all(|c| c.0 < 2048), "{what}: {costs:?}");
    }
}

/// Prints how long a frame takes: `cargo test --release --test it frames -- --ignored --nocapture
/// cost`.
#[test]
#[ignore = "a measurement"]
fn cost() {
    for (keys, name) in [("", "lab"), ("2", "map"), ("5", "library")] {
        let mut lab = busy(options());
        lab.keys(keys).idle();
        let area = Rect::new(0, 0, 200, 60);
        let start = std::time::Instant::now();
        for _ in 0..200 {
            let mut buf = Buffer::empty(area);
            draw(&lab.state, area, &mut buf);
        }
        println!("{name} at 200×60: {:.2} ms", start.elapsed().as_secs_f64() * 5.0);
    }
}
