//! What may come instead of a model's file, recognised by its first bytes: the web page of a
//! network that asks to sign in, or a Git LFS pointer. One check for downloads and for folders.

use std::path::Path;

/// What there is instead of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// A web page.
    Page,
    /// A Git LFS pointer: the name of the content, not the content.
    Pointer,
    /// Something other than JSON, where JSON is wanted.
    NoJson,
}

impl Instead {
    /// Judges a file by its first bytes. Until it `is_whole`, they may be too few to tell.
    pub fn of(head: &[u8], is_whole: bool, is_json: bool) -> Option<Self> {
        let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
        let begins = |with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with.as_bytes()));
        if ["<!doctype", "<html", "<head", "<body", "<?xml", "<script", "<!--"].into_iter().any(begins) || is_json && begins("<") {
            return Some(Self::Page);
        }
        if begins("version https://git-lfs") {
            return Some(Self::Pointer);
        }
        match text.first() {
            Some(b'{' | b'[') => None,
            None if !is_whole => None,
            // Too short to rule out a pointer.
            Some(_) if !is_whole && text.len() < 32 => None,
            _ if is_json => Some(Self::NoJson),
            _ => None,
        }
    }

    /// What is wrong with a file of a folder, and what to do; `None` where its reader says it
    /// better.
    pub fn in_folder(self, path: &Path) -> Option<String> {
        let path = path.display();
        match self {
            Self::Page => Some(format!(
                "{path} is a web page, not the model's file: whoever fetched it was asked to sign in, or the address was that of a page; fetch the file again"
            )),
            Self::Pointer => Some(format!(
                "{path} is a Git LFS pointer, not the content; run `git lfs install` and `git lfs pull` in its folder, or fetch the file itself"
            )),
            Self::NoJson => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_file_is_told_by_its_first_bytes() {
        let of = |head: &str, json| Instead::of(head.as_bytes(), true, json);
        for (head, json) in [("\n <!DOCTYPE html>", false), ("<HTML>", false), ("\u{feff}<p>", true), ("<?xml ?>", false)] {
            assert_eq!(of(head, json), Some(Instead::Page), "{head}");
        }
        for json in [true, false] {
            assert_eq!(of("version https://git-lfs.github.com/spec/v1\noid sha256:00", json), Some(Instead::Pointer));
        }
        assert_eq!(of("Please sign in at the front desk", true), Some(Instead::NoJson));
        assert_eq!(of("", true), Some(Instead::NoJson));
        // A header of 60 bytes begins with `<`.
        for (head, json) in [(b"<\0\0\0\0\0\0\0{".as_slice(), false), (b"\n{\"a\":1}", true), (b"PK\x03\x04", false)] {
            assert_eq!(Instead::of(head, true, json), None);
        }
        assert_eq!(Instead::of(b"vers", false, true), None);
        assert_eq!(Instead::of(b"", false, true), None);
    }
}
