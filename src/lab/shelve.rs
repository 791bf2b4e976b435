//! Copies a library's states to the model's own device.

use super::Lab;
use super::open::lock;
use crate::error::Result;
use crate::library::{Library, Rows};
use crate::model::Network;
use std::sync::Arc;

/// A function that copies a library's states to the GPU on which a model computes.
pub type Copy = Box<dyn FnOnce(&Library) -> Result<Arc<dyn Rows>> + Send>;

impl Lab {
    /// Copies a library's states to the GPU, on a separate thread, once the library has been ranked
    /// twice (a library that is being built changes constantly). The CPU ranks until the copy is
    /// complete. It also ranks if the copy does not fit or the model computes on the CPU.
    pub(super) fn shelve(&self, library: &Arc<Library>) {
        let mut ranked = lock(&self.ranked);
        let again = std::ptr::eq(ranked.0.as_ptr(), Arc::as_ptr(library));
        *ranked = (Arc::downgrade(library), if again { ranked.1 + 1 } else { 1 });
        if ranked.1 != 2 {
            return;
        }
        drop(ranked);
        let Some(copy) = shelver(&self.model.network) else { return };
        let library = Arc::clone(library);
        let work = move || match copy(&library) {
            Ok(rows) => library.attach(rows),
            Err(error) => tracing::info!("{error}; rankings are made on the CPU"),
        };
        if let Err(error) = std::thread::Builder::new().name("shelf".into()).spawn(work) {
            tracing::warn!("no thread could be started to copy the library to the GPU: {error}");
        }
    }
}

/// A function that copies a library's states to the GPU, so that they are ranked there; `None` if
/// the model computes on the CPU. It takes a while and may run on a separate thread.
#[cfg(feature = "cuda")]
pub fn shelver(network: &Network) -> Option<Copy> {
    let model = network.on_card()?;
    let (gpu, kernels, pool) = (model.gpu(), model.kernels(), model.pool());
    Some(Box::new(move |library| Ok(Arc::new(super::shelf::Shelf::new(gpu, kernels, pool, library)?))))
}

/// Always `None`: this build has no GPU support.
#[cfg(not(feature = "cuda"))]
pub fn shelver(_: &Network) -> Option<Copy> {
    None
}
