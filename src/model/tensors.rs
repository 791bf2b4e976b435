//! Between a checkpoint and the loaders of both devices: the names that they ask for, one look at
//! every number, and a check that no tensor in the file is left unread.

use super::{MambaConfig, TensorSource, WeightType};
use crate::error::{Error, Result};
use candle_core::{CpuStorage, DType, Storage, Tensor};
use half::{bf16, f16};
use rayon::prelude::*;
use std::collections::HashSet;

/// The embedding's names: `embeddings` in transformers' layout, `embedding` in the original one.
pub const EMBEDDING: [&str; 2] = ["backbone.embeddings.weight", "backbone.embedding.weight"];

const HEAD: &str = "lm_head.weight";

/// The prefix of all names except the head's; checkpoints of the backbone alone (`MambaModel`)
/// leave it out.
const PREFIX: &str = "backbone.";

/// Numbers looked at by one thread at a time.
const SPAN: usize = 1 << 18;

/// The precision that a matrix is kept in, given the one it is stored in.
pub fn dtype(kind: WeightType, stored: DType) -> DType {
    match kind {
        WeightType::AsStored => stored,
        WeightType::F32 => DType::F32,
        WeightType::F16 => DType::F16,
        WeightType::BF16 => DType::BF16,
    }
}

/// A checkpoint whose tensors are all known to be wanted, under the names the loaders ask for; each
/// is looked at once when it is read.
pub struct Wanted<'a> {
    source: &'a dyn TensorSource,
    /// Whether its names lack [`PREFIX`].
    bare: bool,
    /// Whether the head is stored and the embedding is not: they are one matrix.
    only_head: bool,
    /// The precision that matrices will be kept in.
    kind: WeightType,
}

impl<'a> Wanted<'a> {
    /// Compares the names in the file with what the configuration asks for; also gives the
    /// configuration that holds for this file, and notes on what was decided.
    ///
    /// A head beside a tied embedding is treated as transformers treats it: the same matrix twice
    /// is tied, another matrix is a separate head.
    ///
    /// # Errors
    /// [`Error::Model`] naming file and tensor, for a tensor that the network does not read or that
    /// is stored under two names, and for a head that contradicts the embedding in the original
    /// layout; those of reading both.
    pub fn new(source: &'a dyn TensorSource, config: &MambaConfig, kind: WeightType) -> Result<(Self, MambaConfig, Vec<String>)> {
        let names: HashSet<String> = source.names().into_iter().collect();
        let bare = !names.is_empty() && !names.iter().any(|n| n.starts_with(PREFIX));
        let mut wanted = Self { source, bare, only_head: false, kind };
        let has = |name: &str| names.contains(&*wanted.stored_name(name));
        let embeddings: Vec<&str> = EMBEDDING.into_iter().filter(|name| has(name)).collect();
        if let [one, other] = embeddings[..] {
            let (one, other) = (wanted.stored_name(one), wanted.stored_name(other));
            return Err(Error::Model(format!("{} holds two embeddings, `{one}` and `{other}`", place(source, &one))));
        }
        let known: HashSet<String> = names_of(config).iter().map(|name| wanted.stored_name(name)).collect();
        let mut unread: Vec<&String> = names.iter().filter(|name| !known.contains(*name)).collect();
        unread.sort();
        if let Some(first) = unread.first() {
            let more = if unread.len() > 1 { format!(" and {} more", unread.len() - 1) } else { String::new() };
            let file = place(source, first);
            return Err(Error::Model(format!("{file} holds the tensor `{first}`{more}, which this network does not read{}", hint(first))));
        }
        let (mut config, mut notes) = (config.clone(), Vec::new());
        if config.tie_embeddings && has(HEAD) {
            wanted.only_head = embeddings.is_empty() && !config.original;
            if !embeddings.is_empty() && wanted.head_is_another(&config)? {
                if config.original {
                    return Err(Error::Model(format!(
                        "{}: `{HEAD}` is another matrix than the embedding, but `tie_embeddings` says they are one; set it to false \
                         in config.json if the head is meant",
                        place(source, HEAD)
                    )));
                }
                config.tie_embeddings = false;
                notes.push(format!(
                    "{}: `{HEAD}` is another matrix than the embedding though `tie_word_embeddings` is not false; it is used as the head, \
                     as transformers does",
                    place(source, HEAD)
                ));
            }
        }
        Ok((wanted, config, notes))
    }

