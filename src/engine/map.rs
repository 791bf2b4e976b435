//! The library's states at one layer in two dimensions.

use super::lab::Lab;
use super::{MapMethod, MapRequest, MapView};
use crate::control::Control;
use crate::error::{Error, Result};
use crate::library::{Library, Part};
use crate::project::{self, Embedder};

/// Nearest skills listed for each point.
const NEAR: usize = 8;
/// Neighbours that trustworthiness looks at (fewer where there are few skills).
const TRUST_AT: usize = 15;

impl Lab {
    /// Projects the library. `frame` gets the map as it forms (the principal components first), the last one is returned.
    ///
    /// # Errors
    /// [`Error::Input`] for a layer the model lacks or too few skills; [`Error::Cancelled`].
    pub fn map(&self, request: &MapRequest, control: Control<'_>, frame: &mut dyn FnMut(MapView)) -> Result<MapView> {
        let n_layer = self.shape().n_layer;
        if request.layer >= n_layer {
            return Err(Error::Input(format!("the map asks for layer {}, but the model's layers are 0 to {}", request.layer, n_layer - 1)));
        }
        let library = self.library();
        let flat = library.matrix(request.part, request.layer);
        let dim = flat.len() / library.len().max(1);
        let skills: Vec<String> = library.skills().iter().map(|s| s.id.clone()).collect();
        let labels = labels(&library);
        let space = project::Space::of(&flat, skills.len(), dim, project::Lengths::Unit, control)?;
        let pca = project::Pca::fit(&space, &flat, project::PCA_DIMS, control)?;
        let neighbours = space.nearest(NEAR);
        let purity = project::purity(&neighbours, &labels);
        let view = |points: Vec<[f32; 2]>, perplexity: f64, trust: Option<f64>| MapView {
            request: request.clone(),
            trust,
            points,
            skills: skills.clone(),
            perplexity,
            purity: Some(purity),
            neighbours: neighbours.clone(),
        };
        let plane = pca.plane();
        let trust = |points: &[[f32; 2]]| project::fidelity(&space, points, TRUST_AT).ok().map(|f| f.trustworthiness);
        if request.method == MapMethod::Pca {
            let map = view(plane.clone(), 0.0, trust(&plane));
            frame(map.clone());
            return Ok(map);
        }
        frame(view(plane, 0.0, None));
        let settings = project::TsneSettings { perplexity: request.perplexity, seed: request.seed };
        let perplexity = project::usable_perplexity(pca.n, request.perplexity)?;
        let method: &dyn Embedder = if request.method == MapMethod::OneShot { &project::OneShot } else { &project::Stepped };
        let embedded = method.embed(&pca, &settings, control, &mut |points| frame(view(points.to_vec(), perplexity, None)))?;
        let map = view(embedded.points.clone(), embedded.perplexity, trust(&embedded.points));
        frame(map.clone());
        Ok(map)
    }
}

/// Each skill's task as a number.
fn labels(library: &Library) -> Vec<usize> {
    let mut names: Vec<&str> = Vec::new();
    let skills = library.skills().iter();
    skills
        .map(|s| {
            if let Some(i) = names.iter().position(|n| *n == s.task) {
                i
            } else {
                names.push(&s.task);
                names.len() - 1
            }
        })
        .collect()
}

/// `ssm` or `conv`.
impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ssm => "ssm",
            Self::Conv => "conv",
        })
    }
}
