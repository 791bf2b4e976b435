//! Models from hubs: a hub on the loopback with every kind of answer, and caches as Python's
//! `huggingface_hub` makes them (`hub/make.py`).

#![allow(clippy::unwrap_used, clippy::expect_used)]

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use state_soup::control::{Cancel, Control, Progress, quiet};
use state_soup::error::{Error, Result};
use state_soup::model::{Hub, LoadOptions, Model, ModelSource, Roots, Token, WeightType, check_description};
use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const REPO: &str = "tiny/mamba";

/// What a hub is asked.
struct Ask {
    method: String,
    /// The file's name; the last part of the path.
    file: String,
    /// As it stands in the path.
    revision: String,
    from: usize,
    token: Option<String>,
    /// How many times this file was asked for with this method before.
    before: usize,
}

/// How an answer ends.
#[derive(Clone, Copy, PartialEq)]
enum End {
    Whole,
    /// The connection breaks off after so many bytes.
    Breaks(usize),
    /// Nothing comes after so many bytes, and nobody hangs up.
    Silent(usize),
    /// The body comes again and again.
    Endless,
    /// It comes byte by byte.
    Drips,
    /// Not even a whole line comes.
    NoAnswer,
}

struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    end: End,
}

impl Reply {
    fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self.headers.push((name, value.into()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(n, _)| *n != name);
        self
    }

    fn body(self, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self { headers: Vec::new(), ..self }.set("Content-Length", body.len().to_string()).with(body)
    }

    fn with(self, body: Vec<u8>) -> Self {
        Self { body, ..self }
    }

    fn end(self, end: End) -> Self {
        Self { end, ..self }
    }

    fn empty(status: u16) -> Self {
        Self { status, headers: vec![("Content-Length", "0".into())], body: Vec::new(), end: End::Whole }
    }
}

type Files = BTreeMap<String, Vec<u8>>;

/// The tiny model of `golden`, and a tokenizer of three words.
fn model() -> Files {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mamba");
    let tokenizer = r#"{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,"model":{"type":"WordLevel","vocab":{"<|endoftext|>":0,"a":1,"b":2},"unk_token":"<|endoftext|>"},"truncation":null,"padding":null}"#;
    let mut files: Files = ["config.json", "model.safetensors"].map(|file| (file.into(), std::fs::read(golden.join(file)).unwrap())).into();
    files.insert("tokenizer.json".into(), tokenizer.into());
    files.insert("tokenizer_config.json".into(), "{}".into());
    files
}

fn sha256(content: &[u8]) -> String {
    Sha256::digest(content).iter().map(|b| format!("{b:02x}")).collect()
}

/// As a hub answers that is in order.
fn proper(files: &Files, commit: &str, ask: &Ask) -> Reply {
    let Some(content) = files.get(&ask.file) else {
        return Reply::empty(404).set("X-Repo-Commit", commit).set("X-Error-Code", "EntryNotFound");
    };
    let etag = if ask.file.ends_with(".safetensors") { sha256(content) } else { sha256(content)[..40].into() };
    let from = ask.from.min(content.len());
    let range = format!("bytes {from}-{}/{}", content.len().max(1) - 1, content.len());
    let reply = Reply { status: 200, headers: Vec::new(), body: content[from..].to_vec(), end: End::Whole };
    let reply = if from > 0 { Reply { status: 206, ..reply }.set("Content-Range", range) } else { reply };
    reply.set("Content-Length", (content.len() - from).to_string()).set("ETag", format!("\"{etag}\"")).set("X-Repo-Commit", commit)
}

