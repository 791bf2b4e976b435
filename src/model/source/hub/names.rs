//! Names that users and hubs give, and whether they may become paths and addresses.

use std::fmt::Write as _;

/// Whether a text is `owner/name`, as hubs allow it.
pub fn is_repository(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !part.starts_with(['.', '-'])
            && !part.ends_with(['.', '-'])
            && !part.contains("--")
            && !part.contains("..")
    };
    text.len() <= 96 && text.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name))
}

/// Whether a text can name a branch, a tag, another ref (`refs/pr/1`) or a commit; the rules are
/// git's.
pub fn is_revision(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.');
    let bad = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    text.len() <= 255 && text.split('/').all(plain) && !text.contains("..") && !text.contains("@{") && !text.contains(bad)
}

/// Whether a text is a whole commit hash: 40 or 64 lower-case hexadecimal digits.
pub fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text names a file in the folder it stands in, and nothing else.
pub fn is_plain_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && !text.starts_with('.') && !text.chars().any(|c| matches!(c, '/' | '\\') || c.is_control())
}

/// A text as one part of an address's path.
pub fn quote(text: &str) -> String {
    text.bytes().fold(String::new(), |mut quoted, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            quoted.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(quoted, "%{byte:02X}");
        }
        quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_paths_only_if_they_are_names() {
        for good in ["main", "v1.0", "refs/pr/1", "feature/x-y", "0123abc"] {
            assert!(is_revision(good), "{good}");
        }
        for bad in ["", "..", "a/../b", "/main", "main/", "a//b", ".hidden", "a/.b", "a b", "a\nb", "a:b", "a\\b", "a@{1}", "x."] {
            assert!(!is_revision(bad), "{bad}");
        }
        assert!(is_repository("state-spaces/mamba-130m-hf"));
        for bad in ["a", "a/b/c", "a/..", "./b", "a/.", "a--b/c", "a/-b", "a/b\n"] {
            assert!(!is_repository(bad), "{bad}");
        }
        assert_eq!(quote("refs/pr/1"), "refs%2Fpr%2F1");
    }
}
