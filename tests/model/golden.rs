//! The model against HF transformers' numbers (tests/golden, made by its generate.py), and against
//! itself: packed, split, stepped.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{DType, Device, Tensor};
use state_soup::control::{Cancel, Control, quiet};
use state_soup::error::{Error, Result};
use state_soup::model::{CHUNK, Checkpoint, LoadOptions, MambaConfig, Network, Prefilled, Prompt, TensorSource, Want, WeightType};
use state_soup::state::State;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

const KINDS: [&str; 3] = ["mamba", "long", "falcon"];

fn folder(kind: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(kind)
}

fn config(kind: &str) -> MambaConfig {
    MambaConfig::from_json(&std::fs::read_to_string(folder(kind).join("config.json")).unwrap(), kind).unwrap()
}

fn load(kind: &str, weights: WeightType) -> Network {
    let tensors = Checkpoint::open(&folder(kind)).unwrap();
    quiet(|c| Network::load(config(kind), &tensors, &LoadOptions { device: Device::Cpu, weights }, c)).unwrap()
}

struct Golden {
    ids: Vec<u32>,
    logits: Vec<Vec<f32>>,
    ssm: Vec<f32>,
    conv: Vec<f32>,
}

fn golden(kind: &str) -> Golden {
    let all = candle_core::safetensors::load(folder(kind).join("golden.safetensors"), &Device::Cpu).unwrap();
    let flat = |name: &str| all[name].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    Golden {
        ids: all["ids"].to_dtype(DType::U32).unwrap().to_vec1().unwrap(),
        logits: all["logits"].to_vec2().unwrap(),
        ssm: flat("ssm"),
        conv: flat("conv"),
    }
}

