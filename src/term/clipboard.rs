//! OSC 52: the terminal itself puts the text on the clipboard, also over SSH; inside tmux and
//! screen the sequence is passed through.

use std::io::{self, Write};

/// Sends a text to the terminal's clipboard. Terminals give no answer.
///
/// # Errors
/// The system's, if the terminal cannot be written to.
pub fn copy(writer: &mut impl Write, text: &str) -> io::Result<()> {
    let within = if std::env::var_os("TMUX").is_some() {
        Within::Tmux
    } else if std::env::var_os("STY").is_some() {
        Within::Screen
    } else {
        Within::Terminal
    };
    writer.write_all(sequence(text, within).as_bytes())?;
    writer.flush()
}

#[derive(Clone, Copy)]
enum Within {
    Terminal,
    Tmux,
    Screen,
}

fn sequence(text: &str, within: Within) -> String {
    let copy = format!("\x1b]52;c;{}\x07", base64(text.as_bytes()));
    match within {
        Within::Terminal => copy,
        // tmux takes the plain one where `set-clipboard` is on, and passes the wrapped one on where
        // `allow-passthrough` is: each is off in some version's default, and where both are on the
        // same text arrives twice.
        Within::Tmux => format!("{copy}\x1bPtmux;{}\x1b\\", copy.replace('\x1b', "\x1b\x1b")),
        Within::Screen => format!("\x1bP{copy}\x1b\\"),
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (i, byte)| word | u32::from(*byte) << (16 - 8 * i));
        for i in 0..4 {
            let digit = DIGITS[(word >> (18 - 6 * i)) as usize & 63];
            out.push(if i > chunk.len() { '=' } else { digit as char });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_as_in_the_rfc() {
        for (plain, coded) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn the_longest_text_stays_below_what_terminals_take() {
        let longest = "x".repeat(crate::app::screen::LARGEST_COPY);
        assert!(base64(longest.as_bytes()).len() <= 100_000 - "\x1b]52;c;\x07".len());
    }

    #[test]
    fn tmux_gets_its_wrapping() {
        assert_eq!(sequence("f", Within::Terminal), "\x1b]52;c;Zg==\x07");
        assert_eq!(sequence("f", Within::Tmux), "\x1b]52;c;Zg==\x07\x1bPtmux;\x1b\x1b]52;c;Zg==\x07\x1b\\");
    }
}
