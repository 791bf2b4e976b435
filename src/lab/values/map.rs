//! What is asked for as a map, and what a map is.

use crate::library::Part;

/// How a map is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapMethod {
    /// The two leading principal components.
    Pca,
    /// t-SNE of the leading principal components, from the first two: animated, the same every
    /// time.
    Tsne,
    /// linfa-tsne's, from a random start.
    OneShot,
}

/// A request for a map.
#[derive(Clone, Debug, PartialEq)]
pub struct MapRequest {
    /// The layer whose states are drawn.
    pub layer: usize,
    /// SSM state or convolution window.
    pub part: Part,
    /// Method.
    pub method: MapMethod,
    /// Perplexity wished for; lowered where there are too few points.
    pub perplexity: f64,
    /// Seed of the method.
    pub seed: u64,
}

/// A map: one point a skill, in the library's order.
#[derive(Clone, Debug, PartialEq)]
pub struct MapView {
    /// What was asked.
    pub request: MapRequest,
    /// Coordinates, in the order of [`super::LibraryView::skills`] at that moment.
    pub points: Vec<[f32; 2]>,
    /// Skills of the map drawn before by which this one was laid over it: turned, mirrored and
    /// shifted, not stretched; 0 if it was not.
    pub aligned: usize,
    /// Ids of the skills behind the points.
    pub skills: Vec<String>,
    /// Perplexity used.
    pub perplexity: f64,
    /// Trustworthiness at 15 neighbours (or fewer), 0 to 1.
    pub trust: Option<f64>,
    /// Share of each point's nearest neighbours (leave-one-out 1-NN) that are of its own task.
    pub purity: Option<f64>,
    /// Nearest skills in the original space, per point, nearest first: (index, cosine).
    pub neighbours: Vec<Vec<(usize, f32)>>,
    /// Trustworthiness of each point; empty while the map moves.
    pub trust_of_each: Vec<f32>,
    /// Epochs of t-SNE done; 0 for principal components.
    pub epoch: usize,
    /// Whether the map is as it will stay.
    pub finished: bool,
}

/// Where the query's states lie on a finished map: an approximation, as the map was made without
/// them.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The query as typed.
    pub query: String,
    /// The map's request.
    pub request: MapRequest,
    /// After each example, the last one where the query is now.
    pub trail: Vec<[f32; 2]>,
}
