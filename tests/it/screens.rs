//! Whole screens, styles included, at three sizes and in three colour modes; every size from
//! nothing to very large; what must be on screen without colour; and that the borders between the
//! rooms hold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // Tests fail by panicking.

use crate::common::{Lab, busy, options};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Style};
use state_soup::app::screen::Target;
use state_soup::app::session::Session;
use state_soup::app::show::Show;
use state_soup::app::{Action, Background, ColourDepth, Focus, GlyphSet, Look, Options, Tab};
use state_soup::ui::{draw, export, hit};
use std::fmt::Write as _;

fn frame(lab: &Lab, width: u16, height: u16) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buf = Buffer::empty(area);
    draw(&lab.state, area, &mut buf);
    buf
}

/// Text, then the styles of every row as runs of a letter and a length, then what the letters mean.
fn serialise(buf: &Buffer) -> String {
    let mut out = export::text(buf);
    let mut styles: Vec<Style> = vec![Style::reset()];
    out.push_str("--\n");
    for y in 0..buf.area.height {
        let mut runs: Vec<(usize, usize)> = Vec::new();
        for x in 0..buf.area.width {
            let style = buf[(x, y)].style();
            let at = styles.iter().position(|s| (s.fg, s.bg, s.add_modifier) == (style.fg, style.bg, style.add_modifier));
            let at = at.unwrap_or_else(|| {
                styles.push(style);
                styles.len() - 1
            });
            match runs.last_mut() {
                Some(run) if run.0 == at => run.1 += 1,
                _ => runs.push((at, 1)),
            }
        }
        for (style, length) in runs {
            let _ = write!(out, "{}{length} ", (b'a' + style as u8) as char);
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    let colour = |c: Option<Color>| c.filter(|c| *c != Color::Reset).map_or("-".into(), |c| c.to_string());
    for (i, s) in styles.iter().enumerate() {
        let _ = writeln!(out, "{} {} on {} {:?}", (b'a' + i as u8) as char, colour(s.fg), colour(s.bg), s.add_modifier);
    }
    out
}

fn with(depth: ColourDepth, glyphs: GlyphSet) -> Options {
    Options { look: Look { depth, background: Background::Dark, glyphs }, ..options() }
}

#[test]
fn every_tab_at_three_sizes_in_three_colour_modes() {
    let modes = [
        ("true", ColourDepth::True, GlyphSet::Braille),
        ("16", ColourDepth::Ansi, GlyphSet::HalfBlock),
        ("none", ColourDepth::Mono, GlyphSet::Ascii),
    ];
    for (mode, depth, glyphs) in modes {
        for (width, height) in [(80, 24), (120, 40), (200, 60)] {
            let session = "<alt-c>Opposites<enter><alt-n>Three skills, one soup.<enter>6";
            let tabs = [("lab", ""), ("map", "2"), ("decay", "3"), ("experiments", "4<enter>"), ("library", "5"), ("session", session)];
            for (tab, keys) in tabs {
                let mut lab = busy(with(depth, glyphs));
                lab.keys(keys).idle();
                insta::assert_snapshot!(format!("{tab}-{width}x{height}-{mode}"), serialise(&frame(&lab, width, height)));
            }
        }
    }
}

/// The Lab as it is by itself: the evidence orders the tasks and chooses the soup.
#[test]
fn evidence_in_the_lab_and_for_an_audience() {
    for (name, query) in [("evidence", "hot -> cold\nrich -> poor\nbig ->"), ("none-fits", "nothing -> 12\nred -> 7\nbig ->")] {
        for present in [false, true] {
            for (width, height) in [(80, 24), (120, 40), (200, 60)] {
                let options = with(ColourDepth::True, GlyphSet::Braille);
                let mut lab = Lab::ready(Options { evidence: true, query: query.into(), target: "small".into(), present, ..options });
                lab.idle();
                let place = if present { "present" } else { "lab" };
                insta::assert_snapshot!(format!("{name}-{place}-{width}x{height}"), serialise(&frame(&lab, width, height)));
            }
        }
    }
}

#[test]
fn overlays_and_first_frame() {
    let mut lab = Lab::new(with(ColourDepth::True, GlyphSet::Braille));
    insta::assert_snapshot!("start-80x24", serialise(&frame(&lab, 80, 24)));
    lab = busy(with(ColourDepth::True, GlyphSet::Braille));
    for (name, keys) in [
        ("help", "?"),
        ("palette", "<esc>:soup"),
        ("prompt", "<esc><home>=x<enter>"),
        ("add", "<esc>5a"),
        ("task", "<esc>A<ctrl-u>country"),
        ("health", "<esc>v<down>"),
        ("guide", "<esc>?<tab>"),
        ("guide-page", "<home><enter><down><down>"),
    ] {
        lab.keys(keys);
        insta::assert_snapshot!(format!("{name}-80x24"), export::text(&frame(&lab, 80, 24)));
    }
}

/// Every panel of the Lab's instruments, and the verdict below the Lab.
#[test]
fn panels() {
    let keys = [
        ("snapshots", "w<home><right>wWr"),
        ("diff", "b<home><right><right><down><down><down><right>cD"),
        ("ecg", "E<left><left>"),
        ("landscape", "<down><down>T<left><up>"),
        ("line", "<home>mT<right>"),
        ("attribution", "A"),
        ("autopsy", "X"),
        ("verdict", "V"),
        ("curve", "cccc<end>]]]"),
    ];
    for (name, keys) in keys {
        for (width, height) in [(80, 24), (120, 40)] {
            let mut lab = busy(with(ColourDepth::True, GlyphSet::Braille));
            lab.keys(keys).idle();
            insta::assert_snapshot!(format!("{name}-{width}x{height}"), serialise(&frame(&lab, width, height)));
            lab.state.look = Look { depth: ColourDepth::Mono, glyphs: GlyphSet::Ascii, ..lab.state.look };
            let buf = frame(&lab, width, height);
            assert!(buf.content().iter().all(|c| c.symbol().is_ascii() && c.fg == Color::Reset && c.bg == Color::Reset));
        }
    }
}

/// A session played: two steps, the second waiting.
fn show(options: Options) -> Lab {
    let text = "title = 'Opposites'\n[[step]]\nchapter = 'A query'\nnote = 'One example is enough.'\nkeys = 'hot -> cold'\n\
                expect = { task = 'antonym' }\n[[step]]\nchapter = 'A soup'\nkeys = '<esc><enter>'";
    let show = Show::new(Session::parse(text).unwrap(), 200.0).unwrap();
    let mut lab = Lab::ready(Options { show: Some(show), ..options });
    lab.keys(" ").idle();
    lab
}

#[test]
fn for_an_audience() {
    for (mode, depth, glyphs) in [("true", ColourDepth::True, GlyphSet::Braille), ("none", ColourDepth::Mono, GlyphSet::Ascii)] {
        for (width, height) in [(80, 24), (120, 40)] {
            let mut lab = busy(with(depth, glyphs));
            lab.keys("<alt-p>");
            let buf = frame(&lab, width, height);
            insta::assert_snapshot!(format!("present-{width}x{height}-{mode}"), serialise(&buf));
            let text = export::text(&buf);
            for part in ["margin", "0.300", "query ln p", "soup ln p", "target small", "antonym", "small", "0.6*", "keys"] {
                assert!(text.contains(part), "{part} is missing at {width}×{height}:\n{text}");
            }
            let lab = show(with(depth, glyphs));
            let text = export::text(&frame(&lab, width, height));
            insta::assert_snapshot!(format!("show-{width}x{height}-{mode}"), text);
            for part in ["1/2", "A query", "One example is enough.", "1 held, 0 broken", "space next: A soup"] {
                assert!(text.contains(part), "{part} is missing at {width}×{height}:\n{text}");
            }
        }
    }
}

#[test]
fn too_small_says_what_is_needed() {
    let lab = busy(options());
    assert!(export::text(&frame(&lab, 42, 12)).contains("needs 60×16"));
    assert!(export::text(&frame(&lab, 42, 12)).contains("42×12"));
}

#[test]
fn without_colour_and_beyond_ascii_every_piece_is_still_there() {
    let mut lab = busy(with(ColourDepth::Mono, GlyphSet::Ascii));
    lab.keys("m<down>s");
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let buf = frame(&lab, width, height);
        assert!(buf.content().iter().all(|c| c.symbol().is_ascii()), "{}", export::text(&buf));
        assert!(buf.content().iter().all(|c| c.fg == Color::Reset && c.bg == Color::Reset));
        let text = export::text(&buf);
        // Focus, selection, change of place, membership in the soup, mute, solo, lock, best answer.
        for sign in ["> Soup", ">synonym/4", "^2", "1.048", "M", "SL", "*", "margin 0.300", "-0.44"] {
            assert!(text.contains(sign), "{sign} is missing at {width}×{height}:\n{text}");
        }
    }
    lab.keys("2");
    let text = export::text(&frame(&lab, 120, 40));
    assert!(text.contains("A antonym") && text.contains("AA"), "letters tell the tasks apart:\n{text}");
    lab.keys("3j>").idle();
    for (width, height) in [(80, 24), (120, 40), (200, 60)] {
        let buf = frame(&lab, width, height);
        let text = export::text(&buf);
        assert!(buf.content().iter().all(|c| c.symbol().is_ascii() && c.fg == Color::Reset && c.bg == Color::Reset), "{text}");
        // Selection, best rule, γ, a chunk's number, the continuation's mark, bar and tick, cursor,
        // half-lives by digit, what the columns are.
        for sign in [">A-decay ", "*", "g 1.1", " 1 w", " + ", "#", "==", "^", "0011", "# A-decay . = full pass"] {
            assert!(text.contains(sign), "{sign} is missing at {width}×{height}:\n{text}");
        }
        assert!(buf.content().iter().any(|c| c.modifier.contains(ratatui::style::Modifier::UNDERLINED)), "where a chunk begins");
    }
}

/// Every size, many random actions: nothing panics, and drawing twice gives the same picture.
#[test]
fn no_size_and_no_keys_panic() {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |n: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % n
    };
    let names = [
        "up",
        "down",
        "left",
        "right",
        "home",
        "end",
        "pgup",
        "pgdn",
        "tab",
        "backtab",
        "esc",
        "enter",
        "backspace",
        "del",
        "f1",
        "f2",
        "f3",
        "f4",
        "f5",
        "f7",
        "f8",
        "ctrl-p",
        "ctrl-s",
        "ctrl-u",
        "ctrl-k",
        "ctrl-w",
        "shift-up",
        "shift-left",
        "shift-right",
        "alt-x",
        "alt-p",
        "alt-c",
        "alt-n",
        "space",
    ];
    let letters: Vec<char> = "abcdefghijklmnoprstuvwxyzABCDEGJKLNPRSTUVWX0123456789+-=<>[]{}?:/.,é日".chars().collect();
    let sizes = [
        (0, 0),
        (1, 1),
        (0, 24),
        (80, 0),
        (59, 16),
        (60, 15),
        (60, 16),
        (79, 22),
        (80, 21),
        (80, 24),
        (100, 30),
        (120, 40),
        (140, 34),
        (200, 60),
        (300, 100),
    ];
    let mut lab = Lab::ready(with(ColourDepth::True, GlyphSet::Braille));
    for step in 0..100_000 {
        let key = if random(3) == 0 {
            format!("<{}>", names[random(names.len() as u64) as usize])
        } else {
            letters[random(letters.len() as u64) as usize].to_string()
        };
        lab.keys(&key);
        if random(5) == 0 {
            lab.idle();
        }
        if random(97) == 0 {
            lab.act(Action::Paste("one -> two\nthree ->\t\u{7}".repeat(random(40) as usize)));
        }
        lab.effects.clear();
        let (width, height) =
            if step % 3 == 0 { sizes[random(sizes.len() as u64) as usize] } else { (random(301) as u16, random(101) as u16) };
        if step % 40 == 0 {
            assert!(frame(&lab, width, height) == frame(&lab, width, height));
        }
    }
}

