//! Tokens are the tokenizer's tokens of the whole text: against HF `transformers`, for tokenizers
//! of three kinds (`tests/golden/tokens.py`).

#![allow(missing_docs, clippy::unwrap_used)]

use crate::common;
use candle_core::{Device, Tensor};
use state_soup::control::quiet;
use state_soup::lab::{AnswerFrom, AskRequest, Decoding, Lab, Setup};
use state_soup::library::BuildSettings;
use state_soup::model::{Bos, ModelSource, Prompt, Tokenizer, Want};
use state_soup::task::{Pair, Task, TaskOrigin, Template, bundled};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const KINDS: [&str; 3] = ["byte-level", "metaspace", "prepend"];

fn golden(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file)
}

/// The tokens of each text, by kind of tokenizer.
fn told() -> BTreeMap<String, BTreeMap<String, Vec<u32>>> {
    serde_json::from_slice(&std::fs::read(golden("tokens/golden.json")).unwrap()).unwrap()
}

fn tokenizer(kind: &str) -> Tokenizer {
    let mut tokenizer = Tokenizer::from_bytes(&std::fs::read(golden(&format!("tokens/{kind}.json"))).unwrap(), kind).unwrap();
    tokenizer.set(Vec::new(), 512);
    tokenizer
}

#[test]
fn pieces_of_a_text_have_the_tokens_of_the_whole() {
    let told = told();
    for kind in KINDS {
        let tokenizer = tokenizer(kind);
        for (text, ids) in &told[kind] {
            assert_eq!(tokenizer.encode(text).unwrap(), *ids, "{kind}: {text:?}");
            let cuts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            for (i, &a) in cuts.iter().enumerate() {
                for &b in &cuts[i..] {
                    let pieces = [&text[..a], &text[a..b], &text[b..]];
                    let parts = tokenizer.encode_pieces(&pieces).unwrap();
                    assert_eq!(parts.concat(), *ids, "{kind}: {pieces:?}");
                    // No part has read what stands behind its piece.
                    let read: usize = parts[0].len();
                    let ends = tokenizer.encode_with_starts(text).unwrap().1;
                    assert!(ends[..read].iter().all(|start| *start < a.max(1)), "{kind}: {pieces:?} {parts:?}");
                }
            }
        }
    }
}

#[test]
fn the_bundled_tokenizer_makes_the_same_of_examples_apart_and_together() {
    let dir = tempfile::tempdir().unwrap();
    let lab = quiet(|c| Lab::open(common::bundled(dir.path()), c)).unwrap();
    let tokenizer = &lab.model().tokenizer;
    for task in bundled() {
        let examples: Vec<String> = task.pairs.iter().map(|p| Template::Arrow.example(p)).collect();
        let pieces: Vec<&str> = examples.iter().map(String::as_str).collect();
        let apart: Vec<Vec<u32>> = pieces.iter().map(|e| tokenizer.encode(e).unwrap()).collect();
        assert_eq!(tokenizer.encode_pieces(&pieces).unwrap(), apart, "{}", task.name);
        for pair in &task.pairs {
            let (tail, answer) = (Template::Arrow.tail(&pair.input), Template::Arrow.answer(&pair.output));
            let parts = tokenizer.encode_pieces(&[&tail, &answer]).unwrap();
            assert_eq!(parts, [tokenizer.encode(&tail).unwrap(), tokenizer.encode(&answer).unwrap()], "{}: {pair:?}", task.name);
        }
    }
}

/// A tiny model with one of the tokenizers; nothing begins its texts.
fn lab(kind: &str, template: &str, dir: &Path) -> Lab {
    let model = dir.join("model");
    std::fs::create_dir_all(&model).unwrap();
    let mut config: serde_json::Value = serde_json::from_slice(&std::fs::read(golden("mamba/config.json")).unwrap()).unwrap();
    config["vocab_size"] = 512.into();
    std::fs::write(model.join("config.json"), config.to_string()).unwrap();
    std::fs::copy(golden(&format!("tokens/{kind}.json")), model.join("tokenizer.json")).unwrap();
    let mut weights = candle_core::safetensors::load(golden("mamba/model.safetensors"), &Device::Cpu).unwrap();
    let rows: Vec<f32> = (0..512 * 24).map(|i| (i as f32 * 0.7).sin() * (i as f32 * 0.013).cos()).collect();
    weights.insert("backbone.embeddings.weight".into(), Tensor::from_vec(rows, (512, 24), &Device::Cpu).unwrap());
    weights.retain(|name, _| name != "lm_head.weight");
    candle_core::safetensors::save(&weights, model.join("model.safetensors")).unwrap();
    let pair = |i: usize| Pair { input: format!("hot{}", "o".repeat(i)), output: "cold".into() };
    let task = |name: &str| Task {
        name: name.into(),
        pairs: (0..12).map(pair).collect(),
        origin: TaskOrigin::File("t.tsv".into()),
        ..bundled()[0].clone()
    };
    let setup = Setup {
        model: ModelSource::Directory(model),
        bos: Bos::None,
        build: BuildSettings { template: template.parse().unwrap(), shots: 4, sets: 1, ..BuildSettings::default() },
        tasks: vec![task("one"), task("two")],
        ..common::bundled(&dir.join("library"))
    };
    quiet(|c| Lab::open(setup, c)).unwrap()
}

