//! Sixteen floats as one value: an AVX-512 register, two AVX registers, or a plain array. Kernels
//! are written once over the [`Lanes`] trait and compiled for each. The compiler does not reliably
//! vectorise them by itself (it spills registers, and leaves half of a 512-bit machine unused).

use super::LANES;
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

/// A float, or several floats that are processed together.
///
/// # Safety
/// Methods may only be called on a processor with the type's instruction set (`simd!` picks the
/// type after checking). A plain f32 and [`Plain`] need no special instructions.
pub trait Float: Copy {
    unsafe fn splat(v: f32) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn sub(self, b: Self) -> Self;
    unsafe fn mul(self, b: Self) -> Self;
    unsafe fn div(self, b: Self) -> Self;
    unsafe fn max(self, b: Self) -> Self;
    unsafe fn min(self, b: Self) -> Self;
    /// `self · b + c`: rounded once if there is an instruction for it, otherwise twice.
    unsafe fn fma(self, b: Self, c: Self) -> Self;
    /// The nearest whole number, ties to even, for |self| < 2²².
    unsafe fn round(self) -> Self;
    /// `self · 2^k` for a whole k of −126 to 127.
    unsafe fn scale(self, k: Self) -> Self;

    /// `(k, r)` with self = k + r, where k is whole and fits [`Float::scale`], and |r| ≤ ½.
    /// Implementations may treat numbers below −125 as −125.
    #[inline(always)]
    unsafe fn split(self) -> (Self, Self) {
        // SAFETY: promised by the caller.
        unsafe {
            let x = self.max(Self::splat(-125.0));
            let k = x.round();
            (k, x.sub(k))
        }
    }
}

/// Sixteen floats that are processed together.
///
/// # Safety
/// As [`Float`].
pub trait Lanes: Float {
    /// Whether there are enough registers for the sums of twelve rows at once.
    const MANY: bool = false;
    /// Floats per register, which are added up together.
    const REGISTER: usize = LANES;
    unsafe fn load(from: &[f32; LANES]) -> Self;
    unsafe fn load_f16(from: &[f16; LANES]) -> Self;
    unsafe fn load_bf16(from: &[bf16; LANES]) -> Self;
    unsafe fn store(self, to: &mut [f32; LANES]);

    /// Loads up to sixteen floats from a slice, followed by zeros.
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

    /// Stores as many floats as the slice has room for, at most sixteen.
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

/// 1.5 · 2²³: adding it to a number below 2²² rounds that number to the nearest whole number, which
/// is then in the lowest bits.
const ROUNDER: f32 = 12_582_912.0;

/// One number. Loops over it are straight-line code, which the compiler vectorises with the
/// instructions that the enclosing function may use.
impl Float for f32 {
    #[inline(always)]
    unsafe fn splat(v: f32) -> Self {
        v
    }
    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        self + b
    }
    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        self - b
    }
    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        self * b
    }
    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        self / b
    }
    #[inline(always)]
    unsafe fn max(self, b: Self) -> Self {
        f32::max(self, b)
    }
    #[inline(always)]
    unsafe fn min(self, b: Self) -> Self {
        f32::min(self, b)
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        // Not `mul_add`, which is a library call per float without the instruction.
        self * b + c
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // Not `round_ties_even`, for the same reason.
        (self + ROUNDER) - ROUNDER
    }
    #[inline(always)]
    unsafe fn scale(self, k: Self) -> Self {
        // The low bits of ROUNDER's own pattern are 0, so the shift leaves k + 127 as the exponent.
        self * f32::from_bits((k + ROUNDER).to_bits().wrapping_add(127) << 23)
    }
}

/// A plain array, for any processor.
#[derive(Clone, Copy)]
pub struct Plain([f32; LANES]);

/// [`Float`]'s methods of two operands, float by float.
macro_rules! float_by_float {
    ($($name:ident)*) => {$(
        #[inline(always)]
        unsafe fn $name(self, b: Self) -> Self {
            // SAFETY: a plain f32 needs no special instructions.
            Self(std::array::from_fn(|i| unsafe { Float::$name(self.0[i], b.0[i]) }))
        }
    )*};
}

