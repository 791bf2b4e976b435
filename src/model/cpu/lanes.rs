//! Sixteen floats as one value: an AVX-512 register, two AVX registers, or a plain array. Kernels are written once over the [`Lanes`] trait and
//! compiled for each; the compiler cannot be trusted to find this by itself (it spills, and leaves half of a 512-bit machine unused).

use super::LANES;
use half::{bf16, f16};

/// Sixteen floats that are worked on together.
///
/// # Safety
/// Every method may only be called where the processor has what the type is made of (`simd!` picks the type after asking).
pub trait Lanes: Copy {
    /// Whether there are registers for a dozen rows of sums at once.
    const MANY: bool = false;
    unsafe fn splat(v: f32) -> Self;
    unsafe fn load(from: &[f32; LANES]) -> Self;
    unsafe fn load_f16(from: &[f16; LANES]) -> Self;
    unsafe fn load_bf16(from: &[bf16; LANES]) -> Self;
    unsafe fn store(self, to: &mut [f32; LANES]);
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn sub(self, b: Self) -> Self;
    unsafe fn mul(self, b: Self) -> Self;
    unsafe fn div(self, b: Self) -> Self;
    unsafe fn max(self, b: Self) -> Self;
    unsafe fn min(self, b: Self) -> Self;
    /// `self · b + c`.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// The nearest whole number.
    unsafe fn round(self) -> Self;
    /// `self · 2^k` for a whole k of −126 to 127.
    unsafe fn scale(self, k: Self) -> Self;

    /// `(k, r)` with self = k + r, k whole and for [`Lanes::scale`], |r| ≤ ½; what is below −125 may count as −125.
    #[inline(always)]
    unsafe fn split(self) -> (Self, Self) {
        // SAFETY: promised by the caller.
        unsafe {
            let x = self.max(Self::splat(-125.0));
            let k = x.round();
            (k, x.sub(k))
        }
    }

    /// Up to sixteen floats from a slice, zeros behind them.
    #[inline(always)]
    unsafe fn load_part(from: &[f32]) -> Self {
        if let Some(whole) = from.first_chunk::<LANES>() {
            // SAFETY: promised by the caller.
            unsafe { Self::load(whole) }
        } else {
            let mut lanes = [0.0; LANES];
            lanes[..from.len()].copy_from_slice(from);
            // SAFETY: promised by the caller.
            unsafe { Self::load(&lanes) }
        }
    }

    /// As many floats as the slice has room for, at most sixteen.
    #[inline(always)]
    unsafe fn store_part(self, to: &mut [f32]) {
        if let Some(whole) = to.first_chunk_mut::<LANES>() {
            // SAFETY: promised by the caller.
            unsafe { self.store(whole) }
        } else {
            let mut lanes = [0.0; LANES];
            // SAFETY: promised by the caller.
            unsafe { self.store(&mut lanes) };
            let n = to.len();
            to.copy_from_slice(&lanes[..n]);
        }
    }
}

/// The plain array, for any processor.
#[derive(Clone, Copy)]
pub struct Plain([f32; LANES]);

impl Plain {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], b.0[i])))
    }
}

