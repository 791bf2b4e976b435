//! Memory: on the card, and pinned on the host.

use super::gpu::Gpu;
use crate::error::{Error, Result};
use crate::simd::LargePages;
use candle_core::cuda_backend::cudarc::driver::{CudaContext, CudaSlice, CudaStream, DevicePtr, sys};
use rayon::prelude::*;
use std::sync::Arc;

/// Alignment of the parts of one allocation, in bytes.
const ALIGNED: usize = 256;
/// Bytes of a page of host memory, and bytes that one thread touches at a time.
const PAGE: usize = 4096;
const TOUCHED: usize = 2 << 20;

/// Memory on the card, freed when the last part of its allocation is dropped.
pub struct Buf {
    _slice: Arc<CudaSlice<u8>>,
    ptr: u64,
    bytes: usize,
}

impl Buf {
    /// The address `bytes` into it.
    pub fn at(&self, bytes: usize) -> u64 {
        debug_assert!(bytes <= self.bytes);
        self.ptr + bytes as u64
    }

    /// Its size.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Gpu {
    /// Uninitialised memory; `what` says in errors what it is for.
    ///
    /// # Errors
    /// [`Error::Model`] with the need and the free amount.
    pub fn alloc(&self, bytes: usize, what: &str) -> Result<Buf> {
        let [buf] = self.alloc_all([bytes], what)?;
        Ok(buf)
    }

    /// Uninitialised memory for several things, in one allocation.
    ///
    /// # Errors
    /// [`Error::Model`] with what all of them need and the free amount.
    pub fn alloc_all<const N: usize>(&self, bytes: [usize; N], what: &str) -> Result<[Buf; N]> {
        let room = |b: usize| b.max(16).next_multiple_of(ALIGNED);
        let slice = alloc(&self.ctx, &self.stream, bytes.iter().map(|&b| room(b)).sum(), what)?;
        let mut ptr = slice.device_ptr(&self.stream).0;
        Ok(bytes.map(|bytes| {
            let buf = Buf { _slice: slice.clone(), ptr, bytes };
            ptr += room(bytes) as u64;
            buf
        }))
    }

    /// Checks that this much memory is free, before anything is begun.
    ///
    /// # Errors
    /// As [`Self::alloc`].
    pub fn expect_room(&self, bytes: usize, what: &str) -> Result<()> {
        if bytes <= self.memory().0 { Ok(()) } else { Err(no_room(&self.ctx, bytes, what, "")) }
    }

    /// Takes all free memory except `bytes`.
    ///
    /// # Errors
    /// As [`Self::alloc`].
    pub fn take_all_but(&self, bytes: usize) -> Result<Buf> {
        let (free, _) = self.memory();
        self.alloc(free.saturating_sub(bytes), "all but a little")
    }

    /// Memory holding these numbers.
    ///
    /// # Errors
    /// As [`Self::alloc`].
    pub fn upload<N: Copy>(&self, numbers: &[N], what: &str) -> Result<Buf> {
        let buf = self.alloc(size_of_val(numbers), what)?;
        self.write(buf.at(0), numbers)?;
        Ok(buf)
    }

    /// Pinned host memory for `count` numbers, so that copies run beside the host's own work.
    ///
    /// # Errors
    /// [`Error::Model`] if the system gives none.
    pub fn pinned(&self, count: usize) -> Result<Pinned> {
        let bytes = 4 * count.max(1);
        let no_memory = |e: String| Error::Model(format!("the host has no {} MiB of memory for copies: {e}", bytes >> 20));
        let mut memory = LargePages::zeroed(bytes).map_err(|e| no_memory(e.to_string()))?;
        // All threads touch its pages. The driver's own pinned memory is made page by page by one
        // thread: 26 MB take 12 ms there, 1.4 ms here.
        memory.par_chunks_mut(TOUCHED).for_each(|part| part.iter_mut().step_by(PAGE).for_each(|byte| *byte = 0));
        self.bind()?;
        // SAFETY: the memory is ours until `Pinned` is dropped, which takes it back from the driver
        // first.
        unsafe { sys::cuMemHostRegister_v2(memory.as_mut_ptr().cast(), bytes, 0) }.result().map_err(|e| no_memory(format!("{e:?}")))?;
        Ok(Pinned { ctx: self.ctx.clone(), ptr: memory.as_mut_ptr().cast(), _memory: memory, count })
    }
}

pub(super) fn alloc(ctx: &CudaContext, stream: &Arc<CudaStream>, bytes: usize, what: &str) -> Result<Arc<CudaSlice<u8>>> {
    // SAFETY: whoever reads it has written it before, or zeroed it.
    unsafe { stream.alloc::<u8>(bytes.max(16)) }.map(Arc::new).map_err(|e| no_room(ctx, bytes, what, &format!(" ({e:?})")))
}

fn no_room(ctx: &CudaContext, bytes: usize, what: &str, why: &str) -> Error {
    let (free, total) = ctx.mem_get_info().unwrap_or((0, 0));
    let mib = |b: usize| b.div_ceil(1 << 20);
    Error::Model(format!(
        "the GPU has no room for {what}: {} MiB are needed, {} of {} MiB are free{why}",
        mib(bytes),
        free >> 20,
        mib(total)
    ))
}

/// Pinned host memory, as numbers of four bytes.
pub struct Pinned {
    ctx: Arc<CudaContext>,
    _memory: LargePages,
    ptr: *mut f32,
    count: usize,
}

// SAFETY: plain memory, reached through `&mut self` or after the copy into it has been waited for.
unsafe impl Send for Pinned {}
// SAFETY: as above.
unsafe impl Sync for Pinned {}

impl Drop for Pinned {
    fn drop(&mut self) {
        // Whatever fails here has been reported to those who waited for the copies.
        if self.ctx.bind_to_thread().is_ok() {
            // SAFETY: it was registered when it was made, and nothing is being copied to it any
            // more.
            let _ = unsafe { sys::cuMemHostUnregister(self.ptr.cast()) };
        }
    }
}

impl Pinned {
    /// The numbers. The caller has waited for the copies into it.
    pub fn floats(&self) -> &[f32] {
        // SAFETY: `count` numbers lie there for as long as `self` does.
        unsafe { std::slice::from_raw_parts(self.ptr, self.count) }
    }

    /// The numbers, to be written.
    pub fn floats_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and nobody else has them.
        unsafe { std::slice::from_raw_parts_mut(self.ptr, self.count) }
    }

    /// The same memory as whole numbers.
    pub fn ints_mut(&mut self) -> &mut [i32] {
        // SAFETY: as above; every pattern is a number.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.cast(), self.count) }
    }
}
