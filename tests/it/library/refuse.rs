//! What is refused says what and where, and leaves the disk as it was.

use super::*;
use serde_json::{Value, json};
use std::fs::File;
use std::io;
use std::sync::Arc;

/// A library of three skills in two shards.
fn three() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), StoredType::F16);
    w.append(&[skill("a/0", 0), skill("a/1", 1)]).unwrap();
    w.append(&[skill("b/0", 2)]).unwrap();
    drop(w);
    dir
}

fn edit_manifest(dir: &Path, edit: impl FnOnce(&mut Value)) {
    let path = dir.join("manifest.json");
    let mut manifest: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    edit(&mut manifest);
    std::fs::write(path, manifest.to_string()).unwrap();
}

/// Readers and writers both refuse, with these words, and nothing on disk changes.
fn refused(dir: &Path, model: &ModelIdentity, code: i32, words: &[&str]) {
    let before = contents(dir);
    let settings = settings();
    let new = NewLibrary { model, settings: &settings, dtype: StoredType::F16 };
    let reading = Library::open(dir, model).map(|_| ()).unwrap_err();
    let writing = LibraryWriter::open(dir, &new, Wait::No).map(|_| ()).unwrap_err();
    for error in [reading, writing] {
        let text = error.to_string();
        assert_eq!(error.exit_code(), code, "{text}");
        for word in words.iter().chain([&dir.to_str().unwrap()]) {
            assert!(text.contains(word), "`{text}` should say `{word}`");
        }
    }
    assert_eq!(contents(dir), before);
}

#[test]
fn states_of_another_model_tokenizer_or_shape() {
    let dir = three();
    let other = ModelIdentity { fingerprint: "e".repeat(64), name: "other".into(), ..model() };
    refused(dir.path(), &other, 5, &["tiny", "other", "ffffffffffff", "eeeeeeeeeeee"]);
    refused(
        dir.path(),
        &ModelIdentity { tokenizer_hash: "8".repeat(64), ..model() },
        5,
        &["another tokenizer", "777777777777", "888888888888"],
    );
    let shape = Layout::mamba1(3, 64, 16, 4);
    refused(dir.path(), &ModelIdentity { layout: shape, ..model() }, 5, &["32 channels", "64 channels"]);
    refused(dir.path(), &ModelIdentity { bos: Some(vec![]), ..model() }, 5, &["begin with the tokens [0]", "with []"]);
    // A library from before that was written down is its opener's to judge. The name is for people.
    assert!(Library::open(dir.path(), &ModelIdentity { name: "renamed".into(), ..model() }).is_ok());

    let (mut library, _) = Library::open(dir.path(), &model()).unwrap();
    edit_manifest(dir.path(), |m| m["model"]["fingerprint"] = json!("0".repeat(64)));
    assert_eq!(library.refresh().unwrap_err().exit_code(), 5);
    assert_eq!(library.len(), 3, "a refused refresh leaves the library as it was");
}

