//! Weights in files: safetensors (memory-mapped or embedded) and PyTorch's `.bin`, which is parsed,
//! never run.

use super::TensorSource;
use super::instead::Instead;
use super::pickle::Pickled;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::files;
use crate::model::json;
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// Bytes hashed between two looks at the cancel handle.
const HASH_STEP: usize = 16 << 20;
/// How many first bytes show that a file is not weights.
const HEAD: usize = 512;
/// The longest index that is read, in bytes.
const INDEX: u64 = 64 << 20;

/// All weights of a model.
pub struct Checkpoint {
    parts: Vec<Part>,
    /// Which part a tensor is in.
    index: HashMap<String, usize>,
    /// What was ignored, in sentences.
    notes: Vec<String>,
}

enum Part {
    Embedded(&'static [u8]),
    Mapped { path: PathBuf, map: Mmap },
    Pickled(Pickled),
}

impl Checkpoint {
    /// Weights inside the program.
    ///
    /// # Errors
    /// [`Error::Model`] if they are not safetensors.
    pub fn embedded(bytes: &'static [u8]) -> Result<Self> {
        Self::from_parts(vec![Part::Embedded(bytes)])
    }

    /// The weights of a folder, as transformers takes them: `model.safetensors`, else its shards,
    /// else `pytorch_model.bin`, else its shards.
    ///
    /// # Errors
    /// [`Error::Model`] if there are none, or one is damaged; [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Self> {
        for (single, index) in
            [("model.safetensors", "model.safetensors.index.json"), ("pytorch_model.bin", "pytorch_model.bin.index.json")]
        {
            let (there, indexed) = (dir.join(single).exists(), dir.join(index).exists());
            if there {
                let mut all = Self::from_parts(vec![open_part(&dir.join(single))?])?;
                if indexed {
                    all.notes.push(format!(
                        "{} holds {single} and {index}: the single file is read and the shards are not, as transformers does",
                        dir.display()
                    ));
                }
                return Ok(all);
            }
            if indexed {
                let files = shard_names(&dir.join(index))?;
                return Self::from_parts(files.iter().map(|file| open_part(&dir.join(file))).collect::<Result<_>>()?);
            }
        }
        let found = super::listing(dir);
        Err(Error::Model(format!(
            "{} has no weights: no model.safetensors, pytorch_model.bin or index of shards; it holds {found}",
            dir.display()
        )))
    }

    fn from_parts(parts: Vec<Part>) -> Result<Self> {
        let mut index: HashMap<String, usize> = HashMap::new();
        for (i, part) in parts.iter().enumerate() {
            for name in part.names()? {
                if let Some(first) = index.insert(name.clone(), i) {
                    return Err(Error::Model(format!("the tensor `{name}` is in {} and in {}", parts[first].label(), part.label())));
                }
            }
        }
        Ok(Self { parts, index, notes: Vec::new() })
    }

    /// What was ignored in the folder, in sentences.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Hashes all bytes, part by part.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Io`].
    pub fn hash_into(&self, hasher: &mut blake3::Hasher, control: Control<'_>) -> Result<()> {
        let mut done = 0u64;
        for part in &self.parts {
            for step in part.bytes().chunks(HASH_STEP) {
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
        self.parts
            .iter()
            .find_map(|part| SafeTensors::read_metadata(part.safetensors_bytes()?).ok()?.1.metadata().as_ref()?.get(key).cloned())
    }
}

impl TensorSource for Checkpoint {
    fn get(&self, name: &str) -> Result<Option<Tensor>> {
        self.index.get(name).map(|&part| self.parts[part].tensor(name)).transpose()
    }

    fn names(&self) -> Vec<String> {
        self.index.keys().cloned().collect()
    }

    fn file(&self, name: &str) -> Option<String> {
        self.index.get(name).map(|&part| self.parts[part].label())
    }

    fn place(&self) -> String {
        let first = self.parts.first().map_or_else(|| "the checkpoint".into(), Part::label);
        if self.parts.len() > 1 { format!("{first} and {} more", self.parts.len() - 1) } else { first }
    }
}

impl Part {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Embedded(bytes) => bytes,
            Self::Mapped { map, .. } => map,
            Self::Pickled(pickled) => pickled.bytes(),
        }
    }

