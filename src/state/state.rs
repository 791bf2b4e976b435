//! The recurrent state of a Mamba after reading a text.

use super::Layout;
use crate::error::{Error, Result};
use rayon::prelude::*;
use std::mem::MaybeUninit;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// A recurrent state: SSM states, convolution windows, decay sidecar and token count, for all
/// layers. f32, host memory, immutable and cheap to clone. Mixing makes a new state.
///
/// Layouts, all contiguous: `ssm [n_layer, d_inner, d_state]`; `conv [n_layer, d_inner, d_conv -
/// 1]`, oldest input first (no ring phase); `dt_sum [n_layer, d_inner]`, the ΣΔ since the state
/// that reading started from.
///
/// ```
/// use state_soup::state::{Layout, State};
///
/// let shape = Layout::mamba1(2, 3, 2, 4);
/// let empty = State::zeros(shape);
/// assert_eq!((empty.ssm().len(), empty.conv().len(), empty.dt_sum().len()), (12, 18, 6));
///
/// let state = State::new(shape, vec![2.0; 12], vec![0.0; 18], vec![0.1; 6], 5)?;
/// assert_eq!(state.ssm_layer(1), [2.0; 6]);
/// assert!((state.ssm_norm(1) - 24.0_f32.sqrt()).abs() < 1e-6);
/// # Ok::<(), state_soup::error::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    shape: Layout,
    ssm: Floats,
    conv: Floats,
    dt_sum: Floats,
    tokens: u64,
}

/// Borrowed memory that a state may lie in: that of a device, which copies into it and reuses it
/// when the last state in it is dropped.
pub trait Memory: Send + Sync {
    /// All of its numbers.
    fn floats(&self) -> &[f32];
}

/// Immutable numbers, owned or borrowed.
#[derive(Clone)]
enum Floats {
    Own(Arc<[f32]>),
    Lent(Arc<dyn Memory>, Range<usize>),
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Own(floats) => floats,
            Self::Lent(memory, range) => &memory.floats()[range.clone()],
        }
    }
}

impl PartialEq for Floats {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl std::fmt::Debug for Floats {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl From<Vec<f32>> for Floats {
    fn from(floats: Vec<f32>) -> Self {
        Self::Own(floats.into())
    }
}

/// Numbers per piece of work of a thread; up to this many are copied by the caller alone.
const PIECE: usize = 1 << 18;

/// A copy, or `None` if a number is not finite. Large states (26 MB with 2.8 billion parameters)
/// are copied by all threads, because most of the time goes into allocating the pages of the copy.
fn copied(data: &[f32]) -> Option<Arc<[f32]>> {
    let mut copy = Arc::new_uninit_slice(data.len());
    let to = Arc::get_mut(&mut copy)?;
    let finite = |to: &mut [MaybeUninit<f32>], from: &[f32]| {
        // No early exit, so that the compiler vectorises the loop.
        to.iter_mut().zip(from).fold(true, |all, (to, v)| all & to.write(*v).is_finite())
    };
    let all = if data.len() <= PIECE {
        finite(to, data)
    } else {
        to.par_chunks_mut(PIECE).zip(data.par_chunks(PIECE)).map(|(to, from)| finite(to, from)).reduce(|| true, |a, b| a & b)
    };
    // SAFETY: every number was written above.
    all.then(|| unsafe { copy.assume_init() })
}

impl State {
    /// The empty state: nothing read.
    pub fn zeros(shape: Layout) -> Self {
        Self {
            shape,
            ssm: vec![0.0; shape.n_layer * shape.memory.len()].into(),
            conv: vec![0.0; shape.n_layer * shape.window.len()].into(),
            dt_sum: vec![0.0; shape.n_layer * shape.sidecar.len()].into(),
            tokens: 0,
        }
    }

    /// A state from its arrays.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if a length is wrong, or an entry is NaN or infinite (the message names
    /// it).
    pub fn new(shape: Layout, ssm: Vec<f32>, conv: Vec<f32>, dt_sum: Vec<f32>, tokens: u64) -> Result<Self> {
        Self::from_slices(shape, &ssm, &conv, &dt_sum, tokens)
    }

