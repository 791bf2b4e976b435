//! One state as a safetensors file, in the project's own layout or in that of HF `transformers`'
//! Mamba cache.
//!
//! Own layout: `ssm [n_layer, d_inner, d_state]`, `conv [n_layer, d_inner, d_conv − 1]` (oldest
//! first), `dt_sum [n_layer, d_inner]`, all f32, with the metadata `format` = `state-soup/1`,
//! `tokens`, `model` (fingerprint), `recipe`, `recipe_hash` and, optionally, `provenance` (JSON).
//!
//! HF layout: `ssm_states.L [1, d_inner, d_state]` and `conv_states.L [1, d_inner, d_conv]` for
//! each layer L, the same metadata. The cache keeps one input more than a state does, the oldest
//! column. That column is shifted out before it is read (the step convolves the *last* d_conv of
//! cached and new columns), so it is written as 0. The layout has no place for ΣΔ, so such a file
//! cannot be read back.
//!
//! A program that loads it into `transformers` must feed tokens **one by one**. Given several at
//! once, `transformers` (5.17 and 5.23, `MambaMixer`) keeps the windows but starts its scan from
//! zero, so the SSM state has no effect.
//!
//! A file appears complete or not at all: it is written under another name in the same folder,
//! synced and renamed.

use super::{Layout, State};
use crate::error::{Error, Result};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::Serialize;
use std::collections::HashMap;
use std::fmt;
use std::path::Path;

const FORMAT: &str = "state-soup/1";

/// Where a saved state came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// Fingerprint of the model.
    pub model: String,
    /// The text of the recipe.
    pub recipe: String,
    /// The hash of the recipe.
    pub recipe_hash: String,
    /// Further details: the skills' manifest entries, the query, settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
}

impl Provenance {
    /// The provenance of a state that a recipe yielded.
    pub fn of_recipe(model: &str, recipe: &str, hash: &str) -> Self {
        Self { model: model.into(), recipe: recipe.into(), recipe_hash: hash.into(), details: None }
    }

    /// The same with further details.
    #[must_use]
    pub fn with(self, details: serde_json::Value) -> Self {
        Self { details: Some(details), ..self }
    }
}

impl fmt::Display for Provenance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "recipe {}\nhash   {}\nmodel  {}", self.recipe, self.recipe_hash, self.model)?;
        for (name, value) in self.details.iter().filter_map(|d| d.as_object()).flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            write!(f, "\n{name:<6} {}", text.replace('\n', "\\n"))?;
        }
        Ok(())
    }
}

type Tensors = Vec<(String, Vec<usize>, Vec<u8>)>;

/// Saves a state. The file appears complete or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn save(path: &Path, state: &State, about: &Provenance) -> Result<()> {
    let s = state.shape();
    let tensors = vec![
        ("ssm".into(), vec![s.n_layer, s.sidecar.len(), s.memory.row()], bytes(state.ssm())),
        ("conv".into(), vec![s.n_layer, s.window.shape()[0], s.reach()], bytes(state.conv())),
        ("dt_sum".into(), vec![s.n_layer, s.sidecar.len()], bytes(state.dt_sum())),
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
        let mut window = vec![0.0f32; s.sidecar.len() * (s.reach() + 1)];
        if s.reach() > 0 {
            let channels = window.chunks_exact_mut(s.reach() + 1).zip(state.conv_layer(l).chunks_exact(s.reach()));
            channels.for_each(|(to, from)| to[1..].copy_from_slice(from));
        }
        tensors.push((format!("ssm_states.{l}"), vec![1, s.sidecar.len(), s.memory.row()], bytes(state.ssm_layer(l))));
        tensors.push((format!("conv_states.{l}"), vec![1, s.sidecar.len(), (s.reach() + 1)], bytes(&window)));
    }
    write(path, &tensors, state.tokens(), about)
}

