//! An open shard: read through a memory map, checked for its length and for numbers that are not
//! finite.

use super::view::LayerView;
use super::{layout, part_len};
use crate::error::{Error, Result};
use crate::library::manifest::ShardEntry;
use crate::library::types::{Part, StoredType};
use crate::simd::Stored;
use crate::state::{Layout, State};
use memmap2::Mmap;
use safetensors::{Dtype, SafeTensors};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

// Safetensors are little-endian, and the map is read as it lies.
const _: () = assert!(cfg!(target_endian = "little"), "a library can only be mapped on a little-endian machine");

/// Where a state holds NaN or infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
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
pub struct Shard {
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
            _ => say(format!("cannot be opened: {e}")),
        })?;
        let length = file.metadata().map_err(|e| say(format!("cannot be examined: {e}")))?.len();
        if length != entry.bytes {
            return Err(say(format!("is {length} bytes long, the manifest says {}", entry.bytes)));
        }
        // SAFETY: this program never changes shards in place: they are created by rename and
        // removed by unlink, which leaves an existing map intact. Another program may truncate a
        // mapped file. So the length is checked before every read ([`Shard::cut_short`]), and a
        // truncation between that check and the read ends the process with a message
        // ([`crate::library::fault`]).
        let map = unsafe { Mmap::map(&file) }.map_err(|e| say(format!("cannot be mapped: {e}")))?;
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
pub fn sum_of_squares(values: impl Iterator<Item = f64>) -> f64 {
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
