//! PyTorch's `.bin`: a zip file of numbers and one pickle that says which are which. The pickle is
//! read as data. Nothing in it is run, nothing is copied twice, and nothing recurses, so reading
//! takes at most some dozen times the pickle's length in memory, and that length is bounded.

use super::unpickle::Machine;
use crate::error::{Error, Result};
use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::ops::Range;
use std::path::{Path, PathBuf};
use zip::{CompressionMethod, ZipArchive};

/// The most bytes of a pickle: that of a model with a thousand layers has two million.
const LONGEST: usize = 16 << 20;

/// A checkpoint of PyTorch's, mapped.
pub struct Pickled {
    path: PathBuf,
    map: Mmap,
    tensors: BTreeMap<String, Stored>,
}

/// Where a tensor's numbers are.
pub(super) struct Stored {
    pub(super) dtype: DType,
    /// Its storage, in bytes of the file.
    pub(super) storage: Range<usize>,
    /// Its first number, in numbers from the storage's beginning.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) stride: Vec<usize>,
}

impl Pickled {
    /// Reads the names; the numbers stay in the file.
    ///
    /// # Errors
    /// [`Error::Model`] naming the file, if it is not a checkpoint of tensors, or has the format
    /// before PyTorch 1.6.
    pub fn open(path: &Path, map: Mmap) -> Result<Self> {
        let wrong = |why: String| Error::Model(format!("{} is damaged or not a PyTorch checkpoint: {why}", path.display()));
        // A pickle of version 2 whose first value is the long integer 0x1950a86a20f9469cfc6c.
        if map.starts_with(&[0x80, 2, 0x8a, 10]) {
            return Err(Error::Model(format!(
                "{} is a PyTorch checkpoint in the format before 1.6, which cannot be read; this command converts it: \
                 python -c \"import torch; p = '{0}'; torch.save(torch.load(p, map_location='cpu', weights_only=True), p)\"",
                path.display()
            )));
        }
        let files = entries(&map).map_err(wrong)?;
        let pickles: Vec<&String> = files.keys().filter(|name| name.ends_with("/data.pkl") || *name == "data.pkl").collect();
        let [pickle] = pickles[..] else {
            return Err(wrong(format!("it holds {} files named data.pkl; there must be one", pickles.len())));
        };
        let root = pickle.strip_suffix("data.pkl").unwrap_or_default();
        if let Some(order) = files.get(&format!("{root}byteorder"))
            && &map[order.clone()] != b"little"
        {
            return Err(wrong("its numbers are not little-endian".into()));
        }
        let text = &map[files[pickle].clone()];
        if text.len() > LONGEST {
            return Err(wrong(format!("its data.pkl has {} bytes; at most {LONGEST} are read", text.len())));
        }
        let storage = |key: &str| files.get(&format!("{root}data/{key}")).cloned();
        let tensors = Machine::run(text).and_then(|machine| machine.tensors(&storage)).map_err(wrong)?;
        if tensors.is_empty() {
            return Err(Error::Model(format!("{} holds no tensor", path.display())));
        }
        Ok(Self { path: path.into(), map, tensors })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All bytes of the file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Names of the tensors.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.tensors.keys()
    }

    /// One tensor.
    ///
    /// # Errors
    /// What is wrong with it, without names.
    pub fn tensor(&self, name: &str) -> std::result::Result<Tensor, String> {
        let stored = self.tensors.get(name).ok_or("it is not there")?;
        let numbers = &self.map[stored.storage.clone()];
        let bytes = stored.gathered(numbers)?;
        Tensor::from_raw_buffer(&bytes, stored.dtype, &stored.shape, &Device::Cpu).map_err(|e| e.to_string())
    }
}

impl Stored {
    /// Its numbers in order, gathered from its storage.
    fn gathered<'n>(&self, numbers: &'n [u8]) -> std::result::Result<std::borrow::Cow<'n, [u8]>, String> {
        let size = self.dtype.size_in_bytes();
        let there = numbers.len() / size;
        let beyond = || format!("its shape {:?} reaches beyond its storage of {there} numbers", self.shape);
        let count = self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n <= there).ok_or_else(beyond)?;
        if count == 0 {
            return Ok((&[][..]).into());
        }
        let reach = self.shape.iter().zip(&self.stride).try_fold(self.offset, |at, (&d, &s)| at.checked_add(s.checked_mul(d - 1)?));
        if reach.is_none_or(|last| last >= there) {
            return Err(beyond());
        }
        let mut dense = 1;
        let contiguous = self.shape.iter().zip(&self.stride).rev().all(|(&d, &s)| {
            let fits = d == 1 || s == dense;
            dense *= d;
            fits
        });
        if contiguous {
            return Ok((&numbers[self.offset * size..(self.offset + count) * size]).into());
        }
        let mut out = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            let at = self.offset + index.iter().zip(&self.stride).map(|(i, s)| i * s).sum::<usize>();
            out.extend_from_slice(&numbers[at * size..(at + 1) * size]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        Ok(out.into())
    }
}

/// Where the bytes of the files in a zip file lie; all must be stored uncompressed.
fn entries(map: &[u8]) -> std::result::Result<BTreeMap<String, Range<usize>>, String> {
    let mut zip = ZipArchive::new(Cursor::new(map)).map_err(|e| e.to_string())?;
    let mut files = BTreeMap::new();
    let mut total = 0u64;
    for i in 0..zip.len() {
        let entry = zip.by_index_raw(i).map_err(|e| e.to_string())?;
        let name = entry.name().map_err(|e| e.to_string())?.into_owned();
        if entry.compression() != CompressionMethod::Stored || entry.encrypted() || entry.size() != entry.compressed_size() {
            return Err(format!("its file `{name}` is compressed, which PyTorch never does"));
        }
        total = total.saturating_add(entry.size());
        if total > map.len() as u64 {
            return Err("the files in it are longer than the file itself".into());
        }
        let start = entry.data_start().and_then(|s| usize::try_from(s).ok()).ok_or("its table of files is damaged")?;
        let end = start.checked_add(entry.size() as usize).filter(|&end| end <= map.len()).ok_or("a file in it ends beyond its end")?;
        if files.insert(name.clone(), start..end).is_some() {
            return Err(format!("it holds two files named `{name}`"));
        }
    }
    Ok(files)
}
