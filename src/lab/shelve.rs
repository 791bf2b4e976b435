//! Has a library's rows copied to the model's own device.

use super::Lab;
use super::open::lock;
use crate::error::Result;
use crate::library::{Library, Rows};
use crate::model::Network;
use std::sync::Arc;

/// What copies a library's rows to the card that a model computes on.
pub type Copy = Box<dyn FnOnce(&Library) -> Result<Arc<dyn Rows>> + Send>;

impl Lab {
    /// Has a library's rows copied to the card, on a thread of its own, when it has been ranked
    /// twice: one that is being built changes all the time. Until they are there, where they do
    /// not fit, and where the model computes on the CPU, the CPU ranks.
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

/// What copies a library's rows to the card, if the model computes on one, so that they are ranked
/// there. It takes a while, and may run on a thread of its own.
#[cfg(feature = "cuda")]
pub fn shelver(network: &Network) -> Option<Copy> {
    let model = network.on_card()?;
    let (gpu, kernels) = (model.gpu(), model.kernels());
    Some(Box::new(move |library| Ok(Arc::new(super::shelf::Shelf::new(gpu, kernels, library)?))))
}

/// Nothing: this build has no card.
#[cfg(not(feature = "cuda"))]
pub fn shelver(_: &Network) -> Option<Copy> {
    None
}
