use super::*;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// Inputs as text: keys by their names, and the others.
fn told(inputs: &[Input]) -> String {
    let one = |input: &Input| match input {
        Input::Key(key) => key.to_string(),
        Input::Paste(text) => format!("paste({text})"),
        Input::Press(x, y) => format!("press({x},{y})"),
        Input::Wheel(x, y, up) => format!("wheel({x},{y},{up})"),
        Input::Background(b) => format!("{b:?}"),
    };
    inputs.iter().map(one).collect::<Vec<_>>().join(" ")
}

/// What comes of bytes at once, and what after a pause.
fn parsed(bytes: &[u8]) -> (String, String) {
    let (mut parser, mut out) = (Parser::default(), Vec::new());
    parser.feed(bytes, Instant::now(), &mut out);
    let at_once = told(&out);
    out.clear();
    if parser.deadline().is_some() {
        parser.expire(&mut out);
    }
    assert!(parser.deadline().is_none() && parser.held.is_empty() && parser.paste.is_none());
    (at_once, told(&out))
}

#[test]
fn every_key_of_the_lab_is_read() {
    for (bytes, keys) in [
        ("aZ?é日🙂", "a Z ? é 日 🙂"),
        (" \r\t\x7f\n\x08", "space enter tab backspace ctrl-j ctrl-h"),
        ("\x01\x11\x1a\x1c\x1f\0", "ctrl-a ctrl-q ctrl-z ctrl-4 ctrl-7 ctrl-space"),
        ("\x1b[A\x1b[B\x1b[C\x1b[D\x1b[H\x1b[F\x1b[Z", "up down right left home end backtab"),
        ("\x1bOA\x1bOB\x1bOC\x1bOD\x1bOH\x1bOF\x1bOM", "up down right left home end enter"),
        ("\x1bOP\x1bOQ\x1bOR\x1bOS", "f1 f2 f3 f4"),
        ("\x1b[[A\x1b[[E", "f1 f5"),
        ("\x1b[11~\x1b[15~\x1b[17~\x1b[21~\x1b[23~\x1b[24~", "f1 f5 f6 f10 f11 f12"),
        ("\x1b[1~\x1b[3~\x1b[4~\x1b[5~\x1b[6~\x1b[7~\x1b[8~", "home del end pgup pgdn home end"),
        ("\x1b[1;2A\x1b[1;5C\x1b[1;3D\x1b[1;6H\x1b[3;5~", "shift-up ctrl-right alt-left ctrl-shift-home ctrl-del"),
        ("\x1b[1;2P\x1b[1;5R\x1b[15;2~", "shift-f1 ctrl-f3 shift-f5"),
        ("\x1bx\x1bX1\x1b1\x1b\r\x1b\x7f\x1b\x01\x1bé", "alt-x alt-X 1 alt-1 alt-enter alt-backspace ctrl-alt-a alt-é"),
        ("\x1b[97;5u\x1b[112;6u\x1b[13;2u\x1b[27u\x1b[9;2u\x1b[97;1:3u", "ctrl-a ctrl-p shift-enter esc backtab"),
        ("\x1b[27;5;113~", "ctrl-q"),
        ("\x1b\x1b[A", "esc up"),
        ("\x1bOx\x1b[x", "alt-O x"),
    ] {
        assert_eq!(parsed(bytes.as_bytes()), (keys.to_owned(), String::new()), "{bytes:?}");
    }
}

#[test]
fn the_mouse_pastes_focus_and_answers_are_read() {
    for (bytes, inputs) in [
        ("\x1b[<0;12;3M\x1b[<0;12;3m", "press(11,2)"),
        ("\x1b[<64;1;1M\x1b[<65;200;60M\x1b[<68;2;2M", "wheel(0,0,true) wheel(199,59,false) wheel(1,1,true)"),
        ("\x1b[<2;5;5M\x1b[<35;5;5M\x1b[<1;5;5Mx", "x"),
        ("\x1b[M !!\x1b[M`\"#", "press(0,0) wheel(1,2,true)"),
        ("\x1b[I\x1b[Oa", "a"),
        ("\x1b[200~hot -> cold\nbig\x1b[A ->\x1b[201~\r", "paste(hot -> cold\nbig\x1b[A ->) enter"),
        ("\x1b[200~\x1b[201~\x1b[201~a", "a"),
        ("\x1b[?2026;2$y\x1b[?62;22c\x1b[5;10R\x1b[8;40;120ta", "a"),
        ("a\x1b]11;rgb:ffff/ffff/ffff\x07b", "a Light b"),
        ("\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\x", "Dark x"),
        ("\x1b]10;rgb:ffff/ffff/ffff\x07\x1bP>|tmux 3.4\x1b\\\x1b_G1\x1b\\x", "alt-_ G 1 alt-\\ x"),
        ("\x1b]1x\x11", "ctrl-q"),
        ("\x1b]x\x1bPq", "alt-] x alt-P q"),
    ] {
        assert_eq!(parsed(bytes.as_bytes()), (inputs.to_owned(), String::new()), "{bytes:?}");
    }
}