/// Loads a state of one model: the sizes and the fingerprint in the file must be that model's.
///
/// # Errors
/// As [`load`]; [`Error::Mismatch`] if the state is another model's.
pub fn load_for(path: &Path, shape: Layout, model: &str) -> Result<(State, Provenance)> {
    let (state, about) = load(path)?;
    if about.model != model {
        let short = |hash: &str| hash.get(..12).unwrap_or(hash).to_string();
        return Err(Error::Mismatch(format!(
            "{} holds a state of the model {}, not of {}; states of different models cannot be mixed",
            path.display(),
            short(&about.model),
            short(model)
        )));
    }
    if state.shape() != shape {
        return Err(Error::Mismatch(format!("{} holds a state of {}, the model has {shape}", path.display(), state.shape())));
    }
    Ok((state, about))
}

/// Loads a state of any model that [`save`] saved.
///
/// # Errors
/// [`Error::Io`]; [`Error::Mismatch`] naming the file if it is damaged or of another format, or
/// holds numbers that are not finite or a negative ΣΔ.
pub fn load(path: &Path) -> Result<(State, Provenance)> {
    let data = crate::files::read(path, crate::files::STATE)?;
    let wrong = |why: &dyn fmt::Display| Error::Mismatch(format!("{} is not a saved state: {why}", path.display()));
    let (_, header) = SafeTensors::read_metadata(&data).map_err(|e| wrong(&e))?;
    let about = header.metadata().clone().unwrap_or_default();
    let tensors = SafeTensors::deserialize(&data).map_err(|e| wrong(&e))?;
    if tensors.tensor("conv_states.0").is_ok() {
        return Err(wrong(&"it is in HF layout, which cannot be read back: it lacks ΣΔ"));
    }
    match about.get("format").map(String::as_str) {
        Some(FORMAT) => {}
        Some(other) => return Err(wrong(&format!("its format is `{other}`, this program reads `{FORMAT}`"))),
        None => return Err(wrong(&"it has no `format` entry")),
    }
    let get = |name: &str| {
        let view = tensors.tensor(name).map_err(|_| wrong(&format!("the tensor `{name}` is missing")))?;
        if view.dtype() != Dtype::F32 {
            return Err(wrong(&format!("the tensor `{name}` is not f32")));
        }
        let values: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        Ok((view.shape().to_vec(), values))
    };
    let ((ssm_shape, ssm), (conv_shape, conv), (dt_shape, dt_sum)) = (get("ssm")?, get("conv")?, get("dt_sum")?);
    let (&[n_layer, d_inner, d_state], &[_, _, window]) = (&ssm_shape[..], &conv_shape[..]) else {
        return Err(wrong(&"its tensors have the wrong number of dimensions"));
    };
    if conv_shape != [n_layer, d_inner, window] || dt_shape != [n_layer, d_inner] {
        return Err(wrong(&format!("the shapes of its tensors do not fit: ssm {ssm_shape:?}, conv {conv_shape:?}, dt_sum {dt_shape:?}")));
    }
    if let Some(i) = dt_sum.iter().position(|v| *v < 0.0) {
        return Err(wrong(&format!("ΣΔ of layer {}, channel {} is {}, below 0", i / d_inner, i % d_inner, dt_sum[i])));
    }
    let shape = Layout::mamba1(n_layer, d_inner, d_state, window + 1);
    let text = |key: &str| about.get(key).cloned().unwrap_or_default();
    let tokens = text("tokens").parse().map_err(|_| wrong(&"its `tokens` entry is not a number"))?;
    let details = about.get("provenance").map(|json| serde_json::from_str(json)).transpose();
    let details = details.map_err(|e| wrong(&format!("its `provenance` entry is not JSON: {e}")))?;
    let state = State::new(shape, ssm, conv, dt_sum, tokens).map_err(|e| wrong(&e))?;
    Ok((state, Provenance { model: text("model"), recipe: text("recipe"), recipe_hash: text("recipe_hash"), details }))
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
    let details = about.details.as_ref().map(|json| ("provenance", json.to_string()));
    let entries = [
        ("format", FORMAT.to_string()),
        ("tokens", tokens.to_string()),
        ("model", about.model.clone()),
        ("recipe", about.recipe.clone()),
        ("recipe_hash", about.recipe_hash.clone()),
    ];
    let metadata: HashMap<String, String> = entries.into_iter().chain(details).map(|(k, v)| (k.to_string(), v)).collect();
    let data = safetensors::serialize(views, Some(metadata)).map_err(|e| failed(&e))?;
    crate::files::replace(path, &data, &crate::files::private())
}
