//! One shard: a batch of states in a safetensors file, written in one pass and read through a
//! memory map.

use super::disk::{Disk, DiskFile};
use super::manifest::ShardEntry;
use super::types::{ModelIdentity, Part, SkillMeta, StoredType};
use crate::error::{Error, Result};
use crate::simd::Stored;
use crate::state::{Layout, State};
use half::f16;
use half::slice::HalfFloatSliceExt;
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

// Safetensors are little-endian, and the map is read as it lies.
const _: () = assert!(cfg!(target_endian = "little"), "a library can only be mapped on a little-endian machine");

/// Tensors start at multiples of this where the state's sizes allow it: a cache line, and the
/// widest vector register.
const ALIGN: usize = 64;

/// The largest magnitude half precision holds.
const F16_MAX: f32 = 65504.0;

/// Borrowed entries of one or several states in their stored type.
#[derive(Clone, Copy, Debug)]
pub enum LayerView<'a> {
    /// Half precision.
    F16(&'a [f16]),
    /// Single precision.
    F32(&'a [f32]),
}

impl LayerView<'_> {
    /// The number of entries.
    pub fn len(&self) -> usize {
        match self {
            Self::F16(x) => x.len(),
            Self::F32(x) => x.len(),
        }
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries in this range.
    ///
    /// # Panics
    /// If the range is not within [`Self::len`].
    #[must_use]
    pub fn slice(self, range: Range<usize>) -> Self {
        match self {
            Self::F16(x) => Self::F16(&x[range]),
            Self::F32(x) => Self::F32(&x[range]),
        }
    }

    /// Copies the entries as f32.
    ///
    /// # Panics
    /// If `out` has another length.
    pub fn copy_to(&self, out: &mut [f32]) {
        match self {
            Self::F16(x) => x.convert_to_f32_slice(out),
            Self::F32(x) => out.copy_from_slice(x),
        }
    }

    /// Whether every entry is a finite number.
    pub fn is_finite(&self) -> bool {
        // No early exit, so that the compiler vectorises the loop.
        match self {
            Self::F16(x) => x.iter().fold(true, |all, v| all & (v.to_bits() & 0x7c00 != 0x7c00)),
            Self::F32(x) => x.iter().fold(true, |all, v| all & v.is_finite()),
        }
    }

    /// The entries as f32.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.len()];
        self.copy_to(&mut out);
        out
    }
}

/// Number of entries of one skill in one layer.
pub(super) fn part_len(shape: &Layout, part: Part) -> usize {
    match part {
        Part::Ssm => shape.memory.len(),
        Part::Conv => shape.window.len(),
    }
}

/// Whether half precision holds every entry of the state (SSM state and window; ΣΔ is always stored
/// as f32).
pub(super) fn fits_f16(state: &State) -> bool {
    state.ssm().iter().chain(state.conv()).all(|v| v.abs() <= F16_MAX)
}

/// The version in a shard's metadata; readers do not depend on it.
const VERSION: u64 = 1;

/// Name, type and shape of every tensor of a shard, in file order.
fn layout(shape: &Layout, dtype: StoredType, n: usize) -> Vec<(String, StoredType, Vec<usize>)> {
    let mut tensors = vec![(shape.sidecar.name.to_owned(), StoredType::F32, [&[n, shape.n_layer], shape.sidecar.shape()].concat())];
    for part in [shape.memory, shape.window] {
        tensors.extend((0..shape.n_layer).map(|l| (format!("{}.{l}", part.name), dtype, [&[n], part.shape()].concat())));
    }
    tensors
}

fn dtype_name(dtype: StoredType) -> &'static str {
    match dtype {
        StoredType::F16 => "F16",
        StoredType::F32 => "F32",
    }
}

/// The safetensors header, padded with spaces so that the data begins at a multiple of [`ALIGN`].
fn header(model: &ModelIdentity, dtype: StoredType, skills: &[(&SkillMeta, &State)]) -> Vec<u8> {
    let ids: Vec<&str> = skills.iter().map(|(m, _)| m.id.as_str()).collect();
    let mut head = Map::new();
    let about = json!({"format": "state-soup shard", "version": VERSION.to_string(), "model": model.fingerprint,
        "tokenizer": model.tokenizer_hash, "skills": json!(ids).to_string()});
    head.insert("__metadata__".into(), about);
    let mut at = 0;
    for (name, dtype, dims) in layout(&model.layout, dtype, skills.len()) {
        let end = at + dims.iter().product::<usize>() * dtype.size();
        head.insert(name, json!({"dtype": dtype_name(dtype), "shape": dims, "data_offsets": [at, end]}));
        at = end;
    }
    let mut text = Value::Object(head).to_string().into_bytes();
    let padded = (8 + text.len()).next_multiple_of(ALIGN) - 8;
    text.resize(padded, b' ');
    let mut out = (text.len() as u64).to_le_bytes().to_vec();
    out.append(&mut text);
    out
}