    fn stored_name(&self, name: &str) -> String {
        let name = if self.bare { name.strip_prefix(PREFIX).unwrap_or(name) } else { name };
        name.to_owned()
    }

    /// Whether the head differs from the embedding in any number.
    fn head_is_another(&self, config: &MambaConfig) -> Result<bool> {
        let tensors = Tensors(self);
        let shape = [config.vocab_size, config.d_model];
        let (head, embedding) = (tensors.tensor(&[HEAD], &shape)?, tensors.tensor(&EMBEDDING, &shape)?);
        let rows = |t: &Tensor| -> Result<Vec<f32>> { Ok(t.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?) };
        // In blocks, so that a large embedding is not copied whole.
        let block = (SPAN / config.d_model).max(1);
        for at in (0..config.vocab_size).step_by(block) {
            let n = block.min(config.vocab_size - at);
            if rows(&head.narrow(0, at, n)?)? != rows(&embedding.narrow(0, at, n)?)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl TensorSource for Wanted<'_> {
    fn get(&self, name: &str) -> Result<Option<Tensor>> {
        let name = if self.only_head && name == EMBEDDING[0] { HEAD.to_owned() } else { self.stored_name(name) };
        let Some(tensor) = self.source.get(&name)? else { return Ok(None) };
        let wanted = if tensor.rank() == 2 && !name.ends_with("A_log") { dtype(self.kind, tensor.dtype()) } else { DType::F32 };
        if let Some((i, value)) = first_bad(&tensor, wanted)? {
            let file = place(self.source, &name);
            if !value.is_finite() {
                return Err(Error::Model(format!("{file}: the tensor `{name}` holds {value} at entry {i}")));
            }
            return Err(Error::Model(format!(
                "{file}: the tensor `{name}` holds {value:e} at entry {i}, which is too large for {wanted:?}"
            )));
        }
        Ok(Some(tensor))
    }

    fn names(&self) -> Vec<String> {
        self.source.names()
    }

    fn file(&self, name: &str) -> Option<String> {
        self.source.file(&self.stored_name(name))
    }

    fn place(&self) -> String {
        self.source.place()
    }
}

/// The file a tensor is in, for messages.
fn place(source: &dyn TensorSource, name: &str) -> String {
    source.file(name).unwrap_or_else(|| source.place())
}

/// Every name that the network reads.
pub(super) fn names_of(config: &MambaConfig) -> Vec<String> {
    let mut of_layer = vec![
        "norm.weight",
        "mixer.in_proj.weight",
        "mixer.conv1d.weight",
        "mixer.x_proj.weight",
        "mixer.dt_proj.weight",
        "mixer.dt_proj.bias",
        "mixer.A_log",
        "mixer.D",
        "mixer.out_proj.weight",
    ];
    if config.use_bias {
        of_layer.extend(["mixer.in_proj.bias", "mixer.out_proj.bias"]);
    }
    if config.use_conv_bias {
        of_layer.push("mixer.conv1d.bias");
    }
    let layers = (0..config.n_layer).flat_map(|l| of_layer.iter().map(move |name| format!("{PREFIX}layers.{l}.{name}")));
    let whole = EMBEDDING.into_iter().chain(["backbone.norm_f.weight", HEAD]).map(str::to_owned);
    layers.chain(whole).collect()
}

/// What makes a network read a tensor that this one does not.
fn hint(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(before, last)| (before.rsplit('.').next().unwrap_or(before), last)) {
        Some(("in_proj" | "out_proj", "bias")) => ": config.json does not say `use_bias: true` (in `ssm_cfg`: `bias: true`)",
        Some(("conv1d", "bias")) => ": config.json says that the convolution has no bias",
        Some(("norm" | "norm_f", "bias")) => ": it belongs to a layer norm, and only the RMS norm can be run",
        _ => "",
    }
}

/// The first entry that is not finite, or would not be in the precision it is kept in: index and
/// value.
fn first_bad(tensor: &Tensor, kept: DType) -> Result<Option<(usize, f64)>> {
    let (storage, layout) = tensor.storage_and_layout();
    let Some((from, to)) = layout.contiguous_offsets() else {
        drop(storage);
        return first_bad(&tensor.contiguous()?, kept);
    };
    // The smallest number that rounds to infinity in the type it is kept in.
    let most = match kept {
        DType::F16 => 65520.0,
        DType::BF16 => 3.396_177_6e38,
        _ => f64::from(f32::MAX),
    };
    let narrow = kept != DType::F32 && kept != tensor.dtype();
    // A number that is not finite lies beyond every bound as well.
    let beyond = |x: f64| x.abs().partial_cmp(&most).is_none_or(std::cmp::Ordering::is_ge);
    Ok(match &*storage {
        Storage::Cpu(CpuStorage::F32(v)) if narrow => find(&v[from..to], |x| beyond(f64::from(x)), f64::from),
        Storage::Cpu(CpuStorage::F32(v)) => find(&v[from..to], |x| x.to_bits() & 0x7f80_0000 == 0x7f80_0000, f64::from),
        Storage::Cpu(CpuStorage::BF16(v)) if narrow => find(&v[from..to], |x| beyond(x.to_f64()), bf16::to_f64),
        Storage::Cpu(CpuStorage::BF16(v)) => find(&v[from..to], |x| x.to_bits() & 0x7f80 == 0x7f80, bf16::to_f64),
        Storage::Cpu(CpuStorage::F16(v)) => find(&v[from..to], |x| x.to_bits() & 0x7c00 == 0x7c00, f16::to_f64),
        Storage::Cpu(CpuStorage::F64(v)) => find(&v[from..to], beyond, |x| x),
        _ => None,
    })
}

/// The first of these numbers that is bad, found by all threads.
fn find<T: Copy + Sync>(values: &[T], bad: impl Fn(T) -> bool + Sync, wide: impl Fn(T) -> f64) -> Option<(usize, f64)> {
    // The check of a span has no early exit, so that it is vectorised; only a span with a bad
    // number is searched for its place.
    let spans = values.par_chunks(SPAN).enumerate();
    let at = spans.find_map_first(|(i, span)| {
        let any = span.iter().fold(false, |any, &v| any | bad(v));
        if any { span.iter().position(|&v| bad(v)).map(|j| i * SPAN + j) } else { None }
    })?;
    Some((at, wide(values[at])))
}

/// A source whose answers are checked.
pub struct Tensors<'a>(pub &'a dyn TensorSource);

