//! Models from a Hugging Face hub, through its cache: which files a model needs, and in what order.
//!
//! The cache is asked first. What it holds whole is opened without a word to the network; only if
//! something is missing is the revision asked for, once, and then every file comes from that one
//! commit. Small files come first and are looked at before weights are fetched.

use super::cache::{ModelCache, blob_name, is_plain_name};
use super::download::{Absent, Client, Failure, Patience, Proxies, Token, Wanted};
use super::roots::Roots;
use crate::control::Control;
use crate::error::{Error, Result};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long Python waits for a hub, too.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a question may take that may as well stay open.
const COURTESY: Duration = Duration::from_secs(3);

/// Weight files in the order in which `transformers` looks for them: a single file, or an index of
/// shards.
const WEIGHTS: [(&str, bool); 4] = [
    ("model.safetensors", false),
    ("model.safetensors.index.json", true),
    ("pytorch_model.bin", false),
    ("pytorch_model.bin.index.json", true),
];

/// Files that change how text becomes tokens and where it ends, and that not every model has. The
/// first is there wherever a program for text has fetched a model.
const OPTIONAL: [&str; 3] = ["tokenizer_config.json", "generation_config.json", "special_tokens_map.json"];

/// A hub and its cache.
#[derive(Clone, Debug)]
pub struct Hub {
    /// `https://huggingface.co`, or what `HF_ENDPOINT` says.
    pub endpoint: String,
    /// The cache folder.
    pub cache: PathBuf,
    /// Never ask the network.
    pub offline: bool,
    /// Sent to the endpoint's own host, and to no other.
    pub token: Option<Token>,
    /// How long to wait for what.
    pub patience: Patience,
    /// Ways around a direct connection.
    pub proxies: Proxies,
    /// Certificates that count beside the web's.
    pub roots: Roots,
}

impl Hub {
    /// A hub without a token, with the usual patience.
    pub fn new(endpoint: &str, cache: &Path) -> Self {
        Self {
            endpoint: endpoint.trim_end_matches('/').into(),
            cache: cache.into(),
            offline: false,
            token: None,
            patience: Patience { answer: PATIENCE, bytes: PATIENCE, pause: Duration::from_secs(1) },
            proxies: Proxies::default(),
            roots: Roots::default(),
        }
    }

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

    /// The folder with a model's files; downloads what the cache lacks. `accept` is called with
    /// that folder as soon as `config.json` is in it, and again when the tokenizer's files are:
    /// what it refuses is refused before weights are fetched.
    ///
    /// # Errors
    /// [`Error::Hub`] naming repository, file and endpoint; [`Error::Input`] for names that can be
    /// none; what `accept` says; [`Error::Cancelled`] at once, whatever the network does.
    pub fn fetch(&self, repo: &str, revision: &str, accept: &dyn Fn(&Path) -> Result<()>, control: Control<'_>) -> Result<PathBuf> {
        if !is_repository(repo) || !is_revision(revision) {
            return Err(Error::Input(format!("`{repo}@{revision}` names no model on a hub: that is `owner/name[@revision]`")));
        }
        let request = Request { hub: self, cache: ModelCache::new(&self.cache, repo), repo, revision, control };
        if let Some(commit) = request.cache.commit_of(revision)
            && request.lacking(&commit)?.is_none()
        {
            let dir = request.cache.snapshot(&commit);
            accept(&dir)?;
            request.complete_politely(&commit)?;
            return Ok(dir);
        }
        if self.offline {
            return Err(request.missing_offline()?);
        }
        request.download(accept)
    }
}

/// One model wanted from one hub.
struct Request<'a> {
    hub: &'a Hub,
    cache: ModelCache,
    repo: &'a str,
    revision: &'a str,
    control: Control<'a>,
}

