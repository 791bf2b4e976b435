//! What texts begin with and answers end with, from the files of a folder to the library that is
//! made with it.

use super::folder::{Folder, golden, open};
use serde_json::{Value, json};
use state_soup::control::quiet;
use state_soup::error::Result;
use state_soup::lab::{AnswerFrom, AskRequest, Decoding, Lab, Setup};
use state_soup::library::BuildSettings;
use state_soup::model::{Bos, LoadOptions, Model, ModelSource, WeightType};
use state_soup::state::State;
use std::path::Path;
use std::process::Command;

/// A folder of tests/golden/tokenizers, with weights, and what transformers makes of it.
fn tokenizer_folder(kind: &str) -> (Folder, Value) {
    let (from, folder) = (golden("tokenizers").join(kind), Folder::new());
    for entry in std::fs::read_dir(&from).unwrap().flatten() {
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let expected = folder.json("expected.json");
    (folder, expected)
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn texts_begin_and_end_as_transformers_has_it() {
    let mut seen = 0;
    for entry in std::fs::read_dir(golden("tokenizers")).unwrap().flatten() {
        let kind = entry.file_name().into_string().unwrap();
        let (folder, expected) = tokenizer_folder(&kind);
        let model = folder.open().unwrap_or_else(|e| panic!("{kind}: {e}"));
        let mut whole = model.tokenizer.bos().to_vec();
        whole.extend(model.tokenizer.encode("ab").unwrap());
        let mut want = ids(&expected["ids"]);
        if kind == "behind" {
            // Nothing is put behind a text that goes on; that is said.
            assert_eq!(want.pop(), Some(2));
            assert!(model.notes.iter().any(|n| n.contains("[2] after a text")), "{:?}", model.notes);
        }
        assert_eq!(whole, want, "{kind}");
        assert_eq!(model.special.eos, ids(&expected["eos"]), "{kind}");
        assert_eq!(model.identity().bos, Some(model.tokenizer.bos().to_vec()));
        seen += 1;
    }
    assert_eq!(seen, 9);
}

#[test]
fn a_setting_that_is_not_heeded_is_told_with_the_way_out() {
    for (kind, way) in [("llama-no-rule", "--bos 1"), ("neox-add-bos", "--bos 1"), ("llama-no-bos", "--bos none")] {
        let notes = tokenizer_folder(kind).0.open().unwrap().notes;
        assert!(notes.iter().any(|n| n.contains("add_bos_token") && n.contains(way)), "{kind}: {notes:?}");
    }
    assert!(tokenizer_folder("llama").0.open().unwrap().notes.is_empty());
    let (folder, _) = tokenizer_folder("llama");
    folder.set("tokenizer_config.json", "add_bos_token", "yes".into()).refused(&["tokenizer_config.json", "add_bos_token"]);
    folder.put("tokenizer_config.json", b"{");
    folder.refused(&["tokenizer_config.json", "not JSON"]);
    let (folder, _) = tokenizer_folder("llama");
    folder.set("generation_config.json", "eos_token_id", json!(["</s>"])).refused(&["generation_config.json", "eos_token_id"]);
}

#[test]
fn the_user_has_the_last_word_on_what_begins_a_text() {
    let (folder, _) = tokenizer_folder("llama");
    assert_eq!(open(folder.path(), Bos::Auto).unwrap().tokenizer.bos(), [1]);
    assert_eq!(open(folder.path(), Bos::None).unwrap().tokenizer.bos(), [0u32; 0]);
    assert_eq!(open(folder.path(), Bos::Token(3)).unwrap().tokenizer.bos(), [3]);
    let message = open(folder.path(), Bos::Token(13)).err().unwrap().to_string();
    assert!(message.contains("token 13") && message.contains("13 tokens"), "{message}");
    for (text, bos) in [("auto", Bos::Auto), ("none", Bos::None), ("7", Bos::Token(7))] {
        assert_eq!((text.parse::<Bos>().unwrap(), bos.to_string()), (bos, text.to_owned()));
    }
    assert!("-1".parse::<Bos>().unwrap_err().to_string().contains("`auto`, `none` or a token's number"));
}

#[test]
fn the_bundled_model_begins_every_text_with_its_token() {
    let options = LoadOptions { device: candle_core::Device::Cpu, weights: WeightType::AsStored };
    let model = quiet(|c| Model::open(&ModelSource::Bundled, &options, c)).unwrap();
    assert_eq!((model.tokenizer.bos(), &model.special.eos[..], model.notes.len()), (&[0][..], &[0][..], 0));
}

#[test]
fn a_tokenizer_with_more_tokens_than_the_model_is_told_and_refused_only_where_it_matters() {
    let folder = Folder::new();
    let words: Vec<String> = (6..14).map(|i| format!("\"w{i}\":{i}")).collect();
    folder.put("tokenizer.json", super::folder::WORDS.replace("\"->\":5", &format!("\"->\":5,{}", words.join(","))).as_bytes());
    let model = folder.open().unwrap();
    assert!(model.notes.len() == 1 && model.notes[0].contains("knows 14 tokens, the model only 13"), "{:?}", model.notes);
    assert_eq!(model.tokenizer.encode("a w12").unwrap(), [1, 12]);
    for message in [model.tokenizer.encode("a w13").unwrap_err(), model.tokenizer.encode_with_starts("a w13").unwrap_err()] {
        let message = message.to_string();
        assert!(message.contains("token 13 (`w13`)") && message.contains("tokenizer.json"), "{message}");
    }
}

/// A lab on a folder, with one task of its words.
fn lab(folder: &Folder, library: &Path, bos: Bos) -> Result<Lab> {
    let file = folder.path().join("letters.tsv");
    let pairs: String = ["a", "b", "c", "d"].iter().flat_map(|x| ["a", "b", "c", "d"].map(|y| format!("{x} {y}\t{y}\n"))).collect();
    std::fs::write(&file, pairs).unwrap();
    let setup = Setup {
        model: ModelSource::Directory(folder.path().into()),
        load: LoadOptions { device: candle_core::Device::Cpu, weights: WeightType::AsStored },
        bos,
        library: Some(library.into()),
        chosen: false,
        build: BuildSettings { sets: 2, shots: 3, ..BuildSettings::default() },
        tasks: state_soup::task::read_path(&file).unwrap(),
    };
    quiet(|c| Lab::open(setup, c))
}

fn request(lab: &Lab, query: &str) -> AskRequest {
    AskRequest {
        query: query.into(),
        from: vec![AnswerFrom::ZeroShot, AnswerFrom::Query, AnswerFrom::BestSkill, AnswerFrom::Full],
        soup: None,
        view: lab.default_view(),
        by_evidence: false,
        max_tokens: 2,
        decoding: Decoding::Greedy,
        target: Some("a".into()),
    }
}

#[test]
fn where_nothing_begins_a_text_nothing_is_read_first() {
    let (folder, library) = (Folder::new(), tempfile::tempdir().unwrap());
    let lab = lab(&folder, library.path(), Bos::Auto).unwrap();
    quiet(|c| lab.build(c, &|_| {})).unwrap();
    assert_eq!(lab.model().tokenizer.bos(), [0u32; 0]);
    // `h0` is the empty state; a query without an example leaves it; both answer as the tail alone
    // does.
    let h0 = quiet(|c| lab.mix(&"h0".parse().unwrap(), None, &lab.default_view(), c)).unwrap();
    assert_eq!(h0, State::zeros(lab.shape()));
    let answers = quiet(|c| lab.ask(&request(&lab, "a ->"), c)).unwrap();
    assert_eq!(answers.len(), 4);
    assert_eq!((answers[0].target_logprob, &answers[0].text), (answers[1].target_logprob, &answers[1].text));
    let alone = super::folder::logits(lab.model(), &lab.model().tokenizer.encode("a ->").unwrap());
    let want = state_soup::lab::logprob(alone.last().unwrap(), 1);
    assert!((answers[0].target_logprob.unwrap() - want).abs() < 1e-5, "{answers:?}");
    // With examples, in any order of edits, and ranked.
    for query in ["a b -> b\nc d ->", "a ->", "a b -> b\n", "a b -> b\nc d -> d\n", ""] {
        let ranked = quiet(|c| lab.rank(query, &lab.default_view(), c));
        assert_eq!(ranked.is_ok(), !query.is_empty(), "{query}");
    }
    assert_eq!(quiet(|c| lab.ask(&request(&lab, "a b -> b\nc d ->"), c)).unwrap().len(), 4);
}

#[test]
fn a_library_keeps_what_its_texts_began_with() {
    let (folder, library) = (Folder::new(), tempfile::tempdir().unwrap());
    let manifest = library.path().join("manifest.json");
    let with = |bos| lab(&folder, library.path(), bos);
    quiet(|c| with(Bos::Token(2)).unwrap().build(c, &|_| {})).unwrap();
    let written: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    assert_eq!(written["model"]["bos"], json!([2]));
    // Without a wish the library's own holds, and is said; another wish is refused, and the same is
    // not.
    let lab = with(Bos::Auto).unwrap();
    assert_eq!((lab.model().tokenizer.bos(), lab.model().special.bos_by.as_str()), (&[2][..], "the library"));
    assert!(lab.notes().iter().any(|n| n.contains("read after token 2") && n.contains("--bos none")), "{:?}", lab.notes());
    assert!(with(Bos::Token(2)).unwrap().notes().is_empty());
    for other in [Bos::None, Bos::Token(1)] {
        let error = with(other).err().unwrap();
        assert!(error.exit_code() == 5 && error.to_string().contains("read after token 2"), "{error}");
    }
    // A library from before it was written down began with the token of config.json, else with
    // `<|endoftext|>`.
    let mut old = written;
    old["model"].as_object_mut().unwrap().remove("bos");
    std::fs::write(&manifest, old.to_string()).unwrap();
    let lab = with(Bos::Auto).unwrap();
    assert_eq!(lab.model().tokenizer.bos(), [0]);
    assert!(lab.notes().iter().any(|n| n.contains("read after token 0")), "{:?}", lab.notes());
    assert!(with(Bos::Token(0)).is_ok());
    assert!(with(Bos::None).err().unwrap().to_string().contains("read after token 0"));
}

#[test]
fn an_answer_ends_at_any_of_the_tokens_that_end_one() {
    let (folder, library) = (Folder::new(), tempfile::tempdir().unwrap());
    let answer = |eos: Value| {
        folder.put_json("generation_config.json", &json!({ "eos_token_id": eos }));
        let lab = lab(&folder, library.path(), Bos::Auto).unwrap();
        let request = AskRequest { from: vec![AnswerFrom::ZeroShot], max_tokens: 6, ..request(&lab, "a ->") };
        quiet(|c| lab.ask(&request, c)).unwrap().remove(0)
    };
    let free = answer(Value::Null);
    let first = folder.open().unwrap();
    let all = super::folder::logits(&first, &first.tokenizer.encode("a ->").unwrap());
    let best = all.last().unwrap().iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    let stopped = answer(json!([12, best]));
    assert_eq!(stopped.text, "");
    assert!(free.logprob < stopped.logprob, "{} {}", free.logprob, stopped.logprob);
    assert_eq!(answer(json!(best)).logprob, stopped.logprob);
}

#[test]
fn doctor_shows_what_texts_begin_and_end_with_and_notes_go_to_standard_error() {
    let (folder, _) = tokenizer_folder("llama-no-rule");
    let library = tempfile::tempdir().unwrap();
    let run = |bos: &str, name: &str| {
        let dir = library.path().join(name);
        let out = Command::new(env!("CARGO_BIN_EXE_state-soup"))
            .args(["doctor", "--json", "--quiet", "--bos", bos, "--config", "/dev/null", "--library"])
            .arg(dir)
            .arg("--model")
            .arg(folder.path())
            .env("XDG_STATE_HOME", library.path())
            .output()
            .unwrap();
        let stderr = String::from_utf8(out.stderr).unwrap();
        (serde_json::from_slice::<Value>(&out.stdout).unwrap_or_else(|e| panic!("{e}: {stderr}")), stderr)
    };
    let (report, stderr) = run("auto", "auto");
    assert_eq!((&report["model"]["bos"], &report["model"]["eos"]), (&json!([]), &json!([2])));
    assert!(report["model"]["notes"][0].as_str().unwrap().contains("add_bos_token"), "{report}");
    assert!(stderr.contains("add_bos_token"), "{stderr}");
    let (report, _) = run("1", "one");
    assert_eq!((&report["model"]["bos"], &report["model"]["bos_by"]), (&json!([1]), &json!("--bos")));
}