/// Largest difference, relative to the largest entry.
fn off(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let largest = b.iter().fold(1e-6f32, |m, v| m.max(v.abs()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

fn state_off(a: &State, b: &State) -> f32 {
    assert_eq!(a.tokens(), b.tokens());
    off(a.ssm(), b.ssm()).max(off(a.conv(), b.conv())).max(off(a.dt_sum(), b.dt_sum()))
}

fn read(model: &Network, tokens: &[u32], initial: Option<&State>, snapshots: &[usize], want: Want<'_>) -> Prefilled {
    quiet(|c| model.prefill(&[Prompt { tokens, initial, snapshots, want }], c)).unwrap().remove(0)
}

/// A text longer than a chunk of the prefill.
fn long_ids(kind: &str) -> Vec<u32> {
    let ids = golden(kind).ids;
    (0..CHUNK + 77).map(|i| ids[(i * 7 + i / 13) % ids.len()]).collect()
}

#[test]
fn logits_and_states_are_those_of_transformers() {
    for kind in KINDS {
        let (model, golden) = (load(kind, WeightType::F32), golden(kind));
        let at: Vec<usize> = (0..golden.ids.len()).collect();
        let got = read(&model, &golden.ids, None, &[], Want::LogitsAt(&at));
        for (t, (logits, want)) in got.logits.iter().zip(&golden.logits).enumerate() {
            let worst = logits.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst < 1e-4, "{kind}: logits after token {t} are {worst} off");
        }
        assert!(off(got.state.ssm(), &golden.ssm) < 1e-5, "{kind}: ssm {}", off(got.state.ssm(), &golden.ssm));
        assert!(off(got.state.conv(), &golden.conv) < 1e-5, "{kind}: conv {}", off(got.state.conv(), &golden.conv));
    }
}

#[test]
fn one_token_at_a_time_is_the_same_as_all_at_once() {
    for kind in KINDS {
        let model = load(kind, WeightType::F32);
        let ids = golden(kind).ids;
        let at: Vec<usize> = (0..ids.len()).collect();
        let whole = read(&model, &ids, None, &[], Want::LogitsAt(&at));
        let empty = State::zeros(model.shape());
        let mut decoder = model.decoder(&[&empty]).unwrap();
        for (token, want) in ids.iter().zip(&whole.logits) {
            let logits = off(decoder.step(&[*token]).unwrap(), want);
            assert!(logits < 1e-4, "{kind}: logits {logits}");
        }
        let state = state_off(&decoder.state(0).unwrap(), &whole.state);
        assert!(state < 1e-5, "{kind}: state {state}");
    }
}

#[test]
fn packed_prompts_do_not_see_each_other() {
    for kind in KINDS {
        let model = load(kind, WeightType::F32);
        let ids = long_ids(kind);
        let start = read(&model, &ids[..9], None, &[], Want::State).state;
        let texts = [&ids[..1], &ids[3..40], &ids[..], &ids[5..5], &ids[10..12]];
        let prompts: Vec<Prompt<'_>> = texts
            .iter()
            .enumerate()
            .map(|(i, tokens)| Prompt { tokens, initial: (i % 2 == 1).then_some(&start), snapshots: &[], want: Want::State })
            .collect();
        let packed = quiet(|c| model.prefill(&prompts, c)).unwrap();
        for (prompt, packed) in prompts.iter().zip(packed) {
            let alone = read(&model, prompt.tokens, prompt.initial, &[], Want::State);
            assert!(state_off(&packed.state, &alone.state) < 1e-5, "{kind}, {} tokens", prompt.tokens.len());
        }
    }
}

#[test]
fn a_text_may_be_split_anywhere_and_snapshots_are_prefixes() {
    for kind in KINDS {
        let model = load(kind, WeightType::F32);
        let ids = long_ids(kind);
        let cuts = [1, 2, 3, 4, 50, CHUNK - 1, CHUNK, CHUNK + 1, ids.len() - 1, ids.len()];
        let whole = read(&model, &ids, None, &cuts, Want::LastLogits);
        assert_eq!(whole.snapshots.len(), cuts.len());
        for (cut, snapshot) in cuts.iter().zip(&whole.snapshots) {
            let prefix = read(&model, &ids[..*cut], None, &[], Want::State).state;
            assert!(state_off(snapshot, &prefix) < 1e-5, "{kind}: snapshot at {cut}");
            if *cut < ids.len() {
                let rest = read(&model, &ids[*cut..], Some(&prefix), &[], Want::LastLogits);
                assert!(state_off(&rest.state, &whole.state) < 1e-5, "{kind}: split at {cut}");
                assert!(off(&rest.logits[0], &whole.logits[0]) < 1e-5, "{kind}: split at {cut}");
            }
        }
    }
}

#[test]
fn log_probabilities_are_those_of_the_logits() {
    let model = load("mamba", WeightType::F32);
    let ids = long_ids("mamba");
    let at: Vec<usize> = (0..ids.len()).collect();
    let logits = read(&model, &ids, None, &[], Want::LogitsAt(&at)).logits;
    let logprobs = read(&model, &ids, None, &[], Want::LogProbs).logprobs;
    assert_eq!(logprobs.len(), ids.len() - 1);
    for (i, p) in logprobs.iter().enumerate() {
        let want = state_soup::lab::logprob(&logits[i], ids[i + 1]);
        assert!((f64::from(*p) - want).abs() < 1e-5, "{i}: {p} {want}");
    }
}

#[test]
fn the_sum_of_steps_turns_into_the_transition() {
    // ΣΔ of two halves adds up, and with A it says how much of the first half's first layer is
    // left.
    let model = load("mamba", WeightType::F32);
    let ids = golden("mamba").ids;
    let (first, whole) = (read(&model, &ids[..20], None, &[], Want::State).state, read(&model, &ids, None, &[], Want::State).state);
    let rest = read(&model, &ids[20..], Some(&first), &[], Want::State).state;
    assert!(off(rest.dt_sum(), whole.dt_sum()) < 1e-6);
    assert!(whole.dt_sum().iter().zip(first.dt_sum()).all(|(w, f)| w > f && *f > 0.0));
}

#[test]
fn half_precision_weights_stay_close() {
    // Stated errors: rounding weights to 11 (f16) or 8 (bf16) bits, over three layers.
    for (weights, limit) in [(WeightType::F16, 4e-3), (WeightType::BF16, 4e-2)] {
        for kind in KINDS {
            let (exact, rounded) = (load(kind, WeightType::F32), load(kind, weights));
            let ids = golden(kind).ids;
            let (a, b) = (read(&rounded, &ids, None, &[], Want::LastLogits), read(&exact, &ids, None, &[], Want::LastLogits));
            assert!(off(&a.logits[0], &b.logits[0]) < limit, "{kind} {weights:?}: {}", off(&a.logits[0], &b.logits[0]));
        }
    }
}

#[test]
fn work_can_be_called_off_between_chunks_and_reports_tokens() {
    let model = load("mamba", WeightType::F32);
    let ids = long_ids("mamba");
    let cancel = Cancel::new();
    let seen = std::sync::Mutex::new(Vec::new());
    let progress = |p: state_soup::control::Progress| {
        seen.lock().unwrap().push((p.done, p.total, p.unit));
        cancel.cancel();
    };
    let prompt = Prompt { tokens: &ids, initial: None, snapshots: &[], want: Want::State };
    let result = model.prefill(&[prompt], Control::new(&cancel, &progress));
    assert!(matches!(result, Err(Error::Cancelled)));
    assert_eq!(*seen.lock().unwrap(), [(CHUNK as u64, ids.len() as u64, "tokens")]);
}

#[test]
fn bad_requests_are_refused() {
    let model = load("mamba", WeightType::F32);
    let message = |prompt: Prompt<'_>| quiet(|c| model.prefill(&[prompt], c)).unwrap_err().to_string();
    let plain = Prompt { tokens: &[1, 2, 3], initial: None, snapshots: &[], want: Want::State };
    assert!(message(Prompt { tokens: &[1, 61], ..plain }).contains("token 61"));
    assert!(message(Prompt { snapshots: &[2, 2], ..plain }).contains("must ascend"));
    assert!(message(Prompt { snapshots: &[0], ..plain }).contains("between 1 and 3"));
    assert!(message(Prompt { want: Want::LogitsAt(&[3]), ..plain }).contains("within 3 tokens"));
    assert!(message(Prompt { tokens: &[], want: Want::LastLogits, ..plain }).contains("no next token"));
    let other = State::zeros(load("long", WeightType::F32).shape());
    assert!(message(Prompt { initial: Some(&other), ..plain }).contains("channels"));
}

/// Tensors in memory, to be renamed and damaged.
struct Memory(HashMap<String, Tensor>);

impl TensorSource for Memory {
    fn get(&self, name: &str) -> Result<Option<Tensor>> {
        Ok(self.0.get(name).cloned())
    }
    fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }
}

fn memory() -> Memory {
    Memory(candle_core::safetensors::load(folder("mamba").join("model.safetensors"), &Device::Cpu).unwrap())
}

fn try_load(tensors: &Memory) -> Result<Network> {
    quiet(|c| Network::load(config("mamba"), tensors, &LoadOptions { device: Device::Cpu, weights: WeightType::AsStored }, c))
}

#[test]
fn the_original_naming_loads_and_faults_are_named() {
    let mut original = memory();
    let embedding = original.0.remove("backbone.embeddings.weight").unwrap();
    assert!(try_load(&original).err().unwrap().to_string().contains("backbone.embeddings.weight"));
    original.0.insert("backbone.embedding.weight".into(), embedding);
    let ids = golden("mamba").ids;
    let (a, b) = (try_load(&original).unwrap(), load("mamba", WeightType::F32));
    assert_eq!(read(&a, &ids, None, &[], Want::State).state, read(&b, &ids, None, &[], Want::State).state);

    let mut missing = memory();
    missing.0.remove("backbone.layers.1.mixer.x_proj.weight");
    assert!(try_load(&missing).err().unwrap().to_string().contains("backbone.layers.1.mixer.x_proj.weight"));

    let mut wrong = memory();
    wrong.0.insert("backbone.norm_f.weight".into(), Tensor::zeros(7, DType::F32, &Device::Cpu).unwrap());
    let message = try_load(&wrong).err().unwrap().to_string();
    assert!(message.contains("backbone.norm_f.weight") && message.contains("[7]"), "{message}");
}

#[test]
fn absurd_configurations_are_refused_before_anything_is_allocated() {
    let hf =
        |extra: &str| format!(r#"{{"model_type":"mamba","hidden_size":24,"num_hidden_layers":3,"vocab_size":61,"state_size":16{extra}}}"#);
    let refused = |text: &str, part: &str| {
        let message = MambaConfig::from_json(text, "config.json").unwrap_err().to_string();
        assert!(message.contains(part), "{message}");
    };
    assert!(MambaConfig::from_json(&hf(""), "config.json").is_ok());
    refused(&hf("").replace("24", "99999999999"), "d_model is 99999999999");
    refused(&hf("").replace(":3", ":100000"), "number of layers is 100000");
    refused(&hf(r#","conv_kernel":1"#), "convolution kernel is 1");
    refused(&hf(r#","state_size":0"#), "d_state is 0");
    refused(&hf("").replace("61", "-1"), "must be a whole number");
    refused(&hf("").replace("24", "65536").replace(":3", ":1024").replace("16}", r#"16,"intermediate_size":131072}"#), "2^40");
    refused(r#"{"model_type":"gpt2","hidden_size":24}"#, "gpt2");
    refused(r#"{"d_model":24}"#, "`vocab_size` is missing");
    refused("{", "is not JSON");
    let original = r#"{"d_model":768,"n_layer":24,"vocab_size":50277,"pad_vocab_size_multiple":8,"ssm_cfg":{}}"#;
    let config = MambaConfig::from_json(original, "config.json").unwrap();
    assert_eq!((config.vocab_size, config.d_inner, config.dt_rank), (50280, 1536, 48));
    assert_eq!(config.parameters(), 129_135_360);
}