/// Counts and hashes the bytes that are written to the file.
struct Hashing {
    file: Box<dyn DiskFile>,
    hash: blake3::Hasher,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Hashing {
    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn put_floats(&mut self, values: &[f32], dtype: StoredType) -> io::Result<()> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        match dtype {
            StoredType::F32 => buffer.extend(values.iter().flat_map(|v| v.to_le_bytes())),
            StoredType::F16 => {
                let mut halves = vec![f16::ZERO; values.len()];
                halves.convert_from_f32_slice(values);
                buffer.extend(halves.iter().flat_map(|v| v.to_le_bytes()));
            }
        }
        let done = self.put(&buffer);
        self.buffer = buffer;
        done
    }
}

/// Writes a batch of states as `file` in `dir`: under a temporary name first, synced, renamed, and
/// the folder synced.
pub(super) fn write(
    disk: &dyn Disk,
    dir: &Path,
    file: &str,
    model: &ModelIdentity,
    dtype: StoredType,
    skills: &[(&SkillMeta, &State)],
) -> Result<ShardEntry> {
    let (tmp, path) = (dir.join(format!("{file}.tmp")), dir.join(file));
    let out = disk.create(&tmp).map_err(Error::io(&tmp))?;
    let mut out = Hashing { file: out, hash: blake3::Hasher::new(), bytes: 0, buffer: Vec::new() };
    write_all(&mut out, model, dtype, skills).and_then(|()| out.file.flush()).and_then(|()| out.file.sync()).map_err(Error::io(&tmp))?;
    let (bytes, blake3) = (out.bytes, out.hash.finalize().to_hex().to_string());
    drop(out);
    disk.rename(&tmp, &path).map_err(Error::io(&path))?;
    disk.sync_dir(dir).map_err(Error::io(dir))?;
    Ok(ShardEntry { file: file.to_owned(), bytes, blake3, skills: skills.len(), dtype })
}

fn write_all(out: &mut Hashing, model: &ModelIdentity, dtype: StoredType, skills: &[(&SkillMeta, &State)]) -> io::Result<()> {
    out.put(&header(model, dtype, skills))?;
    for (_, s) in skills {
        out.put_floats(s.dt_sum(), StoredType::F32)?;
    }
    for l in 0..model.layout.n_layer {
        for (_, s) in skills {
            out.put_floats(s.ssm_layer(l), dtype)?;
        }
    }
    for l in 0..model.layout.n_layer {
        for (_, s) in skills {
            out.put_floats(s.conv_layer(l), dtype)?;
        }
    }
    Ok(())
}

/// Where a state holds NaN or infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The faulty part: `SSM state`, `convolution window` or `ΣΔ`.
    pub what: &'static str,
    /// The first faulty layer of that part.
    pub layer: usize,
}

impl Fault {
    fn of(part: Part, layer: usize) -> Self {
        Self { what: if part == Part::Ssm { "SSM state" } else { "convolution window" }, layer }
    }
}

/// An open shard.
#[derive(Debug)]
pub(super) struct Shard {
    pub entry: ShardEntry,
    path: PathBuf,
    shape: Layout,
    /// The mapped file; its length is checked before the map is read.
    mapped: File,
    map: Mmap,
    /// Byte range of each tensor in the map, in [`layout`]'s order.
    tensors: Vec<Range<usize>>,
    /// Euclidean norms of its skills, by part and layer, computed on first use.
    norms: Vec<OnceLock<Vec<f64>>>,
    /// What [`Self::fault`] found for each skill, computed on first use.
    faults: Vec<OnceLock<Option<Fault>>>,
}

