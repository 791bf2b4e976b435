//! Memory in large pages, for what is read or copied as a whole: a quarter of a million small ones a GiB cost time to get and to find.

use memmap2::MmapMut;

/// So many bytes, zero, in pages of 2 MiB where the kernel grants them.
///
/// # Errors
/// The system's, if there is not enough memory.
pub fn large_pages(bytes: usize) -> std::io::Result<MmapMut> {
    let map = MmapMut::map_anon(bytes.max(1))?;
    // Refused by kernels without large pages; the numbers are the same.
    #[cfg(target_os = "linux")]
    let _ = map.advise(memmap2::Advice::HugePage);
    Ok(map)
}