impl Request<'_> {
    /// A file of a commit that must be there and is not in the cache; `None` if the model is whole.
    fn lacking(&self, commit: &str) -> Result<Option<String>> {
        let is_here = |file: &str| self.cache.file(commit, file).is_some();
        for file in ["config.json", "tokenizer.json"] {
            if !is_here(file) {
                return Ok(Some(file.into()));
            }
        }
        // The first that is there is the one that will be opened.
        let Some((file, is_index)) = WEIGHTS.into_iter().find(|(file, _)| is_here(file)) else {
            return Ok(Some("weights (model.safetensors or pytorch_model.bin)".into()));
        };
        let shards = if is_index { shards(&self.cache.snapshot(commit).join(file))? } else { Vec::new() };
        Ok(shards.into_iter().find(|shard| !is_here(shard)))
    }

    fn missing_offline(&self) -> Result<Error> {
        let (repo, revision) = (self.repo, self.revision);
        let cache = self.hub.cache.display();
        Ok(Error::Hub(match self.cache.commit_of(revision) {
            None => format!("{repo}@{revision} is not in the cache ({cache}), and HF_HUB_OFFLINE forbids the network"),
            Some(commit) => {
                let file = self.lacking(&commit)?.unwrap_or_default();
                format!("{repo}@{revision} has no {file} in the cache ({cache}), and HF_HUB_OFFLINE forbids the network")
            }
        }))
    }

    /// Everything the cache lacks, from the one commit that the revision is at now.
    fn download(&self, accept: &dyn Fn(&Path) -> Result<()>) -> Result<PathBuf> {
        let client = self.client(self.hub.patience)?;
        let commit = self.resolve(&client)?;
        let get = |file: &str| self.get(&client, &commit, file).map_err(|why| self.sentence(file, why));
        let need = |file: &str, hint: &str| get(file)?.ok_or_else(|| self.missing(&format!("{file}{hint}")));
        let dir = self.cache.snapshot(&commit);
        need("config.json", "")?;
        accept(&dir)?;
        need("tokenizer.json", " (the original state-spaces models come without one; use the `-hf` ones)")?;
        for file in OPTIONAL {
            get(file)?;
        }
        accept(&dir)?;
        for (file, is_index) in WEIGHTS {
            let Some(path) = get(file)? else { continue };
            if is_index {
                for shard in shards(&path)? {
                    need(&shard, "")?;
                }
            }
            // Last, so that until then the name stands for a commit that is whole.
            self.cache.remember_revision(self.revision, &commit);
            return Ok(dir);
        }
        Err(self.missing("weights (model.safetensors or pytorch_model.bin)"))
    }

    /// Asks for what a cached model may have besides, if whoever cached it did not: a model is not
    /// refused because that cannot be found out.
    fn complete_politely(&self, commit: &str) -> Result<()> {
        let is_known = |file: &str| self.cache.file(commit, file).is_some() || self.cache.is_absent(commit, file);
        if self.hub.offline || is_known(OPTIONAL[0]) {
            return Ok(());
        }
        let Patience { answer, bytes, pause } = self.hub.patience;
        let client = match self.client(Patience { answer: answer.min(COURTESY), bytes: bytes.min(COURTESY), pause }) {
            Ok(client) => client,
            Err(why) => {
                tracing::warn!("{why}; the model is opened as the cache has it");
                return Ok(());
            }
        };
        for file in OPTIONAL {
            match self.get(&client, commit, file) {
                Ok(_) => {}
                Err(Failure::Here(Error::Cancelled)) => return Err(Error::Cancelled),
                Err(why) => {
                    tracing::warn!("{}; the model is opened as the cache has it", self.sentence(file, why));
                    break;
                }
            }
        }
        Ok(())
    }

    /// The commit that the revision is at.
    fn resolve(&self, client: &Client) -> Result<String> {
        if super::cache::is_commit(self.revision) {
            return Ok(self.revision.into());
        }
        self.control.check()?;
        match client.announced(&self.url(self.revision, "config.json"), self.control) {
            Ok(announced) => Ok(announced.commit),
            Err(why) => Err(self.sentence("config.json", why)),
        }
    }

    /// A file of a commit: from the cache, or from the hub into the cache; `None` if the commit has
    /// none.
    fn get(&self, client: &Client, commit: &str, file: &str) -> Result<Option<PathBuf>, Failure> {
        self.control.check()?;
        if let Some(path) = self.cache.file(commit, file) {
            return Ok(Some(path));
        }
        if self.cache.is_absent(commit, file) {
            return Ok(None);
        }
        let url = self.url(commit, file);
        let announced = match client.announced(&url, self.control) {
            Err(Failure::Absent(Absent::File)) => {
                self.cache.remember_absent(commit, file);
                return Ok(None);
            }
            other => other?,
        };
        if announced.commit != commit {
            let other = announced.commit;
            return Err(Failure::Refused(format!("the hub was asked for the commit {commit} and answers for {other}")));
        }
        let blob = blob_name(announced.etag.as_deref(), commit, file);
        let wanted = Wanted { url: &url, size: announced.size, limit: limit(file) };
        if let (Some(size), Some(limit)) = (wanted.size, wanted.limit)
            && size > limit
        {
            return Err(Failure::Refused(format!("it has {size} bytes; such a file has at most {limit}")));
        }
        let _lock = self.cache.lock(&blob, self.control)?;
        if !self.cache.has_blob(&blob) {
            self.receive(client, &wanted, &blob)?;
        }
        Ok(Some(self.cache.link(commit, file, &blob)?))
    }

    fn receive(&self, client: &Client, wanted: &Wanted<'_>, blob: &str) -> Result<(), Failure> {
        let mut part = self.cache.part(blob, self.control)?;
        if let (Some(size), Some(free)) = (wanted.size, self.cache.free())
            && size.saturating_sub(part.len()) > free
        {
            let missing = size - part.len();
            let cache = self.hub.cache.display();
            return Err(Failure::Refused(format!("{missing} bytes are still to come, and the disk of {cache} has {free} bytes free")));
        }
        client.receive(wanted, &mut part, self.control)?;
        // Large files are named after their SHA-256; others carry git hashes, which TLS and length
        // must do for.
        if let Some(found) = part.sha256().filter(|found| found != blob) {
            part.discard();
            let (found, named) = (&found[..12], &blob[..12]);
            return Err(Failure::Refused(format!(
                "its content is wrong (SHA-256 {found}… instead of {named}…); it was removed, try again"
            )));
        }
        Ok(self.cache.keep(part, blob)?)
    }

    fn client(&self, patience: Patience) -> Result<Client> {
        let Hub { endpoint, token, proxies, .. } = self.hub.clone();
        Ok(Client { endpoint, token, patience, proxies, tls: self.hub.roots.config()? })
    }

    fn url(&self, revision: &str, file: &str) -> String {
        format!("{}/{}/resolve/{}/{}", self.hub.endpoint, self.repo, quote(revision), quote(file))
    }

    fn missing(&self, file: &str) -> Error {
        Error::Hub(format!("{}@{} has no {file}", self.repo, self.revision))
    }

    fn sentence(&self, file: &str, why: Failure) -> Error {
        let (repo, revision, endpoint) = (self.repo, self.revision, &self.hub.endpoint);
        let failed = |why: String| Error::Hub(format!("{file} of {repo}@{revision} cannot be fetched from {endpoint}: {why}"));
        match why {
            Failure::Here(error) => error,
            Failure::Refused(why) => failed(why),
            Failure::Network(why) => failed(format!("{why}; check the network, or use a model from a folder (--model ./folder)")),
            Failure::Absent(Absent::File) => self.missing(file),
            Failure::Absent(Absent::Revision) => failed(format!("the repository has no branch, tag or commit `{revision}`")),
            Failure::Absent(Absent::Repository) => failed("there is no such repository, or the token does not open it".into()),
        }
    }
}