#[test]
fn unknown_versions_and_unreadable_manifests() {
    let cases: [(&str, &[&str]); 6] = [
        (r#"{"format":"state-soup library","version":3,"whatever":true}"#, &["format version 3", "versions 1 to 2"]),
        (r#"{"format":"state-soup library"}"#, &["no format version"]),
        (r#"{"format":"something","version":1}"#, &["not the manifest of a state-soup library"]),
        (r#"{"format":"state-soup library","version":1,"gen"#, &["cannot be read", "line 1 column"]),
        (r#"{"format":"state-soup library","version":1,"generation":1}"#, &["cannot be read", "missing field"]),
        ("\u{0}\u{0}", &["cannot be read"]),
    ];
    for (text, words) in cases {
        let dir = three();
        std::fs::write(dir.path().join("manifest.json"), text).unwrap();
        refused(dir.path(), &model(), 4, words);
    }
}

#[test]
fn manifests_that_contradict_themselves() {
    type Case = (fn(&mut Value), &'static str);
    let cases: [Case; 6] = [
        (|m| m["skills"][0]["index"] = json!(2), "the skill a/0 is number 2 of the shard shard-00000.safetensors, which holds 2"),
        (|m| m["skills"][1]["index"] = json!(0), "two skills are number 0"),
        (|m| m["skills"][2]["id"] = json!("a/0"), "two skills have the id a/0"),
        (|m| m["skills"][2]["shard"] = json!("shard-00009.safetensors"), "shard-00009.safetensors, which is not listed"),
        (|m| m["shards"][0]["file"] = json!("../shard-00000.safetensors"), "`../shard-00000.safetensors` is not the name of a shard"),
        (|m| m["shards"][1]["file"] = json!("shard-00000.safetensors"), "listed twice"),
    ];
    for (edit, words) in cases {
        let dir = three();
        edit_manifest(dir.path(), edit);
        refused(dir.path(), &model(), 4, &[words]);
    }
}

#[test]
fn shards_without_a_manifest_are_not_taken_for_leftovers() {
    let dir = three();
    std::fs::remove_file(dir.path().join("manifest.json")).unwrap();
    refused(dir.path(), &model(), 4, &["no manifest.json"]);
    let empty = tempfile::tempdir().unwrap();
    assert!(Library::open(empty.path(), &model()).unwrap_err().to_string().contains("there is no library in"));
}

/// A damaged shard costs its own skills, with a sentence; the rest opens, and a writer changes
/// nothing by opening.
fn left_out(damage: impl FnOnce(&Path), words: &[&str]) -> tempfile::TempDir {
    let dir = three();
    damage(dir.path());
    let before = contents(dir.path());
    let (library, warnings) = Library::open(dir.path(), &model()).unwrap();
    assert_eq!(ids(&library), ["b/0"]);
    assert_eq!(library.state(0).unwrap(), state(2));
    assert_eq!(warnings.len(), 1);
    let path = shard(dir.path(), 0);
    for word in words.iter().copied().chain([path.to_str().unwrap(), "left out: a/0, a/1"]) {
        assert!(warnings[0].contains(word), "`{}` should say `{word}`", warnings[0]);
    }
    let health = quiet(|c| library.check(c)).unwrap();
    assert_eq!(health.sentences().collect::<Vec<_>>(), warnings);
    assert_eq!(health.bad_skills().collect::<Vec<_>>(), ["a/0", "a/1"]);
    assert_eq!(library.lost().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["a/0", "a/1"]);
    let w = writer(dir.path(), StoredType::F16);
    assert_eq!(w.library().warnings(), warnings);
    drop(w);
    let without_lock = |c: Vec<(String, Vec<u8>)>| c.into_iter().filter(|f| f.0 != "lock").collect::<Vec<_>>();
    assert_eq!(without_lock(contents(dir.path())), without_lock(before));
    dir
}

#[test]
fn a_missing_a_truncated_and_a_garbled_shard() {
    left_out(|d| std::fs::remove_file(shard(d, 0)).unwrap(), &["is missing"]);
    let cut = |d: &Path| {
        let file = File::options().write(true).open(shard(d, 0)).unwrap();
        let n = file.metadata().unwrap().len();
        file.set_len(n - 1).unwrap();
    };
    left_out(cut, &["bytes long, the manifest says"]);
    let empty = |d: &Path| drop(File::create(shard(d, 0)).unwrap());
    left_out(empty, &["is 0 bytes long"]);
    let garble = |d: &Path| {
        let mut bytes = std::fs::read(shard(d, 0)).unwrap();
        bytes[..40].fill(0xFF);
        std::fs::write(shard(d, 0), bytes).unwrap();
    };
    left_out(garble, &["is not a whole safetensors file"]);
}

#[test]
fn a_shard_with_the_wrong_tensors() {
    // Same length, another header: each edit keeps the number of characters.
    let edit = |from: &'static str, to: &'static str| {
        move |d: &Path| {
            let bytes = std::fs::read(shard(d, 0)).unwrap();
            let n = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            let head = std::str::from_utf8(&bytes[8..n]).unwrap();
            assert!(head.contains(from) && from.len() == to.len());
            std::fs::write(shard(d, 0), [&bytes[..8], head.replacen(from, to, 1).as_bytes(), &bytes[n..]].concat()).unwrap();
        }
    };
    left_out(edit("ssm.1", "ssm.9"), &["has no tensor `ssm.1`"]);
    left_out(
        edit(r#""ssm.0":{"dtype":"F16","shape":[2,32,16]"#, r#""ssm.0":{"dtype":"F16","shape":[2,16,32]"#),
        &["`ssm.0` as F16 [2, 16, 32]", "F16 [2, 32, 16]"],
    );
    left_out(edit(r#""conv.2":{"dtype":"F16""#, r#""conv.2":{"dtype":"I16""#), &["`conv.2` as I16"]);
}

#[test]
fn skills_of_a_damaged_shard_can_be_made_again_and_are_then_whole() {
    let dir = left_out(|d| std::fs::remove_file(shard(d, 0)).unwrap(), &[]);
    let mut w = writer(dir.path(), StoredType::F16);
    w.replace(&[skill("a/0", 0), skill("a/1", 1)]).unwrap();
    assert_eq!(ids(&sound(dir.path())), ["b/0", "a/0", "a/1"]);
    assert_eq!(w.library().deleted().count(), 0, "what lies in a lost shard cannot be restored");
    quiet(|c| w.compact(c)).unwrap();
    assert_eq!(ids(&sound(dir.path())), ["b/0", "a/0", "a/1"]);
}

#[test]
fn compaction_leaves_a_damaged_shard_with_living_skills_alone() {
    let dir = left_out(|d| std::fs::remove_file(shard(d, 0)).unwrap(), &[]);
    let mut w = writer(dir.path(), StoredType::F16);
    w.delete("b/0").unwrap();
    quiet(|c| w.compact(c)).unwrap();
    let (_, warnings) = Library::open(dir.path(), &model()).unwrap();
    assert!(warnings[0].contains("left out: a/0, a/1"), "{warnings:?}");
}

#[test]
fn a_changed_byte_is_found_by_its_hash_and_a_nan_by_whoever_meets_it() {
    let dir = three();
    // The last entries of the file belong to a/1's window in the last layer.
    let patch = |value: [u8; 2]| {
        let mut bytes = std::fs::read(shard(dir.path(), 0)).unwrap();
        let n = bytes.len();
        bytes[n - 2..].copy_from_slice(&value);
        std::fs::write(shard(dir.path(), 0), bytes).unwrap();
    };
    patch([0x01, 0x3C]);
    let (library, warnings) = Library::open(dir.path(), &model()).unwrap();
    assert!(warnings.is_empty() && library.len() == 3, "sizes are checked at once, hashes on demand");
    let health = quiet(|c| library.check(c)).unwrap();
    let faults: Vec<&str> = health.sentences().collect();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("BLAKE3 differs") && faults[0].ends_with("it holds a/0, a/1"), "{}", faults[0]);

    patch([0x00, 0x7E]);
    let (library, _) = Library::open(dir.path(), &model()).unwrap();
    let error = library.state(1).unwrap_err().to_string();
    assert!(error.contains("a/1") && error.contains("`conv` holds NaN in layer 2, entry 95"), "{error}");
    let conv = RankView { metric: Metric::L2, layers: 0..3, part: Part::Conv };
    for metric in [Metric::Cosine, Metric::L2, Metric::ZCosine] {
        let ranking = library.rank(&state(1), &RankView { metric, ..conv.clone() }, None).unwrap();
        assert_eq!(ranking.ranking.iter().map(|s| s.skill.as_str()).filter(|s| *s == "a/1").count(), 0);
        assert_eq!(ranking.ranking.len(), 2);
        assert!(ranking.ranking.iter().all(|s| s.score.is_finite()));
        assert!(
            library.warnings()[0].contains("the convolution window of a/1 holds NaN or infinity in layer 2"),
            "{:?}",
            library.warnings()
        );
        let ssm = library.rank(&state(1), &RankView { metric, layers: 0..3, part: Part::Ssm }, None).unwrap();
        assert_eq!(ssm.ranking[0].skill, "a/1", "its SSM state is whole");
    }
    assert_eq!(quiet(|c| library.check(c)).unwrap().sentences().count(), 2, "the hash and the NaN");
}

#[test]
fn a_damaged_skill_is_left_out_alone_and_can_be_made_again() {
    let dir = three();
    // The last entries of the file belong to a/1's window in the last layer.
    let mut bytes = std::fs::read(shard(dir.path(), 0)).unwrap();
    let n = bytes.len();
    bytes[n - 2..].copy_from_slice(&[0x00, 0x7C]);
    std::fs::write(shard(dir.path(), 0), bytes).unwrap();
    let (library, _) = Library::open(dir.path(), &model()).unwrap();
    assert_eq!((library.of_task("a"), library.is_sound(0), library.is_sound(1), library.is_sound(9)), (vec![0], true, false, false));
    quiet(|c| library.look(c)).unwrap();
    assert_eq!(library.found_since(), library.warnings());
    let library = library.without_damaged();
    assert_eq!(ids(&library), ["a/0", "b/0"]);
    assert_eq!(library.lost().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["a/1"]);
    assert!(library.found_since().is_empty());
    let said = library.warnings();
    assert!(
        said.len() == 1 && said[0].contains("window of a/1 holds NaN or infinity in layer 2") && said[0].ends_with("it is left out"),
        "{said:?}"
    );
    assert_eq!(library.matrix(Part::Conv, 2).len(), 2 * SHAPE.window.len());
    let view = RankView { metric: Metric::ZCosine, layers: 0..3, part: Part::Ssm };
    assert_eq!(library.rank(&state(1), &view, None).unwrap().ranking.len(), 2);
    // It stays left out where the library is opened again from this one, and a check finds it by
    // itself.
    assert_eq!(ids(&library.reopened().unwrap()), ["a/0", "b/0"]);
    assert_eq!(library.read_again().unwrap().len(), 3, "nothing is taken over");
    let health = quiet(|c| library.check(c)).unwrap();
    assert_eq!(health.shards[0].damaged, [("a/1".to_owned(), said[0].clone())]);

    let mut w = writer(dir.path(), StoredType::F16);
    w.share(&library);
    assert_eq!(ids(w.library()), ["a/0", "b/0"]);
    // A compaction copies states: what is damaged stays where it is.
    w.delete("a/0").unwrap();
    quiet(|c| w.compact(c)).unwrap();
    assert_eq!((ids(w.library()), w.library().lost().count()), (vec!["b/0"], 1));
    w.replace(&[skill("a/1", 1)]).unwrap();
    quiet(|c| w.compact(c)).unwrap();
    drop(w);
    assert_eq!(ids(&sound(dir.path())), ["b/0", "a/1"]);
}

#[test]
fn a_state_that_holds_nan_or_has_another_shape_never_gets_in() {
    let dir = three();
    let before = contents(dir.path());
    // A state cannot even be made of NaN …
    let zero = State::zeros(SHAPE);
    let mut ssm = zero.ssm().to_vec();
    ssm[5] = f32::NAN;
    assert!(State::new(SHAPE, ssm, zero.conv().to_vec(), zero.dt_sum().to_vec(), 0).is_err());
    // … and one of another model's shape is refused by the writer.
    let mut w = writer(dir.path(), StoredType::F16);
    let other = with_state("c/0", State::zeros(Layout::mamba1(3, 32, 8, 4)));
    let error = w.append(&[skill("d/0", 4), other]).unwrap_err();
    assert_eq!(error.exit_code(), 5);
    assert!(error.to_string().contains("the state of c/0 has 3 layers × 32 channels × 8 entries"), "{error}");
    drop(w);
    assert_eq!(contents(dir.path()), before);
}

/// A folder that may be read but not written.
#[derive(Debug)]
struct ReadOnly;

impl Disk for ReadOnly {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        if dir.exists() { Ok(()) } else { Err(io::ErrorKind::ReadOnlyFilesystem.into()) }
    }
    fn open_lock(&self, _: &Path) -> io::Result<File> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn remove(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }
}

fn says_how_to_go_on(error: &state_soup::error::Error, dir: &Path) {
    let text = error.to_string();
    assert_eq!(error.exit_code(), 74, "{text}");
    assert!(text.contains(dir.to_str().unwrap()) && text.contains("cannot be written here") && text.contains("--library DIR"), "{text}");
}

#[test]
fn a_folder_that_can_not_be_written_to() {
    let (model, settings) = (model(), settings());
    let new = NewLibrary { model: &model, settings: &settings, dtype: StoredType::F16 };
    let dir = three();
    says_how_to_go_on(&LibraryWriter::open_on(Arc::new(ReadOnly), dir.path(), &new, Wait::No).unwrap_err(), dir.path());
    assert_eq!(sound(dir.path()).len(), 3, "reading goes on");
    let absent = dir.path().join("new");
    says_how_to_go_on(&LibraryWriter::open_on(Arc::new(ReadOnly), &absent, &new, Wait::No).unwrap_err(), &absent);

    // The real disk, in a way that stops the superuser too: a file stands where a folder is needed.
    let file = dir.path().join("file");
    std::fs::write(&file, "not a folder").unwrap();
    let below = file.join("library");
    assert_eq!(quiet(|c| Library::create_or_open(&below, &new, c)).unwrap_err().exit_code(), 74);
    assert_eq!(std::fs::read(&file).unwrap(), b"not a folder");
}
