//! One state as a safetensors file: the project's own layout, and the one of HF `transformers`' Mamba cache.
//!
//! Own layout: `ssm [n_layer, d_inner, d_state]`, `conv [n_layer, d_inner, d_conv − 1]` (oldest first), `dt_sum [n_layer, d_inner]`, all f32, with the metadata
//! `format` = `state-soup/1`, `tokens`, `model` (fingerprint), `recipe`, `recipe_hash`.
//!
//! HF layout: `ssm_states.L [1, d_inner, d_state]` and `conv_states.L [1, d_inner, d_conv]` for each layer L. The cache keeps d_conv inputs, of which
//! the oldest is rolled out before it is used again; it is not part of a state and is written as 0.

use super::{State, StateShape};
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::io::Write;
use std::path::Path;

const FORMAT: &str = "state-soup/1";

/// Where a saved state came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// Fingerprint of the model.
    pub model: String,
    /// The recipe's text.
    pub recipe: String,
    /// Its hash.
    pub recipe_hash: String,
}

impl Provenance {
    /// A state that a recipe yielded.
    pub fn of_recipe(model: &str, recipe: &str, hash: &str) -> Self {
        Self { model: model.into(), recipe: recipe.into(), recipe_hash: hash.into() }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recipe {}\nhash   {}\nmodel  {}", self.recipe, self.recipe_hash, self.model)
    }
}

type Tensors = Vec<(String, Vec<usize>, Vec<u8>)>;

/// Saves a state; the file appears whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn save(path: &Path, state: &State, about: &Provenance) -> Result<()> {
    let s = state.shape();
    let tensors = vec![
        ("ssm".into(), vec![s.n_layer, s.d_inner, s.d_state], bytes(state.ssm())),
        ("conv".into(), vec![s.n_layer, s.d_inner, s.d_conv - 1], bytes(state.conv())),
        ("dt_sum".into(), vec![s.n_layer, s.d_inner], bytes(state.dt_sum())),
    ];
    write(path, &tensors, state.tokens(), about)
}

/// Saves a state in the layout of HF `transformers`' Mamba cache.
///
/// # Errors
/// [`Error::Io`].
pub fn save_hf_cache(path: &Path, state: &State, about: &Provenance) -> Result<()> {
    let s = state.shape();
    let mut tensors = Tensors::new();
    for l in 0..s.n_layer {
        let window: Vec<f32> =
            state.conv_layer(l).chunks_exact(s.d_conv - 1).flat_map(|w| std::iter::once(0.0).chain(w.iter().copied())).collect();
        tensors.push((format!("ssm_states.{l}"), vec![1, s.d_inner, s.d_state], bytes(state.ssm_layer(l))));
        tensors.push((format!("conv_states.{l}"), vec![1, s.d_inner, s.d_conv], bytes(&window)));
    }
    write(path, &tensors, state.tokens(), about)
}