impl Lanes for Plain {
    #[inline(always)]
    unsafe fn splat(v: f32) -> Self {
        Self([v; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: &[f32; LANES]) -> Self {
        Self(*from)
    }
    #[inline(always)]
    unsafe fn load_f16(from: &[f16; LANES]) -> Self {
        Self(from.map(f16::to_f32))
    }
    #[inline(always)]
    unsafe fn load_bf16(from: &[bf16; LANES]) -> Self {
        Self(from.map(bf16::to_f32))
    }
    #[inline(always)]
    unsafe fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        self.zip(b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        self.zip(b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        self.zip(b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        self.zip(b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        self.zip(b, f32::max)
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        self.zip(b, f32::min)
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        // Not `mul_add`: without the instruction that is a library call for each float.
        Self(std::array::from_fn(|i| self.0[i] * b.0[i] + c.0[i]))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        Self(self.0.map(f32::round_ties_even))
    }
    #[inline(always)]
    unsafe fn scale(self, k: Self) -> Self {
        self.zip(k, |p, k| p * f32::from_bits(((k as i32 + 127) << 23) as u32))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    #![allow(clippy::wildcard_imports)]
    use super::{LANES, Lanes, bf16, f16};
    use std::arch::x86_64::*;

    /// One AVX-512 register.
    #[derive(Clone, Copy)]
    pub struct Avx512(__m512);

    /// Two AVX registers.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256, __m256);

    // SAFETY (all methods of both): the trait's contract gives the instruction set; loads and stores stay in their arrays of sixteen floats.
    impl Lanes for Avx512 {
        const MANY: bool = true;
        #[inline(always)]
        unsafe fn splat(v: f32) -> Self {
            Self(unsafe { _mm512_set1_ps(v) })
        }
        #[inline(always)]
        unsafe fn load(from: &[f32; LANES]) -> Self {
            Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        unsafe fn load_f16(from: &[f16; LANES]) -> Self {
            Self(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())) })
        }
        #[inline(always)]
        unsafe fn load_bf16(from: &[bf16; LANES]) -> Self {
            let wide = unsafe { _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.as_ptr().cast())) };
            Self(unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)) })
        }
        #[inline(always)]
        unsafe fn store(self, to: &mut [f32; LANES]) {
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            Self(unsafe { _mm512_add_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            Self(unsafe { _mm512_sub_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            Self(unsafe { _mm512_mul_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn div(self, b: Self) -> Self {
            Self(unsafe { _mm512_div_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn max(self, b: Self) -> Self {
            Self(unsafe { _mm512_max_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn min(self, b: Self) -> Self {
            Self(unsafe { _mm512_min_ps(self.0, b.0) })
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
        }
        #[inline(always)]
        unsafe fn round(self) -> Self {
            Self(unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
        }
        #[inline(always)]
        unsafe fn scale(self, k: Self) -> Self {
            Self(unsafe { _mm512_scalef_ps(self.0, k.0) })
        }
        #[inline(always)]
        unsafe fn split(self) -> (Self, Self) {
            // Its `scale` takes any k, so nothing is held back; and one instruction gives r. Together an eighth of the scan's time.
            unsafe {
                let r = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0);
                (Self(_mm512_sub_ps(self.0, r)), Self(r))
            }
        }
    }

    impl Lanes for Avx2 {
        #[inline(always)]
        unsafe fn splat(v: f32) -> Self {
            let half = unsafe { _mm256_set1_ps(v) };
            Self(half, half)
        }
        #[inline(always)]
        unsafe fn load(from: &[f32; LANES]) -> Self {
            unsafe { Self(_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))) }
        }
        #[inline(always)]
        unsafe fn load_f16(from: &[f16; LANES]) -> Self {
            let half = |at: usize| unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().add(at).cast())) };
            Self(half(0), half(8))
        }
        #[inline(always)]
        unsafe fn load_bf16(from: &[bf16; LANES]) -> Self {
            let half = |at: usize| unsafe {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().add(at).cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            };
            Self(half(0), half(8))
        }
        #[inline(always)]
        unsafe fn store(self, to: &mut [f32; LANES]) {
            unsafe {
                _mm256_storeu_ps(to.as_mut_ptr(), self.0);
                _mm256_storeu_ps(to.as_mut_ptr().add(8), self.1);
            }
        }
        #[inline(always)]
        unsafe fn add(self, b: Self) -> Self {
            unsafe { Self(_mm256_add_ps(self.0, b.0), _mm256_add_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn sub(self, b: Self) -> Self {
            unsafe { Self(_mm256_sub_ps(self.0, b.0), _mm256_sub_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn mul(self, b: Self) -> Self {
            unsafe { Self(_mm256_mul_ps(self.0, b.0), _mm256_mul_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn div(self, b: Self) -> Self {
            unsafe { Self(_mm256_div_ps(self.0, b.0), _mm256_div_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn max(self, b: Self) -> Self {
            unsafe { Self(_mm256_max_ps(self.0, b.0), _mm256_max_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn min(self, b: Self) -> Self {
            unsafe { Self(_mm256_min_ps(self.0, b.0), _mm256_min_ps(self.1, b.1)) }
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            unsafe { Self(_mm256_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.1, b.1, c.1)) }
        }
        #[inline(always)]
        unsafe fn round(self) -> Self {
            const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
            unsafe { Self(_mm256_round_ps::<NEAREST>(self.0), _mm256_round_ps::<NEAREST>(self.1)) }
        }
        #[inline(always)]
        unsafe fn scale(self, k: Self) -> Self {
            let power = |k: __m256| unsafe {
                let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
            };
            unsafe { Self(_mm256_mul_ps(self.0, power(k.0)), _mm256_mul_ps(self.1, power(k.1))) }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};