/// A hub on the loopback. Requests are logged as `METHOD revision/file from token`.
struct Server {
    endpoint: String,
    log: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(answer: impl Fn(&Ask) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { endpoint: format!("http://{}", listener.local_addr().unwrap()), log: Arc::default() };
        let (log, answer) = (Arc::clone(&server.log), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                // A client that hangs up is no failure of the test.
                std::thread::spawn(move || drop(serve(&stream, &log, &*answer)));
            }
        });
        server
    }

    /// The same behind TLS, with the certificate of `hub/tls`, which no root of the web's has
    /// signed.
    fn encrypted(files: Files) -> Self {
        let certificates = CertificateDer::pem_file_iter(tls("server.pem")).unwrap().collect::<Result<_, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(tls("server.key")).unwrap();
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(ring).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(config.with_no_client_auth().with_single_cert(certificates, key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { endpoint: format!("https://{}", listener.local_addr().unwrap()), log: Arc::default() };
        let (log, files) = (Arc::clone(&server.log), Arc::new(files));
        std::thread::spawn(move || {
            for plain in listener.incoming().flatten() {
                let (log, files, config) = (Arc::clone(&log), Arc::clone(&files), Arc::clone(&config));
                std::thread::spawn(move || {
                    let stream = rustls::StreamOwned::new(rustls::ServerConnection::new(config).unwrap(), plain);
                    let mut reader = BufReader::new(stream);
                    let _ = exchange(&mut reader, &log, &|ask| proper(&files, A, ask));
                    reader.get_mut().conn.send_close_notify();
                    let _ = reader.get_mut().flush();
                });
            }
        });
        server
    }

    fn proper(files: Files) -> Self {
        Self::new(move |ask| proper(&files, A, ask))
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn asked(&self, what: &str) -> usize {
        self.log().iter().filter(|line| line.contains(what)).count()
    }

    fn hub(&self, cache: &Path) -> Hub {
        hub(&self.endpoint, cache)
    }
}

fn tls(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/tls").join(file)
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<String>>, answer: &dyn Fn(&Ask) -> Reply) -> std::io::Result<()> {
    exchange(&mut BufReader::new(stream), log, answer)
}

/// One request and its answer.
fn exchange<S>(reader: &mut BufReader<S>, log: &Mutex<Vec<String>>, answer: &dyn Fn(&Ask) -> Reply) -> std::io::Result<()>
where
    S: std::io::Read + Write,
{
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    let Some(request) = lines.first() else { return Ok(()) };
    let header =
        |name: &str| lines.iter().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned()));
    let (method, path) = request.split_once(' ').unwrap();
    let path = path.split(' ').next().unwrap();
    let mut parts = path.rsplit('/');
    let (file, revision) = (parts.next().unwrap().to_owned(), parts.next().unwrap_or_default().to_owned());
    let from = header("range").and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()).unwrap_or(0);
    let token = header("authorization");
    let before = {
        let mut log = log.lock().unwrap();
        let before = log.iter().filter(|l| l.starts_with(&format!("{method} ")) && l.contains(&format!("/{file} "))).count();
        log.push(format!("{method} {revision}/{file} {from} {}", token.as_deref().unwrap_or("-")));
        before
    };
    let ask = Ask { method: method.into(), file, revision, from, token, before };
    let reply = answer(&ask);
    let stream = reader.get_mut();
    if reply.end == End::NoAnswer {
        stream.write_all(b"HTTP/1.1 20")?;
        return until_hung_up(stream);
    }
    let mut text = format!("HTTP/1.1 {} Said\r\nConnection: close\r\n", reply.status);
    reply.headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
    stream.write_all((text + "\r\n").as_bytes())?;
    if ask.method == "HEAD" {
        return Ok(());
    }
    match reply.end {
        End::Whole | End::NoAnswer => stream.write_all(&reply.body),
        End::Breaks(n) => stream.write_all(&reply.body[..n.min(reply.body.len())]),
        End::Silent(n) => {
            stream.write_all(&reply.body[..n.min(reply.body.len())])?;
            until_hung_up(stream)
        }
        End::Drips => reply.body.chunks(1).try_for_each(|byte| {
            std::thread::sleep(Duration::from_millis(5));
            stream.write_all(byte)
        }),
        End::Endless => loop {
            stream.write_all(&reply.body)?;
        },
    }
}

fn until_hung_up(stream: &mut impl std::io::Read) -> std::io::Result<()> {
    std::io::copy(stream, &mut std::io::sink()).map(drop)
}

/// A hub with the patience of a test.
fn hub(endpoint: &str, cache: &Path) -> Hub {
    let mut hub = Hub::new(endpoint, cache);
    hub.patience.answer = Duration::from_secs(5);
    hub.patience.bytes = Duration::from_secs(5);
    hub.patience.pause = Duration::from_millis(5);
    hub
}

/// Nobody is there.
fn nobody(cache: &Path) -> Hub {
    hub("http://127.0.0.1:9", cache)
}

fn fetch_at(hub: &Hub, revision: &str) -> Result<PathBuf> {
    quiet(|c| hub.fetch(REPO, revision, &|dir| check_description("it", dir), c))
}

fn fetch(hub: &Hub) -> Result<PathBuf> {
    fetch_at(hub, "main")
}

fn refusal(hub: &Hub) -> String {
    let error = fetch(hub).expect_err("it should be refused");
    assert!(!matches!(error, Error::Io { .. }), "{error}");
    error.to_string()
}

fn open(dir: &Path) -> Model {
    let options = LoadOptions { device: candle_core::Device::Cpu, weights: WeightType::AsStored };
    quiet(|c| Model::open(&ModelSource::Directory(dir.into()), &options, c)).unwrap()
}

fn cache() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn of_model(cache: &Path) -> PathBuf {
    cache.join("models--tiny--mamba")
}

/// The names in a folder, sorted.
fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> = entries.flatten().map(|e| e.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// All files below a folder, by their path within it, links as `path -> target`.
fn tree(dir: &Path) -> Vec<String> {
    let mut all = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = path.strip_prefix(dir).unwrap().display().to_string();
            if kind.is_dir() {
                open.push(path);
            } else if kind.is_symlink() {
                all.push(format!("{name} -> {}", std::fs::read_link(&path).unwrap().display()));
            } else {
                all.push(name);
            }
        }
    }
    all.sort();
    all
}

// What is fetched, and what is not.

#[test]
fn a_model_is_fetched_once_from_one_commit_and_then_opens_without_a_network() {
    let (cache, server) = (cache(), Server::proper(model()));
    let dir = fetch(&server.hub(cache.path())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (file, content) in model() {
        assert_eq!(std::fs::read(dir.join(&file)).unwrap(), content, "{file}");
        std::fs::write(folder.path().join(file), content).unwrap();
    }
    assert_eq!(open(&dir).fingerprint, open(folder.path()).fingerprint);
    let log = server.log();
    assert!(log[0].starts_with("HEAD main/config.json") && log[1..].iter().all(|l| l.contains(A)), "{log:?}");
    assert_eq!(server.asked("index.json"), 0, "{log:?}");

    assert_eq!(fetch(&server.hub(cache.path())).unwrap(), dir);
    assert_eq!(server.log().len(), log.len(), "nothing more is asked");
    assert_eq!(fetch(&nobody(cache.path())).unwrap(), dir);
    assert_eq!(fetch_at(&nobody(cache.path()), A).unwrap(), dir);
    assert_eq!(fetch(&Hub { offline: true, ..nobody(cache.path()) }).unwrap(), dir);
}

#[test]
fn what_is_written_is_what_python_reads() {
    let (cache, server) = (cache(), Server::proper(model()));
    fetch(&server.hub(cache.path())).unwrap();
    let mut wanted: Vec<String> = Vec::new();
    for (file, content) in model() {
        let etag = if file.ends_with(".safetensors") { sha256(&content) } else { sha256(&content)[..40].into() };
        wanted.push(format!(".locks/models--tiny--mamba/{etag}.lock"));
        wanted.push(format!("models--tiny--mamba/blobs/{etag}"));
        wanted.push(format!("models--tiny--mamba/snapshots/{A}/{file} -> ../../blobs/{etag}"));
    }
    for file in ["generation_config.json", "special_tokens_map.json"] {
        wanted.push(format!("models--tiny--mamba/.no_exist/{A}/{file}"));
    }
    wanted.extend(["CACHEDIR.TAG".into(), "models--tiny--mamba/refs/main".into()]);
    wanted.sort();
    assert_eq!(tree(cache.path()), wanted);
    assert_eq!(std::fs::read_to_string(of_model(cache.path()).join("refs/main")).unwrap(), A);
}

/// The cache that Python made.
fn of_python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/cache")
}

