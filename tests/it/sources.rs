//! Models from folders, with every kind of weights and every kind of damage. Hubs: `hubs.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use state_soup::control::quiet;
use state_soup::error::Result;
use state_soup::model::{Checkpoint, LoadOptions, Model, ModelSource, TensorSource, WeightType};
use std::path::{Path, PathBuf};

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
    assert!(refusal(dir.path()).contains("not a PyTorch checkpoint"));
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
    for outside in ["../../etc/passwd", "..", "/", "a/b"] {
        std::fs::write(&index, serde_json::json!({ "weight_map": { "x": outside } }).to_string()).unwrap();
        assert!(refusal(dir.path()).contains("outside its folder"), "{outside}");
    }
}