/// Loads a state saved by [`save`].
///
/// # Errors
/// [`Error::Io`]; [`Error::Mismatch`] naming the file if it is damaged, of another format, or holds numbers that are not finite.
pub fn load(path: &Path) -> Result<(State, Provenance)> {
    let data = std::fs::read(path).map_err(Error::io(path))?;
    let wrong = |why: &dyn fmt::Display| Error::Mismatch(format!("{} is no saved state: {why}", path.display()));
    let (_, header) = SafeTensors::read_metadata(&data).map_err(|e| wrong(&e))?;
    let about = header.metadata().clone().unwrap_or_default();
    match about.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => return Err(wrong(&format!("its format is `{other}`, this program reads `{FORMAT}`"))),
        None => return Err(wrong(&"it has no `format` entry (a state in HF layout cannot be read back: it lacks ΣΔ)")),
    }
    let tensors = SafeTensors::deserialize(&data).map_err(|e| wrong(&e))?;
    let get = |name: &str| {
        let view = tensors.tensor(name).map_err(|_| wrong(&format!("the tensor `{name}` is missing")))?;
        if view.dtype() != Dtype::F32 {
            return Err(wrong(&format!("the tensor `{name}` is not f32")));
        }
        let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Ok((view.shape().to_vec(), values))
    };
    let ((ssm_shape, ssm), (conv_shape, conv), (_, dt_sum)) = (get("ssm")?, get("conv")?, get("dt_sum")?);
    let (&[n_layer, d_inner, d_state], &[_, _, window]) = (&ssm_shape[..], &conv_shape[..]) else {
        return Err(wrong(&"its tensors have the wrong number of dimensions"));
    };
    let shape = StateShape { n_layer, d_inner, d_state, d_conv: window + 1 };
    let text = |key: &str| about.get(key).cloned().unwrap_or_default();
    let tokens = text("tokens").parse().map_err(|_| wrong(&"its `tokens` entry is no number"))?;
    let state = State::new(shape, ssm, conv, dt_sum, tokens).map_err(|e| wrong(&e))?;
    Ok((state, Provenance { model: text("model"), recipe: text("recipe"), recipe_hash: text("recipe_hash") }))
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

fn write(path: &Path, tensors: &Tensors, tokens: u64, about: &Provenance) -> Result<()> {
    let failed = |e: &dyn fmt::Display| Error::Mismatch(format!("the state cannot be laid out: {e}"));
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, data) in tensors {
        views.push((name, TensorView::new(Dtype::F32, shape.clone(), data).map_err(|e| failed(&e))?));
    }
    let entries = [
        ("format", FORMAT.to_string()),
        ("tokens", tokens.to_string()),
        ("model", about.model.clone()),
        ("recipe", about.recipe.clone()),
        ("recipe_hash", about.recipe_hash.clone()),
    ];
    let metadata: HashMap<String, String> = entries.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    let data = safetensors::serialize(views, Some(metadata)).map_err(|e| failed(&e))?;
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(Error::io(folder))?;
    file.write_all(&data).and_then(|()| file.as_file().sync_all()).map_err(Error::io(path))?;
    file.persist(path).map_err(|e| Error::io(path)(e.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let shape = StateShape { n_layer: 2, d_inner: 3, d_state: 2, d_conv: 4 };
        let ramp = |n: usize, from: f32| (0..n).map(|i| from + i as f32).collect();
        State::new(shape, ramp(12, 0.5), ramp(18, -3.0), ramp(6, 0.1), 42).unwrap()
    }

    #[test]
    fn a_saved_state_comes_back_with_its_provenance() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.safetensors");
        let about = Provenance::of_recipe("abc", "mean(a, b)", "123");
        save(&path, &state(), &about).unwrap();
        assert_eq!(load(&path).unwrap(), (state(), about));
    }

    #[test]
    fn the_hf_layout_has_one_more_column() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.safetensors");
        save_hf_cache(&path, &state(), &Provenance::default()).unwrap();
        let data = std::fs::read(&path).unwrap();
        let tensors = SafeTensors::deserialize(&data).unwrap();
        let conv = tensors.tensor("conv_states.1").unwrap();
        assert_eq!(conv.shape(), [1, 3, 4]);
        let values: Vec<f32> = conv.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        assert_eq!(values[..8], [0.0, 6.0, 7.0, 8.0, 0.0, 9.0, 10.0, 11.0]);
        assert!(load(&path).unwrap_err().to_string().contains("`ssm` is missing"));
    }

    #[test]
    fn damage_is_refused_with_the_file_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.safetensors");
        save(&path, &state(), &Provenance::default()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 7, 40, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let message = load(&path).unwrap_err().to_string();
            assert!(message.contains("s.safetensors is no saved state"), "{message}");
        }
        let mut nan = whole.clone();
        let at = nan.len() - 4;
        nan[at..].copy_from_slice(&f32::NAN.to_le_bytes());
        std::fs::write(&path, &nan).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("NaN"));
    }
}
