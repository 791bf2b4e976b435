//! Memory in large pages, for data that is read or copied as a whole. With small pages, a quarter
//! of a million per GiB, allocation and address translation take time.

use memmap2::MmapMut;
use std::ops::{Deref, DerefMut};

/// Bytes per large page.
const LARGE: usize = 2 << 20;

/// Bytes, zeroed at first. As many whole pages of 2 MiB as fit are used for them where the kernel
/// grants these.
pub struct LargePages {
    map: MmapMut,
    from: usize,
    bytes: usize,
}

impl LargePages {
    /// Allocates this many bytes, aligned to a large page if they fill at least one. Kernels do not
    /// align every mapping: of the weights of mamba-130m's shape 76 % lay in large pages without
    /// this alignment, and 88 % lie there with it. The rest are ends of matrices, too short to fill
    /// a large page.
    ///
    /// # Errors
    /// The system's, if there is not enough memory.
    pub fn zeroed(bytes: usize) -> std::io::Result<Self> {
        // Pages mapped beyond the need are never touched, so they use no memory.
        let map = MmapMut::map_anon(if bytes < LARGE { bytes.max(1) } else { bytes + LARGE })?;
        let from = if bytes < LARGE { 0 } else { map.as_ptr().align_offset(LARGE) };
        // Kernels without large pages refuse the advice, which does no harm. Only whole pages:
        // another, partly used one would waste memory.
        #[cfg(target_os = "linux")]
        if bytes >= LARGE {
            let _ = map.advise_range(memmap2::Advice::HugePage, from, bytes / LARGE * LARGE);
        }
        Ok(Self { map, from, bytes })
    }
}

impl Deref for LargePages {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.map[self.from..self.from + self.bytes]
    }
}

impl DerefMut for LargePages {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.map[self.from..self.from + self.bytes]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_bytes_can_be_had_and_used() {
        for bytes in [0, 1, 4096, LARGE - 1, LARGE, LARGE + 1, 5 * LARGE / 2] {
            let mut pages = LargePages::zeroed(bytes).unwrap();
            assert_eq!(pages.len(), bytes);
            assert!(pages.iter().all(|b| *b == 0));
            assert!(bytes < LARGE || (pages.as_ptr() as usize).is_multiple_of(LARGE));
            pages.fill(7);
            assert!(pages.iter().all(|b| *b == 7));
        }
    }
}