#[test]
fn caches_that_python_made_open_by_branch_tag_ref_and_commit() {
    let before = tree(&of_python());
    let asked = Server::new(|_| Reply::empty(500));
    for (revision, commit) in [("main", A), ("refs/pr/1", A), ("v1", B), (A, A), (B, B)] {
        for hub in [nobody(&of_python()), asked.hub(&of_python()), Hub { offline: true, ..nobody(&of_python()) }] {
            let dir = fetch_at(&hub, revision).unwrap();
            assert_eq!(dir, of_model(&of_python()).join("snapshots").join(commit));
        }
    }
    let config = open(&of_model(&of_python()).join("snapshots").join(A)).network.config().clone();
    assert_eq!((config.d_model, config.n_layer, config.vocab_size), (8, 1, 3));
    assert_eq!(asked.log(), Vec::<String>::new());
    assert_eq!(tree(&of_python()), before, "nothing is written");

    let offline = Hub { offline: true, ..nobody(&of_python()) };
    let message = fetch_at(&offline, "v2").unwrap_err().to_string();
    assert!(message.contains("tiny/mamba@v2 is not in the cache") && message.contains("HF_HUB_OFFLINE"), "{message}");
    assert!(fetch_at(&nobody(&of_python()), &"c".repeat(40)).is_err());
}

