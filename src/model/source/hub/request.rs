//! One model wanted from one hub: which files it needs, and in what order.

use super::Hub;
use super::cache::{ModelCache, blob_name};
use super::client::{Absent, Client, Failure, Patience};
use super::download::Wanted;
use super::names::{is_commit, is_plain_name, quote};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::model::source::checkpoint::shard_names;
use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// One model wanted from one hub.
pub struct Request<'a> {
    pub hub: &'a Hub,
    pub cache: ModelCache,
    pub repo: &'a str,
    pub revision: &'a str,
    pub control: Control<'a>,
}

impl Request<'_> {
    /// A file of a commit that must be there and is not in the cache; `None` if the model is whole.
    pub fn lacking(&self, commit: &str) -> Result<Option<String>> {
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

    pub fn missing_offline(&self) -> Result<Error> {
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
    pub fn download(&self, accept: &dyn Fn(&Path) -> Result<()>) -> Result<PathBuf> {
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
    pub fn complete_politely(&self, commit: &str) -> Result<()> {
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
        if is_commit(self.revision) {
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
    let names = shard_names(index)?;
    let is_weights = |name: &&String| !is_plain_name(name) || limit(name).is_some();
    match names.iter().find(is_weights) {
        Some(name) => Err(Error::Model(format!("{}: `{}` is not the name of a shard in its folder", index.display(), name.escape_debug()))),
        None => Ok(names),
    }
}