#[test]
fn what_is_cut_short_is_over_within_half_a_second_and_keys_work_again() {
    let endings: [(&[u8], &str); 15] = [
        (b"\x1b", "esc"),
        (b"\x1b[", "alt-["),
        (b"\x1bO", "alt-O"),
        (b"\x1b]", "alt-]"),
        (b"\x1b[<0;1", ""),
        (b"\x1b[<0;1;", ""),
        (b"\x1b[?2026;2$", ""),
        (b"\x1b[1;5", ""),
        (b"\x1b[M ", ""),
        (b"\x1b[[", ""),
        (b"\x1b]11;rgb:ff", ""),
        (b"\x1bP1$r", ""),
        (b"\xe2\x82", ""),
        (b"\xf0\x9f\x99", ""),
        (b"\x1b[200~half a te", "paste(half a te)"),
    ];
    for (bytes, made) in endings {
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        let now = Instant::now();
        parser.feed(bytes, now, &mut out);
        assert!(out.is_empty(), "{bytes:?} made {out:?}");
        let due = parser.deadline().unwrap();
        assert!(due > now && due < now + Duration::from_millis(450), "{bytes:?}: {:?}", due - now);
        parser.expire(&mut out);
        assert_eq!(told(&out), made, "{bytes:?}");
        out.clear();
        parser.feed(b"ab\x1b[A\x11", due, &mut out);
        assert_eq!(told(&out), "a b up ctrl-q", "after {bytes:?}");
        // A control character at once is heard too.
        let (mut parser, mut out) = (Parser::default(), Vec::new());
        parser.feed(bytes, now, &mut out);
        parser.feed(b"\x11", now, &mut out);
        if !bytes.starts_with(b"\x1b[200~") && !bytes.starts_with(b"\x1b[M") {
            assert!(told(&out).ends_with("ctrl-q") || told(&out).ends_with("ctrl-alt-q"), "{bytes:?} made {}", told(&out));
        }
    }
}

#[test]
fn keys_that_go_on_do_not_keep_a_cut_sequence_alive() {
    let (mut parser, mut out) = (Parser::default(), Vec::new());
    let began = Instant::now();
    parser.feed(b"\x1b]1", began, &mut out);
    let due = parser.deadline().unwrap();
    for i in 1..5 {
        parser.feed(b"1", began + Duration::from_millis(40 * i), &mut out);
    }
    assert_eq!(parser.deadline(), Some(due), "counted from the first byte");
}

#[test]
fn the_rest_of_a_paste_that_paused_too_long_is_still_text() {
    let (mut parser, mut out) = (Parser::default(), Vec::new());
    let now = Instant::now();
    parser.feed(b"\x1b[200~one\r", now, &mut out);
    parser.expire(&mut out);
    let rest = format!("{}\r\x1b[201~q", "two ".repeat(40));
    parser.feed(rest.as_bytes(), now, &mut out);
    assert_eq!(told(&out), format!("paste(one\r) paste({}\r) q", "two ".repeat(40)));
}

#[test]
fn a_long_paste_costs_what_it_is_long_and_loses_nothing() {
    let text = "é -> 日本\r\n".repeat(300_000);
    let bytes = format!("\x1b[200~{text}\x1b[201~x");
    let (mut parser, mut out) = (Parser::default(), Vec::new());
    let began = Instant::now();
    for chunk in bytes.as_bytes().chunks(4095) {
        parser.feed(chunk, began, &mut out);
    }
    let took = began.elapsed();
    assert_eq!(out.pop(), Some(Input::Key(Key::plain(KeyCode::Char('x')))));
    let all: String = out.iter().map(|i| if let Input::Paste(text) = i { text.as_str() } else { panic!("{i:?}") }).collect();
    assert!(all == text, "the text is another");
    assert!(out.iter().all(|i| !matches!(i, Input::Paste(text) if text.ends_with('\r'))), "a line break was cut in two");
    println!("{} MB in {took:.0?}", bytes.len() / 1_000_000);
    assert!(took < Duration::from_secs(2), "{took:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, rng_seed: RngSeed::Fixed(11), ..ProptestConfig::default() })]

    /// Bytes make the same inputs however they are cut, and nothing makes the parser fail or
    /// wait for long.
    #[test]
    fn it_makes_no_difference_how_bytes_come(
        pieces in prop::collection::vec(prop_oneof![
            Just(b"\x1b[A".to_vec()), Just(b"\x1b[<0;1;1M".to_vec()), Just(b"\x1b[200~a\xc3\xa9b\x1b[201~".to_vec()), Just(b"\x1b".to_vec()),
            Just(b"\x1b]11;rgb:00/00/00\x07".to_vec()), Just("日🙂".as_bytes().to_vec()), Just(b"\x1b[?1;2$y".to_vec()),
            prop::collection::vec(any::<u8>(), 1..6),
        ], 0..8),
        cut in 1usize..7,
    ) {
        let bytes = pieces.concat();
        let now = Instant::now();
        let (mut whole, mut parts) = (Parser::default(), Parser::default());
        let (mut a, mut b) = (Vec::new(), Vec::new());
        whole.feed(&bytes, now, &mut a);
        bytes.chunks(cut).for_each(|chunk| parts.feed(chunk, now, &mut b));
        prop_assert_eq!(&a, &b);
        prop_assert_eq!(whole.deadline(), parts.deadline());
        whole.expire(&mut a);
        whole.feed(b"\x11", now, &mut a);
        prop_assert_eq!(a.last(), Some(&Input::Key("ctrl-q".parse().unwrap())));
    }
}