impl Shard {
    /// Maps a shard and checks its length and the name, type, shape and alignment of every tensor.
    /// The error is a sentence for the warnings.
    pub fn open(dir: &Path, entry: &ShardEntry, shape: Layout) -> Result<Self, String> {
        let path = dir.join(&entry.file);
        let say = |what: String| format!("the shard {} {what}", path.display());
        let file = File::open(&path).map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => say("is missing".into()),
            _ => say(format!("can not be opened: {e}")),
        })?;
        let length = file.metadata().map_err(|e| say(format!("can not be examined: {e}")))?.len();
        if length != entry.bytes {
            return Err(say(format!("is {length} bytes long, the manifest says {}", entry.bytes)));
        }
        // SAFETY: this program never changes shards in place: they are created by rename and
        // removed by unlink, which leaves an existing map intact. Another program may truncate a
        // mapped file. So the length is checked before every read ([`Shard::cut_short`]), and a
        // truncation between that check and the read ends the process with a message
        // ([`super::fault`]).
        let map = unsafe { Mmap::map(&file) }.map_err(|e| say(format!("can not be mapped: {e}")))?;
        let (head, metadata) = SafeTensors::read_metadata(&map).map_err(|e| say(format!("is not a whole safetensors file: {e}")))?;
        let mut tensors = Vec::new();
        for (name, dtype, dims) in layout(&shape, entry.dtype, entry.skills) {
            let info = metadata.info(&name).ok_or_else(|| say(format!("has no tensor `{name}`")))?;
            let want = match dtype {
                StoredType::F16 => Dtype::F16,
                StoredType::F32 => Dtype::F32,
            };
            if info.dtype != want || info.shape != dims {
                let found = format!("{:?} {:?}", info.dtype, info.shape);
                return Err(say(format!("holds `{name}` as {found}; the model and the manifest need {want:?} {dims:?}")));
            }
            let range = 8 + head + info.data_offsets.0..8 + head + info.data_offsets.1;
            if range.start % dtype.size() != 0 {
                return Err(say(format!("holds `{name}` at byte {}, which is not a multiple of {}", range.start, dtype.size())));
            }
            tensors.push(range);
        }
        let norms = (0..2 * shape.n_layer).map(|_| OnceLock::new()).collect();
        let faults = (0..entry.skills).map(|_| OnceLock::new()).collect();
        Ok(Self { entry: entry.clone(), path, shape, mapped: file, map, tensors, norms, faults })
    }

    /// A sentence if the file was cut short since it was mapped, because then reading the map would
    /// end the process. Costs one system call.
    pub fn cut_short(&self) -> Option<String> {
        let length = self.mapped.metadata().map_or(0, |about| about.len());
        let path = self.path.display();
        (length < self.map.len() as u64)
            .then(|| format!("the shard {path} was cut short while it was open: it has {length} bytes of {}", self.map.len()))
    }

    /// All its skills in one layer, `[n, entries]`.
    pub fn layer(&self, part: Part, layer: usize) -> LayerView<'_> {
        let tensor = match part {
            Part::Ssm => 1 + layer,
            Part::Conv => 1 + self.shape.n_layer + layer,
        };
        let bytes = &self.map[self.tensors[tensor].clone()];
        match self.entry.dtype {
            StoredType::F16 => LayerView::F16(cast(bytes)),
            StoredType::F32 => LayerView::F32(cast(bytes)),
        }
    }

    /// One skill in one layer.
    pub fn row(&self, part: Part, layer: usize, index: usize) -> LayerView<'_> {
        let n = part_len(&self.shape, part);
        self.layer(part, layer).slice(index * n..(index + 1) * n)
    }

    /// Euclidean norms of its skills in one layer; NaN for a state that holds NaN or infinity. They
    /// are summed in f64, so no finite f32 overflows, and cached, because a shard never changes.
    pub fn norms(&self, part: Part, layer: usize) -> &[f64] {
        let at = if part == Part::Ssm { layer } else { self.shape.n_layer + layer };
        self.norms[at].get_or_init(|| {
            let mut row = vec![0.0f32; part_len(&self.shape, part)];
            let norm = |i| {
                self.row(part, layer, i).copy_to(&mut row);
                let sum = sum_of_squares(row.iter().map(|&v| f64::from(v)));
                if sum.is_finite() { sum.sqrt() } else { f64::NAN }
            };
            (0..self.entry.skills).map(norm).collect()
        })
    }

    /// Where a skill was found to hold NaN or infinity, by [`Self::fault`] or by the norms computed
    /// so far.
    pub fn found_damaged(&self, index: usize) -> Option<Fault> {
        self.known_fault(index).or_else(|| {
            let at = self.norms.iter().position(|n| n.get().is_some_and(|n| n[index].is_nan()))?;
            let layers = self.shape.n_layer;
            Some(if at < layers { Fault::of(Part::Ssm, at) } else { Fault::of(Part::Conv, at - layers) })
        })
    }

    /// Where a skill's state holds NaN or infinity. Reads the whole state on first use and caches
    /// the result, because a shard never changes. Does not read a file that was cut short.
    pub fn fault(&self, index: usize) -> Option<Fault> {
        // The cache comes first: to ask the file for its length is a system call.
        if let Some(known) = self.faults[index].get() {
            return *known;
        }
        if self.cut_short().is_some() {
            return None;
        }
        *self.faults[index].get_or_init(|| {
            let layers = 0..self.shape.n_layer;
            let parts = [Part::Ssm, Part::Conv].into_iter().flat_map(|part| layers.clone().map(move |layer| (part, layer)));
            let found = parts.into_iter().find(|&(part, layer)| !self.row(part, layer, index).is_finite());
            found.map(|(part, layer)| Fault::of(part, layer)).or_else(|| {
                let at = self.dt_sum(index).iter().position(|v| !v.is_finite())?;
                Some(Fault { what: "ΣΔ", layer: at / self.shape.sidecar.len().max(1) })
            })
        })
    }

    /// What [`Self::fault`] has found so far.
    pub fn known_fault(&self, index: usize) -> Option<Fault> {
        self.faults[index].get().copied().flatten()
    }

    /// The warning about a skill that is left out because of a fault in its state.
    pub fn sentence(&self, id: &str, index: usize, fault: Fault) -> String {
        let (Fault { what, layer }, file) = (fault, &self.entry.file);
        format!("the {what} of {id} holds NaN or infinity in layer {layer} (number {index} of {file}); it is left out")
    }

    /// The whole state of one skill, as f32.
    pub fn state(&self, index: usize, tokens: u64) -> Result<State> {
        let shape = self.shape;
        let gather = |part| {
            let n = part_len(&shape, part);
            let mut all = vec![0.0f32; shape.n_layer * n];
            for (l, out) in all.chunks_exact_mut(n.max(1)).enumerate() {
                self.row(part, l, index).copy_to(out);
            }
            all
        };
        State::new(shape, gather(Part::Ssm), gather(Part::Conv), self.dt_sum(index).to_vec(), tokens)
            .map_err(|e| Error::Library(format!("number {index} of the shard {} is damaged: {e}", self.path.display())))
    }

    /// One skill's ΣΔ, `[n_layer, d_inner]`.
    pub fn dt_sum(&self, index: usize) -> &[f32] {
        let n = self.shape.n_layer * self.shape.sidecar.len();
        &cast::<f32>(&self.map[self.tensors[0].clone()])[index * n..(index + 1) * n]
    }

    /// Reads the whole file and compares its hash with the manifest's. Calls `seen` with the number
    /// of bytes read so far, after every MiB.
    ///
    /// # Errors
    /// Those of `seen`.
    pub fn hash_is_right(&self, seen: &mut dyn FnMut(u64) -> Result<()>) -> Result<bool> {
        /// Bytes between two calls of `seen`: about a millisecond of reading.
        const STEP: usize = 1 << 20;
        let mut hash = blake3::Hasher::new();
        for piece in self.map.chunks(STEP) {
            if self.cut_short().is_some() {
                return Ok(false);
            }
            hash.update(piece);
            seen(hash.count())?;
        }
        Ok(hash.finalize().to_hex().as_str() == self.entry.blake3)
    }
}

