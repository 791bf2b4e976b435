//! One slice that several threads write to.

use std::marker::PhantomData;

/// A slice that several threads write to, each to its own elements. The slice stays borrowed as
/// long as any copy of this value lives.
#[derive(Clone, Copy)]
pub struct Shared<'a> {
    from: *mut f32,
    len: usize,
    of: PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a `&mut [f32]`, which may be sent to other threads; every caller of `part` promises
// that no other thread uses its elements.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    /// Shares a slice.
    pub fn new(slice: &'a mut [f32]) -> Self {
        Self { from: slice.as_mut_ptr(), len: slice.len(), of: PhantomData }
    }

    /// The elements `at..at + len`.
    ///
    /// # Panics
    /// If they are not all within the slice.
    ///
    /// # Safety
    /// Nobody else reads or writes these elements while the part lives.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(self, at: usize, len: usize) -> &'a mut [f32] {
        assert!(at <= self.len && len <= self.len - at, "a part of a shared slice lies within it");
        // SAFETY: the elements lie within a slice that is borrowed for 'a; the rest is promised by
        // the caller.
        unsafe { std::slice::from_raw_parts_mut(self.from.add(at), len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn every_thread_writes_its_own_part() {
        let mut numbers = vec![0.0; 1000];
        let shared = Shared::new(&mut numbers);
        (0..100usize).into_par_iter().for_each(|i| {
            // SAFETY: the tens do not overlap.
            unsafe { shared.part(i * 10, 10) }.fill(i as f32);
        });
        assert!(numbers.iter().enumerate().all(|(i, v)| *v == (i / 10) as f32));
    }

    #[test]
    fn a_part_beyond_the_end_is_refused() {
        let mut numbers = [0.0; 8];
        let shared = Shared::new(&mut numbers);
        for (at, len) in [(0, 9), (8, 1), (9, 0), (usize::MAX, 2), (1, usize::MAX)] {
            // SAFETY: nothing else uses the numbers, and the part is not used.
            let taken = std::panic::catch_unwind(|| unsafe { shared.part(at, len) }.len());
            assert!(taken.is_err(), "{len} elements from {at} on");
        }
        // SAFETY: nothing else uses the numbers.
        assert_eq!(unsafe { shared.part(8, 0) }, [0.0; 0]);
    }
}
