//! One shard: the states of a few skills in a memory-mapped safetensors file.
//!
//! Tensors: for each layer `ssm.{l} [n, d_inner * d_state]` and `conv.{l} [n, d_inner * (d_conv - 1)]` in f16 or f32, and `dt_sum [n, n_layer,
//! d_inner]` in f32. One layer of all skills is one stretch of memory, because that is what a ranking reads.

use super::StoredAs;
use crate::error::{Error, Result};
use crate::library::Part;
use crate::model::{dot_rows, widen_into};
use crate::state::{State, StateShape};
use half::f16;
use memmap2::Mmap;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::fs::File;
use std::ops::Range;
use std::path::Path;

/// An open shard.
pub struct Shard {
    map: Mmap,
    shape: StateShape,
    rows: usize,
    ssm: Vec<Slot>,
    conv: Vec<Slot>,
    dt_sum: Slot,
}

/// Where a tensor lies in the file.
#[derive(Clone)]
struct Slot {
    bytes: Range<usize>,
    half: bool,
}

/// Rows of one tensor, in the precision they are stored in.
pub enum RowsOf<'a> {
    /// IEEE half precision.
    F16(&'a [f16]),
    /// 32-bit floats.
    F32(&'a [f32]),
}

impl Shard {
    /// Opens and checks a shard: its header, and every tensor's shape and place. The numbers themselves are checked when they are read.
    ///
    /// # Errors
    /// [`Error::Library`] naming the file and what is wrong; [`Error::Io`].
    pub fn open(path: &Path, shape: StateShape, rows: usize) -> Result<Self> {
        let file = File::open(path).map_err(Error::io(path))?;
        // SAFETY: shards are never changed in place (new ones are written beside and renamed), so the map stays what it is.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(path))?;
        let damaged = |why: String| Error::Library(format!("{} is damaged: {why}", path.display()));
        let tensors = SafeTensors::deserialize(&map).map_err(|e| damaged(format!("{e}; the file may be cut short")))?;
        let slot = |name: &str, want: &[usize]| {
            let view = tensors.tensor(name).map_err(|_| damaged(format!("the tensor `{name}` is missing")))?;
            if view.shape() != want {
                return Err(damaged(format!("the tensor `{name}` has shape {:?} instead of {want:?}", view.shape())));
            }
            let (half, align) = match view.dtype() {
                Dtype::F16 => (true, 2),
                Dtype::F32 => (false, 4),
                other => return Err(damaged(format!("the tensor `{name}` has type {other:?}"))),
            };
            let from = view.data().as_ptr() as usize - map.as_ptr() as usize;
            if from % align != 0 {
                return Err(damaged(format!("the tensor `{name}` is not aligned")));
            }
            Ok(Slot { bytes: from..from + view.data().len(), half })
        };
        let layers =
            |name: &str, len: usize| (0..shape.n_layer).map(|l| slot(&format!("{name}.{l}"), &[rows, len])).collect::<Result<Vec<_>>>();
        let (ssm, conv) = (layers("ssm", shape.ssm_len())?, layers("conv", shape.conv_len())?);
        let dt_sum = slot("dt_sum", &[rows, shape.n_layer, shape.d_inner])?;
        if dt_sum.half {
            return Err(damaged("the tensor `dt_sum` must be f32".into()));
        }
        Ok(Self { map, shape, rows, ssm, conv, dt_sum })
    }

    /// Skills in it.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    fn slice(&self, slot: &Slot) -> RowsOf<'_> {
        let bytes = &self.map[slot.bytes.clone()];
        if slot.half {
            // SAFETY: the range was checked to be aligned for f16 and any bits are an f16.
            RowsOf::F16(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / 2) })
        } else {
            // SAFETY: the range was checked to be aligned for f32 and any bits are an f32.
            RowsOf::F32(unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / 4) })
        }
    }

    /// One layer of all skills, `[rows, len]`.
    pub fn layer(&self, part: Part, layer: usize) -> RowsOf<'_> {
        self.slice(match part {
            Part::Ssm => &self.ssm[layer],
            Part::Conv => &self.conv[layer],
        })
    }

    /// One whole state.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a number is not finite.
    pub fn state(&self, row: usize, tokens: u64) -> Result<State> {
        let gather = |slots: &[Slot], len: usize| {
            let mut all = vec![0.0; slots.len() * len];
            for (slot, out) in slots.iter().zip(all.chunks_exact_mut(len)) {
                self.slice(slot).read_row(row, out);
            }
            all
        };
        let n = self.shape.n_layer * self.shape.d_inner;
        let (ssm, conv) = (gather(&self.ssm, self.shape.ssm_len()), gather(&self.conv, self.shape.conv_len()));
        State::new(self.shape, ssm, conv, gather(std::slice::from_ref(&self.dt_sum), n), tokens)
    }
}

impl RowsOf<'_> {
    /// One row, widened.
    pub fn read_row(&self, row: usize, out: &mut [f32]) {
        let at = row * out.len()..(row + 1) * out.len();
        match self {
            Self::F16(rows) => widen_into(&rows[at], out),
            Self::F32(rows) => out.copy_from_slice(&rows[at]),
        }
    }

    /// The dot product of a vector with every row.
    pub fn dot(&self, vector: &[f32], out: &mut [f32]) {
        match self {
            Self::F16(rows) => dot_rows(vector, rows, out),
            Self::F32(rows) => dot_rows(vector, rows, out),
        }
    }
}

/// The bytes of a shard with these states.
///
/// # Errors
/// [`Error::Library`] if they cannot be laid out.
pub fn encode(states: &[State], stored_as: StoredAs) -> Result<Vec<u8>> {
    let Some(shape) = states.first().map(State::shape) else {
        return Err(Error::Library("a shard needs at least one state".into()));
    };
    let fits = states.iter().all(|s| s.ssm().iter().chain(s.conv()).all(|v| v.abs() <= f16::MAX.to_f32()));
    let half = stored_as == StoredAs::F16 && fits;
    let pack = |values: &mut dyn Iterator<Item = f32>| -> Vec<u8> {
        if half { values.flat_map(|v| f16::from_f32(v).to_le_bytes()).collect() } else { values.flat_map(f32::to_le_bytes).collect() }
    };
    let dtype = if half { Dtype::F16 } else { Dtype::F32 };
    let n = states.len();
    let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
    for l in 0..shape.n_layer {
        let ssm = pack(&mut states.iter().flat_map(|s| s.ssm_layer(l)).copied());
        let conv = pack(&mut states.iter().flat_map(|s| s.conv_layer(l)).copied());
        tensors.push((format!("ssm.{l}"), dtype, vec![n, shape.ssm_len()], ssm));
        tensors.push((format!("conv.{l}"), dtype, vec![n, shape.conv_len()], conv));
    }
    let dt: Vec<u8> = states.iter().flat_map(State::dt_sum).flat_map(|v| v.to_le_bytes()).collect();
    tensors.push(("dt_sum".into(), Dtype::F32, vec![n, shape.n_layer, shape.d_inner], dt));
    let wrong = |e: &dyn std::fmt::Display| Error::Library(format!("a shard cannot be laid out: {e}"));
    let mut views = Vec::with_capacity(tensors.len());
    for (name, dtype, shape, data) in &tensors {
        views.push((name, TensorView::new(*dtype, shape.clone(), data).map_err(|e| wrong(&e))?));
    }
    safetensors::serialize(views, None).map_err(|e| wrong(&e))
}
