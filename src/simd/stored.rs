//! Numbers in the precision they are kept in.

use super::{LANES, Lanes};
use half::{bf16, f16};

/// A stored number that widens to f32.
///
/// # Safety
/// Any bytes of its size are one, and zero bytes are zero.
pub unsafe trait Stored: Copy + Send + Sync {
    /// Sixteen of them.
    ///
    /// # Safety
    /// As [`Lanes`].
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V;
    /// One of them.
    fn one(self) -> f32;
}

// SAFETY: a float of IEEE's format has a meaning for all bits.
unsafe impl Stored for f32 {
    #[inline(always)]
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V {
        // SAFETY: promised by the caller.
        unsafe { V::load(chunk) }
    }
    #[inline(always)]
    fn one(self) -> f32 {
        self
    }
}

// SAFETY: a float of bfloat16's format has a meaning for all bits.
unsafe impl Stored for bf16 {
    #[inline(always)]
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V {
        // SAFETY: promised by the caller.
        unsafe { V::load_bf16(chunk) }
    }
    #[inline(always)]
    fn one(self) -> f32 {
        self.to_f32()
    }
}

// SAFETY: a float of IEEE's format has a meaning for all bits.
unsafe impl Stored for f16 {
    #[inline(always)]
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V {
        // SAFETY: promised by the caller.
        unsafe { V::load_f16(chunk) }
    }
    #[inline(always)]
    fn one(self) -> f32 {
        self.to_f32()
    }
}
