//! Models from a Hugging Face hub, through its cache.

use crate::control::Control;
use crate::error::{Error, Result};
use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Weight files in the order they are looked for: an index of shards, or a single file.
const WEIGHTS: [(&str, bool); 4] = [
    ("model.safetensors.index.json", true),
    ("model.safetensors", false),
    ("pytorch_model.bin.index.json", true),
    ("pytorch_model.bin", false),
];

/// A hub and its cache.
pub struct Hub {
    /// `https://huggingface.co`, or what `HF_ENDPOINT` says.
    pub endpoint: String,
    /// The cache folder.
    pub cache: PathBuf,
    /// Never ask the network.
    pub offline: bool,
}

impl Hub {
    /// The hub that `HF_ENDPOINT`, `HF_HOME` and `HF_HUB_OFFLINE` describe.
    pub fn from_environment() -> Self {
        let on =
            |name: &str| std::env::var(name).is_ok_and(|v| !matches!(v.to_ascii_lowercase().as_str(), "" | "0" | "false" | "no" | "off"));
        Self {
            endpoint: std::env::var("HF_ENDPOINT").unwrap_or_else(|_| "https://huggingface.co".into()),
            cache: Cache::from_env().path().clone(),
            offline: on("HF_HUB_OFFLINE"),
        }
    }

    /// The folder with a model's files; downloads what the cache lacks.
    ///
    /// # Errors
    /// [`Error::Hub`] naming repository, file and endpoint; [`Error::Cancelled`] between files.
    pub fn fetch(&self, repo: &str, revision: &str, control: Control<'_>) -> Result<PathBuf> {
        let wanted = Repo::with_revision(repo.into(), RepoType::Model, revision.into());
        let cached = Cache::new(self.cache.clone()).repo(wanted.clone());
        let api = ApiBuilder::from_cache(Cache::new(self.cache.clone()))
            .with_endpoint(self.endpoint.clone())
            .with_progress(false)
            .build()
            .map_err(|e| Error::Hub(format!("the hub client cannot be set up: {e}")))?;
        let api = api.repo(wanted);
        let get = |file: &str| -> Result<Option<PathBuf>> {
            control.check()?;
            if let Some(path) = cached.get(file) {
                return Ok(Some(path));
            }
            if self.offline {
                return Ok(None);
            }
            self.download(&api, repo, revision, file, control)
        };
        let missing = |file: &str| {
            let offline = if self.offline { " in the cache, and HF_HUB_OFFLINE forbids the network" } else { "" };
            Error::Hub(format!("{repo}@{revision} has no {file}{offline}"))
        };
        let config = get("config.json")?.ok_or_else(|| missing("config.json"))?;
        get("tokenizer.json")?
            .ok_or_else(|| missing("tokenizer.json (the original state-spaces models come without one; use the `-hf` ones)"))?;
        for (file, is_index) in WEIGHTS {
            let Some(path) = get(file)? else { continue };
            if is_index {
                for shard in super::checkpoint::shard_names(&path)? {
                    get(&shard)?.ok_or_else(|| missing(&shard))?;
                }
            }
            return Ok(config.parent().map_or_else(|| self.cache.clone(), Path::to_path_buf));
        }
        Err(missing("weights (model.safetensors or pytorch_model.bin)"))
    }

    /// One file into the cache; `None` if the hub does not have it. An interrupted download is resumed; a file whose content is not what the hub
    /// announced is removed.
    fn download(&self, api: &ApiRepo, repo: &str, revision: &str, file: &str, control: Control<'_>) -> Result<Option<PathBuf>> {
        let failed = |why: String| Error::Hub(format!("{file} of {repo}@{revision} cannot be fetched from {}: {why}", self.endpoint));
        let path = match api.download_with_progress(file, Listener { control, done: 0, total: 0 }) {
            Ok(path) => path,
            Err(ApiError::RequestError(error)) => {
                return match *error {
                    ureq::Error::Status(404, _) => Ok(None),
                    ureq::Error::Status(401 | 403, _) => {
                        Err(failed("the hub asks for permission; the repository may not exist, or needs a token (HF_TOKEN)".into()))
                    }
                    ureq::Error::Status(code, _) => Err(failed(format!("the hub answered {code}"))),
                    ureq::Error::Transport(e) => {
                        Err(failed(format!("{e}; check the network, or use a model from a folder (--model ./folder)")))
                    }
                };
            }
            Err(ApiError::InvalidResume) => {
                return Err(failed("a part of it from an earlier try is too long; remove it from the cache".into()));
            }
            Err(other) => return Err(failed(other.to_string())),
        };
        control.check()?;
        match check_content(&path)? {
            None => Ok(Some(path)),
            Some(why) => {
                if let Ok(blob) = std::fs::canonicalize(&path) {
                    let _ = std::fs::remove_file(blob);
                }
                let _ = std::fs::remove_file(&path);
                Err(failed(format!("{why}; it was removed, try again")))
            }
        }
    }
}

/// What is wrong with a downloaded file. Large files are named after their SHA-256 in the cache; others carry git hashes, which TLS and length must do for.
fn check_content(path: &Path) -> Result<Option<String>> {
    let blob = std::fs::canonicalize(path).map_err(Error::io(path))?;
    let name = blob.file_name().and_then(|n| n.to_str()).unwrap_or_default();
    if name.len() != 64 || !name.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(None);
    }
    let mut file = std::fs::File::open(&blob).map_err(Error::io(&blob))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0u8; 1 << 20];
    loop {
        let n = file.read(&mut buffer).map_err(Error::io(&blob))?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
    }
    let found = format!("{:x}", hasher.finalize());
    Ok((found != name.to_ascii_lowercase())
        .then(|| format!("its content is wrong (SHA-256 {}… instead of {}…)", &found[..12], &name[..12])))
}

struct Listener<'a> {
    control: Control<'a>,
    done: u64,
    total: u64,
}

impl Progress for Listener<'_> {
    fn init(&mut self, size: usize, _file: &str) {
        self.total = size as u64;
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        self.control.report(self.done, self.total, "bytes");
    }

    fn finish(&mut self) {}
}
