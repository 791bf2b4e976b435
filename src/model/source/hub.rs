//! Models from a Hugging Face hub, through its cache.

use crate::control::{Cancel, Control};
use crate::error::{Error, Result};
use hf_hub::api::Progress;
use hf_hub::api::sync::{Api, ApiBuilder, ApiError};
use hf_hub::{Cache, Repo, RepoType};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How often a download looks whether it was called off.
const POLL: Duration = Duration::from_millis(50);

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
    /// [`Error::Hub`] naming repository, file and endpoint; [`Error::Cancelled`] at once, whatever the network does.
    pub fn fetch(&self, repo: &str, revision: &str, control: Control<'_>) -> Result<PathBuf> {
        let wanted = Repo::with_revision(repo.into(), RepoType::Model, revision.into());
        let cached = Cache::new(self.cache.clone()).repo(wanted.clone());
        let api = ApiBuilder::from_cache(Cache::new(self.cache.clone()))
            .with_endpoint(self.endpoint.clone())
            .with_progress(false)
            .build()
            .map_err(|e| Error::Hub(format!("the hub client cannot be set up: {e}")))?;
        let get = |file: &str| -> Result<Option<PathBuf>> {
            control.check()?;
            if let Some(path) = cached.get(file) {
                return Ok(Some(path));
            }
            if self.offline {
                return Ok(None);
            }
            self.download(&api, &wanted, file, control)
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
    fn download(&self, api: &Api, wanted: &Repo, file: &str, control: Control<'_>) -> Result<Option<PathBuf>> {
        let (repo, revision) = (wanted.url(), wanted.revision());
        let failed = |why: String| Error::Hub(format!("{file} of {repo}@{revision} cannot be fetched from {}: {why}", self.endpoint));
        let path = match downloaded(api, wanted, file, control)? {
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

/// One file, fetched by a thread of its own: a network that stands still can be called off as well as one that flows. What has arrived by then
/// stays in the cache, and the next try goes on behind it.
fn downloaded(api: &Api, wanted: &Repo, file: &str, control: Control<'_>) -> Result<std::result::Result<PathBuf, ApiError>> {
    let (pieces, arrived) = channel();
    let (api, file) = (api.repo(wanted.clone()), file.to_owned());
    let listener = Listener { pieces, cancel: control.cancel(), done: 0, total: 0 };
    let fetch = move || api.download_with_progress(&file, listener);
    let thread = std::thread::Builder::new().name("download".into()).spawn(fetch).map_err(Error::io("download thread"))?;
    loop {
        control.check()?;
        match arrived.recv_timeout(POLL) {
            Ok((done, total)) => control.report(done, total, "bytes"),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    thread.join().map_err(|_| if control.check().is_err() { Error::Cancelled } else { Error::Hub("the hub client broke down".into()) })
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

/// Tells how much has arrived; ends the download when it is called off.
struct Listener {
    pieces: Sender<(u64, u64)>,
    cancel: Cancel,
    done: u64,
    total: u64,
}

impl Progress for Listener {
    fn init(&mut self, size: usize, _file: &str) {
        self.total = size as u64;
    }

    fn update(&mut self, size: usize) {
        if self.cancel.is_cancelled() {
            // The client gives its listener no way to stop; unwinding this thread, without the panic hook, closes the file and the connection.
            std::panic::resume_unwind(Box::new("the download was called off"));
        }
        self.done += size as u64;
        // Nobody listens any more if the asking side has just left.
        let _ = self.pieces.send((self.done, self.total));
    }

    fn finish(&mut self) {}
}
