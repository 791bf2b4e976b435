//! What of a checkpoint and its configuration is read, and what is refused.

use super::folder::{Folder, golden, logits, open, open_as};
use candle_core::{DType, Device, Tensor};
use serde_json::{Value, json};
use state_soup::model::{Bos, Model, WeightType};

/// Opens a folder of tests/golden/checkpoints with a tokenizer beside it, and compares its logits
/// with those of transformers.
fn golden_model(kind: &str) -> (Folder, Model) {
    let (from, folder) = (golden("checkpoints").join(kind), Folder(tempfile::tempdir().unwrap()));
    for entry in std::fs::read_dir(&from).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name != "golden.safetensors" && name != "legacy.bin" {
            std::fs::copy(entry.path(), folder.path().join(name)).unwrap();
        }
    }
    folder.put("tokenizer.json", super::folder::WORDS.as_bytes());
    let model = folder.open().unwrap_or_else(|e| panic!("{kind}: {e}"));
    let golden = candle_core::safetensors::load(from.join("golden.safetensors"), &Device::Cpu).unwrap();
    let ids: Vec<u32> = golden["ids"].to_dtype(DType::U32).unwrap().to_vec1().unwrap();
    for (t, (got, want)) in logits(&model, &ids).iter().zip(golden["logits"].to_vec2::<f32>().unwrap()).enumerate() {
        let worst = got.iter().zip(&want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{kind}: logits after token {t} are {worst} off");
    }
    (folder, model)
}

#[test]
fn checkpoints_as_people_have_them_give_the_numbers_of_transformers() {
    for kind in ["noconv", "base", "only-head", "bin"] {
        assert_eq!(golden_model(kind).1.notes, [""; 0], "{kind}");
    }
}

#[test]
fn another_head_beside_a_tied_embedding_is_used_and_said() {
    let (folder, model) = golden_model("head");
    assert!(
        model.notes.len() == 1 && model.notes[0].contains("model.safetensors: `lm_head.weight` is another matrix"),
        "{:?}",
        model.notes
    );
    // Said outright, it is no news.
    assert!(folder.set("config.json", "tie_word_embeddings", false.into()).open().unwrap().notes.is_empty());
    // In the original layout the loader's order would decide: refused.
    let original = Folder::original();
    let embedding = original.weights()["backbone.embedding.weight"].clone();
    original.add("lm_head.weight", embedding.clone());
    assert!(original.open().unwrap().notes.is_empty());
    original.add("lm_head.weight", (embedding * 1.5).unwrap());
    original.refused(&["model.safetensors", "lm_head.weight", "tie_embeddings"]);
    assert!(original.set("config.json", "tie_embeddings", false.into()).open().is_ok());
}

#[test]
fn a_single_file_goes_before_an_index_and_that_is_said() {
    let (folder, model) = golden_model("index");
    assert!(model.notes.len() == 1 && model.notes[0].contains("model.safetensors and model.safetensors.index.json"), "{:?}", model.notes);
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    // The stale shards are all zeros.
    assert!(logits(&folder.open().unwrap(), &[1, 2]).concat().iter().all(|l| *l == 0.0));
}

#[test]
fn the_original_layout_reads_all_of_ssm_cfg() {
    let ids = [1, 2, 3, 4];
    let plain = logits(&Folder::new().open().unwrap(), &ids);
    let original = Folder::original();
    assert_eq!(logits(&original.open().unwrap(), &ids), plain);
    for (key, value) in [
        ("expand", json!(2)),
        ("d_conv", json!(4)),
        ("conv_bias", json!(true)),
        ("bias", json!(false)),
        ("dt_min", json!(0.001)),
        ("dt_max", json!(0.1)),
        ("dt_init", json!("random")),
        ("dt_scale", json!(1.0)),
        ("dt_init_floor", json!(1e-4)),
        ("use_fast_path", json!(true)),
        ("layer", json!("Mamba1")),
    ] {
        original.set("config.json", &format!("ssm_cfg/{key}"), value);
    }
    for (key, value) in [
        ("rms_norm", json!(true)),
        ("residual_in_fp32", json!(false)),
        ("fused_add_norm", json!(true)),
        ("d_intermediate", json!(0)),
        ("attn_layer_idx", json!([])),
        ("attn_cfg", json!({})),
        ("something_else", json!("that cannot matter")),
        ("time_step_limit", json!(null)),
    ] {
        original.set("config.json", key, value);
    }
    assert_eq!(logits(&original.open().unwrap(), &ids), plain);
    // A convolution without a bias is legal, and another network.
    original.set("config.json", "ssm_cfg/conv_bias", false.into());
    original.refused(&["model.safetensors", "backbone.layers.0.mixer.conv1d.bias"]);
    let mut tensors = original.weights();
    tensors.remove("backbone.layers.0.mixer.conv1d.bias");
    original.put_weights(&tensors);
    let noconv = Folder::new();
    let zero = Tensor::zeros(16, DType::F32, &Device::Cpu).unwrap();
    noconv.add("backbone.layers.0.mixer.conv1d.bias", zero);
    assert_eq!(logits(&original.open().unwrap(), &ids), logits(&noconv.open().unwrap(), &ids));
    // Biases of the projections, where the file has them.
    let biased = Folder::original();
    let bias = |n: usize| Tensor::full(0.25f32, n, &Device::Cpu).unwrap();
    biased.add("backbone.layers.0.mixer.in_proj.bias", bias(32)).add("backbone.layers.0.mixer.out_proj.bias", bias(8));
    biased.refused(&["model.safetensors", "in_proj.bias", "use_bias: true"]);
    let with = logits(&biased.set("config.json", "ssm_cfg/bias", true.into()).open().unwrap(), &ids);
    assert_ne!(with, plain);
    // The rank of Δ may be `auto`: 8 / 16, rounded up, is 1, and the file has 2.
    Folder::original().set("config.json", "ssm_cfg/dt_rank", "auto".into()).refused(&["x_proj.weight", "[10, 16]", "[9, 16]"]);
}