impl Tensors<'_> {
    /// The tensor of the first of these names that is there.
    ///
    /// # Errors
    /// [`Error::Model`] if none is, or its shape is another.
    pub fn tensor(&self, names: &[&str], shape: &[usize]) -> Result<Tensor> {
        for name in names {
            if let Some(tensor) = self.0.get(name)? {
                if tensor.dims() != shape {
                    return Err(Error::Model(format!(
                        "{}: the tensor `{name}` has shape {:?}, the configuration asks for {shape:?}",
                        place(self.0, name),
                        tensor.dims()
                    )));
                }
                return Ok(tensor);
            }
        }
        Err(Error::Model(format!("{} lacks the tensor `{}`", self.0.place(), names.join("` (or `"))))
    }

    /// Any tensor as f32.
    ///
    /// # Errors
    /// Those of [`Self::tensor`].
    pub fn vector(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        Ok(self.tensor(&[name], shape)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?)
    }

    /// `A = -exp(A_log)` of a layer, `[d_inner, d_state]`.
    ///
    /// # Errors
    /// Those of [`Self::vector`]; [`Error::Model`] if a number has no exponential.
    pub fn decay(&self, layer: usize, config: &MambaConfig) -> Result<Vec<f32>> {
        let name = format!("backbone.layers.{layer}.mixer.A_log");
        let a: Vec<f32> = self.vector(&name, &[config.d_inner, config.d_state])?.into_iter().map(|v| -v.exp()).collect();
        match a.iter().position(|v| !v.is_finite()) {
            Some(i) => Err(Error::Model(format!("{}: the exponential of `{name}` is not finite at entry {i}", place(self.0, &name)))),
            None => Ok(a),
        }
    }
}
