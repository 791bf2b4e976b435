//! Light or dark, by the terminal's own word (OSC 11).
//!
//! The question goes out after the first frame, and nothing waits for the answer: it comes among
//! the keys ([`super::input`]), a moment later or never, and is applied when it comes.

use crate::app::Background;

/// The sequence that asks for the background.
pub const QUESTION: &str = "\x1b]11;?\x1b\\";
/// The background in an answer such as `11;rgb:1e1e/1e1e/2e2e`.
pub fn parse(text: &str) -> Option<Background> {
    let (_, colours) = text.strip_prefix("11;rgb")?.split_once(':')?;
    let parts: Vec<f64> = colours.split('/').take(3).filter_map(share).collect();
    let [red, green, blue] = parts[..] else { return None };
    // ITU-R BT.709's weights on the values as coded: near enough to tell night from day.
    let bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.5;
    Some(if bright { Background::Light } else { Background::Dark })
}

/// One to four hexadecimal digits as a share of the greatest such number.
fn share(digits: &str) -> Option<f64> {
    let greatest = 16u32.checked_pow(u32::try_from(digits.len()).ok().filter(|n| (1..=4).contains(n))?)? - 1;
    Some(f64::from(u32::from_str_radix(digits, 16).ok()?) / f64::from(greatest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_tell_night_from_day() {
        for (answer, told) in [
            ("11;rgb:ffff/ffff/ffff", Some(Background::Light)),
            ("11;rgb:1e1e/1e1e/2e2e", Some(Background::Dark)),
            ("11;rgb:FD/F6/E3", Some(Background::Light)),
            ("11;rgba:0000/0000/0000/ffff", Some(Background::Dark)),
            ("11;rgb:zz/00/00", None),
            ("11;rgb:00/00", None),
            ("10;rgb:ffff/ffff/ffff", None),
        ] {
            assert_eq!(parse(answer), told, "{answer}");
        }
    }
}
