//! The CPU path: a model's weights in the kernels' layout, and the kernels, on plain slices.
//!
//! - [`model`]: packed prefill and the batched single-token step; [`weights`]: tensors by name, checked and laid out; [`working`]: a state while it changes.
//! - [`lanes`]: sixteen floats as one value, on each instruction set.
//! - [`math`]: exponentials, softplus, SiLU and norms.
//! - [`linear`]: matrix products with weights packed in panels.
//! - [`panels`]: those panels, and the memory they lie in.
//! - [`stored`]: numbers in the precision they are kept in, and dot products with them.
//! - [`conv`]: the causal convolution with its SiLU.
//! - [`scan`]: the selective scan, fused with softplus, skip and gate.
//!
//! Each hot loop is written once as an inlined body over [`lanes::Lanes`]; [`simd!`] compiles it for AVX-512, for AVX2 with FMA and for any processor,
//! and picks one at run time.

pub mod conv;
pub mod lanes;
pub mod linear;
pub mod math;
pub mod model;
pub mod panels;
pub mod scan;
pub mod stored;
mod weights;
mod working;

/// Channels handled together: the lanes of one AVX-512 register. Working states are laid out in blocks of this width.
pub const LANES: usize = 16;

/// Whether the AVX-512 kernels can run here.
#[cfg(target_arch = "x86_64")]
pub fn has_avx512() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512dq") && has_avx2()
}

/// Whether the AVX2 kernels can run here.
#[cfg(target_arch = "x86_64")]
pub fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") && std::arch::is_x86_feature_detected!("f16c")
}

/// Defines `fn name(args)` from an `#[inline(always)] unsafe fn body::<Lanes>(args)`, compiled for each instruction set and chosen at run time.
macro_rules! simd {
    ($(#[$doc:meta])* $vis:vis fn $name:ident $([$g:ident: $b:path])? ($($arg:ident: $ty:ty),* $(,)?) $(-> $out:ty)? = $body:ident) => {
        $(#[$doc])*
        #[allow(clippy::too_many_arguments)]
        $vis fn $name $(<$g: $b>)? ($($arg: $ty),*) $(-> $out)? {
            use $crate::model::cpu::lanes;
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments)]
                unsafe fn avx512 $(<$g: $b>)? ($($arg: $ty),*) $(-> $out)? {
                    // SAFETY: this function runs only where AVX-512 is.
                    unsafe { $body::<lanes::Avx512 $(, $g)?>($($arg),*) }
                }
                #[target_feature(enable = "avx2,fma,f16c")]
                #[allow(clippy::too_many_arguments)]
                unsafe fn avx2 $(<$g: $b>)? ($($arg: $ty),*) $(-> $out)? {
                    // SAFETY: this function runs only where AVX2 and FMA are.
                    unsafe { $body::<lanes::Avx2 $(, $g)?>($($arg),*) }
                }
                if $crate::model::cpu::has_avx512() {
                    // SAFETY: the processor was asked.
                    return unsafe { avx512 $(::<$g>)? ($($arg),*) };
                }
                if $crate::model::cpu::has_avx2() {
                    // SAFETY: the processor was asked.
                    return unsafe { avx2 $(::<$g>)? ($($arg),*) };
                }
            }
            // SAFETY: plain arrays need nothing.
            unsafe { $body::<lanes::Plain $(, $g)?>($($arg),*) }
        }
    };
}
pub(crate) use simd;

/// Runs work of many short parallel parts on a thread of the pool. From outside it, every part would be handed over and its end waited for asleep:
/// two wake-ups each. Measured on a decoded token of mamba-130m's shape: an in-projection takes 414 to 567 µs from outside, 360 to 371 µs in the pool.
pub fn in_pool<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// A pointer that several threads write through, each to its own elements.
#[derive(Clone, Copy)]
pub struct Shared(*mut f32);

// SAFETY: users give every thread its own elements (each use says which).
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// Shares a slice; it must not be used otherwise until all threads are done.
    pub fn new(slice: &mut [f32]) -> Self {
        Self(slice.as_mut_ptr())
    }

    /// A part of the slice.
    ///
    /// # Safety
    /// `at..at + len` lies within the slice, and no other thread touches it meanwhile.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part<'a>(self, at: usize, len: usize) -> &'a mut [f32] {
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.0.add(at), len) }
    }
}