#[test]
fn the_program_opens_a_python_cache_by_its_variables() {
    let home = tempfile::tempdir().unwrap();
    let doctor = |variable: &str, value: &Path| {
        std::process::Command::new(env!("CARGO_BIN_EXE_state-soup"))
            .args(["--model", "tiny/mamba@refs/pr/1", "--device", "cpu", "doctor", "--json", "--library"])
            .arg(home.path().join("library"))
            .env_clear()
            .env("HOME", home.path())
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .env(variable, value)
            .output()
            .unwrap()
    };
    let output = doctor("HF_HUB_CACHE", &of_python());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["model"]["name"], "tiny/mamba@refs/pr/1", "{told}");
    // A folder above it is another cache, and an empty one.
    let output = doctor("HF_HOME", &of_python());
    assert_eq!(output.status.code(), Some(6), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_index_of_shards_is_asked_for_only_where_there_is_no_single_file() {
    let mut files = model();
    let weights = files.remove("model.safetensors").unwrap();
    files.insert("model-00001-of-00001.safetensors".into(), weights);
    files.insert("model.safetensors.index.json".into(), br#"{"weight_map":{"x":"model-00001-of-00001.safetensors"}}"#.to_vec());
    let (cache, server) = (cache(), Server::proper(files));
    let dir = fetch(&server.hub(cache.path())).unwrap();
    open(&dir);
    assert_eq!(fetch(&nobody(cache.path())).unwrap(), dir);
    // A shard that is gone is fetched again, and named where that cannot be.
    std::fs::remove_file(dir.join("model-00001-of-00001.safetensors")).unwrap();
    let message = refusal(&Hub { offline: true, ..nobody(cache.path()) });
    assert!(message.contains("has no model-00001-of-00001.safetensors in the cache"), "{message}");
    fetch(&server.hub(cache.path())).unwrap();
    open(&dir);
}

#[test]
fn files_of_the_tokenizer_come_too_and_their_absence_is_remembered() {
    let mut files = model();
    files.insert("generation_config.json".into(), b"{\"eos_token_id\":[0]}".to_vec());
    let (cache, server) = (cache(), Server::proper(files));
    let dir = fetch(&server.hub(cache.path())).unwrap();
    assert!(dir.join("tokenizer_config.json").is_file() && dir.join("generation_config.json").is_file());
    assert!(!dir.join("special_tokens_map.json").exists());
    assert!(of_model(cache.path()).join(".no_exist").join(A).join("special_tokens_map.json").is_file());
}

#[test]
fn a_cache_without_the_tokenizers_settings_asks_for_them_once_and_does_without_a_network() {
    let (cache, server) = (cache(), Server::proper(model()));
    let hub = server.hub(cache.path());
    let dir = fetch(&hub).unwrap();
    std::fs::remove_file(dir.join("tokenizer_config.json")).unwrap();
    assert_eq!(fetch(&nobody(cache.path())).unwrap(), dir);
    assert_eq!(fetch(&Hub { offline: true, ..hub.clone() }).unwrap(), dir);
    assert!(!dir.join("tokenizer_config.json").exists());
    fetch(&hub).unwrap();
    assert!(dir.join("tokenizer_config.json").is_file());
    let asked = server.log().len();
    fetch(&hub).unwrap();
    assert_eq!(server.log().len(), asked);
}

#[test]
fn a_revision_with_a_slash_is_one_part_of_the_address() {
    let (cache, server) = (cache(), Server::proper(model()));
    let dir = fetch_at(&server.hub(cache.path()), "refs/pr/1").unwrap();
    assert!(server.log()[0].starts_with("HEAD refs%2Fpr%2F1/config.json"), "{:?}", server.log());
    assert_eq!(std::fs::read_to_string(of_model(cache.path()).join("refs/refs/pr/1")).unwrap(), A);
    assert_eq!(fetch_at(&nobody(cache.path()), "refs/pr/1").unwrap(), dir);
    let message = fetch_at(&server.hub(cache.path()), "../../../x").unwrap_err();
    assert!(matches!(&message, Error::Input(m) if m.contains("names no model")), "{message}");
}

// One model, one commit.

#[test]
fn a_branch_that_moves_gives_files_of_one_commit() {
    // It moves right after it was asked for.
    let (cache, old) = (cache(), model());
    let server = Server::new(move |ask| {
        let commit = if ask.revision == "main" && ask.before > 0 { B } else { A };
        proper(&old, commit, ask)
    });
    let dir = fetch(&server.hub(cache.path())).unwrap();
    assert!(dir.ends_with(A) && server.asked(B) == 0);
    assert_eq!(std::fs::read_to_string(of_model(cache.path()).join("refs/main")).unwrap(), A);
}

#[test]
fn what_an_earlier_commit_left_is_not_mixed_in() {
    let (cache, mut new) = (cache(), model());
    let broken = Server::new(|ask| match ask.file.as_str() {
        "model.safetensors" => Reply::empty(503),
        _ => proper(&model(), A, ask),
    });
    assert!(refusal(&broken.hub(cache.path())).contains("503"));
    let at_a = of_model(cache.path()).join("snapshots").join(A);
    assert!(at_a.join("config.json").is_file() && !of_model(cache.path()).join("refs").exists(), "no name for what is not whole");
    new.get_mut("config.json").unwrap().push(b' ');
    let server = Server::new(move |ask| proper(&new, B, ask));
    let dir = fetch(&server.hub(cache.path())).unwrap();
    assert!(dir.ends_with(B), "{}", dir.display());
    assert_eq!(names(&at_a), ["config.json", "tokenizer.json", "tokenizer_config.json"]);
    assert_eq!(names(&dir).len(), 4);
    assert_eq!(server.asked("GET"), 2, "equal contents are not fetched again: {:?}", server.log());
}

#[test]
fn a_hub_that_answers_for_another_commit_is_refused() {
    let cache = cache();
    let server = Server::new(|ask| proper(&model(), if ask.revision == "main" { A } else { B }, ask));
    let message = refusal(&server.hub(cache.path()));
    assert!(message.contains("was asked for the commit aaaa") && message.contains("answers for bbbb"), "{message}");
    assert!(!of_model(cache.path()).join("snapshots").exists());
}

// What is refused, before what.

#[test]
fn small_files_are_refused_before_weights_are_asked_for() {
    let cases: [(&str, &str, &str); 5] = [
        ("config.json", r#"{"model_type":"mamba2","hidden_size":64,"vocab_size":61}"#, "mamba2"),
        ("config.json", r#"{"model_type":"mamba","hidden_size":1000000000,"num_hidden_layers":2,"vocab_size":61}"#, "d_model"),
        ("config.json", "{\"hidden_size\":", "config.json of it is not JSON"),
        ("tokenizer.json", "{\"version\":\"1.0\"}", "tokenizer.json of it"),
        ("tokenizer.json", "[]", "tokenizer.json of it"),
    ];
    for (file, content, why) in cases {
        let (cache, mut files) = (cache(), model());
        files.insert(file.into(), content.into());
        let server = Server::proper(files);
        let message = refusal(&server.hub(cache.path()));
        assert!(message.contains(why), "{message}");
        assert_eq!(server.asked("model.safetensors"), 0, "{:?}", server.log());
        assert!(file == "tokenizer.json" || server.asked("tokenizer.json") == 0, "{:?}", server.log());
    }
}

#[test]
fn what_a_hub_does_not_have_is_named() {
    let message = |files: Files| refusal(&Server::proper(files).hub(cache().path()));
    assert!(message(Files::new()).contains("tiny/mamba@main has no config.json"));
    let mut files = model();
    files.remove("model.safetensors");
    assert!(message(files.clone()).contains("has no weights"));
    files.remove("tokenizer.json");
    assert!(message(files).contains("has no tokenizer.json (the original state-spaces"));

    let of = |code: &'static str| Server::new(move |_| Reply::empty(404).set("X-Error-Code", code));
    assert!(refusal(&of("RevisionNotFound").hub(cache().path())).contains("no branch, tag or commit `main`"));
    assert!(refusal(&of("RepoNotFound").hub(cache().path())).contains("no such repository"));

    let message = refusal(&nobody(cache().path()));
    assert!(message.contains("check the network") && message.contains("127.0.0.1:9"), "{message}");
    let message = refusal(&Hub { offline: true, ..nobody(cache().path()) });
    assert!(message.contains("HF_HUB_OFFLINE"), "{message}");
}

// The token.

#[test]
fn the_token_goes_to_the_hub_and_to_nobody_else() {
    let cache = cache();
    let store = Server::new(|ask| proper(&model(), A, ask).without("X-Repo-Commit").without("ETag"));
    let elsewhere = store.endpoint.clone();
    let server = Server::new(move |ask| {
        let reply = proper(&model(), A, ask);
        if ask.token.is_none() {
            return Reply::empty(401);
        }
        match ask.file.as_str() {
            "model.safetensors" => {
                let etag = format!("\"{}\"", sha256(&model()["model.safetensors"]));
                let size = model()["model.safetensors"].len().to_string();
                let reply = Reply::empty(302).set("X-Repo-Commit", A).set("X-Linked-Etag", etag).set("X-Linked-Size", size);
                reply.set("Location", format!("{elsewhere}/store/model.safetensors"))
            }
            // Within the hub, as renamed repositories do.
            "tokenizer.json" if ask.revision == A => Reply::empty(307).set("Location", format!("/new/name/{B}/tokenizer.json")),
            _ => reply,
        }
    });
    let hub = Hub { token: Token::new("hf_secret"), ..server.hub(cache.path()) };
    open(&fetch(&hub).unwrap());
    assert!(server.log().iter().all(|l| l.ends_with(" Bearer hf_secret")), "{:?}", server.log());
    assert_eq!(store.log(), ["GET store/model.safetensors 0 -"]);

    let message = refusal(&Server::new(|_| Reply::empty(403)).hub(cache.path().join("2").as_path()));
    assert!(message.contains("there is no token: set HF_TOKEN"), "{message}");
    let closed = Server::new(|_| Reply::empty(403).set("X-Error-Code", "GatedRepo"));
    let message = refusal(&Hub { endpoint: closed.endpoint.clone(), cache: cache.path().join("2"), ..hub.clone() });
    assert!(message.contains("does not open it") && message.contains("terms") && !message.contains("secret"), "{message}");
    let odd = Hub { token: Token::new("hf_sec ret\u{7}"), cache: cache.path().join("2"), ..hub };
    let message = refusal(&odd);
    assert!(message.contains("characters that no token has") && !message.contains("ret\u{7}"), "{message}");
}

// Nothing a hub says becomes a path.

#[test]
fn an_odd_etag_gets_a_name_of_our_own() {
    let outside = tempfile::tempdir().unwrap();
    let victim = outside.path().join("victim");
    std::fs::write(&victim, "untouched").unwrap();
    let odd = [
        format!("\"{}\"", victim.display()),
        "\"../../../victim\"".into(),
        "..".into(),
        "\"\"".into(),
        "\"abc-12\"".into(),
        format!("\"{}\"", "A".repeat(40)),
        format!("\"{}/x\"", "a".repeat(38)),
        "\"main\"".into(),
    ];
    for etag in odd {
        let cache = outside.path().join("cache");
        let told = etag.clone();
        let server = Server::new(move |ask| proper(&model(), A, ask).set("ETag", told.clone()));
        open(&fetch(&server.hub(&cache)).unwrap());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched", "{etag}");
        assert_eq!(names(outside.path()), ["cache", "victim"], "{etag}");
        let blobs = names(&of_model(&cache).join("blobs"));
        assert!(blobs.len() == 4 && blobs.iter().all(|b| b.len() == 40), "{etag}: {blobs:?}");
        std::fs::remove_dir_all(&cache).unwrap();
    }
    // A weak one that is a hash is taken for what it says, and so is none at all.
    let cache = outside.path().join("weak");
    let server = Server::new(|ask| {
        let weak = format!("W/\"{}\"", sha256(&model()["model.safetensors"]));
        let reply = proper(&model(), A, ask).without("ETag");
        if ask.file == "model.safetensors" { reply.set("ETag", weak) } else { reply }
    });
    fetch(&server.hub(&cache)).unwrap();
    assert!(of_model(&cache).join("blobs").join(sha256(&model()["model.safetensors"])).is_file());
    assert_eq!(names(&of_model(&cache).join("blobs")).len(), 4);
}

#[test]
fn an_odd_commit_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for commit in ["../../..", "/tmp/x", "main", "1234567890abcdef", "", &"g".repeat(40), &"A".repeat(40), "\u{1b}[2J"] {
        let told = commit.to_owned();
        let server = Server::new(move |ask| proper(&model(), &told, ask));
        let message = refusal(&server.hub(&dir.path().join("cache")));
        // A header that is none does not get as far.
        let is_told = message.contains("not a commit hash") || commit.contains('\u{1b}') && message.contains("names no commit");
        assert!(is_told && !message.contains('\u{1b}'), "{message}");
        assert_eq!(names(dir.path()), Vec::<String>::new(), "{commit}");
    }
    let server = Server::new(|ask| proper(&model(), A, ask).without("X-Repo-Commit"));
    assert!(refusal(&server.hub(&dir.path().join("cache"))).contains("not a Hugging Face hub"));
    // Where a commit is asked for, too.
    let server = Server::new(|ask| proper(&model(), if ask.revision == "main" { A } else { "../../.." }, ask));
    assert!(refusal(&server.hub(&dir.path().join("cache"))).contains("not a commit hash"));
    assert_eq!(names(dir.path()), Vec::<String>::new());
}

#[test]
fn shards_are_files_of_the_folder() {
    for shard in ["../../../victim", "/tmp/victim", "..", "config.json", "a/b.safetensors", ".hidden", "a\nb", ""] {
        let mut files = model();
        files.remove("model.safetensors");
        files.insert("model.safetensors.index.json".into(), serde_json::json!({"weight_map": {"x": shard}}).to_string().into());
        let (cache, server) = (cache(), Server::proper(files));
        let message = refusal(&server.hub(cache.path()));
        assert!(message.contains("index.json"), "{shard}: {message}");
        assert_eq!(server.asked("GET"), 4, "{shard}: {:?}", server.log());
    }
}

#[test]
fn links_that_lead_out_of_the_cache_are_not_written_through() {
    let server = Server::proper(model());
    for (link, is_fatal) in [("blobs", true), ("snapshots", true), ("refs", false), (".no_exist", false)] {
        let (cache, outside) = (cache(), tempfile::tempdir().unwrap());
        std::fs::create_dir_all(of_model(cache.path())).unwrap();
        std::os::unix::fs::symlink(outside.path(), of_model(cache.path()).join(link)).unwrap();
        match fetch(&server.hub(cache.path())) {
            Err(error) => assert!(is_fatal && error.to_string().contains("leads out of"), "{link}: {error}"),
            Ok(_) => assert!(!is_fatal, "{link}"),
        }
        assert_eq!(names(outside.path()), Vec::<String>::new(), "{link}");
    }
    // Links to files: they are replaced, not followed.
    let (cache, outside) = (cache(), tempfile::tempdir().unwrap());
    let (victim, fresh) = (outside.path().join("victim"), outside.path().join("fresh"));
    std::fs::write(&victim, "untouched").unwrap();
    let weights = sha256(&model()["model.safetensors"]);
    let root = of_model(cache.path());
    let lock = cache.path().join(".locks/models--tiny--mamba");
    for dir in [root.join("blobs"), root.join("refs"), root.join("snapshots").join(A), lock.clone()] {
        std::fs::create_dir_all(dir).unwrap();
    }
    std::os::unix::fs::symlink(&fresh, root.join("blobs").join(&weights)).unwrap();
    std::os::unix::fs::symlink(&victim, root.join("blobs").join(format!("{weights}.incomplete"))).unwrap();
    std::os::unix::fs::symlink(&fresh, root.join("snapshots").join(A).join("config.json")).unwrap();
    std::os::unix::fs::symlink(&victim, root.join("refs/main")).unwrap();
    open(&fetch(&server.hub(cache.path())).unwrap());
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "untouched");
    assert!(!fresh.exists());
    assert_eq!(std::fs::read_to_string(root.join("refs/main")).unwrap(), A);
    // The model's folder itself may stand on another disk.
    let (elsewhere, here) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::os::unix::fs::symlink(elsewhere.path(), of_model(here.path())).unwrap();
    open(&fetch(&server.hub(here.path())).unwrap());
    assert!(elsewhere.path().join("blobs").is_dir());
}

#[test]
fn redirects_are_followed_to_http_only() {
    for (location, why) in
        [("file:///etc/passwd", "`file:`"), ("ftp://127.0.0.1/x", "`ftp:`"), ("/again", "more than 10 times"), ("http://", "nowhere")]
    {
        let server = Server::new(move |_| Reply::empty(302).set("Location", location));
        let message = refusal(&server.hub(cache().path()));
        assert!(message.contains(why), "{location}: {message}");
    }
}

// What comes instead of the file.

fn blobs_and_parts(cache: &Path) -> Vec<String> {
    names(&of_model(cache).join("blobs"))
}

#[test]
fn a_page_or_a_pointer_instead_of_the_file_is_named_and_does_not_stay() {
    let page = "<!DOCTYPE html><html><body>Please sign in</body></html>";
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4665a5ea423c2713d436b5ee50593a9640e0018c1550b5a0002f74190d6caea8\nsize 12\n";
    for (body, why) in
        [(page, "a web page came"), (pointer, "a Git LFS pointer came"), ("Please sign in at the desk now, thank you", "not JSON")]
    {
        for (file, kept) in [("config.json", 0), ("tokenizer.json", 1), ("model.safetensors", 3)] {
            if why == "not JSON" && file == "model.safetensors" {
                continue;
            }
            // The content alone is wrong; or the whole answer is, and longer or shorter than the
            // file.
            for announced in [false, true] {
                let (cache, is_told) = (cache(), announced);
                let server = Server::new(move |ask| match proper(&model(), A, ask) {
                    reply if ask.file == file && ask.method == "GET" => reply.body(body),
                    reply if ask.file == file && is_told => {
                        let own = sha256(body.as_bytes());
                        reply.set("Content-Length", body.len().to_string()).set("ETag", format!("\"{}\"", &own[..40]))
                    }
                    reply => reply,
                });
                let message = refusal(&server.hub(cache.path()));
                assert!(message.contains(why) && message.contains(file), "{file}: {message}");
                assert_eq!(blobs_and_parts(cache.path()).len(), kept, "{file}: {:?}", blobs_and_parts(cache.path()));
                // Once the network is in order, so is the cache.
                open(&fetch(&Server::proper(model()).hub(cache.path())).unwrap());
            }
        }
    }
    let server = Server::new(move |_| Reply::empty(200).body(page).set("Content-Type", "text/html; charset=utf-8"));
    let message = refusal(&server.hub(cache().path()));
    assert!(message.contains("web page") && message.contains("sign in"), "{message}");
}

#[test]
fn content_that_is_wrong_is_removed() {
    let cache = cache();
    let server = Server::new(|ask| {
        let mut files = model();
        if ask.method == "GET" {
            *files.get_mut("model.safetensors").unwrap().last_mut().unwrap() ^= 1;
        }
        proper(&files, A, ask)
    });
    let message = refusal(&server.hub(cache.path()));
    assert!(message.contains("its content is wrong") && message.contains(&server.endpoint), "{message}");
    assert_eq!(blobs_and_parts(cache.path()).len(), 3);
    open(&fetch(&Server::proper(model()).hub(cache.path())).unwrap());
}

#[test]
fn answers_that_are_too_long_end() {
    // Longer than announced.
    for file in ["config.json", "model.safetensors"] {
        let cache = cache();
        let server = Server::new(move |ask| {
            let reply = proper(&model(), A, ask);
            if ask.file == file && ask.method == "GET" { reply.without("Content-Length").end(End::Endless) } else { reply }
        });
        let message = refusal(&server.hub(cache.path()));
        assert!(message.contains("longer than the") && message.contains(file), "{message}");
        assert!(blobs_and_parts(cache.path()).iter().all(|b| !b.contains("incomplete")));
    }
    // Nothing is announced.
    for (file, why) in [("config.json", "larger than the 4194304 bytes"), ("model.safetensors", "does not say how long")] {
        let server = Server::new(move |ask| {
            let reply = proper(&model(), A, ask);
            if ask.file == file { reply.without("Content-Length").end(End::Endless) } else { reply }
        });
        let message = refusal(&server.hub(cache().path()));
        assert!(message.contains(why), "{message}");
    }
    // Too much is announced.
    for (file, size, why) in [("config.json", 5 << 20, "at most 4194304"), ("model.safetensors", 1u64 << 60, "bytes free")] {
        let server = Server::new(move |ask| {
            let reply = proper(&model(), A, ask);
            if ask.file == file { reply.set("Content-Length", size.to_string()) } else { reply }
        });
        let message = refusal(&server.hub(cache().path()));
        assert!(message.contains(why), "{message}");
        assert_eq!(server.asked(&format!("GET {A}/{file}")), 0);
    }
}

// Networks that break off, stand still or are slow.

#[test]
fn a_connection_that_breaks_off_is_taken_up_again_where_it_was() {
    let cache = cache();
    let whole = model()["model.safetensors"].len();
    let server = Server::new(move |ask| {
        let reply = proper(&model(), A, ask);
        if ask.file == "model.safetensors" && ask.before == 0 { reply.end(End::Breaks(whole / 2)) } else { reply }
    });
    open(&fetch(&server.hub(cache.path())).unwrap());
    assert_eq!(server.asked(&format!("GET {A}/model.safetensors {} ", whole / 2)), 1, "{:?}", server.log());
}

#[test]
fn what_has_arrived_is_told_and_serves_the_next_try() {
    let cache = cache();
    let whole = model()["model.safetensors"].len();
    let server = Server::new(move |ask| {
        let reply = proper(&model(), A, ask);
        let end = if ask.from == 0 { End::Breaks(whole / 2) } else { End::Breaks(0) };
        if ask.file == "model.safetensors" { reply.end(end) } else { reply }
    });
    let message = refusal(&server.hub(cache.path()));
    assert!(message.contains(&format!("{} of {whole} bytes have arrived and are kept", whole / 2)), "{message}");
    assert!(message.contains("model.safetensors of tiny/mamba@main"), "{message}");
    // Neither a page nor a refusal in between costs what has arrived.
    for (status, body, why) in [(200, "<html>Please sign in</html>", "web page"), (403, "", "permission")] {
        let between = Server::new(move |ask| {
            let reply = proper(&model(), A, ask);
            if ask.method == "GET" { Reply { status, ..reply }.body(body) } else { reply }
        });
        let message = refusal(&between.hub(cache.path()));
        assert!(message.contains(why), "{message}");
    }
    let again = Server::proper(model());
    open(&fetch(&again.hub(cache.path())).unwrap());
    assert_eq!(again.asked(&format!("GET {A}/model.safetensors {} ", whole / 2)), 1, "{:?}", again.log());
    assert_eq!(blobs_and_parts(cache.path()).len(), 4, "no part stays");

    // A hub that does not know of parts sends the whole again; a part that is no part of it is
    // found out.
    for part in [b"what another file left".to_vec(), vec![0; whole + 1], model()["model.safetensors"].clone()] {
        let root = of_model(cache.path());
        let blob = root.join("blobs").join(sha256(&model()["model.safetensors"]));
        std::fs::remove_file(root.join("snapshots").join(A).join("model.safetensors")).unwrap();
        std::fs::remove_file(&blob).unwrap();
        std::fs::write(blob.with_extension("incomplete"), part).unwrap();
        let whole_only = Server::new(|ask| {
            let reply = proper(&model(), A, ask);
            let whole = model().remove(&ask.file).unwrap_or_default();
            if reply.status == 206 { Reply { status: 200, ..reply.body(whole) } } else { reply }
        });
        open(&fetch(&whole_only.hub(cache.path())).unwrap());
        assert_eq!(blobs_and_parts(cache.path()).len(), 4);
    }
}

#[test]
fn a_hub_that_is_busy_is_asked_again() {
    let server = Server::new(|ask| if ask.method == "GET" && ask.before < 2 { Reply::empty(503) } else { proper(&model(), A, ask) });
    open(&fetch(&server.hub(cache().path())).unwrap());
}

#[test]
fn silence_ends_with_a_sentence() {
    for (method, end) in [("HEAD", End::NoAnswer), ("GET", End::NoAnswer), ("GET", End::Silent(0)), ("GET", End::Silent(20_000))] {
        let cache = cache();
        let server = Server::new(move |ask| {
            let reply = proper(&model(), A, ask);
            if ask.method == method && ask.file == "model.safetensors" && ask.before == 0 { reply.end(end) } else { reply }
        });
        let mut hub = server.hub(cache.path());
        hub.patience.answer = Duration::from_millis(300);
        hub.patience.bytes = Duration::from_millis(300);
        let begun = Instant::now();
        match fetch(&hub) {
            // What has begun is taken up again.
            Ok(dir) => assert!(method == "GET" && open(&dir).network.config().n_layer == 3),
            Err(error) => assert!(method == "HEAD" && error.to_string().contains("check the network"), "{error}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}

/// Fetches until the hub has been asked for something, calls it off, and says how long that took.
fn called_off(server: &Server, hub: &Hub, asked: &str) -> (Result<PathBuf>, Duration) {
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        let fetching = scope.spawn(|| hub.fetch(REPO, "main", &|dir| check_description("it", dir), Control::new(&cancel, &|_| {})));
        while server.asked(asked) == 0 {
            std::thread::sleep(Duration::from_millis(2));
        }
        let begun = Instant::now();
        cancel.cancel();
        (fetching.join().unwrap(), begun.elapsed())
    })
}

#[test]
fn a_download_that_stands_still_or_drips_is_called_off_at_once() {
    for (method, end) in [("HEAD", End::NoAnswer), ("GET", End::NoAnswer), ("GET", End::Silent(20_000)), ("GET", End::Drips)] {
        let cache = cache();
        let server = Server::new(move |ask| {
            let reply = proper(&model(), A, ask);
            if ask.method == method && ask.file == "model.safetensors" { reply.end(end) } else { reply }
        });
        let mut hub = server.hub(cache.path());
        hub.patience.answer = Duration::from_mins(1);
        hub.patience.bytes = Duration::from_mins(1);
        let (result, took) = called_off(&server, &hub, &format!("{method} {A}/model.safetensors"));
        assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
        assert!(took < Duration::from_secs(2), "{took:?}");
        // And the next one goes on.
        open(&fetch(&Server::proper(model()).hub(cache.path())).unwrap());
    }
}

// Two at once.

#[test]
fn a_second_program_waits_for_the_first_and_says_so() {
    let (cache, server) = (cache(), Server::proper(model()));
    let locks = cache.path().join(".locks/models--tiny--mamba");
    std::fs::create_dir_all(&locks).unwrap();
    let weights = model()["model.safetensors"].clone();
    let first = std::fs::File::create(locks.join(format!("{}.lock", sha256(&weights)))).unwrap();
    first.lock().unwrap();
    let hub = server.hub(cache.path());
    let (cancel, told) = (Cancel::new(), Mutex::new(Vec::new()));
    let listen = |p: Progress| told.lock().unwrap().push(p.unit);
    let waits = || told.lock().unwrap().iter().any(|unit| unit.contains("waiting for another program"));
    std::thread::scope(|scope| {
        let second = scope.spawn(|| hub.fetch(REPO, "main", &|dir| check_description("it", dir), Control::new(&cancel, &listen)));
        while !waits() {
            assert!(!second.is_finished(), "{:?}", second.join());
            std::thread::sleep(Duration::from_millis(2));
        }
        std::thread::sleep(Duration::from_millis(200));
        assert!(!second.is_finished());
        // The first is done with it.
        std::fs::write(of_model(cache.path()).join("blobs").join(sha256(&weights)), &weights).unwrap();
        drop(first);
        open(&second.join().unwrap().unwrap());
    });
    assert_eq!(server.asked(&format!("GET {A}/model.safetensors")), 0, "what the first fetched is used");
}

#[test]
fn waiting_is_called_off_too() {
    let (cache, server) = (cache(), Server::proper(model()));
    let locks = cache.path().join(".locks/models--tiny--mamba");
    std::fs::create_dir_all(&locks).unwrap();
    let first = std::fs::File::create(locks.join(format!("{}.lock", sha256(&model()["model.safetensors"])))).unwrap();
    first.lock().unwrap();
    let (result, took) = called_off(&server, &server.hub(cache.path()), "HEAD aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/model.safetensors");
    assert!(matches!(result, Err(Error::Cancelled)) && took < Duration::from_secs(2), "{result:?} {took:?}");
}

#[test]
fn many_at_once_fetch_every_file_once() {
    let (cache, finished) = (cache(), AtomicUsize::new(0));
    let server = Server::new(|ask| {
        std::thread::sleep(Duration::from_millis(10));
        proper(&model(), A, ask)
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                fetch(&server.hub(cache.path())).unwrap();
                finished.fetch_add(1, Ordering::Relaxed);
            });
        }
    });
    assert_eq!(finished.load(Ordering::Relaxed), 4);
    let mut counts: HashMap<String, usize> = HashMap::new();
    server.log().into_iter().filter(|l| l.starts_with("GET")).for_each(|l| *counts.entry(l).or_default() += 1);
    assert!(counts.len() == 4 && counts.values().all(|n| *n == 1), "{counts:?}");
    open(&of_model(cache.path()).join("snapshots").join(A));
}

/// A network that opens encrypted connections signs with its own root: `SSL_CERT_FILE` and
/// `SSL_CERT_DIR` name it.
#[test]
fn certificates_of_the_environment_count_beside_the_webs() {
    let server = Server::encrypted(model());
    let (own, dir) = (cache(), tempfile::tempdir().unwrap());
    let message = refusal(&server.hub(own.path()));
    assert!(message.contains("UnknownIssuer") && message.contains("SSL_CERT_FILE"), "{message}");

    std::fs::copy(tls("root.pem"), dir.path().join("office.crt")).unwrap();
    let file = Roots { file: Some(tls("root.pem")), folders: Vec::new() };
    for roots in [file, Roots { file: None, folders: vec![dir.path().to_owned()] }] {
        let cache = cache();
        let hub = Hub { roots, ..server.hub(cache.path()) };
        let folder = quiet(|c| hub.fetch(REPO, "main", &|_| Ok(()), c)).unwrap();
        assert_eq!(std::fs::read(folder.join("model.safetensors")).unwrap(), model()["model.safetensors"]);
    }
    // What cannot be read is said before anybody is asked, and costs a cached model nothing.
    let asked = server.log().len();
    let broken = |cache: &Path| Hub { roots: Roots { file: Some(dir.path().join("none.pem")), folders: Vec::new() }, ..server.hub(cache) };
    let message = refusal(&broken(own.path()));
    assert!(message.contains("SSL_CERT_FILE") && message.contains("none.pem"), "{message}");
    assert_eq!(server.log().len(), asked);
}
