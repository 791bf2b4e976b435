//! Maps of states in two dimensions. Every map starts from the product of the states with
//! themselves (their Gram matrix):
//!
//! - `space`: [`Space`], all distances and cosines in the original space, and each state's
//!   neighbours.
//! - `eigen`, `pca`: [`Pca`], principal components from that product (few rows, many columns), with
//!   their basis for projecting new states.
//! - `affinity`, `descent`, `tsne`: t-SNE of the components: [`Stepped`] (animated, exact) and
//!   [`OneShot`] (linfa-tsne).
//! - `trust`: how well a map preserves neighbourhoods, and how labels cluster.
//! - `rank`: the effective rank of one state.
//! - `place`: places a new state on a finished map, and aligns a new map with an earlier one.

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
