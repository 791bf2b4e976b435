//! States in two dimensions.
//!
//! - `pca`: principal components through the Gram matrix (few rows, many columns).
//! - `tsne`: t-SNE of the leading components: linfa-tsne for small libraries, bhtsne in chunks for large ones.
//! - `trust`: how far a map can be believed, and who is near whom in the original space.

mod pca;
mod trust;
mod tsne;

pub use pca::{PCA_DIMS, Pca};
pub use trust::{nearest, nearest_purity, trustworthiness};
pub use tsne::{Embedded, TsneSettings, tsne};
