//! Prints frames of the screen with made-up values as text and SVG, to look at: `cargo test --test frames -- --ignored`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

mod common;

use common::{Lab, busy, options};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use state_soup::app::{Background, ColourDepth, GlyphSet, Look, Options};
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

/// Prints how long a frame takes: `cargo test --release --test frames -- --ignored --nocapture cost`.
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
