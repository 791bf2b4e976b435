//! Files that mean harm, and settings of a tokenizer that must not be applied: refused by name, or
//! without effect.

use super::folder::{Folder, WORDS, golden};
use serde_json::{Value, json};
use std::io::{Cursor, Read, Write};
use std::time::Instant;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// The files of a zip file.
fn unzipped(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = Vec::new();
    for i in 0..zip.len() {
        let mut file = zip.by_index(i).unwrap();
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        files.push((file.name().unwrap().into_owned(), content));
    }
    files
}

fn zipped(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(name.as_str(), SimpleFileOptions::default().compression_method(CompressionMethod::Stored)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A folder whose weights are this `.bin`.
fn bin(bytes: &[u8]) -> Folder {
    let folder = Folder::new();
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    folder.put("pytorch_model.bin", bytes);
    folder
}

fn whole() -> Vec<u8> {
    std::fs::read(golden("checkpoints/bin/pytorch_model.bin")).unwrap()
}

/// The checkpoint with another pickle.
fn with_pickle(pickle: Vec<u8>) -> Folder {
    let mut files = unzipped(&whole());
    files.iter_mut().find(|(name, _)| name.ends_with("data.pkl")).unwrap().1 = pickle;
    bin(&zipped(&files))
}

/// A dictionary whose item `x` is what these operations leave.
fn item(operations: &[u8]) -> Vec<u8> {
    [b"\x80\x02}X\x01\x00\x00\x00x", operations, b"s."].concat()
}

fn text(s: &str) -> Vec<u8> {
    [&b"X"[..], &(s.len() as u32).to_le_bytes(), s.as_bytes()].concat()
}

/// A tensor of a storage of the checkpoint: its type, and operations for offset, shape and stride.
fn tensor(class: &str, offset: &[u8], shape: &[u8], stride: &[u8]) -> Vec<u8> {
    let storage = [&b"("[..], &text("storage"), b"ctorch\n", class.as_bytes(), b"\n", &text("0"), &text("cpu"), b"K\x08tQ"].concat();
    [&b"ctorch._utils\n_rebuild_tensor_v2\n("[..], &storage, offset, shape, stride, b"\x89}tR"].concat()
}

#[test]
fn a_checkpoint_is_read_as_data_whatever_its_pickle_says() {
    assert!(bin(&zipped(&unzipped(&whole()))).open().is_ok());
    let nested = [&b")"[..], &vec![0x85; 4_000_000]].concat();
    let doubled = [&b")"[..], &b"q\x00h\x00\x86".repeat(80)].concat();
    let chained = [&b"(]q\x00"[..], &b"]h\x00aq\x00".repeat(100_000), b"t"].concat();
    let eight = b"K\x08\x85".to_vec();
    let one = b"K\x01\x85".to_vec();
    let long = |n: i64| [&b"\x8a\x08"[..], &n.to_le_bytes(), b"\x85"].concat();
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("nested tuples", item(&nested), "`x` is not a tensor"),
        ("nested tuples alone", [&b"\x80\x02"[..], &nested, b"."].concat(), "not a dictionary"),
        ("doubled tuples", item(&doubled), "`x` is not a tensor"),
        ("lists of lists", item(&chained), "`x` is not a tensor"),
        ("a list that holds itself", item(b"]q\x00h\x00a"), "`x` is not a tensor"),
        ("a text of 4 GB", [&b"\x80\x02X\xff\xff\xff\xff"[..], b"abc."].concat(), "ends in the middle"),
        ("a long integer", [&b"\x80\x02\x8a\xff"[..], &[1; 255], b"."].concat(), "more than 64 bits"),
        ("a program", item(b"cos\nsystem\nX\x04\x00\x00\x00true\x85R"), "made by `os system`"),
        ("an unknown operation", item(b"ios\nsystem\n"), "operation 0x69"),
        ("no stack", b"\x80\x02s.".to_vec(), "stack is empty"),
        ("no mark", b"\x80\x02t.".to_vec(), "no mark"),
        ("no memo", b"\x80\x02h\x07.".to_vec(), "never had"),
        ("no end", b"\x80\x02}".to_vec(), "ends in the middle"),
        ("an odd dictionary", b"\x80\x02}(NNNu.".to_vec(), "no value"),
        ("a key that is no text", b"\x80\x02}K\x01K\x01s.".to_vec(), "keys is not text"),
        ("nothing", b"\x80\x02}.".to_vec(), "holds no tensor"),
        ("too few arguments", item(b"ctorch._utils\n_rebuild_tensor_v2\n)R"), "arguments are missing"),
        ("numbers of another type", item(&tensor("IntStorage", b"K\x00", &eight, &one)), "`torch IntStorage`"),
        ("a negative offset", item(&tensor("FloatStorage", b"J\xff\xff\xff\xff", &eight, &one)), "-1 is not a size"),
        (
            "too many dimensions",
            item(&tensor("FloatStorage", b"K\x00", &[&b"("[..], &b"K\x01".repeat(200), b"t"].concat(), &one)),
            "200 dimensions",
        ),
        ("another storage", item(&tensor("FloatStorage", b"K\x00", b"K\x01", &one)), "tuple is missing"),
    ];
    for (what, pickle, words) in cases {
        let began = Instant::now();
        with_pickle(pickle).refused(&["pytorch_model.bin", words]);
        assert!(began.elapsed().as_secs_f64() < 5.0, "{what} takes {:?}", began.elapsed());
    }
    // Shapes that reach beyond the numbers there are: told when the tensor is read, so it has a
    // name that is.
    let named = |of: Vec<u8>| [&b"\x80\x02}"[..], &text("backbone.norm_f.weight"), &of, b"s."].concat();
    for (shape, stride) in [(long(1 << 60), long(1)), (long(8), long(1 << 61)), (long(1 << 20), long(0)), (long(i64::MAX), long(i64::MAX))]
    {
        let folder = with_pickle(named(tensor("FloatStorage", b"K\x00", &shape, &stride)));
        // Nothing else is in it: what is missing is told first, or this.
        let weights = state_soup::model::Checkpoint::open(folder.path()).unwrap();
        let message = state_soup::model::TensorSource::get(&weights, "backbone.norm_f.weight").unwrap_err().to_string();
        assert!(message.contains("pytorch_model.bin") && message.contains("beyond its storage"), "{message}");
    }
    with_pickle(vec![b'N'; 17 << 20]).refused(&["pytorch_model.bin", "at most 16777216 are read"]);
}

#[test]
fn zip_files_that_are_no_checkpoints_are_refused() {
    let plain = whole();
    // Compressed, by its own word: the method of the first file in its table of files.
    let table = plain.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let mut compressed = plain.clone();
    compressed[table + 10] = 8;
    bin(&compressed).refused(&["pytorch_model.bin", "compressed"]);
    // Longer than the file itself.
    let mut bomb = plain.clone();
    for at in [20, 24] {
        bomb[table + at..table + at + 4].copy_from_slice(&0x7fff_ffffu32.to_le_bytes());
    }
    bin(&bomb).refused(&["pytorch_model.bin"]);
    let mut files = unzipped(&plain);
    files.push(("other/data.pkl".into(), b"\x80\x02}.".to_vec()));
    bin(&zipped(&files)).refused(&["pytorch_model.bin", "2 files named data.pkl"]);
    let mut files = unzipped(&plain);
    files.retain(|(name, _)| !name.ends_with("/data/0"));
    bin(&zipped(&files)).refused(&["pytorch_model.bin", "storage `0` is not in the file"]);
    let mut files = unzipped(&plain);
    files.iter_mut().find(|(name, _)| name.ends_with("byteorder")).unwrap().1 = b"big".to_vec();
    bin(&zipped(&files)).refused(&["pytorch_model.bin", "little-endian"]);
    bin(b"PK\x03\x04").refused(&["pytorch_model.bin", "not a PyTorch checkpoint"]);
    bin(b"").refused(&["pytorch_model.bin"]);
}

#[test]
fn a_checkpoint_of_the_old_form_is_named_with_the_way_to_convert_it() {
    let legacy = std::fs::read(golden("checkpoints/bin/legacy.bin")).unwrap();
    bin(&legacy).refused(&["pytorch_model.bin", "before 1.6", "torch.save(torch.load("]);
}

/// The tokenizer of words with another value at a key.
fn words_with(key: &str, value: Value) -> Folder {
    let folder = Folder::new();
    folder.put("tokenizer.json", WORDS.as_bytes());
    folder.set("tokenizer.json", key, value);
    folder
}

#[test]
fn truncation_and_padding_are_left_out() {
    let long = "a b ".repeat(40);
    let plain = Folder::new().open().unwrap().tokenizer.encode(&long).unwrap();
    assert_eq!(plain.len(), 80);
    let truncation = |max: u64, stride: u64| json!({"direction": "Right", "max_length": max, "strategy": "LongestFirst", "stride": stride});
    let padding = |strategy: Value| json!({"strategy": strategy, "direction": "Right", "pad_to_multiple_of": 64, "pad_id": 3, "pad_type_id": 0, "pad_token": "c"});
    for (key, value) in [
        ("truncation", truncation(32, 0)),
        ("truncation", truncation(4, 1000)),
        ("truncation", truncation(0, 0)),
        ("truncation", json!("nonsense")),
        ("padding", padding(json!("BatchLongest"))),
        ("padding", padding(json!({"Fixed": 1_000_000_000_000u64}))),
    ] {
        let folder = words_with(key, value.clone());
        let model = folder.open().unwrap_or_else(|e| panic!("{value}: {e}"));
        assert_eq!(model.tokenizer.encode(&long).unwrap(), plain, "{value}");
        assert_eq!(model.tokenizer.encode_with_starts(&long).unwrap().0, plain, "{value}");
        assert_eq!(model.tokenizer.encode("a").unwrap(), [1], "{value}");
        // Another file is another tokenizer, whatever comes of it.
        assert_ne!(model.tokenizer.hash(), Folder::new().open().unwrap().tokenizer.hash());
    }
}

#[test]
fn tokenizers_that_the_library_breaks_down_on_are_refused_by_name() {
    let nested = |n: usize, kind: &str, list: &str, inner: Value| (0..n).fold(inner, |rule, _| json!({"type": kind, list: [rule]}));
    let replace = |n: usize| (0..n).map(|_| json!({"type": "Replace", "pattern": {"String": "a"}, "content": "aa"})).collect::<Vec<_>>();
    let map = |bytes: &[u8]| json!({"type": "Precompiled", "precompiled_charsmap": base64(bytes)});
    let cases: Vec<(&str, Value)> = vec![
        ("decoder", nested(200, "Sequence", "decoders", json!({"type": "Fuse"}))),
        ("decoder", nested(40, "Sequence", "decoders", json!({"type": "Fuse"}))),
        ("normalizer", nested(200, "Sequence", "normalizers", json!({"type": "NFC"}))),
        ("pre_tokenizer", nested(200, "Sequence", "pretokenizers", json!({"type": "Whitespace"}))),
        ("post_processor", nested(200, "Sequence", "processors", json!({"type": "ByteLevel"}))),
        ("normalizer", json!({"type": "Sequence", "normalizers": replace(40)})),
        ("decoder", json!({"type": "Sequence", "decoders": replace(40)})),
        ("normalizer", json!({"type": "Replace", "pattern": {"Regex": "."}, "content": "x".repeat(1 << 20)})),
        ("normalizer", map(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0])),
        ("normalizer", map(&[])),
        // A trie of one unit, whose every child lies beyond it.
        ("normalizer", map(&[4, 0, 0, 0, 0, 0xfc, 0xff, 0x7f, b'a', 0])),
        ("pre_tokenizer", json!({"type": "FixedLength", "length": 0})),
        ("decoder", json!({"type": "Strip", "content": "a", "start": 0, "stop": 1_000_000})),
        ("normalizer", json!({"type": "Nonsense"})),
        ("model", json!({"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": ["a b"], "continuing_subword_prefix": "##########"})),
        ("model", json!({"type": "Unigram", "vocab": [], "unk_id": 7})),
        ("model", json!(null)),
        ("added_tokens", json!("none")),
        ("version", json!("2.0")),
    ];
    for (key, value) in cases {
        let began = Instant::now();
        let folder = words_with(key, value.clone());
        let shown: String = value.to_string().chars().take(120).collect();
        // The probe may pass where only another text would fail: then that text is refused, and
        // nothing breaks.
        match folder.open() {
            Err(error) => assert!(error.to_string().contains("tokenizer.json of"), "{key} {shown}: {error}"),
            Ok(model) => {
                let _ = model.tokenizer.encode("a é 日本 aaa\n").map(|ids| model.tokenizer.decode(&ids));
                assert!(key == "decoder" || key == "model", "{key} {shown} opened");
            }
        }
        assert!(began.elapsed().as_secs_f64() < 5.0, "{shown}: {:?}", began.elapsed());
    }
    let folder = Folder::new();
    for text in ["", "{", "[]", "null", "\"x\"", "{}"] {
        folder.put("tokenizer.json", text.as_bytes());
        folder.refused(&["tokenizer.json of"]);
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |group: &[u8], i: usize| {
        let all = group.iter().chain(&[0, 0]).take(3).fold(0u32, |sum, &b| sum << 8 | u32::from(b));
        if i > group.len() { '=' } else { char::from(DIGITS[(all >> (18 - 6 * i) & 63) as usize]) }
    };
    bytes.chunks(3).flat_map(|group| (0..4).map(move |i| digit(group, i))).collect()
}

#[test]
#[cfg(unix)]
fn what_is_no_plain_file_is_refused_without_waiting() {
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json", "model.safetensors"] {
        for pipe in [true, false] {
            let folder = Folder::new();
            let path = folder.path().join(file);
            let _ = std::fs::remove_file(&path);
            if pipe {
                assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
            } else {
                std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
            }
            folder.refused(&[file, "not a plain file"]);
        }
    }
}

/// A clone without `git lfs`, or a download that ended at a sign-in page.
#[test]
fn pointers_and_web_pages_in_the_place_of_files_are_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";
    let page = "\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n";
    let small = ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"];
    let weights = ["model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", "part-1.safetensors"];
    for file in small.into_iter().chain(weights) {
        for (text, words) in [(pointer, ["Git LFS pointer", "git lfs pull"]), (page, ["web page", "fetch the file again"])] {
            let folder = Folder::new();
            if weights.contains(&file) {
                std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
            }
            if file == "part-1.safetensors" {
                folder.put_json("model.safetensors.index.json", &serde_json::json!({"weight_map": {"a": file}}));
            }
            folder.put(file, text.as_bytes());
            let path = folder.path().join(file);
            folder.refused(&[path.to_str().unwrap(), words[0], words[1]]);
            assert_eq!(folder.open().err().unwrap().exit_code(), 3);
        }
    }
}
