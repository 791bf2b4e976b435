//! What goes in comes out.

use super::*;
use safetensors::SafeTensors;

#[test]
fn states_and_their_descriptions_come_back() {
    for dtype in [StoredType::F16, StoredType::F32] {
        let dir = tempfile::tempdir().unwrap();
        let mut w = writer(dir.path(), dtype);
        let skills: Vec<_> = (0..5).map(|i| skill(&format!("task/{i}"), i)).collect();
        w.append(&skills[..2]).unwrap();
        w.append(&skills[2..]).unwrap();
        w.append(&[]).unwrap();
        assert_eq!(w.library().generation(), 2, "an empty batch is no change");
        let library = sound(dir.path());
        for (i, (meta, state)) in skills.iter().enumerate() {
            assert_eq!(&library.skills()[i], meta);
            assert_eq!(&library.state(i).unwrap(), state);
            assert_eq!(library.find(&meta.id), Some(i));
            for l in 0..SHAPE.n_layer {
                assert_eq!(library.row(i, Part::Ssm, l).to_vec(), state.ssm_layer(l));
                assert_eq!(library.row(i, Part::Conv, l).to_vec(), state.conv_layer(l));
                let n = SHAPE.memory.len();
                assert_eq!(&library.matrix(Part::Ssm, l)[i * n..(i + 1) * n], state.ssm_layer(l));
            }
            assert!(matches!(
                (dtype, library.row(i, Part::Ssm, 0)),
                (StoredType::F16, LayerView::F16(_)) | (StoredType::F32, LayerView::F32(_))
            ));
        }
        let on_disk: u64 = (0..2).map(|n| std::fs::metadata(shard(dir.path(), n)).unwrap().len()).sum();
        assert_eq!((library.bytes(), library.len(), library.find("task/9")), (on_disk, 5, None));
        assert!(library.state(5).unwrap_err().to_string().contains("there is no number 5"));
        assert_eq!((library.settings(), library.model(), library.path()), (&settings(), &model(), dir.path()));
    }
}

#[test]
fn a_shard_is_a_plain_safetensors_file_of_the_documented_layout() {
    let dir = tempfile::tempdir().unwrap();
    let skills = [skill("a/0", 1), skill("a/1", 2)];
    writer(dir.path(), StoredType::F16).append(&skills).unwrap();
    let bytes = std::fs::read(shard(dir.path(), 0)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(tensors.names().len(), 1 + 2 * SHAPE.n_layer);
    let base = bytes.as_ptr() as usize;
    for (l, name) in (0..SHAPE.n_layer).map(|l| (l, format!("ssm.{l}"))) {
        let t = tensors.tensor(&name).unwrap();
        assert_eq!((t.shape(), t.dtype()), (&[2, 32, 16][..], safetensors::Dtype::F16));
        assert_eq!((t.data().as_ptr() as usize - base) % 64, 0);
        let values: Vec<f32> = t.data().chunks(2).map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32()).collect();
        assert_eq!(values, [skills[0].1.ssm_layer(l), skills[1].1.ssm_layer(l)].concat());
        assert_eq!(tensors.tensor(&format!("conv.{l}")).unwrap().shape(), &[2, 32, 3]);
    }
    assert_eq!(tensors.tensor("dt_sum").unwrap().dtype(), safetensors::Dtype::F32);
    let (_, head) = SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(head.metadata().as_ref().unwrap()["skills"], r#"["a/0","a/1"]"#);
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(dir.path().join("manifest.json")).unwrap()).unwrap();
    assert_eq!(manifest["shards"][0]["blake3"], blake3::hash(&bytes).to_hex().as_str());
    assert_eq!((&manifest["skills"][1]["id"], &manifest["skills"][1]["index"]), (&"a/1".into(), &1.into()));
}

#[test]
fn what_half_precision_can_not_hold_goes_to_a_single_precision_shard() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), StoredType::F16);
    let huge = |v: f32| {
        let s = state(3);
        let mut ssm = s.ssm().to_vec();
        ssm[700] = v;
        State::new(SHAPE, ssm, s.conv().to_vec(), s.dt_sum().to_vec(), 3).unwrap()
    };
    let skills = [skill("a/0", 1), with_state("a/1", huge(-70_000.5)), with_state("a/2", huge(65_504.0)), with_state("a/3", huge(3e38))];
    w.append(&skills).unwrap();
    let library = sound(dir.path());
    assert_eq!(ids(&library), ["a/0", "a/1", "a/2", "a/3"], "the order is kept over both shards");
    for (i, s) in skills.iter().enumerate() {
        assert_eq!(&library.state(i).unwrap(), &s.1);
    }
    let wide: Vec<bool> = (0..4).map(|i| matches!(library.row(i, Part::Ssm, 0), LayerView::F32(_))).collect();
    assert_eq!(wide, [false, true, false, true]);
}