    /// The same from borrowed arrays.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn from_slices(shape: Layout, ssm: &[f32], conv: &[f32], dt_sum: &[f32], tokens: u64) -> Result<Self> {
        let parts = [("ssm", ssm, shape.memory.len()), ("conv", conv, shape.window.len()), ("dt_sum", dt_sum, shape.sidecar.len())];
        for (name, data, layer_len) in parts {
            let want = shape.n_layer * layer_len;
            if data.len() != want {
                return Err(Error::Mismatch(format!("state part `{name}` has {} entries, its shape ({shape}) needs {want}", data.len())));
            }
        }
        let [ssm_copy, conv_copy, dt_copy] = [ssm, conv, dt_sum].map(copied);
        for ((name, data, layer_len), copy) in parts.into_iter().zip([&ssm_copy, &conv_copy, &dt_copy]) {
            if copy.is_none()
                && let Some(i) = data.iter().position(|v| !v.is_finite())
            {
                return Err(Error::Mismatch(format!(
                    "state part `{name}` holds {} in layer {}, entry {}",
                    data[i],
                    i / layer_len,
                    i % layer_len
                )));
            }
        }
        let whole = |copy: Option<Arc<[f32]>>| Floats::Own(copy.unwrap_or_default());
        Ok(Self { shape, ssm: whole(ssm_copy), conv: whole(conv_copy), dt_sum: whole(dt_copy), tokens })
    }

    /// A state in borrowed memory, which holds SSM states, windows and ΣΔ one after the other. The
    /// caller must know that all numbers are finite.
    ///
    /// # Errors
    /// [`Error::Mismatch`] if the memory has another size.
    pub fn lent(shape: Layout, memory: Arc<dyn Memory>, tokens: u64) -> Result<Self> {
        let (ssm, conv) = (shape.n_layer * shape.memory.len(), shape.n_layer * shape.window.len());
        let (have, want) = (memory.floats().len(), shape.total_len());
        if have != want {
            return Err(Error::Mismatch(format!("memory of {have} numbers is not a state of {shape}, which has {want}")));
        }
        let part = |range| Floats::Lent(Arc::clone(&memory), range);
        Ok(Self { shape, ssm: part(0..ssm), conv: part(ssm..ssm + conv), dt_sum: part(ssm + conv..want), tokens })
    }

    /// The layout.
    pub fn shape(&self) -> Layout {
        self.shape
    }

    /// Tokens read, summed over everything mixed into the state.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// SSM states of all layers, `[n_layer, d_inner, d_state]`.
    pub fn ssm(&self) -> &[f32] {
        &self.ssm
    }

    /// Convolution windows of all layers, `[n_layer, d_inner, d_conv - 1]`, oldest input first.
    pub fn conv(&self) -> &[f32] {
        &self.conv
    }

    /// ΣΔ of all layers, `[n_layer, d_inner]`.
    pub fn dt_sum(&self) -> &[f32] {
        &self.dt_sum
    }

    /// SSM state of one layer, `[d_inner, d_state]`.
    pub fn ssm_layer(&self, layer: usize) -> &[f32] {
        let n = self.shape.memory.len();
        &self.ssm[layer * n..(layer + 1) * n]
    }

    /// Convolution window of one layer, `[d_inner, d_conv - 1]`.
    pub fn conv_layer(&self, layer: usize) -> &[f32] {
        let n = self.shape.window.len();
        &self.conv[layer * n..(layer + 1) * n]
    }

    /// ΣΔ of one layer, `[d_inner]`.
    pub fn dt_sum_layer(&self, layer: usize) -> &[f32] {
        let n = self.shape.sidecar.len();
        &self.dt_sum[layer * n..(layer + 1) * n]
    }

    /// Euclidean norm of one layer's SSM state.
    pub fn ssm_norm(&self, layer: usize) -> f32 {
        self.ssm_layer(layer).iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt() as f32
    }
}