/// Wherever the mouse may point, on every tab and at every layout, the target's name stands in the
/// picture there.
#[test]
fn what_is_clicked_is_what_is_drawn() {
    for (width, height) in [(200, 60), (120, 40), (80, 24), (60, 16)] {
        let area = Rect::new(0, 0, width, height);
        for keys in ["", "<esc>2", "<esc>2v", "<esc>5"] {
            let mut lab = busy(options());
            lab.keys(keys).idle();
            let buf = frame(&lab, width, height);
            let text = |rect: Rect| rect.positions().map(|p| buf[p].symbol()).collect::<String>();
            let mut seen = std::collections::BTreeSet::new();
            // Every place is a picture of its own to draw: a part of them, in all columns and rows.
            for position in area.positions().step_by(if height > 30 { 37 } else { 7 }) {
                let Some(target) = hit(&lab.state, area, position.x, position.y) else { continue };
                seen.insert(format!("{target:?}"));
                let row = text(Rect { y: position.y, height: 1, ..area });
                let state = &lab.state;
                let wanted = match target {
                    Target::Tab(tab) => tab.title().to_owned(),
                    Target::Row(Focus::Ranking, i) => state.lab.ranking.as_ref().unwrap().by_task[i].task.clone(),
                    Target::Row(Focus::Skills, i) => {
                        let row = state_soup::app::library::visible(state)[i];
                        state.library.as_ref().unwrap().skills[row].id.clone()
                    }
                    Target::Row(Focus::Neighbours, i) => {
                        let map = state.map.map.as_ref().unwrap();
                        map.skills[map.neighbours[state.map.pick][i].0].clone()
                    }
                    Target::Row(Focus::Soup, i) if i < state.lab.bench.soup.ingredients.len() => {
                        state.lab.bench.soup.ingredients[i].skill.clone()
                    }
                    _ => continue,
                };
                let wanted: String = wanted.chars().take(7).collect();
                assert!(row.contains(&wanted), "{width}×{height} {keys:?} {position:?}: {target:?} is not in {row:?}");
            }
            assert!(seen.len() > 5, "{width}×{height} {keys:?}: {seen:?}");
            assert!(seen.iter().any(|t| t.starts_with("Row")), "{width}×{height} {keys:?}: {seen:?}");
        }
    }
}

