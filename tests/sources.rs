//! Where models come from: folders with every kind of weights and every kind of damage, and a hub on the loopback.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use sha2::{Digest, Sha256};
use state_soup::control::{Cancel, Control, quiet};
use state_soup::error::{Error, Result};
use state_soup::model::{Checkpoint, Hub, LoadOptions, Model, ModelSource, TensorSource, WeightType};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/mamba")
}

/// A folder with the tiny model and a tokenizer of three words.
fn model_folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for file in ["config.json", "model.safetensors"] {
        std::fs::copy(golden().join(file), dir.path().join(file)).unwrap();
    }
    let tokenizer = r#"{"version":"1.0","added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,"model":{"type":"WordLevel","vocab":{"<|endoftext|>":0,"a":1,"b":2},"unk_token":"<|endoftext|>"},"truncation":null,"padding":null}"#;
    std::fs::write(dir.path().join("tokenizer.json"), tokenizer).unwrap();
    dir
}

fn open(dir: &Path) -> Result<Model> {
    let options = LoadOptions { device: candle_core::Device::Cpu, weights: WeightType::AsStored };
    quiet(|c| Model::open(&ModelSource::Directory(dir.into()), &options, c))
}

fn refusal(dir: &Path) -> String {
    open(dir).err().expect("it should be refused").to_string()
}

#[test]
fn a_folder_opens_and_its_fingerprint_follows_every_file() {
    let dir = model_folder();
    let first = open(dir.path()).unwrap().fingerprint;
    assert_eq!(first, open(dir.path()).unwrap().fingerprint);
    let mut fingerprints = vec![first];
    for file in ["config.json", "tokenizer.json"] {
        let path = dir.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text + " ").unwrap();
        fingerprints.push(open(dir.path()).unwrap().fingerprint);
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 3);
}

#[test]
fn what_a_folder_lacks_is_named_with_what_it_has() {
    let dir = model_folder();
    std::fs::remove_file(dir.path().join("tokenizer.json")).unwrap();
    let message = refusal(dir.path());
    assert!(message.contains("no tokenizer.json") && message.contains("gpt-neox-20b") && message.contains("config.json"), "{message}");
    let dir = model_folder();
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    assert!(refusal(dir.path()).contains("has no weights"));
    assert!(refusal(Path::new("/nowhere")).contains("no config.json"));
}

#[test]
fn damaged_weights_are_named() {
    let whole = std::fs::read(golden().join("model.safetensors")).unwrap();
    let dir = model_folder();
    let path = dir.path().join("model.safetensors");
    for cut in [0, 5, 100, whole.len() - 1] {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let message = refusal(dir.path());
        assert!(message.contains("model.safetensors is damaged"), "{message}");
    }
    let mut absurd = whole.clone();
    absurd[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    std::fs::write(&path, &absurd).unwrap();
    assert!(refusal(dir.path()).contains("is damaged"));
    std::fs::remove_file(&path).unwrap();
    std::fs::write(dir.path().join("pytorch_model.bin"), b"not a zip").unwrap();
    assert!(refusal(dir.path()).contains("no PyTorch checkpoint"));
}

#[test]
fn shards_are_put_together_and_a_missing_one_is_named() {
    let dir = model_folder();
    let all = candle_core::safetensors::load(golden().join("model.safetensors"), &candle_core::Device::Cpu).unwrap();
    let (mut parts, mut map) = ([std::collections::HashMap::new(), std::collections::HashMap::new()], serde_json::Map::new());
    for (i, (name, tensor)) in all.iter().enumerate() {
        parts[i % 2].insert(name.clone(), tensor.clone());
        map.insert(name.clone(), format!("part-{}.safetensors", i % 2).into());
    }
    for (i, part) in parts.iter().enumerate() {
        candle_core::safetensors::save(part, dir.path().join(format!("part-{i}.safetensors"))).unwrap();
    }
    std::fs::remove_file(dir.path().join("model.safetensors")).unwrap();
    let index = dir.path().join("model.safetensors.index.json");
    std::fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    assert_eq!(Checkpoint::open(dir.path()).unwrap().names().len(), all.len());
    open(dir.path()).unwrap();
    std::fs::remove_file(dir.path().join("part-1.safetensors")).unwrap();
    assert!(refusal(dir.path()).contains("part-1.safetensors"));
    std::fs::write(&index, r#"{"weight_map":{"x":"../../etc/passwd"}}"#).unwrap();
    assert!(refusal(dir.path()).contains("outside its folder"));
}

/// What the hub of a test does.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Fine,
    /// Breaks off in the middle of the weights, once.
    BreaksOnce,
    /// Sends half of the weights and then nothing more, without hanging up.
    Stalls,
    /// Announces another hash than that of the content.
    Lies,
}

/// A hub on the loopback that serves one repository. Requests are logged as `METHOD path range`.
struct TestHub {
    endpoint: String,
    log: Arc<Mutex<Vec<String>>>,
    /// Whether it broke off or stands still.
    broken: Arc<Mutex<bool>>,
}

fn serve(files: PathBuf, mood: Mood) -> TestHub {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let log = Arc::new(Mutex::new(Vec::new()));
    let broken = Arc::new(Mutex::new(false));
    let (seen, mark) = (Arc::clone(&log), Arc::clone(&broken));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten().take(200) {
            let _ = answer(&stream, &files, mood, &seen, &mark);
        }
    });
    TestHub { endpoint, log, broken }
}

