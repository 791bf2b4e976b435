//! Models from a Hugging Face hub, through its cache.
//!
//! The cache is asked first. What it holds whole is opened without a word to the network; only if
//! something is missing is the revision asked for, once, and then every file comes from that one
//! commit. Small files come first and are looked at before weights are fetched.
//!
//! - `environment`: the hub that the environment describes. `names`: names that may become paths.
//! - `request`: which files a model needs, and in what order.
//! - `cache`: the cache's layout; `part`: a file on its way into it.
//! - `client`: questions to the hub and its answers; `exchange`: one of them over HTTP, on its own
//!   thread; `download`: a file, taken up again where a connection broke off; `roots`: whose
//!   certificates are trusted.
//!
//! Everything else sees a [`Hub`]; `checkpoint` also asks [`is_plain_name`] about shards.

mod cache;
mod client;
mod download;
mod environment;
mod exchange;
mod names;
mod part;
mod request;
mod roots;

use crate::control::Control;
use crate::error::{Error, Result};
use cache::ModelCache;
pub use client::{Patience, Proxies, Token};
pub(super) use names::{is_plain_name, is_repository, is_revision};
use request::Request;
pub use roots::Roots;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long Python waits for a hub, too.
const PATIENCE: Duration = Duration::from_secs(10);

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