/// The most bytes a JSON file may have; weights have as many as are announced.
fn limit(file: &str) -> Option<u64> {
    match file {
        "tokenizer.json" => Some(256 << 20),
        "tokenizer_config.json" => Some(16 << 20),
        _ if file.ends_with(".index.json") => Some(64 << 20),
        _ => Path::new(file).extension().filter(|kind| *kind == "json").map(|_| 4 << 20),
    }
}

/// The shards that an index names: weight files, in its own folder.
fn shards(index: &Path) -> Result<Vec<String>> {
    let names = super::checkpoint::shard_names(index)?;
    let is_weights = |name: &&String| !is_plain_name(name) || limit(name).is_some();
    match names.iter().find(is_weights) {
        Some(name) => Err(Error::Model(format!("{}: `{}` is no name of a shard in its folder", index.display(), name.escape_debug()))),
        None => Ok(names),
    }
}

/// Whether a text is `owner/name`, as hubs allow it.
pub(super) fn is_repository(text: &str) -> bool {
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
pub(super) fn is_revision(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with('.');
    let bad = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    text.len() <= 255 && text.split('/').all(plain) && !text.contains("..") && !text.contains("@{") && !text.contains(bad)
}

/// A text as one part of an address's path.
fn quote(text: &str) -> String {
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