/// Σ v² in eight interleaved sums, because in a single sum each addition waits for the one before
/// it.
pub(super) fn sum_of_squares(values: impl Iterator<Item = f64>) -> f64 {
    let mut sums = [0.0; 8];
    for (i, v) in values.enumerate() {
        sums[i % 8] += v * v;
    }
    sums.iter().sum()
}

/// Bytes as numbers. Offsets were checked when the shard was opened, and a map begins on a page, so
/// no bytes are left over.
fn cast<T: Stored>(bytes: &[u8]) -> &[T] {
    // SAFETY: any bytes are a valid `Stored`, and `align_to` returns aligned, whole elements only.
    let (before, values, after) = unsafe { bytes.align_to::<T>() };
    debug_assert!(before.is_empty() && after.is_empty());
    values
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_padded_and_data_begins_on_a_cache_line() {
        let shape = Layout::mamba1(3, 32, 16, 4);
        let model = ModelIdentity {
            name: "m".into(),
            fingerprint: "f".into(),
            tokenizer_hash: "t".into(),
            bos: None,
            weights: None,
            layout: shape,
        };
        let state = State::zeros(shape);
        let meta = crate::library::tests::meta("a/0");
        let head = header(&model, StoredType::F16, &[(&meta, &state), (&meta, &state)]);
        assert_eq!(head.len() % ALIGN, 0);
        assert_eq!(u64::from_le_bytes(head[..8].try_into().unwrap()) as usize, head.len() - 8);
        let value: Value = serde_json::from_slice(&head[8..]).unwrap();
        assert_eq!(value["ssm.2"]["shape"], json!([2, 32, 16]));
        let start = |name: &str| value[name]["data_offsets"][0].as_u64().unwrap() as usize;
        for name in ["dt_sum", "ssm.0", "ssm.1", "ssm.2", "conv.0", "conv.1"] {
            assert_eq!(start(name) % ALIGN, 0, "{name}");
        }
    }
}
