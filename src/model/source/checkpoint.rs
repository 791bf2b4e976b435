//! Weights in files: safetensors (memory-mapped or embedded) and PyTorch's `.bin`, which is parsed, never run.

use super::TensorSource;
use crate::control::Control;
use crate::error::{Error, Result};
use candle_core::pickle::PthTensors;
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Bytes hashed between two looks at the cancel handle.
const HASH_STEP: usize = 16 << 20;

/// All weights of a model.
pub struct Checkpoint {
    parts: Vec<Part>,
    /// Which part a tensor is in.
    index: HashMap<String, usize>,
}

enum Part {
    Embedded(&'static [u8]),
    Mapped { path: PathBuf, map: Mmap },
    Pickled { path: PathBuf, tensors: PthTensors },
}

impl Checkpoint {
    /// Weights inside the program.
    ///
    /// # Errors
    /// [`Error::Model`] if they are no safetensors.
    pub fn embedded(bytes: &'static [u8]) -> Result<Self> {
        Self::from_parts(vec![Part::Embedded(bytes)])
    }

    /// The weights of a folder: `model.safetensors` or its shards, else `pytorch_model.bin` or its shards.
    ///
    /// # Errors
    /// [`Error::Model`] if there are none, or one is damaged; [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Self> {
        for (single, index) in
            [("model.safetensors", "model.safetensors.index.json"), ("pytorch_model.bin", "pytorch_model.bin.index.json")]
        {
            if dir.join(index).is_file() {
                let files = shard_names(&dir.join(index))?;
                return Self::from_parts(files.iter().map(|file| open_part(&dir.join(file))).collect::<Result<_>>()?);
            }
            if dir.join(single).is_file() {
                return Self::from_parts(vec![open_part(&dir.join(single))?]);
            }
        }
        let found = super::listing(dir);
        Err(Error::Model(format!(
            "{} has no weights: no model.safetensors, pytorch_model.bin or index of shards; it holds {found}",
            dir.display()
        )))
    }

    fn from_parts(parts: Vec<Part>) -> Result<Self> {
        let mut index = HashMap::new();
        for (i, part) in parts.iter().enumerate() {
            index.extend(part.names()?.into_iter().map(|name| (name, i)));
        }
        Ok(Self { parts, index })
    }

    /// Hashes all bytes, part by part.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Io`].
    pub fn hash_into(&self, hasher: &mut blake3::Hasher, control: Control<'_>) -> Result<()> {
        let mut done = 0u64;
        for part in &self.parts {
            let mapped;
            let bytes: &[u8] = match part {
                Part::Embedded(bytes) => bytes,
                Part::Mapped { map, .. } => map,
                Part::Pickled { path, .. } => {
                    mapped = map_file(path)?;
                    &mapped
                }
            };
            for step in bytes.chunks(HASH_STEP) {
                control.check()?;
                hasher.update(step);
                done += step.len() as u64;
                control.report(done, 0, "bytes");
            }
        }
        Ok(())
    }

    /// An entry of the safetensors metadata.
    pub fn metadata(&self, key: &str) -> Option<String> {
        self.parts.iter().find_map(|part| SafeTensors::read_metadata(part.bytes()?).ok()?.1.metadata().as_ref()?.get(key).cloned())
    }
}

impl TensorSource for Checkpoint {
    fn get(&self, name: &str) -> Result<Option<Tensor>> {
        self.index.get(name).map(|&part| self.parts[part].tensor(name)).transpose()
    }

    fn names(&self) -> Vec<String> {
        self.index.keys().cloned().collect()
    }
}

impl Part {
    fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Embedded(bytes) => Some(bytes),
            Self::Mapped { map, .. } => Some(map),
            Self::Pickled { .. } => None,
        }
    }

    fn label(&self) -> String {
        match self {
            Self::Embedded(_) => "the bundled weights".into(),
            Self::Mapped { path, .. } | Self::Pickled { path, .. } => path.display().to_string(),
        }
    }

    fn safetensors<'a>(&self, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
        SafeTensors::deserialize(bytes).map_err(|e| Error::Model(format!("{} is damaged or no safetensors file: {e}", self.label())))
    }

    fn names(&self) -> Result<Vec<String>> {
        match (self, self.bytes()) {
            (_, Some(bytes)) => Ok(self.safetensors(bytes)?.names().into_iter().map(str::to_string).collect()),
            (Self::Pickled { tensors, .. }, _) => Ok(tensors.tensor_infos().keys().cloned().collect()),
            _ => Ok(Vec::new()),
        }
    }

    fn tensor(&self, name: &str) -> Result<Tensor> {
        let damaged = |why: &dyn std::fmt::Display| Error::Model(format!("{}: the tensor `{name}` cannot be read: {why}", self.label()));
        if let Self::Pickled { tensors, .. } = self {
            return match tensors.get(name) {
                Ok(Some(tensor)) => Ok(tensor),
                Ok(None) => Err(damaged(&"it is not there")),
                Err(e) => Err(damaged(&e)),
            };
        }
        let bytes = self.bytes().unwrap_or_default();
        let tensors = self.safetensors(bytes)?;
        let view = tensors.tensor(name).map_err(|e| damaged(&e))?;
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            other => return Err(damaged(&format!("its type is {other:?}; f32, f16 and bf16 can be run"))),
        };
        Ok(Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu)?)
    }
}

fn open_part(path: &Path) -> Result<Part> {
    if path.extension().is_some_and(|e| e == "safetensors") {
        return Ok(Part::Mapped { path: path.into(), map: map_file(path)? });
    }
    let tensors =
        PthTensors::new(path, None).map_err(|e| Error::Model(format!("{} is damaged or no PyTorch checkpoint: {e}", path.display())))?;
    if tensors.tensor_infos().is_empty() {
        return Err(Error::Model(format!("{} holds no tensor", path.display())));
    }
    Ok(Part::Pickled { path: path.into(), tensors })
}

fn map_file(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(Error::io(path))?;
    // SAFETY: a checkpoint that another program changes while it is loaded gives wrong weights, which the fingerprint shows; it is only read here.
    unsafe { Mmap::map(&file) }.map_err(Error::io(path))
}

/// The files an index names, each once.
pub(super) fn shard_names(index: &Path) -> Result<Vec<String>> {
    let wrong = |why: String| Error::Model(format!("{}: {why}", index.display()));
    let text = std::fs::read(index).map_err(Error::io(index))?;
    let json: serde_json::Value = serde_json::from_slice(&text).map_err(|e| wrong(e.to_string()))?;
    let map = json["weight_map"].as_object().ok_or_else(|| wrong("there is no `weight_map`".into()))?;
    let files: BTreeSet<&str> = map.values().filter_map(serde_json::Value::as_str).collect();
    for file in &files {
        if !super::cache::is_plain_name(file) {
            return Err(wrong(format!("it names a shard outside its folder: `{file}`")));
        }
    }
    if files.is_empty() { Err(wrong("it names no shard".into())) } else { Ok(files.into_iter().map(str::to_string).collect()) }
}