#[test]
fn what_the_configuration_asks_for_is_done_or_refused_by_its_key() {
    let refused = |folder: Folder, key: &str, value: Value| {
        folder.set("config.json", key, value.clone());
        let (message, last) = (folder.refusal(), key.rsplit('/').next().unwrap());
        assert!(message.contains("config.json") && message.contains(last), "{key} = {value}: {message}");
    };
    let both: [(&str, Value); 18] = [
        ("rms_norm", json!(false)),
        ("rms_norm", json!("yes")),
        ("hidden_act", json!("relu")),
        ("hidden_act", json!(1)),
        ("residual_in_fp32", json!("true")),
        ("fused_add_norm", json!(1)),
        ("d_intermediate", json!(16)),
        ("d_intermediate", json!("0")),
        ("attn_layer_idx", json!([3])),
        ("attn_cfg", json!({"num_heads": 4})),
        ("model_type", json!(["mamba"])),
        ("vocab_size", json!("13")),
        ("vocab_size", json!(true)),
        ("vocab_size", json!(13.5)),
        ("eos_token_id", json!([0, "1"])),
        ("eos_token_id", json!(-1)),
        ("bos_token_id", json!("<s>")),
        ("quantization_config", json!({"bits": 4})),
    ];
    for (key, value) in both {
        refused(Folder::new(), key, value.clone());
        refused(Folder::original(), key, value);
    }
    let transformers: [(&str, Value); 14] = [
        ("use_bias", json!("false")),
        ("use_bias", json!(0)),
        ("use_conv_bias", json!(1)),
        ("tie_word_embeddings", json!("yes")),
        ("hidden_size", json!("8")),
        ("hidden_size", json!([8])),
        ("time_step_rank", json!("automatic")),
        ("time_step_rank", json!(true)),
        ("expand", json!("2")),
        ("expand", json!(-2)),
        ("layer_norm_epsilon", json!("1e-5")),
        ("layer_norm_epsilon", json!(-1)),
        ("state_size", json!(true)),
        ("num_hidden_layers", json!("1")),
    ];
    for (key, value) in transformers {
        refused(Folder::new(), key, value);
    }
    let original: [(&str, Value); 10] = [
        ("ssm_cfg/d_state", json!("4")),
        ("ssm_cfg/dt_rank", json!(true)),
        ("ssm_cfg/dt_rank", json!("automatic")),
        ("ssm_cfg/conv_bias", json!("no")),
        ("ssm_cfg/bias", json!(1)),
        ("ssm_cfg/expand", json!("2")),
        ("ssm_cfg/unheard_of", json!(1)),
        ("ssm_cfg", json!("none")),
        ("tie_embeddings", json!("false")),
        ("pad_vocab_size_multiple", json!(false)),
    ];
    for (key, value) in original {
        refused(Folder::original(), key, value);
    }
}