/// The likeliest next token's probability after these tokens.
fn best(lab: &Lab, ids: &[u32]) -> f64 {
    let prompt = Prompt { tokens: ids, initial: None, snapshots: &[], want: Want::LastLogits };
    let logits = quiet(|c| lab.model().network.prefill(&[prompt], c)).unwrap().remove(0).logits.remove(0);
    let most = f64::from(logits.iter().copied().fold(f32::MIN, f32::max));
    1.0 / logits.iter().map(|l| (f64::from(*l) - most).exp()).sum::<f64>()
}

#[test]
fn a_query_is_answered_after_the_tokens_of_its_whole_text() {
    let told = told();
    for (template, query) in [("arrow", "hot -> cold\nbig ->"), ("qa", "Q: hot\nA: cold\n\nQ: big\nA:")] {
        for kind in KINDS {
            let dir = tempfile::tempdir().unwrap();
            let lab = lab(kind, template, dir.path());
            let ask = |query: &str, from: AnswerFrom, target: Option<&str>| {
                let request = AskRequest {
                    query: query.into(),
                    view: lab.default_view(),
                    from: vec![from],
                    soup: None,
                    by_evidence: false,
                    max_tokens: 1,
                    decoding: Decoding::Greedy,
                    target: target.map(str::to_owned),
                };
                quiet(|c| lab.ask(&request, c)).unwrap().remove(0)
            };
            let same = |got: f64, ids: &[u32], what: &str| {
                let want = best(&lab, ids);
                assert!((got - want).abs() < 1e-5, "{kind}, {template}, {what}: {got} for {want}");
            };
            same(ask(query, AnswerFrom::Query, None).top[0].probability, &told[kind][query], "a query");
            let alone = lab.template().tail("big");
            let ids = lab.model().tokenizer.encode(&alone).unwrap();
            same(ask(&alone, AnswerFrom::ZeroShot, None).top[0].probability, &ids, "with nothing read");
            // The target's tokens are those that the whole text has there, before another example.
            let next = lab.template().example(&Pair { input: "big".into(), output: "small".into() });
            let read = &query[..query.len() - alone.len()];
            let parts = lab.model().tokenizer.encode_pieces(&[&(read.to_owned() + &next), &lab.template().tail("a")]).unwrap();
            let start = told[kind][query].len();
            assert_eq!(&parts[0][..start], &told[kind][query], "{kind}, {template}");
            // Where the answer and what follows it are one token, the answer is read by itself.
            let alone = || lab.model().tokenizer.encode(&lab.template().answer("small")).unwrap();
            let whole = &if parts[0].len() > start { parts[0].clone() } else { [&parts[0][..], &alone()].concat() };
            let at: Vec<usize> = (start - 1..whole.len() - 1).collect();
            let prompt = Prompt { tokens: whole, initial: None, snapshots: &[], want: Want::LogitsAt(&at) };
            let logits = quiet(|c| lab.model().network.prefill(&[prompt], c)).unwrap().remove(0).logits;
            let nats: f64 = logits
                .iter()
                .zip(&whole[start..])
                .map(|(l, &id)| {
                    let all = l.iter().map(|v| f64::from(*v).exp()).sum::<f64>().ln();
                    f64::from(l[id as usize]) - all
                })
                .sum();
            let got = ask(query, AnswerFrom::Query, Some("small")).target_logprob.unwrap();
            assert!((got - nats).abs() < 1e-4, "{kind}, {template}, the target: {got} for {nats}");
        }
    }
}