#[test]
fn clicks_focus_and_select_and_the_wheel_scrolls() {
    let area = Rect::new(0, 0, 120, 40);
    let mut lab = busy(options());
    let find = |lab: &Lab, wanted: Target| {
        let there = |p: &Position| hit(&lab.state, area, p.x, p.y) == Some(wanted);
        area.positions().find(there).unwrap_or_else(|| panic!("{wanted:?} is nowhere"))
    };
    let click = |lab: &mut Lab, wanted: Target| {
        let at = find(lab, wanted);
        let target = hit(&lab.state, area, at.x, at.y).unwrap();
        lab.keys(&format!("<click {target}>"));
    };
    click(&mut lab, Target::Row(Focus::Ranking, 4));
    assert_eq!((lab.state.focus(), lab.state.lab.selected), (Focus::Ranking, 4));
    click(&mut lab, Target::Row(Focus::Soup, 2));
    assert_eq!((lab.state.focus(), lab.state.lab.bench.selected), (Focus::Soup, 2));
    click(&mut lab, Target::Row(Focus::Answers, 3));
    assert_eq!((lab.state.focus(), lab.state.lab.answer), (Focus::Answers, 3));
    click(&mut lab, Target::Pane(Focus::Query));
    assert_eq!(lab.state.focus(), Focus::Query);
    lab.keys("<wheel-down ranking>");
    assert_eq!((lab.state.focus(), lab.state.lab.selected), (Focus::Ranking, 5));
    click(&mut lab, Target::Tab(Tab::Map));
    lab.idle();
    let cell = area.positions().find_map(|p| match hit(&lab.state, area, p.x, p.y) {
        Some(Target::Row(Focus::Map, point)) if point != lab.state.map.pick => Some(point),
        _ => None,
    });
    let point = cell.unwrap();
    click(&mut lab, Target::Row(Focus::Map, point));
    assert_eq!(lab.state.map.pick, point);
    click(&mut lab, Target::Tab(Tab::Library));
    lab.idle();
    click(&mut lab, Target::Row(Focus::Skills, 3));
    lab.idle();
    assert_eq!(lab.state.shelf.selected, 3);
    assert_eq!(lab.state.shelf.report.as_ref().unwrap().meta.id, "antonym/3");
    lab.keys("?");
    assert_eq!(hit(&lab.state, area, 5, 20), Some(Target::Overlay), "what lies above cannot be clicked through");
}