#[test]
fn other_networks_are_named_whatever_stands_around_them() {
    for kind in ["mamba2", "gpt2", "jamba"] {
        Folder::new().set("config.json", "model_type", kind.into()).refused(&[kind, "Mamba-1"]);
        Folder::original().set("config.json", "model_type", kind.into()).refused(&[kind, "Mamba-1"]);
    }
    Folder::new().set("config.json", "architectures", json!(["Mamba2ForCausalLM"])).refused(&["architectures", "Mamba2ForCausalLM"]);
    Folder::original().set("config.json", "ssm_cfg/layer", "Mamba2".into()).refused(&["Mamba2", "only Mamba-1"]);
    // The norms of a Falcon-Mamba are no tensors: nothing but its type or architecture tells it
    // from a plain one.
    let ids = [1, 2, 3];
    let plain = logits(&Folder::new().open().unwrap(), &ids);
    let folder = Folder::new();
    folder.set("config.json", "model_type", "falcon_mamba".into());
    let falcon = logits(&folder.open().unwrap(), &ids);
    assert_ne!(falcon, plain);
    folder.set("config.json", "model_type", Value::Null).set("config.json", "architectures", json!(["FalconMambaForCausalLM"]));
    assert_eq!(logits(&folder.open().unwrap(), &ids), falcon);
    folder.set("config.json", "architectures", json!([])).set("config.json", "mixer_rms_eps", json!(1e-6));
    folder.refused(&["mixer_rms_eps", "model_type"]);
    // As transformers writes a Mamba-2.
    let folder = Folder::new();
    folder
        .put("config.json", br#"{"model_type": "mamba2", "hidden_size": 8, "time_step_limit": [0.0, Infinity], "x": NaN, "y": -Infinity}"#);
    folder.refused(&["the model type is `mamba2`"]);
    // On a key that counts it is no number; on others it is passed over.
    let folder = Folder::new();
    let text = folder.json("config.json").to_string();
    folder.put("config.json", text.replace("{\"", "{\"time_step_limit\":[0.0,Infinity],\"").as_bytes());
    assert!(folder.open().is_ok());
    folder.put("config.json", text.replace("{\"", "{\"layer_norm_epsilon\":NaN,\"").as_bytes());
    folder.refused(&["config.json", "layer_norm_epsilon", "must be a number"]);
    folder.put("config.json", "[".repeat(100_000).as_bytes());
    folder.refused(&["config.json", "levels deep"]);
}

#[test]
fn every_tensor_is_read_or_named() {
    let some = || Tensor::zeros(8, DType::F32, &Device::Cpu).unwrap();
    for (name, word) in [
        ("backbone.layers.0.norm.bias", "layer norm"),
        ("backbone.norm_f.bias", "layer norm"),
        ("backbone.layers.0.mixer.in_proj.bias", "use_bias"),
        ("backbone.layers.0.mixer.out_proj.bias", "use_bias"),
        ("backbone.layers.0.mixer.x_proj.bias", "not read"),
        ("backbone.layers.0.mixer.b_layernorm.weight", "not read"),
        ("backbone.layers.1.norm.weight", "not read"),
        ("layers.0.norm.weight", "not read"),
        ("lm_head.bias", "not read"),
        ("backbone.embedding.weight", "two embeddings"),
    ] {
        let folder = Folder::new();
        folder.add(name, some());
        let message = folder.refusal();
        assert!(
            message.contains("model.safetensors") && message.contains(name) && message.replace("does not read", "not read").contains(word),
            "{message}"
        );
    }
    // With a plain network nothing is left over, and what is missing is named.
    for name in Folder::new().weights().keys() {
        let folder = Folder::new();
        let mut tensors = folder.weights();
        tensors.remove(name);
        folder.put_weights(&tensors);
        folder.refused(&[name]);
    }
    // The same tensor in two shards.
    let folder = Folder::new();
    std::fs::copy(folder.path().join("model.safetensors"), folder.path().join("a.safetensors")).unwrap();
    std::fs::rename(folder.path().join("model.safetensors"), folder.path().join("b.safetensors")).unwrap();
    folder.put_json("model.safetensors.index.json", &json!({"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}));
    folder.refused(&["a.safetensors", "b.safetensors", "the tensor `"]);
    for wrong in [json!("../a.safetensors"), json!(".."), json!("/etc/passwd"), json!("x/y"), json!(1)] {
        folder.put_json("model.safetensors.index.json", &json!({"weight_map": {"x": wrong}}));
        folder.refused(&["model.safetensors.index.json"]);
    }
}

#[test]
fn no_number_that_is_none_gets_in() {
    let names: Vec<String> = Folder::new().weights().into_keys().collect();
    for (i, name) in names.iter().enumerate() {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let bad = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY][i % 3];
            let folder = Folder::new();
            let tensor = folder.weights()[name].clone();
            let (shape, mut values) = (tensor.dims().to_vec(), tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap());
            let at = values.len() - 1 - i % 2;
            values[at] = bad;
            folder.add(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap().to_dtype(dtype).unwrap());
            folder.refused(&["model.safetensors", name, &format!("{bad} at entry {at}")]);
        }
    }
}

#[test]
fn a_number_too_large_for_the_precision_asked_for_is_named() {
    let name = "backbone.layers.0.mixer.out_proj.weight";
    let folder = Folder::new();
    folder.add(name, Tensor::full(70_000f32, (8, 16), &Device::Cpu).unwrap());
    assert!(open(folder.path(), Bos::Auto).is_ok());
    let message = open_as(folder.path(), Bos::Auto, WeightType::F16).err().unwrap().to_string();
    assert!(message.contains(name) && message.contains("7e4") && message.contains("F16"), "{message}");
    assert!(open_as(folder.path(), Bos::Auto, WeightType::BF16).is_ok());
}
