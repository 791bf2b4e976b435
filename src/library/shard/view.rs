//! Borrowed entries of states in their stored type.

use half::f16;
use half::slice::HalfFloatSliceExt;
use std::ops::Range;

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