#[test]
fn half_precision_rounds_to_nearest() {
    let dir = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let ssm: Vec<f32> = (0..SHAPE.n_layer * SHAPE.memory.len()).map(|_| rng.random_range(-3.0f32..3.0)).collect();
    let zero = State::zeros(SHAPE);
    let s = State::new(SHAPE, ssm.clone(), zero.conv().to_vec(), zero.dt_sum().to_vec(), 1).unwrap();
    writer(dir.path(), StoredType::F16).append(&[with_state("a/0", s)]).unwrap();
    let back = sound(dir.path()).state(0).unwrap();
    for (x, y) in ssm.iter().zip(back.ssm()) {
        assert!((x - y).abs() <= x.abs().max(6.2e-5) * 2f32.powi(-11), "{x} came back as {y}");
    }
}

#[test]
fn deleting_hides_restoring_brings_back_and_compaction_ends_that() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), StoredType::F16);
    w.append(&[skill("a/0", 0), skill("a/1", 1), skill("b/0", 2)]).unwrap();
    w.append(&[skill("c/0", 3)]).unwrap();
    let (mut reader, _) = Library::open(dir.path(), &model()).unwrap();
    let bytes = reader.bytes();

    w.delete("a/1").unwrap();
    assert_eq!(ids(&sound(dir.path())), ["a/0", "b/0", "c/0"]);
    assert_eq!(ids(&reader), ["a/0", "a/1", "b/0", "c/0"], "an open reader keeps what it saw");
    assert_eq!(reader.state(1).unwrap(), state(1));
    assert!(w.delete("a/1").unwrap_err().to_string().ends_with("has no skill a/1"));
    assert_eq!(w.library().deleted().map(|s| s.id.as_str()).collect::<Vec<_>>(), ["a/1"]);

    assert!(w.restore("a/1").unwrap());
    assert_eq!(ids(&sound(dir.path())), ["a/0", "a/1", "b/0", "c/0"], "in its old place");
    assert!(w.restore("a/1").unwrap_err().to_string().contains("has another of that id"), "it lives");
    assert!(w.restore("z/0").unwrap_err().to_string().contains("no deleted skill z/0"));

    w.delete("a/1").unwrap();
    assert!(quiet(|c| w.compact(c)).unwrap() > 0);
    assert_eq!(files(dir.path()), ["lock", "manifest.json", "shard-00001.safetensors", "shard-00002.safetensors"]);
    let library = sound(dir.path());
    assert_eq!(ids(&library), ["a/0", "b/0", "c/0"]);
    assert!(library.bytes() < bytes);
    for (i, seed) in [0, 2, 3].into_iter().enumerate() {
        assert_eq!(library.state(i).unwrap(), state(seed));
    }
    // Maps outlive the unlinked file.
    assert_eq!(reader.state(1).unwrap(), state(1));
    assert!(reader.refresh().unwrap());
    assert!(!reader.refresh().unwrap(), "nothing new");
    assert_eq!(ids(&reader), ["a/0", "b/0", "c/0"]);

    assert!(!w.restore("a/1").unwrap(), "the state is gone; it may only be built again");
    assert!(w.restore("a/1").is_err(), "and is not held back any longer");
    assert_eq!(quiet(|c| w.compact(c)).unwrap(), 0, "nothing left to drop");
}

#[test]
fn tags_and_replacement() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), StoredType::F32);
    w.append(&[skill("a/0", 0), skill("a/1", 1)]).unwrap();
    w.tag("a/0", &["liked".into(), "talk".into()]).unwrap();
    assert_eq!(sound(dir.path()).skills()[0].tags, ["liked", "talk"]);
    assert!(w.tag("x", &[]).is_err());

    assert!(w.append(&[skill("a/2", 2), skill("a/0", 5)]).unwrap_err().to_string().contains("already has a skill a/0"));
    assert_eq!(ids(w.library()), ["a/0", "a/1"], "all or none");
    assert!(w.append(&[skill("a/2", 2), skill("a/2", 5)]).is_err());
    w.replace(&[skill("a/0", 5)]).unwrap();
    let library = sound(dir.path());
    assert_eq!(ids(&library), ["a/1", "a/0"]);
    assert_eq!(library.state(1).unwrap(), state(5));
    assert!(w.restore("a/0").unwrap_err().to_string().contains("another of that id"));
}

