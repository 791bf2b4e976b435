//! Limits the size of edited texts to that of files, and reports what is left out.

use super::key::Key;
use super::update::text_input;
use ratatui_textarea::TextArea;

/// The longest text that can be edited, in bytes: the limit for files.
pub const LONGEST: usize = crate::text::MAX;

/// Bytes of a text, line breaks included.
fn size(text: &TextArea<'_>) -> usize {
    text.lines().iter().map(|l| l.len() + 1).sum::<usize>() - 1
}

/// Gives a key to a text; true if the text changed.
///
/// # Errors
/// A sentence if the text is full; it is then unchanged.
pub fn typed(text: &mut TextArea<'static>, key: Key) -> Result<bool, String> {
    let before = size(text);
    let changed = text.input(text_input(key));
    let after = size(text);
    if changed && after > LONGEST && after > before {
        text.undo();
        return Err(format!("This is full: a text holds {} KiB.", LONGEST >> 10));
    }
    Ok(changed)
}

/// Pastes as much as there is room for; returns a sentence about what was left out.
pub fn pasted(text: &mut TextArea<'static>, pasted: &str) -> Option<String> {
    let (fits, left_out) = fitting(pasted, LONGEST.saturating_sub(size(text)));
    text.insert_str(fits);
    left_out.map(|n| left_out_text(n, pasted.len(), &format!("a text holds {} KiB", LONGEST >> 10)))
}

/// As much of a text as fits into `room` bytes; and the length of the rest in bytes, if any.
pub fn fitting(text: &str, room: usize) -> (&str, Option<usize>) {
    if text.len() <= room {
        return (text, None);
    }
    let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let fits = &text[..end];
    (fits, Some(text.len() - fits.len()))
}

/// A sentence about what was left out of a paste, and why.
pub fn left_out_text(left_out: usize, of: usize, why: &str) -> String {
    format!("The paste was cut: the last {left_out} of its {of} bytes were left out; {why}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::KeyCode;

    #[test]
    fn a_text_takes_what_a_file_may_have_and_says_what_it_leaves_out() {
        let mut text = TextArea::default();
        assert_eq!(pasted(&mut text, &"é".repeat(LONGEST / 2 - 1)), None);
        let told = pasted(&mut text, "日本").unwrap();
        assert!(told.contains("the last 6 of its 6 bytes") && told.contains("256 KiB"), "{told}");
        for _ in 0..2 {
            assert_eq!(typed(&mut text, Key::plain(KeyCode::Char('x'))), Ok(true));
        }
        assert!(typed(&mut text, Key::plain(KeyCode::Char('x'))).unwrap_err().contains("full"));
        assert!(typed(&mut text, Key::plain(KeyCode::Enter)).is_err());
        assert_eq!(size(&text), LONGEST);
        assert_eq!(typed(&mut text, Key::plain(KeyCode::Backspace)), Ok(true));
        assert_eq!((fitting("日本", 5).0, fitting("日本", 5).1), ("日", Some(3)));
    }
}
