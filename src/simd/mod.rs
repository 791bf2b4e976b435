//! Arithmetic on plain slices, limited by the processor's or the memory's speed.
//!
//! - `lanes`: [`Lanes`], sixteen floats as one value, and [`Float`], one or several floats, for
//!   each instruction set.
//! - `math`: exponentials, softplus, SiLU and norms.
//! - `stored`: numbers in their stored precision, widened as they are loaded ([`Stored`]).
//! - `dot`: sums over stored rows and one vector. Lanes are entries of the row.
//! - `linear`: matrix products with weights packed in `panels`. Lanes are rows of the matrix.
//! - `pages`: memory in large pages; `shared`: one slice that several threads write to.
//!
//! Each hot loop is written once, as an inlined body over [`Lanes`]; `simd!` compiles it for
//! AVX-512, for AVX2 with FMA and for any processor, and picks one at run time. Everything that a
//! body calls must be `#[inline(always)]`. A function that is not inlined is compiled without the
//! vector instructions, and registers are passed to it through memory.
//!
//! The order of a sum affects its result, so it must not change. Each instruction set has one
//! order, independent of the neighbouring rows and of how threads share the work.

mod dot;
mod lanes;
mod linear;
mod math;
mod pages;
mod panels;
mod shared;
mod stored;

pub use dot::{Centred, Distance, Dot, dot_rows, rows};
#[cfg(target_arch = "x86_64")]
pub use lanes::{Avx2, Avx512};
pub use lanes::{Float, Lanes, Plain};
pub use linear::{Linear, Rows, Weights};
pub use math::{exp_or_zero, exp2, rms_norm, rms_scale, silu, softplus};
pub use pages::LargePages;
pub use panels::Panels;
pub use shared::Shared;
pub use stored::Stored;

#[cfg(target_arch = "x86_64")]
use std::arch::is_x86_feature_detected as has;

/// Floats per value of [`Lanes`]: as many as in an AVX-512 register.
pub const LANES: usize = 16;

/// Multiply-adds below which a product is computed by one thread, because waking others costs more
/// (measured: about 5 µs of work).
const SERIAL: usize = 1 << 17;

/// Whether the AVX-512 kernels can run here.
#[cfg(target_arch = "x86_64")]
pub fn has_avx512() -> bool {
    has!("avx512f") && has!("avx512dq") && has_avx2()
}

/// Whether the AVX2 kernels can run here.
#[cfg(target_arch = "x86_64")]
pub fn has_avx2() -> bool {
    has!("avx2") && has!("fma") && has!("f16c")
}

/// The instruction sets used by the kernels that this processor has.
pub fn features() -> Vec<&'static str> {
    #[cfg(target_arch = "x86_64")]
    let all = [
        ("avx2", has!("avx2")),
        ("fma", has!("fma")),
        ("f16c", has!("f16c")),
        ("avx512f", has!("avx512f")),
        ("avx512dq", has!("avx512dq")),
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let all: [(&str, bool); 0] = [];
    all.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
}

/// Defines `fn name(args)` from an `#[inline(always)] unsafe fn body::<Lanes>(args)`, compiled for
/// each instruction set and chosen at run time. Type parameters and one constant go in brackets:
/// `fn name[T: Trait; const N: usize](args)`.
macro_rules! simd {
    (
        $(#[$doc:meta])*
        $vis:vis fn $name:ident $([$($g:ident: $b:path),+ $(; const $n:ident: usize)?])? ($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? = $body:ident
    ) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<$($g: $b),+ $(, const $n: usize)?>)? ($($arg: $ty),*) $(-> $out)? {
            use $crate::simd;
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments)]
                unsafe fn avx512 $(<$($g: $b),+ $(, const $n: usize)?>)? ($($arg: $ty),*) $(-> $out)? {
                    // SAFETY: this function runs only on a processor with AVX-512.
                    unsafe { $body::<simd::Avx512 $($(, $g)+ $(, $n)?)?>($($arg),*) }
                }
                #[target_feature(enable = "avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments)]
                unsafe fn avx2 $(<$($g: $b),+ $(, const $n: usize)?>)? ($($arg: $ty),*) $(-> $out)? {
                    // SAFETY: this function runs only on a processor with AVX2, FMA and F16C.
                    unsafe { $body::<simd::Avx2 $($(, $g)+ $(, $n)?)?>($($arg),*) }
                }
                if simd::has_avx512() {
                    // SAFETY: the processor has these instructions (checked above).
                    return unsafe { avx512 $(::<$($g),+ $(, $n)?>)? ($($arg),*) };
                }
                if simd::has_avx2() {
                    // SAFETY: the processor has these instructions (checked above).
                    return unsafe { avx2 $(::<$($g),+ $(, $n)?>)? ($($arg),*) };
                }
            }
            // SAFETY: plain arrays need no special instructions.
            unsafe { $body::<simd::Plain $($(, $g)+ $(, $n)?)?>($($arg),*) }
        }
    };
}
pub(crate) use simd;
