//! Requests for maps, and the maps.

use crate::library::Part;

/// How a map is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapMethod {
    /// The two leading principal components.
    Pca,
    /// t-SNE of the leading principal components, initialised with the first two. It is animated
    /// and deterministic.
    Tsne,
    /// The t-SNE of `linfa-tsne`, from a random start.
    OneShot,
}

/// A request for a map.
#[derive(Clone, Debug, PartialEq)]
pub struct MapRequest {
    /// The layer whose states are drawn.
    pub layer: usize,
    /// SSM state or convolution window.
    pub part: Part,
    /// The method.
    pub method: MapMethod,
    /// The requested perplexity. It is lowered where there are too few points.
    pub perplexity: f64,
    /// Seed of the method.
    pub seed: u64,
}

/// A map: one point per skill, in the library's order.
#[derive(Clone, Debug, PartialEq)]
pub struct MapView {
    /// The request.
    pub request: MapRequest,
    /// Coordinates, in the order of [`super::LibraryView::skills`] when the map was made.
    pub points: Vec<[f32; 2]>,
    /// Number of skills shared with the previous map by which this one was aligned to it (rotated,
    /// mirrored and shifted, not scaled); 0 if it was not aligned.
    pub aligned: usize,
    /// Ids of the skills behind the points.
    pub skills: Vec<String>,
    /// The perplexity used.
    pub perplexity: f64,
    /// Trustworthiness at 15 neighbours (or fewer), 0 to 1.
    pub trust: Option<f64>,
    /// Share of points whose nearest neighbour (leave-one-out 1-NN) is of the same task.
    pub purity: Option<f64>,
    /// Nearest skills in the original space, per point, nearest first: (index, cosine).
    pub neighbours: Vec<Vec<(usize, f32)>>,
    /// Trustworthiness of each point; empty while the map is moving.
    pub trust_of_each: Vec<f32>,
    /// Epochs of t-SNE done; 0 for principal components.
    pub epoch: usize,
    /// Whether the map is final.
    pub finished: bool,
}

/// Where the query's states lie on a finished map. This is an approximation, because the map was
/// made without them.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The query as typed.
    pub query: String,
    /// The map's request.
    pub request: MapRequest,
    /// The point after each example. The last one is where the query is now.
    pub trail: Vec<[f32; 2]>,
}