fn answer(mut stream: &TcpStream, files: &Path, mood: Mood, log: &Mutex<Vec<String>>, broken: &Mutex<bool>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut range = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range:") {
            range = value.trim().to_string();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let path = request.split(' ').nth(1).unwrap_or_default().to_string();
    log.lock().unwrap().push(format!("{path} {range}"));
    let name = path.rsplit('/').next().unwrap_or_default();
    let Ok(content) = std::fs::read(files.join(name)) else {
        return write!(stream, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let weights = name.ends_with(".safetensors");
    let etag = match (weights, mood) {
        (true, Mood::Lies) => "0".repeat(64),
        (true, _) => Sha256::digest(&content).iter().map(|b| format!("{b:02x}")).collect(),
        (false, _) => format!("git-{name}").replace('.', "-"),
    };
    let (from, to) = range.strip_prefix("bytes=").and_then(|r| r.split_once('-')).unwrap_or(("0", ""));
    let from: usize = from.parse().unwrap_or(0);
    let to: usize = to.parse().map_or(content.len(), |t: usize| (t + 1).min(content.len()));
    let body = &content[from.min(to)..to];
    write!(
        stream,
        "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {from}-{}/{}\r\nETag: \"{etag}\"\r\nX-Repo-Commit: 1234567890abcdef\r\nConnection: close\r\n\r\n",
        body.len(),
        to.max(1) - 1,
        content.len()
    )?;
    if mood == Mood::Stalls && weights && body.len() > 1000 {
        stream.write_all(&body[..body.len() / 2])?;
        *broken.lock().unwrap() = true;
        // Until the other side hangs up.
        std::io::copy(&mut stream, &mut std::io::sink())?;
        return Ok(());
    }
    let mut broken = broken.lock().unwrap();
    if mood == Mood::BreaksOnce && weights && body.len() > 1000 && !*broken {
        *broken = true;
        return stream.write_all(&body[..body.len() / 2]);
    }
    stream.write_all(body)
}

fn fetch(hub: &TestHub, cache: &Path, offline: bool, repo: &str) -> Result<PathBuf> {
    let hub = Hub { endpoint: hub.endpoint.clone(), cache: cache.into(), offline };
    quiet(|c| hub.fetch(repo, "main", c))
}

#[test]
fn a_hub_model_is_downloaded_once_and_opens_offline_afterwards() {
    let (files, cache) = (model_folder(), tempfile::tempdir().unwrap());
    let hub = serve(files.path().into(), Mood::Fine);
    let dir = fetch(&hub, cache.path(), false, "tiny/mamba").unwrap();
    assert_eq!(open(&dir).unwrap().fingerprint, open(files.path()).unwrap().fingerprint);
    let asked = hub.log.lock().unwrap().len();
    let nobody = TestHub { endpoint: "http://127.0.0.1:9".into(), log: Arc::default(), broken: Arc::default() };
    assert_eq!(fetch(&nobody, cache.path(), true, "tiny/mamba").unwrap(), dir);
    assert_eq!(hub.log.lock().unwrap().len(), asked);
}

#[test]
fn an_interrupted_download_goes_on_where_it_was() {
    let (files, cache) = (model_folder(), tempfile::tempdir().unwrap());
    let hub = serve(files.path().into(), Mood::BreaksOnce);
    let first = fetch(&hub, cache.path(), false, "tiny/mamba").unwrap_err();
    assert!(matches!(first, Error::Hub(_)) && first.to_string().contains("model.safetensors of tiny/mamba"), "{first}");
    let dir = fetch(&hub, cache.path(), false, "tiny/mamba").unwrap();
    assert_eq!(std::fs::read(dir.join("model.safetensors")).unwrap(), std::fs::read(golden().join("model.safetensors")).unwrap());
    let log = hub.log.lock().unwrap();
    let resumed = log.iter().filter(|l| l.contains("model.safetensors ")).any(|l| !l.contains("bytes=0-"));
    assert!(resumed, "{log:?}");
}

#[test]
fn a_download_that_stands_still_is_called_off() {
    let (files, cache) = (model_folder(), tempfile::tempdir().unwrap());
    let server = serve(files.path().into(), Mood::Stalls);
    let hub = Hub { endpoint: server.endpoint.clone(), cache: cache.path().into(), offline: false };
    let cancel = Cancel::new();
    let result = std::thread::scope(|scope| {
        let fetching = scope.spawn(|| hub.fetch("tiny/mamba", "main", Control::new(&cancel, &|_| {})));
        while !*server.broken.lock().unwrap() {
            std::thread::yield_now();
        }
        cancel.cancel();
        fetching.join().unwrap()
    });
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
}

#[test]
fn refusals_of_a_hub_are_sentences() {
    let (files, cache) = (model_folder(), tempfile::tempdir().unwrap());
    let hub = serve(files.path().into(), Mood::Lies);
    let message = fetch(&hub, cache.path(), false, "tiny/mamba").unwrap_err().to_string();
    assert!(message.contains("its content is wrong") && message.contains(&hub.endpoint), "{message}");

    let empty = tempfile::tempdir().unwrap();
    let hub = serve(empty.path().into(), Mood::Fine);
    let message = fetch(&hub, cache.path(), false, "tiny/none").unwrap_err().to_string();
    assert!(message.contains("tiny/none@main has no config.json"), "{message}");

    let nobody = TestHub { endpoint: "http://127.0.0.1:9".into(), log: Arc::default(), broken: Arc::default() };
    let message = fetch(&nobody, cache.path(), false, "tiny/far").unwrap_err().to_string();
    assert!(message.contains("check the network") && message.contains("127.0.0.1:9"), "{message}");
    let message = fetch(&nobody, cache.path(), true, "tiny/far").unwrap_err().to_string();
    assert!(message.contains("HF_HUB_OFFLINE"), "{message}");
}
