//! A state on disk.

use super::chunks::*;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use state_soup::state::codec::{self, Provenance};
use state_soup::state::{Layout, State};
use std::path::{Path, PathBuf};

fn place() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.safetensors");
    (dir, path)
}

fn about() -> Provenance {
    let details = serde_json::json!({ "query": "hot -> cold\n", "skills": ["a/0", "b/1"] });
    Provenance { details: Some(details), ..Provenance::of_recipe("abc", "mean(a/0, b/1)", "123") }
}

/// Writes tensors of these shapes, filled with `fill`, as if they were a saved state.
fn forge(path: &Path, shapes: [&[usize]; 3], fill: [f32; 3], metadata: &[(&str, &str)]) {
    let data: Vec<Vec<u8>> = shapes.iter().zip(fill).map(|(s, v)| v.to_le_bytes().repeat(s.iter().product())).collect();
    let views = ["ssm", "conv", "dt_sum"]
        .into_iter()
        .zip(shapes)
        .zip(&data)
        .map(|((name, s), d)| (name, TensorView::new(Dtype::F32, s.to_vec(), d).unwrap()));
    let metadata = metadata.iter().map(|(k, v)| ((*k).to_string(), (*v).to_string())).collect();
    std::fs::write(path, safetensors::serialize(views, Some(metadata)).unwrap()).unwrap();
}

#[test]
fn a_saved_state_comes_back_with_its_provenance() {
    let (dir, path) = place();
    let s = states(1, 2, 3.0);
    codec::save(&path, &s[0], &Provenance::default()).unwrap();
    // A second save replaces the first and leaves nothing else behind.
    codec::save(&path, &s[1], &about()).unwrap();
    assert_eq!(codec::load(&path).unwrap(), (s[1].clone(), about()));
    assert_eq!(codec::load_for(&path, SHAPE, "abc").unwrap().0, s[1]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn another_models_state_is_refused() {
    let (_dir, path) = place();
    codec::save(&path, &states(2, 1, 3.0)[0], &about()).unwrap();
    let message = codec::load_for(&path, SHAPE, "fedcba9876543210").unwrap_err().to_string();
    assert!(message.contains("model abc, not of fedcba987654;"), "{message}");
    let message = codec::load_for(&path, Layout { n_layer: 3, ..SHAPE }, "abc").unwrap_err().to_string();
    assert!(message.contains("2 layers × 5 channels") && message.contains("the model has 3 layers"), "{message}");
}

#[test]
fn the_hf_layout_has_an_empty_oldest_column() {
    let (_dir, path) = place();
    let s = &states(3, 1, 3.0)[0];
    codec::save_hf_cache(&path, s, &about()).unwrap();
    let data = std::fs::read(&path).unwrap();
    let tensors = SafeTensors::deserialize(&data).unwrap();
    assert_eq!(tensors.len(), 2 * SHAPE.n_layer);
    let read = |name: &str| {
        let t = tensors.tensor(name).unwrap();
        (t.shape().to_vec(), t.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<f32>>())
    };
    for l in 0..SHAPE.n_layer {
        let (shape, conv) = read(&format!("conv_states.{l}"));
        assert_eq!(shape, [1, SHAPE.sidecar.len(), SHAPE.reach() + 1]);
        for d in 0..SHAPE.sidecar.len() {
            assert_eq!(conv[d * 4], 0.0);
            assert_eq!(conv[d * 4 + 1..d * 4 + 4], s.conv_layer(l)[d * 3..d * 3 + 3]);
        }
        assert_eq!(read(&format!("ssm_states.{l}")), (vec![1, SHAPE.sidecar.len(), SHAPE.memory.row()], s.ssm_layer(l).to_vec()));
    }
    let message = codec::load(&path).unwrap_err().to_string();
    assert!(message.contains("HF layout"), "{message}");
}

/// One tap: no window at all.
#[test]
fn a_convolution_of_one_tap_has_an_empty_window() {
    let (_dir, path) = place();
    let s = State::zeros(Layout::mamba1(2, 5, 3, 1));
    codec::save(&path, &s, &about()).unwrap();
    assert_eq!(codec::load(&path).unwrap().0, s);
    codec::save_hf_cache(&path, &s, &about()).unwrap();
    let data = std::fs::read(&path).unwrap();
    assert_eq!(SafeTensors::deserialize(&data).unwrap().tensor("conv_states.0").unwrap().shape(), [1, SHAPE.sidecar.len(), 1]);
}

#[test]
fn damage_is_refused_with_the_file_named() {
    let (_dir, path) = place();
    codec::save(&path, &states(4, 1, 3.0)[0], &about()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    for cut in 0..whole.len() {
        std::fs::write(&path, &whole[..cut]).unwrap();
        let message = codec::load(&path).unwrap_err().to_string();
        assert!(message.contains("s.safetensors is not a saved state"), "{message}");
    }
    let good: [&[usize]; 3] = [&[2, 5, 3], &[2, 5, 3], &[2, 5]];
    let format = [("format", "state-soup/1"), ("tokens", "7")];
    forge(&path, good, [1.0; 3], &format);
    assert_eq!(codec::load(&path).unwrap().0.tokens(), 7);
    type Case<'a> = ([&'a [usize]; 3], [f32; 3], &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 9] = [
        (good, [f32::NAN, 1.0, 1.0], &format, "`ssm` holds NaN in layer 0"),
        (good, [1.0, f32::INFINITY, 1.0], &format, "`conv` holds inf"),
        (good, [1.0, 1.0, -0.5], &format, "ΣΔ of layer 0, channel 0 is -0.5"),
        ([&[2, 5, 3], &[5, 2, 3], &[2, 5]], [1.0; 3], &format, "do not fit"),
        ([&[2, 5, 3], &[2, 5, 3], &[2, 4]], [1.0; 3], &format, "do not fit"),
        ([&[30], &[2, 5, 3], &[2, 5]], [1.0; 3], &format, "dimensions"),
        (good, [1.0; 3], &[("tokens", "7")], "no `format`"),
        (good, [1.0; 3], &[("format", "state-soup/9"), ("tokens", "7")], "`state-soup/9`"),
        (good, [1.0; 3], &[("format", "state-soup/1"), ("tokens", "many")], "not a number"),
    ];
    for (shapes, fill, metadata, what) in cases {
        forge(&path, shapes, fill, metadata);
        let message = codec::load(&path).unwrap_err().to_string();
        assert!(message.contains(what), "{message} should say {what}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_named_and_nothing_is_left() {
    let (dir, _) = place();
    let path = dir.path().join("none/s.safetensors");
    assert!(codec::save(&path, &states(5, 1, 3.0)[0], &about()).unwrap_err().to_string().contains("none"));
    assert!(codec::load(&path).unwrap_err().to_string().contains("s.safetensors"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}
