//! Numbers in their stored precision.

use super::{LANES, Lanes};
use half::{bf16, f16};

/// A stored number that widens to f32.
///
/// # Safety
/// Any bytes of the type's size are a valid value, and zero bytes are the number 0.
pub unsafe trait Stored: Copy + Send + Sync {
    /// Widens sixteen numbers to lanes.
    ///
    /// # Safety
    /// As [`Lanes`].
    unsafe fn widen<V: Lanes>(chunk: &[Self; LANES]) -> V;
    /// Widens one number.
    fn one(self) -> f32;
}

// SAFETY: every bit pattern is a valid IEEE float.
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

// SAFETY: every bit pattern is a valid bfloat16.
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

// SAFETY: every bit pattern is a valid IEEE float.
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
