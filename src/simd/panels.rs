//! Weights packed for the kernel, in memory that is fast to read.
//!
//! Every decoded token reads all weights once, so the page size matters. With pages of 4 KiB the
//! prefetchers stop at each boundary, and two threads of an EPYC read 22 GB/s; with pages of 2 MiB
//! they read 30 GB/s. Where the system gives large pages only on request (Linux's `madvise`), they
//! are requested before the memory is touched. A separate mapping also begins on a cache line,
//! which a large `Vec` of glibc does not, so no load of the kernel straddles two cache lines.

use super::{LANES, LargePages, Stored};
use crate::error::{Error, Result};
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Outputs per panel.
pub const PANEL: usize = 2 * LANES;

/// A matrix `[n_out, n_in]` as `[panels, n_in, PANEL]`, with zeros after the last output.
pub struct Panels<W> {
    map: LargePages,
    len: usize,
    n_in: usize,
    of: PhantomData<W>,
}

impl<W: Stored> Panels<W> {
    /// Packs row-major weights `[n_out, n_in]`. `w` must have that length (the loader checks it).
    ///
    /// # Errors
    /// [`Error::Model`] if there is not enough memory.
    pub fn pack(w: &[W], n_out: usize, n_in: usize) -> Result<Self> {
        let len = n_out.next_multiple_of(PANEL) * n_in;
        let bytes = len * size_of::<W>();
        let map = LargePages::zeroed(bytes).map_err(|e| Error::Model(format!("no memory for {bytes} bytes of weights: {e}")))?;
        let mut panels = Self { map, len, n_in, of: PhantomData };
        for (panel, rows) in panels.chunks_exact_mut((PANEL * n_in).max(1)).zip(w.chunks((PANEL * n_in).max(1))) {
            for (lane, row) in rows.chunks_exact(n_in.max(1)).enumerate() {
                panel.iter_mut().skip(lane).step_by(PANEL).zip(row).for_each(|(p, w)| *p = *w);
            }
        }
        Ok(panels)
    }

    /// Copies one row of the matrix to `out`, widened to f32.
    pub fn row(&self, row: usize, out: &mut [f32]) {
        let panel = &self[row / PANEL * PANEL * self.n_in..][..PANEL * self.n_in];
        out.iter_mut().zip(panel.iter().skip(row % PANEL).step_by(PANEL)).for_each(|(o, w)| *o = w.one());
    }
}

impl<W: Stored> Deref for Panels<W> {
    type Target = [W];

    fn deref(&self) -> &[W] {
        // SAFETY: the map holds `len` numbers from the start of a page; it was zeroed at first, and
        // any bytes are a valid `Stored`.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.len) }
    }
}

impl<W: Stored> DerefMut for Panels<W> {
    fn deref_mut(&mut self) -> &mut [W] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast(), self.len) }
    }
}