    fn safetensors_bytes(&self) -> Option<&[u8]> {
        if matches!(self, Self::Pickled(_)) { None } else { Some(self.bytes()) }
    }

    fn label(&self) -> String {
        match self {
            Self::Embedded(_) => "the bundled weights".into(),
            Self::Mapped { path, .. } => path.display().to_string(),
            Self::Pickled(pickled) => pickled.path().display().to_string(),
        }
    }

    fn safetensors<'a>(&self, bytes: &'a [u8]) -> Result<SafeTensors<'a>> {
        SafeTensors::deserialize(bytes).map_err(|e| Error::Model(format!("{} is damaged or not a safetensors file: {e}", self.label())))
    }

    fn names(&self) -> Result<Vec<String>> {
        match self {
            Self::Pickled(pickled) => Ok(pickled.names().cloned().collect()),
            _ => Ok(self.safetensors(self.bytes())?.names().into_iter().map(str::to_string).collect()),
        }
    }

    fn tensor(&self, name: &str) -> Result<Tensor> {
        let damaged = |why: &dyn std::fmt::Display| Error::Model(format!("{}: the tensor `{name}` cannot be read: {why}", self.label()));
        if let Self::Pickled(pickled) = self {
            return pickled.tensor(name).map_err(|why| damaged(&why));
        }
        let tensors = self.safetensors(self.bytes())?;
        let view = tensors.tensor(name).map_err(|e| damaged(&e))?;
        let dtype = match view.dtype() {
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F64 => DType::F64,
            other => return Err(damaged(&format!("its type is {other:?}; f32, f16 and bf16 can be run"))),
        };
        Tensor::from_raw_buffer(view.data(), dtype, view.shape(), &Device::Cpu).map_err(|e| damaged(&e))
    }
}

fn open_part(path: &Path) -> Result<Part> {
    if path.extension().is_some_and(|e| e == "safetensors") {
        return Ok(Part::Mapped { path: path.into(), map: map_file(path)? });
    }
    Pickled::open(path, map_file(path)?).map(Part::Pickled)
}

fn map_file(path: &Path) -> Result<Mmap> {
    let file = files::open(path, u64::MAX).map_err(json::of_model)?;
    // SAFETY: a checkpoint that another program changes while it is loaded gives wrong weights,
    // which the fingerprint shows; it is only read here.
    let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
    match Instead::of(&map[..map.len().min(HEAD)], true, false).and_then(|instead| instead.in_folder(path)) {
        Some(why) => Err(Error::Model(why)),
        None => Ok(map),
    }
}

/// The files that an index names, each once.
pub(super) fn shard_names(index: &Path) -> Result<Vec<String>> {
    let wrong = |why: String| Error::Model(format!("{}: {why}", index.display()));
    let origin = index.display().to_string();
    let text = json::read(index, INDEX)?.ok_or_else(|| wrong("it is not there".into()))?;
    let json = json::parse(&text, &origin)?;
    let map = json["weight_map"].as_object().ok_or_else(|| wrong("there is no `weight_map`".into()))?;
    let mut files = BTreeSet::new();
    for (tensor, file) in map {
        let Some(file) = file.as_str() else { return Err(wrong(format!("the shard of `{tensor}` is not a name"))) };
        if !super::hub::is_plain_name(file) {
            return Err(wrong(format!("it names a shard outside its folder: `{file}`")));
        }
        files.insert(file);
    }
    if files.is_empty() { Err(wrong("it names no shard".into())) } else { Ok(files.into_iter().map(str::to_string).collect()) }
}
