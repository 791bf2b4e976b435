//! The hub that the environment describes, read as Python's `huggingface_hub` reads it.

use super::{Hub, PATIENCE, Patience, Proxies, Roots, Token};
use std::path::{Path, PathBuf};
use std::time::Duration;

impl Hub {
    /// The hub that the process's environment describes, see [`Hub::from_variables`].
    pub fn from_environment() -> Self {
        Self::from_variables(&|name| std::env::var(name).ok())
    }

    /// The hub that variables describe, read as `huggingface_hub` reads them: `HF_ENDPOINT`; the
    /// cache by `HF_HUB_CACHE`, `HUGGINGFACE_HUB_CACHE`, `HF_HOME`, `XDG_CACHE_HOME`, `HOME`; the
    /// token by `HF_TOKEN`, `HUGGING_FACE_HUB_TOKEN`, the file at `HF_TOKEN_PATH` or in `HF_HOME`
    /// (none with `HF_HUB_DISABLE_IMPLICIT_TOKEN`); `HF_HUB_OFFLINE` or `TRANSFORMERS_OFFLINE`;
    /// seconds in `HF_HUB_ETAG_TIMEOUT` and `HF_HUB_DOWNLOAD_TIMEOUT`; proxies. Certificates in
    /// `SSL_CERT_FILE` and in the folders of `SSL_CERT_DIR` count beside the web's.
    pub fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let get = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        let first = |names: &[&str]| names.iter().find_map(|name| get(name));
        let on = |name: &str| get(name).is_some_and(|v| matches!(v.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"));
        let seconds = |name: &str| get(name).and_then(|v| v.trim().parse().ok()).filter(|s| *s > 0).map_or(PATIENCE, Duration::from_secs);
        let user = get("HOME").map(PathBuf::from).or_else(|| Some(directories::BaseDirs::new()?.home_dir().into()));
        let path = |text: String| expand(&text, user.as_deref(), variable);

        let caches = get("XDG_CACHE_HOME").map_or_else(|| user.clone().unwrap_or_default().join(".cache"), &path);
        let home = get("HF_HOME").map_or_else(|| caches.join("huggingface"), &path);
        let cache = first(&["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"]).map_or_else(|| home.join("hub"), &path);
        let token_file = get("HF_TOKEN_PATH").map_or_else(|| home.join("token"), &path);
        let token = first(&["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
            .as_deref()
            .and_then(Token::new)
            .or_else(|| Token::new(&crate::text::file(token_file.to_str()?).ok()?))
            .filter(|_| !on("HF_HUB_DISABLE_IMPLICIT_TOKEN"));
        let endpoint = get("HF_ENDPOINT").unwrap_or_else(|| "https://huggingface.co".into());
        let usual = Self::new(endpoint.trim(), &cache);
        Self {
            // As Python: the second counts only where the first is not set at all.
            offline: on(if get("HF_HUB_OFFLINE").is_some() { "HF_HUB_OFFLINE" } else { "TRANSFORMERS_OFFLINE" }),
            token,
            patience: Patience { answer: seconds("HF_HUB_ETAG_TIMEOUT"), bytes: seconds("HF_HUB_DOWNLOAD_TIMEOUT"), ..usual.patience },
            proxies: Proxies {
                http: first(&["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]),
                https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
                direct: first(&["no_proxy", "NO_PROXY"]).unwrap_or_default(),
            },
            roots: Roots {
                file: get("SSL_CERT_FILE").map(PathBuf::from),
                folders: get("SSL_CERT_DIR").iter().flat_map(std::env::split_paths).filter(|p| !p.as_os_str().is_empty()).collect(),
            },
            ..usual
        }
    }
}

/// A path with a leading `~` and with `$NAME` and `${NAME}` replaced; names that are not set stay,
/// as in Python.
fn expand(text: &str, home: Option<&Path>, variable: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let text = match (text.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => format!("{}{rest}", home.display()),
        _ => text.to_owned(),
    };
    let mut parts = text.split('$');
    let mut path = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let plain = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(part.len());
        let (name, rest) = part.strip_prefix('{').and_then(|p| p.split_once('}')).unwrap_or_else(|| part.split_at(plain));
        match variable(name).filter(|_| !name.is_empty()) {
            Some(value) => path.extend([value.as_str(), rest]),
            None => path.extend(["$", part]),
        }
    }
    path.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn hub(variables: &[(&str, &str)]) -> Hub {
        let map: HashMap<&str, &str> = variables.iter().copied().collect();
        Hub::from_variables(&|name| map.get(name).map(ToString::to_string))
    }

    #[test]
    fn the_cache_is_where_python_has_it() {
        // `huggingface_hub.constants.HF_HUB_CACHE` under each of these environments, version 2.4.0.
        let cases: [(&[(&str, &str)], &str); 10] = [
            (&[("HOME", "/h")], "/h/.cache/huggingface/hub"),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x")], "/x/huggingface/hub"),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "~/$USER"), ("USER", "me")], "/h/me/huggingface/hub"),
            (&[("HOME", "/h"), ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "/f")], "/f/hub"),
            (&[("HOME", "/h"), ("HF_HOME", "/f"), ("HUGGINGFACE_HUB_CACHE", "/old")], "/old"),
            (&[("HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/old"), ("HF_HUB_CACHE", "/new")], "/new"),
            (&[("HOME", "/h"), ("HF_HOME", "~/f")], "/h/f/hub"),
            (&[("HOME", "/h"), ("HF_HOME", "$SCRATCH/f"), ("SCRATCH", "/s")], "/s/f/hub"),
            (&[("HOME", "/h"), ("HF_HUB_CACHE", "/c/${USER}s/$NONE"), ("USER", "me")], "/c/mes/$NONE"),
            (&[("HOME", "/h"), ("HF_HUB_CACHE", "~other/c")], "~other/c"),
        ];
        for (variables, cache) in cases {
            assert_eq!(hub(variables).cache, Path::new(cache), "{variables:?}");
        }
    }

    #[test]
    fn the_token_is_where_python_has_it() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("token"), "of_home\n").unwrap();
        std::fs::write(dir.path().join("other"), " of_path ").unwrap();
        let (home, other) = (dir.path().to_str().unwrap(), dir.path().join("other"));
        let in_home = [("HF_HOME", home)];
        let token = |variables: &[(&str, &str)]| hub(&[&in_home, variables].concat()).token;
        assert_eq!(token(&[]), Token::new("of_home"));
        assert_eq!(token(&[("HF_TOKEN_PATH", other.to_str().unwrap())]), Token::new("of_path"));
        assert_eq!(token(&[("HF_TOKEN_PATH", "/nowhere")]), None);
        assert_eq!(token(&[("HUGGING_FACE_HUB_TOKEN", "old")]), Token::new("old"));
        assert_eq!(token(&[("HUGGING_FACE_HUB_TOKEN", "old"), ("HF_TOKEN", "new\n")]), Token::new("new"));
        assert_eq!(token(&[("HF_TOKEN", "")]), Token::new("of_home"));
        assert_eq!(token(&[("HF_TOKEN", "new"), ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        assert!(!format!("{:?}", hub(&[("HF_TOKEN", "hf_secret")])).contains("secret"));
    }

    #[test]
    fn switches_and_addresses_are_read_as_python_reads_them() {
        for (value, offline) in [("1", true), ("yes", true), ("ON", true), ("True", true), ("0", false), ("", false), ("2", false)] {
            assert_eq!(hub(&[("HF_HUB_OFFLINE", value)]).offline, offline, "{value}");
        }
        assert!(hub(&[("TRANSFORMERS_OFFLINE", "1")]).offline);
        assert!(!hub(&[("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")]).offline);
        assert_eq!(hub(&[]).endpoint, "https://huggingface.co");
        let mirror = hub(&[("HF_ENDPOINT", "https://mirror/"), ("HF_HUB_ETAG_TIMEOUT", "3"), ("HF_HUB_DOWNLOAD_TIMEOUT", "x")]);
        assert_eq!(mirror.endpoint, "https://mirror");
        assert_eq!((mirror.patience.answer, mirror.patience.bytes), (Duration::from_secs(3), PATIENCE));
        let proxied = hub(&[("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", "a,b")]).proxies;
        let own = hub(&[("SSL_CERT_FILE", "/c.pem"), ("SSL_CERT_DIR", "/a:/b")]).roots;
        assert_eq!(own, Roots { file: Some("/c.pem".into()), folders: vec!["/a".into(), "/b".into()] });
        assert_eq!(hub(&[("SSL_CERT_FILE", ""), ("SSL_CERT_DIR", "")]).roots, Roots::default());
        assert_eq!(proxied, Proxies { http: None, https: Some("http://p:1".into()), direct: "a,b".into() });
    }
}