impl Float for Plain {
    float_by_float! { add sub mul div max min scale }

    #[inline(always)]
    unsafe fn splat(v: f32) -> Self {
        Self([v; LANES])
    }
    #[inline(always)]
    unsafe fn fma(self, b: Self, c: Self) -> Self {
        // SAFETY: a plain f32 needs no special instructions.
        Self(std::array::from_fn(|i| unsafe { Float::fma(self.0[i], b.0[i], c.0[i]) }))
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: a plain f32 needs no special instructions.
        Self(self.0.map(|v| unsafe { Float::round(v) }))
    }
}

impl Lanes for Plain {
    #[inline(always)]
    unsafe fn load(from: &[f32; LANES]) -> Self {
        Self(*from)
    }
    #[inline(always)]
    unsafe fn load_f16(from: &[f16; LANES]) -> Self {
        // All at once, so that F16C is detected once.
        let mut wide = [0.0; LANES];
        from.convert_to_f32_slice(&mut wide);
        Self(wide)
    }
    #[inline(always)]
    unsafe fn load_bf16(from: &[bf16; LANES]) -> Self {
        Self(from.map(bf16::to_f32))
    }
    #[inline(always)]
    unsafe fn store(self, to: &mut [f32; LANES]) {
        *to = self.0;
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    #![allow(clippy::wildcard_imports)]
    use super::{Float, LANES, Lanes, bf16, f16};
    use std::arch::x86_64::*;

    const NEAREST: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

    /// One AVX-512 register.
    #[derive(Clone, Copy)]
    pub struct Avx512(__m512);

    /// Two AVX registers.
    #[derive(Clone, Copy)]
    pub struct Avx2(__m256, __m256);

    /// [`Float`]'s methods of two operands that are one instruction.
    macro_rules! one_register {
        ($($name:ident = $instruction:ident;)*) => {$(
            #[inline(always)]
            unsafe fn $name(self, b: Self) -> Self {
                // SAFETY: the trait's contract gives the instruction.
                Self(unsafe { $instruction(self.0, b.0) })
            }
        )*};
    }

    /// The same for two registers.
    macro_rules! two_registers {
        ($($name:ident = $instruction:ident;)*) => {$(
            #[inline(always)]
            unsafe fn $name(self, b: Self) -> Self {
                // SAFETY: the trait's contract gives the instruction.
                unsafe { Self($instruction(self.0, b.0), $instruction(self.1, b.1)) }
            }
        )*};
    }

    impl Float for Avx512 {
        one_register! {
            add = _mm512_add_ps;
            sub = _mm512_sub_ps;
            mul = _mm512_mul_ps;
            div = _mm512_div_ps;
            max = _mm512_max_ps;
            min = _mm512_min_ps;
            scale = _mm512_scalef_ps;
        }

        #[inline(always)]
        unsafe fn splat(v: f32) -> Self {
            // SAFETY: the trait's contract gives the instruction.
            Self(unsafe { _mm512_set1_ps(v) })
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            // SAFETY: the trait's contract gives the instruction.
            Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
        }
        #[inline(always)]
        unsafe fn round(self) -> Self {
            // SAFETY: the trait's contract gives the instruction.
            Self(unsafe { _mm512_roundscale_ps::<NEAREST>(self.0) })
        }
        #[inline(always)]
        unsafe fn split(self) -> (Self, Self) {
            // `scale` takes any k here, so no clamping is needed, and one instruction gives r.
            // Together this saves an eighth of the scan's time.
            // SAFETY: the trait's contract gives the instructions.
            unsafe {
                let r = _mm512_reduce_ps::<NEAREST>(self.0);
                (Self(_mm512_sub_ps(self.0, r)), Self(r))
            }
        }
    }

    impl Lanes for Avx512 {
        const MANY: bool = true;

        #[inline(always)]
        unsafe fn load(from: &[f32; LANES]) -> Self {
            // SAFETY: the trait's contract gives the instruction; sixteen floats lie there.
            Self(unsafe { _mm512_loadu_ps(from.as_ptr()) })
        }
        #[inline(always)]
        unsafe fn load_f16(from: &[f16; LANES]) -> Self {
            // SAFETY: the trait's contract gives the instructions; sixteen halves lie there.
            Self(unsafe { _mm512_cvtph_ps(_mm256_loadu_si256(from.as_ptr().cast())) })
        }
        #[inline(always)]
        unsafe fn load_bf16(from: &[bf16; LANES]) -> Self {
            // SAFETY: the trait's contract gives the instructions; sixteen halves lie there.
            unsafe {
                let wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.as_ptr().cast()));
                Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(wide)))
            }
        }
        #[inline(always)]
        unsafe fn store(self, to: &mut [f32; LANES]) {
            // SAFETY: the trait's contract gives the instruction; there is room for sixteen floats.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self.0) }
        }
    }

    impl Float for Avx2 {
        two_registers! {
            add = _mm256_add_ps;
            sub = _mm256_sub_ps;
            mul = _mm256_mul_ps;
            div = _mm256_div_ps;
            max = _mm256_max_ps;
            min = _mm256_min_ps;
        }

        #[inline(always)]
        unsafe fn splat(v: f32) -> Self {
            // SAFETY: the trait's contract gives the instruction.
            let half = unsafe { _mm256_set1_ps(v) };
            Self(half, half)
        }
        #[inline(always)]
        unsafe fn fma(self, b: Self, c: Self) -> Self {
            // SAFETY: the trait's contract gives the instruction.
            unsafe { Self(_mm256_fmadd_ps(self.0, b.0, c.0), _mm256_fmadd_ps(self.1, b.1, c.1)) }
        }
        #[inline(always)]
        unsafe fn round(self) -> Self {
            // SAFETY: the trait's contract gives the instruction.
            unsafe { Self(_mm256_round_ps::<NEAREST>(self.0), _mm256_round_ps::<NEAREST>(self.1)) }
        }
        #[inline(always)]
        unsafe fn scale(self, k: Self) -> Self {
            // SAFETY: the trait's contract gives the instructions.
            let power = |k: __m256| unsafe {
                let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127));
                _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
            };
            // SAFETY: as above.
            unsafe { Self(_mm256_mul_ps(self.0, power(k.0)), _mm256_mul_ps(self.1, power(k.1))) }
        }
    }

    impl Lanes for Avx2 {
        const REGISTER: usize = LANES / 2;

        #[inline(always)]
        unsafe fn load(from: &[f32; LANES]) -> Self {
            // SAFETY: the trait's contract gives the instruction; sixteen floats lie there.
            unsafe { Self(_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))) }
        }
        #[inline(always)]
        unsafe fn load_f16(from: &[f16; LANES]) -> Self {
            // SAFETY: the trait's contract gives the instructions; eight halves lie at `at`, which
            // is 0 or 8.
            let half = |at: usize| unsafe { _mm256_cvtph_ps(_mm_loadu_si128(from.as_ptr().add(at).cast())) };
            Self(half(0), half(8))
        }
        #[inline(always)]
        unsafe fn load_bf16(from: &[bf16; LANES]) -> Self {
            // SAFETY: the trait's contract gives the instructions; eight halves lie at `at`, which
            // is 0 or 8.
            let half = |at: usize| unsafe {
                let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.as_ptr().add(at).cast()));
                _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
            };
            Self(half(0), half(8))
        }
        #[inline(always)]
        unsafe fn store(self, to: &mut [f32; LANES]) {
            // SAFETY: the trait's contract gives the instruction; there is room for sixteen floats.
            unsafe {
                _mm256_storeu_ps(to.as_mut_ptr(), self.0);
                _mm256_storeu_ps(to.as_mut_ptr().add(8), self.1);
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};
