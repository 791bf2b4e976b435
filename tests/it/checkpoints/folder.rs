//! Tiny folders, to be changed and opened.

use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use state_soup::control::quiet;
use state_soup::error::Result;
use state_soup::model::{Bos, LoadOptions, Model, ModelSource, Prompt, Want, WeightType};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub type Tensors = HashMap<String, Tensor>;

/// A folder of tests/golden.
pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// A tokenizer of words: everything it does not know is token 0.
pub const WORDS: &str = r#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[{"id":0,"content":"<|endoftext|>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}],"normalizer":null,"pre_tokenizer":{"type":"Whitespace"},"post_processor":null,"decoder":null,"model":{"type":"WordLevel","vocab":{"<|endoftext|>":0,"a":1,"b":2,"c":3,"d":4,"->":5},"unk_token":"<|endoftext|>"}}"#;

/// A folder that opens: the tiny model of tests/golden/checkpoints/base and a tokenizer of words.
pub struct Folder(pub tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        let named: Tensors = candle_core::safetensors::load(golden("checkpoints/base/model.safetensors"), &Device::Cpu).unwrap();
        folder.put_weights(&named.into_iter().map(|(name, t)| (format!("backbone.{name}"), t)).collect());
        folder.put_json("config.json", &json!({"model_type": "mamba", "vocab_size": 13, "hidden_size": 8, "num_hidden_layers": 1, "state_size": 4, "conv_kernel": 4, "time_step_rank": 2}));
        folder.put("tokenizer.json", WORDS.as_bytes());
        folder
    }

    /// The same model in the layout of `mamba_ssm`.
    pub fn original() -> Self {
        let folder = Self::new();
        let mut tensors = folder.weights();
        let embedding = tensors.remove("backbone.embeddings.weight").unwrap();
        tensors.insert("backbone.embedding.weight".into(), embedding);
        folder.put_weights(&tensors);
        folder.put_json(
            "config.json",
            &json!({"d_model": 8, "n_layer": 1, "vocab_size": 13, "pad_vocab_size_multiple": 1, "ssm_cfg": {"d_state": 4, "dt_rank": 2}}),
        );
        folder
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn put(&self, file: &str, bytes: &[u8]) {
        std::fs::write(self.path().join(file), bytes).unwrap();
    }

    pub fn put_json(&self, file: &str, value: &Value) {
        self.put(file, value.to_string().as_bytes());
    }

    pub fn json(&self, file: &str) -> Value {
        serde_json::from_slice(&std::fs::read(self.path().join(file)).unwrap()).unwrap()
    }

    /// Sets a value of a JSON file; the key may be a path (`ssm_cfg/bias`).
    pub fn set(&self, file: &str, key: &str, value: Value) -> &Self {
        let mut json = self.json(file);
        let mut at = &mut json;
        for part in key.split('/') {
            at = &mut at[part];
        }
        *at = value;
        self.put_json(file, &json);
        self
    }

    pub fn weights(&self) -> Tensors {
        candle_core::safetensors::load(self.path().join("model.safetensors"), &Device::Cpu).unwrap()
    }

    pub fn put_weights(&self, tensors: &Tensors) {
        candle_core::safetensors::save(tensors, self.path().join("model.safetensors")).unwrap();
    }

    pub fn add(&self, name: &str, tensor: Tensor) -> &Self {
        let mut tensors = self.weights();
        tensors.insert(name.into(), tensor);
        self.put_weights(&tensors);
        self
    }

    pub fn open(&self) -> Result<Model> {
        open(self.path(), Bos::Auto)
    }

    /// The sentence it is refused with.
    pub fn refusal(&self) -> String {
        self.open().err().expect("it should be refused").to_string()
    }

    /// Asserts that it is refused with a sentence that holds these words.
    pub fn refused(&self, words: &[&str]) {
        let message = self.refusal();
        assert!(words.iter().all(|w| message.contains(w)), "{words:?}: {message}");
    }
}

pub fn open(dir: &Path, bos: Bos) -> Result<Model> {
    open_as(dir, bos, WeightType::AsStored)
}

pub fn open_as(dir: &Path, bos: Bos, weights: WeightType) -> Result<Model> {
    let options = LoadOptions { device: Device::Cpu, weights };
    quiet(|c| Model::open_with(&ModelSource::Directory(dir.into()), &options, bos, c))
}

/// Logits after each token.
pub fn logits(model: &Model, ids: &[u32]) -> Vec<Vec<f32>> {
    try_logits(model, ids).unwrap()
}

/// The same, of weights that may be too large to be run.
pub fn try_logits(model: &Model, ids: &[u32]) -> Result<Vec<Vec<f32>>> {
    let at: Vec<usize> = (0..ids.len()).collect();
    let prompt = Prompt { tokens: ids, initial: None, snapshots: &[], want: Want::LogitsAt(&at) };
    Ok(quiet(|c| model.network.prefill(&[prompt], c))?.remove(0).logits)
}
