//! Work recorded once and started again with one call to the driver, and which chunks are worth it.

use super::gpu::{Gpu, failed};
use super::tables::Layout;
use crate::error::Result;
use candle_core::cuda_backend::cudarc::driver::CudaGraph;
use std::collections::VecDeque;

/// The most tokens of a chunk that is recorded: with more, the card is busy for longer than the
/// host takes to enqueue the work again.
const SHORT: usize = 512;
/// How many recordings are kept, and how many layouts are remembered without one.
const KEPT: usize = 16;
const REMEMBERED: usize = 64;

/// Recorded work.
pub struct Graph(CudaGraph);

// SAFETY: a graph is a handle of the driver's, which takes calls from any thread; here one call
// runs at a time, under the card's gate.
unsafe impl Send for Graph {}

impl Graph {
    pub(super) fn new(graph: CudaGraph) -> Self {
        Self(graph)
    }

    /// Enqueues the work, with whatever lies in its memory now.
    ///
    /// # Errors
    /// [`crate::error::Error::Model`] if the driver refuses.
    pub fn start(&self, gpu: &Gpu) -> Result<()> {
        gpu.start_graph(self.0.cu_graph_exec()).map_err(failed("recorded work was started"))
    }
}

/// Recordings of short chunks, by the layout that their work depends on. All of them use the same
/// memory.
#[derive(Default)]
pub struct Recordings {
    kept: VecDeque<(Layout, Vec<Graph>)>,
    seen: VecDeque<Layout>,
}

impl Recordings {
    /// The recordings of a chunk with this layout, if it is short and has come before. They are
    /// made when it comes for the second time: typed text repeats the same few lengths, a text that
    /// is read once does not. By then cuBLAS has loaded its kernels, which cannot be recorded.
    ///
    /// # Errors
    /// Those of `record`.
    pub fn of(&mut self, layout: Layout, record: impl FnOnce() -> Result<Vec<Graph>>) -> Result<Option<&[Graph]>> {
        if layout.tokens() > SHORT {
            return Ok(None);
        }
        if let Some(i) = self.kept.iter().position(|(l, _)| *l == layout) {
            self.kept.swap(0, i);
        } else if self.seen.contains(&layout) {
            self.kept.push_front((layout, record()?));
            self.kept.truncate(KEPT);
        } else {
            self.seen.push_front(layout);
            self.seen.truncate(REMEMBERED);
            return Ok(None);
        }
        Ok(self.kept.front().map(|(_, graphs)| &graphs[..]))
    }
}
