//! Files with random damage: each opens, or is refused by a sentence that names it; nothing panics,
//! stops or hangs.
//!
//! `STATE_SOUP_MUTATIONS` says how many of each kind.

use super::folder::{Folder, golden, try_logits};
use crate::mutate::{count, mutated};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// Damages a file of a folder in as many ways, and opens each.
fn mutate(folder: &Folder, file: &str) {
    let count = count(300);
    let path = folder.path().join(file);
    let whole = std::fs::read(&path).unwrap();
    let place = folder.path().display().to_string();
    let (mut opened, mut random) = (0, ChaCha8Rng::seed_from_u64(file.len() as u64));
    assert!(folder.open().is_ok(), "{file} is whole");
    for i in 0..count {
        let bytes = mutated(&whole, &mut random);
        std::fs::write(&path, &bytes).unwrap();
        let began = Instant::now();
        match folder.open() {
            Ok(model) => {
                opened += 1;
                let ids = model.tokenizer.encode("a b -> b\n é 日本").unwrap_or_default();
                let _ = model.tokenizer.decode(&ids);
                // Weights may be so large that the states are no numbers; that is a sentence too.
                let _ = try_logits(&model, &ids);
            }
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains(&place), "{file}, mutation {i}: the refusal names no file: {text}");
            }
        }
        assert!(began.elapsed().as_secs() < 10, "{file}, mutation {i}: {:?}", began.elapsed());
    }
    std::fs::write(&path, whole).unwrap();
    println!("{file}: {count} mutations, {opened} opened");
}

#[test]
fn damaged_tokenizers_open_or_are_refused_by_name() {
    mutate(&Folder::new(), "tokenizer.json");
    // One with more rules in it.
    let folder = Folder::new();
    for file in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
        std::fs::copy(golden("tokenizers/llama").join(file), folder.path().join(file)).unwrap();
    }
    for file in ["tokenizer.json", "tokenizer_config.json", "generation_config.json"] {
        mutate(&folder, file);
    }
}

#[test]
fn damaged_configurations_open_or_are_refused_by_name() {
    mutate(&Folder::new(), "config.json");
    mutate(&Folder::original(), "config.json");
}

#[test]
fn damaged_weights_open_or_are_refused_by_name() {
    mutate(&Folder::new(), "model.safetensors");
}

#[test]
fn damaged_indexes_open_or_are_refused_by_name() {
    let folder = Folder::new();
    let names: serde_json::Map<_, _> = folder.weights().keys().map(|name| (name.clone(), "part-1.safetensors".into())).collect();
    std::fs::rename(folder.path().join("model.safetensors"), folder.path().join("part-1.safetensors")).unwrap();
    folder.put_json("model.safetensors.index.json", &serde_json::json!({"metadata": {"total_size": 1}, "weight_map": names}));
    mutate(&folder, "model.safetensors.index.json");
}

#[test]
fn damaged_pickles_open_or_are_refused_by_name() {
    let folder = Folder::new();
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    std::fs::copy(golden("checkpoints/bin/pytorch_model.bin"), folder.path().join("pytorch_model.bin")).unwrap();
    mutate(&folder, "pytorch_model.bin");
}