#[test]
fn create_or_open_makes_an_empty_library_and_then_finds_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("not/there/yet");
    let (model, settings) = (model(), settings());
    let new = NewLibrary { model: &model, settings: &settings, dtype: StoredType::F16 };
    assert!(!Library::exists(&path));
    let (library, _) = quiet(|c| Library::create_or_open(&path, &new, c)).unwrap();
    assert!(library.is_empty() && library.dtype() == StoredType::F16 && Library::exists(&path));
    writer(&path, StoredType::F32).append(&[skill("a/0", 0)]).unwrap();
    assert_eq!(quiet(|c| Library::create_or_open(&path, &new, c)).unwrap().0.len(), 1);
    assert_eq!(library.generation(), 0);
}

/// A manifest of before there was evidence has no calibration: the stated defaults hold.
#[test]
fn how_evidence_is_weighed_is_kept_beside_the_skills() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), StoredType::F16);
    w.append(&[skill("a/0", 0), skill("a/1", 1)]).unwrap();
    let manifest = || serde_json::from_slice::<serde_json::Value>(&std::fs::read(dir.path().join("manifest.json")).unwrap()).unwrap();
    assert!(manifest().get("calibration").is_none());
    let (mut reader, warnings) = Library::open(dir.path(), &model()).unwrap();
    assert_eq!((reader.calibration(), reader.is_calibrated(), warnings.len()), (Calibration::default(), false, 0));

    // Numbers that no short text holds.
    let measured = Calibration {
        answers: 0.1 + 0.2,
        inputs: 1.0 / 3.0,
        similarity: 11.1e7 / 7.0,
        none: -2e-17,
        gates: [0.7, 1.0 / 7.0, 1e-3],
        queries: 144,
    };
    w.set_calibration(&measured).unwrap();
    assert_eq!((w.library().generation(), w.library().calibration(), w.library().is_calibrated()), (2, measured, true));
    let library = sound(dir.path());
    assert_eq!((library.calibration(), library.is_calibrated(), ids(&library)), (measured, true, vec!["a/0", "a/1"]));
    assert_eq!((manifest()["calibration"]["queries"].as_u64(), manifest()["version"].as_u64()), (Some(144), Some(2)));
    assert!(!reader.is_calibrated(), "an open reader keeps what it saw");
    assert!(reader.refresh().unwrap() && !reader.refresh().unwrap());
    assert_eq!((reader.calibration(), reader.is_calibrated()), (measured, true));

    // The same again is no change.
    let before = contents(dir.path());
    w.set_calibration(&measured).unwrap();
    assert_eq!(w.library().generation(), 2);
    assert!(contents(dir.path()) == before && !reader.refresh().unwrap());

    // Whatever else changes, it stays; a new process finds it.
    w.append(&[skill("b/0", 2)]).unwrap();
    w.tag("a/0", &["liked".into()]).unwrap();
    w.delete("a/1").unwrap();
    assert!(quiet(|c| w.compact(c)).unwrap() > 0);
    w.replace(&[skill("a/0", 7)]).unwrap();
    drop(w);
    let mut w = writer(dir.path(), StoredType::F16);
    w.append(&[skill("c/0", 3)]).unwrap();
    let library = sound(dir.path());
    assert_eq!((library.calibration(), library.is_calibrated()), (measured, true));
    assert_eq!(ids(&library), ["b/0", "a/0", "c/0"]);

    // Another one takes its place; the defaults as such are a calibration too.
    let generation = w.library().generation();
    w.set_calibration(&Calibration::default()).unwrap();
    let library = sound(dir.path());
    assert_eq!((library.generation(), library.calibration(), library.is_calibrated()), (generation + 1, Calibration::default(), true));
}

#[test]
fn a_library_of_format_1_opens_and_becomes_2_at_the_next_change() {
    let dir = tempfile::tempdir().unwrap();
    let mut w = writer(dir.path(), StoredType::F16);
    w.append(&[skill("a/0", 1)]).unwrap();
    drop(w);
    let path = dir.path().join("manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let layout = manifest["model"].as_object_mut().unwrap().remove("layout").unwrap();
    assert_eq!(layout["parts"]["ssm"], serde_json::json!([32, 16]));
    manifest["model"]["shape"] = serde_json::json!({ "n_layer": 3, "d_inner": 32, "d_state": 16, "d_conv": 4 });
    manifest["version"] = 1.into();
    std::fs::write(&path, manifest.to_string()).unwrap();
    let (library, warnings) = Library::open(dir.path(), &model()).unwrap();
    assert!(warnings.is_empty());
    assert_eq!(library.state(0).unwrap().ssm(), skill("a/0", 1).1.ssm());
    let mut w = LibraryWriter::open_existing(dir.path(), &model(), Wait::No).unwrap();
    w.append(&[skill("b/0", 2)]).unwrap();
    drop(w);
    let now: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!((now["version"].as_u64(), &now["model"]["layout"]), (Some(2), &layout));
    assert_eq!(Library::open(dir.path(), &model()).unwrap().0.len(), 2);
}