/// Every size once, with everything on screen.
#[test]
fn every_size_is_drawn() {
    let tabs = ["", "2", "3", "4<enter>", "4<enter>v<tab><left>", "5", "6", "?", "?<tab>", "?<tab><enter><end>", ":", "<home>=", "<alt-p>"];
    let panels = ["bD", "E", "T", "A", "X", "wW", "V"];
    for keys in tabs.into_iter().chain(panels) {
        let mut lab = busy(options());
        lab.keys(keys).idle();
        for width in (0..=300).step_by(11) {
            for height in (0..=100).step_by(3) {
                frame(&lab, width, height);
            }
        }
    }
}

#[test]
fn the_borders_between_the_rooms_hold() {
    let rules: [(&str, &[&str]); 2] = [
        ("src/app", &["tokio", "crossterm", "candle", "crate::ui", "crate::term", "std::fs", "std::env", "SystemTime", "Instant"]),
        ("src/ui", &["tokio", "crossterm", "candle", "crate::term", "std::fs", "std::env", "&mut State"]),
    ];
    fn files(dir: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, found) } else { found.push(path) }
        }
    }
    for (room, forbidden) in rules {
        let mut all = Vec::new();
        files(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(room), &mut all);
        assert!(all.len() > 5);
        for path in all {
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
            for (number, line) in code.enumerate() {
                for word in forbidden {
                    assert!(!line.contains(word), "{}:{number}: {word}: {line}", path.display());
                }
            }
        }
    }
}
