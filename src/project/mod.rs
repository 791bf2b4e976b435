//! States in two dimensions. Everything starts from one product of the states with themselves:
//!
//! - `space`: [`Space`], all distances and cosines in the original space, and each state's
//!   neighbours.
//! - `eigen`, `pca`: [`Pca`], principal components through that product (few rows, many columns),
//!   with the basis kept for new states.
//! - `affinity`, `descent`, `tsne`: t-SNE of the components: [`Stepped`] (animated, exact) and
//!   [`OneShot`] (linfa-tsne).
//! - `trust`: how far a map can be believed.
//! - `rank`: how many directions one state has.
//! - `place`: a new state on a finished map, a new map laid over the one before.

mod affinity;
mod descent;
mod eigen;
mod pca;
mod place;
mod rank;
mod space;
#[cfg(test)]
mod testing;
mod trust;
mod tsne;

pub use descent::{Descent, EPOCHS};
pub use pca::{PCA_DIMS, Pca};
pub use place::{Alignment, FrozenMap};
pub use rank::effective_rank;
pub use space::{Lengths, Space};
pub use trust::{Fidelity, agreement, fidelity, judge, purity, silhouette};
pub use tsne::{Embedded, Embedder, FRAME, ONE_SHOT_MOST, OneShot, Stepped, TsneSettings, descend, divergence, usable_perplexity};
